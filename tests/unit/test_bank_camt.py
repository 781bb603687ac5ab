"""camt.053 and camt.054: what banks write, what they must not, and what an attacker would."""

import io
from datetime import date
from decimal import Decimal

import pytest

from features.errors import BadInput
from pipelines.bank import camt
from pipelines.bank.statement import Entry, Statement

NS = "urn:iso:std:iso:20022:tech:xsd:camt.05{}.001.{}"
DAYS = "<BookgDt><Dt>2026-03-02</Dt></BookgDt><ValDt><Dt>2026-03-03</Dt></ValDt>"


def amount(text: str, currency: str = "EUR") -> str:
    return f'<Amt Ccy="{currency}">{text}</Amt>'


def ntry(
    text: str = "10.00", mark: str = "CRDT", inner: str = "", *, status: str = "<Sts>BOOK</Sts>", days: str = DAYS
) -> str:
    return f"<Ntry>{amount(text)}<CdtDbtInd>{mark}</CdtDbtInd>{status}{days}{inner}</Ntry>"


def details(*texts: str) -> str:
    return f"<NtryDtls>{''.join(f'<TxDtls>{text}</TxDtls>' for text in texts)}</NtryDtls>"


def balance(code: str, text: str, mark: str = "CRDT", currency: str = "EUR") -> str:
    kind = f"<Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
    return f"<Bal>{kind}{amount(text, currency)}<CdtDbtInd>{mark}</CdtDbtInd></Bal>"


def statement(
    *entries: str, opening: str = "0.00", closing: str = "0.00", extra: str = "", identity: str = "S1"
) -> str:
    account = "<Acct><Id><IBAN>NL41 MOCK 0000000001</IBAN></Id></Acct>"
    head = f"<Id>{identity}</Id><CreDtTm>2026-03-04T06:00:00Z</CreDtTm>{account}"
    return f"<Stmt>{head}{extra}{balance('OPBD', opening)}{balance('CLBD', closing)}{''.join(entries)}</Stmt>"


def document(body: str, kind: str = "3", version: str = "02", prolog: str = "") -> bytes:
    return f'{prolog}<Document xmlns="{NS.format(kind, version)}">\n<Msg>{body}</Msg>\n</Document>'.encode()


def parsed(data: bytes) -> list[Statement]:
    return camt.parse(io.BytesIO(data), "s.xml")


def only(entry: str, closing: str = "10.00") -> Entry:
    [found] = parsed(document(statement(entry, closing=closing)))[0].entries
    return found


def refused(data: bytes) -> str:
    with pytest.raises(BadInput) as caught:
        parsed(data)
    return str(caught.value)


def test_a_statement_says_what_the_bank_said() -> None:
    period = "<FrToDt><FrDtTm>2026-03-01T00:00:00+01:00</FrDtTm><ToDtTm>2026-03-02T23:59:59+01:00</ToDtTm></FrToDt>"
    extra = f"<ElctrncSeqNb>7</ElctrncSeqNb>{period}"
    [found] = parsed(document(statement(ntry(), closing="10.00", extra=extra)))
    assert (found.statement_id, found.account, found.number, found.currency) == ("S1", "NL41MOCK0000000001", "7", "EUR")
    assert (found.from_day, found.to_day) == (date(2026, 3, 1), date(2026, 3, 2))
    assert (found.opening_minor, found.closing_minor, found.place) == (0, 1000, "s.xml line 2")


def test_an_entry_says_who_paid_what_for_what() -> None:
    parties = "<RltdPties><Dbtr><Nm>Payer</Nm></Dbtr><DbtrAcct><Id><IBAN>nl14mock</IBAN></Id></DbtrAcct></RltdPties>"
    info = "<RmtInf><Ustrd>=SUM(1)</Ustrd><Strd><CdtrRefInf><Ref>RF18</Ref></CdtrRefInf></Strd></RmtInf>"
    refs = "<Refs><AcctSvcrRef>B1</AcctSvcrRef><EndToEndId>E1</EndToEndId></Refs>"
    code = "<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>"
    found = only(ntry(inner=code + details(refs + parties + info)))
    assert (found.booking_date, found.value_date, found.amount_minor) == (date(2026, 3, 2), date(2026, 3, 3), 1000)
    assert (found.bank_reference, found.end_to_end_id, found.code) == ("B1", "E1", "PMNT/RCDT/ESCT")
    assert (found.payer_name, found.payer_account, found.remittance) == ("Payer", "NL14MOCK", "=SUM(1) RF18")
    assert (found.returned, found.note, found.entry_id) == (False, None, "2026-03-02:B1:1000")


@pytest.mark.parametrize("version", ["02", "04", "08", "13"])
def test_any_version_and_any_prefix_is_read(version: str) -> None:
    party = "<RltdPties><Dbtr><Pty><Nm>Payer</Nm></Pty></Dbtr></RltdPties>"
    entry = ntry(status="<Sts><Cd>BOOK</Cd></Sts>", inner=details(party))
    plain = document(statement(entry, closing="10.00"), version=version).decode()
    prefixed = plain.replace("</", "</x:").replace("<", "<x:").replace("<x:/x:", "</x:").replace("xmlns=", "xmlns:x=")
    for text in (plain, prefixed):
        [found] = parsed(text.encode())
        assert found.entries[0].payer_name == "Payer"


