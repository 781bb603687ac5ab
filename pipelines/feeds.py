"""Feeds: what one file or endpoint says about one table, parted into rows that may land and rows set aside.

A record lands whole or not at all: when what a line says about an invoice cannot stand, the payment and the allocation
of the same line are set aside with it. Customer data in the line stand on their own.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import polars as pl

from features.contracts import QUARANTINE_SCHEMA, check, conflicts
from features.errors import StateError, Violation
from features.lake import Lake
from features.tables import INVOICE, Table
from pipelines.complaints import COMPLAINT, PLACE, worded
from pipelines.fields import DOCUMENTS
from pipelines.run_report import SHOWN
from pipelines.shaping import Shaped
from services.runs import Counts

Payloads = Callable[[list[int]], list[str]]
"""The records at these positions (`_row`) as JSON, as they came."""


@dataclass(frozen=True, eq=False)
class Feed:
    """What a source says about one table.

    rows        may land: the table's schema and `PLACE`
    bad         may not: `COMPLAINT`, at least one for each such row
    payloads    what the bad rows were read from
    read        rows of the table that the source produced
    superseded  rows of it that later ones replace before anybody could know them
    """

    name: str
    table: Table
    rows: pl.DataFrame
    bad: pl.DataFrame
    payloads: Payloads
    read: int
    superseded: int = 0

    @property
    def quarantine(self) -> pl.DataFrame:
        """The bad rows under `QUARANTINE_SCHEMA`, with their records as JSON."""
        at = self.bad["_row"].unique(maintain_order=True)
        payloads = pl.DataFrame({"_row": at, "payload": pl.Series(self.payloads(at.to_list()), dtype=pl.String)})
        told = self.bad.join(payloads, on="_row", how="left", maintain_order="left")
        return told.rename({"_where": "where"}).select(*QUARANTINE_SCHEMA)

    @property
    def first(self) -> tuple[Violation, ...]:
        """The first few violations."""
        shown = self.bad.head(SHOWN).select("_where", "field", "value", "allowed")
        return tuple(Violation(*row) for row in shown.iter_rows())

    def counts(self, landed: int, duplicates: int) -> Counts:
        """The control totals; `StateError` where they do not tie, for then rows were lost or made up."""
        counts = Counts(
            self.read, landed, duplicates + self.superseded, self.bad.select(pl.struct(*PLACE).n_unique()).item()
        )
        if not counts.tie:
            raise StateError(f"{self.name}: the counts do not tie: {counts}; please report this, it is our fault")
        return counts


def checked(name: str, shaped: Shaped, canonical: Table, payloads: Payloads, *, unique_ids: bool) -> Feed:
    """The feed of what was shaped, without the rows that break their table's contract."""
    told = shaped.rows.select(*canonical.schema, "_where", pl.lit(None, pl.String).alias("_payload"))
    found = check(canonical, told, unique_ids=unique_ids)
    places = shaped.rows.select(*PLACE)[found.at]
    feed = Feed(name, canonical, shaped.rows, shaped.bad, payloads, shaped.read)
    return without(feed, places.hstack(found.bad.select("field", "value", "allowed")))


def agreeing(feeds: list[Feed]) -> list[Feed]:
    """The feeds, all of one table, without the ids of which two say different things: nothing says who is right."""
    canonical = feeds[0].table
    told = pl.concat(
        [
            f.rows.select(*canonical.key, "known_at", "digest", *PLACE, pl.lit(number).alias("_feed"))
            for number, f in enumerate(feeds)
        ]
    )
    found = conflicts(canonical, told.drop("_row").with_columns(_payload=pl.lit(None, pl.String)), unique_ids=True)
    bad = told.select("_feed", *PLACE)[found["_row"]].hstack(found.select("field", "value", "allowed"))
    return [without(f, bad.filter(pl.col("_feed") == number)) for number, f in enumerate(feeds)]


def without(feed: Feed, bad: pl.DataFrame) -> Feed:
    """The feed with the rows that `bad` (`COMPLAINT`) complains of set aside."""
    if bad.is_empty():
        return feed
    rows = feed.rows.join(bad, on=list(PLACE), how="anti", maintain_order="left")
    both = pl.concat([feed.bad, bad.select(*COMPLAINT)]).sort("_row", maintain_order=True)
    return replace(feed, rows=rows, bad=both)


