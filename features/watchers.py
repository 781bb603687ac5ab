"""What is usual about money: amounts, accounts, limits, credit and rebilling. See `comparisons`."""

from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import log
from statistics import median
from typing import Any

from features.money import exponents

Row = Mapping[str, Any]
Said = Sequence[float | str | None]

HABIT_DOCUMENTS = 60  # the newest ones make a habit
LEAST_DOCUMENTS = 6  # fewer make none
LEAST_SPREAD = 0.12  # of log amounts: fixed amounts differ by that much without being odd
OUTGOING = ("credit_note", "write_off")
NEAR_LIMIT = 0.8
BATCH_DAYS = 30
LOOP_DAYS, REBILL_DAYS, ABOUT = 180, 21, 0.03


def is_outgoing(document: Row) -> bool:
    """Whether it gives money or a claim away: a credit note, a write-off, a refund."""
    return document["table"] in OUTGOING or (document["table"] == "payment" and (document["amount_minor"] or 0) < 0)


def whole_minor(document: Row) -> int:
    """Minor units in one whole of the document's currency: a euro 100, a dinar 1,000.

    A currency without minor units is counted in hundreds: 100 yen buy what a euro does rather than a yen, and nobody
    calls 12,500 yen round. As `features.rates` values it, 100 also where nobody lists the currency.
    """
    digits = exponents().get(document["currency"], 2) or 2
    return int(10**digits)


def days_between(earlier: datetime, later: datetime) -> float:
    """Days, with their fraction."""
    return (later - earlier) / timedelta(days=1)


class Amounts:
    """The customer's own amounts, of this kind of document and of its invoices."""

    columns = ("amount_count", "amount_z", "amount_times", "amount_most_times", "invoice_times", "invoice_most_times",
               "amount_median_minor", "invoice_count")  # fmt: skip

    def __init__(self) -> None:
        self._past: dict[tuple[Any, ...], deque[int]] = defaultdict(lambda: deque(maxlen=HABIT_DOCUMENTS))
        self._most: dict[tuple[Any, ...], int] = defaultdict(int)

    def seen(self, document: Row) -> Said:
        """Robust z of the log amount, and how many times the median and the greatest it is."""
        if not document["amount_minor"] or document["customer_id"] is None:
            return (None,) * len(self.columns)
        own, invoices = _habit(document), _habit(document, invoice=True)
        z, times, most, middle = self._against(own, abs(document["amount_minor"]))
        _, invoice_times, invoice_most, _ = self._against(invoices, abs(document["amount_minor"]))
        return len(self._past[own]), z, times, most, invoice_times, invoice_most, middle, len(self._past[invoices])

    def learn(self, document: Row) -> None:
        """It is part of the habit."""
        if document["amount_minor"] and document["customer_id"] is not None:
            key = _habit(document)
            self._past[key].append(abs(document["amount_minor"]))
            self._most[key] = max(self._most[key], abs(document["amount_minor"]))

    def _against(
        self, key: tuple[Any, ...], amount: int
    ) -> tuple[float | None, float | None, float | None, float | None]:
        past = self._past[key]
        if len(past) < LEAST_DOCUMENTS:
            return None, None, None, None
        logs = [log(a) for a in past]
        middle = median(logs)
        spread = max(1.4826 * median(abs(a - middle) for a in logs), LEAST_SPREAD)
        usual = median(past)
        return (log(amount) - middle) / spread, amount / usual, amount / self._most[key], float(usual)


def _habit(document: Row, *, invoice: bool = False) -> tuple[Any, ...]:
    table = "invoice" if invoice else document["table"]
    sign = True if invoice else (document["amount_minor"] > 0)
    return document["entity_id"], document["customer_id"], document["currency"], table, sign


class Accounts:
    """The accounts that a customer's money came from or went to, and when the one on file was changed."""

    columns = ("account_changed_days", "account_seen", "account_payments", "account_on_file_same")

    def __init__(self) -> None:
        self._used: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._changed: dict[tuple[str, str], datetime] = {}

    def seen(self, document: Row) -> Said:
        """Only of payments, in and out, of known payers with an account."""
        if document["table"] != "payment" or document["account"] is None or document["customer_id"] is None:
            return (None,) * len(self.columns)
        who = document["entity_id"], document["customer_id"]
        changed, used = self._changed.get(who), self._used[who]
        days = None if changed is None else days_between(changed, document["known_at"])
        on_file = document["account_on_file"]
        same = None if on_file is None else float(on_file == document["account"])
        return days, float(document["account"] in used), used.total(), same

    def learn(self, document: Row) -> None:
        """An account was used, or the one on file changed."""
        if document["customer_id"] is None or document["account"] is None:
            return
        who = document["entity_id"], document["customer_id"]
        if document["table"] == "customer":
            self._changed[who] = document["known_at"]
        elif document["table"] == "payment":
            self._used[who][document["account"]] += 1


