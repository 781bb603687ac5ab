"""Expected credit loss: PD x LGD x EAD, discounted, per customer and currency, in whole minor units.

EAD is what is open on the ledger, to the cent what the ageing says (`debit_minor` of `features.kpis.ageing`), and the
orders not yet billed where that is switched on. PD is that of the model's horizon, within which trade receivables fall
due; the loss is discounted from the middle of it. A customer in default has PD 1, and its loss, which is there, is not
discounted. An LGD that goes with these is the share of all that a customer owes, and not of its late invoices; and
another one for those in default already, of whom the ones that cure are gone (`features.recoveries`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import polars as pl

from features.errors import BadSetting
from features.kpis.rounding import half_up
from features.recoveries import OwnLgd
from models.credit.answers import CreditScore

DEFAULT_LGD = 0.4


@dataclass(frozen=True, slots=True)
class LossSettings:
    """How losses are figured.

    lgd                  share of the exposure that is lost in a default, 0 to 1; 40 % is the Basel foundation figure
                         for senior unsecured claims on corporates since 2023 (CRE32.6);
                         `features.recoveries.own_lgds` reads them off the ledger
    discount_rate        a year
    count_orders         whether orders not yet billed are part of the exposure
    """

    lgd: float = DEFAULT_LGD
    discount_rate: float = 0.05
    count_orders: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.lgd <= 1:
            raise BadSetting(f"lgd is {self.lgd}; allowed: 0 to 1")
        if not 0 <= self.discount_rate < float("inf"):
            raise BadSetting(f"discount_rate is {self.discount_rate}; allowed: 0 or more, as a share a year")


@dataclass(frozen=True, slots=True)
class ExpectedLoss:
    """The expected loss on one customer in one currency; null where `availability` is "none", with the reason."""

    entity_id: str
    customer_id: str
    currency: str
    availability: str
    availability_reason: str | None
    pd: float | None
    lgd: float
    ead_minor: int
    discount: float
    loss_minor: int | None


def expected_losses(
    exposures: pl.DataFrame,
    scores: Iterable[CreditScore],
    settings: LossSettings,
    own: Mapping[str, OwnLgd] | None = None,
) -> list[ExpectedLoss]:
    """One per row of `features.exposures.exposures` with anything at risk, in its order.

    own  entity -> its own LGD, which counts before `settings.lgd` where there were cases enough
    """
    by_customer = {(score.entity_id, score.customer_id): score for score in scores}
    found = []
    for row in exposures.iter_rows(named=True):
        ead = row["open_minor"] + (row["unbilled_minor"] if settings.count_orders else 0)
        if ead > 0:
            score = by_customer[row["entity_id"], row["customer_id"]]
            found.append(_loss(row, ead, score, settings, lgd_of(score, settings, own or {})))
    return found


def lgd_of(score: CreditScore, settings: LossSettings, own: Mapping[str, OwnLgd]) -> float:
    """The share of a customer's exposure that its default loses, by whether it is in default already."""
    found = own.get(score.entity_id)
    if found is None:
        return settings.lgd
    share = (found.entering if score.default_cause is None else found.within).share
    return settings.lgd if share is None else share


def discount_of(score: CreditScore, settings: LossSettings) -> float:
    """What a unit of loss in the middle of the horizon is worth today; 1 for a customer in default."""
    if score.default_cause is not None:
        return 1.0
    years = score.horizon_days / 2 / 365
    return float((1 + settings.discount_rate) ** -years)


def _loss(row: Mapping[str, Any], ead: int, score: CreditScore, settings: LossSettings, lgd: float) -> ExpectedLoss:
    discount = discount_of(score, settings)
    loss = None
    if score.pd is not None:
        loss = half_up(Fraction(score.pd) * Fraction(lgd) * Fraction(discount) * ead)
    return ExpectedLoss(
        row["entity_id"],
        row["customer_id"],
        row["currency"],
        score.availability,
        score.availability_reason,
        score.pd,
        lgd,
        ead,
        discount,
        loss,
    )
