"""A ledger opened for questions: what was open on a day, what was known of it, how it ended.

book = Book(Facts.read(lake))
subjects = book.open_receivables(as_of)
frame = book.features(subjects)
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import cached_property

import polars as pl

from features import labels
from features.calendars import day_of, day_start, instant, with_day_of, with_day_start
from features.catalogue import catalogue
from features.customer_catalogue import NOT_SIGNALS, customer_catalogue
from features.customer_events import customer_event_frames
from features.customer_labels import with_defaults
from features.customers import DefaultRule, customers_as_of, default_spans, in_default, snapshots, with_master
from features.declarations import Declaration, Feature
from features.engine import Prepared, prepare
from features.errors import BadInput, NotFound
from features.events import ATTRIBUTE, attribute_names, event_frames, subject_columns
from features.facts import Facts, standing
from features.ledger import RECEIVABLE, receivable_states, receivable_versions
from features.masters import Masters
from features.tables import INSTANT

SUBJECT = (
    "entity_id",
    "customer_id",
    "invoice_id",
    "instalment",
    "currency",
    "amount_minor",
    "issue_date",
    "due_date",
    "cutoff_day",
    "cutoff",
)

# Days past due on which a receivable that is still open is looked at again, to learn how such ones end.
SEEN_AGAIN = (-7, 1, 15, 45)

# The tables whose facts say how far a ledger goes.
DATED = ("invoice", "credit_note", "payment", "allocation")

# A quiet seller's ledger may stand still for long and can be asked about today; a year later is a slip of the pen.
REACHED_DAYS = 366


class Book:
    """Facts with everything derived from them, each derived once and when first asked for."""

    def __init__(self, facts: Facts, features: Sequence[Declaration] | None = None) -> None:
        """`features` replaces the house's own catalogue (which adds the ledger's dated attributes by itself)."""
        self.facts = facts
        self.declared = tuple(features) if features is not None else catalogue(attribute_names(facts))

    @cached_property
    def masters(self) -> Masters:
        """Entities, customers and rates."""
        return Masters.of(self.facts)

    @property
    def zones(self) -> pl.DataFrame:
        """entity_id, time_zone, entity_currency."""
        return self.masters.zones

    @cached_property
    def states(self) -> pl.DataFrame:
        """Every state of every receivable (`features.ledger.receivable_states`)."""
        return receivable_states(self.facts)

    @cached_property
    def prepared(self) -> Prepared:
        """The engine's sorted streams."""
        told = {d.event for d in self.declared if isinstance(d, Feature) and d.event.startswith(ATTRIBUTE)}
        attributes = sorted(name.removeprefix(ATTRIBUTE) for name in told)
        return prepare(self.declared, event_frames(self.facts, self.states, self.masters, attributes))

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the feature columns, in declared order."""
        return tuple(feature.name for feature in self.declared)

    def last_known(self) -> datetime:
        """The instant just after the newest document or payment: what `as_of` means when nobody says.

        Master data does not count: an old ledger stays as old as it is when a customer's record is brought in today.
        """
        if self._newest is None:
            raise NotFound("the ledger is empty; ingest some invoices first")
        return self._newest + timedelta(milliseconds=1)

    @cached_property
    def _newest(self) -> datetime | None:
        latest = [self.facts.tables[name]["known_at"].max() for name in DATED if len(self.facts.tables[name])]
        return max((instant for instant in latest if isinstance(instant, datetime)), default=None)

    def time_zone(self, entity_id: str) -> str:
        """The entity's IANA time zone; `NotFound` lists the entities there are."""
        zone_of = dict(self.zones.select("entity_id", "time_zone").iter_rows())
        if entity_id not in zone_of:
            raise NotFound(f"no entity {entity_id!r}; there are: {', '.join(sorted(zone_of)) or 'none'}")
        return str(zone_of[entity_id])

    def at_issue(self, first: date, until: date) -> pl.DataFrame:
        """SUBJECT rows of what was issued from `first` until before `until`, each seen at the start of its issue day.

        Amounts and dates are those of the first version; a document that was learnt after its issue day is seen on the
        day it was learnt, since nobody could have asked before. Negative amounts are nobody's to pay: left out.
        """
        first_seen = receivable_versions(self.facts).sort("known_from").unique(RECEIVABLE, keep="first")
        learnt = with_day_of(first_seen, "known_from", self.zones, "_learnt")
        rows = learnt.with_columns(cutoff_day=pl.max_horizontal("issue_date", "_learnt")).filter(
            pl.col("cutoff_day").is_between(first, until, closed="left") & (pl.col("amount_minor") > 0)
        )
        return self._subjects(rows)

    def still_open(self, first: date, until: date, days_past_due: int) -> pl.DataFrame:
        """SUBJECT rows of what was still open `days_past_due` days after its due date (negative: before it).

        Seen at the start of that day, where it falls from `first` until before `until`.
        """
        rows = self.states.with_columns(cutoff_day=pl.col("due_date") + pl.duration(days=days_past_due)).filter(
            pl.col("cutoff_day").is_between(first, until, closed="left")
            & (pl.col("cutoff_day") > pl.col("issue_date"))
            & (pl.col("open_minor") > 0)
            & (pl.col("amount_minor") > 0)
        )
        standing_then = (pl.col("known_from") < pl.col("cutoff")) & (
            pl.col("known_to").is_null() | (pl.col("known_to") >= pl.col("cutoff"))
        )
        return _ordered(with_day_start(rows, "cutoff_day", self.zones, "cutoff").filter(standing_then))

    def seen_again(self, until: date) -> pl.DataFrame:
        """SUBJECT rows of what was still open on each of the `SEEN_AGAIN` days past due, before `until`."""
        return pl.concat([self.still_open(date.min, until, days) for days in SEEN_AGAIN])

    def open_receivables(self, as_of: datetime, entity_id: str | None = None) -> pl.DataFrame:
        """SUBJECT rows of all that was open, as known at `as_of` (of one entity, where named)."""
        rows = standing(self.states, as_of).filter((pl.col("open_minor") > 0) & (pl.col("amount_minor") > 0))
        if entity_id is not None:
            self.time_zone(entity_id)
            rows = rows.filter(pl.col("entity_id") == entity_id)
        moment = rows.with_columns(cutoff=pl.lit(instant(as_of), INSTANT))
        return _ordered(with_day_of(moment, "cutoff", self.zones, "cutoff_day"))

    def subject(self, entity_id: str, invoice_id: str, as_of: datetime) -> pl.DataFrame:
        """SUBJECT rows of one invoice's open instalments as known at `as_of`.

        `NotFound` where it was not known then, or nothing of it was open then.
        """
        zone = self.time_zone(entity_id)
        found = self.open_receivables(as_of, entity_id).filter(pl.col("invoice_id") == invoice_id)
        if found.is_empty():
            seen = standing(self.states, as_of).filter(
                (pl.col("entity_id") == entity_id) & (pl.col("invoice_id") == invoice_id)
            )
            why = "is not open" if len(seen) else "is not known"
            raise NotFound(f"invoice {invoice_id!r} of {entity_id!r} {why} as of {day_of(as_of, zone)} ({zone})")
        return found

    def features(self, subjects: pl.DataFrame) -> pl.DataFrame:
        """The FEATURE frame, in the order of `subjects`.

        Their columns, the customer's `segment` and `country` as known at the cutoff, and a Float64 column for every
        declared feature, null where there is nothing to tell. `NotFound` for a subject of an entity that is not there.
        """
        self._refuse_strangers(subjects)
        numbered = subject_columns(subjects.with_row_index("_row"), self.masters).sort("_row")
        return self.prepared.lookup(numbered).select(*subjects.columns, "segment", "country", *self.feature_names)

    def labelled(self, frame: pl.DataFrame, observed_before: datetime | None = None) -> pl.DataFrame:
        """`frame` with each receivable's outcome as known before `observed_before` (see `features.labels`)."""
        return labels.labelled(frame, self.states, self.zones, observed_before or self.last_known())

    def snapshots(self, first: date, until: date) -> pl.DataFrame:
        """SNAPSHOT rows of the customers active on each first of a month, as far as the ledger goes.

        See `features.customers.snapshots`.
        """
        rows = snapshots(self.states, self.zones, first, until)
        return rows.filter(pl.col("cutoff") <= self.last_known())

    def customers_as_of(self, as_of: datetime, entity_id: str | None = None) -> pl.DataFrame:
        """SNAPSHOT rows of every customer known at `as_of` (of one entity, where named)."""
        if entity_id is not None:
            self.time_zone(entity_id)
        return customers_as_of(self.facts, self.zones, as_of, entity_id)

    @cached_property
    def prepared_customers(self) -> Prepared:
        """The engine's sorted streams of the customers' features."""
        names = tuple(name for name in attribute_names(self.facts) if name not in NOT_SIGNALS)
        events = event_frames(self.facts, self.states, self.masters, names)
        more = customer_event_frames(self.facts, self.states, self.masters, events["settled"])
        return prepare(customer_catalogue(names), events | more)

    def customer_features(self, subjects: pl.DataFrame) -> pl.DataFrame:
        """The customer FEATURE frame, in the order of `subjects` (SNAPSHOT rows).

        Their columns, `segment`, `country` and the limit on file (`features.customers.with_master`) as known at the
        cutoff, and a Float64 column for every feature of `features.customer_catalogue`. `NotFound` for an entity that
        is not there.
        """
        self._refuse_strangers(subjects)
        known = with_master(subjects.with_row_index("_row"), self.facts, self.masters).sort("_row")
        names = [d.name for d in self.prepared_customers.declarations]
        told = self.prepared_customers.lookup(known)
        master = ("segment", "country", "credit_limit_minor", "credit_limit_cents")
        return told.select(*subjects.columns, *master, *names)

    def in_default(self, subjects: pl.DataFrame, rule: DefaultRule) -> pl.DataFrame:
        """SNAPSHOT rows with `default_cause`: why a customer was in default at its cutoff already; null where not."""
        return in_default(subjects, default_spans(subjects, self.facts, self.states, self.masters, rule))

    def defaults(self, frame: pl.DataFrame, rule: DefaultRule, observed_before: datetime | None = None) -> pl.DataFrame:
        """SNAPSHOT rows with each one's outcome as known before `observed_before` (see `features.customer_labels`)."""
        observed_before = observed_before or self.last_known()
        return with_defaults(frame, self.facts, self.states, self.masters, rule, observed_before)

    def day_start(self, day: date, entity_id: str) -> datetime:
        """The instant at which `day` starts where the entity is; `BadInput` as `refuse_unreached`."""
        self.refuse_unreached(day)
        return day_start(day, self.time_zone(entity_id))

    def refuse_unreached(self, day: date) -> None:
        """`BadInput` for a day so long after all that is known that whatever is said of it would be made up."""
        if self._newest is None:
            return
        ends = self._newest.date()
        reached = ends + timedelta(days=REACHED_DAYS)
        if day > reached:
            raise BadInput(
                f"{day} lies after all that the ledger knows, which ends {ends}; "
                f"allowed: up to {reached}, or ingest what is newer"
            )

    def _refuse_strangers(self, subjects: pl.DataFrame) -> None:
        strangers = subjects.join(self.zones, on="entity_id", how="anti")["entity_id"]
        if len(strangers):
            self.time_zone(strangers[0])

    def _subjects(self, rows: pl.DataFrame) -> pl.DataFrame:
        return _ordered(with_day_start(rows, "cutoff_day", self.zones, "cutoff"))


def _ordered(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(SUBJECT).sort("cutoff", *RECEIVABLE)
