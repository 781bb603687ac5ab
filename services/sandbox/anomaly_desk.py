"""The desk at which odd documents are written: what is in the books, what is added, and what is known to be odd."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from services.sandbox.accounts import DIGITS, iban
from services.sandbox.calendars import day_of_number
from services.sandbox.clerks import MICROSECONDS_A_DAY, MICROSECONDS_AN_HOUR, OFFICE
from services.sandbox.history import History

Row = dict[str, Any]
Drafts = dict[str, pl.DataFrame]
WARM_DAYS = 150  # nothing is odd before anybody has a habit
PAID_SHARE = 0.8  # of added invoices
HABIT = 15  # invoices that a customer must have had before
PREFIXES = {"invoice": "INV", "credit_note": "CN", "payment": "PAY", "allocation": "AL"}
TRUTH_SCHEMA: dict[str, Any] = {
    "entity_id": pl.String,
    "table": pl.String,
    "record_id": pl.String,
    "kind": pl.String,
    "story": pl.Int64,
    "day": pl.Date,
    "why": pl.String,
}


@dataclass
class Desk:
    """Rows to add by table, and labels. Rows are dictionaries of the draft's columns; days are day numbers.

    misspelt  (entity, number) of added invoices -> the number that theirs is a slip of
    """

    drafts: Drafts
    history: History
    rng: np.random.Generator
    limit_minor: int
    added: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    labels: Counter[str] = field(default_factory=Counter)
    told: list[Row] = field(default_factory=list)
    misspelt: dict[tuple[int, str], str] = field(default_factory=dict)
    story: int = 0

    def __post_init__(self) -> None:
        self.entity_ids = [e.entity_id for e in self.history.options.entities]
        self.currencies = [e.currency for e in self.history.options.entities]
        self.invoices = _first_versions(self.drafts["invoice"], "invoice_id")
        self.payments = _first_versions(self.drafts["payment"], "payment_id")
        self.customers = self.drafts["customer"].to_dicts()
        self.moved: list[Row] = []
        self._last = Counter[tuple[str, int]]()
        self.by_customer = _by_customer(self.invoices)
        self.payments_of = _by_customer([p for p in self.payments if p["amount_minor"] > 0])
        first = self.history.window.start + WARM_DAYS
        self.bases = [
            row
            for rows in self.by_customer.values()
            for number, row in enumerate(rows)
            if number >= HABIT and row["_day"] >= first
        ]
        books = self.currencies
        self.home_bases = [b for b in self.bases if b["currency"] == books[b["_entity"]]]
        self.paid = [p for p in self.payments if p["amount_minor"] > 0 and p["customer_id"] and p["_day"] >= first]

    # --- chance ---------------------------------------------------------------------------------------------------
    def pick(self, rows: list[Any]) -> Any:
        """One of them."""
        return rows[int(self.rng.integers(len(rows)))]

    def chance(self, share: float) -> bool:
        """True that often."""
        return bool(self.rng.random() < share)

    def working(self, entity: int, day: int, days_on: int = 0) -> int:
        """The business day of the entity from `day` on, and so many business days further."""
        office = self.history.office[np.array([entity])]
        return int(self.history.calendar.after(office, np.array([day]), np.array([days_on]))[0])

    def moment(self, day: int, hours: tuple[float, float] = OFFICE) -> int:
        """Some moment within these hours of the day."""
        return int(day * MICROSECONDS_A_DAY + self.rng.uniform(*hours) * MICROSECONDS_AN_HOUR)

    def account(self, country: str | None) -> str:
        """An account that nobody has."""
        return iban(country or "DE", f"{int(self.rng.integers(0, 10**DIGITS)):0{DIGITS}d}")

    # --- what is known of customers -------------------------------------------------------------------------------
    def past(self, base: Row) -> list[int]:
        """The amounts of the customer's invoices before this one."""
        rows = self.by_customer[base["_entity"], base["customer_id"], base["currency"]]
        return [r["amount_minor"] for r in rows if r["_day"] < base["_day"]] or [base["amount_minor"]]

    def usual(self, base: Row) -> int:
        """An amount that the customer had before, or one near it."""
        amount = self.pick(self.past(base)[-30:])
        return int(amount if self.chance(0.5) else max(round(amount * self.rng.uniform(0.95, 1.05)), 100))

    def at_home(self) -> Row | None:
        """An invoice in its entity's own currency, of any customer with a habit; None where there is none."""
        return self.pick(self.home_bases) if self.home_bases else None

    # --- what is written ------------------------------------------------------------------------------------------
    def number(self, table: str, entity: int) -> str:
        """The next number after all that the entity has given; in the end `anomaly_numbers` counts anew."""
        if not self._last[table, entity]:
            ids = self.drafts[table].filter(pl.col("_entity") == entity)[f"{table}_id"]
            numbers = ids.str.extract(r"^[A-Z]+-(\d+)", 1).cast(pl.Int64).drop_nulls().to_list()
            self._last[table, entity] = max(numbers, default=0)
        self._last[table, entity] += 1
        return f"{PREFIXES[table]}-{self._last[table, entity]:06d}"

    def invoice(self, base: Row, day: int, amount: int, **other: Any) -> Row:
        """An invoice like `base`, of another day and amount, in one instalment."""
        new = {**base, "invoice_id": self.number("invoice", base["_entity"])}
        new |= {"_day": day, "issue_date": day_of_number(day), "amount_minor": amount}
        new["_local"] = other.get("local") or self.moment(day)
        due = day_of_number(day + (base["instalments"][0]["due_date"] - base["issue_date"]).days)
        new["instalments"] = [{"number": 1, "due_date": due, "amount_minor": amount}]
        new |= {k: v for k, v in other.items() if k in new}
        self.added["invoice"].append(new)
        return new

    def credit(self, base: Row, day: int, amount: int, **other: Any) -> Row:
        """A credit note to the customer of `base`."""
        new = dict.fromkeys(self.drafts["credit_note"].columns)
        new |= {k: base[k] for k in ("_entity", "customer_id", "currency")} | {"deleted": False, "_day": day}
        new |= {"credit_note_id": self.number("credit_note", base["_entity"]), "issue_date": day_of_number(day)}
        new |= {"amount_minor": -abs(amount), "reason": self.pick(["pricing", "quantity", "returned_goods"])}
        new |= {"_local": self.moment(day)} | other
        self.added["credit_note"].append(new)
        return new

    def payment(self, base: Row, day: int, amount: int, **other: Any) -> Row:
        """A movement of money like payment `base`; negative: sent back."""
        new = {**base, "payment_id": self.number("payment", base["_entity"]), "_day": day, "reference": None}
        told = self.working(base["_entity"], day + 1)
        new |= {"value_date": day_of_number(day), "amount_minor": amount, "_local": self.moment(told, (5.5, 7.5))}
        new |= other
        self.added["payment"].append(new)
        return new

    def credited(self, note: Row, invoice: Row) -> None:
        """The credit note settles the invoice."""
        new = dict.fromkeys(self.drafts["allocation"].columns)
        new |= {k: note[k] for k in ("_entity", "currency")} | {"deleted": False, "kind": "credit_note"}
        new |= {"allocation_id": self.number("allocation", note["_entity"]), "from_id": note["credit_note_id"]}
        new |= {"invoice_id": invoice["invoice_id"], "instalment": 1, "date": note["issue_date"]}
        new |= {"amount_minor": -note["amount_minor"], "_local": note["_local"] + 60_000_000}
        self.added["allocation"].append(new)

    def pay_some(self) -> None:
        """Most of the invoices written here that nothing credited are paid like any other, odd or not."""
        credited = {(r["_entity"], r["invoice_id"]) for r in self.added["allocation"]}
        for invoice in list(self.added["invoice"]):
            payments = self.payments_of.get((invoice["_entity"], invoice["customer_id"], invoice["currency"]), [])
            due = invoice["instalments"][0]["due_date"].toordinal() - day_of_number(0).toordinal()
            day = max(due, invoice["_day"]) + int(self.rng.integers(0, 20))
            open_ = (invoice["_entity"], invoice["invoice_id"]) not in credited
            if payments and open_ and day < self.history.window.end - 8 and self.chance(PAID_SHARE):
                self._paid(invoice, self.pick(payments), day)

    def _paid(self, invoice: Row, like: Row, day: int) -> None:
        """Money like `like` came for all of the invoice and settles it."""
        day = self.working(invoice["_entity"], day)
        paid = self.payment(like, day, invoice["amount_minor"], reference=invoice["invoice_id"])
        new = dict.fromkeys(self.drafts["allocation"].columns)
        new |= {k: paid[k] for k in ("_entity", "currency")} | {"deleted": False, "kind": "payment"}
        new |= {"allocation_id": self.number("allocation", paid["_entity"]), "from_id": paid["payment_id"]}
        new |= {"invoice_id": invoice["invoice_id"], "instalment": 1, "date": paid["value_date"]}
        new |= {"amount_minor": paid["amount_minor"], "_local": paid["_local"] + 60_000_000}
        self.added["allocation"].append(new)

    def change_account(self, entity: int, customer_id: str, day: int, account: str) -> str | None:
        """The customer's account on file is another from that day on; the one before. None where it was not known."""
        rows = [r for r in self.customers if (r["_entity"], r["customer_id"]) == (entity, customer_id)]
        moment = self.moment(day)
        before = [r for r in rows if r["_local"] < moment]
        if not before:
            return None
        standing = max(before, key=lambda r: r["_local"])
        for row in (r for r in rows if r["_local"] > moment):
            row["bank_account"] = account
        self.customers.append({**standing, "_local": moment, "bank_account": account})
        return str(standing["bank_account"])

    # --- what is known to be odd ----------------------------------------------------------------------------------
    def begin(self) -> None:
        """What is labelled from here on belongs together."""
        self.story += 1

    def odd(self, kind: str, table: str, row: Row, why: str) -> None:
        """This record is odd."""
        self.odd_record(kind, row["_entity"], table, row[f"{table}_id"], row["_day"], why)

    def odd_record(self, kind: str, entity: int, table: str, record_id: str, day: int, why: str) -> None:
        """The record of this id is odd."""
        self.labels[kind] += 1
        told = (self.entity_ids[entity], table, record_id, kind, self.story, day_of_number(day), why)
        self.told.append(dict(zip(TRUTH_SCHEMA, told, strict=True)))

    def truth(self) -> pl.DataFrame:
        """What is odd and why."""
        return pl.DataFrame(self.told, schema=TRUTH_SCHEMA).sort("entity_id", "day", "table", "record_id")

    def finished(self) -> Drafts:
        """The drafts with all that was added and moved."""
        made = dict(self.drafts)
        made["customer"] = pl.DataFrame(self.customers, schema=made["customer"].schema)
        for table, rows in self.added.items():
            kept = [{c: row.get(c) for c in made[table].columns} for row in rows]
            made[table] = pl.concat([made[table], pl.DataFrame(kept, schema=made[table].schema)])
        for switch in self.moved:
            at = (pl.col("_entity") == switch["_entity"]) & (pl.col("payer_account") == switch["old"])
            at &= pl.col("value_date") >= day_of_number(switch["day"])
            account = pl.when(at).then(pl.lit(switch["new"])).otherwise("payer_account")
            made["payment"] = made["payment"].with_columns(payer_account=account)
        return made


def _first_versions(draft: pl.DataFrame, key: str) -> list[Row]:
    """The first version of every record that is not a double booking, oldest first, with its day of booking."""
    first = draft.sort("_local", key, "_entity").unique(["_entity", key], keep="first", maintain_order=True)
    plain = first.filter(~pl.col(key).str.ends_with("-2"))
    return plain.with_columns(_day=pl.col("_local") // MICROSECONDS_A_DAY).to_dicts()


def _by_customer(rows: list[Row]) -> dict[tuple[int, str, str], list[Row]]:
    found: dict[tuple[int, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        found[row["_entity"], row["customer_id"], row["currency"]].append(row)
    return found
