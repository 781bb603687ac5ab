"""One :61: of an MT940 with its :86: as an entry.

:61:  YYMMDD value day, MMDD booking day, C/D/RC/RD, funds code, amount, type, reference // bank's reference
:86:  166?00..?20..?32..    numbered subfields (Germany, Poland, Austria), with EREF+ SVWZ+ in ?20 to ?29
      /EREF/../NAME/../REMI/..    named ones (Netherlands)
      anything else               the text itself
"""

import re
from dataclasses import dataclass
from datetime import date

from features.errors import BadInput
from pipelines.bank.decoding import blank_to_none, minor, two_digit_day
from pipelines.bank.statement import Entry, account_number

_MOVEMENT = re.compile(
    r"(?P<value>[0-9]{6})(?P<booked>[0-9]{4}|\s{4})?(?P<mark>R?[DC])(?P<funds>[A-Z])?"
    r"(?P<amount>[0-9]{1,15},[0-9]{0,6})(?P<type>[A-Z][A-Z0-9]{3})?(?P<own>(?:(?!//).){0,40})(?://(?P<bank>.{0,40}))?$"
)
_NUMBERED = re.compile(r"\s*(?P<code>[0-9]{3})(?P<mark>[^0-9A-Za-z\s])(?=[0-9]{2})")
# A label starts a subfield; inside one it is the payer's text. No file has the null character.
_START = "\x00"
_SEPA = re.compile(_START + r"(?:(EREF|KREF|MREF|CRED|DEBT|COAM|OAMT|SVWZ|ABWA|ABWE|IBAN|BIC)\+|(MTLG):)")
_NAMED = re.compile(r"/(TRTP|IBAN|BIC|NAME|EREF|MARF|CSID|PREF|REMI|BENM|ORDP|ULTC|ULTD|ISDT|ADDR|RTRN|ID|TRCD)/")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}")
_NOTHING = {"", "NONREF", "KREF+", "EREF", "EREF+", "STARTUMS"}
# German business transaction codes of returned direct debits and transfers.
_TAKES_BACK = {"108", "109", "159", "181", "184"}
_FOLDED_AT = 60
_HALF_A_YEAR_DAYS = 183


@dataclass(slots=True)
class _About:
    """What an :86: tells."""

    code: str | None = None
    remittance: str | None = None
    end_to_end_id: str | None = None
    name: str | None = None
    account: str | None = None
    returned: bool = False


def entry_of(movement: list[str], about: list[str], *, place: str, currency: str) -> Entry:
    """The entry, without its id, of the lines of a :61: and its :86:; `BadInput` where the :61: is none."""
    parts = _MOVEMENT.match(movement[0])
    if parts is None:
        raise BadInput(f"{place}: :61: cannot be read; allowed: such as 2603310331CR12,50NTRFREF//BANKREF")
    valued = two_digit_day(parts["value"], place, "the value day of :61:")
    unsigned = minor(parts["amount"].replace(",", "."), currency, place, "the amount of :61:")
    told = _about(about)
    own, extra = parts["own"].strip(), " ".join(" ".join(movement[1:]).split())
    reversal = parts["mark"].startswith("R")
    credit = parts["mark"] in ("C", "RD")
    return Entry(
        entry_id="",
        booking_date=_booked(parts["booked"], valued, place),
        value_date=valued,
        amount_minor=unsigned if credit else -unsigned,
        currency=currency,
        bank_reference=_reference(parts["bank"]),
        end_to_end_id=told.end_to_end_id or (None if _IBAN.fullmatch(own) else _reference(own)),
        payer_name=told.name or (extra if extra and _follows(about, own, extra) else None),
        payer_account=told.account or next((found for found in (own, extra) if _IBAN.fullmatch(found)), None),
        remittance=told.remittance or (None if _IBAN.fullmatch(extra) else blank_to_none(extra)),
        code=told.code or parts["type"],
        returned=reversal or told.returned or told.code in _TAKES_BACK or parts["type"] == "NRTI",
        place=place,
    )


