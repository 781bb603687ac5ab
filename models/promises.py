"""What a promise to pay does to a payment-date distribution.

How likely it is kept: the model's own chance that the money comes by the promised day and the tolerance, and the
customer's kept rate, weighed together in log-odds. Within that window and after it the model's own days hold, tilted to
the days on which promises of the past were paid. Weights and tilt are learnt from the entity's past promises as known
at the cutoff, each seen again while it was open (`features.promise_looks`); they start from PRIOR_WEIGHTS and from no
tilt: where there is no history of promises, the model's own distribution stands.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.book import Book
from features.calendars import instant
from features.ledger import RECEIVABLE
from features.promise_looks import promise_looks
from features.promises import TOLERANCE_DAYS, PromisesKnown, promises_known
from models.answers import answers
from models.distribution import Distribution
from models.predictions import PaymentPrediction, Reason

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PROMISED = "promised"
# Log-odds of being kept: a constant, the model's own chance, the customer's kept rate.
PRIOR_WEIGHTS = (0.0, 1.0, 1.0)
PRIOR_SPREAD = 1.0  # standard deviation of the weights before anything is learnt
PRIOR_LOOKS = 20.0  # no tilt at all weighs as much as so many looks
SUREST = 0.98  # a chance beyond it, or below its rest, counts as it
# Days after the promised one with which the parts of the tilt begin; the last day of tolerance ends the window.
PARTS = (-730, -14, -5, -2, -1, 0, 1, 2, TOLERANCE_DAYS + 1, 5, 8, 15, 31, 61)
FLOOR = 1e-3  # of all chance, spread evenly, so that no day is impossible because the model says so
STEPS, LONGEST_STEP = 50, 1.0
KEPT_ANSWERS = 16  # instants of which what was known is kept at hand

SAID = ("promise_id", "promised_for", "due_by", "kept", "due", "kept_rate")


class Model(Protocol):
    """A payment-date model."""

    explainer: Any

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The feature columns it reads."""

    def distribution(self, frame: pl.DataFrame) -> Distribution:
        """When each row of the FEATURE frame will be paid."""

    def predictions(self, frame: pl.DataFrame, days: Sequence[date] = ()) -> list[PaymentPrediction]:
        """One answer per row of the FEATURE frame."""


@dataclass(frozen=True)
class Habits:
    """How promises of an entity go.

    weights  (3,) as PRIOR_WEIGHTS
    tilt     (len(PARTS),) how many times as often promises were paid in each part as the model alone would have it
    looks    from how many looks at past promises this was learnt
    """

    weights: Floats
    tilt: Floats
    looks: int


NO_HABITS = Habits(np.array(PRIOR_WEIGHTS), np.ones(len(PARTS)), 0)


@dataclass(frozen=True)
class Promise:
    """An open promise about one receivable: SAID, and how promises of its entity go."""

    said: dict[str, Any]
    habits: Habits

    def told(self) -> bytes:
        """All that an answer with this promise follows from, beside the model and its features."""
        said = [self.said[name] for name in SAID]
        return repr([str(value) if isinstance(value, date) else value for value in said]).encode() + (
            self.habits.weights.astype("<f8").tobytes() + self.habits.tilt.astype("<f8").tobytes()
        )


class Promises:
    """The open promises of `book` at any cutoff, as `model` learns from those before it."""

    def __init__(self, book: Book, model: Model) -> None:
        self._book, self._model = book, model
        self._known = lru_cache(KEPT_ANSWERS)(self._promises_known)
        self._habits = lru_cache(KEPT_ANSWERS)(self._learnt)

    def of(self, frame: pl.DataFrame) -> list[Promise | None]:
        """For each row of `frame` (SUBJECT columns), the promise that was open at its cutoff; None where none was.

        Costs nothing where the book knows of no promise at all.
        """
        found: list[Promise | None] = [None] * len(frame)
        if self._book.facts.tables["promise"].is_empty():
            return found
        rows = frame.select(*RECEIVABLE, "cutoff").with_row_index("_row")
        for (cutoff,), part in rows.partition_by("cutoff", as_dict=True, maintain_order=True).items():
            open_then = self._known(instant(cutoff)).open
            for row in part.join(open_then, on=RECEIVABLE, maintain_order="left").iter_rows(named=True):
                found[row["_row"]] = Promise({n: row[n] for n in SAID}, self._habits(row["entity_id"], instant(cutoff)))
        return found

    def _promises_known(self, as_of: datetime) -> PromisesKnown:
        return promises_known(self._book, as_of)

    def _learnt(self, entity_id: str, as_of: datetime) -> Habits:
        return learn_habits(self._book, self._model, self._known(as_of), entity_id)


