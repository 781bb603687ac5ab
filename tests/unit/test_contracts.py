"""What is refused, in which words, and that the rest of the batch passes untouched."""

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest

from features import tables
from features.contracts import PROVENANCE, QUARANTINE_SCHEMA, Checked, check, digest, require_schema
from features.tables import Kind, Table

KNOWN = datetime(2024, 3, 1, tzinfo=UTC)
SYSTEM = {"entity_id": "US01", "source": "erp", "known_at": KNOWN, "digest": "d0", "deleted": False}
INSTALMENT = {"number": 1, "due_date": date(2024, 3, 31), "amount_minor": 10_000}
GOOD: dict[str, dict[str, object]] = {
    "entity": {"name": "Acme Inc.", "currency": "USD", "time_zone": "America/New_York"},
    "customer": {"customer_id": "C1", "terms_days": 30},
    "customer_attribute": {
        "attribute_id": "C1:revenue:2024-03-01",
        "customer_id": "C1",
        "name": "revenue",
        "day": date(2024, 3, 1),
        "value": 1.5,
    },
    "invoice": {
        "invoice_id": "I1",
        "customer_id": "C1",
        "issue_date": date(2024, 3, 1),
        "currency": "USD",
        "amount_minor": 10_000,
        "instalments": [INSTALMENT],
    },
    "credit_note": {
        "credit_note_id": "N1",
        "customer_id": "C1",
        "issue_date": date(2024, 3, 1),
        "currency": "USD",
        "amount_minor": -500,
    },
    "payment": {"payment_id": "P1", "value_date": date(2024, 3, 1), "currency": "USD", "amount_minor": -500},
    "allocation": {
        "allocation_id": "A1",
        "kind": "payment",
        "from_id": "P1",
        "invoice_id": "I1",
        "instalment": 1,
        "date": date(2024, 3, 1),
        "currency": "USD",
        "amount_minor": 10_000,
    },
    "order": {
        "order_id": "O1",
        "customer_id": "C1",
        "order_date": date(2024, 3, 1),
        "currency": "USD",
        "amount_minor": 10_000,
        "status": "open",
    },
    "dispute": {
        "dispute_id": "D1",
        "customer_id": "C1",
        "opened_on": date(2024, 3, 1),
        "currency": "USD",
        "status": "open",
    },
    "promise": {
        "promise_id": "Y1",
        "customer_id": "C1",
        "made_on": date(2024, 3, 1),
        "promised_for": date(2024, 3, 8),
        "currency": "USD",
        "amount_minor": 10_000,
    },
    "contact": {"contact_id": "K1", "customer_id": "C1", "day": date(2024, 3, 1), "made": True},
    "bank_statement": {
        "statement_id": "S1",
        "account_id": "DE02",
        "from_day": date(2024, 3, 1),
        "to_day": date(2024, 3, 1),
        "currency": "USD",
        "entries": 0,
    },
    "bank_entry": {
        "entry_id": "E1",
        "statement_id": "S1",
        "account_id": "DE02",
        "booking_date": date(2024, 3, 1),
        "value_date": date(2024, 3, 1),
        "currency": "USD",
        "amount_minor": -500,
        "returned": False,
    },
    "fx_rate": {
        "fx_rate_id": "USD:EUR:2024-03-01",
        "currency": "USD",
        "to_currency": "EUR",
        "day": date(2024, 3, 1),
        "rate": Decimal("0.925"),
    },
}


def rows(table: Table, *changes: dict[str, object]) -> pl.DataFrame:
    """The table's good row, once for each set of changed values; row i comes from `f.csv line i` (from 1)."""
    made = [
        SYSTEM | {"source_id": f"r{i}"} | GOOD[table.name] | {"_where": f"f.csv line {i}", "_payload": f'{{"n":{i}}}'}
        for i in range(1, len(changes) + 1)
    ]
    changed = [row | change for row, change in zip(made, changes, strict=True)]
    return pl.DataFrame(changed, schema=table.schema | PROVENANCE)


def said(checked: Checked) -> list[tuple[str, str, str | None, str]]:
    return checked.bad.select("where", "field", "value", "allowed").rows()


