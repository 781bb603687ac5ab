"""For any ledger: paying later, and still before the cutoff, never makes a customer look safer, end to end."""

from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from features.book import Book
from features.customer_catalogue import customer_catalogue, direction, is_read
from features.customers import DefaultRule
from features.exposures import exposures
from features.facts import Facts
from models.credit.answers import scores
from models.credit.boosters import BoosterSettings
from models.credit.codes import code_of
from models.credit.policy import LimitSettings, credit_limits
from models.credit.scorer import CreditScorer, fit_scorer

Draw = Callable[..., Facts]
NAMES = [d.name for d in customer_catalogue() if is_read(d.name)]
CUTOFF = 420
CUSTOMERS = "customer_id | segment\nA | s\nB | s\nC | -"
RATE = "currency | to_currency | day | rate\nUSD | EUR | 1 | 0.9"
SMALL = BoosterSettings(trees=60, learning_rate=0.2, leaves=6, smallest_leaf=5, feature_share=0.5, l2=0, path_smooth=0)
RULE = DefaultRule()


class Part(NamedTuple):
    """One of those that settle an invoice: how many days after issue, and how many tenths of it."""

    after_days: int
    tenths: int


class Invoice(NamedTuple):
    customer: str
    issue: int
    terms: int
    amount: int
    currency: str
    kind: str
    parts: list[Part]


PARTS = st.builds(Part, st.integers(0, 130), st.integers(2, 10))
INVOICES = st.builds(
    Invoice,
    st.sampled_from("AABC"),
    st.integers(1, CUTOFF - 2),
    st.integers(0, 45),
    st.integers(1, 50).map(lambda n: n * 10_000),
    st.sampled_from(["EUR", "EUR", "USD"]),
    st.sampled_from(["payment"] * 5 + ["write_off"]),
    st.lists(PARTS, max_size=2),
)
LEDGERS = st.lists(INVOICES, min_size=3, max_size=14)


def paid_days(invoices: list[Invoice]) -> dict[tuple[int, int], int]:
    """(invoice, part) -> its day, of what is there before the cutoff."""
    days = {(k, n): one.issue + part.after_days for k, one in enumerate(invoices) for n, part in enumerate(one.parts)}
    return {key: day for key, day in days.items() if day < CUTOFF}


def ledger(draw: Draw, invoices: list[Invoice], days: dict[tuple[int, int], int]) -> Book:
    """The invoices with their parts on `days`; a payment is received on the day that it settles."""
    drawn, told, money = [], [], []
    for k, one in enumerate(invoices):
        drawn.append(f"I{k} | {one.customer} | {one.issue} | {one.issue + one.terms}:{one.amount} | {one.currency}")
    for (k, n), day in days.items():
        one, part = invoices[k], invoices[k].parts[n]
        amount = one.amount * part.tenths // 10
        told.append(f"a{k}.{n} | I{k} | {one.kind} | P{k}.{n} | {day} | {amount} | {one.currency}")
        if one.kind == "payment":
            money.append(f"P{k}.{n} | {one.customer} | {day} | {amount} | {one.currency}")
    tables = {
        "customer": CUSTOMERS,
        "fx_rate": RATE,
        "invoice": "\n".join(["invoice_id | customer_id | issue_date | owed | currency", *drawn]),
        "allocation": "\n".join(
            ["allocation_id | invoice_id | kind | from_id | date | amount_minor | currency", *told]
        ),
        "payment": "\n".join(["payment_id | customer_id | value_date | amount_minor | currency", *money]),
    }
    return Book(draw(**tables))


def asked(book: Book, at: datetime) -> pl.DataFrame:
    return book.in_default(book.customer_features(book.customers_as_of(at)), RULE)


@pytest.fixture(scope="module")
def scorer() -> CreditScorer:
    """One that reads every feature, and learnt from noise, so that any of them moves it."""
    rng = np.random.default_rng(1)
    values = np.round(np.abs(rng.normal(size=(900, len(NAMES)))) * 20)
    shares = [k for k, name in enumerate(NAMES) if "share" in name]
    values[:, shares] = rng.random((900, len(shares)))
    values[rng.random(values.shape) < 0.1] = np.nan
    bad = (rng.random(900) < 0.3).astype(np.float64)
    way = [direction(name) for name in NAMES]
    return fit_scorer(
        values, bad, names=NAMES, groups=[code_of(name) for name in NAMES], directions=way, settings=SMALL,
        rows_of=np.arange(900), seed=3,
    )[0]  # fmt: skip


# a ledger takes a fifth of a second: to shrink one that fails would take many minutes
@settings(
    max_examples=35,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(invoices=LEDGERS, data=st.data())
def test_a_payment_that_comes_later_never_lowers_the_risk_nor_raises_a_limit(
    drawn_facts: Draw,
    instant: Callable[[str], datetime],
    scorer: CreditScorer,
    invoices: list[Invoice],
    data: st.DataObject,
) -> None:
    before = paid_days(invoices)
    payments = [key for key in before if invoices[key[0]].kind == "payment"]
    if not payments:
        return
    moved = data.draw(st.lists(st.sampled_from(payments), min_size=1, unique=True))
    after = before | {key: data.draw(st.integers(before[key], CUTOFF - 1)) for key in moved}
    soon, late = (ledger(drawn_facts, invoices, days) for days in (before, after))
    first, then = (asked(book, instant(str(CUTOFF))) for book in (soon, late))
    assert first.select("customer_id", "default_cause").equals(then.select("customer_id", "default_cause"))
    for name in NAMES:
        old, new = first[name], then[name]
        assert old.is_null().equals(new.is_null()), name
        change = (new - old).drop_nulls() * (direction(name) or 1)
        assert (change >= 0).all() if direction(name) else (change == 0).all(), (name, old.to_list(), new.to_list())
    told = [limits(book, frame, scorer) for book, frame in ((soon, first), (late, then))]
    for (pd, limit), (later_pd, later_limit) in zip(*told, strict=True):
        assert later_pd >= pd
        assert later_limit <= limit


def limits(book: Book, frame: pl.DataFrame, scorer: CreditScorer) -> list[tuple[float, int]]:
    """PD and limit of every customer, -1 for one that has none."""
    model = SimpleNamespace(scorer=scorer, rule=RULE)
    held = exposures(frame, book.facts, book.states, book.masters)
    found = scores(model.scorer, model.rule, frame)
    by_policy = credit_limits(frame, found, held, {"E": "EUR"}, LimitSettings(round_to=1))
    pds = [-1.0 if told.pd is None else told.pd for told in found]
    return list(zip(pds, [-1 if told.limit_minor is None else told.limit_minor for told in by_policy], strict=True))