def test_encodings_are_those_the_xml_declares() -> None:
    info = details("<RmtInf><Ustrd>Zahlung für Müller</Ustrd></RmtInf>")
    text = document(statement(ntry(inner=info), closing="10.00")).decode()
    latin = f'<?xml version="1.0" encoding="ISO-8859-1"?>{text}'.encode("latin-1")
    wide = f'<?xml version="1.0" encoding="UTF-16"?>{text}'.encode("utf-16")
    marked = b"\xef\xbb\xbf" + text.encode()
    assert {parsed(data)[0].entries[0].remittance for data in (latin, wide, marked)} == {"Zahlung für Müller"}
    assert "s.xml line 2" in refused(text.encode("latin-1"))


@pytest.mark.parametrize("status", ["<Sts>PDNG</Sts>", "<Sts><Cd>INFO</Cd></Sts>"])
def test_what_is_not_booked_is_left_out(status: str) -> None:
    [found] = parsed(document(statement(ntry(status=status), ntry(), closing="10.00")))
    assert len(found.entries) == 1


def test_a_batch_that_adds_up_is_one_entry_for_each_payment() -> None:
    parts = (f"<Refs><EndToEndId>E{i}</EndToEndId></Refs>{amount(text)}" for i, text in enumerate(["6.00", "4.00"]))
    [found] = parsed(document(statement(ntry(inner="<AcctSvcrRef>B</AcctSvcrRef>" + details(*parts)), closing="10.00")))
    assert [(e.amount_minor, e.end_to_end_id) for e in found.entries] == [(600, "E0"), (400, "E1")]
    assert len({e.entry_id for e in found.entries}) == 2


def test_a_batch_with_a_debit_in_it_keeps_its_signs() -> None:
    parts = (amount("12.00"), f"{amount('2.00')}<CdtDbtInd>DBIT</CdtDbtInd>")
    [found] = parsed(document(statement(ntry(inner=details(*parts)), closing="10.00")))
    assert [e.amount_minor for e in found.entries] == [1200, -200]


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ((amount("6.00"), amount("3.99")), "its parts are 999 minor units, the entry is 1000"),
        ((amount("6.00"), ""), "1 without an amount"),
        ((amount("6.00"), amount("4.00", "USD")), "1 without an amount in the entry's currency"),
    ],
)
def test_a_batch_that_does_not_add_up_stays_whole_and_says_why(parts: tuple[str, ...], why: str) -> None:
    found = only(ntry(inner=details(*(f"{p}<RmtInf><Ustrd>T{i}</Ustrd></RmtInf>" for i, p in enumerate(parts)))))
    assert (found.amount_minor, found.remittance) == (1000, "T0 T1")
    assert why in (found.note or "")


@pytest.mark.parametrize(
    "inner",
    [
        "<RvslInd>true</RvslInd>",
        "<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>IDDT</Cd><SubFmlyCd>UPDD</SubFmlyCd></Fmly></Domn></BkTxCd>",
        details("<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>"),
        details("<RtrInf/>"),
    ],
)
def test_returns_are_flagged(inner: str) -> None:
    [found] = parsed(document(statement(ntry(mark="DBIT", inner=inner), opening="10.00")))[0].entries
    assert found.returned


def test_the_other_party_of_a_debit_is_the_creditor_and_never_ourselves() -> None:
    both = "<RltdPties><Dbtr><Nm>We</Nm></Dbtr><Cdtr><Nm>They</Nm></Cdtr></RltdPties>"
    [debit] = parsed(document(statement(ntry(mark="DBIT", inner=details(both)), opening="10.00")))[0].entries
    assert debit.payer_name == "They"
    ours = "<RltdPties><Cdtr><Nm>We</Nm></Cdtr></RltdPties>"
    assert only(ntry(inner=details(ours))).payer_name is None


def test_a_text_that_the_bank_cut_is_put_together_again() -> None:
    text = "Payment for the invoices INV-100001 and INV-100002"
    cut = "".join(f"<Ustrd>{text[i : i + 35]}</Ustrd>" for i in range(0, len(text), 35))
    assert only(ntry(inner=details(f"<RmtInf>{cut}</RmtInf>"))).remittance == text
    apart = "<RmtInf><Ustrd>INV-1</Ustrd><Ustrd>INV-2</Ustrd></RmtInf>"
    assert only(ntry(inner=details(apart))).remittance == "INV-1 INV-2"


def test_a_notification_has_no_balances() -> None:
    body = statement(ntry()).replace("Stmt>", "Ntfctn>")
    [found] = parsed(document(body, kind="4"))
    assert (found.opening_minor, found.closing_minor, len(found.entries)) == (None, None, 1)


