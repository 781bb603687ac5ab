"""The anomaly model: rules and a forest on what each document was compared with, one calibrated chance."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.documents import KEY
from features.errors import BadInput, StateError
from models.anomalies.evidence import Combination, declared, learnt
from models.anomalies.forest import Forest, fit_forest
from models.anomalies.rules import RULES, WORTH_SAYING, strengths

FORMAT = 2
MODEL = "anomalies.json"
EXPECTED_RATE = 0.005
LEAST_DOCUMENTS = 200
LEAST_VERDICTS, LEAST_OF_EACH = 20, 3  # fewer, or fewer of real and of not, leave the declared weights as they are
UNTOUCHED = 0.25  # what no rule says more of than this nobody had a reason to judge
FOREST_COLUMNS = (
    "amount_z", "amount_times", "amount_most_times", "invoice_times", "invoice_most_times", "account_changed_days",
    "account_seen", "limit_share", "limit_same_day", "neat", "neat_rarity", "digit_effect", "digit_surprise",
    "hour_share", "own_hour_share", "weekday_share", "own_weekday_share", "lag_days", "lag_months", "twin_rank",
    "twin_days", "twin_minor", "repeat_share", "loop_rounds", "feed_z", "feed_lost",
)  # fmt: skip
Floats = NDArray[np.float64]
JUDGED: dict[str, pl.DataType] = {k: pl.String() for k in KEY} | {"real": pl.Boolean()}


@dataclass(frozen=True)
class AnomalyModel:
    """`usual` and `spread` are of the forest's score over the training documents.

    limits  the approval limits that documents are compared with: entity_id -> minor units of its currency
    """

    forest: Forest
    usual: float
    spread: float
    combination: Combination
    expected_rate: float
    documents: int
    limits: Mapping[str, int]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns of `features.comparisons.compared` that its forest reads; its rules read more of them."""
        return FOREST_COLUMNS

    def scored(self, frame: pl.DataFrame) -> pl.DataFrame:
        """`frame` (of `features.comparisons.compared`), row for row, with what is said of each document.

        `chance` that it is really odd, 0 to 1; `kind`, the rule with the most to say (`general` where none says enough
        to be evidence), `rule` its name; `forest`, 0 to 1; and a strength for every rule.
        """
        found = strengths(frame)
        forest = self.forest.score(forest_values(frame))
        evidence = self._evidence(found, forest)
        # by the declared weights, so that a story keeps its name when weights are learnt anew
        said = found.to_numpy()
        said = np.where(said >= WORTH_SAYING, said, 0.0) * [r.weight for r in RULES]
        share = np.column_stack([said, np.full(len(frame), 1e-9)])
        best = share.argmax(axis=1)
        rules, kinds = [*(r.name for r in RULES), "forest"], [*(r.kind for r in RULES), "general"]
        return frame.with_columns(
            found.get_columns(),
            forest=pl.Series(forest, dtype=pl.Float64),
            chance=pl.Series(self.combination.chances(evidence), dtype=pl.Float64),
            rule=pl.Series([rules[b] for b in best], dtype=pl.String),
            kind=pl.Series([kinds[b] for b in best], dtype=pl.String),
        )

    def _evidence(self, found: pl.DataFrame, forest: Floats) -> Floats:
        """Roots of strengths: a rule that speaks half as loud is right more often than half the log odds would say."""
        excess = np.clip((forest - self.usual) / self.spread, 0.0, 6.0) / 6.0
        return np.column_stack([np.sqrt(found.to_numpy()), excess])

    @property
    def about(self) -> dict[str, object]:
        """Its settings and sizes."""
        return {
            "rules": len(RULES),
            "trees": len(self.forest.trees),
            "documents": self.documents,
            "expected_rate": self.expected_rate,
            "verdicts": self.combination.verdicts,
        }

    def save(self, folder: Path) -> None:
        """Write it into `folder`, which is made where it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            "format": FORMAT,
            "rules": [r.name for r in RULES],
            "forest": self.forest.as_json(),
            "usual": self.usual,
            "spread": self.spread,
            "combination": self.combination.as_json(),
            "expected_rate": self.expected_rate,
            "documents": self.documents,
            "limits": dict(self.limits),
        }
        (folder / MODEL).write_text(json.dumps(content, allow_nan=False))

    @classmethod
    def load(cls, folder: Path) -> "AnomalyModel":
        """What `save` wrote; `StateError` names the file that is missing, damaged or of another version."""
        path = folder / MODEL
        try:
            told: dict[str, Any] = json.loads(path.read_text())
            if told["format"] != FORMAT or told["rules"] != [r.name for r in RULES]:
                raise StateError(f"{path} was saved by another version of Duecast; train the model again")
            return cls(
                Forest.of_json(told["forest"]),
                float(told["usual"]),
                float(told["spread"]),
                Combination.of_json(told["combination"]),
                float(told["expected_rate"]),
                int(told["documents"]),
                {str(entity): int(limit) for entity, limit in told["limits"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StateError(
                f"{path} cannot be read as an anomaly model ({type(error).__name__}: {error}); register it again"
            ) from error


def forest_values(frame: pl.DataFrame) -> Floats:
    """What the forest reads: (n, columns), NaN where there was nothing to compare."""
    return frame.select(pl.col(c).cast(pl.Float64).fill_null(float("nan")) for c in FOREST_COLUMNS).to_numpy()


def train(
    frame: pl.DataFrame,
    *,
    judged: pl.DataFrame | None = None,
    limits: Mapping[str, int] | None = None,
    expected_rate: float = EXPECTED_RATE,
    seed: int = 7,
) -> AnomalyModel:
    """A model of the documents in `frame` (of `features.comparisons.compared`), all of them of the past.

    judged  JUDGED rows: what people said of documents; fewer than `LEAST_VERDICTS` are too few to learn from. Those of
            what is not in `frame` (control totals, documents of the future) teach nothing
    limits  those that `frame` was compared with

    `BadInput` where there are too few documents to tell what is usual.
    """
    if len(frame) < LEAST_DOCUMENTS:
        raise BadInput(f"{len(frame)} documents; anomalies are told from {LEAST_DOCUMENTS} on: ingest more history")
    forest = fit_forest(forest_values(frame), FOREST_COLUMNS, seed=seed)
    scores = forest.score(forest_values(frame))
    usual, high = np.quantile(scores, [0.5, 0.99])
    weights = np.array([r.weight for r in RULES])
    plain = Combination(weights, 0.0, 0)
    spread = max(float(high - usual), 1e-3)
    model = AnomalyModel(forest, float(usual), spread, plain, expected_rate, len(frame), limits or {})
    found = strengths(frame)
    evidence = model._evidence(found, scores)
    combination = declared(evidence, weights, expected_rate)
    about = None if judged is None else judged.join(frame, on=KEY, how="semi", maintain_order="left")
    if about is not None and _enough(about):
        combination = _with_verdicts(combination, frame, found, evidence, about)
    return replace(model, combination=combination)


def _enough(judged: pl.DataFrame) -> bool:
    """Whether people said enough, of both kinds: from one kind alone only the level could be learnt, and wrongly."""
    real = int(judged["real"].sum())
    return len(judged) >= LEAST_VERDICTS and min(real, len(judged) - real) >= LEAST_OF_EACH


def _with_verdicts(
    prior: Combination, frame: pl.DataFrame, found: pl.DataFrame, evidence: Floats, judged: pl.DataFrame
) -> Combination:
    told = frame.select(KEY).join(judged.select(*JUDGED), on=KEY, how="left", maintain_order="left")["real"]
    untouched = found.max_horizontal() <= UNTOUCHED
    used = (told.is_not_null() | untouched).to_numpy()
    real = told.fill_null(value=False).to_numpy()
    return learnt(prior, evidence[used], real[used], int(told.is_not_null().sum()))
