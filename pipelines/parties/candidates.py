"""Which records are worth comparing: those that fall into one bucket, a small number for each record."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

from pipelines.parties.matching import Read

BUCKET_LIMIT = 40  # a bucket with more is not compared all with all, but each with its `WINDOW` next in order
WINDOW = 5
Bucket = tuple[str, ...]


def candidate_pairs(reads: Sequence[Read]) -> list[tuple[int, int]]:
    """Pairs of positions (i < j) to compare; both of one entity and role. The order of `reads` does not matter."""
    found: set[tuple[int, int]] = set()
    order = sorted(range(len(reads)), key=lambda i: _sort_key(reads[i]))
    for bucket in _buckets(reads, order).values():
        found.update(_within(bucket))
    found.update(_neighbours(sorted(order, key=lambda i: (_sphere(reads[i]), reads[i].name.letters))))
    found.update(_neighbours(sorted(order, key=lambda i: (_sphere(reads[i]), reads[i].name.letters[::-1]))))
    return sorted((i, j) for i, j in found if _sphere(reads[i]) == _sphere(reads[j]))


def _sort_key(read: Read) -> tuple[str, ...]:
    return (read.name.letters, read.country or "", read.vat or "", read.account or "", read.record.ref)


def _buckets(reads: Sequence[Read], order: Sequence[int]) -> dict[Bucket, list[int]]:
    buckets: dict[Bucket, list[int]] = defaultdict(list)
    for i in order:
        for bucket in _buckets_of(reads[i]):
            buckets[(*_sphere(reads[i]), *bucket)].append(i)
    return buckets


def _buckets_of(read: Read) -> Iterator[Bucket]:
    """Where a record is filed: identifiers, the name, each of its words, its beginning."""
    name, identifiers = read.name, {"vat": read.vat, "account": read.account, "domain": read.domain}
    yield from ((kind, value) for kind, value in identifiers.items() if value)
    yield ("name", name.letters)
    yield from (("word", word) for word in set(name.words))
    yield ("begins", name.letters[:5])


def _within(bucket: Sequence[int]) -> Iterator[tuple[int, int]]:
    if len(bucket) <= BUCKET_LIMIT:
        return ((min(p), max(p)) for p in combinations(bucket, 2))
    return _neighbours(bucket)


def _neighbours(ordered: Sequence[int]) -> Iterator[tuple[int, int]]:
    for at, i in enumerate(ordered):
        for j in ordered[at + 1 : at + 1 + WINDOW]:
            yield min(i, j), max(i, j)


def _sphere(read: Read) -> tuple[str, str]:
    return read.record.entity_id, read.record.role
