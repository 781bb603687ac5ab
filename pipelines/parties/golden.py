"""The golden parties: what the records and the standing decisions come to.

The state is a fold of the log and nothing else, so undoing a decision gives exactly the state without it. On one pair
a person's latest word counts, before any machine's. Merges then join records into parties, people's in the order of the
log, machines' by score; one that would bring two records together that were declared two parties is refused and
reported. Where nothing is refused the order of merges makes no difference.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from features.errors import NotFound
from pipelines.parties.decisions import Decision, standing
from pipelines.parties.records import sphere


@dataclass(frozen=True, slots=True)
class Party:
    """One golden party. `id` is that of its oldest member; `aliases` are the ids of the others."""

    id: str
    members: tuple[str, ...]
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A merge that does not stand, and the decision that it runs into; a person should look."""

    merge: Decision
    against: Decision


@dataclass(frozen=True)
class Golden:
    """Every record in exactly one party; `parents`: the decision that counts by child's ref."""

    parties: tuple[Party, ...]
    refused: tuple[Refused, ...]
    parents: Mapping[str, Decision]

    @cached_property
    def _by_name(self) -> dict[str, Party]:
        return {name: p for p in self.parties for name in (p.id, *p.aliases, *p.members)}

    def party(self, name: str) -> Party:
        """The party of a ref, an id or the id of a merged party; `NotFound` where there is none."""
        if name not in self._by_name:
            raise NotFound(f"no party or record is called {name!r}; give a party's id or entity:role:system:record_id")
        return self._by_name[name]


def party_id(ref: str) -> str:
    """The id of a party whose oldest member is `ref`; it never changes and tells nothing about the record."""
    return "P" + sha256(ref.encode()).hexdigest()[:19]


def golden(refs: Iterable[str], decisions: Sequence[Decision]) -> Golden:
    """The parties of these records, given oldest first; decisions about other records wait until those are known."""
    age = {ref: position for position, ref in enumerate(dict.fromkeys(refs))}
    known = [d for d in standing(decisions) if d.a in age and (d.b is None or d.b in age)]
    pairs = list(_last_word(known).values())
    groups = _Groups(age, [d for d in pairs if d.kind == "not_same"])
    refused = [r for d in _in_turn(pairs, known) if (r := groups.join(d)) is not None]
    return Golden(
        tuple(_party(sorted(members, key=age.__getitem__)) for members in groups.members()),
        tuple(refused),
        _parents(known),
    )


def _last_word(decisions: Iterable[Decision]) -> dict[tuple[str, str], Decision]:
    """The decision that counts on each pair: a person's latest, else the machine's latest."""
    last: dict[tuple[str, str], Decision] = {}
    for decision in decisions:
        if decision.kind in ("merge", "not_same") and decision.b is not None:
            before = last.get((decision.a, decision.b))
            if decision.human or before is None or not before.human:
                last[decision.a, decision.b] = decision
    return last


def _in_turn(pairs: Sequence[Decision], log: Sequence[Decision]) -> list[Decision]:
    """Merges in the order in which they are tried."""
    place = {d.id: position for position, d in enumerate(log)}
    people = sorted((d for d in pairs if d.kind == "merge" and d.human), key=lambda d: place[d.id])
    machine = [d for d in pairs if d.kind == "merge" and not d.human]
    return people + sorted(machine, key=lambda d: (-(d.score or 0.0), d.a, d.b))


def _parents(decisions: Iterable[Decision]) -> dict[str, Decision]:
    told: dict[str, Decision] = {}
    for decision in decisions:
        if decision.kind == "parent" and (decision.human or decision.a not in told or not told[decision.a].human):
            told[decision.a] = decision
    return dict(sorted(told.items()))


def _party(members: Sequence[str]) -> Party:
    first, *others = [party_id(ref) for ref in members]
    return Party(first, tuple(members), tuple(others))


class _Groups:
    """Records joined one merge at a time, under vetoes."""

    def __init__(self, age: Mapping[str, int], vetoes: Iterable[Decision]) -> None:
        self._group = {ref: [ref] for ref in age}
        self._vetoes: dict[str, dict[str, Decision]] = {}
        for veto in vetoes:
            for ours, theirs in ((veto.a, veto.b or ""), (veto.b or "", veto.a)):
                self._vetoes.setdefault(ours, {})[theirs] = veto

    def join(self, decision: Decision) -> Refused | None:
        """Make one group of two, or say which decision forbids it."""
        kept, gone = self._group[decision.a], self._group[decision.b or ""]
        if kept is gone:
            return None
        against = self._against(kept, gone, decision)
        if against is not None:
            return Refused(decision, against)
        if len(kept) < len(gone):
            kept, gone = gone, kept
        kept += gone
        for ref in gone:
            self._group[ref] = kept
        return None

    def _against(self, ours: Sequence[str], theirs: Sequence[str], decision: Decision) -> Decision | None:
        """A person's merge gives way to people's vetoes only; a machine's also to the machine's own."""
        found = (v for v in self._between(ours, theirs) if v.human or not decision.human)
        return min(found, key=lambda v: (not v.human, v.a, v.b or ""), default=None)

    def _between(self, ours: Sequence[str], theirs: Sequence[str]) -> Iterator[Decision]:
        fewer, more = sorted((ours, theirs), key=len)
        others = set(more)
        for ref in fewer:
            yield from (veto for other, veto in self._vetoes.get(ref, {}).items() if other in others)

    def members(self) -> list[list[str]]:
        """The groups, by their first ref."""
        return sorted({id(group): group for group in self._group.values()}.values(), key=min)


def mixed(party: Party) -> bool:
    """True where somebody merged over roles or entities."""
    return len({sphere(ref) for ref in party.members}) > 1
