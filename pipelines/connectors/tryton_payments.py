"""Money that Tryton booked, and rates of exchange, as records of the canonical tables.

A payment is what one posted move of a cash or bank journal brought from one party: an entry of a bank statement that
settles three invoices is one payment of three lines. What a bank took back is a move of its own, of less than nothing.
"""

from collections.abc import Iterator
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from pipelines.connectors.tryton_changes import Window, as_text, changed, stamp_of
from pipelines.connectors.tryton_companies import Company, customer_id
from pipelines.connectors.tryton_documents import Records
from pipelines.connectors.tryton_json import Json

MONEY_JOURNALS = ("cash", "statement")
_LINE = ("debit", "credit", "amount_second_currency", "second_currency.code", "account.type.receivable", "party.code")
_FIELDS = ("date", "description", *(f"lines.{name}" for name in _LINE))
_RATE = Decimal("0.000000001")


def money_moves(company: Company) -> list[Any]:
    """The domain of the posted moves by which money came or went."""
    of_money = ["OR", ["journal.type", "in", list(MONEY_JOURNALS)], ["origin", "like", "account.payment%"]]
    return [["company", "=", company.id], ["state", "=", "posted"], of_money]


def payment_id(move: int, party: int) -> str:
    """How a payment is called, here and where it is allocated."""
    return f"{move}.{party}"


def payments(company: Company, window: Window) -> Records:
    """Money received from parties, by move."""
    for moves in changed(company.erp, "account.move", money_moves(company), _FIELDS, window):
        said = _references(company, [move["id"] for move in moves])
        yield [record for move in moves for record in _payments_of(company, move, said)]


def received_currency(lines: list[Json], company: Company) -> str:
    """The currency of the money itself: that of the move's lines which are not the party's."""
    codes = {(line["second_currency"] or {}).get("code") for line in lines if not is_receivable(line)}
    return next(iter(codes)) or company.currency if len(codes) == 1 else company.currency


def is_receivable(line: Json) -> bool:
    """Whether a move line is on an account of what customers owe."""
    return bool((line["account"].get("type") or {}).get("receivable"))


def _payments_of(company: Company, move: Json, said: dict[int, str]) -> Iterator[Json]:
    currency = received_currency(move["lines"], company)
    parties = {line["party"]["id"]: line["party"] for line in move["lines"] if is_receivable(line) and line["party"]}
    for number, party in sorted(parties.items()):
        theirs = [line for line in move["lines"] if is_receivable(line) and (line["party"] or {}).get("id") == number]
        amount = -sum((_amount(line, currency) for line in theirs), Decimal(0))
        if amount:
            yield {
                "id": payment_id(move["id"], number),
                "company": company.entity,
                "changed_at": as_text(stamp_of(move)),
                "customer_id": customer_id(party),
                "value_date": str(move["date"]),
                "currency": currency,
                "amount": str(amount),
                "reference": said.get(move["id"]) or move["description"],
            }


def _amount(line: Json, currency: str) -> Decimal:
    second = (line["second_currency"] or {}).get("code")
    return Decimal(line["amount_second_currency"] if second == currency else line["debit"] - line["credit"])


def _references(company: Company, moves: list[int]) -> dict[int, str]:
    """What the bank statement says beside each move."""
    found: dict[int, list[str]] = {}
    for line in company.erp.of_ids("account.statement.line", "move", moves, ("move", "description", "number")):
        text = line["description"] or line["number"]
        if text and text not in found.setdefault(line["move"], []):
            found[line["move"]].append(text)
    return {move: " ".join(texts) for move, texts in found.items() if texts}


def rates(company: Company, window: Window) -> Records:
    """The company's currency per unit of each other one, from every day on which either got a new rate.

    Tryton keeps rates against a common unit. Where one changed, all from its day on are told again.
    """
    fields = ("date", "rate", "currency.code")
    new = [row for rows in changed(company.erp, "currency.currency.rate", [], fields, window) for row in rows]
    if not new:
        return
    table: dict[str, dict[date, Json]] = {}
    for row in company.erp.search("currency.currency.rate", [], (*fields, "create_date", "write_date")):
        if row["currency"] and row["date"]:
            table.setdefault(row["currency"]["code"], {})[row["date"]] = row
    first = min(row["date"] for row in new if row["date"])
    own = table.pop(company.currency, {})
    yield [
        _rate(company, code, day, theirs, ours)
        for code, of_code in sorted(table.items())
        for day in sorted(of_code.keys() | own.keys())
        if day >= first and (theirs := _latest(of_code, day)) and (ours := _latest(own, day))
    ]


def _latest(by_day: dict[date, Json], day: date) -> Json | None:
    known = [d for d in by_day if d <= day]
    return by_day[max(known)] if known else None


def _rate(company: Company, code: str, day: date, theirs: Json, ours: Json) -> Json:
    rate = (ours["rate"] / theirs["rate"]).quantize(_RATE, ROUND_HALF_EVEN)
    return {
        "id": f"{code}:{company.currency}:{day}",
        "company": company.entity,
        "changed_at": as_text(stamp_of(theirs, ours)),
        "currency": code,
        "to_currency": company.currency,
        "day": str(day),
        "rate": str(rate),
    }
