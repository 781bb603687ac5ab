"""The ledger's own loss given default, on ledgers drawn as tables (day 1 = 1 Jan 2024)."""

from collections.abc import Callable, Sequence
from datetime import datetime

import pytest

from features.book import Book
from features.customers import DefaultRule
from features.facts import Facts
from features.recoveries import LossShare, OwnLgd, own_lgds

Draw = Callable[..., Facts]
Instant = Callable[[str], datetime]
RULE = DefaultRule(horizon_days=60, late_days=30, materiality_cents=50, cure_days=40)


@pytest.fixture
def told(drawn_facts: Draw, instant: Instant) -> Callable[..., dict[str, OwnLgd]]:
    """Own LGDs of a ledger of customers that each owe 100 due on day 20 and 300 due on day 30, paid on day 55.

    Of the 100, in default since day 50, the customers named `lost` lose us all on day 80, those named `open` still owe
    it, the others pay. Somebody else pays on days 70 and 200, so that the ledger says how far it is known.
    """

    def tell(
        lost: Sequence[str], paid: Sequence[str], left: Sequence[str] = (), as_of: str = "210", yen: Sequence[str] = ()
    ) -> dict[str, OwnLgd]:
        invoices = [
            "entity_id | invoice_id | customer_id | issue_date | owed",
            "E | z | Z | 190 | 230:9",
            "E | y | Z | 60 | 65:9",
        ]
        settled = [
            "entity_id | invoice_id | date | amount_minor | kind | currency",
            "E | z | 200 | 9 | payment | EUR",
            "E | y | 70 | 9 | payment | EUR",
        ]
        for who in (*lost, *paid, *left):
            entity = who[0]
            invoices += [f"{entity} | late{who} | {who} | 5 | 20:100", f"{entity} | more{who} | {who} | 5 | 30:300"]
            settled += [f"{entity} | more{who} | 55 | 300 | payment | EUR"]
            settled += (
                []
                if who in left
                else [f"{entity} | late{who} | 80 | 100 | {'write_off' if who in lost else 'payment'} | EUR"]
            )
            settled += [f"{entity} | late{who} | 70 | 100 | write_off | JPY"] if who in yen else []
            settled += [f"{entity} | pays{who} | 200 | 9 | payment | EUR"] if entity == "F" else []
            invoices += [f"{entity} | pays{who} | {who}Z | 190 | 230:9"] if entity == "F" else []
        book = Book(drawn_facts(invoice="\n".join(invoices), allocation="\n".join(settled)))
        return own_lgds(book, RULE, instant(as_of))

    return tell


def names(entity: str, first: int, until: int) -> list[str]:
    return [f"{entity}{k}" for k in range(first, until)]


def test_the_whole_exposure_counts_and_who_is_in_default_already_loses_more_of_it(
    told: Callable[..., dict[str, OwnLgd]],
) -> None:
    """On day 32 each owes 400, of which 100 may be lost; on day 61, in default, the 100 alone."""
    found = told(names("E", 0, 5), names("E", 5, 20))["E"]
    assert found == OwnLgd(LossShare(20, pytest.approx(0.0625)), LossShare(20, pytest.approx(0.25)))


def test_cents_of_another_currency_write_nothing_off(told: Callable[..., dict[str, OwnLgd]]) -> None:
    lost, paid = names("E", 0, 5), names("E", 5, 20)
    assert told(lost, paid, yen=names("E", 5, 10)) == told(lost, paid)


def test_what_is_still_open_counts_for_as_long_as_it_was_seen(told: Callable[..., dict[str, OwnLgd]]) -> None:
    """Of the last quarter at risk a fifth was lost and a fifth is open: 0.05 lost of the 0.95 that have ended."""
    found = told(names("E", 0, 5), names("E", 5, 20), names("E", 20, 25))["E"]
    assert found.within.cases == 25
    assert found.entering.share == pytest.approx(0.05 / 0.95)


def test_nothing_that_was_written_off_later_is_known(told: Callable[..., dict[str, OwnLgd]]) -> None:
    assert told(names("E", 0, 5), names("E", 5, 20), as_of="79")["E"].within == LossShare(20, None)


def test_too_few_cases_are_pooled_over_entities_and_say_so_or_tell_nothing(
    told: Callable[..., dict[str, OwnLgd]],
) -> None:
    found = told([*names("E", 0, 5), *names("F", 0, 2)], [*names("E", 5, 20), *names("F", 2, 3)])
    assert found["E"].within == LossShare(20, pytest.approx(0.25))
    assert found["F"].within == LossShare(23, pytest.approx(7 / 23), pooled=True)
    assert told(names("E", 0, 5), names("E", 5, 19))["E"].within == LossShare(19, None, pooled=True)