def learn_habits(book: Book, model: Model, known: PromisesKnown, entity_id: str) -> Habits:
    """How the entity's promises went, from what was known at `known.as_of`; NO_HABITS where none is over."""
    looks = promise_looks(book, known, entity_id)
    if looks.is_empty():
        return NO_HABITS
    subjects = looks.select(
        *RECEIVABLE, "customer_id", "currency", "amount_minor", "issue_date", "due_date", "cutoff_day", "cutoff"
    )
    own = model.distribution(book.features(subjects))
    ahead, last = (_days(looks, name) for name in ("promised_for", "due_by"))
    wait = (looks["paid_date"] - looks["cutoff_day"]).dt.total_days()
    paid = wait.is_not_null().to_numpy()
    # of what is still open, the first day on which it can be paid
    seen = wait.fill_null((looks["observed_until"] - looks["cutoff_day"]).dt.total_days() + 1).to_numpy()
    days: Ints = seen.astype(np.int64)
    kept = paid & (days <= last)
    chances = np.array([_share(own.pmf[k], int(last[k])) for k in range(len(looks))])
    weights = fit_weights(chances, looks["kept_rate"].to_numpy(), kept)
    return Habits(weights, _tilt(own.pmf, ahead, last, days, paid), len(looks))


def _days(frame: pl.DataFrame, name: str) -> Ints:
    found: Ints = (frame[name] - frame["cutoff_day"]).dt.total_days().to_numpy().astype(np.int64)
    return found


def _share(own: Floats, last: int) -> float:
    """Chance of being paid by day `last`."""
    return float(own[: max(last + 1, 0)].sum())


def log_odds(chance: float) -> float:
    """Of a chance, kept away from 0 and 1."""
    held = min(max(chance, 1.0 - SUREST), SUREST)
    return math.log(held / (1.0 - held))


def chance_kept(weights: Floats, own_chance: float, kept_rate: float) -> float:
    """How likely a promise is kept, from the model's own chance of payment in time and the customer's kept rate."""
    odds = float(weights[0]) + float(weights[1]) * log_odds(own_chance) + float(weights[2]) * log_odds(kept_rate)
    return 1.0 / (1.0 + math.exp(-odds))


def fit_weights(own_chance: Floats, kept_rate: Floats, kept: NDArray[np.bool_]) -> Floats:
    """(3,) the most likely weights, normal around PRIOR_WEIGHTS before; neither chance nor rate ever counts against."""
    told = np.array([[1.0, log_odds(a), log_odds(b)] for a, b in zip(own_chance, kept_rate, strict=True)])
    prior = np.array(PRIOR_WEIGHTS)
    weights = prior.copy()
    for _ in range(STEPS):
        # sums instead of `@`: its order of addition is the machine's own
        chance = 1.0 / (1.0 + np.exp(-(told * weights).sum(axis=1)))
        slope = (told * (kept - chance)[:, None]).sum(axis=0) - (weights - prior) / PRIOR_SPREAD**2
        bend = (told[:, :, None] * told[:, None, :] * (chance * (1.0 - chance))[:, None, None]).sum(axis=0)
        step = np.linalg.solve(bend + np.eye(3) / PRIOR_SPREAD**2, slope)
        weights = weights + step * min(1.0, LONGEST_STEP / max(float(np.abs(step).max()), 1e-12))
    weights[1:] = np.maximum(weights[1:], 0.0)
    return weights


def _parts(horizon: int, ahead: int) -> NDArray[np.intp]:
    """(horizon,) the part of PARTS that each day from the cutoff on falls in."""
    return np.maximum(np.searchsorted(np.array(PARTS), np.arange(horizon) - ahead, side="right") - 1, 0)


