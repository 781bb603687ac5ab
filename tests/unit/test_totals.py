"""When totals tie, and what is said where they do not."""

import polars as pl

from features.tables import CUSTOMER, INVOICE
from features.totals import Totals, differences, digest_of, totals_of


def rows(*ids: str) -> pl.DataFrame:
    told = [{"entity_id": e, "invoice_id": i, "amount_minor": 5, "currency": c} for e, i, c in (t.split() for t in ids)]
    return pl.DataFrame(told)


def test_totals_are_by_entity_and_currency_and_the_order_of_rows_does_not_matter() -> None:
    some = rows("UK 1 GBP", "UK 2 EUR", "DE 1 EUR", "UK 3 GBP")
    told = totals_of(some, INVOICE)
    assert (told.count, told.sums) == (4, {"DE EUR": 5, "UK EUR": 5, "UK GBP": 10})
    assert totals_of(some.reverse(), INVOICE) == told
    assert totals_of(rows("UK 1 GBP", "UK 2 EUR", "DE 2 EUR", "UK 3 GBP"), INVOICE).digest != told.digest


def test_a_table_without_amounts_has_no_sums() -> None:
    told = totals_of(pl.DataFrame({"entity_id": ["UK"], "customer_id": ["C"]}), CUSTOMER)
    assert (told.count, told.sums, told.digest) == (1, None, digest_of(pl.Series(["UK\x1fC"])))


def test_what_one_side_does_not_say_is_not_compared() -> None:
    assert differences(Totals(2), Totals(2, {"UK GBP": 5}, "d")) == []
    assert differences(Totals(2, {"UK GBP": 4}), Totals(2)) == []


def test_what_is_set_aside_explains_a_count_exactly_and_sums_altogether() -> None:
    ours = Totals(7, {"UK GBP": 7}, "ours")
    assert differences(Totals(8, {"UK GBP": 9}, "theirs"), ours, apart=1, doubtful=["UK"]) == []
    assert differences(Totals(9), ours, apart=1, doubtful=["UK"]) == [
        "the source has 9 records, the lake 7 and 1 set aside"
    ]
    assert differences(Totals(7), ours, apart=1) == ["the source has 7 records, the lake 7 and 1 set aside"]
    assert differences(Totals(7, {"UK GBP": 9}, "ours"), ours, doubtful=["UK"]) == []
    assert differences(Totals(7, {"UK GBP": 9}, "other"), ours, doubtful=["UK"]) == [
        "the source has 7 records as the lake, but not the same ones"
    ]


def test_what_is_set_aside_in_one_entity_explains_no_sum_of_another() -> None:
    theirs, ours = Totals(2, {"UK GBP": 9, "UK EUR": 1, "DE EUR": 5}), Totals(2, {"UK GBP": 7, "DE EUR": 4})
    assert differences(theirs, ours, doubtful=["UK"]) == [
        "DE EUR: the source sums to 5 minor units, the lake to 4",
    ]
    assert differences(theirs, ours, doubtful=["UK", "DE"]) == []


def test_every_difference_in_sums_is_named() -> None:
    found = differences(Totals(1, {"UK GBP": 1000, "DE EUR": 1}), Totals(1, {"UK GBP": 999, "FR EUR": 1}))
    assert found == [
        "DE EUR: the source sums to 1 minor units, the lake to 0",
        "FR EUR: the source sums to 0 minor units, the lake to 1",
        "UK GBP: the source sums to 1,000 minor units, the lake to 999",
    ]
