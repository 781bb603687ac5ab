"""Which credit settles which debt, by hand and for any lines."""

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from pipelines.connectors.tryton_commerce import _disputed_amount
from pipelines.connectors.tryton_documents import instalment_lines, is_withdrawn
from pipelines.connectors.tryton_settling import Given, Owed, settle

DAY = date(2024, 1, 1)


def owed(line: int, of: int, due: int, amount: int) -> Owed:
    return Owed(line, of, DAY + timedelta(days=due), Decimal(amount))


def money(line: int, day: int, amount: int, meant_for: int = 0) -> Given:
    return Given(line, meant_for, DAY + timedelta(days=day), Decimal(amount))


def parts(debts: list[Owed], credits_: list[Given]) -> list[tuple[int, int, int]]:
    return [(s.owed, s.given, int(s.amount)) for s in settle(debts, credits_)]


def test_the_oldest_debt_is_settled_first() -> None:
    assert parts([owed(1, 10, 9, 60), owed(2, 20, 3, 40)], [money(7, 1, 70)]) == [(2, 7, 40), (1, 7, 30)]


def test_a_link_goes_before_age() -> None:
    debts = [owed(1, 10, 3, 60), owed(2, 20, 9, 40)]
    assert parts(debts, [money(7, 1, 60), money(8, 2, 40, meant_for=20)]) == [(2, 8, 40), (1, 7, 60)]


def test_a_refund_takes_what_nothing_else_needs() -> None:
    assert parts([owed(1, 10, 1, 60), owed(2, 0, 5, 15)], [money(7, 1, 75)]) == [(1, 7, 60), (2, 7, 15)]


amounts = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(1, 999)), max_size=6)


@given(amounts, amounts)
def test_nothing_is_settled_twice_and_nothing_is_left_on_both_sides(
    debts: list[tuple[int, int, int]], gifts: list[tuple[int, int, int]]
) -> None:
    due = [owed(n, of, day, amount) for n, (of, day, amount) in enumerate(debts, start=1)]
    came = [money(100 + n, day, amount, meant_for=of) for n, (of, day, amount) in enumerate(gifts, start=1)]
    settled = settle(due, came)
    for line in (*due, *came):
        taken = sum((s.amount for s in settled if line.line in (s.owed, s.given)), Decimal(0))
        assert taken <= line.amount
    total = sum((s.amount for s in settled), Decimal(0))
    assert total == min(sum((d.amount for d in due), Decimal(0)), sum((c.amount for c in came), Decimal(0)))
    assert settle(due[::-1], came[::-1]) == settled


def line(number: int, amount: int, reconciliation: int | None, day: int) -> dict[str, object]:
    own = Decimal(amount)
    return {
        "id": number,
        "debit": max(own, Decimal(0)),
        "credit": max(-own, Decimal(0)),
        "second_currency": None,
        "amount_second_currency": None,
        "reconciliation": reconciliation,
        "maturity_date": DAY + timedelta(days=day),
    }


def test_lines_that_a_rescheduling_replaced_are_not_due() -> None:
    lines = [line(1, 100, 5, 30), line(2, -100, 5, 30), line(4, 60, None, 90), line(3, 40, 6, 60)]
    assert [due["id"] for due in instalment_lines(lines, DAY)] == [3, 4]


def test_a_cancelled_invoice_stands_where_a_credit_note_cancelled_it() -> None:
    by_note = {"state": "cancelled", "cancel_move": {"origin": "account.invoice,9"}}
    by_clerk = {"state": "cancelled", "cancel_move": {"origin": "account.move,9"}}
    assert [is_withdrawn(row) for row in (by_note, by_clerk, {"state": "paid"})] == [False, True, False]


def test_a_dispute_about_a_part_is_told_with_its_tax() -> None:
    document = {"total_amount": Decimal("119.00"), "untaxed_amount": Decimal("100.00"), "currency": {"code": "EUR"}}
    told = [_disputed_amount({"actions": actions}, document) for actions in ([], [{"amount": Decimal(50)}])]
    assert told == [Decimal("119.00"), Decimal("59.50")]
