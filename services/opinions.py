"""Opinions on customers' credit as they are sent: score, limit, losses and the LGD they rest on, orders, ways up."""

from collections.abc import Mapping

from features.recoveries import LossShare, OwnLgd
from models.credit.answers import CreditScore
from models.credit.losses import LossSettings
from models.credit.opinions import ScoredCustomers, limits_of, losses_of, ways_up
from models.credit.policy import LimitSettings
from services.questions import CreditOpinion, LgdUsed

SETTINGS = LossSettings()
NO_CASES = LossShare(0, None)


def opinions(asked: ScoredCustomers, own: Mapping[str, OwnLgd]) -> list[CreditOpinion]:
    """One per customer, in the order of `asked`; `own`: entity -> its own LGD, which counts where it can be read off.

    A ledger in which nobody's default ever lost anything most likely keeps its write-offs elsewhere: then the standard
    LGD counts, lest every expected loss be nothing.
    """
    seen = {entity: OwnLgd(_if_lossy(lgd.entering), _if_lossy(lgd.within)) for entity, lgd in own.items()}
    limits, blocked = limits_of(asked, LimitSettings())
    losses = losses_of(asked, SETTINGS, seen)
    return [
        CreditOpinion(
            score=score,
            limit=limits[row],
            lgd=_used(score, seen),
            losses=[loss for loss in losses if loss.customer_id == score.customer_id],
            blocked_orders=[order for order in blocked if order.customer_id == score.customer_id],
            ways_up=ways_up(asked, row),
        )
        for row, score in enumerate(asked.scores)
    ]


def _if_lossy(part: LossShare) -> LossShare:
    return part if part.share else LossShare(part.cases, None, part.pooled)


def _used(score: CreditScore, own: Mapping[str, OwnLgd]) -> LgdUsed:
    found = own.get(score.entity_id, OwnLgd(NO_CASES, NO_CASES))
    part = found.entering if score.default_cause is None else found.within
    if part.share is None:
        return LgdUsed(share=SETTINGS.lgd, basis="standard", cases=part.cases)
    return LgdUsed(share=part.share, basis="all entities" if part.pooled else "entity", cases=part.cases)
