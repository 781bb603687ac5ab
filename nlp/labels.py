"""What a message may be about: the intents and the reasons of a dispute, each declared once.

`alone` intents are never combined with others. A reason's `x12` are the ANSI X12 element 426 codes that a deduction
for it would carry, the usual one first; its `team` is who usually answers.
"""

from dataclasses import dataclass

LANGUAGES = ("en", "de", "fr", "es")


@dataclass(frozen=True)
class Intent:
    """What the sender wants or tells."""

    name: str
    says: str
    alone: bool = False


@dataclass(frozen=True)
class Reason:
    """Why the sender does not owe, or not yet, what was billed."""

    name: str
    says: str
    team: str
    x12: tuple[str, ...] = ()


DISPUTE = Intent("dispute", "something billed, dunned or credited is said to be wrong, not owed or to be corrected")
PROMISE = Intent("promise_to_pay", "the customer commits to a payment that is still to come")
NOTICE = Intent("payment_notice", "a payment is made, executed or instructed; a remittance advice")
COPY = Intent("invoice_copy_request", "a billing document is asked for, without contesting it")
STATEMENT = Intent("statement_request", "a statement, the balance or open items are asked for")
EXTENSION = Intent("extension_request", "a later date, instalments or longer terms are asked for")
MASTER_DATA = Intent("master_data_change", "bank, address, contact or channel changes, or is to be verified")
AUTO_REPLY = Intent("auto_reply", "a robot answered: out of office, ticket, bounce", alone=True)
OTHER = Intent("other", "anything else: thanks, spam, misdirected, withdrawn", alone=True)

INTENTS = (DISPUTE, PROMISE, NOTICE, COPY, STATEMENT, EXTENSION, MASTER_DATA, AUTO_REPLY, OTHER)

REASONS = (
    Reason("pricing", "price, rate or currency against order, contract or quote", "pricing", ("01",)),
    Reason("quantity", "some of what was billed did not come, or too much was sent", "logistics", ("06",)),
    Reason("damaged_or_defective", "goods damaged, defective, out of temperature", "quality", ("04",)),
    Reason("not_received", "the whole billed delivery or service never arrived", "logistics", ("59",)),
    Reason("wrong_item", "another article, size, grade or colour than ordered", "logistics", ("07",)),
    Reason("duplicate_billing", "the same thing on two documents", "billing", ("19",)),
    Reason("already_paid", "what is demanded was paid, collected or set off", "cash application"),
    Reason("missing_po_or_reference", "no or no valid order number, approval or requester", "billing"),
    Reason("tax", "VAT, sales tax, withholding, exemption, reverse charge", "tax", ("55",)),
    Reason("freight", "transport, handling, demurrage, storage, packing", "logistics", ("54",)),
    Reason("discount_or_promotion", "cash discount, rebate, promotion, bonus", "sales", ("02", "24", "56")),
    Reason(
        "service_or_contract", "service badly performed, cancellation, acceptance, fees", "account manager", ("09",)
    ),
    Reason("wrong_entity", "wrong company or customer", "billing"),
    Reason("returned_goods", "the credit for what went back is missing or too low", "returns"),
)
