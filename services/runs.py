"""What an ingest run says of itself: its feeds, how each stands, and control totals that have to tie."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Status(StrEnum):
    """How a run, or one feed of it, stands. A run that was killed is INTERRUPTED once the next one starts."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Counts:
    """Control totals in records: what came in, and what became of it."""

    read: int = 0
    landed: int = 0
    duplicates: int = 0
    quarantined: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.read + other.read,
            self.landed + other.landed,
            self.duplicates + other.duplicates,
            self.quarantined + other.quarantined,
        )

    @property
    def tie(self) -> bool:
        """Whether every record that was read is accounted for."""
        return self.read == self.landed + self.duplicates + self.quarantined


@dataclass(frozen=True, slots=True)
class FeedRun:
    """One feed of a run; `error` is null unless it failed."""

    feed: str
    status: Status
    counts: Counts
    started_at: datetime
    finished_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Run:
    """One pass over a source, with its feeds in the order in which they began."""

    run_id: str
    source: str
    status: Status
    started_at: datetime
    finished_at: datetime | None
    error: str | None
    feeds: tuple[FeedRun, ...]

    @property
    def counts(self) -> Counts:
        """The sum over its feeds."""
        return sum((feed.counts for feed in self.feeds), Counts())
