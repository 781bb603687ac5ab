"""A small ledger whose truth is known, behind the `Book` that evaluation asks for."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

import numpy as np
import polars as pl
import pytest

from models.baselines import (
    COUNT_COLUMN,
    MEAN_COLUMN,
    QUANTILE_COLUMNS,
    SHARE_LATE_COLUMN,
    CustomerAverage,
    CustomerQuantiles,
    DueDate,
    LightGBMQuantiles,
)
from models.distribution import Distribution
from models.evaluation import Evaluation, EvaluationSettings, evaluate

KEY = ["entity_id", "invoice_id", "instalment"]
FIRST = date(2023, 1, 1)
CUTOFF = date(2023, 7, 1)
UNTIL = date(2023, 9, 29)
NOISE = {-3: 0.1, 0: 0.35, 1: 0.25, 4: 0.2, 12: 0.1}
HORIZON = 90


def instant(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@dataclass
class FakeBook:
    """Invoices with the day each was paid (null: never), everything learnt at the start of its own day, in UTC.

    `asked` keeps the frames that features were asked for.
    """

    ledger: pl.DataFrame
    last_day: date
    asked: list[pl.DataFrame] = field(default_factory=list)

    def at_issue(self, first: date, until: date) -> pl.DataFrame:
        rows = self.ledger.filter(pl.col("issue_date").is_between(first, until, closed="left"))
        return rows.select(
            *KEY[:1],
            "customer_id",
            *KEY[1:],
            "currency",
            "amount_minor",
            "issue_date",
            "due_date",
            cutoff_day="issue_date",
            cutoff=pl.col("issue_date").cast(pl.Datetime("ms")).dt.replace_time_zone("UTC"),
        ).sort("cutoff", *KEY)

    def features(self, subjects: pl.DataFrame) -> pl.DataFrame:
        self.asked.append(subjects)
        history = [self._history(*row) for row in subjects.select("entity_id", "customer_id", "cutoff").iter_rows()]
        names = [COUNT_COLUMN, MEAN_COLUMN, SHARE_LATE_COLUMN, *QUANTILE_COLUMNS.values()]
        return subjects.with_columns(
            *(pl.Series(name, [row[k] for row in history], dtype=pl.Float64) for k, name in enumerate(names)),
            amount=pl.col("amount_minor").cast(pl.Float64),
        )

    def labelled(self, frame: pl.DataFrame, observed_before: datetime | None = None) -> pl.DataFrame:
        before = observed_before.date() if observed_before else self.last_day + timedelta(days=1)
        outcome = self.ledger.filter(~pl.col("withdrawn")).select(*KEY, "paid_date", "cancelled")
        known = pl.when(pl.col("paid_date") < before).then("paid_date")
        return frame.join(outcome, on=KEY, maintain_order="left").with_columns(
            paid_date=known, observed_until=pl.when(known.is_null()).then(pl.lit(before - timedelta(days=1)))
        )

    def day_start(self, day: date, entity_id: str) -> datetime:
        return instant(day)

    def _history(self, entity: str, customer: str, cutoff: datetime) -> list[float | None]:
        mine = self.settled.get((entity, customer), [])
        late = [late for paid, late in mine if paid < cutoff.date()]
        if not late:
            return [0.0, None, None, *[None] * len(QUANTILE_COLUMNS)]
        share = float(np.mean([d >= 1 for d in late]))
        return [float(len(late)), float(np.mean(late)), share, *np.quantile(late, list(QUANTILE_COLUMNS))]

    @cached_property
    def settled(self) -> dict[tuple[str, str], list[tuple[date, int]]]:
        """Per entity and customer: the day each invoice was paid and how late it was."""
        found: dict[tuple[str, str], list[tuple[date, int]]] = {}
        paid = self.ledger.drop_nulls("paid_date").select("entity_id", "customer_id", "due_date", "paid_date")
        for entity, customer, due, day in paid.iter_rows():
            found.setdefault((entity, customer), []).append((day, (day - due).days))
        return found


@dataclass(frozen=True)
class Fixed:
    """Answers from a table of days (KEY and the list `pmf`), whatever it was trained on."""

    answers: pl.DataFrame

    def distribution(self, features: pl.DataFrame) -> Distribution:
        pmf = features.join(self.answers, on=KEY, how="left", maintain_order="left")["pmf"].to_list()
        start = features["cutoff_day"].to_numpy().astype("datetime64[D]")
        return Distribution(start, np.array(pmf).reshape(-1, HORIZON))


def habits(ledger: pl.DataFrame) -> list[int]:
    """Days late that each row's customer tends to: 0, 3, 6, ... by number."""
    return [3 * (int(customer[1:]) % 5) for customer in ledger["customer_id"]]