MANDATORY = [(t, c.name) for t in tables.TABLES for c in t.columns if not c.optional]
OPTIONAL = [
    (t, c.name)
    for t in tables.TABLES
    for c in t.columns
    if c.optional and (t.name, c.name) != ("allocation", "from_id")
]


def test_every_table_has_a_good_row() -> None:
    for table in tables.TABLES:
        given = rows(table, {})
        checked = check(table, given)
        assert checked.good.equals(given.select(*table.schema)), table.name
        assert dict(checked.good.schema) == table.schema
        assert (checked.bad.height, checked.quarantined) == (0, 0)
        assert dict(checked.bad.schema) == QUARANTINE_SCHEMA


@pytest.mark.parametrize(("table", "column"), MANDATORY, ids=[f"{t.name}.{c}" for t, c in MANDATORY])
def test_a_mandatory_value_may_not_be_missing(table: Table, column: str) -> None:
    checked = check(table, rows(table, {}, {column: None}))
    assert (checked.good.height, checked.quarantined) == (1, 1)
    assert ("f.csv line 2", column, None) in [violation[:3] for violation in said(checked)]


@pytest.mark.parametrize(("table", "column"), OPTIONAL, ids=[f"{t.name}.{c}" for t, c in OPTIONAL])
def test_an_optional_value_may_be_missing(table: Table, column: str) -> None:
    assert check(table, rows(table, {column: None})).good.height == 1


def test_a_missing_entity_says_what_to_do() -> None:
    ((_, field, value, allowed),) = said(check(tables.INVOICE, rows(tables.INVOICE, {"entity_id": None})))
    assert (field, value) == ("entity_id", None)
    assert "legal entity" in allowed
    assert "map a column to it" in allowed


def test_blank_text_is_missing_text() -> None:
    checked = check(tables.INVOICE, rows(tables.INVOICE, {"customer_id": "  "}))
    assert said(checked) == [("f.csv line 1", "customer_id", "  ", "text (who owes it)")]


BROKEN: list[tuple[Table, dict[str, object], str, str | None, str]] = [
    (tables.ENTITY, {"currency": "XXX"}, "currency", "XXX", Kind.CURRENCY.words),
    (tables.CUSTOMER, {"terms_days": -1}, "terms_days", "-1", "0 or more days"),
    (tables.CUSTOMER_ATTRIBUTE, {"name": "Revenue €"}, "name", "Revenue €", "lower_snake_case, 40 at most"),
    (tables.CUSTOMER_ATTRIBUTE, {"value": float("nan")}, "value", "NaN", "a finite number"),
    (tables.INVOICE, {"currency": "usd"}, "currency", "usd", Kind.CURRENCY.words),
    (tables.INVOICE, {"instalments": [], "amount_minor": 0}, "instalments", "[]", Kind.INSTALMENTS.words),
    (
        tables.INVOICE,
        {"instalments": [INSTALMENT | {"due_date": date(2024, 2, 29)}]},
        "instalments",
        '[{"number": 1, "due_date": "2024-02-29", "amount_minor": 10000}]',
        "due on or after issue_date (no negative terms)",
    ),
    (
        tables.INVOICE,
        {"amount_minor": 9_999},
        "instalments",
        '[{"number": 1, "due_date": "2024-03-31", "amount_minor": 10000}]',
        "amounts that sum to amount_minor",
    ),
    (
        tables.INVOICE,
        {"instalments": [INSTALMENT, INSTALMENT], "amount_minor": 20_000},
        "instalments",
        '[{"number": 1, "due_date": "2024-03-31", "amount_minor": 10000}, '
        '{"number": 1, "due_date": "2024-03-31", "amount_minor": 10000}]',
        "numbers 1, 2, 3 and so on, each once",
    ),
    (
        tables.INVOICE,
        {"instalments": [INSTALMENT | {"due_date": None}]},
        "instalments",
        '[{"number": 1, "due_date": null, "amount_minor": 10000}]',
        Kind.INSTALMENTS.words,
    ),
    (tables.CREDIT_NOTE, {"amount_minor": 1}, "amount_minor", "1", "a negative amount"),
    (tables.PAYMENT, {"currency": "ZZZ"}, "currency", "ZZZ", Kind.CURRENCY.words),
    (tables.ALLOCATION, {"kind": "gift"}, "kind", "gift", "one of payment, credit_note, write_off"),
    (tables.ALLOCATION, {"instalment": 0}, "instalment", "0", "1 or more"),
    (
        tables.ALLOCATION,
        {"from_id": None},
        "from_id",
        None,
        "the id of the payment or credit note (only a write-off has none)",
    ),
    (tables.ORDER, {"status": "lost"}, "status", "lost", "one of open, billed, cancelled"),
    (tables.DISPUTE, {"status": "shut"}, "status", "shut", "one of open, accepted, rejected, withdrawn"),
    (tables.DISPUTE, {"closed_on": date(2024, 2, 29)}, "closed_on", "2024-02-29", "on or after opened_on"),
    (tables.PROMISE, {"amount_minor": 0}, "amount_minor", "0", "a positive amount"),
    (tables.PROMISE, {"promised_for": date(2024, 2, 29)}, "promised_for", "2024-02-29", "on or after made_on"),
    (tables.CONTACT, {"channel": "fax"}, "channel", "fax", "one of call, email, letter, portal, visit"),
    (tables.CONTACT, {"chance": 1.0}, "chance", "1.0", "between 0 and 1, ends left out"),
    (tables.CONTACT, {"made": False}, "made", "false", "true where no draw decided (no chance)"),
    (tables.BANK_STATEMENT, {"to_day": date(2024, 2, 29)}, "to_day", "2024-02-29", "on or after from_day"),
    (tables.BANK_STATEMENT, {"entries": -1}, "entries", "-1", "0 or more"),
    (tables.FX_RATE, {"to_currency": "EURO"}, "to_currency", "EURO", Kind.CURRENCY.words),
    (tables.FX_RATE, {"rate": Decimal(0)}, "rate", "0.000000000", Kind.RATE.words),
]


