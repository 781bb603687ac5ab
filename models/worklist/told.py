"""What a row knows of a customer besides what it owes: contacts, promises, cash that is not applied yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import polars as pl

from features.book import Book
from features.ledger import RECEIVABLE
from features.masters import CUSTOMER
from features.promises import PROMISE, PromisesKnown, promises_known
from models.worklist.asks import Asks
from models.worklist.phrases import money
from models.worklist.settings import WorklistSettings

Key = tuple[str, str]
"""entity_id, customer_id."""
Items = Sequence[dict[str, Any]]
"""Rows of the `items` of `models.worklist.candidates`, of one customer."""


@dataclass(frozen=True)
class Told:
    """What was said to customers, what they promised and what cash of theirs is free: as known at `promises.as_of`."""

    contacts: pl.DataFrame
    promises: PromisesKnown
    free: pl.DataFrame
    settings: WorklistSettings

    @staticmethod
    def of(book: Book, as_of: datetime, contacts: pl.DataFrame, asks: Asks, settings: WorklistSettings) -> "Told":
        """`contacts` as of then, and what the book says of promises."""
        return Told(contacts, promises_known(book, as_of), asks.free, settings)

    @cached_property
    def _last(self) -> dict[Key, dict[str, Any]]:
        made = self.contacts.filter("made").sort(*CUSTOMER, "day", "known_from", "contact_id")
        last = made.unique(CUSTOMER, keep="last", maintain_order=True)
        return {(r["entity_id"], r["customer_id"]): r for r in last.iter_rows(named=True)}

    @cached_property
    def _kept(self) -> dict[Key, dict[str, Any]]:
        return {(r["entity_id"], r["customer_id"]): r for r in self.promises.rates.iter_rows(named=True)}

    @cached_property
    def _partly(self) -> dict[tuple[str, str], list[str]]:
        """(entity, invoice) -> open promises that leave a part of what they are about to be asked for, in words."""
        promises = self.promises
        still = promises.states.filter(pl.col("state") == "open").drop("invoice_id")
        about = promises.about.join(still, on=PROMISE).join(promises.open, on=RECEIVABLE, how="anti")
        told: dict[tuple[str, str], list[str]] = {}
        for r in about.sort("made_on", "promise_id").iter_rows(named=True):
            words = f"{money(r['amount_minor'], r['currency'])} promised for {r['promised_for']} on {r['made_on']}"
            told.setdefault((r["entity_id"], r["invoice_id"]), []).append(words)
        return told

    def partly(self, entity_id: str, items: Items) -> list[str]:
        """Open promises about `items` of less than is open, each once."""
        found = [words for i in items for words in self._partly.get((entity_id, i["invoice_id"]), ())]
        return list(dict.fromkeys(found))

    @cached_property
    def _free(self) -> dict[Key, list[dict[str, Any]]]:
        told: dict[Key, list[dict[str, Any]]] = {}
        for r in self.free.sort(*CUSTOMER, "currency").iter_rows(named=True):
            told.setdefault((r["entity_id"], r["customer_id"]), []).append(r)
        return told

    def free_cash(self, key: Key, items: Items) -> list[str]:
        """What is not put to anything yet, or may not be, and what that does to `items`."""
        asked = {i["currency"] for i in items}
        return [words for r in self._free.get(key, ()) for words in _not_applied(r, asked=r["currency"] in asked)]

    def last(self, key: Key) -> dict[str, Any] | None:
        """The last contact made, None where there was none."""
        return self._last.get(key)

    def kept(self, key: Key) -> dict[str, Any] | None:
        """Its promises: kept, due; None where none was due yet."""
        found = self._kept.get(key)
        return found if found and found["due"] else None


def _not_applied(account: Mapping[str, Any], *, asked: bool) -> list[str]:
    """A row of `models.worklist.free_cash`; `asked`: something in its currency is asked for."""
    currency, said = account["currency"], []
    if account["free_minor"]:
        effect = "taken off what is asked for" if asked else f"nothing in {currency} is asked for"
        said.append(f"{money(account['free_minor'], currency)} of its cash and credits are not applied: {effect}")
    if account["untold_minor"]:
        said.append(
            f"up to {money(account['untold_minor'], currency)} of its cash and credits may not be applied: how much of "
            "them was put to an invoice in another currency is not told; nothing of that is taken off"
        )
    return said
