"""MT940: the dialects of banks, and what is no MT940."""

import io
from datetime import date

import pytest

from features.errors import BadInput
from pipelines.bank import mt940
from pipelines.bank.statement import Entry, Statement

HEAD = ":20:REF\n:25:NL41 MOCK 0000000001\n:28C:12/1\n:60F:C260301EUR100,00\n"


def text(*entries: str, closing: str = "C260302EUR110,00", head: str = HEAD, tail: str = "-\n") -> str:
    return f"{head}{''.join(f'{entry}{chr(10)}' for entry in entries)}:62F:{closing}\n{tail}"


def parsed(content: str | bytes) -> list[Statement]:
    data = content.encode() if isinstance(content, str) else content
    return mt940.parse(io.BytesIO(data), "s.sta")


def only(entry: str, closing: str = "C260302EUR110,00") -> Entry:
    [found] = parsed(text(entry, closing=closing))[0].entries
    return found


def refused(content: str | bytes) -> str:
    with pytest.raises(BadInput) as caught:
        parsed(content)
    return str(caught.value)


def test_a_statement_says_what_the_bank_said() -> None:
    [found] = parsed(text(":61:2603020302C10,00NTRFINV-1//BANK-1"))
    assert (found.account, found.number, found.currency) == ("NL41MOCK0000000001", "12/1", "EUR")
    assert (found.from_day, found.to_day) == (date(2026, 3, 1), date(2026, 3, 2))
    assert (found.opening_minor, found.closing_minor) == (10000, 11000)
    assert found.statement_id == "12/1:2026-03-01:2026-03-02"
    [entry] = found.entries
    assert (entry.end_to_end_id, entry.bank_reference, entry.code) == ("INV-1", "BANK-1", "NTRF")
    assert (entry.place, entry.entry_id) == ("s.sta line 5", "2026-03-02:BANK-1:1000")


@pytest.mark.parametrize(
    ("mark", "minor", "returned"),
    [("C", 1000, False), ("D", -1000, False), ("RC", -1000, True), ("RD", 1000, True), ("CR", 1000, False)],
)
def test_marks_of_credits_debits_and_their_reversals(mark: str, minor: int, returned: bool) -> None:
    found = only(f":61:260302{mark}10,NTRFNONREF", closing=f"C260302EUR{100 + minor // 100},00")
    assert (found.amount_minor, found.returned) == (minor, returned)


@pytest.mark.parametrize(
    ("value", "booked", "day"),
    [
        ("251231", "0102", date(2026, 1, 2)),
        ("260102", "1231", date(2025, 12, 31)),
        ("240228", "0229", date(2024, 2, 29)),
    ],
)
def test_the_booking_day_is_the_one_closest_to_the_value_day(value: str, booked: str, day: date) -> None:
    assert only(f":61:{value}{booked}C10,00NTRFNONREF").booking_date == day


def test_numbered_subfields_with_sepa_labels_cut_anywhere() -> None:
    purpose = "?20EREF+E2E-1?21SVWZ+Invoice INV?2\n2-100 and more"
    about = f":86:166?00CREDIT?10999{purpose}?30MOCKNL2A?31NL14MOCK2?32MUELLER ?33GMBH"
    found = only(f":61:260302C10,00NTRFNONREF\n{about}")
    assert (found.end_to_end_id, found.remittance, found.code) == ("E2E-1", "Invoice INV-100 and more", "166")
    assert (found.payer_name, found.payer_account) == ("MUELLER GMBH", "NL14MOCK2")


def test_numbered_subfields_without_labels() -> None:
    found = only(":61:260302C10,00NTRFNONREF\n:86:051?00CREDIT?20Salary ?21March")
    assert found.remittance == "Salary March"
    posting = only(":61:260302C10,00NTRFNONREF\n:86:159?00RETURN")
    assert (posting.remittance, posting.returned) == ("RETURN", True)


def test_a_banks_own_message_is_not_part_of_the_payers_reference() -> None:
    found = only(":61:260302C10,00NTRFNONREF\n:86:159?00RETURN?20EREF+E2E-1?21MTLG:Reject of a file")
    assert (found.end_to_end_id, found.remittance) == ("E2E-1", "Reject of a file")


def test_a_label_that_a_payer_writes_is_text() -> None:
    found = only(":61:260302C10,00NTRFNONREF\n:86:166?20EREF+E2E-1?21SVWZ+IBAN: DE1 not EREF+2")
    assert (found.end_to_end_id, found.remittance, found.payer_account) == ("E2E-1", "IBAN: DE1 not EREF+2", None)


def test_a_label_that_comes_again_is_text_and_changes_nobodys_account() -> None:
    found = only(":61:260302C10,00NTRFNONREF\n:86:166?20IBAN+DE1?21SVWZ+INV-1 ?22IBAN+DE2")
    assert (found.payer_account, found.remittance) == ("DE1", "INV-1 IBAN+DE2")
    named = only(":61:260302C10,00NTRFNONREF\n:86:/IBAN/DE1/NAME/PAYER/REMI/INV-1/NAME/OTHER")
    assert (named.payer_name, named.remittance) == ("PAYER", "INV-1/NAME/OTHER")


def test_plain_text_with_slashes_is_kept_whole() -> None:
    assert only(":61:260302C10,00NTRFNONREF\n:86:INV A/ID/7 PAID").remittance == "INV A/ID/7 PAID"