def with_broken(feed: Feed, broken: pl.DataFrame) -> Feed:
    """The feed with rows of its source that could not even be parted into columns; they count as read."""
    bad = pl.concat([feed.bad, broken]).sort("_row", maintain_order=True)
    return replace(feed, bad=bad, read=feed.read + broken.height)


def settled_invoices(feeds: Iterable[Feed], lake: Lake) -> pl.DataFrame:
    """The invoices that these feeds' allocations settle, as far as the feeds or the lake know them.

    entity_id, invoice_id, issue_date, currency: one row per invoice; what the feeds say goes before what is held.
    """
    key, columns = ("entity_id", "invoice_id"), ("entity_id", "invoice_id", "issue_date", "currency")
    given = list(feeds)
    nothing = pl.DataFrame(schema={name: INVOICE.schema[name] for name in columns})
    settled = [f.rows.select(key) for f in given if f.table.name == "allocation"]
    wanted = pl.concat([nothing.select(key), *settled]).unique()
    held = lake.versions(INVOICE).select(columns).join(wanted.lazy(), on=key, how="semi", maintain_order="left")
    said = [f.rows.select(columns).join(wanted, on=key, how="semi") for f in given if f.table.name == "invoice"]
    known: pl.DataFrame = pl.concat([nothing, held.collect(), *said])
    return known.unique(key, keep="last", maintain_order=True)


def against_invoices(feed: Feed, invoices: pl.DataFrame) -> pl.DataFrame:
    """Complaints about allocations that contradict the invoice they settle, where `invoices` knows it."""
    facts = invoices.rename({"currency": "_currency"})
    both = feed.rows.join(facts, on=["entity_id", "invoice_id"], how="inner", maintain_order="left")
    issued = worded("on or after {}, the issue date of invoice {}", pl.col("issue_date"), pl.col("invoice_id"))
    billed = worded("{}, the currency of invoice {}", pl.col("_currency"), pl.col("invoice_id"))
    early = both.filter(pl.col("date") < pl.col("issue_date"))
    mixed = both.filter(pl.col("currency") != pl.col("_currency"))
    return pl.concat([_complained(early, "date", issued), _complained(mixed, "currency", billed)])


def _complained(rows: pl.DataFrame, field: str, allowed: pl.Expr) -> pl.DataFrame:
    value = pl.col(field).cast(pl.String)
    return rows.select(*PLACE, pl.lit(field).alias("field"), value.alias("value"), allowed.alias("allowed"))


def whole_records(feeds: list[Feed]) -> list[Feed]:
    """The feeds of one file without the documents whose record could not land whole."""
    documents = [f for f in feeds if f.table.name in DOCUMENTS]
    told = [
        f.bad.unique("_row", keep="first", maintain_order=True).with_columns(
            (pl.lit(f"{f.table.name}.") + pl.col("field")).alias("field")
        )
        for f in documents
    ]
    reasons = pl.concat([pl.DataFrame(schema=COMPLAINT), *told]).unique("_row", keep="first", maintain_order=True)
    return [without(f, _spoilt(f, reasons)) if f.table.name in DOCUMENTS else f for f in feeds]


def _spoilt(feed: Feed, reasons: pl.DataFrame) -> pl.DataFrame:
    """Complaints about sound rows whose record is in `reasons`, in the words that are used there."""
    sound = feed.rows.select(*PLACE)
    return sound.join(reasons.drop("_where"), on="_row", how="inner", maintain_order="left")


def payloads_of(frame: pl.DataFrame) -> Payloads:
    """Of rows that were read as text columns, with `PLACE`."""
    content = pl.struct(c for c in frame.columns if c not in PLACE).struct.json_encode()

    def payloads(rows: list[int]) -> list[str]:
        wanted = pl.DataFrame({"_row": pl.Series(rows, dtype=PLACE["_row"])})
        found = wanted.join(frame, on="_row", how="left", maintain_order="left").select(content)
        return found.to_series().to_list()

    return payloads
