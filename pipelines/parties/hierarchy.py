"""Who owns whom: parents, children, the ultimate parent; never in a circle.

Sources do name parents in a circle, and a merge can close one. Nobody can tell which of its links is the wrong one: the
machine's are all set aside, or, where people alone made the circle, theirs; the rest stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from features.errors import BadInput
from pipelines.parties.decisions import Decision
from pipelines.parties.golden import Golden


@dataclass(frozen=True)
class Hierarchy:
    """Parent by child, both by party id; a party that is not in `parents` stands at the top.

    set_aside  parents that do not count, since they close a circle; a person should look
    """

    parents: Mapping[str, str]
    set_aside: tuple[Decision, ...] = field(default=())

    def __post_init__(self) -> None:
        cycle = _cycle(self.parents)
        if cycle:
            told = " -> ".join((*cycle, cycle[0]))
            raise BadInput(f"parties own each other in a circle: {told}; take one of these parents away")

    @cached_property
    def _children(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for child in sorted(self.parents):
            found.setdefault(self.parents[child], []).append(child)
        return {owner: tuple(children) for owner, children in found.items()}

    def ultimate(self, party: str) -> str:
        """The top of the party's line; the party itself where nobody owns it."""
        while party in self.parents:
            party = self.parents[party]
        return party

    def children(self, party: str) -> tuple[str, ...]:
        """Those it owns directly, sorted."""
        return self._children.get(party, ())

    def all_below(self, party: str) -> tuple[str, ...]:
        """Everybody under it, at any depth, nearest first."""
        found = list(self.children(party))
        for child in found:
            found += self.children(child)
        return tuple(found)

    def rolled_up(self, amounts: Mapping[str, int]) -> dict[str, int]:
        """Amounts by party -> amounts by party with everybody below it; parties that come to hold none are left out."""
        total: dict[str, int] = {}
        for party, amount in amounts.items():
            line: str | None = party
            while line is not None:
                total[line] = total.get(line, 0) + amount
                line = self.parents.get(line)
        return total


def hierarchy(state: Golden) -> Hierarchy:
    """The parties' hierarchy as decided; a record that owns another one of its own party is no news.

    Where the records of one party have several parents a person's word counts before a machine's, then the latest.
    """
    told: dict[str, Decision] = {}
    for decision in sorted(state.parents.values(), key=lambda d: (d.human, d.at, d.a)):
        told[state.party(decision.a).id] = decision
    owners = {child: state.party(d.b).id for child, d in sorted(told.items()) if d.b is not None}
    parents = {child: owner for child, owner in owners.items() if child != owner}
    apart: list[Decision] = []
    while circle := _cycle(parents):
        wrong = [child for child in circle if not told[child].human] or list(circle)
        apart += [told[child] for child in wrong]
        parents = {child: owner for child, owner in parents.items() if child not in wrong}
    return Hierarchy(parents, tuple(apart))


def _cycle(parents: Mapping[str, str]) -> tuple[str, ...]:
    """The first circle found, from its lowest id on; empty where there is none."""
    safe: set[str] = set()
    for start in sorted(parents):
        line: dict[str, None] = {}
        party: str | None = start
        while party is not None and party not in safe and party not in line:
            line[party] = None
            party = parents.get(party)
        if party is not None and party in line:
            circle = list(line)[list(line).index(party) :]
            lowest = circle.index(min(circle))
            return tuple(circle[lowest:] + circle[:lowest])
        safe.update(line)
    return ()
