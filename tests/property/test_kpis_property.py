"""For any history of facts, with corrections: every KPI ties to the ledger, and knows nothing of what comes later.

Histories are drawn as the pipe tables of `tests/conftest.py`, small and crowded: instalments, partial payments,
overpayments, negative invoices, credit notes, write-offs, corrections, deletions, two currencies, two entities.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.book import Book
from features.facts import Facts
from features.kpis.ageing import ageing
from features.kpis.buckets import LABELS
from features.kpis.engine import CollectionKpis, collection_kpis
from features.kpis.loss_rates import LossRates
from features.kpis.provision import provision
from features.kpis.settings import KpiSettings
from features.tables import table

Draw = Callable[..., Facts]
Tables = dict[str, str]
Row = dict[str, object]
Books = tuple[object, object]
Moment = tuple[Tables, list[date]]

LAST_DAY = 130
PERIOD = KpiSettings(days=40)
ENTITY = "entity_id | currency | time_zone\n E | EUR | UTC\n F | USD | America/New_York"


def several(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])


# --- histories ----------------------------------------------------------------------------------------------------

HALF_DAYS = st.integers(2, 2 * LAST_DAY).map(lambda n: f"{n / 2:g}")
DAYS = st.integers(1, LAST_DAY).map(str)
CUSTOMERS = st.sampled_from(["A", "B"])
CURRENCIES = st.sampled_from(["EUR", "EUR", "USD"])
INVOICES = st.sampled_from("IJK")
OWED = st.lists(st.tuples(DAYS, st.integers(-50, 200)), min_size=1, max_size=3).map(
    lambda parts: " ".join(f"{due}:{amount}" for due, amount in parts)
)


def versions(
    id_column: str, ids: Iterable[str], most: int, **columns: st.SearchStrategy[str]
) -> st.SearchStrategy[str]:
    """A pipe table of up to `most` versions of the facts in `ids`; versions of one fact differ in `known_at`."""
    keyed = st.fixed_dictionaries(
        {
            "entity_id": st.sampled_from(["E", "E", "F"]),
            id_column: st.sampled_from(list(ids)),
            "known_at": HALF_DAYS,
            "deleted": st.sampled_from(["no", "no", "no", "yes"]),
            **columns,
        }
    )
    rows = st.lists(keyed, max_size=most, unique_by=lambda row: (row["entity_id"], row[id_column], row["known_at"]))
    header = ["entity_id", id_column, "known_at", "deleted", *columns]
    return rows.map(
        lambda told: "\n".join(" | ".join(line) for line in [header, *([r[c] for c in header] for r in told)])
    )


def amounts(low: int, high: int) -> st.SearchStrategy[str]:
    return st.integers(low, high).map(str)


HISTORIES: st.SearchStrategy[Tables] = st.fixed_dictionaries(
    {
        "customer": versions("customer_id", "AB", 3, segment=st.sampled_from(["S", "T", "-"])),
        "order": versions(
            "order_id", "o", 2, customer_id=CUSTOMERS, order_date=DAYS, currency=CURRENCIES,
            amount_minor=amounts(1, 99), status=st.sampled_from(["open", "billed"]),
        ),
        "invoice": versions(
            "invoice_id", "IJK", 9, customer_id=CUSTOMERS, issue_date=DAYS, currency=CURRENCIES, owed=OWED,
            order_id=st.sampled_from(["o", "-"]),
        ),
        "credit_note": versions(
            "credit_note_id", "cd", 3, customer_id=CUSTOMERS, issue_date=DAYS, currency=CURRENCIES,
            amount_minor=amounts(-90, -1),
        ),
        "payment": versions(
            "payment_id", "pq", 4, customer_id=st.sampled_from(["A", "B", "-"]), value_date=DAYS, currency=CURRENCIES,
            amount_minor=amounts(-100, 300),
        ),
        "allocation": versions(
            "allocation_id", "abcdef", 12, invoice_id=INVOICES, instalment=st.sampled_from(["1", "1", "2", "3"]),
            kind=st.sampled_from(["payment", "payment", "credit_note", "write_off"]), from_id=st.sampled_from("pqcd"),
            currency=CURRENCIES, date=DAYS, amount_minor=amounts(-60, 200),
        ),
        "dispute": versions(
            "dispute_id", "xy", 3, customer_id=CUSTOMERS, invoice_id=INVOICES, opened_on=DAYS, currency=CURRENCIES,
            amount_minor=st.sampled_from(["-", "7", "30"]), status=st.sampled_from(["open", "rejected"]),
        ),
        "promise": versions(
            "promise_id", "rs", 4, customer_id=CUSTOMERS, invoice_id=st.sampled_from(["I", "J", "-"]),
            made_on=st.just("1"), promised_for=DAYS, currency=CURRENCIES, amount_minor=amounts(1, 90),
        ),
        "fx_rate": versions(
            "fx_rate_id", "uv", 3, currency=CURRENCIES, to_currency=CURRENCIES, day=DAYS,
            rate=st.sampled_from(["0.8", "1.25"]),
        ),
    }
)  # fmt: skip


@st.composite
def moments(draw: st.DrawFn) -> Moment:
    """A history and days to look at it, mostly days at whose very start something is learnt."""
    history = draw(HISTORIES)
    learnt = [line.split(" | ")[2] for text in history.values() for line in text.splitlines()[1:]]
    starts = sorted({int(instant) for instant in learnt if "." not in instant})
    days = st.one_of(*([st.sampled_from(starts)] * 3 if starts else []), st.integers(1, LAST_DAY))
    looks = draw(st.lists(days, min_size=1, max_size=3))
    return history, [date(2024, 1, 1) + timedelta(days=day - 1) for day in looks]


BY = st.sampled_from(["entity", "currency", "segment", "customer"])


# --- the ledger by hand -------------------------------------------------------------------------------------------


def known(facts: Facts, name: str, cutoffs: dict[object, datetime]) -> list[Row]:
    """What stood at each entity's cutoff, found by looking through every version of every fact."""
    declared, latest = table(name), {}
    for row in sorted(facts.tables[name].iter_rows(named=True), key=lambda row: row["known_at"]):
        if row["known_at"] < cutoffs[row["entity_id"]]:
            latest[tuple(row[c] for c in declared.key)] = row
    return [row for row in latest.values() if not row["deleted"]]


