"""Mappings: what is accepted, and for each mistake a message with file, key, what is allowed and the nearest match."""

from pathlib import Path

import pytest

from features.errors import BadSetting, NotFound
from features.tables import TABLES
from pipelines.fields import MINOR, OBVIOUS, fields_of
from pipelines.mapping import load, parse, shipped_names
from pipelines.mapping_keys import From, Mapping, Rest

SOUND = """\
source: my-erp
entities:
  ACME: {name: Acme, country: GB, currency: GBP, time_zone: Europe/London}
files:
  - path: invoices.csv
    tables:
      - table: invoice
        fields:
          invoice_id: Invoice
          customer_id: Customer
          issue_date: Issued
          due_date: Due
          amount: Amount
"""


def complaint(text: str) -> str:
    with pytest.raises(BadSetting) as caught:
        parse(text, "my.yaml")
    return str(caught.value)


def changed(old: str, new: str) -> str:
    assert SOUND.count(old) == 1
    return SOUND.replace(old, new)


def test_a_sound_mapping_is_what_it_says() -> None:
    mapping = parse(SOUND, "my.yaml")
    assert mapping.source == "my-erp"
    assert mapping.entities["ACME"].currency == "GBP"
    assert mapping.files[0].tables[0].fields["amount"] == "Amount"
    assert mapping.files[0].separator == ","


@pytest.mark.parametrize("name", shipped_names())
def test_the_shipped_mappings_are_sound(name: str) -> None:
    assert isinstance(load(name), Mapping)