@pytest.mark.parametrize(
    ("table", "change", "field", "value", "allowed"), BROKEN, ids=[f"{b[0].name}.{b[2]}: {b[4]}" for b in BROKEN]
)
def test_a_broken_rule_is_named(
    table: Table, change: dict[str, object], field: str, value: str | None, allowed: str
) -> None:
    given = rows(table, {}, change, {})
    checked = check(table, given)
    assert said(checked) == [("f.csv line 2", field, value, allowed)]
    assert checked.bad["payload"].to_list() == ['{"n":2}']
    assert checked.good.equals(given.select(*table.schema)[[0, 2]])


def test_every_rule_of_every_table_is_broken_above() -> None:
    declared = {(t.name, rule.column, rule.allowed) for t in tables.TABLES for rule in t.rules}
    shown = {(table.name, field, allowed) for table, _, field, _, allowed in BROKEN}
    currencies = {d for d in declared if d[2] == Kind.CURRENCY.words}  # one rule, declared for many columns
    assert declared - currencies <= shown


def test_a_row_may_break_several_rules_and_is_counted_once() -> None:
    checked = check(tables.INVOICE, rows(tables.INVOICE, {"currency": "XXX", "customer_id": None, "amount_minor": 7}))
    assert {violation[1] for violation in said(checked)} == {"currency", "customer_id", "instalments"}
    assert (checked.good.height, checked.quarantined) == (0, 1)


def test_violations_follow_the_order_of_the_rows() -> None:
    changes = [{"currency": "XXX"}, {"customer_id": None}, {"currency": "YYY"}]
    assert [v[0] for v in said(check(tables.INVOICE, rows(tables.INVOICE, *changes)))] == [
        f"f.csv line {n}" for n in (1, 2, 3)
    ]


def test_a_record_taken_back_needs_only_its_key_and_system_columns() -> None:
    bare = dict.fromkeys(GOOD["invoice"]) | {"invoice_id": "I9", "deleted": True}
    checked = check(tables.INVOICE, rows(tables.INVOICE, bare, bare | {"source": None, "invoice_id": None}))
    assert [v[:2] for v in said(checked)] == [("f.csv line 2", "source"), ("f.csv line 2", "invoice_id")]
    assert checked.good["invoice_id"].to_list() == ["I9"]


def test_a_record_taken_back_is_not_judged_by_its_content() -> None:
    checked = check(tables.INVOICE, rows(tables.INVOICE, {"deleted": True, "currency": "XXX", "amount_minor": 1}))
    assert (checked.good.height, checked.bad.height) == (1, 0)


