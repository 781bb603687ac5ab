"""The log of party decisions in the operational database, as `pipelines.parties` wants it."""

from collections.abc import Sequence

import msgspec

from features.errors import StateError
from pipelines.parties.decisions import Decision, appended
from services.database import Database
from services.parties import Entry, PartyDecisions


class LastingDecisions:
    """A `DecisionLog` that lasts. It is read once, when it is opened.

    `StateError` from a write where somebody else has written since: what was decided rested on an older state.
    """

    def __init__(self, database: Database) -> None:
        self._kept = PartyDecisions(database)
        entries, self._position = self._kept.read()
        self._decisions = {decision.id: decision for decision in map(_decision, entries)}

    def append(self, decision: Decision) -> None:
        """Keep it; `BadInput` where it is there already, `NotFound` where it undoes what is not."""
        self.extend([decision])

    def extend(self, decisions: Sequence[Decision]) -> None:
        """As `append`, all of them or none."""
        known = appended(self._decisions, decisions)
        self._position = self._kept.append([_entry(d) for d in decisions], after=self._position)
        self._decisions = known

    def all(self) -> Sequence[Decision]:
        """Every decision, oldest first."""
        return tuple(self._decisions.values())


def _entry(decision: Decision) -> Entry:
    return Entry(decision.id, decision.at, decision.by, msgspec.json.encode(decision).decode())


def _decision(entry: Entry) -> Decision:
    try:
        return msgspec.json.decode(entry.decision, type=Decision)
    except msgspec.DecodeError as error:
        raise StateError(f"party decision {entry.decision_id} cannot be read: {error}") from None
