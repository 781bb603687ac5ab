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
    """`frame` with `on_account_minor`: what credit that settles nothing yet will take off each open amount.

    Credit is what is left of credit notes and of negative invoices, and what was paid too much on an invoice. A
    customer uses it with what it pays first: the oldest due, as far as the credit reaches. A note that names an invoice
    is no different. Credit beyond all that is owed waits for later invoices and is not paid out; what was not used
    within `CREDIT_DAYS` is taken to be forgotten.
    """
    credit = pl.concat([_unused_notes(book, as_of), _owed_back(book, as_of)])
    recent = credit.filter(pl.col("since") >= as_of.date() - timedelta(days=CREDIT_DAYS), pl.col("credit_minor") > 0)
    left = recent.group_by(_ACCOUNT).agg(pl.col("credit_minor").sum())
    order = pl.struct("due_date", "invoice_id", "instalment").rank("ordinal").over(*_ACCOUNT)
    ranked = frame.with_columns(_order=order).join(left, on=list(_ACCOUNT), how="left", maintain_order="left")
    before = pl.col("open_minor").sort_by("_order").cum_sum().over(*_ACCOUNT, order_by="_order") - pl.col("open_minor")
    taken = (pl.col("credit_minor").fill_null(0) - before).clip(0, pl.col("open_minor"))
    return ranked.with_columns(on_account_minor=taken.cast(pl.Int64)).drop("_order", "credit_minor")


_ACCOUNT = ("entity_id", "customer_id", "currency")


def _unused_notes(book: Book, as_of: datetime) -> pl.DataFrame:
    """_ACCOUNT, since, credit_minor: what standing credit notes have left, as known at `as_of`.

    Nothing of one that settled something in another currency, where the books do not say how much of it that took.
    """
    notes = standing(book.facts.spans("credit_note"), as_of)
    key = ("entity_id", "credit_note_id")
    own = notes.select(*key, _own="currency")
    uses = standing(book.facts.spans("allocation"), as_of).filter(pl.col("kind") == "credit_note")
    part = pl.when(pl.col("currency") == pl.col("_own")).then("amount_minor").otherwise("paid_minor")
    used = (
        uses.join(own, left_on=["entity_id", "from_id"], right_on=key)
        .group_by("entity_id", credit_note_id="from_id")
        .agg(used_minor=part.sum(), _told=part.is_not_null().all())
    )
    left = -pl.col("amount_minor") - pl.col("used_minor").fill_null(0)
    told = notes.join(used, on=key, how="left").filter(pl.col("_told").fill_null(value=True))
    return told.select(*_ACCOUNT, since="issue_date", credit_minor=left)


def _owed_back(book: Book, as_of: datetime) -> pl.DataFrame:
    """_ACCOUNT, since, credit_minor: what is left of negative invoices, and what invoices were paid too much."""
    since = pl.when(pl.col("amount_minor") < 0).then("issue_date").otherwise(pl.col("known_from").dt.date())
    rows = standing(book.states, as_of).filter(pl.col("open_minor") < 0)
    return rows.select(*_ACCOUNT, since=since, credit_minor=-pl.col("open_minor"))


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
