"""A credit-risk model of any portfolio table: `models.credit.scorer` on features declared in a mapping."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.errors import BadInput, StateError
from models.credit.boosters import BoosterSettings
from models.credit.codes import CreditReason, effect, ranked
from models.credit.files import MODEL, read_scorer, write_scorer
from models.credit.portfolio_features import (
    Categories,
    bad_rows,
    categorical_places,
    categories_of,
    columns,
    values,
)
from models.credit.portfolio_spec import PortfolioSpec
from models.credit.scale import grade
from models.credit.scorer import CreditScorer, fit_scorer, require_both

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PortfolioScore:
    """How likely the row `id` goes bad: chance, points (300 to 850), grade; typical + reasons = score."""

    id: str
    pd: float
    score: float
    grade: str
    typical_score: float
    reasons: tuple[CreditReason, ...]


@dataclass(frozen=True)
class PortfolioModel:
    """A trained model. `categories`: column -> its values in training. `about`: what it was trained on and how."""

    scorer: CreditScorer
    spec: PortfolioSpec
    categories: Categories
    about: dict[str, Any]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns of numbers that it reads."""
        return self.spec.number_columns

    def values(self, table: pl.DataFrame) -> Floats:
        """(n, F) the features of a READ table."""
        return values(columns(table, self.spec, self.categories))

    def pd(self, table: pl.DataFrame) -> Floats:
        """(n,) chance of each row of a READ table to go bad."""
        return self.scorer.pd(self.values(table))

    def scores(self, table: pl.DataFrame) -> list[PortfolioScore]:
        """One answer per row of a READ table, in its order."""
        given = self.values(table)
        parts, pd = self.scorer.parts(given), self.scorer.pd(given)
        return [
            PortfolioScore(
                str(identity),
                float(pd[k]),
                float(parts.points[k]),
                grade(float(pd[k])),
                parts.typical,
                self._reasons(parts.groups[k], float(parts.clipping[k])),
            )
            for k, identity in enumerate(table[self.spec.id].to_list())
        ]

    def _reasons(self, points: Floats, clipping: float) -> tuple[CreditReason, ...]:
        told = (
            CreditReason(code, f"{self.spec.reasons[code]}: {effect(part)}", part)
            for code, part in zip(self.scorer.group_names, points.tolist(), strict=True)
        )
        return ranked(told, clipping)

    def save(self, folder: Path) -> None:
        """Write the model into `folder`: LightGBM's native text and one JSON file, nothing pickled."""
        further = {"spec": msgspec.to_builtins(self.spec), "categories": self.categories, "about": self.about}
        write_scorer(folder, self.scorer, further)

    @classmethod
    def load(cls, folder: Path) -> "PortfolioModel":
        """Read what `save` wrote; `StateError` names the file that cannot be used (see `models.credit.files`)."""
        scorer, further = read_scorer(folder)
        try:
            spec = msgspec.convert(further["spec"], PortfolioSpec)
            return cls(scorer, spec, further["categories"], further["about"])
        except (KeyError, msgspec.ValidationError) as error:
            raise StateError(f"{folder / MODEL} is not of a portfolio model ({error}); register it again") from error


def train_portfolio(
    table: pl.DataFrame, spec: PortfolioSpec, *, seed: int, settings: BoosterSettings | None = None
) -> PortfolioModel:
    """Train on a READ table, a row per borrower. `BadInput` where too few went bad, or too few did not."""
    settings = settings or BoosterSettings()
    if table.is_empty():
        raise BadInput(f"portfolio {spec.portfolio!r} has no rows: nothing to learn from")
    bad, who = bad_rows(table, spec), np.arange(len(table))
    require_both(bad, who, "rows")
    categories = categories_of(table, spec)
    found = columns(table, spec, categories)
    scorer, _ = fit_scorer(
        values(found),
        bad,
        names=[column.name for column in found],
        groups=[column.reason for column in found],
        directions=[column.direction for column in found],
        settings=settings,
        rows_of=who,
        categorical=categorical_places(spec),
        seed=seed,
    )
    about = {
        "portfolio": spec.portfolio,
        "rows": len(table),
        "bad": int(bad.sum()),
        "features": len(found),
        "slope": scorer.line.slope,
        "seed": seed,
        **{f"trees_{name}": value for name, value in asdict(settings).items()},
    }
    return PortfolioModel(scorer, spec, categories, about)
