"""The cash forecast of the lake by the champions, beside a scenario, and what became of an earlier one."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from features.book import Book
from features.errors import BadInput, BadSetting, NotFound
from features.facts import Facts
from features.lake import Lake
from features.money import exponent
from models.cash.answers import CashForecast
from models.cash.backtest import day_begins
from models.cash.claims import WEEKS
from models.cash.decomposition import ONE_DAY, Decomposition, decompose
from models.cash.forecast import DRAWS, LookAhead, claims_of, drawn, in_scenario, look_ahead
from models.cash.model import CashModel
from models.cash.open_items import DatesPayments, open_items
from models.cash.scenarios import Scenario
from models.champion import CASH_FORECAST, PAYMENT_DATE, ready
from pipelines.cash_training import TrainsDates, fit_rehearsed, trained_before
from pipelines.strict_yaml import decode


@dataclass(frozen=True)
class Asked:
    """What of the forecast is asked for."""

    weeks: int = WEEKS
    entity: str | None = None
    currency: str | None = None
    group: str | None = None
    draws: int = DRAWS
    seed: int = 7


def forecast_cash(
    lake: Lake, mlruns: Path, asked: Asked, *, as_of: date | None = None, scenario: Scenario | None = None
) -> tuple[CashForecast, CashForecast | None]:
    """The base, and beside it the scenario where there is one, drawn from the same random numbers.

    as_of  with what was known before that day began; None: with all there is

    `NotFound` without a champion of either model, or for an entity or currency that has nothing to forecast.
    """
    dated, model = champions_of(mlruns)
    return forecast_book(Book(Facts.read(lake)), dated, model, asked, as_of=as_of, scenario=scenario)


def forecast_book(
    book: Book,
    dated: DatesPayments,
    model: CashModel,
    asked: Asked,
    *,
    as_of: date | None = None,
    scenario: Scenario | None = None,
) -> tuple[CashForecast, CashForecast | None]:
    """`forecast_cash` of a book that is open already, by models that are at hand."""
    if asked.group is not None:
        exponent(asked.group)  # refuses what is no currency
    when = book.last_known() if as_of is None else day_begins(book, as_of)
    seen = look_ahead(book, dated, model, when, draws=asked.draws, seed=asked.seed)
    base = _told(seen, asked)
    if not base.series:
        raise NotFound(_nothing(book, asked))
    return base, None if scenario is None else _told(in_scenario(seen, scenario), asked)


def _told(seen: LookAhead, asked: Asked) -> CashForecast:
    return seen.forecast(weeks=asked.weeks, group=asked.group, entity=asked.entity, currency=asked.currency)


def explain_cash(lake: Lake, mlruns: Path, *, since: date, until: date, seed: int = 7) -> list[Decomposition]:
    """Forecast against actual: what would have been forecast on `since` with what was known then, and what came.

    The cash model is learnt anew as of that day. The payment dates are the champion's, which may have learnt from the
    outcomes since: what it knows better than it could have known then makes the difference look smaller.
    """
    if until <= since:
        raise BadSetting(f"--to {until} is not after --from {since}; allowed: a later day, within 13 weeks")
    dated, _ = champions_of(mlruns)
    return explain_book(Book(Facts.read(lake)), dated, since=since, until=until, seed=seed)


def explain_book(
    book: Book, dated: DatesPayments, *, since: date, until: date, seed: int = 7, train: TrainsDates = trained_before
) -> list[Decomposition]:
    """`explain_cash` of a book that is open already; `train` makes the payment dates of the rehearsal."""
    when = day_begins(book, since)
    if when >= book.last_known():
        raise BadInput(f"--from {since} lies after all that the lake knows; choose an earlier day")
    if day_begins(book, until) > book.last_known() + ONE_DAY:
        known = book.last_known().date() + ONE_DAY
        raise BadInput(f"--to {until} lies after all that the lake knows; allowed: up to {known}")
    model = fit_rehearsed(book, when, seed=seed, train=train)
    items = open_items(book, dated, when)
    claims = claims_of(book, dated, model, when, items, seed=seed)
    return decompose(drawn(book, model, when, items, claims, seed=seed), book, until)


def champions_of(mlruns: Path) -> tuple[DatesPayments, CashModel]:
    """The payment-date and the cash model that serve; `NotFound` names the command that makes a missing one.

    The cash model names the payment-date version that serves now, which may be a later one than it was trained with.
    """
    version, dated = ready(mlruns, PAYMENT_DATE)
    _, model = ready(mlruns, CASH_FORECAST)
    return dated, replace(model, rests_on=version.label)


def read_scenario(path: Path) -> Scenario:
    """A scenario file, YAML or JSON; `BadSetting` names line and key of what does not fit, `NotFound` the file."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise NotFound(f"--scenario {path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError:
        raise BadSetting(f"--scenario {path} is not text; allowed: YAML or JSON in UTF-8") from None
    return decode(text, Scenario, str(path))


def write(base: CashForecast, scenario: CashForecast | None, path: Path) -> None:
    """Write forecasts to a file that ends in .json, .csv or .parquet: whole, or one row per series and period."""
    if path.suffix == ".json":
        path.write_bytes(as_json(base, scenario))
        return
    rows = as_frame([f for f in (base, scenario) if f is not None])
    if path.suffix == ".parquet":
        rows.write_parquet(path)
    else:
        rows.write_csv(path)


def as_json(base: CashForecast, scenario: CashForecast | None) -> bytes:
    """Both as JSON."""
    return msgspec.json.format(msgspec.json.encode({"base": base, "scenario": scenario}))


def as_frame(told: list[CashForecast]) -> pl.DataFrame:
    """One row per forecast, series and week or day."""
    return pl.DataFrame([row for f in told for row in _rows(f)], infer_schema_length=None)


def _rows(told: CashForecast) -> list[dict[str, Any]]:
    return [
        {
            "scenario": told.scenario,
            "as_of": datetime.fromisoformat(told.as_of),
            "entity_id": series.entity_id,
            "currency": series.currency,
            "availability": series.availability,
            "period": period,
            **{k: v for k, v in msgspec.structs.asdict(inflow).items() if k != "quantiles_minor"},
            **{f"{name}_minor": amount for name, amount in inflow.quantiles_minor.items()},
        }
        for series in told.series
        for period, inflows in (("week", series.weekly), ("day", series.daily))
        for inflow in inflows
    ]


def _nothing(book: Book, asked: Asked) -> str:
    there = book.states.select("entity_id", "currency").unique().sort("entity_id", "currency").iter_rows()
    pairs = ", ".join("/".join(pair) for pair in there) or "none"
    whose = f"{asked.entity or 'any entity'}, {asked.currency or 'any currency'}"
    return f"nothing to forecast for {whose}; there are: {pairs}"
