"""The canonical tables, declared once: the lake's schema, the contracts, the sandbox and the docs derive from here.

Every row is a bitemporal fact. Beside its own columns it carries `SYSTEM`: whose books it belongs to, which record of
which source it came from, when we learnt it, the digest of that record, and whether it takes the fact back. A
correction is a new row with the same key and a later `known_at`; nothing is ever changed in place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import polars as pl

from features.errors import NotFound
from features.money import exponents

INSTANT = pl.Datetime("ms", "UTC")
INSTALMENT = pl.Struct({"number": pl.Int64, "due_date": pl.Date, "amount_minor": pl.Int64})


class Kind(Enum):
    """What a column holds: its Polars type and how a person would say it."""

    TEXT = (pl.String(), "text")
    DAY = (pl.Date(), "a date")
    INSTANT = (INSTANT, "an instant in UTC, to the millisecond, rounded up")
    MONEY = (pl.Int64(), "a signed whole number of the currency's minor units")
    CURRENCY = (pl.String(), "an ISO 4217 code such as USD, EUR, JPY")
    COUNT = (pl.Int64(), "a whole number")
    NUMBER = (pl.Float64(), "a finite number")
    RATE = (pl.Decimal(18, 9), "a positive decimal with up to 9 decimals")
    FLAG = (pl.Boolean(), "true or false")
    INSTALMENTS = (pl.List(INSTALMENT), "one or more of {number, due_date, amount_minor}")

    def __init__(self, dtype: pl.DataType, words: str) -> None:
        self.dtype = dtype
        self.words = words


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, kind, meaning, and whether it may be missing."""

    name: str
    kind: Kind
    doc: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition on one row. `ok` yields true or null where the row is fine; `column` is the one to blame."""

    column: str
    ok: Callable[[], pl.Expr]
    allowed: str


SYSTEM = (
    Column("entity_id", Kind.TEXT, "legal entity whose books this belongs to; never missing, never mixed"),
    Column("source", Kind.TEXT, "the system it came from"),
    Column("source_id", Kind.TEXT, "the record's id in that system"),
    Column("known_at", Kind.INSTANT, "when we, or the system that told us, learnt it"),
    Column("digest", Kind.TEXT, "SHA-256 of the source record's payload, as hex"),
    Column("deleted", Kind.FLAG, "true where the source took the record back"),
)


@dataclass(frozen=True, slots=True)
class Table:
    """One canonical table. A fact's identity is (`entity_id`, `id_column`); its versions differ in `known_at`."""

    name: str
    doc: str
    id_column: str
    day_column: str | None
    own_columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """System columns first, then the table's own; `entity` owns no second entity_id."""
        return SYSTEM + tuple(c for c in self.own_columns if c.name != "entity_id")

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Column name -> Polars type, in order."""
        return {c.name: c.kind.dtype for c in self.columns}

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that identify a fact through all its versions."""
        return ("entity_id",) if self.id_column == "entity_id" else ("entity_id", self.id_column)


def _is_currency(column: str) -> Rule:
    return Rule(column, lambda: pl.col(column).is_in(sorted(exponents())), Kind.CURRENCY.words)


def _instalments(field: str) -> pl.Expr:
    """One field of every instalment, as a list."""
    return pl.col("instalments").list.eval(pl.element().struct.field(field))


def _numbered_from_one() -> pl.Expr:
    numbers, count = _instalments("number").list, pl.col("instalments").list.len()
    return (numbers.min() == 1) & (numbers.max() == count) & (numbers.n_unique() == count)


ENTITY = Table(
    "entity",
    "A legal entity of the seller: the books that are never mixed.",
    "entity_id",
    None,
    (
        Column("name", Kind.TEXT, "legal name"),
        Column("country", Kind.TEXT, "ISO 3166 alpha-2, for the business calendar", optional=True),
        Column("currency", Kind.CURRENCY, "currency of its books"),
        Column("time_zone", Kind.TEXT, "IANA name; a day starts at midnight there"),
    ),
    (_is_currency("currency"),),
)

CUSTOMER = Table(
    "customer",
    "Who owes. A parent may pay for it.",
    "customer_id",
    None,
    (
        Column("customer_id", Kind.TEXT, "unique within the entity"),
        Column("name", Kind.TEXT, "as the source spells it", optional=True),
        Column("country", Kind.TEXT, "ISO 3166 alpha-2, for the payer's business calendar", optional=True),
        Column("segment", Kind.TEXT, "industry or channel; pools thin histories", optional=True),
        Column("parent_id", Kind.TEXT, "customer that pays for or owns this one", optional=True),
        Column("terms_days", Kind.COUNT, "usual days from issue to due", optional=True),
        Column("credit_limit_minor", Kind.MONEY, "in the entity's currency", optional=True),
        Column("collector", Kind.TEXT, "who sees to it that it pays: a person's or a team's id", optional=True),
        Column("bank_account", Kind.TEXT, "its account on file, where refunds go: IBAN or number", optional=True),
    ),
    (Rule("terms_days", lambda: pl.col("terms_days") >= 0, "0 or more days"),),
)

