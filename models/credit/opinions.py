"""All that is said of customers' credit at once: scores, limits, the orders these would block, losses, ways up."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from features.book import Book
from features.errors import BadInput
from features.exposures import exposures, open_orders
from features.recoveries import OwnLgd, own_lgds
from models.credit.answers import CreditScore
from models.credit.blocked import BlockedOrder, blocked_orders
from models.credit.counterfactuals import Counterfactual, counterfactuals
from models.credit.losses import ExpectedLoss, LossSettings, expected_losses
from models.credit.policy import CreditLimit, LimitSettings, credit_limits
from models.credit.risk_model import CreditRiskModel


@dataclass(frozen=True)
class ScoredCustomers:
    """Customers as of an instant with the champion's scores. `frame`: the customer FEATURE frame, row for row."""

    book: Book
    model: CreditRiskModel
    frame: pl.DataFrame
    scores: list[CreditScore]

    @cached_property
    def exposures(self) -> pl.DataFrame:
        """What they owe and have ordered: `features.exposures.exposures`."""
        return exposures(self.frame, self.book.facts, self.book.states, self.book.masters)

    @cached_property
    def open_orders(self) -> pl.DataFrame:
        """`features.exposures.open_orders`."""
        return open_orders(self.frame, self.book.facts, self.book.masters)


def scored(book: Book, model: CreditRiskModel, subjects: pl.DataFrame) -> ScoredCustomers:
    """SNAPSHOT subjects with the model's scores."""
    frame = book.in_default(book.customer_features(subjects), model.rule)
    return ScoredCustomers(book, model, frame, model.scores(frame))


def limits_of(asked: ScoredCustomers, settings: LimitSettings) -> tuple[list[CreditLimit], list[BlockedOrder]]:
    """Every customer's limit, and the open orders that the limits would block."""
    home = dict(asked.book.zones.select("entity_id", "entity_currency").iter_rows())
    limits = credit_limits(asked.frame, asked.scores, asked.exposures, home, settings)
    return limits, blocked_orders(asked.open_orders, limits, settings)


def losses_of(
    asked: ScoredCustomers, settings: LossSettings, own: Mapping[str, OwnLgd] | None = None
) -> list[ExpectedLoss]:
    """The expected loss on every customer and currency; `own` as in `models.credit.losses.expected_losses`."""
    return expected_losses(asked.exposures, asked.scores, settings, own)


def own_lgd(asked: ScoredCustomers) -> dict[str, OwnLgd]:
    """Entity -> the own LGD of each of those asked about; `BadInput` where too few defaults were seen to tell any."""
    at = min(asked.frame["cutoff"].to_list())  # the day starts first there: nothing learnt after any cutoff
    entities = set(asked.frame["entity_id"].to_list())
    found = {name: lgd for name, lgd in own_lgds(asked.book, asked.model.rule, at).items() if name in entities}
    shares = [part.share for lgd in found.values() for part in (lgd.entering, lgd.within)]
    if all(share is None for share in shares):
        most = max(lgd.entering.cases for lgd in found.values())
        raise BadInput(f"only {most} customers ever went into default: too few to read an LGD off; give --lgd")
    return found


def ways_up(asked: ScoredCustomers, row: int) -> list[Counterfactual]:
    """For one of the customers asked about: what would go with a better grade. Empty where it has no grade."""
    if asked.scores[row].grade is None:
        return []
    return counterfactuals(asked.model.scorer, asked.frame[row])
