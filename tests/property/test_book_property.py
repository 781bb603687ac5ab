"""For any history of facts, with corrections: replays are exact, cash is conserved, and order means nothing.

Histories are drawn as the pipe tables of `tests/conftest.py`, small and crowded, so that much happens at one instant.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from random import Random

import polars as pl
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from features.book import Book
from features.catalogue import catalogue
from features.events import OVERDUE_DAYS, event_frames
from features.facts import Facts, standing
from features.ledger import RECEIVABLE, SETTLES
from features.tables import INVOICE, TABLES, Table

Draw = Callable[..., Facts]
Tables = dict[str, str]
Row = dict[str, object]

DECLARED = catalogue(["revenue", "staff"])
NAMES = [d.name for d in DECLARED]
LAST_DAY = 16


def several(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])


# --- histories ----------------------------------------------------------------------------------------------------

HALF_DAYS = st.integers(2, 2 * LAST_DAY).map(lambda n: f"{n / 2:g}")
DAYS = st.integers(1, LAST_DAY).map(str)
ENTITIES = st.sampled_from(["E", "E", "F"])
CUSTOMERS = st.sampled_from(["A", "B"])
CURRENCIES = st.sampled_from(["EUR", "EUR", "USD"])
RARELY = st.sampled_from(["no", "no", "no", "yes"])
OWED = st.lists(st.tuples(DAYS, st.integers(-50, 200)), min_size=1, max_size=3).map(
    lambda parts: " ".join(f"{due}:{amount}" for due, amount in parts)
)


def version(**columns: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries({"known_at": HALF_DAYS, "deleted": RARELY, **columns})


def versions(
    id_column: str, ids: Iterable[str], most: int, **columns: st.SearchStrategy[str]
) -> st.SearchStrategy[str]:
    """A pipe table of up to `most` versions of the facts in `ids`; versions of one fact differ in `known_at`."""
    keyed = version(**columns).flatmap(
        lambda row: st.tuples(ENTITIES, st.sampled_from(list(ids))).map(
            lambda key: {"entity_id": key[0], id_column: key[1], **row}
        )
    )
    rows = st.lists(
        keyed, max_size=most, unique_by=lambda row: (row["entity_id"], row[id_column], float(row["known_at"]))
    )
    header = ["entity_id", id_column, "known_at", "deleted", *columns]
    return rows.map(
        lambda told: "\n".join(" | ".join(line) for line in [header, *([r[c] for c in header] for r in told)])
    )


HISTORIES: st.SearchStrategy[Tables] = st.fixed_dictionaries(
    {
        "invoice": versions(
            "invoice_id", "IJKL", 10, customer_id=CUSTOMERS, issue_date=DAYS, currency=CURRENCIES, owed=OWED
        ),
        "allocation": versions(
            "allocation_id",
            "abcdef",
            14,
            invoice_id=st.sampled_from("IJKL"),
            instalment=st.sampled_from(["1", "1", "2", "3"]),
            kind=st.sampled_from(["payment", "payment", "payment", "credit_note", "write_off"]),
            date=DAYS,
            amount_minor=st.integers(-60, 200).map(str),
        ),
        "payment": versions(
            "payment_id",
            "pqr",
            5,
            customer_id=st.sampled_from(["A", "B", "-"]),
            value_date=DAYS,
            currency=CURRENCIES,
            amount_minor=st.integers(-100, 300).map(str),
        ),
        "customer": versions(
            "customer_id", "AB", 4, segment=st.sampled_from(["S", "T", "-"]), country=st.sampled_from(["DE", "US", "-"])
        ),
        "customer_attribute": versions(
            "attribute_id",
            "xyz",
            4,
            customer_id=CUSTOMERS,
            name=st.sampled_from(["revenue", "staff"]),
            day=DAYS,
            value=st.integers(-5, 50).map(str),
        ),
        "fx_rate": versions(
            "fx_rate_id",
            "rst",
            5,
            currency=CURRENCIES,
            to_currency=CURRENCIES,
            day=DAYS,
            rate=st.sampled_from(["0.8", "0.9", "1.25"]),
        ),
    }
)


@st.composite
def moments(draw: st.DrawFn) -> tuple[Tables, str]:
    """A history and a cutoff, mostly one of the instants at which something is learnt."""
    history = draw(HISTORIES)
    anytime = st.integers(2, 2 * LAST_DAY + 4).map(lambda n: f"{n / 2:g}")
    learnt = [[line.split(" | ")[2] for line in text.splitlines()[1:]] for text in history.values()]
    return history, draw(st.one_of(*(st.sampled_from(instants) for instants in learnt if instants), anytime))


TWO_ENTITIES = "entity_id | currency | time_zone\n E | EUR | UTC\n F | USD | America/New_York"


def strangers(cutoff: datetime) -> pl.DataFrame:
    """Customers asked about whether or not they have a ledger."""
    asked = [(e, c, n) for n, (e, c) in enumerate((e, c) for e in "EF" for c in "ABC")]
    return pl.DataFrame(
        {
            "entity_id": [e for e, _, _ in asked],
            "customer_id": [c for _, c, _ in asked],
            "currency": [("EUR", "USD")[n % 2] for *_, n in asked],
            "amount_minor": [100 + n for *_, n in asked],
            "issue_date": cutoff.date() - timedelta(days=3),
            "due_date": cutoff.date() + timedelta(days=5),
            "cutoff_day": cutoff.date(),
            "cutoff": cutoff,
        },
        schema_overrides={"cutoff": pl.Datetime("ms", "UTC")},
    )


def told(facts: Facts, cutoff: datetime) -> pl.DataFrame:
    """All features of everyone, and what was open, as known at the cutoff; Float64 as bits, so that -0.0 is not 0.0."""
    book = Book(facts, DECLARED)
    asked = pl.concat([strangers(cutoff), book.open_receivables(cutoff)], how="diagonal")
    bits = pl.col(NAMES).reinterpret(signed=True)
    return book.features(asked).with_columns(bits)


def same(left: pl.DataFrame, right: pl.DataFrame) -> None:
    differing = [c for c in left.columns if not left[c].equals(right[c])]
    assert not differing, f"{differing} differ:\n{left.select(differing)}\n{right.select(differing)}"


# --- the same bits ------------------------------------------------------------------------------------------------


@given(moment=moments())
@several(30)
def test_a_replay_of_a_day_gives_the_bits_of_that_day(
    drawn_facts: Draw, instant: Callable[[str], datetime], moment: tuple[Tables, str]
) -> None:
    history, cutoff = moment
    facts, now = drawn_facts(entity=TWO_ENTITIES, **history), instant(cutoff)
    same(told(facts, now), told(facts.before(now), now))


@given(moment=moments(), later=HISTORIES)
@several(20)
def test_nothing_learnt_at_or_after_the_cutoff_changes_a_bit(
    drawn_facts: Draw, instant: Callable[[str], datetime], moment: tuple[Tables, str], later: Tables
) -> None:
    history, cutoff = moment
    now = instant(cutoff)
    facts, news = drawn_facts(entity=TWO_ENTITIES, **history), drawn_facts(**later)
    grown = {
        name: pl.concat([rows, news.tables[name].filter((pl.col("known_at") >= now) & (name != "entity"))])
        for name, rows in facts.tables.items()
    }
    same(told(facts, now), told(Facts.of(grown), now))


@given(moment=moments(), random=st.randoms(use_true_random=False))
@several(20)
def test_the_order_of_rows_means_nothing(
    drawn_facts: Draw, instant: Callable[[str], datetime], moment: tuple[Tables, str], random: Random
) -> None:
    history, cutoff = moment
    facts, now = drawn_facts(entity=TWO_ENTITIES, **history), instant(cutoff)
    shuffled = Facts.of(
        {
            name: rows[random.sample(range(len(rows)), len(rows))] if len(rows) else rows
            for name, rows in facts.tables.items()
        }
    )
    same(told(facts, now), told(shuffled, now))
    left, right = Book(facts, DECLARED), Book(shuffled, DECLARED)
    assert left.states.equals(right.states)
    assert left.at_issue(date.min, date.max).equals(right.at_issue(date.min, date.max))


# --- cash ---------------------------------------------------------------------------------------------------------


def known(facts: Facts, declared: Table, now: datetime) -> list[Row]:
    """What stood at `now`, found by looking through every version of every fact."""
    latest: dict[tuple[object, ...], Row] = {}
    for row in sorted(facts.tables[declared.name].iter_rows(named=True), key=lambda row: row["known_at"]):
        if row["known_at"] < now:
            latest[tuple(row[c] for c in declared.key)] = row
    return [row for row in latest.values() if not row["deleted"]]


def settled_on(amount: int, parts: list[Row]) -> date | None:
    """The first day from whose end on the parts have always reached the amount."""
    days = sorted({part["date"] for part in parts})
    reached = [sum(p["amount_minor"] for p in parts if p["date"] <= day) * sign(amount) >= abs(amount) for day in days]
    since = [day for n, day in enumerate(days) if all(reached[n:])]
    return since[0] if since else None


def sign(amount: int) -> int:
    return (amount > 0) - (amount < 0)


def receivables(facts: Facts, now: datetime) -> list[Row]:
    """Every receivable known at `now` with what is open, when it was settled and whether by credit: by hand."""
    active = known(facts, table_of("allocation"), now)
    found = []
    for invoice in known(facts, INVOICE, now):
        for part in invoice["instalments"]:
            key = (invoice["entity_id"], invoice["invoice_id"], part["number"])
            settles = (*key, invoice["currency"])
            parts = [a for a in active if tuple(a[c] for c in SETTLES) == settles]
            amount, paid = part["amount_minor"], settled_on(part["amount_minor"], parts)
            credited = sum(a["amount_minor"] for a in parts if a["kind"] != "payment" and paid and a["date"] <= paid)
            found.append(
                dict(zip(RECEIVABLE, key, strict=True))
                | {
                    "currency": invoice["currency"],
                    "due_date": part["due_date"],
                    "amount_minor": amount,
                    "open_minor": amount - sum(a["amount_minor"] for a in parts),
                    "paid_date": paid,
                    "cancelled": paid is not None and 2 * credited * sign(amount) >= abs(amount),
                }
            )
    return sorted(found, key=lambda row: [row[c] for c in RECEIVABLE])


def table_of(name: str) -> Table:
    return next(t for t in TABLES if t.name == name)


@given(moment=moments())
@example(
    moment=(
        {
            "invoice": "known_at | owed\n 1 | 10:100 20:-30",
            "allocation": "instalment | date | amount_minor\n 1 | 8 | 130\n 1 | 9 | -20\n 2 | 9 | -30",
        },
        "12",
    )
)
@several(60)
def test_the_books_say_at_every_instant_what_a_clerk_would_find_by_hand(
    drawn_facts: Draw, instant: Callable[[str], datetime], moment: tuple[Tables, str]
) -> None:
    history, cutoff = moment
    facts, now = drawn_facts(entity=TWO_ENTITIES, **history), instant(cutoff)
    by_hand = receivables(facts, now)
    booked = standing(Book(facts).states, now).sort(RECEIVABLE)
    assert booked.select(by_hand[0].keys() if by_hand else RECEIVABLE).to_dicts() == by_hand


@given(moment=moments())
@several(60)
def test_open_and_settled_make_up_what_was_invoiced(
    drawn_facts: Draw, instant: Callable[[str], datetime], moment: tuple[Tables, str]
) -> None:
    """To the cent, per entity and currency. What is settled beyond an amount is open with the other sign."""
    history, cutoff = moment
    facts, now = drawn_facts(entity=TWO_ENTITIES, **history), instant(cutoff)
    invoices = {(i["entity_id"], i["invoice_id"]): i for i in known(facts, INVOICE, now)}
    invoiced, settled = {}, {}
    for invoice in invoices.values():
        books = invoice["entity_id"], invoice["currency"]
        invoiced[books] = invoiced.get(books, 0) + invoice["amount_minor"]
    for part in known(facts, table_of("allocation"), now):
        invoice = invoices.get((part["entity_id"], part["invoice_id"]))
        books = part["entity_id"], part["currency"]
        if invoice and invoice["currency"] == part["currency"] and part["instalment"] <= len(invoice["instalments"]):
            settled[books] = settled.get(books, 0) + part["amount_minor"]
    booked = standing(Book(facts).states, now).group_by("entity_id", "currency").agg(pl.col("open_minor").sum())
    still_open = {(entity, currency): minor for entity, currency, minor in booked.iter_rows()}
    assert {b: still_open[b] + settled.get(b, 0) for b in still_open} == invoiced


@given(moment=moments())
@several(40)
def test_what_is_overdue_sums_to_the_ledger_in_every_bucket(
    drawn_facts: Draw, instant: Callable[[str], datetime], moment: tuple[Tables, str]
) -> None:
    history, cutoff = moment
    in_euro = {name: text.replace("USD", "EUR") for name, text in history.items() if name in ("invoice", "allocation")}
    facts, now = drawn_facts(**in_euro), instant(cutoff)
    book = Book(facts)
    ledger = pl.DataFrame(receivables(facts, now), schema_overrides={"due_date": pl.Date}, infer_schema_length=None)
    frames = event_frames(facts, book.states, book.masters)
    for days in (None, *OVERDUE_DAYS):
        visible = standing(frames["open" if days is None else f"overdue_{days}"], now)
        expected = [
            row["open_minor"]
            for row in ledger.iter_rows(named=True)
            if row["open_minor"] > 0 and (days is None or (now.date() - row["due_date"]).days > days)
        ]
        assert sorted(visible["open_cents"].to_list()) == sorted(expected), days