def _follows(about: list[str], account: str, name: str) -> bool:
    """Whether the :86: starts by repeating the other party's account and name."""
    return bool(about) and _IBAN.fullmatch(account) is not None and about[0].strip() == f"{account} {name}"


def _reference(text: str | None) -> str | None:
    found = (text or "").strip()
    return None if found.upper() in _NOTHING else found


def _booked(text: str | None, valued: date, place: str) -> date:
    """The booking day, which has no year: the one closest to the value day."""
    if not (text or "").strip():
        return valued
    for year in (valued.year, valued.year + 1, valued.year - 1):
        try:
            found = date.fromisoformat(f"{year}-{(text or '')[:2]}-{(text or '')[2:]}")
        except ValueError:
            continue
        if abs((found - valued).days) <= _HALF_A_YEAR_DAYS:
            return found
    raise BadInput(f"{place}: the booking day of :61: is {text!r}; allowed: a day that exists, written MMDD")


def _about(lines: list[str]) -> _About:
    whole = "".join(lines)
    numbered = _NUMBERED.match(whole)
    if numbered:
        return _numbered(whole[numbered.end() - 1 :], numbered["mark"], numbered["code"])
    if _NAMED.match(whole):
        return _named(whole)
    return _About(remittance=_unfolded(lines))


def _unfolded(lines: list[str]) -> str | None:
    """The text of the lines; a line that is nearly full was cut, perhaps inside a word."""
    text = "".join(line if len(line) >= _FOLDED_AT else f"{line} " for line in lines)
    return " ".join(text.split()) or None


def _numbered(text: str, mark: str, code: str) -> _About:
    fields: dict[str, str] = {}
    for part in re.split(re.escape(mark) + r"(?=[0-9]{2})", text)[1:]:
        fields[part[:2]] = fields.get(part[:2], "") + part[2:]
    purpose = "".join(_START + fields[k] for k in sorted(fields) if "20" <= k <= "29" or "60" <= k <= "63")
    labelled = _labelled(_SEPA, purpose)
    said = [text for text in (labelled.get("SVWZ"), labelled.get("MTLG"), labelled[""]) if text and text.strip()]
    account = account_number(labelled.get("IBAN") or fields.get("38") or fields.get("31") or "")
    return _About(
        code=code,
        remittance=blank_to_none(said[0] if said else fields.get("00")),
        end_to_end_id=_end_to_end(labelled.get("EREF")),
        name=blank_to_none(fields.get("32", "") + fields.get("33", "")),
        account=account or None,
    )


def _named(text: str) -> _About:
    labelled = _labelled(_NAMED, text)
    account = labelled.get("IBAN", "")
    return _About(
        remittance=blank_to_none(labelled.get("REMI", text).strip(" /")),
        end_to_end_id=_end_to_end(labelled.get("EREF", "").strip(" /")),
        name=blank_to_none(labelled.get("NAME", "").strip(" /")),
        account=account_number(account.strip(" /")) or None,
        returned="RTRN" in labelled,
    )


def _end_to_end(text: str | None) -> str | None:
    found = blank_to_none(text)
    return None if found in ("NOTPROVIDED", "NONREF", "NOT PROVIDED") else found


def _labelled(label: re.Pattern[str], text: str) -> dict[str, str]:
    """Label -> the text behind it; what stands before the first one is under "".

    A label that comes again is text: banks write theirs first, so a payer cannot put another account or name over it.
    """
    found: dict[str, str] = {}
    name, start = "", 0
    for at in label.finditer(text):
        if at[at.lastindex or 0] not in (*found, name):
            found[name] = text[start : at.start()]
            name, start = at[at.lastindex or 0], at.end()
    found[name] = text[start:]
    return {name: value.replace(_START, "") for name, value in found.items()}
