"""What `duecast parties` does: golden parties from the lake's records and the log, and people's answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from features.errors import BadInput, NotFound
from features.facts import Versions
from pipelines.parties.decisions import MACHINE, Decision, standing, undo
from pipelines.parties.golden import Golden, Party, golden
from pipelines.parties.hierarchy import Hierarchy, hierarchy
from pipelines.parties.lasting import LastingDecisions
from pipelines.parties.matching import Matcher
from pipelines.parties.of_lake import party_records
from pipelines.parties.records import PartyRecord, by_ref
from pipelines.parties.review import Question
from pipelines.parties.survivorship import GoldenValue, Survivorship
from pipelines.parties.sync import Synced, planned, synced
from services.database import Database


@dataclass(frozen=True, slots=True)
class Shown:
    """A golden party: which value of whose record survives and why, who is in it, and what was decided about it.

    parent, children  golden ids
    decisions         those that stand and name a member, oldest first
    """

    party: Party
    values: dict[str, GoldenValue]
    members: tuple[PartyRecord, ...]
    decisions: tuple[Decision, ...]
    parent: str | None
    children: tuple[str, ...]


class PartyDesk:
    """The parties as they stand when the desk is opened; what is decided at it is refused if others decided meanwhile.

    trusted  source systems, the most trusted first: their values survive
    """

    def __init__(self, lake: Versions, database: Database, *, trusted: Sequence[str] = ()) -> None:
        found = party_records(lake)
        self._records = found.records
        self.nameless = found.nameless
        self._of = by_ref(list(found.records))
        self._log = LastingDecisions(database)
        self._rules = Survivorship(sources=tuple(trusted))
        unknown = sorted(set(trusted) - {record.system for record in found.records})
        if unknown:
            there = ", ".join(sorted({record.system for record in found.records})) or "none"
            raise NotFound(f"no source {unknown[0]!r} among the parties' records; there are: {there}")

    def sync(self, *, now: datetime) -> Synced:
        """Append what the machine decides; what came of it."""
        return synced(self._records, self._log, Matcher.learnt(self._records), now=now)

    def questions(self, *, now: datetime) -> tuple[Question, ...]:
        """What is for a person to answer, the surest first. Nothing is written."""
        return self._planned(now).review.questions

    def record(self, ref: str) -> PartyRecord:
        """The record of that ref."""
        if ref not in self._of:
            raise NotFound(f"no record is called {ref!r}; a record is entity:role:system:record_id")
        return self._of[ref]

    def state(self) -> tuple[Golden, Hierarchy]:
        """What records and log come to, as they are."""
        found = golden([record.ref for record in self._records], self._log.all())
        return found, hierarchy(found)

    def parties(self) -> list[Shown]:
        """Every golden party, by its name and id."""
        state, owners = self.state()
        shown = [self._shown(party, owners, ()) for party in state.parties]
        return sorted(shown, key=lambda s: (s.values["name"].value.casefold(), s.party.id))

    def party(self, name: str) -> Shown:
        """The golden party of an id, an alias, or a record's ref; `NotFound` where there is none."""
        state, owners = self.state()
        party = state.party(name)
        about = [d for d in standing(self._log.all()) if {d.a, d.b} & set(party.members)]
        return self._shown(party, owners, tuple(about))

    def accept(self, a: str, b: str, *, who: str, why: str, now: datetime) -> Decision:
        """An open question's two records are one party."""
        return self._planned(now).review.accept(a, b, self._log, by=_person(who), at=now, why=why)

    def reject(self, a: str, b: str, *, who: str, why: str, now: datetime) -> Decision:
        """An open question's two records are two parties."""
        return self._planned(now).review.reject(a, b, self._log, by=_person(who), at=now, why=why)

    def undo(self, decision_id: str, *, who: str, why: str, now: datetime) -> Decision:
        """As if the decision of that id had never been taken. `BadInput` where it is undone already."""
        decided = {decision.id: decision for decision in self._log.all()}
        if decision_id not in decided:
            raise NotFound(f"no decision {decision_id!r}; `duecast parties show` tells the ids")
        told = decided[decision_id]
        if told.kind != "undo" and told not in standing(self._log.all()):
            raise BadInput(f"decision {decision_id} is undone already; allowed: a decision that stands")
        taken_back = undo(told, by=_person(who), at=now, why=why)
        self._log.append(taken_back)
        return taken_back

    def _planned(self, now: datetime) -> Synced:
        return planned(self._records, self._log.all(), Matcher.learnt(self._records), now=now)

    def _shown(self, party: Party, owners: Hierarchy, about: tuple[Decision, ...]) -> Shown:
        members = tuple(self._of[ref] for ref in party.members)
        above, below = owners.parents.get(party.id), owners.children(party.id)
        return Shown(party, self._rules.values(members), members, about, above, below)


def _person(who: str) -> str:
    """`BadInput` for nobody, and for the machine's name, under which a person's word would count as the machine's."""
    if not who.strip() or who.strip().casefold() == MACHINE:
        raise BadInput(
            f"--who is {who!r}; allowed: the name of the person who decides (or DUECAST_USER), not {MACHINE!r}"
        )
    return who.strip()