class Limits:
    """How close what is given away comes to the entity's approval limit."""

    columns = ("limit_share", "limit_same_day", "limit_usual_share")

    def __init__(self, limits: Mapping[str, float]) -> None:
        self._limits = limits
        self._near: Counter[tuple[Any, ...]] = Counter()
        self._all: Counter[str] = Counter()
        self._close: Counter[str] = Counter()

    def seen(self, document: Row) -> Said:
        """Null without a limit, without a rate into the entity's currency, and for what is not given away."""
        share = self._share(document)
        if share is None:
            return None, None, None
        usual = self._close[document["entity_id"]] / max(self._all[document["entity_id"]], 1)
        return share, self._near[_day_of(document)], usual

    def learn(self, document: Row) -> None:
        """What was close to the limit today, and how often that is so."""
        share = self._share(document)
        if share is None:
            return
        self._all[document["entity_id"]] += 1
        if NEAR_LIMIT <= share <= 1:
            self._near[_day_of(document)] += 1
            self._close[document["entity_id"]] += 1

    def _share(self, document: Row) -> float | None:
        limit = self._limits.get(document["entity_id"])
        if not limit or document["home_cents"] is None or not is_outgoing(document):
            return None
        return abs(int(document["home_cents"])) / limit


def _day_of(document: Row) -> tuple[Any, ...]:
    return document["entity_id"], document["customer_id"], document["known_day"]


class Loops:
    """Credit in full and bill anew: how often it has happened to one claim."""

    columns = ("loop_rounds", "loop_days")

    def __init__(self) -> None:
        self._invoices: dict[tuple[str, str, str], tuple[int, int, datetime]] = {}  # amount, rounds, when it began
        self._credited: dict[tuple[Any, ...], list[tuple[datetime, int, int, datetime]]] = defaultdict(list)

    def seen(self, document: Row) -> Said:
        """Rounds that the claim has behind it, with this document; and the days since the first of them."""
        rounds, began = self._rounds(document)
        return (rounds, days_between(began, document["known_at"]) if began else None) if rounds else (0.0, None)

    def learn(self, document: Row) -> None:
        """A claim begins, is credited in full, or is billed anew."""
        rounds, began = self._rounds(document)
        if document["table"] == "invoice":
            begun = began or document["known_at"]
            claim = (document["amount_minor"], int(rounds), begun)
            self._invoices[document["entity_id"], document["record_id"], document["currency"]] = claim
        elif document["table"] == "credit_note" and self._in_full(document):
            _, before, begun = self._invoices[_credited(document)]
            kept = self._credited[_claim(document)]
            kept.append((document["known_at"], -document["amount_minor"], before, begun))

    def _rounds(self, document: Row) -> tuple[float, datetime | None]:
        if document["table"] == "credit_note" and self._in_full(document):
            _, rounds, began = self._invoices[_credited(document)]
            recent = days_between(began, document["known_at"]) <= LOOP_DAYS + BATCH_DAYS * rounds
            return (float(rounds), began) if recent else (0.0, None)
        if document["table"] != "invoice":
            return 0.0, None
        found = [
            (rounds + 1.0, began)
            for at, amount, rounds, began in self._credited[_claim(document)][-20:]
            if days_between(at, document["known_at"]) <= REBILL_DAYS
            and abs(amount - document["amount_minor"]) <= ABOUT * amount
        ]
        return max(found, default=(0.0, None), key=lambda f: f[0])

    def _in_full(self, document: Row) -> bool:
        owed = self._invoices.get(_credited(document))
        return owed is not None and abs(owed[0] + document["amount_minor"]) <= ABOUT * abs(owed[0])


def _claim(document: Row) -> tuple[Any, ...]:
    return document["entity_id"], document["customer_id"], document["currency"]


def _credited(document: Row) -> tuple[str, str, str]:
    """The invoice that a credit note names; cents of another currency credit nothing in full."""
    return document["entity_id"], document["refers_to"], document["currency"]