def test_equal_entries_without_references_are_two_and_keep_their_ids() -> None:
    data = document(statement(ntry(), ntry(), closing="20.00"))
    first, second = parsed(data)[0].entries
    assert second.entry_id == f"{first.entry_id}#2"
    assert [e.entry_id for e in parsed(data)[0].entries] == [first.entry_id, second.entry_id]
    [other] = parsed(document(statement(ntry(), closing="10.00", identity="S2")))[0].entries
    assert other.entry_id not in (first.entry_id, second.entry_id)


def test_pages_open_and_close_with_interim_balances() -> None:
    body = statement(ntry(), closing="10.00").replace("OPBD", "ITBD").replace("CLBD", "ITBD")
    [found] = parsed(document(body))
    assert (found.opening_minor, found.closing_minor) == (0, 1000)


def test_lines_past_65535_are_told() -> None:
    blank = "\n" * 70_000
    message = refused(document(statement(blank + ntry(days="<BookgDt><Dt>2026-02-30</Dt></BookgDt>"), closing="10.00")))
    assert message.startswith("s.xml line 70002: BookgDt/Dt is '2026-02-30'")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (document(statement(ntry(), closing="10.01")), "line 2: statement S1 does not add up"),
        (document(statement(ntry(), closing="10.01")), "the difference is 0.01 EUR"),
        (document(statement(ntry("1e3"))), "Amt is '1e3'"),
        (document(statement(ntry("-1.00"))), "Amt is '-1.00'"),
        (document(statement(ntry("1.001"))), "at most 2 decimals"),
        (document(statement(ntry(mark="C"))), "CdtDbtInd is 'C'"),
        (document(statement(ntry(days=""))), "without BookgDt and ValDt"),
        (document(statement(ntry().replace("EUR", "XYZ"))), "unknown currency 'XYZ'"),
        (document(statement(ntry().replace("EUR", "USD"), closing="10.00")), "an entry in USD; allowed: EUR"),
        (document(statement().replace("<Bal>", "<Bal><X/>", 1).replace("OPBD", "OPAV")), "no balance OPBD"),
        (document(statement().replace("<Id>S1</Id>", "")), "a statement without Id"),
        (document(statement().replace("<IBAN>NL41 MOCK 0000000001</IBAN>", "")), "without Acct/Id/IBAN"),
        (document(statement().replace('"EUR">0.00', '"USD">0.00', 1)), "a balance in EUR; allowed: USD"),
        (
            document(statement(extra="<TxsSummry><TtlNtries><NbOfNtries>2</NbOfNtries></TtlNtries></TxsSummry>")),
            "NbOfNtries",
        ),
        (document(statement(), kind="2"), "camt.052.001.02; allowed: a camt.053 or camt.054"),
        (b"<Other/>", "<Other> without <Document>"),
        (b"<", "line 1: not whole XML"),
        (b"", "line 1: not whole XML"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, told: str) -> None:
    message = refused(data)
    assert message.startswith("s.xml line ")
    assert told in message


def test_half_a_file_is_no_file() -> None:
    whole = document(statement(*(f"\n{ntry()}" for _ in range(50)), closing="500.00"))
    assert len(parsed(whole)[0].entries) == 50
    for part in (0.2, 0.5, 0.9, 0.999):
        assert "not whole XML" in refused(whole[: int(len(whole) * part)])


LAUGHS = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))


@pytest.mark.parametrize(
    "prolog",
    [
        '<?xml version="1.0"?>\n<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        f"\n<!DOCTYPE x [{LAUGHS}]>",
        '\n<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
        f"\n<!--{' ' * 70_000}--><!DOCTYPE x [<!ENTITY e 'x'>]>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_doctype_is_refused(prolog: str, encoding: str) -> None:
    text = document(statement()).decode()
    declared = prolog.replace('"1.0"', f'"1.0" encoding="{encoding}"')
    message = refused(f"{declared.lstrip()}{text}".encode(encoding))
    assert "DOCTYPE" in message or "not whole XML" in message


def test_a_doctype_is_refused_before_the_parser_sees_it() -> None:
    data = document(statement(), prolog=f"\n<!DOCTYPE x [{LAUGHS}]>\n").replace(b"<Stmt>", b'<Stmt a="&a9;">')
    assert refused(data).startswith("s.xml line 2: a DOCTYPE, which may define entities")


def test_what_is_no_entry_cannot_fill_the_memory() -> None:
    message = refused(document(statement(ntry() + "\n" + "<a/>" * 4_300_000)))
    assert message.startswith("s.xml line 2: no entry ends within the next 16,777,216 bytes")


def test_an_entity_is_not_resolved() -> None:
    assert "not whole XML" in refused(document(statement(ntry(inner=details("<AddtlTxInf>&e;</AddtlTxInf>")))))


def test_elements_nested_without_end_are_refused() -> None:
    assert "not whole XML" in refused(document("<a>" * 5000))


def test_amounts_have_the_decimals_of_their_currency() -> None:
    text = document(statement(ntry("10"), closing="10", opening="0")).decode().replace("EUR", "JPY")
    assert parsed(text.encode())[0].closing_minor == int(Decimal(10))
