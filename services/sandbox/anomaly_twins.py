"""Documents that are there twice: double invoices, double payments, invoices credited and billed again and again."""

import re

from services.sandbox.anomaly_desk import Desk, Row

# wide and smooth on purpose: nothing here may know from when on a rule speaks
TWIN_DAYS = (0, 22)
REBILL_DAYS, AGAIN_DAYS, ROUNDS = (10, 61), (0, 8), (3, 5)


def duplicate_invoice(desk: Desk, _wanted: int) -> None:
    """The same goods billed once more under a number that was mistyped, and never taken back."""
    if not desk.bases:
        return
    base = desk.pick(desk.bases)
    if (base["_entity"], base["invoice_id"]) in {(e, of) for (e, _), of in desk.misspelt.items()}:
        return
    day = desk.working(base["_entity"], base["_day"] + int(desk.rng.integers(*TWIN_DAYS)))
    cents = 0 if desk.chance(0.7) else int(desk.rng.integers(-99, 100))
    amount = max(base["amount_minor"] + cents, 100)
    desk.begin()
    order = base["order_id"] if desk.chance(0.5) else None
    local = max(desk.moment(day), base["_local"] + 60_000_000) if day == base["_day"] else None
    twin = desk.invoice(base, day, amount, order_id=order, local=local)
    desk.misspelt[twin["_entity"], twin["invoice_id"]] = base["invoice_id"]
    desk.odd("duplicate_invoice", "invoice", twin, f"{base['invoice_id']} once more")


def misspelt(number: str) -> list[str]:
    """The ways in which a tired person types an invoice's number."""
    forms = [*_transposed(number), number.replace("0", "O", 1), f"{number}A", f"{number}/1", f"R{number}"]
    forms += [number.replace("-", ""), number.replace("1", "I", 1), f"{number}-1"]
    return [f for f in forms if f != number]


def _transposed(number: str) -> list[str]:
    """Two neighbouring digits changed places."""
    digits = [m.start() for m in re.finditer(r"\d(?=\d)", number)]
    return [number[:i] + number[i + 1] + number[i] + number[i + 2 :] for i in digits]


def duplicate_payment(desk: Desk, _wanted: int) -> None:
    """A payment booked once more, up to three weeks later, with the reference written a little differently."""
    rows = [p for p in desk.paid if p["reference"]]
    if not rows:
        return
    base = desk.pick(rows)
    day = base["_day"] + int(desk.rng.integers(*TWIN_DAYS))
    twin = desk.payment(
        base, desk.working(base["_entity"], day), base["amount_minor"], reference=_rewritten(desk, base)
    )
    desk.begin()
    desk.odd("duplicate_payment", "payment", twin, f"{base['payment_id']} booked once more")


def _rewritten(desk: Desk, base: Row) -> str:
    text = str(base["reference"])
    return str(desk.pick([text, text.lower(), text.replace("-", ""), f"RE {text}", text.replace(" ", ", ")]))


def rebill_loop(desk: Desk, _wanted: int) -> None:
    """An invoice credited in full and billed anew whenever it would grow old; odd from the second time on."""
    if not desk.bases:
        return
    base = desk.pick(desk.bases)
    desk.begin()
    day, amount = base["_day"], desk.usual(base)
    invoice = desk.invoice(base, day, amount)
    for round_ in range(int(desk.rng.integers(ROUNDS[0], ROUNDS[1] + 1))):
        day = desk.working(base["_entity"], day + int(desk.rng.integers(*REBILL_DAYS)))
        if day >= desk.history.window.end - 5:
            return
        note, again = credit_and_rebill(desk, invoice, day, amount)
        if round_:
            desk.odd("rebill_loop", "credit_note", note, f"{invoice['invoice_id']} credited to be billed anew")
            desk.odd("rebill_loop", "invoice", again, f"{invoice['invoice_id']} billed anew, round {round_ + 1}")
        invoice, day, amount = again, again["_day"], again["amount_minor"]


def credit_and_rebill(desk: Desk, invoice: Row, day: int, amount: int) -> tuple[Row, Row]:
    """The invoice credited in full on `day`, and billed anew within a week or so."""
    note = desk.credit(invoice, day, amount, invoice_id=invoice["invoice_id"])
    desk.credited(note, invoice)
    later = desk.working(invoice["_entity"], day + int(desk.rng.integers(*AGAIN_DAYS)))
    about = amount if desk.chance(0.5) else max(round(amount * desk.rng.uniform(0.98, 1.02)), 100)
    local = max(desk.moment(later), note["_local"] + 120_000_000)
    return note, desk.invoice(invoice, later, int(about), local=local)
