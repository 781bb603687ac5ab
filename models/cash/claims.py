"""What may bring cash: one row per receivable, per order not yet billed, per invoice not yet written.

A claim says how much cash it brings, how often it is expected to be there at all, and by which day it is paid with
which chance. Everything that is simulated is a claim, whatever it was made from.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.ledger import RECEIVABLE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WEEK_DAYS, WEEKS = 7, 13
HORIZON_DAYS = WEEK_DAYS * WEEKS
# Chances are kept beyond the horizon: a scenario in which somebody pays earlier brings them into it.
EARLIER_DAYS = HORIZON_DAYS
REACH_DAYS = HORIZON_DAYS + EARLIER_DAYS
OPEN, ORDERS, NEW = "open", "orders", "new_business"
COMPONENTS = (OPEN, ORDERS, NEW)

HEAD = ("component", *RECEIVABLE, "customer_id", "currency", "amount_minor", "copies", "from_day")
RUN = "run_day"
HEAD_SCHEMA = {
    "component": pl.String(),
    "entity_id": pl.String(),
    "invoice_id": pl.String(),
    "instalment": pl.Int64(),
    "customer_id": pl.String(),
    "currency": pl.String(),
    "amount_minor": pl.Int64(),
    "copies": pl.Float64(),
    "from_day": pl.Int64(),
}


@dataclass(frozen=True)
class Claims:
    """Rows of HEAD and their chances.

    head  HEAD, and RUN (where `joined`): the day that each claim was expected on before any scenario changed it;
          amount_minor: the cash it brings where it is paid; copies: 1 for what is there, the chance that an order is
          billed, the expected number of invoices like a past one; from_day: days from the entity's first day before
          which no scenario lets it be paid, since it is not invoiced by then
    cdf   (n, REACH_DAYS) chance that it is paid on or before the entity's first day + j, where it is there; what is
          drawn, or learnt from, is the first HORIZON_DAYS of it
    """

    head: pl.DataFrame
    cdf: Floats

    def __len__(self) -> int:
        return len(self.head)

    @property
    def median_day(self) -> Ints:
        """(n,) the first day with half of the chance, `HORIZON_DAYS` where that is later."""
        days: Ints = (self.cdf[:, :HORIZON_DAYS] < 0.5).sum(axis=1).astype(np.int64)
        return days

    def take(self, kept: NDArray[np.bool_]) -> "Claims":
        """Some of them."""
        return Claims(self.head.filter(pl.Series(kept)), self.cdf[kept])

    def within_horizon(self) -> "Claims":
        """The same without what lies beyond: half the room, for forecasts that are kept to learn from."""
        return Claims(self.head, self.cdf[:, :HORIZON_DAYS].copy())


def joined(parts: Sequence[Claims]) -> Claims:
    """All claims of the parts, in their order, with their RUN."""
    whole = Claims(pl.concat([p.head for p in parts]), np.concatenate([p.cdf for p in parts]))
    return Claims(whole.head.with_columns(pl.Series(RUN, whole.median_day)), whole.cdf)


def no_claims() -> Claims:
    """None at all."""
    return Claims(pl.DataFrame(schema=HEAD_SCHEMA), np.zeros((0, REACH_DAYS)))