def test_a_mapping_is_loaded_by_name_or_path(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(SOUND, "utf-8")
    assert load(path).source == load(str(path)).source == "my-erp"
    assert load("ibm-ar").source == "ibm-ar"


def test_an_unknown_mapping_lists_the_shipped_ones() -> None:
    with pytest.raises(NotFound, match=r"no mapping 'ibm_ar'.*generic, highradius, ibm-ar, sandbox.*mean 'ibm-ar'"):
        load("ibm_ar")


def test_text_stays_text() -> None:
    """YAML would read NO as false, 0012 as ten and 2024-01-01 as a date."""
    text = changed("ACME: {name: Acme, country: GB", "0012: {name: 2024-01-01, country: NO")
    mapping = parse(text, "my.yaml")
    assert mapping.entities["0012"].country == "NO"
    assert mapping.entities["0012"].name == "2024-01-01"


def test_numbers_and_flags_are_read_where_they_are_asked_for() -> None:
    mapping = parse(changed("    tables:", "    header_row: 3\n    optional: true\n    tables:"), "my.yaml")
    assert (mapping.files[0].header_row, mapping.files[0].optional) == (3, True)


def test_one_condition_or_date_format_needs_no_list() -> None:
    text = changed("        fields:", "        when: {column: Kind, equals: R}\n        fields:")
    assert parse(text, "my.yaml").files[0].tables[0].when


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("source: my-erp\n", "", "my.yaml line 1: missing key 'source'"),
        ("source: my-erp", "source: ''", "source is empty"),
        ("source: my-erp", "source: [a]", "line 1: source is a list; allowed: text"),
        ("source: my-erp", "source:", "line 1: source is empty; allowed: text"),
        ("source: my-erp", "source: my-erp\nsource: other", "key 'source' is given twice"),
        (
            "source: my-erp",
            "sauce: my-erp",
            "unknown key 'sauce'; allowed: source, entities, entity, files, rest; did you",
        ),
        ("source: my-erp", "source: 'my-erp", "not valid YAML"),
        ("currency: GBP", "currency: POUND", "entities.ACME: unknown currency 'POUND'"),
        ("Europe/London", "Europe/Londn", "entities.ACME: unknown time zone 'Europe/Londn'"),
        ("country: GB", "country: UK1", "entities.ACME.country 'UK1'; allowed: two capital letters"),
        ("entities:", "entitys:", "unknown key 'entitys'"),
        ("path: invoices.csv", "path: /etc/invoices.csv", "files[0].path '/etc/invoices.csv'; allowed: a path inside"),
        ("path: invoices.csv", "path: ../invoices.csv", "files[0].path '../invoices.csv'; allowed: a path inside"),
        ("path: invoices.csv", "path: invoices.dat", "has no known suffix; allowed: a suffix of .csv"),
        ("path: invoices.csv", "pth: invoices.csv", "line 5: unknown key 'files[0].pth'"),
        ("    tables:", "    separator: ab\n    tables:", "files[0].separator 'ab'; allowed: one character"),
        ("    tables:", "    encoding: utf9\n    tables:", "files[0].encoding is 'utf9'; allowed: a text encoding"),
        ("    tables:", "    header_row: x\n    tables:", "files[0].header_row is 'x'; allowed: a whole number"),
        ("    tables:", "    header_row: 0\n    tables:", "header_row is '0'; allowed: a whole number from 1"),
        (
            "    tables:",
            "    tables: []\n  - path: b.csv\n    tables:",
            "files[0].tables is an empty list; allowed: a list of",
        ),
        ("    tables:", "    decimal: ';'\n    tables:", "files[0].decimal is ';'; allowed: '.' or ','"),
        ("    tables:", "    thousands: .\n    tables:", "files[0].thousands is '.'; allowed: one of"),
        ("    tables:", "    optional: maybe\n    tables:", "optional is 'maybe'; allowed: true or false"),
        (
            "    tables:",
            "    dates: DD.MM.YYYY\n    tables:",
            "dates is 'DD.MM.YYYY'; allowed: a format such as %Y-%m-%d",
        ),
        (
            "    tables:",
            "    dates: ['%d/%m/%Y', '%m/%d/%Y']\n    tables:",
            "which read the same text as different days; allowed: one of them",
        ),
        (
            "    tables:",
            "    entity: {constant: ACNE}\n    tables:",
            "is 'ACNE'; allowed: one of ACME; did you mean 'ACME'",
        ),
        ("    tables:", "    entity: {colum: X}\n    tables:", "unknown key 'files[0].entity.colum'"),
        ("table: invoice", "table: invoices", "tables[0].table is 'invoices'; allowed: one of allocation,"),
        ("table: invoice", "table: entity", "tables[0].table is 'entity'; allowed: another table"),
        ("amount: Amount", "amout: Amount", "fields has unknown 'amout'; allowed: invoice_id"),
        ("amount: Amount", "amout: Amount", "did you mean 'amount'?"),
        ("          amount: Amount\n", "", "fields lacks amount; allowed: invoice needs these fields"),
        ("          due_date: Due\n", "", "fields lacks due_date or terms_days"),
        (
            "amount: Amount",
            "amount: {colum: Amount}",
            "unknown key 'files[0].tables[0].fields.amount.colum'; allowed: column",
        ),
        ("amount: Amount", "amount: {}", "fields.amount has none of them; allowed: exactly one of column, constant"),
        ("amount: Amount", "amount: {column: A, constant: '1'}", "has column and constant; allowed: exactly one"),
        (
            "amount: Amount",
            "amount: {constant: '1', fallback: B}",
            "fallback given; allowed: only beside column or template",
        ),
        ("amount: Amount", "amount: {column: A, parser: amunt}", "parser is 'amunt'; allowed: one of amount"),
        ("amount: Amount", "amount: {column: A, parser: amunt}", "did you mean 'amount'?"),
        ("amount: Amount", "amount: {column: A, parser: date}", "parser is 'date'; allowed: amount for amount"),
        (
            "amount: Amount",
            "amount: {column: A, zfill: 3}",
            "has zfill; allowed: with parser amount: decimal, thousands",
        ),
        ("amount: Amount", "amount: {column: A, thousands: '.'}", "thousands is '.'; allowed"),
        ("amount: Amount", "amount: [A]", "fields.amount is a list; allowed: text or keys column"),
        ("due_date: Due", "due_date: {column: Due, formats: later}", "formats is 'later'; allowed: a format"),
        ("invoice_id: Invoice", "invoice_id: {template: x}", "template is 'x'; allowed: text with {column} in it"),
        ("invoice_id: Invoice", "invoice_id: {template: '{a'}", "allowed: text with {column} in it"),
        (
            "invoice_id: Invoice",
            "invoice_id: {column: A, extract: '('}",
            "extract is '('; allowed: a regular expression",
        ),
        ("invoice_id: Invoice", "invoice_id: {column: A, extract: A}", "allowed: a regular expression with a group"),
        ("        fields:", "        when: {column: A}\n        fields:", "when[0] has no condition; allowed: present"),
        (
            "        fields:",
            "        when: {column: A, matches: '['}\n        fields:",
            "matches is '['; allowed: a regular",
        ),
        (
            "        fields:",
            "        known_at: later\n        fields:",
            "known_at is 'later'; allowed: keys start_of, instant or one",
        ),
        (
            "        fields:",
            "        known_at: {}\n        fields:",
            "known_at has neither; allowed: start_of or instant",
        ),
        ("        fields:", "        repeats: last\n        fields:", "repeats is 'last'; allowed: conflict"),
        (
            "        fields:",
            "        attributes: {a: A}\n        fields:",
            "attributes given; allowed: only for table customer_",
        ),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(old: str, new: str, said: str) -> None:
    found = complaint(changed(old, new))
    assert said in found
    assert found.startswith("my.yaml")


def test_an_empty_mapping_says_what_belongs_in() -> None:
    assert "is empty; allowed: keys source" in complaint("")
    assert "the document is a list; allowed: keys source" in complaint("- a")
    assert "files is missing; allowed: at least one file, or `rest`" in complaint("source: a")


def test_files_need_an_entity() -> None:
    without = SOUND.replace(SOUND.splitlines(keepends=True)[1], "").replace(SOUND.splitlines(keepends=True)[2], "")
    assert "entities is missing; allowed: at least one legal entity" in complaint(without)
    two = changed("files:", "  OTHER: {name: O, currency: EUR, time_zone: UTC}\nfiles:")
    assert "files[0].entity 2 entities and none named; allowed: `entity` with a column or a constant" in complaint(two)
    named = two.replace("files:", "entity: {column: Company}\nfiles:")
    assert parse(named, "my.yaml").entity == From(column="Company")


def test_attributes_are_checked() -> None:
    attribute = """\
      - table: customer_attribute
        fields: {customer_id: Customer, day: Day}
        attributes: {Monthly Revenue: Revenue}
"""
    assert "'Monthly Revenue' is no attribute name" in complaint(SOUND + attribute).replace(
        "attributes.Monthly Revenue", "'Monthly Revenue'"
    )
    doubled = attribute.replace("Monthly Revenue", "revenue").replace("day: Day", "day: Day, value: V")
    assert "attributes given; allowed: without fields value" in complaint(SOUND + doubled)


def test_an_api_needs_no_more_than_its_name() -> None:
    assert parse("source: erp\nrest: {}", "my.yaml").rest == Rest()


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("{path: /v1/invoices}", "rest.path is '/v1/invoices'; allowed: a path with {table} in it"),
        ("{page_size: 5000}", "rest.page_size is '5000'; allowed: a whole number from 1 to 1000"),
        ("{tables: [invoice, invoise]}", "rest.tables[1] is 'invoise'; allowed: one of allocation"),
        ("{fields: {invoise: {}}}", "rest.fields has unknown 'invoise'"),
        ("{fields: {customer: {segmant: industry}}}", "rest.fields.customer has unknown 'segmant'"),
        ("{fields: {customer: {segment: {parser: date, column: a}}}}", "rest.fields.customer.segment.parser is 'date'"),
    ],
)
def test_mistakes_about_an_api_are_named(rest: str, said: str) -> None:
    assert said in complaint(f"source: erp\nrest: {rest}")


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_every_column_of_a_table_can_be_filled(table) -> None:
    filled = {field.column for field in fields_of(table.name).values() if field.column is not None}
    assert filled == {c.name for c in table.own_columns if c.name != "entity_id"}
    assert not any(name.endswith(MINOR) for name in fields_of(table.name))
    assert set(OBVIOUS.get(table.name, {})) <= set(fields_of(table.name))