CUSTOMER_ATTRIBUTE = Table(
    "customer_attribute",
    "A dated number about a customer (say monthly revenue); each name becomes features by itself.",
    "attribute_id",
    "day",
    (
        Column("attribute_id", Kind.TEXT, "unique within the entity, usually customer:name:day"),
        Column("customer_id", Kind.TEXT, "whom it is about"),
        Column("name", Kind.TEXT, "lower_snake_case name of the attribute"),
        Column("day", Kind.DAY, "the day it holds from"),
        Column("value", Kind.NUMBER, "the number"),
    ),
    (
        Rule("name", lambda: pl.col("name").str.contains(r"^[a-z][a-z0-9_]{0,39}$"), "lower_snake_case, 40 at most"),
        Rule("value", lambda: pl.col("value").is_finite(), Kind.NUMBER.words),
    ),
)

INVOICE = Table(
    "invoice",
    "A receivable document. Signed; due by instalment, of which there is always at least one.",
    "invoice_id",
    "issue_date",
    (
        Column("invoice_id", Kind.TEXT, "unique within the entity"),
        Column("customer_id", Kind.TEXT, "who owes it"),
        Column("issue_date", Kind.DAY, "date on the document"),
        Column("currency", Kind.CURRENCY, "currency of every amount in this row"),
        Column("amount_minor", Kind.MONEY, "signed total"),
        Column("instalments", Kind.INSTALMENTS, "due dates and amounts; sum to amount_minor"),
        Column("order_id", Kind.TEXT, "the order it bills", optional=True),
    ),
    (
        _is_currency("currency"),
        Rule("instalments", lambda: pl.col("instalments").list.len() > 0, Kind.INSTALMENTS.words),
        Rule("instalments", _numbered_from_one, "numbers 1, 2, 3 and so on, each once"),
        Rule(
            "instalments",
            lambda: _instalments("due_date").list.min() >= pl.col("issue_date"),
            "due on or after issue_date (no negative terms)",
        ),
        Rule(
            "instalments",
            lambda: _instalments("amount_minor").list.sum() == pl.col("amount_minor"),
            "amounts that sum to amount_minor",
        ),
    ),
)

CREDIT_NOTE = Table(
    "credit_note",
    "What the seller owes back. Its amount is negative.",
    "credit_note_id",
    "issue_date",
    (
        Column("credit_note_id", Kind.TEXT, "unique within the entity"),
        Column("customer_id", Kind.TEXT, "who is credited"),
        Column("issue_date", Kind.DAY, "date on the document"),
        Column("currency", Kind.CURRENCY, "currency of the amount"),
        Column("amount_minor", Kind.MONEY, "signed; negative"),
        Column("invoice_id", Kind.TEXT, "the invoice it corrects, where it names one", optional=True),
        Column("reason", Kind.TEXT, "a dispute reason of domain.md", optional=True),
    ),
    (
        _is_currency("currency"),
        Rule("amount_minor", lambda: pl.col("amount_minor") < 0, "a negative amount"),
    ),
)

PAYMENT = Table(
    "payment",
    "Money received (negative: a refund or a returned payment). May exceed what it is allocated to: unapplied cash.",
    "payment_id",
    "value_date",
    (
        Column("payment_id", Kind.TEXT, "unique within the entity"),
        Column("customer_id", Kind.TEXT, "the payer, who may pay for others; null while unidentified", optional=True),
        Column("value_date", Kind.DAY, "when the money counted"),
        Column("currency", Kind.CURRENCY, "currency of the money received"),
        Column("amount_minor", Kind.MONEY, "signed"),
        Column("reference", Kind.TEXT, "what the payer wrote", optional=True),
        Column("payer_account", Kind.TEXT, "the account it came from or went to: IBAN or number", optional=True),
    ),
    (_is_currency("currency"),),
)

ALLOCATION_KINDS = ("payment", "credit_note", "write_off")