def test_named_subfields() -> None:
    found = only(":61:260302C10,00N102EREF\n:86:/EREF/E2E-1//BENM//NAME/PAYER/REMI/INV-1/ISDT/2026-03-02")
    assert (found.end_to_end_id, found.payer_name, found.remittance) == ("E2E-1", "PAYER", "INV-1")
    assert only(":61:260302C10,00N102EREF\n:86:/RTRN/MD06/REMI/INV-1").returned


def test_plain_text_is_unfolded_where_a_line_is_full() -> None:
    full = "A" * 63 + "-1"
    assert only(f":61:260302C10,00NTRFNONREF\n:86:{full}\n23 rest\nend").remittance == f"{full}23 rest end"


def test_text_is_kept_as_it_is() -> None:
    assert only(":61:260302C10,00NTRFNONREF\n:86:=HYPERLINK(1)").remittance == "=HYPERLINK(1)"


def test_supplementary_details_serve_where_nothing_else_is_said() -> None:
    assert only(":61:260302C10,00NTRFNONREF//B1\nCard fee").remittance == "Card fee"
    found = only(":61:260302C10,00NTRFNONREF\nNL70ABNA0987654321\n:86:/NAME/PAYER/REMI//")
    assert (found.payer_account, found.remittance) == ("NL70ABNA0987654321", None)


def test_several_statements_with_and_without_envelopes() -> None:
    enveloped = "{1:F01BANKNL2AXXXX0000000000}{2:O940BANKNL2AXXXXN}{4:\n" + text(
        tail="-}{5:}\n", closing="C260302EUR100,00"
    )
    same_line = enveloped.replace("{4:\n", "{4:")
    plain = text(head=f"BANKNL2A\n940\n{HEAD}", closing="C260302EUR100,00")
    bare = text(tail="", closing="C260302EUR100,00")
    assert len(parsed(enveloped + same_line + plain + bare + bare)) == 5


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_and_encoding(end: str) -> None:
    content = text(":61:260302C10,00NTRFNONREF\n:86:Müller").replace("\n", end)
    for data in (content.encode(), content.encode("cp1252"), content.encode("utf-16"), content.encode("utf-8-sig")):
        assert parsed(data)[0].entries[0].remittance == "Müller"


GOOD = ":61:260302C10,00NTRFNONREF"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (text(GOOD, closing="C260302EUR110,01"), "line 1: statement 12/1:2026-03-01:2026-03-02 does not add up"),
        (text(GOOD, closing="C260302USD110,00"), "line 6: a closing balance in USD; allowed: EUR"),
        (text(GOOD, closing="C260230EUR110,00"), "line 6: :62F: is '260230'; allowed: a day that exists"),
        (text(GOOD, closing="110,00"), "line 6: :62F: is '110,00'; allowed: such as"),
        (text(GOOD.replace("260302", "260230")), "line 5: the value day of :61: is '260230'"),
        (text(":61:2603020230C10,00NTRFNONREF"), "line 5: the booking day of :61: is '0230'"),
        (text(":61:260302C10.00NTRFNONREF"), "line 5: :61: cannot be read"),
        (text(":61:260302C10,001NTRFNONREF"), "at most 2 decimals"),
        (text(":61:nonsense"), "line 5: :61: cannot be read"),
        (text(GOOD, head=HEAD.replace("EUR", "XXX")), "line 4: :60F:"),
        (text(GOOD, head=HEAD.replace(":25:NL41 MOCK 0000000001", ":25:")), "line 2: :25: is empty"),
        (text(GOOD, head=HEAD.replace(":25:NL41 MOCK 0000000001\n", "")), "ends without :25:"),
        (text(GOOD, head=HEAD.replace(":60F:C260301EUR100,00\n", "")), "line 4: :61: stands in the wrong order"),
        (text(GOOD + "\n:25:AGAIN"), "line 6: :25: comes twice"),
        (text(GOOD + "\n:99:x"), "line 6: :99: is no field of an MT940"),
        (text(GOOD).replace("-\n", GOOD), "line 7: :61: stands in the wrong order"),
        (GOOD, "line 1: :61: stands outside of a statement"),
        ("hello, world", "line 1: text outside of a statement"),
        (text(GOOD) + "what is this?", "line 8: text outside of a statement"),
        (text(GOOD, closing="C260302EUR110,00", head=HEAD.replace("C260301", "C260401")), "runs from 2026-04-01 to"),
        (b":20:A\n:86:\x81\xff", "line 2: byte 0x81 is not cp1252"),
        (b":20:A\n:86:\x00", "line 2: a null character"),
    ],
)
def test_what_is_wrong_is_named(content: str | bytes, told: str) -> None:
    message = refused(content)
    assert message.startswith("s.sta line ")
    assert told in message


def test_half_a_file_is_no_file() -> None:
    whole = text(*[GOOD] * 50, closing="C260302EUR600,00")
    assert len(parsed(whole)[0].entries) == 50
    assert "ends without :62F:; is the file whole?" in refused(whole[: whole.index(":62F:") - 30 * 10])
    second = whole + HEAD
    assert "line 60: the statement of line 57" in refused(second) or "line 59" in refused(second)


def test_a_statement_within_a_statement_ends_without_its_balance() -> None:
    assert "line 5: the statement of line 1 ends without :62F:" in refused(HEAD + text(GOOD))
