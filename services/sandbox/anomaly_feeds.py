"""Days on which a feed brought next to nothing, and the day on which all of it came at once."""

import polars as pl

from services.sandbox.anomaly_desk import WARM_DAYS, Desk, Drafts
from services.sandbox.clerks import MICROSECONDS_A_DAY
from services.sandbox.knowledge import FeedFault

LEAST_RECORDS = 6  # a day of fewer says nothing by being empty
DELAYED_SHARE = (0.8, 1.0)
OUTAGE_DAYS = (1, 4)
FEED, KIND = "feed", "feed_break"


def broken(desk: Desk, drafts: Drafts, faults: list[FeedFault], wanted: int) -> Drafts:
    """The drafts with some days' records learnt days later; labels those days, and the world's own feed faults."""
    for fault in faults:
        desk.begin()
        _label(desk, fault.entity, "payment", fault.first, fault.last)
    days = _busy_days(desk, drafts, faults)
    for _ in range(4 * wanted):
        if desk.labels[KIND] >= wanted or not days:
            break
        entity, table, first = days.pop(int(desk.rng.integers(len(days))))
        last = desk.working(entity, first, int(desk.rng.integers(*OUTAGE_DAYS)))
        days = [d for d in days if d[:2] != (entity, table) or abs(d[2] - first) > 40]
        desk.begin()
        drafts = _delayed(desk, drafts, table, entity, first, last)
        _label(desk, entity, table, first, last)
    return drafts


def _label(desk: Desk, entity: int, table: str, first: int, last: int) -> None:
    """Every business day without records, and the day on which they came."""
    day = desk.working(entity, first)
    while day <= last:
        why = "all of it came at once" if day == last else "most records are missing"
        desk.odd_record(KIND, entity, FEED, f"{table}:{_iso(day)}", day, why)
        day = desk.working(entity, day + 1)


def _iso(day: int) -> str:
    return str(pl.select(pl.lit(day, pl.Int32).cast(pl.Date)).item())


def _busy_days(desk: Desk, drafts: Drafts, faults: list[FeedFault]) -> list[tuple[int, str, int]]:
    """Entity, table and day of feeds with enough records in a usual week around it, away from the known faults."""
    found = []
    window = desk.history.window
    for table in ("invoice", "payment"):
        day = (pl.col("_local") // MICROSECONDS_A_DAY).alias("day")
        counts = drafts[table].group_by("_entity", day).len().sort("_entity", "day")
        typical = counts.group_by("_entity").agg(pl.col("len").median().alias("usual"))
        busy = counts.join(typical, on="_entity", maintain_order="left").filter(
            (pl.col("len") >= LEAST_RECORDS)
            & (pl.col("len") >= pl.col("usual"))
            & (pl.col("usual") >= LEAST_RECORDS)
            & pl.col("day").is_between(window.start + WARM_DAYS, window.end - 30)
        )
        found += [(entity, table, at) for entity, at in busy.select("_entity", "day").sort("_entity", "day").rows()]
    return [
        d for d in found if not any(d[0] == f.entity and d[1] == "payment" and abs(d[2] - f.first) < 40 for f in faults)
    ]


def _delayed(desk: Desk, drafts: Drafts, table: str, entity: int, first: int, last: int) -> Drafts:
    """Most records of the days from `first` until before `last` learnt on `last`, and what settles with them too."""
    key, rows = f"{table}_id", drafts[table]
    day = pl.col("_local") // MICROSECONDS_A_DAY
    alone = ~pl.col(key).is_in(_with_more_to_tell(drafts, table, entity).implode())
    share = float(desk.rng.uniform(*DELAYED_SHARE))
    candidates = rows.with_row_index("_at").filter(
        (pl.col("_entity") == entity) & day.is_between(first, last, closed="left") & alone & ~pl.col("deleted")
    )
    late = candidates.filter(pl.Series(desk.rng.random(len(candidates)) < share))
    if table == "invoice":
        late = late.filter(~pl.col(key).is_in(_settled_before(drafts, entity, last + 1).implode()))
    shift = late.select(key, _shift=(last - day) * MICROSECONDS_A_DAY)
    made = dict(drafts)
    made[table] = _shifted(rows, shift, key, entity)
    if table == "payment":
        made["allocation"] = _shifted(drafts["allocation"], shift.rename({key: "from_id"}), "from_id", entity)
    return made


def _with_more_to_tell(drafts: Drafts, table: str, entity: int) -> pl.Series:
    """Ids of records with several versions, and of payments that were first allocated by mistake."""
    rows = drafts[table].filter(pl.col("_entity") == entity)
    twice = rows.filter(pl.col(f"{table}_id").is_duplicated())[f"{table}_id"]
    if table != "payment":
        return twice
    moved = drafts["allocation"].filter((pl.col("_entity") == entity) & pl.col("deleted"))["from_id"].drop_nulls()
    return pl.concat([twice, moved.alias(twice.name)])


def _settled_before(drafts: Drafts, entity: int, day: int) -> pl.Series:
    """Ids of invoices that something settles before that day."""
    steps = drafts["allocation"].filter((pl.col("_entity") == entity) & (pl.col("_local") < day * MICROSECONDS_A_DAY))
    return steps["invoice_id"]


def _shifted(rows: pl.DataFrame, shift: pl.DataFrame, key: str, entity: int) -> pl.DataFrame:
    moved = rows.join(shift, on=key, how="left", maintain_order="left")
    later = pl.when(pl.col("_entity") == entity).then(pl.col("_shift")).fill_null(0)
    return moved.with_columns(_local=pl.col("_local") + later).drop("_shift")