def open_by_hand(facts: Facts, cutoffs: dict[object, datetime]) -> dict[Books, int]:
    """Entity, currency -> amounts less allocations that settle them, over whole books: no bucket, no receivable."""
    left: dict[Books, int] = {}
    owed = {}
    for invoice in known(facts, "invoice", cutoffs):
        books = invoice["entity_id"], invoice["currency"]
        left[books] = left.get(books, 0) + sum(part["amount_minor"] for part in invoice["instalments"])  # type: ignore[attr-defined]
        owed.update({(*books, invoice["invoice_id"], part["number"]): books for part in invoice["instalments"]})  # type: ignore[attr-defined]
    for part in known(facts, "allocation", cutoffs):
        books = owed.get((part["entity_id"], part["currency"], part["invoice_id"], part["instalment"]))
        if books is not None:
            left[books] -= part["amount_minor"]  # type: ignore[operator]
    return left


def cutoffs_of(book: Book, on: date) -> dict[object, datetime]:
    return {entity: book.day_start(on, entity) for entity in book.zones["entity_id"]}


def nonzero(sums: dict[Books, int]) -> dict[Books, int]:
    return {books: minor for books, minor in sums.items() if minor}


def of_kpi(found: CollectionKpis, name: str) -> dict[Books, int]:
    sums: dict[Books, int] = {}
    for row in found.rows:
        if row.kpi == name and not row.converted:
            assert row.minor is not None
            sums[row.entity_id, row.currency] = sums.get((row.entity_id, row.currency), 0) + row.minor
    return nonzero(sums)