LATER = datetime(2024, 3, 2, tzinfo=UTC)


def test_equal_repetitions_pass() -> None:
    checked = check(tables.PAYMENT, rows(tables.PAYMENT, {}, {}), unique_ids=True)
    assert (checked.good.height, checked.quarantined) == (2, 0)


def test_two_contents_of_one_instant_are_both_bad() -> None:
    given = rows(tables.PAYMENT, {}, {"digest": "d1"}, {"payment_id": "P2"}, {"known_at": LATER, "digest": "d2"})
    checked = check(tables.PAYMENT, given)
    allowed = "one content per payment_id and known_at"
    assert said(checked) == [
        ("f.csv line 1", "payment_id", "P1 (with other content at f.csv line 2)", allowed),
        ("f.csv line 2", "payment_id", "P1 (with other content at f.csv line 1)", allowed),
    ]
    assert checked.good["digest"].to_list() == ["d0", "d2"]


def test_a_file_of_unique_ids_allows_one_content_at_all() -> None:
    changes = [{}, {"known_at": LATER, "digest": "d2"}, {"entity_id": "DE01", "digest": "d3"}]
    checked = check(tables.PAYMENT, rows(tables.PAYMENT, *changes), unique_ids=True)
    assert [v[0] for v in said(checked)] == ["f.csv line 1", "f.csv line 2"]
    assert {v[3] for v in said(checked)} == {"one content per payment_id"}
    assert checked.good["entity_id"].to_list() == ["DE01"]


def test_a_violation_says_which_row_it_is_about_where_two_have_the_same_place() -> None:
    places = [{"_where": "f.csv line 1", "entity_id": entity} for entity in ("US01", "DE01")]
    checked = check(tables.CREDIT_NOTE, rows(tables.CREDIT_NOTE, *(places[0], places[1] | {"amount_minor": 5})))
    assert (checked.bad["where"].to_list(), checked.at.to_list()) == (["f.csv line 1"], [1])


def test_a_conflict_names_a_few_places_only() -> None:
    changes = [{"digest": f"d{i}"} for i in range(50)]
    first = said(check(tables.PAYMENT, rows(tables.PAYMENT, *changes)))[0]
    assert first[2] == "P1 (with other content at f.csv line 2, f.csv line 3, f.csv line 4)"


def test_an_entity_may_not_contradict_itself_either() -> None:
    checked = check(tables.ENTITY, rows(tables.ENTITY, {}, {"digest": "d1"}), unique_ids=True)
    assert [v[1] for v in said(checked)] == ["entity_id", "entity_id"]
    assert said(checked)[0][3] == "one content per entity_id"


def test_no_rows_are_no_trouble() -> None:
    checked = check(tables.INVOICE, rows(tables.INVOICE))
    assert (checked.good.height, checked.bad.height, checked.quarantined) == (0, 0, 0)


def test_columns_in_another_order_come_out_as_declared() -> None:
    given = rows(tables.PAYMENT, {})
    checked = check(tables.PAYMENT, given.select(*reversed(given.columns)))
    assert checked.good.columns == list(tables.PAYMENT.schema)


def test_the_wrong_columns_are_a_mistake_of_ours_and_all_named() -> None:
    given = (
        rows(tables.PAYMENT, {})
        .drop("source")
        .with_columns(pl.lit(1).alias("extra"), pl.col("amount_minor").cast(pl.Int32))
    )
    with pytest.raises(TypeError, match="payment rows do not") as caught:
        check(tables.PAYMENT, given)
    for part in ("source is missing", "extra is unexpected", "amount_minor is Int32 instead of Int64"):
        assert part in str(caught.value)


def test_another_time_unit_is_another_type() -> None:
    given = pl.DataFrame({"known_at": [KNOWN]}, schema={"known_at": pl.Datetime("us", "UTC")})
    with pytest.raises(TypeError, match=r"time_unit='us'.* instead of .*'ms'"):
        require_schema(given, {"known_at": tables.INSTANT}, "rows")


def test_a_digest_is_the_sha256_of_the_utf8_text() -> None:
    assert digest(pl.Series(['{"name":"Müller"}', None])).to_list() == [
        "5e92260d138e28f7118a40c3c44be922d4569a39f9f1de676ca334cf19c3a37c",
        None,
    ]
