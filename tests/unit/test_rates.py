"""Foreign money in the entity's own: which rate counted when."""

from collections.abc import Callable
from datetime import datetime

import polars as pl
import pytest

from features.facts import Facts
from features.masters import entity_zones
from features.rates import rates_in_force, with_base_rate
from features.tables import INSTANT

Draw = Callable[..., Facts]


def told(facts: Facts) -> list[tuple[str, float, datetime, datetime | None]]:
    rates = rates_in_force(facts, entity_zones(facts)).sort("entity_id", "currency", "known_from")
    return rates.select("currency", "rate", "known_from", "known_to").rows()


def expected(table: str, instant: Callable[[str], datetime]) -> list[tuple[str, float, datetime, datetime | None]]:
    rows = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
    return [(c, float(rate), instant(a), None if b == "-" else instant(b)) for c, rate, a, b in rows]


CASES = {
    "the newest known day counts, from when it is known": (
        """
        currency | day | known_at | rate
        USD      | 2   | 2.5      | 0.9
        USD      | 3   | 3.5      | 0.8
        """,
        "USD | 0.9 | 2.5 | 3.5 \n USD | 0.8 | 3.5 | -",
    ),
    "a day that arrives late, or is corrected later, displaces no newer day": (
        """
        fx_rate_id | currency | day | known_at | rate
        r3         | USD      | 3   | 3.5      | 0.8
        r2         | USD      | 2   | 4        | 0.9
        r2         | USD      | 2   | 5        | 0.7
        """,
        "USD | 0.8 | 3.5 | -",
    ),
    "many days learnt at once: the newest, wherever it stands": (
        """
        currency | day | known_at | rate
        USD      | 3   | 9        | 0.8
        USD      | 5   | 9        | 0.6
        USD      | 4   | 9        | 0.7
        """,
        "USD | 0.6 | 9 | -",
    ),
    "the newest day is corrected, then taken back: the one before it counts again": (
        """
        fx_rate_id | currency | day | known_at | deleted | rate
        r2         | USD      | 2   | 2.5      | no      | 0.9
        r3         | USD      | 3   | 3.5      | no      | 0.8
        r3         | USD      | 3   | 4        | no      | 0.85
        r3         | USD      | 3   | 5        | yes     | 0.85
        """,
        "USD | 0.9 | 2.5 | 3.5 \n USD | 0.8 | 3.5 | 4 \n USD | 0.85 | 4 | 5 \n USD | 0.9 | 5 | -",
    ),
    "the only rate is taken back: there is none": (
        """
        fx_rate_id | currency | day | known_at | deleted | rate
        r          | USD      | 2   | 3        | no      | 0.9
        r          | USD      | 2   | 6        | yes     | 0.9
        """,
        "USD | 0.9 | 3 | 6",
    ),
    "a rate for a day to come waits for that day; a slip of the year that is corrected never counts": (
        """
        fx_rate_id | currency | day | known_at | rate
        r2         | USD      | 2   | 2.5      | 0.9
        r9         | USD      | 9   | 3        | 0.8
        slip       | USD      | 400 | 4        | 0.1
        slip       | USD      | 4   | 5        | 0.85
        """,
        "USD | 0.9 | 2.5 | 5 \n USD | 0.85 | 5 | 9- \n USD | 0.8 | 9- | -",
    ),
    "the other direction serves as well": (
        "currency | to_currency | day | known_at | rate\n EUR | USD | 2 | 2.5 | 1.25",
        "USD | 0.8 | 2.5 | -",
    ),
    "the direct one goes before the other of the same day, and not before that of a newer one": (
        """
        currency | to_currency | day | known_at | rate
        EUR      | USD         | 2   | 2.5      | 1.25
        USD      | EUR         | 2   | 2.5      | 0.81
        EUR      | USD         | 3   | 3.5      | 1.6
        """,
        "USD | 0.81 | 2.5 | 3.5 \n USD | 0.625 | 3.5 | -",
    ),
    "rates between two foreign currencies say nothing of ours": (
        "currency | to_currency | day | rate\n USD | GBP | 2 | 0.7",
        "",
    ),
    "each currency has its own": (
        "currency | day | known_at | rate\n USD | 2 | 2.5 | 0.9 \n GBP | 3 | 3.5 | 1.2",
        "GBP | 1.2 | 3.5 | - \n USD | 0.9 | 2.5 | -",
    ),
}


@pytest.mark.parametrize("case", CASES, ids=lambda name: name.replace(" ", "_")[:60])
def test_rates_in_force(case: str, drawn_facts: Draw, instant: Callable[[str], datetime]) -> None:
    table, wanted = CASES[case]
    assert told(drawn_facts(fx_rate=table)) == expected(wanted, instant)


def test_entities_do_not_share_rates(drawn_facts: Draw) -> None:
    facts = drawn_facts(
        entity="entity_id | currency\n E | EUR\n F | GBP",
        fx_rate="entity_id | currency | to_currency | day | rate\n E | USD | EUR | 2 | 0.9\n F | USD | EUR | 3 | 0.5",
    )
    rates = rates_in_force(facts, entity_zones(facts))
    assert rates.select("entity_id", "currency", "rate").rows() == [("E", "USD", 0.9)]


@pytest.mark.parametrize(
    ("currency", "home", "hundredths"),
    [("EUR", "EUR", 1.0), ("JPY", "JPY", 100.0), ("KWD", "KWD", 0.1), ("USD", "EUR", 0.5), ("JPY", "EUR", 50.0)],
)
def test_minor_units_become_hundredths_of_the_own_currency(
    drawn_facts: Draw, instant: Callable[[str], datetime], currency: str, home: str, hundredths: float
) -> None:
    facts = drawn_facts(entity=f"currency\n {home}", fx_rate="currency | day | rate\n USD | 1 | 0.5\n JPY | 1 | 0.5")
    zones = entity_zones(facts)
    row = pl.DataFrame(
        {"entity_id": ["E"], "currency": [currency], "t": [instant("2")]}, schema_overrides={"t": INSTANT}
    )
    valued = with_base_rate(row, rates_in_force(facts, zones), zones, at="t")
    assert valued["rate"].to_list() == [hundredths]
    assert valued.columns == ["entity_id", "currency", "t", "rate"]


def test_at_a_cutoff_only_what_was_known_before_it_counts(
    drawn_facts: Draw, instant: Callable[[str], datetime]
) -> None:
    facts = drawn_facts(fx_rate="currency | day | known_at | rate\n USD | 2 | 2.5 | 0.9\n USD | 3 | 3.5 | 0.8")
    zones, moments = entity_zones(facts), ["2.5-", "2.5", "2.5+", "3.5", "3.5+"]
    rows = pl.DataFrame(
        {"entity_id": "E", "currency": "USD", "t": [instant(m) for m in moments]}, schema_overrides={"t": INSTANT}
    )
    rates = rates_in_force(facts, zones)
    of_event = with_base_rate(rows, rates, zones, at="t").sort("t")["rate"].to_list()
    at_cutoff = with_base_rate(rows, rates, zones, at="t", strictly=True).sort("t")["rate"].to_list()
    assert of_event == [None, 0.9, 0.9, 0.8, 0.8]
    assert at_cutoff == [None, None, 0.9, 0.9, 0.8]
