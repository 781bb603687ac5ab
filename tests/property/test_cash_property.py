"""For any small ledger: parts of a miss sum to it exactly, cash is conserved, the future changes no forecast."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.book import Book
from features.facts import Facts
from models.bins import epoch_days
from models.cash.claims import HORIZON_DAYS
from models.cash.decomposition import decompose
from models.cash.forecast import LookAhead, look_ahead
from models.cash.model import fit_cash
from models.cash.receipts import receipts, receipts_after
from models.cash.simulation import Dependence, simulate
from models.cash.spread import Spread
from models.distribution import Distribution, from_quantiles

Draw = Callable[..., Facts]
TODAY = 40


def several(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class AroundDue:
    """Paid between the due date and two weeks later."""

    def distribution(self, frame: pl.DataFrame) -> Distribution:
        wait = (epoch_days(frame, "due_date") - epoch_days(frame, "cutoff_day")).astype(np.float64)
        start = frame["cutoff_day"].to_numpy().astype("datetime64[D]")
        return from_quantiles(start, (0.1, 0.9), np.stack([wait, wait + 14], axis=1).clip(0))


def at(day: int) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day - 1)


ISSUED = st.integers(1, 70)
INVOICE = st.tuples(ISSUED, st.integers(0, 30), st.integers(1, 900), st.sampled_from("AB"), st.sampled_from("EF"))
ENDS = st.tuples(st.integers(0, 60), st.integers(0, 100), st.sampled_from(["payment", "payment", "credit_note"]))
LEDGERS = st.lists(st.tuples(INVOICE, st.lists(ENDS, max_size=2), st.booleans()), min_size=1, max_size=14)


def ledger(draw: Draw, told: list[tuple[tuple[int, int, int, str, str], list[tuple[int, int, str]], bool]]) -> Facts:
    invoices, ends, cases = [], [], []
    for k, ((issued, terms, owed, customer, entity), settled, disputed) in enumerate(told):
        invoices.append(f"I{k} | {entity} | {customer} | {issued} | {issued + terms}:{owed}")
        ends += [
            f"I{k} | {entity} | {kind} | {issued + after} | {owed * part // 100}"
            for after, part, kind in settled
            if owed * part // 100
        ]
        if disputed:
            cases.append(f"I{k} | {entity} | {customer} | {issued} | open")
    tables = {"invoice": "\n".join(["invoice_id | entity_id | customer_id | issue_date | owed", *invoices])}
    if ends:
        tables["allocation"] = "\n".join(["invoice_id | entity_id | kind | date | amount_minor", *ends])
    if cases:
        tables["dispute"] = "\n".join(["invoice_id | entity_id | customer_id | opened_on | status", *cases])
    return draw(**tables)


def seen_at(book: Book, day: int) -> LookAhead:
    return look_ahead(book, AroundDue(), fit_cash(book, at(day), []), at(day), draws=30, seed=1)


@several(25)
@given(told=LEDGERS, days=st.integers(1, HORIZON_DAYS))
def test_the_parts_sum_to_the_difference(drawn_facts: Draw, told: list, days: int) -> None:
    book = Book(ledger(drawn_facts, told))
    seen = seen_at(book, TODAY)
    found = decompose(seen, book, at(TODAY + days).date())
    came = receipts_after(book.facts, at(TODAY), book.zones).filter(pl.col("day") < at(TODAY + days).date())
    assert sum(d.actual_minor for d in found) == came["amount_minor"].sum()
    for one in found:
        assert sum(one.parts_minor.values()) == one.forecast_minor - one.actual_minor
        assert all(isinstance(part, int) for part in one.parts_minor.values())


@several(25)
@given(told=LEDGERS)
def test_cash_before_and_after_an_instant_is_all_cash(drawn_facts: Draw, told: list) -> None:
    facts = ledger(drawn_facts, told)
    zones = Book(facts).zones
    known = receipts(facts.before(at(TODAY)))["amount_minor"].sum()
    later = receipts_after(facts, at(TODAY), zones)["amount_minor"].sum()
    assert known + later == receipts(facts)["amount_minor"].sum()


@several(15)
@given(told=LEDGERS)
def test_what_is_learnt_later_changes_no_forecast(drawn_facts: Draw, told: list) -> None:
    facts = ledger(drawn_facts, told)
    whole, past = (seen_at(Book(f), TODAY).forecast(group="EUR") for f in (facts, facts.before(at(TODAY))))
    assert whole == past


@several(15)
@given(told=LEDGERS, share=st.floats(0, 0.5), bundling=st.floats(0, 1))
def test_draws_are_whole_cents_and_never_more_than_is_owed(
    drawn_facts: Draw, told: list, share: float, bundling: float
) -> None:
    seen = seen_at(Book(ledger(drawn_facts, told)), TODAY)
    found = simulate(seen.claims, Dependence(share, 0.4, bundling), draws=20, seed=2)
    assert (found.amount == np.rint(found.amount)).all()
    owed = seen.claims.head.filter(pl.col("component") == "open")["amount_minor"].sum()
    assert found.amount[:, :, 0].sum(axis=(1, 2)).max(initial=0) <= owed


@several(30)
@given(level=st.floats(0.9, 1.1), factor=st.floats(0.7, 3.0))
def test_recalibration_moves_means_by_the_level_alone(level: float, factor: float) -> None:
    daily = np.random.default_rng(1).gamma(2.0, 100.0, (50, 2, HORIZON_DAYS))
    changed = Spread((level,) * 13, (factor,) * 13).apply(daily)
    assert np.allclose(changed.mean(axis=0), daily.mean(axis=0) * level)
    assert np.allclose(changed.std(axis=0), daily.std(axis=0) * level * factor)
