"""Open receivables as claims: what is still owed, less what never becomes cash, when it is paid."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
import polars as pl

from features.book import Book
from features.facts import standing
from features.ledger import RECEIVABLE
from models.bins import epoch_days
from models.cash.claims import HEAD, HORIZON_DAYS, OPEN, REACH_DAYS, Claims, Floats, Ints
from models.cash.dilution import Dilution
from models.distribution import Distribution

CREDIT_DAYS = 90


class DatesPayments(Protocol):
    """What knows when receivables are paid: `models.payment_date.PaymentDateModel`."""

    def distribution(self, frame: pl.DataFrame) -> Distribution:
        """When each row of the FEATURE frame is paid, given that it is unpaid at its cutoff."""
        ...


@dataclass(frozen=True)
class OpenItems:
    """Open receivables as of an instant: their FEATURE frame with `open_minor` and `on_account_minor`, and chances."""

    frame: pl.DataFrame
    forecast: Distribution

    def within_horizon(self) -> "OpenItems":
        """The same without what lies beyond the horizon."""
        return OpenItems(self.frame, within_horizon(self.forecast))


def open_items(book: Book, model: DatesPayments, as_of: datetime) -> OpenItems:
    """What is open at `as_of`, with the open amount after credit on account (see `credited`)."""
    subjects = book.open_receivables(as_of)
    owed = standing(book.states, as_of).select(*RECEIVABLE, "open_minor")
    rows = book.features(subjects).join(owed, on=RECEIVABLE, how="left", maintain_order="left")
    frame = credited(rows, book, as_of)
    forecast = model.distribution(frame)
    return OpenItems(frame, Distribution(forecast.start, _padded(forecast.pmf)))


def credited(frame: pl.DataFrame, book: Book, as_of: datetime) -> pl.DataFrame:
    """`frame` with `on_account_minor`: what credit notes that settle nothing yet will take off each open amount.

    A customer uses a credit note with what it pays first: the oldest due, as far as the credit reaches. One that names
    an invoice is no different. Credit beyond all that is owed waits for later invoices and is not paid out; what was
    not used within `CREDIT_DAYS` is taken to be forgotten.
    """
    left = _unused_credit(book, as_of)
    order = pl.struct("due_date", "invoice_id", "instalment").rank("ordinal").over(*_ACCOUNT)
    ranked = frame.with_columns(_order=order).join(left, on=list(_ACCOUNT), how="left", maintain_order="left")
    before = pl.col("open_minor").sort_by("_order").cum_sum().over(*_ACCOUNT, order_by="_order") - pl.col("open_minor")
    taken = (pl.col("credit_minor").fill_null(0) - before).clip(0, pl.col("open_minor"))
    return ranked.with_columns(on_account_minor=taken.cast(pl.Int64)).drop("_order", "credit_minor")


_ACCOUNT = ("entity_id", "customer_id", "currency")


def _unused_credit(book: Book, as_of: datetime) -> pl.DataFrame:
    """_ACCOUNT, credit_minor: what standing credit notes have left, as known at `as_of`."""
    notes = standing(book.facts.spans("credit_note"), as_of).filter(
        pl.col("issue_date") >= as_of.date() - timedelta(days=CREDIT_DAYS)
    )
    used = (
        standing(book.facts.spans("allocation"), as_of)
        .filter(pl.col("kind") == "credit_note")
        .group_by("entity_id", "currency", credit_note_id="from_id")
        .agg(used_minor=pl.col("amount_minor").sum())
    )
    left = notes.join(used, on=["entity_id", "currency", "credit_note_id"], how="left").with_columns(
        credit_minor=(-pl.col("amount_minor") - pl.col("used_minor").fill_null(0)).clip(0)
    )
    return left.group_by(_ACCOUNT).agg(pl.col("credit_minor").sum()).filter(pl.col("credit_minor") > 0)


def open_claims(items: OpenItems, dilution: Dilution) -> Claims:
    """One claim per open receivable."""
    frame = items.frame
    past_due = epoch_days(frame, "cutoff_day") - epoch_days(frame, "due_date")
    share = dilution.shares(frame["entity_id"].to_list(), frame["customer_id"].to_list())
    owed = (frame["open_minor"] - frame["on_account_minor"]).to_numpy()
    head = frame.select(*RECEIVABLE, "customer_id", "currency").with_columns(
        component=pl.lit(OPEN),
        amount_minor=pl.Series(np.rint(owed * share).astype(np.int64)),
        copies=pl.lit(1.0),
        from_day=pl.lit(0, pl.Int64),
    )
    return Claims(head.select(HEAD), diluted(items.forecast.pmf, dilution, past_due))


def diluted(pmf: Floats, dilution: Dilution, past_due_days: Ints) -> Floats:
    """(n, REACH_DAYS) cdf of being paid before being cancelled."""
    alive = dilution.survival(past_due_days, REACH_DAYS)
    return np.minimum(np.cumsum(_padded(pmf) * alive, axis=1), 1.0)


def within_horizon(forecast: Distribution) -> Distribution:
    """The same without what lies beyond the horizon."""
    return Distribution(forecast.start, forecast.pmf[:, :HORIZON_DAYS].copy())


def _padded(pmf: Floats) -> Floats:
    """(n, REACH_DAYS): what lies beyond is left out, what a model does not tell of is no chance."""
    missing = max(REACH_DAYS - pmf.shape[1], 0)
    return np.pad(pmf[:, :REACH_DAYS], ((0, 0), (0, missing)))
