"""The tables of the operational database. The lake holds facts, these hold work.

A later version may add tables, and columns that may be null; `SCHEMA_VERSION` says which version made a database.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

SCHEMA_VERSION = 3


class Instant(TypeDecorator[datetime]):
    """An aware datetime in UTC; SQLite, which has no zones, keeps the UTC wall clock."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; `TypeError` for a moment without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError(f"{value.isoformat()} has no time zone; give an aware datetime")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Prose(TypeDecorator[str]):
    """Text that others wrote: PostgreSQL takes no NUL, so its symbol (␀) is kept in its place."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Without NUL."""
        return None if value is None else value.replace("\0", "\N{SYMBOL FOR NULL}")


METADATA = MetaData()

schema_version = Table("schema_version", METADATA, Column("version", Integer, primary_key=True))

cursor = Table(
    "cursor",
    METADATA,
    Column("source", String, primary_key=True),
    Column("feed", String, primary_key=True),
    Column("value", Prose, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

run = Table(
    "run",
    METADATA,
    Column("run_id", String, primary_key=True),
    Column("source", String, nullable=False),
    Column("status", String, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("error", Prose),
    Index("run_by_start", "started_at"),
)

run_feed = Table(
    "run_feed",
    METADATA,
    Column("run_id", ForeignKey("run.run_id"), primary_key=True),
    Column("feed", String, primary_key=True),
    Column("status", String, nullable=False),
    Column("read", BigInteger, nullable=False),
    Column("landed", BigInteger, nullable=False),
    Column("duplicates", BigInteger, nullable=False),
    Column("quarantined", BigInteger, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("error", Prose),
)

quarantine = Table(
    "quarantine",
    METADATA,
    Column("violation_id", String(64), primary_key=True),
    Column("run_id", ForeignKey("run.run_id"), nullable=False),
    Column("source", String, nullable=False),
    Column("table", String, nullable=False),
    Column("where", Prose),
    Column("field", String, nullable=False),
    Column("value", Prose),
    Column("allowed", Prose, nullable=False),
    Column("payload", Prose),
    Column("times", BigInteger, nullable=False),
    Column("first_seen", Instant, nullable=False),
    Column("last_seen", Instant, nullable=False),
    Index("quarantine_by_run", "run_id"),
    Index("quarantine_by_source", "source", "table"),
)

outbox = Table(
    "outbox",
    METADATA,
    Column("position", Integer, primary_key=True, autoincrement=True),  # messages of one document go in this order
    Column("message_id", String(32), nullable=False, unique=True),
    Column("system", String, nullable=False),
    Column("document", String, nullable=False),
    Column("operation", String, nullable=False),
    Column("idempotency_key", String, nullable=False),
    Column("payload", Prose, nullable=False),
    Column("given", Prose, nullable=False),  # the payload as it was put, whatever a person made of it since
    Column("status", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("claim", String(32)),  # who is at it, until when
    Column("claimed_until", Instant),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String, nullable=False),
    Column("finished_at", Instant),
    Column("result", Prose),
    Column("error", Prose),
    UniqueConstraint("system", "idempotency_key"),
    Index("outbox_by_document", "system", "document", "position"),
    Index("outbox_by_status", "status", "due_at"),
)

circuit = Table(
    "circuit",
    METADATA,
    Column("system", String, primary_key=True),
    Column("failures", Integer, nullable=False),  # in a row
    Column("rests_until", Instant),  # nothing is sent before
    Column("reason", Prose),
)

correction = Table(
    "correction",
    METADATA,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("case_id", String(16), nullable=False),
    Column("action", String, nullable=False),
    Column("at", Instant, nullable=False),
    Column("who", Prose, nullable=False),
    Column("why", Prose, nullable=False),
    Column("payload", Prose),
    Index("correction_by_case", "case_id", "position"),
)

call = Table(
    "call",
    METADATA,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("system", String, nullable=False),
    Column("endpoint", String, nullable=False),  # method and path, ids left out
    Column("at", Instant, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("status", Integer, nullable=False),  # 0: no answer
    Index("call_by_time", "system", "at"),
)

control_total = Table(
    "control_total",
    METADATA,
    Column("run_id", ForeignKey("run.run_id"), primary_key=True),
    Column("feed", String, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("verdict", String, nullable=False),
    Column("theirs", Prose, nullable=False),  # count, sums by currency and digest, as JSON
    Column("ours", Prose, nullable=False),
    Column("detail", Prose),
)

heartbeat = Table(
    "heartbeat",
    METADATA,
    Column("source", String, primary_key=True),
    Column("feed", String, primary_key=True),
    Column("table", String, nullable=False),
    Column("read_at", Instant, nullable=False),  # the last time that it was read to the end
    Column("news_at", Instant),  # the last time that it brought something new
    Column("every_minutes", Integer),  # how often news are expected; null where that is unknown
)

awaited_feed = Table(  # feeds that a run meant to read and that none has read to their end since
    "awaited_feed",
    METADATA,
    Column("source", String, primary_key=True),
    Column("feed", String, primary_key=True),
    Column("since", Instant, nullable=False),
    Column("every_minutes", Integer, nullable=False),
)

webhook = Table(
    "webhook",
    METADATA,
    Column("source", String, primary_key=True),
    Column("delivery_id", String, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("sent_at", Instant, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("payload", Prose, nullable=False),
    Column("landed_at", Instant),
    Index("webhook_waiting", "source", "landed_at", "position"),
)

webhook_record = Table(  # the versions that landed from deliveries, for those that arrive late
    "webhook_record",
    METADATA,
    Column("source", String, primary_key=True),
    Column("record_id", String, primary_key=True),
    Column("table", String, primary_key=True),
    Column("company", String, primary_key=True),
    Column("changed_at", Instant, primary_key=True),
    Column("payload", Prose, nullable=False),
)

party_decision = Table(
    "party_decision",
    METADATA,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("decision_id", String, nullable=False, unique=True),
    Column("at", Instant, nullable=False),
    Column("who", Prose, nullable=False),
    Column("decision", Prose, nullable=False),
)

alert_verdict = Table(  # what people said of alerts: rows are added, never changed
    "alert_verdict",
    METADATA,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("alert_id", String(16), nullable=False),
    Column("entity_id", String, nullable=False),
    Column("verdict", String, nullable=False),
    Column("at", Instant, nullable=False),
    Column("who", Prose, nullable=False),
    Column("why", Prose, nullable=False),
    Column("documents", Prose, nullable=False),  # what it was about when it was judged, as JSON
    Index("alert_verdict_by_alert", "alert_id", "position"),
)
