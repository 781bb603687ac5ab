"""The facts of the star as drafts: under the facts' own names, money as `NAME_minor`, days as dates."""

from collections.abc import Callable, Sequence
from datetime import date, datetime

import polars as pl

from features.kpis.asof import AsOf
from features.kpis.engine import collection_kpis
from features.kpis.promises import promises_due
from features.kpis.settings import KpiSettings
from features.kpis.views import VIEWS
from features.tables import INSTANT
from models.champion import ModelVersion
from pipelines.marts.columns import Type
from pipelines.marts.keys import with_key
from services.schemas import Prediction

LEVELS = ("entity", "segment", "collector", "customer")
GROUP = "group"
"""The level of what is over all entities; only converted rows are."""
EVER_DAYS = 36_600  # of promises: all that were ever due


def _receivables(at: AsOf) -> pl.DataFrame:
    rows = at.receivables.with_columns(as_of="cutoff_day")
    return with_key(rows, "receivable_key", ("entity_id", "invoice_id", "instalment"))


def _invoices(at: AsOf) -> pl.DataFrame:
    parts = at.ledger.group_by("entity_id", "invoice_id").agg(
        pl.col("open_minor").sum(),
        last_due_date=pl.col("due_date").max(),
        settled_date=pl.when(pl.col("paid_date").is_not_null().all()).then(pl.col("paid_date").max()),
        credited=pl.col("cancelled").any(),
    )
    rows = at.facts("invoice").join(parts, on=["entity_id", "invoice_id"], maintain_order="left")
    counted = rows.with_columns(instalments=pl.col("instalments").list.len().cast(pl.Int64))
    return with_key(counted, "invoice_key", ("entity_id", "invoice_id"))


def _payments(at: AsOf) -> pl.DataFrame:
    return _with_left(at, "payment", "unapplied_minor")


def _credit_notes(at: AsOf) -> pl.DataFrame:
    return _with_left(at, "credit_note", "unallocated_minor")


def _with_left(at: AsOf, table: str, name: str) -> pl.DataFrame:
    key = ["entity_id", f"{table}_id"]
    left = VIEWS[f"{table}s"](at, KpiSettings()).select(*key, pl.col("left_minor").alias(name))
    return with_key(at.facts(table).join(left, on=key, maintain_order="left"), f"{table}_key", key)


def _allocations(at: AsOf) -> pl.DataFrame:
    settling = at.allocations.select("entity_id", "allocation_id", settles=pl.lit(value=True))
    owners = at.facts("invoice").select("entity_id", "invoice_id", "customer_id")
    rows = (
        at.facts("allocation")
        .join(owners, on=["entity_id", "invoice_id"], how="left", maintain_order="left")
        .join(settling, on=["entity_id", "allocation_id"], how="left", maintain_order="left")
        .with_columns(pl.col("settles").fill_null(value=False))
    )
    return with_key(rows, "allocation_key", ("entity_id", "allocation_id"))


def _disputes(at: AsOf) -> pl.DataFrame:
    return with_key(at.facts("dispute"), "dispute_key", ("entity_id", "dispute_id"))


def _promises(at: AsOf) -> pl.DataFrame:
    key = ["entity_id", "promise_id"]
    judged = promises_due(at, days=EVER_DAYS, tolerance_days=KpiSettings().tolerance_days).select(*key, "kept")
    return with_key(at.facts("promise").join(judged, on=key, how="left", maintain_order="left"), "promise_key", key)


def _orders(at: AsOf) -> pl.DataFrame:
    return with_key(at.facts("order"), "order_key", ("entity_id", "order_id"))


DRAFTS: dict[str, Callable[[AsOf], pl.DataFrame]] = {
    "fact_receivable": _receivables,
    "fact_invoice": _invoices,
    "fact_payment": _payments,
    "fact_credit_note": _credit_notes,
    "fact_allocation": _allocations,
    "fact_dispute": _disputes,
    "fact_promise": _promises,
    "fact_order": _orders,
}


def kpi_rows(at: AsOf, as_of: date | datetime, group_currency: str | None = None) -> pl.DataFrame:
    """`fact_kpi`: every KPI at every level; with a `group_currency`, over all currencies too, and over all entities."""
    rows = [
        (
            r.entity_id,
            r.currency,
            GROUP if r.entity_id is None else level,
            r.group,
            r.kpi,
            r.unit,
            r.value,
            r.minor,
            r.availability,
            r.availability_reason,
            r.converted,
        )
        for level in LEVELS
        for r in collection_kpis(at.book, as_of, by=level, group_currency=group_currency).rows
        if r.entity_id is not None or level == LEVELS[0]  # what is over all entities is the same at every level
    ]
    text = ("entity_id", "currency", "level", "group_name", "kpi", "unit")
    schema: dict[str, pl.DataType] = dict.fromkeys(text, pl.String()) | {
        "value": Type.RATIO.dtype,
        "value_minor": pl.Int64(),
        "availability": pl.String(),
        "availability_reason": pl.String(),
        "converted": pl.Boolean(),
    }
    frame = pl.DataFrame(rows, schema=schema, orient="row").join(
        at.cutoffs.select("entity_id", as_of="cutoff_day"), on="entity_id", how="left", maintain_order="left"
    )
    named = frame.with_columns(
        customer_id=pl.when(pl.col("level") == "customer").then("group_name"),
        _entity=pl.col("entity_id").fill_null(""),
        _currency=pl.col("currency") + pl.when("converted").then(pl.lit("*")).otherwise(pl.lit("")),
        _group=pl.concat_str(pl.lit("="), pl.col("group_name")).fill_null(""),
    )
    return with_key(named, "kpi_value_key", ("_entity", "_currency", "level", "_group", "kpi"))


def prediction_rows(at: AsOf, told: Sequence[Prediction], version: ModelVersion | None) -> pl.DataFrame:
    """`fact_prediction`: what the model `version` said; nothing without one."""
    days = ("expected_date", "p10", "p50", "p90")
    text = (
        "prediction_id",
        "entity_id",
        "customer_id",
        "invoice_id",
        "currency",
        "availability",
        "availability_reason",
    )
    schema: dict[str, pl.DataType] = (
        dict.fromkeys(text, pl.String())
        | {"instalment": pl.Int64(), "p_late": pl.Float64()}
        | dict.fromkeys(days, pl.Date())
    )
    rows = [{name: getattr(p, name) for name in schema} for p in told]
    frame = pl.DataFrame(rows, schema=schema).join(
        at.cutoffs.select("entity_id", "cutoff", as_of="cutoff_day"), on="entity_id", maintain_order="left"
    )
    keyed = with_key(frame, "prediction_key", ("prediction_id",))
    return with_key(keyed, "receivable_key", ("entity_id", "invoice_id", "instalment")).with_columns(
        model=pl.lit(version.label if version else None, pl.String()),
        model_registered_at=pl.lit(version.registered_at if version else None, INSTANT),
        model_learnt_before=pl.lit(version.learnt_before if version else None, INSTANT),
        model_saw_later=_saw_later(version),
    )


def _saw_later(version: ModelVersion | None) -> pl.Expr:
    """Whether the model learnt from what was not known at `cutoff`; null where nobody recorded until when it learnt."""
    if version is None:
        return pl.lit(None, pl.Boolean())
    if version.learnt_before is not None:
        return pl.col("cutoff") < version.learnt_before
    # the last day of its data is the least that it learnt from: that it is an older one proves nothing
    return pl.when(pl.col("as_of") <= version.data_window[1]).then(pl.lit(value=True))
