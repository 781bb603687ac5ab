"""Integration accuracy rate: records that reached their target correct the first time / records sent."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec import Struct

from services.runs import Counts
from services.work_done import FeedRead, Settled

INBOUND = (
    "(landed + duplicates) / read, of all feeds that began in the period. What was quarantined was wrong the first "
    "time; its later replay is no second chance and is left out."
)
OUTBOUND = (
    "Messages delivered at their first attempt and never touched by a person / messages settled (delivered or "
    "discarded) in the period."
)
CONTROLS = "Whether count, sums by currency and digest of the lake equal the source's, as compared last in the period."
ALL = "all"


class Inbound(Struct, frozen=True):
    """Records of one source and table (or the feed's name, where no table was noted); `share` null where none came."""

    source: str
    table: str
    read: int
    right: int
    quarantined: int
    share: float | None


class Outbound(Struct, frozen=True):
    """Messages of one system and operation."""

    system: str
    operation: str
    settled: int
    right: int
    share: float


def inbound(feeds: Iterable[FeedRead]) -> list[Inbound]:
    """By source and table, the whole of each source first."""
    total: dict[tuple[str, str], Counts] = defaultdict(Counts)
    for feed in feeds:
        total[feed.source, ALL] += feed.counts
        total[feed.source, feed.table or feed.feed] += feed.counts
    return [_inbound(*key, total[key]) for key in sorted(total, key=lambda k: (k[0], k[1] != ALL, k[1]))]


def _inbound(source: str, table: str, counts: Counts) -> Inbound:
    right = counts.landed + counts.duplicates
    share = right / counts.read if counts.read else None
    return Inbound(source, table, counts.read, right, counts.quarantined, share)


def outbound(messages: Sequence[Settled]) -> list[Outbound]:
    """By system and operation, the whole of each system first."""
    found: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for message in messages:
        right = message.delivered and message.attempts == 1 and not message.touched
        found[message.system, ALL].append(right)
        found[message.system, message.operation].append(right)
    order = sorted(found, key=lambda k: (k[0], k[1] != ALL, k[1]))
    return [Outbound(*key, len(found[key]), sum(found[key]), sum(found[key]) / len(found[key])) for key in order]