def _floored(own: Floats) -> Floats:
    return own + FLOOR / len(own)


def _tilt(pmf: Floats, ahead: Ints, last: Ints, days: Ints, paid: NDArray[np.bool_]) -> Floats:
    """(len(PARTS),) paid in each part, over what the model alone expected of the side on which it was paid.

    What is still open counts for the parts of its days to come, as the model shares them out.
    """
    horizon = pmf.shape[1]
    seen, expected = np.zeros(len(PARTS)), np.zeros(len(PARTS))
    for k in np.flatnonzero(days < horizon):
        part, day = _parts(horizon, int(ahead[k])), np.arange(horizon)
        side = day <= last[k] if days[k] <= last[k] else day > last[k]
        own = np.where(side, _floored(pmf[k]), 0.0)
        expected += np.bincount(part, own / own.sum(), len(PARTS))
        happened = (day == days[k]) * 1.0 if paid[k] else np.where(day >= days[k], own, 0.0)
        seen += np.bincount(part, happened / happened.sum(), len(PARTS))
    prior = PRIOR_LOOKS * expected / max(float(expected.sum()), 1.0) + 1e-9
    tilt: Floats = (seen + prior) / (expected + prior)
    return tilt


def with_promises(seen: Distribution, promises: Sequence[Promise | None]) -> tuple[Distribution, list[float]]:
    """The distribution of each row with its promise, and how likely that is kept (NaN without one).

    Rows without a promise keep their chances to the bit.
    """
    pmf, chances = seen.pmf.copy(), [math.nan] * len(promises)
    for k, promise in enumerate(promises):
        if promise is not None:
            start = seen.start[k].astype("datetime64[D]")
            ahead, last = ((np.datetime64(promise.said[n]) - start).astype(int) for n in ("promised_for", "due_by"))
            pmf[k], chances[k] = _promised(pmf[k], int(ahead), int(last), promise)
    return Distribution(seen.start, pmf), chances


def _promised(own: Floats, ahead: int, last: int, promise: Promise) -> tuple[Floats, float]:
    """One row: the days by `last` hold the chance that it is kept, those after it and beyond the horizon the rest."""
    horizon = len(own)
    chance = chance_kept(promise.habits.weights, _share(own, last), promise.said["kept_rate"])
    if last >= horizon - 1:
        return own, chance
    tilted = _floored(own) * promise.habits.tilt[_parts(horizon, ahead)]
    beyond = max(1.0 - float(own.sum()), 0.0) * float(promise.habits.tilt[-1])
    in_time, after = tilted[: last + 1], tilted[last + 1 :]
    kept = in_time * (chance / float(in_time.sum()))
    broken = after * ((1.0 - chance) / (float(after.sum()) + beyond))
    return np.concatenate([kept, broken]), chance


def promised_predictions(
    model: Model, frame: pl.DataFrame, promises: Sequence[Promise | None], days: Sequence[date] = ()
) -> list[PaymentPrediction]:
    """The answers of `model`, with the promise of each row where it has one.

    Where there is one, a reason "promised" holds the days that it moves, so that reasons still add up.
    """
    told = model.predictions(frame, days)
    rows = [k for k, promise in enumerate(promises) if promise is not None]
    if not rows:
        return told
    part, own = frame[rows], [promises[k] for k in rows]
    plain = model.distribution(part)
    seen, chances = with_promises(plain, own)
    moved = seen.mean_days_within() - plain.mean_days_within()
    again = answers(seen, model.explainer, model.feature_names, part, days)
    for at, k in enumerate(rows):
        promise = own[at]
        if promise is not None and told[k].availability != "none":
            reason = Reason(PROMISED, promise_words(promise.said, chances[at]), float(moved[at]))
            reasons = sorted([reason, *told[k].reasons], key=lambda r: -abs(r.days))
            told[k] = replace(again[at], reasons=tuple(reasons))
    return told


def promise_words(said: dict[str, Any], chance: float) -> str:
    """The promise and how much it is worth, in words."""
    own = f"{said['kept']} of {said['due']} kept" if said["due"] else "none of its promises was due so far"
    return f"promised for {said['promised_for']}; kept with a chance of {100 * chance:.0f} % ({own})"
