"""BAI2: control totals, continuations, availability, and what is no BAI2."""

import io
from datetime import date

import pytest

from features.errors import BadInput
from pipelines.bank import bai2
from pipelines.bank.statement import Statement

FILE = """01,BANK,US,260302,0648,1,,,2/
02,US,BANK,1,260302,0648,EUR,/
03,0001,EUR,010,1000,,,015,1500,,/
16,142,700,Z,BANK-1,E2E-1,INV-1, less 2 pct/
16,451,200,V,260304,,,,fee/
49,3400,4/
98,3400,1,6/
99,3400,1,8/
"""


def parsed(content: str) -> list[Statement]:
    return bai2.parse(io.BytesIO(content.encode()), "s.bai")


def refused(content: str) -> str:
    with pytest.raises(BadInput) as caught:
        parsed(content)
    return str(caught.value)


def changed(*pairs: tuple[str, str]) -> str:
    content = FILE
    for old, new in pairs:
        assert old in content
        content = content.replace(old, new)
    return content


def test_a_statement_says_what_the_bank_said() -> None:
    [found] = parsed(FILE)
    assert (found.account, found.currency, found.statement_id) == ("0001", "EUR", "2026-03-02")
    assert (found.opening_minor, found.closing_minor) == (1000, 1500)
    credit, debit = found.entries
    assert (credit.amount_minor, credit.bank_reference, credit.end_to_end_id) == (700, "BANK-1", "E2E-1")
    assert (credit.remittance, credit.code, credit.place) == ("INV-1, less 2 pct", "142", "s.bai line 4")
    assert (debit.amount_minor, debit.remittance, debit.value_date) == (-200, "fee", date(2026, 3, 4))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("49,3400,4", "49,3401,4", "line 6: the control total of 49 is 3401, but what came since line 3 gives 3400"),
        ("49,3400,4", "49,3400,5", "line 6: the number of records of 49 is 5, but what came since line 3 gives 4"),
        ("98,3400,1,6", "98,3400,2,6", "line 7: the number of parts of 98 is 2"),
        ("98,3400,1,6", "98,3400,1,7", "line 7: the number of records of 98 is 7"),
        ("99,3400", "99,3300", "line 8: the control total of 99 is 3300"),
        ("99,3400,1,8/\n", "", "line 7: the file ends without its trailer 99"),
        ("98,3400,1,6/\n99,3400,1,8/\n", "", "line 6: the file ends without its trailer 99"),
        ("98,3400,1,6/\n", "", "line 7: record 99 stands here; allowed: 03 or 98"),
        ("02,US", "03,US", "line 2: record 03 stands here; allowed: 02 or 99"),
        ("16,142,700", "16,142,7.00", "line 4: '7.00' in record 16; allowed: a whole number"),
        ("16,142", "16,999", "line 4: transaction type '999' is neither credit nor debit"),
        ("16,142,700,Z", "16,142,700,X", "line 4: funds type 'X'"),
        ("V,260304", "V,260230", "line 5: the value date of 16 is '260230'"),
        ("1,260302", "1,260230", "line 2: the as-of date of 02 is '260230'"),
        ("1,,,2/", "1,,,3/", "line 1: BAI version '3'; allowed: 2"),
        ("03,0001,EUR", "03,0001,XXX1", "line 3: unknown currency 'XXX1'"),
        ("01,BANK", "00,BANK", "line 1: record 00; allowed: 01,"),
        ("01,BANK", "88,BANK", "line 1: 88 continues nothing"),
        ("49,3400", "what is this\n49,3400", "line 6: text that is no record"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, told: str) -> None:
    message = refused(changed((old, new)))
    assert message.startswith("s.bai line ")
    assert told in message


def test_balances_that_do_not_meet_are_named_though_the_totals_hold() -> None:
    content = changed(("015,1500", "015,1600"), ("3400", "3500"))
    assert "line 3: statement 2026-03-02 does not add up" in refused(content)
    assert "the difference is 1.00 EUR" in refused(content)


@pytest.mark.parametrize(("total", "there"), [("100,701,,", "701, but the entries give 700"), ("400,1,,", "1, but")])
def test_total_credits_and_debits_are_those_of_the_entries(total: str, there: str) -> None:
    added = int(total.split(",")[1])
    assert there in refused(changed(("015,1500,,/", f"015,1500,,,{total}/"), ("3400", f"{3400 + added}")))


def test_a_record_goes_on_with_88_and_counts_for_two() -> None:
    content = changed(
        ("less 2 pct/", "less 2 pct/\n88,and a second line/"),
        ("010,1000,,,015", "010,1000,,/\n88,015"),
        ("49,3400,4", "49,3400,6"),
        ("98,3400,1,6", "98,3400,1,8"),
        ("99,3400,1,8", "99,3400,1,10"),
    )
    [found] = parsed(content)
    assert found.entries[0].remittance == "INV-1, less 2 pct and a second line"
    assert (found.opening_minor, found.closing_minor) == (1000, 1500)


def test_records_on_one_line_are_told_apart_and_texts_like_them_are_not() -> None:
    content = changed(("less 2 pct/\n16", "less / 16,5 pct/   16"), ("fee/\n49", "fee/  49"))
    [found] = parsed(content)
    assert [e.remittance for e in found.entries] == ["INV-1, less / 16,5 pct", "fee"]
    assert [e.place for e in found.entries] == ["s.bai line 4"] * 2


def test_a_text_broken_without_88_goes_on() -> None:
    assert parsed(changed(("less 2 pct/", "less\n2 pct/")))[0].entries[0].remittance == "INV-1, less 2 pct"


@pytest.mark.parametrize("funds", ["S,1,2,3", "D,2,0,400,1,300", "0", ""])
def test_availability_is_passed_over(funds: str) -> None:
    [entry, _] = parsed(changed(("700,Z", f"700,{funds}")))[0].entries
    assert (entry.bank_reference, entry.end_to_end_id) == ("BANK-1", "E2E-1")


def test_returns_are_flagged_by_the_standards_words() -> None:
    assert [e.returned for e in parsed(changed(("16,451", "16,557")))[0].entries] == [False, True]


def test_what_moves_no_money_is_left_out() -> None:
    content = changed(("16,451,200,V,260304", "16,890,,"), ("015,1500", "015,1700"), ("3400", "3400"))
    assert len(parsed(content)[0].entries) == 1


def test_an_account_told_of_twice_is_two_statements_and_dollars_are_the_standard() -> None:
    account = FILE[FILE.index("03,") : FILE.index("98,")]
    content = changed((account, account * 2), ("98,3400,1,6", "98,6800,2,10"), ("99,3400,1,8", "99,6800,1,12"))
    assert [s.statement_id for s in parsed(content)] == ["2026-03-02", "2026-03-02#2"]
    assert parsed(changed(("0648,EUR", "0648,"), ("0001,EUR", "0001,")))[0].currency == "USD"


def test_without_ledger_balances_there_are_none() -> None:
    [found] = parsed(changed(("010", "040"), ("015", "045")))
    assert (found.opening_minor, found.closing_minor) == (None, None)