ALLOCATION = Table(
    "allocation",
    "The part of a payment, credit note or write-off that settles one instalment of one invoice; many to many.",
    "allocation_id",
    "date",
    (
        Column("allocation_id", Kind.TEXT, "unique within the entity"),
        Column("kind", Kind.TEXT, f"one of {', '.join(ALLOCATION_KINDS)}"),
        Column("from_id", Kind.TEXT, "payment_id or credit_note_id; null for a write-off", optional=True),
        Column("invoice_id", Kind.TEXT, "what it settles"),
        Column("instalment", Kind.COUNT, "which instalment, from 1"),
        Column("date", Kind.DAY, "the day it settles: the value date of the money, not the day of booking"),
        Column("currency", Kind.CURRENCY, "the invoice's currency"),
        Column("amount_minor", Kind.MONEY, "signed like the invoice, in the invoice's currency"),
        Column("paid_minor", Kind.MONEY, "in the payment's currency where that differs", optional=True),
    ),
    (
        _is_currency("currency"),
        Rule("kind", lambda: pl.col("kind").is_in(ALLOCATION_KINDS), f"one of {', '.join(ALLOCATION_KINDS)}"),
        Rule("instalment", lambda: pl.col("instalment") >= 1, "1 or more"),
        Rule(
            "from_id",
            lambda: pl.col("from_id").is_not_null() | (pl.col("kind") == "write_off"),
            "the id of the payment or credit note (only a write-off has none)",
        ),
    ),
)

FX_RATE = Table(
    "fx_rate",
    "One unit of `currency` in `to_currency` on a day.",
    "fx_rate_id",
    "day",
    (
        Column("fx_rate_id", Kind.TEXT, "unique within the entity, usually FROM:TO:day"),
        Column("currency", Kind.CURRENCY, "the currency converted from"),
        Column("to_currency", Kind.CURRENCY, "the currency converted to"),
        Column("day", Kind.DAY, "the day it holds for"),
        Column("rate", Kind.RATE, "to_currency per currency"),
    ),
    (
        _is_currency("currency"),
        _is_currency("to_currency"),
        Rule("rate", lambda: pl.col("rate") > 0, Kind.RATE.words),
    ),
)

ORDER_STATUS = ("open", "billed", "cancelled")

ORDER = Table(
    "order",
    "What a customer ordered, from the CRM or the ERP. Its invoices name it in `order_id`.",
    "order_id",
    "order_date",
    (
        Column("order_id", Kind.TEXT, "unique within the entity"),
        Column("customer_id", Kind.TEXT, "who ordered"),
        Column("order_date", Kind.DAY, "date on the order"),
        Column("currency", Kind.CURRENCY, "currency of the amount"),
        Column("amount_minor", Kind.MONEY, "signed total with tax"),
        Column("status", Kind.TEXT, f"one of {', '.join(ORDER_STATUS)}"),
        Column("reference", Kind.TEXT, "what the customer calls it", optional=True),
    ),
    (
        _is_currency("currency"),
        Rule("status", lambda: pl.col("status").is_in(ORDER_STATUS), f"one of {', '.join(ORDER_STATUS)}"),
    ),
)

DISPUTE_STATUS = ("open", "accepted", "rejected", "withdrawn")

DISPUTE = Table(
    "dispute",
    "A case on an invoice or a customer: the reason why something is not paid.",
    "dispute_id",
    "opened_on",
    (
        Column("dispute_id", Kind.TEXT, "unique within the entity"),
        Column("customer_id", Kind.TEXT, "who disputes"),
        Column("invoice_id", Kind.TEXT, "what is disputed, where the case names an invoice", optional=True),
        Column("opened_on", Kind.DAY, "when the case began"),
        Column("currency", Kind.CURRENCY, "currency of the amount"),
        Column("amount_minor", Kind.MONEY, "disputed, signed like the invoice", optional=True),
        Column("reason", Kind.TEXT, "in the source's words, or a dispute reason of domain.md", optional=True),
        Column("status", Kind.TEXT, f"one of {', '.join(DISPUTE_STATUS)}"),
        Column("closed_on", Kind.DAY, "when it ended", optional=True),
    ),
    (
        _is_currency("currency"),
        Rule("status", lambda: pl.col("status").is_in(DISPUTE_STATUS), f"one of {', '.join(DISPUTE_STATUS)}"),
        Rule("closed_on", lambda: pl.col("closed_on") >= pl.col("opened_on"), "on or after opened_on"),
    ),
)

PROMISE = Table(
    "promise",
    "A customer's word that an amount will be paid by a day. Whether it was kept is read from the ledger.",
    "promise_id",
    "made_on",
    (
        Column("promise_id", Kind.TEXT, "unique within the entity"),
        Column("customer_id", Kind.TEXT, "who promised"),
        Column("invoice_id", Kind.TEXT, "for what; null for the account as a whole", optional=True),
        Column("made_on", Kind.DAY, "when it was given"),
        Column("promised_for", Kind.DAY, "the day by which it will be paid"),
        Column("currency", Kind.CURRENCY, "currency of the amount"),
        Column("amount_minor", Kind.MONEY, "promised, signed like the invoice"),
    ),
    (
        _is_currency("currency"),
        Rule("amount_minor", lambda: pl.col("amount_minor") > 0, "a positive amount"),
        Rule("promised_for", lambda: pl.col("promised_for") >= pl.col("made_on"), "on or after made_on"),
    ),
)

