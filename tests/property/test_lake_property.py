"""The lake against a dictionary that replays everything it was told, and against any other way of telling it."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from features.lake import Lake
from features.tables import CUSTOMER

T0 = datetime(2024, 1, 1, tzinfo=UTC)
END = 7
Told = tuple[
    str, str, int, str
]  # entity, customer, minute learnt, content; a content in capitals takes the record back

ENTITIES, CUSTOMERS, MINUTES = st.sampled_from(["US", "DE"]), st.sampled_from(["C1", "C2"]), st.integers(0, END - 1)
TOLD = st.tuples(ENTITIES, CUSTOMERS, MINUTES, st.sampled_from(["a", "b", "X"]))


def one_content_an_instant(told: Iterable[Told]) -> list[Told]:
    """What `contracts.check` lets through: the first content of each key and instant."""
    first: dict[tuple[str, str, int], str] = {}
    return [t for t in told if first.setdefault(t[:3], t[3]) == t[3]]


BATCHES = st.lists(st.lists(TOLD, max_size=8).map(one_content_an_instant), max_size=5)


def frame(told: Iterable[Told]) -> pl.DataFrame:
    rows = [
        {
            "entity_id": entity,
            "source": "erp",
            "source_id": customer,
            "known_at": T0 + timedelta(minutes=minute),
            "digest": content,
            "deleted": content.isupper(),
            "customer_id": customer,
            "name": content,
        }
        for entity, customer, minute, content in told
    ]
    return pl.DataFrame(rows, schema=CUSTOMER.schema)


def read(rows: pl.LazyFrame) -> list[Told]:
    told = rows.select("entity_id", "customer_id", "known_at", "digest").collect().rows()
    return [(entity, customer, (at - T0) // timedelta(minutes=1), content) for entity, customer, at, content in told]


@dataclass
class Replay:
    """The rule of `Lake.append` and `Lake.known`, one row at a time."""

    versions: dict[tuple[str, str], list[tuple[int, str]]] = field(default_factory=dict)

    def tell(self, told: Told) -> bool:
        """Whether it was news."""
        *key, minute, content = told
        history = self.versions.setdefault((key[0], key[1]), [])
        before = [version for version in history if version[0] <= minute]
        if before and before[-1][1] == content:
            return False
        history.insert(len(before), (minute, content))
        return True

    def known(self, minute: int) -> set[Told]:
        latest = {k: [v for v in history if v[0] < minute][-1:] for k, history in self.versions.items()}
        return {(*key, *version) for key, last in latest.items() for version in last if not version[1].isupper()}


@contextmanager
def a_lake(batches: Iterable[list[Told]]) -> Iterator[Lake]:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder)
        for batch in batches:
            lake.append(CUSTOMER, frame(batch))
        yield lake


@settings(max_examples=40, deadline=None)
@given(BATCHES)
def test_the_lake_knows_what_a_replay_knows(batches: list[list[Told]]) -> None:
    replay = Replay()
    with a_lake([]) as lake:
        for batch in batches:
            news = sum(replay.tell(told) for told in sorted(batch, key=lambda told: told[2]))
            appended = lake.append(CUSTOMER, frame(batch))
            assert (appended.landed, appended.duplicates) == (news, len(batch) - news)
        assert {
            k: [t[2:] for t in read(lake.versions(CUSTOMER)) if t[:2] == k] for k in replay.versions
        } == replay.versions
        for minute in range(END + 1):
            known = read(lake.known(CUSTOMER, T0 + timedelta(minutes=minute)))
            assert len(known) == len(set(known))
            assert set(known) == replay.known(minute)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(ENTITIES, CUSTOMERS, MINUTES), unique=True, max_size=12), st.data())
def test_any_split_in_any_order_with_repetitions_tells_the_same(
    instants: list[tuple[str, str, int]], data: st.DataObject
) -> None:
    told: list[Told] = [(*instant, f"content at {instant[2]}") for instant in instants]
    shuffled = data.draw(
        st.permutations(told + data.draw(st.lists(st.sampled_from(told), max_size=6) if told else st.just([])))
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=4)))
    parts = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
    with a_lake(parts) as lake:
        assert sorted(read(lake.versions(CUSTOMER))) == sorted(told)


@settings(max_examples=30, deadline=None)
@given(st.lists(TOLD, max_size=12).map(one_content_an_instant), st.data())
def test_contents_that_return_survive_any_split_with_replays(told: list[Told], data: st.DataObject) -> None:
    """As a feed is read: in the order of change, and from an earlier page again after a crash."""
    told.sort(key=lambda t: t[2])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(told)), max_size=3)))
    parts = [told[a:b] for a, b in zip([0, *cuts], [*cuts, len(told)], strict=True)]
    crashes = data.draw(st.lists(st.integers(0, len(parts) - 1), max_size=2))
    with_replays = [part for n in range(len(parts)) for part in [*parts[: n + 1] * (n in crashes), parts[n]]]
    with a_lake([told]) as whole, a_lake(with_replays) as split:
        assert sorted(read(split.versions(CUSTOMER))) == sorted(read(whole.versions(CUSTOMER)))
