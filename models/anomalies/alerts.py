"""From scored documents to a few alerts: one for each story, within a budget, each with its evidence in words."""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from features.documents import KEY
from features.errors import BadSetting
from models.anomalies.rules import RULES, WORTH_SAYING

FLAGGED = 0.4  # strength from which a document is part of the story that its rule tells

# kind -> the columns that documents of one story share, and the days that may lie between two of them
STORIES: Mapping[str, tuple[tuple[str, ...], int]] = {
    "duplicate_invoice": (("table", "twin_id"), 30),
    "duplicate_payment": (("table", "twin_id"), 30),
    "account_changed": (("customer_id",), 15),
    "below_approval_limit": (("customer_id", "known_day"), 1),
    "round_sums": (("table", "currency"), 20),
    "rebill_loop": (("customer_id", "currency"), 60),
    "feed_break": (("_feed",), 6),
}


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
            raise BadSetting(f"the least chance of an alert is {self.least_chance}; allowed: 0 to 1")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One rule that speaks: how strongly, 0 to 1, what it compared with, and what it says."""

    rule: str
    strength: float
    compares: str
    words: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One story. `table` to `amount_minor` are of its oddest document; `documents` lists all of them, TABLE/ID.

    chance        that the oddest document is really odd, 0 to 1
    availability  "full" where the customer or feed had a history to compare with; "pooled" where only the entity had
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


def with_stories(scored: pl.DataFrame) -> pl.DataFrame:
    """`scored` (of `AnomalyModel.scored`), row for row, with `alert_id`: the same for documents of one story.

    A story is named by its first document, so that it keeps its name as it grows. Rows must be all there are: where a
    story begins is not known from a part.
    """
    numbered = scored.with_row_index("_row").with_columns(
        _feed=pl.col("record_id").str.split(":").list.first(),
        _strength=pl.max_horizontal(r.name for r in RULES),
    )
    parts = [_anchored(rows, str(kind)) for (kind,), rows in numbered.group_by("kind", maintain_order=True)]
    named = pl.concat(parts).sort("_row") if parts else numbered.with_columns(_anchor=pl.lit(""))
    ids = [_alert_id(*row) for row in named.select("entity_id", "kind", pl.col("_anchor")).iter_rows()]
    return scored.with_columns(alert_id=pl.Series(ids, dtype=pl.String))


def _anchored(rows: pl.DataFrame, kind: str) -> pl.DataFrame:
    """With `_anchor`: the record that the story of each row began with."""
    own = pl.concat_str("table", pl.lit("/"), "record_id")
    alone = rows.with_columns(_anchor=own)
    if kind not in STORIES:
        return alone.select("_row", "entity_id", "kind", "_anchor")
    shared, gap_days = STORIES[kind]
    by = ["entity_id", *shared]
    told = alone.filter(pl.col("_strength") >= FLAGGED).sort("known_at", *KEY)
    apart = (pl.col("known_at") - pl.col("known_at").shift(1)).dt.total_days() > gap_days
    told = told.with_columns(_part=apart.fill_null(value=False).cum_sum().over(by)).with_columns(
        _anchor=pl.col("_anchor").first().over(*by, "_part")
    )
    rest = alone.filter(pl.col("_strength") < FLAGGED)
    columns = ["_row", "entity_id", "kind", "_anchor"]
    return pl.concat([told.select(columns), rest.select(columns)])


def _alert_id(entity_id: str, kind: str, anchor: str) -> str:
    return hashlib.sha256(json.dumps([entity_id, kind, anchor]).encode()).hexdigest()[:16]


def choose(told: pl.DataFrame, budget: Budget, *, settled: Collection[str] = ()) -> list[Alert]:
    """The alerts with the highest chances within the budget, the highest first.

    told     rows of `with_stories`, all or of some time or entity: the budget is a share of them
    settled  alert ids that people judged: told no more, and free for others
    """
    fresh = told.filter(~pl.col("alert_id").is_in(list(settled)))
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
    """The alert of this id, or none."""
    rows = told.filter(pl.col("alert_id") == alert_id).sort("chance", descending=True, maintain_order=True)
    return _alerts(list(rows.head(1).iter_rows(named=True)), rows)


def _alerts(heads: Sequence[Mapping[str, Any]], rows: pl.DataFrame) -> list[Alert]:
    ids = [h["alert_id"] for h in heads]
    members = (
        rows.filter(pl.col("alert_id").is_in(ids))
        .sort("known_at", *KEY)
        .group_by("alert_id")
        .agg(pl.concat_str("table", pl.lit("/"), "record_id").alias("documents"))
    )
    of = dict(members.iter_rows())
    return [_alert(head, tuple(of[head["alert_id"]])) for head in heads]


def _alert(row: Mapping[str, Any], documents: tuple[str, ...]) -> Alert:
    speaking = sorted((r for r in RULES if row[r.name] >= WORTH_SAYING), key=lambda r: -row[r.name] * r.weight)
    evidence = tuple(Evidence(r.name, row[r.name], r.compares, r.words(row)) for r in speaking)
    if not evidence:
        words = f"unlike the entity's other documents in several small ways (isolation score {row['forest']:.2f})"
        evidence = (Evidence("forest", row["forest"], "all documents of the past", words),)
    thin = row["customer_id"] is not None and not row["amount_count"] and not row["invoice_count"]
    return Alert(
        **{c: row[c] for c in ("alert_id", "entity_id", "kind", "chance", "table", "record_id", "customer_id")},
        **{c: row[c] for c in ("day", "known_at", "currency", "amount_minor")},
        evidence=evidence,
        documents=documents,
        availability="pooled" if thin else "full",
        availability_reason="this customer has no history of its own" if thin else None,
    )
