"""One entry of a camt message as the movements it stands for.

A batch becomes one movement for each of its transactions, because each settles other invoices; where their amounts are
missing or do not add up to the entry it stays whole, since a split would invent or lose money, and `note` says so.
"""

from collections.abc import Iterator
from datetime import date

from features.errors import BadInput
from pipelines.bank.camt_xml import Part
from pipelines.bank.statement import Entry, account_number

# ISO 20022 external bank transaction sub-families that take something back.
_TAKES_BACK = {"RRTN", "UPDD", "UPCQ", "RPCR", "PRDD", "ARET"}
_NOTHING = {"NOTPROVIDED", "NONREF", "NOT PROVIDED"}
_NARROWEST_CUT = 35
_STRUCTURED = ("RmtInf/Strd/CdtrRefInf/Ref", "RmtInf/Strd/RfrdDocInf/Nb", "RmtInf/Strd/AddtlRmtInf")
_NAME = ("RltdPties/{}/Nm", "RltdPties/{}/Pty/Nm")
_ACCOUNT = ("RltdPties/{}Acct/Id/IBAN", "RltdPties/{}Acct/Id/Othr/Id")
_PARTY = {
    role: (tuple(p.format(role) for p in _NAME), tuple(p.format(role) for p in _ACCOUNT)) for role in ("Dbtr", "Cdtr")
}


def entries_of(entry: Part) -> list[Entry]:
    """The booked movements of an `Ntry`, without ids; none where it is pending or for information."""
    if entry.either("Sts/Cd", "Sts") not in (None, "BOOK"):
        return []
    total, currency = entry.signed_minor()
    details = entry.parts.get("TxDtls", [])
    if len(details) < 2:
        return [_movement(entry, details, total, currency)]
    amounts = [_detail_minor(detail, total, currency) for detail in details]
    if None not in amounts and sum(filter(None, amounts)) == total:
        pairs = zip(details, amounts, strict=True)
        return [_movement(entry, [detail], amount or 0, currency) for detail, amount in pairs]
    return [_movement(entry, details, total, currency, _why_whole(amounts, total))]


def _detail_minor(detail: Part, total: int, currency: str) -> int | None:
    """Signed minor units of one transaction; None where it says none in the entry's currency."""
    for path in ("Amt", "AmtDtls/TxAmt/Amt"):
        if detail.currencies.get(path) == currency:
            sign = detail.sign() if detail.has("CdtDbtInd") else (1 if total >= 0 else -1)
            return detail.amount_minor(path)[0] * sign
    return None


def _why_whole(amounts: list[int | None], total: int) -> str:
    silent = amounts.count(None)
    if silent:
        return f"batch of {len(amounts)} kept as one: {silent} without an amount in the entry's currency"
    found = sum(filter(None, amounts))
    return f"batch of {len(amounts)} kept as one: its parts are {found} minor units, the entry is {total}"


def _movement(entry: Part, details: list[Part], amount: int, currency: str, note: str | None = None) -> Entry:
    """A movement of `amount`: the one that `details` tells of, or where they are several all of them together."""
    only = details[0] if len(details) == 1 else None
    booked, valued = _days(entry)
    returned = _is_return(entry, details)
    name, account = (None, None) if only is None else _other_party(only, credit=amount >= 0, returned=returned)
    return Entry(
        entry_id="",
        booking_date=booked,
        value_date=valued,
        amount_minor=amount,
        currency=currency,
        bank_reference=_said((only.text("Refs/AcctSvcrRef") if only else None) or entry.text("AcctSvcrRef")),
        end_to_end_id=_said(only.text("Refs/EndToEndId") if only else None),
        payer_name=name,
        payer_account=account_number(account) if account else None,
        remittance=_remittance(entry, details),
        code=_code(entry),
        returned=returned,
        place=only.place if only else entry.place,
        note=note,
    )


def _days(entry: Part) -> tuple[date, date]:
    """Booking and value day; banks that give only one mean both."""
    booked, valued = entry.day("BookgDt/Dt", "BookgDt/DtTm"), entry.day("ValDt/Dt", "ValDt/DtTm")
    first = booked or valued
    if first is None:
        raise BadInput(f"{entry.place}: an entry without BookgDt and ValDt; allowed: the day it was booked")
    return first, valued or first


def _said(reference: str | None) -> str | None:
    return None if reference is None or reference.upper() in _NOTHING else reference


def _other_party(detail: Part, *, credit: bool, returned: bool) -> tuple[str | None, str | None]:
    """Name and account of who stands on the other side.

    Of a return some banks tell the roles of the original payment and some those of the return, so both are tried.
    """
    roles = ["Dbtr", "Cdtr"] if credit else ["Cdtr", "Dbtr"]
    for role in reversed(roles) if returned else roles[:1]:
        names, accounts = _PARTY[role]
        found = (detail.either(*names), detail.either(*accounts))
        if any(found):
            return found
    return None, None


def _remittance(entry: Part, details: list[Part]) -> str | None:
    """What the payers wrote, else what the bank adds."""
    texts = [text for detail in details for text in _written(detail)]
    texts = texts or [text for detail in details if (text := detail.text("AddtlTxInf"))]
    texts = texts or [text for text in (entry.text("AddtlNtryInf"),) if text]
    return " ".join(dict.fromkeys(texts)) or None


def _written(detail: Part) -> Iterator[str]:
    lines = detail.each("RmtInf/Ustrd")
    if lines:
        yield _unfolded(lines)
    for path in _STRUCTURED:
        yield from (text.strip() for text in detail.each(path))


def _unfolded(lines: list[str]) -> str:
    """Lines that a bank cut at one width, perhaps inside an invoice number, are one text; others stand apart."""
    width = len(lines[0])
    cut = width >= _NARROWEST_CUT and all(len(line) == width for line in lines[:-1]) and len(lines[-1]) <= width
    return ("" if cut else " ").join(line if cut else line.strip() for line in lines).strip()


def _code(entry: Part) -> str | None:
    steps = [entry.text(f"BkTxCd/Domn/{path}") for path in ("Cd", "Fmly/Cd", "Fmly/SubFmlyCd")]
    return "/".join(filter(None, steps)) or entry.text("BkTxCd/Prtry/Cd")


def _is_return(entry: Part, details: list[Part]) -> bool:
    if entry.text("RvslInd") in ("true", "1"):
        return True
    if entry.text("BkTxCd/Domn/Fmly/SubFmlyCd") in _TAKES_BACK:
        return True
    return any(detail.has("RtrInf") for detail in details)
