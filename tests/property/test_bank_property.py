"""Whatever a bank tells in camt.053, MT940 or BAI2 is read back as it was, whole, and never in part."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from xml.sax.saxutils import escape

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from features.errors import BadInput
from features.money import from_minor
from pipelines.bank import bai2, camt, mt940
from pipelines.bank.statement import Statement

DAY = date(2026, 3, 2)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True)
class Movement:
    minor: int
    days: int
    reference: str
    end_to_end: str
    text: str


# A label of the bank at the start of a subfield is one, also where the payer wrote it.
LABEL = re.compile(r"[A-Z]{3,4}\+|MTLG:")
texts = (
    st.lists(st.text(LETTERS + "-.=+@", min_size=1, max_size=12), min_size=1, max_size=6)
    .map(" ".join)
    .filter(lambda text: not LABEL.search(text))
)
references = st.from_regex(r"[A-Z][A-Z0-9]{1,14}", fullmatch=True).filter(lambda text: text not in ("NONREF", "EREF"))
movements = st.lists(
    st.builds(
        Movement,
        minor=st.integers(-(10**11), 10**11).filter(bool),
        days=st.integers(-20, 20),
        reference=references,
        end_to_end=references,
        text=texts,
    ),
    max_size=12,
)
openings = st.integers(-(10**12), 10**12)
currencies = st.sampled_from(["EUR", "JPY", "KWD"])


def camt_text(opening: int, found: list[Movement], currency: str) -> str:
    def amount(minor: int) -> str:
        mark = "CRDT" if minor >= 0 else "DBIT"
        return f'<Amt Ccy="{currency}">{from_minor(abs(minor), currency)}</Amt><CdtDbtInd>{mark}</CdtDbtInd>'

    def balance(code: str, minor: int) -> str:
        return f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{amount(minor)}</Bal>"

    def entry(move: Movement) -> str:
        refs = f"<Refs><EndToEndId>{move.end_to_end}</EndToEndId></Refs>"
        info = f"{refs}<RmtInf><Ustrd>{escape(move.text)}</Ustrd></RmtInf>"
        days = f"<BookgDt><Dt>{DAY}</Dt></BookgDt><ValDt><Dt>{DAY + timedelta(move.days)}</Dt></ValDt>"
        more = f"{days}<AcctSvcrRef>{move.reference}</AcctSvcrRef><NtryDtls><TxDtls>{info}</TxDtls></NtryDtls>"
        return f"<Ntry>{amount(move.minor)}<Sts>BOOK</Sts>{more}</Ntry>\n"

    closing = opening + sum(m.minor for m in found)
    head = f"<Id>S</Id><Acct><Id><IBAN>NL1</IBAN></Id></Acct>{balance('OPBD', opening)}{balance('CLBD', closing)}"
    period = f"<FrToDt><FrDtTm>{DAY}T00:00:00</FrDtTm><ToDtTm>{DAY}T23:59:59</ToDtTm></FrToDt>"
    body = f"<Stmt>{head}{period}{''.join(map(entry, found))}</Stmt>"
    return f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><X>{body}</X></Document>'


def mt940_text(opening: int, found: list[Movement], currency: str) -> str:
    def amount(minor: int) -> str:
        text = f"{from_minor(abs(minor), currency)}".replace(".", ",")
        return text if "," in text else f"{text},"

    def balance(minor: int) -> str:
        return f"{'C' if minor >= 0 else 'D'}{DAY:%y%m%d}{currency}{amount(minor)}"

    def entry(move: Movement) -> str:
        day, mark = DAY + timedelta(move.days), "C" if move.minor >= 0 else "D"
        subfields = [f"SVWZ+{move.text}"[i : i + 27] for i in range(0, len(move.text) + 5, 27)]
        about = "".join(f"?{21 + i}{text}" for i, text in enumerate(subfields))
        whole = f":86:166?00TRANSFER?20EREF+{move.end_to_end}{about}"
        folded = "\n".join(whole[i : i + 65] for i in range(0, len(whole), 65))
        return f":61:{day:%y%m%d}{DAY:%m%d}{mark}{amount(move.minor)}NTRFNONREF//{move.reference}\n{folded}\n"

    closing = opening + sum(m.minor for m in found)
    head = f":20:S\n:25:NL1\n:28C:1/1\n:60F:{balance(opening)}\n"
    return f"{head}{''.join(map(entry, found))}:62F:{balance(closing)}\n-\n"


def bai2_text(opening: int, found: list[Movement], currency: str) -> str:
    def entry(move: Movement) -> str:
        code, day = "142" if move.minor >= 0 else "451", DAY + timedelta(move.days)
        start = f"16,{code},{abs(move.minor)},V,{day:%y%m%d},,{move.reference},{move.end_to_end}"
        first, _, rest = move.text.partition(" ")
        return f"{start},{first}/\n88,{rest}/\n" if rest else f"{start},{first}/\n"

    closing = opening + sum(m.minor for m in found)
    records = 2 + len(found) + sum(" " in m.text for m in found)
    total = opening + closing + sum(abs(m.minor) for m in found)
    head = (
        f"01,B,U,{DAY:%y%m%d},,1,,,2/\n02,U,B,1,{DAY:%y%m%d},,{currency},/\n03,NL1,,010,{opening},,,015,{closing},,/\n"
    )
    ends = f"49,{total},{records}/\n98,{total},1,{records + 2}/\n99,{total},1,{records + 4}/\n"
    return f"{head}{''.join(map(entry, found))}{ends}"


Writer = Callable[[int, list[Movement], str], str]
Reader = Callable[[io.BytesIO, str], list[Statement]]
FORMATS: list[tuple[Writer, Reader]] = [
    (camt_text, camt.parse),
    (mt940_text, mt940.parse),
    (bai2_text, bai2.parse),
]
formats = st.sampled_from(FORMATS)


def tried(parse: Reader, content: bytes) -> tuple[list[Statement], str]:
    """The statements, or the complaint; any other error is one of ours."""
    try:
        return parse(io.BytesIO(content), "s"), ""
    except BadInput as error:
        return [], str(error)


def read(parse: Reader, content: str) -> list[Statement]:
    return parse(io.BytesIO(content.encode()), "s")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(formats, openings, movements, currencies)
def test_what_was_written_is_read_back(
    form: tuple[Writer, Reader], opening: int, found: list[Movement], currency: str
) -> None:
    write, parse = form
    [statement] = read(parse, write(opening, found, currency))
    assert statement.opening_minor == opening
    assert statement.closing_minor == opening + sum(m.minor for m in found)
    assert (statement.account, statement.currency) == ("NL1", currency)
    told = [
        Movement(
            e.amount_minor, (e.value_date - DAY).days, e.bank_reference or "", e.end_to_end_id or "", e.remittance or ""
        )
        for e in statement.entries
    ]
    assert told == found
    assert {e.booking_date for e in statement.entries} <= {DAY}
    assert len({e.entry_id for e in statement.entries}) == len(found)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(formats, openings, movements, currencies, st.data())
def test_a_part_of_a_file_is_refused_and_nothing_else_happens(
    form: tuple[Writer, Reader], opening: int, found: list[Movement], currency: str, data: st.DataObject
) -> None:
    write, parse = form
    content = write(opening, found, currency)
    whole = read(parse, content)
    part = content[: data.draw(st.integers(0, len(content) - 1))]
    statements, complaint = tried(parse, part.encode())
    # Nothing lost: what is cut off is the end of line, the closing mark, or before the first statement of an MT940.
    assert complaint.startswith("s line ") if complaint else statements in ([], whole)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(formats, openings, movements, currencies, st.data())
def test_one_byte_that_is_wrong_never_fails_otherwise_than_by_name(
    form: tuple[Writer, Reader], opening: int, found: list[Movement], currency: str, data: st.DataObject
) -> None:
    write, parse = form
    content = bytearray(write(opening, found, currency).encode())
    assume(content)
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    _, complaint = tried(parse, bytes(content))
    assert complaint.startswith("s line ") or not complaint