CONTACT_CHANNELS = ("call", "email", "letter", "portal", "visit")

CONTACT = Table(
    "contact",
    "A reminder to a customer, made or left out on purpose: what collecting did, and the experiment it is learnt from.",
    "contact_id",
    "day",
    (
        Column("contact_id", Kind.TEXT, "unique within the entity"),
        Column("customer_id", Kind.TEXT, "who was reminded"),
        Column("invoice_id", Kind.TEXT, "about what; null for the account as a whole", optional=True),
        Column("day", Kind.DAY, "when it was made or held out"),
        Column("channel", Kind.TEXT, f"one of {', '.join(CONTACT_CHANNELS)}", optional=True),
        Column("collector", Kind.TEXT, "by whom", optional=True),
        Column("made", Kind.FLAG, "true where it was made, false where it was held out"),
        Column("chance", Kind.NUMBER, "of being made, where a draw decided; null where a person did", optional=True),
    ),
    (
        Rule("channel", lambda: pl.col("channel").is_in(CONTACT_CHANNELS), f"one of {', '.join(CONTACT_CHANNELS)}"),
        Rule("chance", lambda: pl.col("chance").is_between(0, 1, closed="none"), "between 0 and 1, ends left out"),
        Rule("made", lambda: pl.col("made") | pl.col("chance").is_not_null(), "true where no draw decided (no chance)"),
    ),
)

BANK_STATEMENT = Table(
    "bank_statement",
    "What a bank says happened on one account over some days; statements of an account join without gaps.",
    "statement_id",
    "to_day",
    (
        Column("statement_id", Kind.TEXT, "unique within the entity"),
        Column("account_id", Kind.TEXT, "the seller's account: IBAN or number"),
        Column("number", Kind.TEXT, "the bank's running number", optional=True),
        Column("from_day", Kind.DAY, "first day"),
        Column("to_day", Kind.DAY, "last day"),
        Column("currency", Kind.CURRENCY, "currency of the account"),
        Column("opening_minor", Kind.MONEY, "balance before, null for a mere advice", optional=True),
        Column("closing_minor", Kind.MONEY, "balance after, null for a mere advice", optional=True),
        Column("entries", Kind.COUNT, "how many entries it has"),
        Column(
            "content", Kind.TEXT, "SHA-256 of all it says, as hex: tells a repeat from an alteration", optional=True
        ),
    ),
    (
        _is_currency("currency"),
        Rule("to_day", lambda: pl.col("to_day") >= pl.col("from_day"), "on or after from_day"),
        Rule("entries", lambda: pl.col("entries") >= 0, "0 or more"),
    ),
)

BANK_ENTRY = Table(
    "bank_entry",
    "One movement on an account of the seller, as the bank tells it.",
    "entry_id",
    "booking_date",
    (
        Column("entry_id", Kind.TEXT, "unique within the entity"),
        Column("statement_id", Kind.TEXT, "the statement that it stands in"),
        Column("account_id", Kind.TEXT, "the seller's account"),
        Column("booking_date", Kind.DAY, "when the bank booked it"),
        Column("value_date", Kind.DAY, "when the money counted"),
        Column("currency", Kind.CURRENCY, "currency of the amount"),
        Column("amount_minor", Kind.MONEY, "signed: money that came in is positive"),
        Column("bank_reference", Kind.TEXT, "the bank's own reference", optional=True),
        Column("end_to_end_id", Kind.TEXT, "the reference that travels with the payment", optional=True),
        Column("payer_name", Kind.TEXT, "the other side, as the bank spells it", optional=True),
        Column("payer_account", Kind.TEXT, "the other side's account", optional=True),
        Column("remittance", Kind.TEXT, "what the payment is said to be for", optional=True),
        Column("code", Kind.TEXT, "the bank's kind of transaction", optional=True),
        Column("returned", Kind.FLAG, "true where it takes an earlier one back"),
    ),
    (_is_currency("currency"),),
)

# In the order in which a source should be read: what is referred to comes before what refers to it.
TABLES = (
    ENTITY,
    CUSTOMER,
    CUSTOMER_ATTRIBUTE,
    ORDER,
    INVOICE,
    CREDIT_NOTE,
    PAYMENT,
    ALLOCATION,
    DISPUTE,
    PROMISE,
    CONTACT,
    BANK_STATEMENT,
    BANK_ENTRY,
    FX_RATE,
)


def table(name: str) -> Table:
    """The table called `name`; `NotFound` lists the ones there are."""
    for candidate in TABLES:
        if candidate.name == name:
            return candidate
    raise NotFound(f"no table {name!r}; there are: {', '.join(t.name for t in TABLES)}")