@given(moment=moments())
@several(100)
def test_the_ageing_sums_to_the_ledger_to_the_cent(drawn_facts: Draw, moment: Moment) -> None:
    history, looks = moment
    facts = drawn_facts(entity=ENTITY, **history)
    book = Book(facts)
    for on in looks:
        by_hand = nonzero(open_by_hand(facts, cutoffs_of(book, on)))
        for by in ((), ("segment",), ("customer_id", "collector")):
            aged = ageing(book, on, by)
            sums = aged.group_by("entity_id", "currency").agg(pl.col("open_minor").sum())
            assert nonzero({(e, c): minor for e, c, minor in sums.iter_rows()}) == by_hand
            assert aged.filter(pl.col("debit_minor") + pl.col("credit_minor") != pl.col("open_minor")).is_empty()
            assert aged["bucket"].to_list() == list(LABELS) * (aged.height // len(LABELS))


@given(moment=moments(), by=BY)
@several(40)
def test_kpis_and_provision_tie_to_the_same_ageing(drawn_facts: Draw, moment: Moment, by: str) -> None:
    history, on = moment
    facts = drawn_facts(entity=ENTITY, **history)
    book = Book(facts)
    by_hand = nonzero(open_by_hand(facts, cutoffs_of(book, on[0])))
    found = collection_kpis(book, on[0], by=by, settings=PERIOD)
    if by != "currency":
        assert of_kpi(found, "ar") == by_hand
    rates = [LossRates(dict.fromkeys(LABELS, Decimal("0.015")))]
    cells = provision(book, on[0], rates, by=("segment",))
    sums = cells.group_by("entity_id", "currency").agg(pl.col("open_minor").sum())
    assert nonzero({(e, c): minor for e, c, minor in sums.iter_rows()}) == by_hand
    assert cells.filter(pl.col("provision_minor") != ((pl.col("debit_minor") * 15 + 500) // 1000)).is_empty()


@given(moment=moments())
@several(40)
def test_what_was_open_and_sold_less_what_was_settled_is_what_is_open(drawn_facts: Draw, moment: Moment) -> None:
    """Beginning + sales - ending is what settled those receivables, but what old ones got before it began."""
    history, on = moment
    facts = drawn_facts(entity=ENTITY, **history)
    book = Book(facts)
    cutoffs, began = cutoffs_of(book, on[0]), on[0] - timedelta(days=PERIOD.days)
    found = collection_kpis(book, on[0], settings=PERIOD)
    settled: dict[Books, int] = {}
    owed = {
        (i["entity_id"], i["currency"], i["invoice_id"], part["number"]): i["issue_date"]
        for i in known(facts, "invoice", cutoffs)
        for part in i["instalments"]  # type: ignore[attr-defined]
    }
    for part in known(facts, "allocation", cutoffs):
        issued = owed.get((part["entity_id"], part["currency"], part["invoice_id"], part["instalment"]))
        if issued is not None and (issued >= began or part["date"] >= began):  # type: ignore[operator]
            books = part["entity_id"], part["currency"]
            settled[books] = settled.get(books, 0) + part["amount_minor"]  # type: ignore[operator]
    told = {name: of_kpi(found, name) for name in ("beginning_ar", "credit_sales", "ar")}
    every = {books for sums in told.values() for books in sums}
    moved = {b: told["beginning_ar"].get(b, 0) + told["credit_sales"].get(b, 0) - told["ar"].get(b, 0) for b in every}
    assert nonzero(moved) == nonzero(settled)


@given(moment=moments(), by=BY, later=HISTORIES)
@several(40)
def test_nothing_learnt_at_or_after_the_day_changes_a_kpi(
    drawn_facts: Draw, moment: Moment, by: str, later: Tables
) -> None:
    """A replay with only what was known says the same; so does one in which all that came later is something else."""
    history, on = moment
    facts, news = drawn_facts(entity=ENTITY, **history), drawn_facts(entity=ENTITY, **later)
    cutoffs = cutoffs_of(Book(facts), on[0])

    def parted(rows: pl.DataFrame, *, before: bool) -> pl.DataFrame:
        limit = pl.col("entity_id").replace_strict(cutoffs, return_dtype=pl.Datetime("ms", "UTC"))
        return rows.filter((pl.col("known_at") < limit) == before)

    past = {n: rows if n == "entity" else parted(rows, before=True) for n, rows in facts.tables.items()}
    other = {
        n: rows if n == "entity" else pl.concat([rows, parted(news.tables[n], before=False)])
        for n, rows in past.items()
    }
    told = [
        collection_kpis(Book(f), on[0], by=by, settings=PERIOD, group_currency="EUR")
        for f in (facts, Facts.of(past), Facts.of(other))
    ]
    assert told[0].rows == told[1].rows == told[2].rows


@given(moment=moments(), random=st.randoms(use_true_random=False))
@several(20)
def test_the_order_of_rows_means_nothing(drawn_facts: Draw, moment: Moment, random: object) -> None:
    history, on = moment
    facts = drawn_facts(entity=ENTITY, **history)
    shuffled = Facts.of(
        {n: rows[random.sample(range(len(rows)), len(rows))] if len(rows) else rows for n, rows in facts.tables.items()}  # type: ignore[attr-defined]
    )
    left, right = (
        collection_kpis(Book(f), on[0], by="customer", settings=PERIOD, group_currency="EUR") for f in (facts, shuffled)
    )
    assert left == right


@given(moment=moments())
@several(40)
def test_cash_is_allocated_or_unapplied(drawn_facts: Draw, moment: Moment) -> None:
    """In one currency: payments received are what settled receivables and what is left, to the cent."""
    history, on = moment
    in_euro = {name: text.replace("USD", "EUR") for name, text in history.items() if name != "fx_rate"}
    facts = drawn_facts(entity=ENTITY, **in_euro)
    book = Book(facts)
    cutoffs = cutoffs_of(book, on[0])
    received, owed = known(facts, "payment", cutoffs), known(facts, "invoice", cutoffs)
    there = {(i["entity_id"], i["invoice_id"], p["number"]) for i in owed for p in i["instalments"]}  # type: ignore[attr-defined]
    payers = {(p["entity_id"], p["payment_id"]) for p in received}
    left: dict[Books, int] = {}
    for payment in received:
        books = payment["entity_id"], "EUR"
        left[books] = left.get(books, 0) + payment["amount_minor"]  # type: ignore[operator]
    for part in known(facts, "allocation", cutoffs):
        settles = (part["entity_id"], part["invoice_id"], part["instalment"]) in there
        if settles and part["kind"] == "payment" and (part["entity_id"], part["from_id"]) in payers:
            left[part["entity_id"], "EUR"] -= part["amount_minor"]  # type: ignore[operator]
    assert of_kpi(collection_kpis(book, on[0]), "unapplied_cash") == nonzero(left)
