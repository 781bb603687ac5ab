"""From scored documents to a few alerts: one for each story, within a budget, each with its evidence in words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from features.documents import KEY
from features.errors import BadSetting
from models.anomalies.returns import DUPLICATES, returns_of
from models.anomalies.rules import CONTROL, RULES, WORTH_SAYING
from models.anomalies.stories import part

FOREST = "forest"  # evidence where no rule says enough
FAINT = "faint"  # what is too weak to be said alone, and yet moves the chance
LEAST_FAINT = 0.01  # of such strength and less nothing is seen in a chance
GOES_ON = "goes_on"  # evidence that adds nothing to the chance: the story was judged before


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `share` of the documents looked at become alerts, and at most `per_day` a day of an entity.

    least_chance  what is less likely to be odd becomes no alert, however much of the budget is left
    """

    share: float = 0.01
    per_day: int = 10
    least_chance: float = 0.02

    def __post_init__(self) -> None:
        """`BadSetting` for a budget that cannot be."""
        if not 0 < self.share <= 1:
            raise BadSetting(f"the alert budget is {self.share}; allowed: a share of documents above 0, up to 1")
        if self.per_day < 1:
            raise BadSetting(f"the alert budget is {self.per_day} a day; allowed: 1 or more")
        if not 0 <= self.least_chance <= 1:
            raise BadSetting(f"the least chance of an alert is {self.least_chance}; allowed: a probability, 0 to 1")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One rule that speaks: how strongly, 0 to 1, what it compared with, and what it says.

    counted  where its words count documents: all of them, TABLE/ID, also those that were as usual when they came
    """

    rule: str
    strength: float
    compares: str
    words: str
    counted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alert:
    """One story. `table` to `amount_minor` are of its oddest document; `documents` lists all of them, TABLE/ID.

    Of control totals that do not tie (`table` "control") the amount is what was told less what landed, and the entity
    "*" where the source does not say whose records are missing.

    chance        that the oddest document is really odd, 0 to 1
    availability  "full" where the customer or feed had a history to compare with; "pooled" where only the entity had
    customer_name  as it was known then; null where nobody knew
    taken_back     which documents, or their twins, the books took back since
    taken_back_day  when nothing of the story was left; null where something is
    """

    alert_id: str
    entity_id: str
    kind: str
    chance: float
    table: str
    record_id: str
    customer_id: str | None
    day: date
    known_at: datetime
    currency: str | None
    amount_minor: int | None
    evidence: tuple[Evidence, ...]
    documents: tuple[str, ...]
    availability: str
    availability_reason: str | None
    customer_name: str | None = None
    taken_back: tuple[str, ...] = ()
    taken_back_day: date | None = None

    @property
    def undone(self) -> bool:
        """Whether the books mended it: a duplicate that was taken back. Of other kinds that is no answer yet."""
        return self.taken_back_day is not None and self.kind in DUPLICATES


def choose(told: pl.DataFrame, budget: Budget) -> list[Alert]:
    """The alerts with the highest chances within the budget, the highest first.

    told  rows of `with_stories`, all or of some time or entity: the budget is a share of them. What people judged
          (`with_verdicts`) is told no more and leaves room for others
    """
    fresh = told.filter(~pl.col("judged"))
    order = fresh.sort("chance", "known_at", *KEY, descending=[True, False, False, False, False])
    heads = order.unique("alert_id", keep="first", maintain_order=True)
    most, per_day = max(int(budget.share * len(told)), 1), Counter[tuple[str, date]]()
    picked: list[Mapping[str, Any]] = []
    for row in heads.iter_rows(named=True):
        day = row["entity_id"], row["known_day"] or row["day"]
        if len(picked) == most or row["chance"] < budget.least_chance:
            break
        if per_day[day] < budget.per_day:
            per_day[day] += 1
            picked.append(row)
    return _alerts(picked, fresh)


def found(told: pl.DataFrame, alert_id: str) -> list[Alert]:
    """The alert of this id, judged or not, or none; also one that goes on a story that was judged before."""
    rows = told.filter(pl.col("alert_id") == alert_id)
    rows = rows if len(rows) else part(told, alert_id)
    rows = rows.sort("chance", descending=True, maintain_order=True)
    return _alerts(list(rows.head(1).iter_rows(named=True)), rows)


def _alerts(heads: Sequence[Mapping[str, Any]], rows: pl.DataFrame) -> list[Alert]:
    ids = [h["alert_id"] for h in heads]
    members = (
        rows.filter(pl.col("alert_id").is_in(ids))
        .sort("known_at", *KEY)
        .group_by("alert_id")
        .agg(pl.concat_str("table", pl.lit("/"), "record_id").alias("documents"))
    )
    of = members.join(returns_of(rows.filter(pl.col("alert_id").is_in(ids))), on="alert_id").rows_by_key(
        "alert_id", named=True, unique=True
    )
    return [_alert(head, of[head["alert_id"]]) for head in heads]


def _alert(row: Mapping[str, Any], story: Mapping[str, Any]) -> Alert:
    heard = [r for r in (*RULES, CONTROL) if (row.get(r.name) or 0.0) >= WORTH_SAYING]
    speaking = sorted(heard, key=lambda r: -row[r.name] * r.weight)
    evidence = tuple(Evidence(r.name, row[r.name], r.compares, r.words(row), _counted(row, r.name)) for r in speaking)
    if not evidence:
        words = f"unlike the entity's other documents in several small ways (isolation score {row['forest']:.2f})"
        evidence = (Evidence(FOREST, row["forest"], "all documents of the past", words),)
    evidence = (*evidence, *_faint(row))
    if row["judged_before"]:
        words = f"goes on: {row['judged_before']} earlier documents of the same story were judged before"
        evidence = (*evidence, Evidence(GOES_ON, 0.0, "what people said of this story", words))
    thin = row["customer_id"] is not None and not row["amount_count"] and not row["invoice_count"]
    return Alert(
        **{c: row[c] for c in ("alert_id", "entity_id", "kind", "chance", "table", "record_id", "customer_id")},
        **{c: row[c] for c in ("day", "known_at", "currency", "amount_minor")},
        evidence=evidence,
        documents=tuple(story["documents"]),
        availability="pooled" if thin else "full",
        availability_reason="this customer has no history of its own" if thin else None,
        taken_back=tuple(story["taken_back"]),
        taken_back_day=story["taken_back_day"],
    )


def _faint(row: Mapping[str, Any]) -> tuple[Evidence, ...]:
    """Why two alerts of the same words and strength may have different chances."""
    weak = [r for r in RULES if LEAST_FAINT <= (row[r.name] or 0.0) < WORTH_SAYING]
    if not weak:
        return ()
    weak.sort(key=lambda r: -row[r.name] * r.weight)
    parts = [f"{r.compares} ({row[r.name]:.2f})" for r in weak]
    words = f"a little off, too, against {'; '.join(parts)}"
    return (Evidence(FAINT, row[weak[0].name], "what is too faint to be said alone", words),)


def _counted(row: Mapping[str, Any], rule: str) -> tuple[str, ...]:
    return tuple(row["batch"]) if rule == "neat_batch" else ()
