"""Versions of facts: which stood when."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from features.errors import BadInput
from features.facts import Facts, standing, with_version
from features.lake import Lake
from features.tables import CUSTOMER, INSTANT

Draw = Callable[..., Facts]
Instant = Callable[[str], datetime]

VERSIONS = """
customer_id | known_at | deleted | segment
A           | 3        | no      | retail
A           | 5        | no      | wholesale
A           | 8        | yes     | wholesale
A           | 9        | no      | online
B           | 5        | no      | retail
"""


def segments(rows: pl.DataFrame) -> dict[str, str | None]:
    return dict(rows.select("customer_id", "segment").iter_rows())


def test_each_version_stands_until_the_next_or_until_it_is_taken_back(drawn_facts: Draw, instant: Instant) -> None:
    spans = drawn_facts(customer=VERSIONS).spans("customer").sort("customer_id", "known_from")
    assert spans.select("customer_id", "segment", "known_from", "known_to").rows() == [
        ("A", "retail", instant("3"), instant("5")),
        ("A", "wholesale", instant("5"), instant("8")),
        ("A", "online", instant("9"), None),
        ("B", "retail", instant("5"), None),
    ]
    assert "digest" not in spans.columns


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ("3", {}),
        ("3+", {"A": "retail"}),
        ("5", {"A": "retail"}),
        ("5+", {"A": "wholesale", "B": "retail"}),
        ("8", {"A": "wholesale", "B": "retail"}),
        ("8+", {"B": "retail"}),
        ("9+", {"A": "online", "B": "retail"}),
    ],
)
def test_what_stood_is_what_was_known_before(
    drawn_facts: Draw, instant: Instant, as_of: str, expected: dict[str, str]
) -> None:
    facts = drawn_facts(customer=VERSIONS)
    assert segments(standing(facts.spans("customer"), instant(as_of))) == expected
    assert segments(facts.before(instant(as_of)).latest("customer")) == expected


def test_facts_and_the_lake_agree_on_what_stood(tmp_path: Path, drawn_facts: Draw, instant: Instant) -> None:
    told = drawn_facts(customer=VERSIONS).tables["customer"]
    # three more, told one after the other, all of the same instant: the last to land stands
    rivals = [drawn_facts(customer=f"known_at | segment | customer_id\n 9 | {s} | B") for s in ("x", "a", "m")]
    lake = Lake(tmp_path / "lake")
    for rows in (told, *(facts.tables["customer"] for facts in rivals)):
        lake.append(CUSTOMER, rows)
    facts = Facts.read(lake)
    for as_of in ("3", "5+", "8+", "9", "9+"):
        known = segments(lake.known(CUSTOMER, instant(as_of)).collect())
        assert segments(standing(facts.spans("customer"), instant(as_of))) == known
        assert segments(Facts.read(lake, before=instant(as_of)).latest("customer")) == known
    assert segments(facts.latest("customer")) == {"A": "online", "B": "m"}


def test_of_versions_learnt_in_one_instant_the_last_row_stands_however_many_there_are(drawn_facts: Draw) -> None:
    one = drawn_facts(customer="known_at\n 3").tables["customer"]
    many = pl.DataFrame({"customer_id": [f"C{n % 5000:04}" for n in range(20_000)], "segment": range(20_000)})
    rows = one.drop("customer_id", "segment").join(many.cast(pl.String), how="cross").select(one.columns)
    latest = Facts.of({"customer": rows}).latest("customer").sort("customer_id")
    assert latest["segment"].cast(pl.Int64).to_list() == list(range(15_000, 20_000))


def test_entities_stay_when_the_rest_is_withheld(drawn_facts: Draw, instant: Instant) -> None:
    facts = drawn_facts(entity="known_at | time_zone\n 20 | UTC", customer=VERSIONS)
    early = facts.before(instant("4"))
    assert len(early.tables["entity"]) == 1
    assert len(early.tables["customer"]) == 1


def test_an_instant_without_a_zone_is_refused(drawn_facts: Draw) -> None:
    facts = drawn_facts(customer=VERSIONS)
    with pytest.raises(BadInput, match="has no time zone"):
        facts.before(datetime(2024, 1, 5))  # noqa: DTZ001 - that it lacks one is the point
    with pytest.raises(BadInput, match="has no time zone"):
        standing(facts.spans("customer"), datetime(2024, 1, 5))  # noqa: DTZ001


@pytest.mark.parametrize(("strictly", "expected"), [(False, "retail"), (True, None)])
def test_a_version_of_that_very_instant_counts_unless_strictly_before(
    drawn_facts: Draw, strictly: bool, expected: str | None
) -> None:
    versions = (
        drawn_facts(customer=VERSIONS).spans("customer").select("customer_id", "segment", "known_from", "known_to")
    )
    rows = pl.DataFrame(
        {"customer_id": ["A", "C"], "t": [datetime(2024, 1, 3, tzinfo=UTC)] * 2}, schema_overrides={"t": INSTANT}
    )
    found = with_version(rows, versions, by=["customer_id"], at="t", strictly=strictly)
    assert found.columns == ["customer_id", "t", "segment"]
    assert segments(found) == {"A": expected, "C": None}
