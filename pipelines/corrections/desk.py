"""The errors desk: what waits for a person, and what a person may do about it.

A case stays until it is replayed or discarded. An edit never touches what came: the payload as it came, every edit, who
made it and why are in the history. Where an edit changes an amount, somebody else has to approve before a replay: see
`edits.approval_fields` for what counts as one and `services.corrections` for who else is somebody else. Who acts
on a case that changed since they looked at it is told so, and nothing happens.

A correction is known from its replay on. It stands: when the source sends the same wrong payload again it is set aside
as before, and the case stays settled. When the source changes the record later, that version counts from then on, as
for every fact.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from features.errors import BadInput
from features.lake import Lake
from pipelines.corrections.cases import Case, case_of
from pipelines.corrections.edits import ENVELOPE, STAMPS, changed_amounts, edited, read_payload, refuse_dating
from pipelines.corrections.replay import Replayed, replayed, route_of
from pipelines.fields import fields_of
from pipelines.landscape import Landscape
from pipelines.mapping_keys import Mapping
from services.corrections import OPEN, Action, Corrections, Entry, Json, State, same_person
from services.outbox import discard, revive
from services.store import Store

Also = Callable[[Connection], object]


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts, when and why; `seen`: how many entries of the case's history they know of, all where None."""

    who: str
    now: datetime
    why: str = ""
    seen: int | None = None


class Desk:
    """Works the cases of `store`. `guarded`: the fields whose correction a second person has to approve."""

    def __init__(self, store: Store, guarded: frozenset[str]) -> None:
        self._store = store
        self._corrections = Corrections(store.database)
        self._guarded = guarded

    def edit(self, case_id: str, by: Person, changes: Iterable[str] = (), file: Path | None = None) -> Case:
        """Change the payload as `changes` or the JSON in `file` say. An edit voids an approval.

        `BadInput` for unknown fields, values of another type, and an edit that changes nothing.
        """
        case = self._open(case_id)
        old = _payload(case)
        more = _more(case)
        start = old if file is None else read_payload(file, old, more)
        new = edited(start, changes, more)
        if case.kind == "ingest" and case.file is None:
            refuse_dating(case.given or {}, new)
        if new == old:
            raise BadInput(f"case {case_id}: the edit changes nothing; allowed: --set field=value, or --payload FILE")
        self._add(case, Action.EDIT, by, new)
        return case_of(self._store, case_id)

    def approve(self, case_id: str, by: Person) -> Case:
        """Stand in for somebody else's edit; `BadInput` where there is none, or it is one's own."""
        case = self._open(case_id)
        if case.standing.state is not State.EDITED:
            raise BadInput(f"case {case_id} is {case.standing.state}; allowed: to approve what was edited")
        if same_person(by.who) in case.standing.editors:
            raise BadInput(f"case {case_id}: {by.who.strip()} edited it; allowed: another person's approval")
        self._add(case, Action.APPROVE, by)
        return case_of(self._store, case_id)

    def discard(self, case_id: str, by: Person) -> Case:
        """Never show it as waiting again, also when the same payload comes again."""
        case = self._open(case_id)
        drop = partial(discard, message_id=case_id, now=by.now)
        self._add(case, Action.DISCARD, by, also=drop if case.kind == "delivery" else None)
        return case_of(self._store, case_id)

    def resend(self, case_id: str, by: Person) -> Case:
        """Put a delivery back into the outbox, as it was edited; its idempotency key stays."""
        case = self._open(case_id)
        _require_kind(case, "delivery")
        payload = _payload(case)
        self._require_approved(case, self._guarded)
        again = partial(revive, message_id=case_id, payload=payload, now=by.now)
        self._add(case, Action.REPLAY, by, payload, also=again)
        return case_of(self._store, case_id)

    def land(
        self,
        case_id: str,
        by: Person,
        lake: Lake,
        *,
        mapping: Mapping | None = None,
        landscape: Landscape | None = None,
    ) -> Replayed:
        """Land what was set aside, as it was edited; where it breaks again the case stays as it is.

        The facts land before the history says so: after a kill in between, a replay adds nothing and ends the case.
        """
        case = self._open(case_id)
        _require_kind(case, "ingest")
        self._require_seen(case, by)
        route = route_of(case, mapping, landscape)
        self._require_approved(case, route.columns_of(self._guarded))
        if case.broken_line and case.standing.payload is None:
            raise BadInput(f"case {case_id}: its line has not the header's fields; allowed: `errors edit` first")
        payload = _payload(case)
        done = replayed(case, payload, route, lake, self._store, now=by.now)
        if not done.reasons:
            self._add(case, Action.REPLAY, by, payload)
        return done

    def _open(self, case_id: str) -> Case:
        case = case_of(self._store, case_id)
        if case.standing.state not in OPEN:
            raise BadInput(f"case {case_id} is {case.standing.state}; allowed: a case that is open")
        return case

    def _require_approved(self, case: Case, guarded: Iterable[str]) -> None:
        """Whatever the history says: the payload that goes out is compared with the one that came."""
        if case.standing.payload is None or case.standing.state is State.APPROVED:
            return
        amounts = changed_amounts(case.given or {}, case.standing.payload, frozenset(guarded))
        if amounts:
            needed = f"another person than who edited it: duecast errors approve {case.case_id}"
            raise BadInput(
                f"case {case.case_id}: the edit changes {', '.join(amounts)}; allowed after approval by {needed}"
            )

    def _require_seen(self, case: Case, by: Person) -> None:
        if not same_person(by.who):
            raise BadInput("nobody is named; allowed: --who NAME, or DUECAST_USER")
        if by.seen is not None and by.seen != len(case.history):
            raise BadInput(f"case {case.case_id} changed since you looked at it; see `duecast errors show`")

    def _add(
        self, case: Case, action: Action, by: Person, payload: Json | None = None, also: Also | None = None
    ) -> None:
        entry = Entry(action, by.now, by.who, by.why, payload)
        seen = len(case.history) if by.seen is None else by.seen
        self._corrections.add(case.case_id, entry, seen=seen, also=also or (lambda _: None))


def _require_kind(case: Case, kind: str) -> None:
    if case.kind != kind:
        raise BadInput(f"case {case.case_id} is of kind {case.kind}; allowed here: {kind}")


def _payload(case: Case) -> Json:
    if case.payload is None:
        raise BadInput(f"case {case.case_id} has no payload that can be read; allowed: to discard it")
    return case.payload


def _more(case: Case) -> frozenset[str]:
    """Fields that a record may have although this one lacks them; a line of a file has all its columns."""
    if case.kind == "delivery" or case.file is not None or case.is_order:
        return frozenset()
    return ENVELOPE.union(STAMPS).union(*(fields_of(name) for name in case.about if name))