@pytest.fixture(scope="session")
def ledger() -> pl.DataFrame:
    """600 invoices of 30 customers of two entities, on 30 days' terms; days late = habit + `NOISE`."""
    rng = np.random.default_rng(11)
    rows = 600
    number = rng.integers(0, 30, rows)
    issued = np.sort(rng.integers(0, 270, rows))
    late = 3 * (number % 5) + rng.choice(list(NOISE), p=list(NOISE.values()), size=rows)
    issue_dates = [FIRST + timedelta(days=int(day)) for day in issued]
    return pl.DataFrame(
        {
            "entity_id": [f"E{n % 2}" for n in number],
            "customer_id": [f"C{n}" for n in number],
            "invoice_id": [f"I{k}" for k in range(rows)],
            "instalment": [1] * rows,
            "currency": [("USD", "JPY")[n % 2] for n in number],
            "amount_minor": rng.integers(1_000, 900_000, rows) * np.where(number % 2, 1, 100),
            "issue_date": issue_dates,
            "due_date": [day + timedelta(days=30) for day in issue_dates],
            "paid_date": [day + timedelta(days=30 + int(d)) for day, d in zip(issue_dates, late, strict=True)],
            "cancelled": [False] * rows,
            "withdrawn": [False] * rows,
        }
    )


@pytest.fixture
def book(ledger: pl.DataFrame) -> FakeBook:
    return FakeBook(ledger, last_day=date(2024, 6, 30))


@pytest.fixture(scope="session")
def truth(ledger: pl.DataFrame) -> Fixed:
    """Knows every customer's distribution, but no outcome."""
    pmf = np.zeros((len(ledger), HORIZON))
    for row, habit in enumerate(habits(ledger)):
        for noise, chance in NOISE.items():
            pmf[row, 30 + habit + noise] = chance
    return Fixed(ledger.select(KEY).with_columns(pmf=pl.Series(pmf.tolist())))


@pytest.fixture(scope="session")
def oracle(ledger: pl.DataFrame) -> Fixed:
    """Knows every outcome."""
    days = (ledger["paid_date"] - ledger["issue_date"]).dt.total_days()
    return Fixed(ledger.select(KEY).with_columns(pmf=pl.Series(np.eye(HORIZON)[days.to_numpy()].tolist())))


@pytest.fixture(scope="session")
def quick() -> Callable[..., EvaluationSettings]:
    """Settings over the ledger's last three months with few draws and the baselines that need no training."""

    def build(**changes: object) -> EvaluationSettings:
        baselines = (DueDate(), CustomerAverage(), CustomerQuantiles())
        usual = {"cutoff": CUTOFF, "until": UNTIL, "draws": 100, "segment_draws": 20, "baselines": baselines}
        return EvaluationSettings(**(usual | changes))

    return build


@pytest.fixture(scope="session")
def evaluation(ledger, truth, quick) -> Evaluation:
    """The true forecaster on two origins, beside all four baselines."""
    settings = quick(origins=2)
    settings = replace(settings, baselines=(*settings.baselines, LightGBMQuantiles(rounds=10)))
    return evaluate(FakeBook(ledger, last_day=date(2024, 6, 30)), lambda labelled, _: truth, settings)
