"""What the books say of a receivable, drawn as tables: every state it goes through, and what is learnt of it.

See `tests/conftest.py` for how the tables are read. Unless a case draws it, there is one invoice I of customer A in
entity E, in EUR.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import polars as pl
import pytest

from features.facts import Facts
from features.labels import labelled
from features.ledger import RECEIVABLE, receivable_states
from features.masters import entity_zones
from features.tables import INSTANT

COLUMNS = {
    "entity": ("entity_id", pl.String()),
    "invoice": ("invoice_id", pl.String()),
    "no": ("instalment", pl.Int64()),
    "customer": ("customer_id", pl.String()),
    "amount": ("amount_minor", pl.Int64()),
    "due": ("due_date", pl.Date()),
    "open": ("open_minor", pl.Int64()),
    "paid": ("paid_date", pl.Date()),
    "cancelled": ("cancelled", pl.Boolean()),
    "unpaid_through": ("observed_until", pl.Date()),
    "from": ("known_from", INSTANT),
    "to": ("known_to", INSTANT),
}


@dataclass(frozen=True)
class Case:
    """Facts, the states they make, and what is learnt of each receivable by `observed` (a day's start)."""

    says: str
    invoice: str
    allocation: str
    states: str
    labels: str = ""
    observed: str = "60"

    @property
    def name(self) -> str:
        return self.says.replace(" ", "_")[:70]


ONE = "owed\n 10:100"
CASES = [
    Case(
        "an invoice that nobody has paid is open from the instant it is known",
        "known_at | owed\n 2.5 | 10:100",
        "amount_minor",
        """
        from | to | amount | due | open | paid | cancelled
        2.5  | -  | 100    | 10  | 100  | -    | no
        """,
        "paid | cancelled | unpaid_through\n - | no | 59",
    ),
    Case(
        "partial payments settle it with the last of them, on its own day and not when it was booked",
        ONE,
        """
        date | known_at | amount_minor
        5    | 6        | 30
        12   | 14       | 69
        20   | 21.5     | 1
        """,
        """
        from | to   | open | paid | cancelled
        1    | 6    | 100  | -    | no
        6    | 14   | 70   | -    | no
        14   | 21.5 | 1    | -    | no
        21.5 | -    | 0    | 20   | no
        """,
        "paid | cancelled\n 20 | no",
    ),
    Case(
        "payments booked in another order than they came settle it on the day the last one counted",
        ONE,
        """
        date | known_at | amount_minor
        20   | 21       | 60
        8    | 30       | 40
        """,
        """
        from | to | open | paid
        1    | 21 | 100  | -
        21   | 30 | 40   | -
        30   | -  | 0    | 20
        """,
    ),
    Case(
        "what is paid beyond the amount is owed to the customer, and does not move the day it was settled",
        ONE,
        """
        date | known_at | amount_minor
        8    | 8        | 100
        25   | 26       | 30
        """,
        """
        from | to | open | paid | cancelled
        1    | 8  | 100  | -    | no
        8    | 26 | 0    | 8    | no
        26   | -  | -30  | 8    | no
        """,
        "paid | cancelled\n 8 | no",
    ),
    Case(
        "one payment above the amount settles it",
        ONE,
        "date | amount_minor\n 8 | 130",
        "from | to | open | paid\n 1 | 8 | 100 | -\n 8 | - | -30 | 8",
    ),
    Case(
        "each of three instalments is a receivable of its own",
        "owed\n 10:50 20:30 30:20",
        """
        instalment | date | amount_minor
        1          | 9    | 50
        2          | 25   | 10
        2          | 26   | 20
        """,
        """
        no | from | to | amount | due | open | paid
        1  | 1    | 9  | 50     | 10  | 50   | -
        1  | 9    | -  | 50     | 10  | 0    | 9
        2  | 1    | 25 | 30     | 20  | 30   | -
        2  | 25   | 26 | 30     | 20  | 20   | -
        2  | 26   | -  | 30     | 20  | 0    | 26
        3  | 1    | -  | 20     | 30  | 20   | -
        """,
        """
        no | paid | cancelled | unpaid_through
        1  | 9    | no        | -
        2  | 26   | no        | -
        3  | -    | no        | 26
        """,
        observed="28",
    ),
    Case(
        "an instalment that the invoice does not have settles nothing",
        ONE,
        "instalment | date | amount_minor\n 2 | 9 | 100",
        "no | from | to | open\n 1 | 1 | - | 100",
    ),
    Case(
        "credited in full: cancelled, and nobody ever paid; known unpaid until the day before",
        ONE,
        "kind | date | known_at | amount_minor\n credit_note | 15 | 16 | 100",
        """
        from | to | open | paid | cancelled
        1    | 16 | 100  | -    | no
        16   | -  | 0    | 15   | yes
        """,
        "paid | cancelled | unpaid_through\n - | yes | 14",
    ),
    Case(
        "credited by half, then paid: cancelled",
        ONE,
        "kind | date | amount_minor\n credit_note | 7 | 50\n payment | 12 | 50",
        """
        from | to | open | paid | cancelled
        1    | 7  | 100  | -    | no
        7    | 12 | 50   | -    | no
        12   | -  | 0    | 12   | yes
        """,
        "paid | cancelled | unpaid_through\n - | yes | 11",
    ),
    Case(
        "credited by less than half, then paid: a payment to learn from",
        ONE,
        "kind | date | amount_minor\n credit_note | 7 | 49\n payment | 12 | 51",
        """
        from | to | open | paid | cancelled
        1    | 7  | 100  | -    | no
        7    | 12 | 51   | -    | no
        12   | -  | 0    | 12   | no
        """,
        "paid | cancelled\n 12 | no",
    ),
    Case(
        "paid short and the remainder written off: settled by the write-off, and mostly paid",
        ONE,
        "kind | from_id | date | amount_minor\n payment | P | 11 | 97\n write_off | - | 18 | 3",
        """
        from | to | open | paid | cancelled
        1    | 11 | 100  | -    | no
        11   | 18 | 3    | -    | no
        18   | -  | 0    | 18   | no
        """,
        "paid | cancelled\n 18 | no",
    ),
    Case(
        "written off altogether: cancelled",
        ONE,
        "kind | from_id | date | amount_minor\n write_off | - | 40 | 100",
        "from | to | open | paid | cancelled\n 1 | 40 | 100 | - | no\n 40 | - | 0 | 40 | yes",
    ),
    Case(
        "paid, and credited on top of that later: still paid",
        ONE,
        "kind | date | amount_minor\n payment | 9 | 100\n credit_note | 30 | 100",
        """
        from | to | open | paid | cancelled
        1    | 9  | 100  | -    | no
        9    | 30 | 0    | 9    | no
        30   | -  | -100 | 9    | no
        """,
        "paid | cancelled\n 9 | no",
    ),
    Case(
        "an allocation that is taken back opens it again; allocated anew, the new day counts",
        ONE,
        """
        allocation_id | date | known_at | deleted | amount_minor
        a             | 8    | 9        | no      | 100
        a             | 8    | 15       | yes     | 100
        b             | 20   | 21       | no      | 100
        """,
        """
        from | to | open | paid
        1    | 9  | 100  | -
        9    | 15 | 0    | 8
        15   | 21 | 100  | -
        21   | -  | 0    | 20
        """,
        "paid\n 20",
    ),
    Case(
        "a payment that bounces is taken away by a negative part; paid again, the new day counts",
        ONE,
        """
        date | amount_minor
        8    | 100
        15   | -100
        20   | 100
        """,
        """
        from | to | open | paid
        1    | 8  | 100  | -
        8    | 15 | 0    | 8
        15   | 20 | 100  | -
        20   | -  | 0    | 20
        """,
    ),
    Case(
        "taken away and allocated anew on one day: nothing happened",
        ONE,
        """
        date | known_at | amount_minor
        8    | 9        | 100
        15   | 16       | -100
        15   | 16       | 100
        """,
        "from | to | open | paid\n 1 | 9 | 100 | -\n 9 | - | 0 | 8",
    ),
    Case(
        "an allocation that was put to the wrong invoice moves to the right one",
        "invoice_id | owed\n I | 10:100\n J | 10:100",
        """
        allocation_id | invoice_id | date | known_at | amount_minor
        a             | I          | 8    | 9        | 100
        a             | J          | 8    | 15       | 100
        """,
        """
        invoice | from | to | open | paid
        I       | 1    | 9  | 100  | -
        I       | 9    | 15 | 0    | 8
        I       | 15   | -  | 100  | -
        J       | 1    | 15 | 100  | -
        J       | 15   | -  | 0    | 8
        """,
    ),
    Case(
        "the amount is corrected downwards to what was paid: settled since the payment, learnt by the correction",
        "known_at | owed\n 1 | 10:100\n 20 | 10:80",
        "date | amount_minor\n 8 | 80",
        """
        from | to | amount | open | paid
        1    | 8  | 100    | 100  | -
        8    | 20 | 100    | 20   | -
        20   | -  | 80     | 0    | 8
        """,
        "paid | cancelled\n 8 | no",
    ),
    Case(
        "the amount is corrected upwards after it was paid: open again",
        "known_at | owed\n 1 | 10:100\n 20 | 10:130",
        "date | amount_minor\n 8 | 100",
        """
        from | to | amount | open | paid
        1    | 8  | 100    | 100  | -
        8    | 20 | 100    | 0    | 8
        20   | -  | 130    | 30   | -
        """,
        "paid | cancelled | unpaid_through\n - | no | 59",
    ),
    Case(
        "the due date is corrected",
        "known_at | owed\n 1 | 10:100\n 5 | 40:100",
        "amount_minor",
        "from | to | due | open\n 1 | 5 | 10 | 100\n 5 | - | 40 | 100",
    ),
    Case(
        "it is put to another customer",
        "known_at | customer_id | owed\n 1 | A | 10:100\n 5 | B | 10:100",
        "amount_minor",
        "customer | from | to | open\n A | 1 | 5 | 100\n B | 5 | - | 100",
    ),
    Case(
        "a correction of something else is no news",
        "known_at | order_id | owed\n 1 | - | 10:100\n 5 | SO7 | 10:100",
        "amount_minor",
        "from | to | open\n 1 | - | 100",
    ),
    Case(
        "two instalments become one: the second ends, and what settled it settles nothing",
        "known_at | owed\n 1 | 10:60 20:40\n 15 | 10:100",
        "instalment | date | amount_minor\n 1 | 9 | 60\n 2 | 12 | 40",
        """
        no | from | to | amount | open | paid
        1  | 1    | 9  | 60     | 60   | -
        1  | 9    | 15 | 60     | 0    | 9
        1  | 15   | -  | 100    | 40   | -
        2  | 1    | 12 | 40     | 40   | -
        2  | 12   | 15 | 40     | 0    | 12
        """,
        "no | paid\n 1 | -",
    ),
    Case(
        "an invoice that is taken back is gone, and so is its label",
        "known_at | deleted | owed\n 1 | no | 10:100\n 20 | yes | 10:100",
        "date | amount_minor\n 8 | 40",
        "from | to | open\n 1 | 8 | 100\n 8 | 20 | 60",
        "paid | cancelled",
    ),
    Case(
        "an invoice that is taken back and told again finds its payments",
        "known_at | deleted | owed\n 1 | no | 10:100\n 20 | yes | 10:100\n 25 | no | 10:100",
        "date | amount_minor\n 8 | 40",
        "from | to | open\n 1 | 8 | 100\n 8 | 20 | 60\n 25 | - | 60",
    ),
    Case(
        "what the seller owes is negative, and settled by negative parts",
        "owed\n 10:-100",
        "date | amount_minor\n 8 | -30\n 12 | -70",
        """
        from | to | amount | open | paid
        1    | 8  | -100   | -100 | -
        8    | 12 | -100   | -70  | -
        12   | -  | -100   | 0    | 12
        """,
    ),
    Case(
        "a payment on what the seller owes makes it more, and settles nothing",
        "owed\n 10:-100",
        "date | amount_minor\n 8 | 100",
        "from | to | open | paid\n 1 | 8 | -100 | -\n 8 | - | -200 | -",
    ),
    Case(
        "nothing owed is open by nothing, and never settled",
        "owed\n 10:0",
        "amount_minor",
        "from | to | amount | open | paid | cancelled\n 1 | - | 0 | 0 | - | no",
    ),
    Case(
        "an allocation known before its invoice counts from the instant the invoice is known",
        "known_at | owed\n 20 | 10:100",
        "date | amount_minor\n 8 | 100\n 25 | 5",
        "from | to | open | paid\n 20 | 25 | 0 | 8\n 25 | - | -5 | 8",
    ),
    Case(
        "an allocation without its invoice says nothing",
        "owed",
        "date | amount_minor\n 8 | 100",
        "from | to | open",
    ),
    Case(
        "an allocation in another currency settles nothing, also one that was known before its invoice",
        "known_at | owed\n 20 | 10:100",
        "date | currency | amount_minor\n 8 | USD | 100\n 25 | USD | 100\n 30 | EUR | 40",
        "from | to | open | paid\n 20 | 30 | 100 | -\n 30 | - | 60 | -",
    ),
    Case(
        "an invoice whose currency is corrected keeps only what was settled in the new one",
        "known_at | currency | owed\n 1 | USD | 10:100\n 20 | EUR | 10:100",
        "date | currency | amount_minor\n 8 | USD | 100\n 25 | EUR | 30",
        """
        from | to | open | paid
        1    | 8  | 100  | -
        8    | 20 | 0    | 8
        20   | 25 | 100  | -
        25   | -  | 70   | -
        """,
    ),
    Case(
        "the same invoice_id in two entities is two invoices",
        "entity_id | customer_id | owed\n E | A | 10:100\n F | A | 15:70",
        """
        entity_id | date | amount_minor
        E         | 8    | 100
        F         | 9    | 20
        """,
        """
        entity | from | to | due | open | paid
        E      | 1    | 8  | 10  | 100  | -
        E      | 8    | -  | 10  | 0    | 8
        F      | 1    | 9  | 15  | 70   | -
        F      | 9    | -  | 15  | 50   | -
        """,
        "entity | paid | unpaid_through\n E | 8 | -\n F | - | 29",
        observed="30",
    ),
    Case(
        "of two versions learnt in one instant the one that landed last stands, and the other never did",
        "known_at | owed\n 1 | 10:100\n 1 | 12:90\n 5 | 12:80\n 5 | 12:70",
        "amount_minor",
        "from | to | amount | due\n 1 | 5 | 90 | 12\n 5 | - | 70 | 12",
    ),
    Case(
        "told and taken back in one instant: it never was",
        "known_at | deleted | owed\n 1 | no | 10:100\n 1 | yes | 10:100",
        "amount_minor",
        "from | to | open",
    ),
    Case(
        "two payments learnt in one instant are one change",
        ONE,
        "date | known_at | amount_minor\n 8 | 9 | 30\n 9 | 9 | 70",
        "from | to | open | paid\n 1 | 9 | 100 | -\n 9 | - | 0 | 9",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_states(case: Case, drawn_facts: Callable[..., Facts], drawn_frame: Callable[..., pl.DataFrame]) -> None:
    states = receivable_states(drawn_facts(invoice=case.invoice, allocation=case.allocation))
    expected = drawn_frame(case.states, COLUMNS)
    assert states.select(expected.columns).to_dicts() == expected.to_dicts()


@pytest.mark.parametrize("case", [case for case in CASES if case.labels], ids=lambda case: case.name)
def test_labels(
    case: Case,
    drawn_facts: Callable[..., Facts],
    drawn_frame: Callable[..., pl.DataFrame],
    instant: Callable[[str], datetime],
) -> None:
    facts = drawn_facts(invoice=case.invoice, allocation=case.allocation)
    states = receivable_states(facts)
    asked = states.select(RECEIVABLE).unique(maintain_order=True)
    expected = drawn_frame(case.labels, COLUMNS)
    found = labelled(asked, states, entity_zones(facts), instant(case.observed)).select(expected.columns)
    if "unpaid_through" in case.labels:
        # it means nothing of what was paid
        found = found.with_columns(observed_until=pl.when(pl.col("paid_date").is_null()).then("observed_until"))
    assert found.to_dicts() == expected.to_dicts()
