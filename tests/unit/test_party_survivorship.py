from datetime import UTC, datetime
from typing import Any

import pytest

from features.errors import BadInput, BadSetting
from pipelines.parties.golden import golden, party_id
from pipelines.parties.records import PartyRecord
from pipelines.parties.survivorship import Survivorship, golden_values


def record(system: str, day: int = 1, name: str = "Acme", **told: Any) -> PartyRecord:
    stamp = datetime(2024, 1, day, tzinfo=UTC)
    return PartyRecord(system=system, record_id="1", role="customer", name=name, updated_at=stamp, **told)


def survivor(rules: tuple[Any, ...], *records: PartyRecord, field: str = "city") -> tuple[str, str, str]:
    value = Survivorship(sources=("erp", "crm"), rules={field: rules}).values(records)[field]
    return value.value, value.ref.split(":")[2], value.why


RECORDS = (record("bank", 9, city="Ulm"), record("crm", 5, city="Ulm"), record("erp", 1, city="Bad Homburg"))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("source_priority", ("Bad Homburg", "erp", "source priority")),
        ("most_recent", ("Ulm", "bank", "most recent")),
        ("most_complete", ("Bad Homburg", "erp", "most complete")),
        ("most_frequent", ("Ulm", "bank", "most frequent")),
    ],
)
def test_each_rule(rule: str, expected: tuple[str, str, str]) -> None:
    assert survivor((rule,), *RECORDS) == expected
    assert survivor((rule,), *reversed(RECORDS)) == expected


def test_the_next_rule_settles_what_the_first_leaves_open() -> None:
    records = (record("x", 1, city="Ulm"), record("y", 2, city="Bonn"))
    assert survivor(("source_priority", "most_recent"), *records) == ("Bonn", "y", "most recent")
    assert survivor(("source_priority",), *records) == ("Ulm", "x", "the first by record id")


def test_an_empty_field_never_wins_and_an_unfilled_one_is_left_out() -> None:
    values = Survivorship(sources=("erp", "crm")).values([record("erp", 9), record("crm", 1, vat_id="DE1")])
    assert (values["vat_id"].value, values["vat_id"].why, values["vat_id"].others) == ("DE1", "the only value", ())
    assert "city" not in values


def test_the_values_that_lost_are_told() -> None:
    assert Survivorship().values(RECORDS)["city"].others == ("Bad Homburg",)


def test_every_party_gets_its_values() -> None:
    records = {r.ref: r for r in (record("erp", name="Acme"), record("crm", name="Globex"))}
    values = golden_values(golden(records, []), records, Survivorship())
    assert {values[party_id(ref)]["name"].value for ref in records} == {"Acme", "Globex"}


def test_what_cannot_be_declared_is_refused() -> None:
    with pytest.raises(BadSetting, match="fields are name"):
        Survivorship(rules={"colour": ("most_recent",)})
    with pytest.raises(BadSetting, match="no rule 'best'"):
        Survivorship(rules={"city": ("best",)})  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="at least one record"):
        Survivorship().values([])
