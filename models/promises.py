"""What a promise to pay does to a payment-date distribution.

Either it is kept, and the money comes around the promised day, as kept promises of the past did; or it is not, and the
model's own distribution holds for the days after. How likely it is kept is the customer's own kept rate, less the
longer the promised day has gone by.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.book import Book
from features.ledger import RECEIVABLE
from features.promises import TOLERANCE_DAYS, PromisesKnown, promises_known
from models.answers import answers
from models.distribution import Distribution
from models.predictions import PaymentPrediction, Reason

Floats = NDArray[np.float64]

EARLIEST_DAYS = 14  # before the promised day; what was kept sooner counts as this early
PROMISED, AHEAD = "promised", "calendar ahead"
# Without any kept promise to learn from: on the promised day mostly, else a day or two around it.
PRIOR_SPREAD = {-2: 0.5, -1: 1.0, 0: 4.0, 1: 1.0, 2: 0.5}
NOTHING_LEFT = 1e-6


@dataclass(frozen=True)
class OpenPromises:
    """The open promises of an instant, and how kept ones were kept.

    rows    `features.promises.PromisesKnown.open`
    spread  chance of being paid from EARLIEST_DAYS before the promised day to the last day of tolerance; sums to 1
    """

    rows: pl.DataFrame
    spread: Floats


class Model(Protocol):
    """A payment-date model."""

    explainer: Any

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The feature columns it reads."""

    def distribution(self, frame: pl.DataFrame) -> Distribution:
        """When each row of the FEATURE frame will be paid."""


def open_promises(book: Book, as_of: datetime, *, tolerance_days: int = TOLERANCE_DAYS) -> OpenPromises:
    """What `with_promises` needs of `book`, as known at the instant `as_of`."""
    known = promises_known(book, as_of, tolerance_days=tolerance_days)
    return OpenPromises(known.open, kept_spread(known, tolerance_days))


def kept_spread(known: PromisesKnown, tolerance_days: int = TOLERANCE_DAYS) -> Floats:
    """On which days around the promised one kept promises were paid, as known then; a few prior ones among them."""
    edges = range(-EARLIEST_DAYS, tolerance_days + 1)
    weight = np.array([PRIOR_SPREAD.get(offset, 0.0) for offset in edges])
    over = known.states.filter((pl.col("state") == "kept") & (pl.col("due_by") < pl.col("cutoff_day")))
    offsets = over["paid_days"].drop_nulls().to_numpy().astype(np.int64)
    np.add.at(weight, np.clip(offsets, -EARLIEST_DAYS, tolerance_days) + EARLIEST_DAYS, 1.0)
    spread: Floats = weight / weight.sum()
    return spread


def with_promises(
    distribution: Distribution, frame: pl.DataFrame, promises: OpenPromises
) -> tuple[Distribution, pl.DataFrame]:
    """The distribution of each row of `frame`, with its open promise where it has one, and these: one row per row.

    frame  RECEIVABLE and cutoff_day; all at the cutoff that `promises` are of
    The second answer has `promised_for`, `kept`, `due`, `kept_rate` (null where nothing is promised) in the order of
    `frame`. Rows without a promise keep their chances to the bit.
    """
    found = frame.select(RECEIVABLE).join(promises.rows, on=RECEIVABLE, how="left", maintain_order="left")
    at = np.flatnonzero(found["promised_for"].is_not_null().to_numpy())
    pmf = distribution.pmf.copy()
    start = distribution.start.astype("datetime64[D]").astype(np.int64)
    for k in at:
        day = int(found["promised_for"].cast(pl.Int32)[int(k)])
        pmf[k] = _mixed(pmf[k], day - int(start[k]), float(found["kept_rate"][int(k)]), promises.spread)
    return Distribution(distribution.start, pmf), found.select("promised_for", "kept", "due", "kept_rate")


def _mixed(own: Floats, wait_days: int, kept_rate: float, spread: Floats) -> Floats:
    """One row: `wait_days` to the promised day, negative where it has gone by."""
    horizon = len(own)
    first = wait_days - EARLIEST_DAYS
    last = first + len(spread) - 1
    kept = np.zeros(horizon)
    for j, chance in enumerate(spread):
        if 0 <= first + j < horizon:
            kept[first + j] = chance
    left = float(kept.sum())
    if left <= 0:
        return _after(own, last + 1)
    # still unpaid today: what of the kept ones would have been paid by now is ruled out
    keeps = kept_rate * left / (kept_rate * left + 1.0 - kept_rate)
    return keeps * kept / left + (1.0 - keeps) * _after(own, last + 1)


def _after(own: Floats, first: int) -> Floats:
    """`own` given that it is not paid before day `first`; moved there where nothing of it is left by then."""
    first = min(max(first, 0), len(own))
    later = own.copy()
    later[:first] = 0.0
    left = 1.0 - float(own[:first].sum())
    if left > NOTHING_LEFT:
        return later / left
    moved = np.zeros(len(own))
    moved[first:] = own[: len(own) - first]
    return moved


def promised_predictions(
    model: Model, frame: pl.DataFrame, promises: OpenPromises, days: Sequence[date] = ()
) -> list[PaymentPrediction]:
    """The answers of `model` with open promises taken into account: what `model.predictions` says where there is none.

    Where there is one, a reason "promised" says so; reasons still add up to the expected date.
    """
    if frame.is_empty():
        return []
    plain = model.distribution(frame)
    seen, told = with_promises(plain, frame, promises)
    before, after = plain.mean_days_within(), seen.mean_days_within()
    said = answers(seen, model.explainer, model.feature_names, frame, days)
    rows = told.iter_rows(named=True)
    return [_explained(p, row, float(after[k] - before[k])) for k, (p, row) in enumerate(zip(said, rows, strict=True))]


def _explained(said: PaymentPrediction, row: dict[str, Any], moved_days: float) -> PaymentPrediction:
    if row["promised_for"] is None or not said.reasons:
        return said
    reason = Reason(PROMISED, promise_words(row), moved_days)
    others = [replace(r, days=r.days - moved_days) if r.name == AHEAD else r for r in said.reasons]
    if all(r.name != AHEAD for r in others):
        others.append(Reason(AHEAD, "what else remains", -moved_days))
    return replace(said, reasons=tuple(sorted([reason, *others], key=lambda r: -abs(r.days))))


def promise_words(row: dict[str, Any]) -> str:
    """The promise and how much it is worth, in words."""
    rate = f"{100 * row['kept_rate']:.0f} %"
    own = f"{row['kept']} of {row['due']} kept" if row["due"] else "none of its promises was due so far"
    return f"promised for {row['promised_for']}; kept with a chance of {rate} ({own})"
