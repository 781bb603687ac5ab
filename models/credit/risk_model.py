"""The credit-risk model of a ledger: how likely is each customer to go into default within the horizon?

frame = book.defaults(book.in_default(book.customer_features(book.snapshots(first, until)), rule), rule)
model = train(frame, names, rule, seed=7)
model.scores(book.in_default(book.customer_features(book.customers_as_of(as_of)), rule))
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.customer_catalogue import direction
from features.customers import DefaultRule
from features.errors import StateError
from features.masters import CUSTOMER
from models.credit.answers import CreditScore, scores
from models.credit.boosters import BoosterSettings
from models.credit.codes import code_of
from models.credit.files import MODEL, read_scorer, write_scorer
from models.credit.scorer import CreditScorer, fit_scorer, require_both
from models.scorer import feature_values

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Small trees, since defaults are few and a customer's months are alike. Set by judgement, not by a search.
SETTINGS = BoosterSettings(
    trees=200, learning_rate=0.04, leaves=5, smallest_leaf=60, feature_share=0.3, l2=20.0, path_smooth=20.0, repeats=2
)


@dataclass(frozen=True)
class CreditRiskModel:
    """A trained model. `about` says what it was trained on and how, for the registry and the reports."""

    scorer: CreditScorer
    rule: DefaultRule
    about: dict[str, Any]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The feature columns it reads, in order."""
        return self.scorer.names

    def pd(self, frame: pl.DataFrame) -> Floats:
        """(n,) chance of each row of the customer FEATURE frame to go into default within the rule's horizon."""
        return self.scorer.pd(feature_values(frame, self.feature_names))

    def scores(self, frame: pl.DataFrame) -> list[CreditScore]:
        """One answer per row of the customer FEATURE frame with `default_cause`, in its order."""
        return scores(self.scorer, self.rule, frame)

    def save(self, folder: Path) -> None:
        """Write the model into `folder`: LightGBM's native text and one JSON file, nothing pickled."""
        write_scorer(folder, self.scorer, {"rule": asdict(self.rule), "about": self.about})

    @classmethod
    def load(cls, folder: Path) -> "CreditRiskModel":
        """Read what `save` wrote; `StateError` names the file that cannot be used (see `models.credit.files`)."""
        scorer, further = read_scorer(folder)
        try:
            return cls(scorer, DefaultRule(**further["rule"]), further["about"])
        except (KeyError, TypeError) as error:
            raise StateError(f"{folder / MODEL} is not of a credit-risk model ({error}); register it again") from error


def train(
    frame: pl.DataFrame,
    names: Sequence[str],
    rule: DefaultRule,
    *,
    seed: int,
    settings: BoosterSettings | None = None,
) -> CreditRiskModel:
    """Train on customer FEATURE rows with their outcomes; what is not `learnable` is left aside.

    `BadInput` where too few customers went into default, or too few did not.
    """
    settings = settings or SETTINGS
    rows = learnable(frame)
    bad, who = rows["defaulted"].cast(pl.Float64).to_numpy(), customer_numbers(rows)
    require_both(bad, who, "customers")
    scorer, _ = fit_scorer(
        feature_values(rows, names),
        bad,
        names=names,
        groups=[code_of(name) for name in names],
        directions=[direction(name) for name in names],
        settings=settings,
        rows_of=who,
        seed=seed,
    )
    about = {
        **counts(rows),
        "first_cutoff": str(rows["cutoff_day"].min()),
        "last_cutoff": str(rows["cutoff_day"].max()),
        "slope": scorer.line.slope,
        "seed": seed,
        **{f"rule_{name}": value for name, value in asdict(rule).items()},
        **{f"trees_{name}": value for name, value in asdict(settings).items()},
    }
    return CreditRiskModel(scorer, rule, about)


def learnable(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows whose window has closed, of customers that were not in default at the snapshot, in a fixed order."""
    rows = frame.filter(pl.col("defaulted").is_not_null(), pl.col("default_cause").is_null())
    return rows.sort("cutoff", *CUSTOMER)


def counts(rows: pl.DataFrame) -> dict[str, int]:
    """How many snapshots and customers there are in LEARNABLE rows, and how many of each went into default."""
    spoiled = rows.filter("defaulted")
    told = {"": rows, "defaulted_": spoiled}
    return {f"{how}snapshots": len(part) for how, part in told.items()} | {
        f"{how}customers": part.select(CUSTOMER).n_unique() for how, part in told.items()
    }


def customer_numbers(rows: pl.DataFrame) -> Ints:
    """(n,) a number per customer of an entity, in order of their ids."""
    numbers: Ints = rows.select(pl.struct(CUSTOMER).rank("dense")).to_series().cast(pl.Int64).to_numpy()
    return numbers
