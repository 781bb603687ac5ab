"""Distributions that cover what they say: recalibration of the cdf on invoices held out in time.

If the model were right, the cdf at the day of payment (the probability integral transform, PIT) would be uniform. Its
observed distribution `g` on held-out invoices is therefore the correction: the new cdf is g(cdf). Open invoices take
part as censored observations (Kaplan-Meier). Kuleshov, Fenner and Ermon, "Accurate Uncertainties for Deep Learning
Using Calibrated Regression" (2018).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.distribution import Distribution

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KNOTS = 20
# The identity weighs as much as this many invoices: a small held-out set is mostly noise and corrects little.
PRIOR_INVOICES = 200


@dataclass(frozen=True)
class Calibration:
    """A monotone map of [0, 1] onto itself, linear between its knots."""

    stated: Floats
    observed: Floats

    def apply(self, raw: Distribution) -> Distribution:
        """`raw` with its cdf corrected; its chance of not being paid within the horizon is corrected with it."""
        cdf = np.interp(raw.cdf, self.stated, self.observed)
        return Distribution(raw.start, np.diff(cdf, axis=1, prepend=0.0))


def identity() -> Calibration:
    """The correction that changes nothing."""
    ends = np.array([0.0, 1.0])
    return Calibration(ends, ends)


def fit_calibration(low: Floats, high: Floats, seen: NDArray[np.bool_], *, seed: int) -> Calibration:
    """The correction from held-out invoices.

    low, high  (n,) stated cdf just before and at the day of payment; for one still open, `low` is the stated cdf at
               the last day it is known to have been unpaid
    seen       (n,) true where it was paid, false where it was still open
    """
    if len(low) == 0:
        return identity()
    drawn = low + (high - low) * np.random.default_rng(seed).random(len(low))
    value = np.where(seen, drawn, low)
    stated = np.linspace(0.0, 1.0, KNOTS + 1)
    observed = _kaplan_meier(value, seen, stated)
    pull = PRIOR_INVOICES / (PRIOR_INVOICES + seen.sum())
    observed = (1 - pull) * observed + pull * stated
    observed[0], observed[-1] = 0.0, 1.0
    return Calibration(stated, np.maximum.accumulate(observed))


def _kaplan_meier(value: Floats, seen: NDArray[np.bool_], at: Floats) -> Floats:
    """P(value <= at) where values not `seen` are only known to be greater than `value`."""
    order = np.lexsort((~seen, value))
    at_risk = len(value) - np.arange(len(value))
    survival = np.cumprod(1.0 - seen[order] / at_risk)
    position = np.searchsorted(value[order], at, side="right")
    return 1.0 - np.concatenate([[1.0], survival])[position]
