"""The cases of the errors desk: what one payload broke on its way in, and what a system would not take.

A record in quarantine is one case, whatever tables it feeds and however many rules it breaks: a person mends the
record. Where it has no payload, its place is what makes it one. A dead message of the outbox is the other kind.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from features.errors import NotFound, Violation
from pipelines.order_payloads import is_order
from services.corrections import OPEN, Corrections, Entry, Json, Standing, State, ingest_case_id, standing
from services.outbox import Fate, Message, Outbox
from services.store import Store

_OF_FILE = re.compile(r"(?P<place>(?P<file>.+) (?:line|row) \d+)(?:, .*)?", re.DOTALL)
_EVERY = 1_000_000


@dataclass(frozen=True, slots=True)
class Reason:
    """Why it could not pass, and when that was last found."""

    words: str
    last: datetime
    field: str | None = None


@dataclass(frozen=True)
class Case:
    """What waits for a person, or did.

    system   where it came from, or should go
    about    the tables that it feeds, or the operation that it is
    place    file and line, request and record; of a delivery its document
    reasons  the latest first
    given    the payload as it came, or as it was last sent; None where there is none that can be read
    came     of a delivery: the payload as it was put, as text
    """

    case_id: str
    kind: Literal["ingest", "delivery"]
    system: str
    about: tuple[str, ...]
    place: str
    since: datetime
    times: int
    reasons: tuple[Reason, ...]
    raw: str | None
    history: tuple[Entry, ...]
    standing: Standing
    came: str | None = None

    @property
    def given(self) -> Json | None:
        """See the class."""
        try:
            told = json.loads(self.raw or "")
        except ValueError:
            return None
        return told if isinstance(told, dict) else None

    @property
    def payload(self) -> Json | None:
        """As it would be replayed now."""
        return self.given if self.standing.payload is None else self.standing.payload

    @property
    def file(self) -> str | None:
        """The file that it was read from; None where it came as a record."""
        if self.kind == "delivery" or self.is_order or self._is_record:
            return None
        match = _OF_FILE.fullmatch(self.place)
        return None if match is None else match["file"]

    @property
    def is_order(self) -> bool:
        """Whether it is an order that a CRM won, to be billed."""
        return self.kind == "ingest" and is_order(self.given or {})

    @property
    def line(self) -> str:
        """The place of the whole record, without the part of it that broke."""
        match = _OF_FILE.fullmatch(self.place)
        return self.place if match is None else match["place"]

    @property
    def broken_line(self) -> bool:
        """Whether its line could not be parted into fields, so that they may stand in the wrong columns."""
        return any((reason.field or "").rsplit(".", 1)[-1] == "line" for reason in self.reasons)

    @property
    def _is_record(self) -> bool:
        """Every record says when it changed; a file's cells are all text, and that alone does not tell them apart."""
        told = self.given or {}
        if not all(value is None or isinstance(value, str) for value in told.values()):
            return True
        return " record " in self.place and {"id", "changed_at"} <= set(told)


def cases(
    store: Store,
    *,
    source: str | None = None,
    table: str | None = None,
    state: State | None = None,
    every: bool = False,
) -> list[Case]:
    """The cases, the oldest first: those that are open, those of one state, or every one."""
    histories = Corrections(store.database).histories()
    found = [*_ingest_cases(store, histories, source), *_delivery_cases(store, histories, source)]
    wanted = set(State) if every else set(OPEN) if state is None else {state}
    kept = [c for c in found if c.standing.state in wanted and (table is None or table in c.about)]
    return sorted(kept, key=lambda c: (c.since, c.case_id))


def case_of(store: Store, case_id: str) -> Case:
    """One case; `NotFound` where there is none of that id."""
    found = [c for c in cases(store, every=True) if c.case_id == case_id]
    if not found:
        raise NotFound(f"no case {case_id!r}; see `duecast errors list --state all`")
    return found[0]


def _ingest_cases(store: Store, histories: dict[str, tuple[Entry, ...]], source: str | None) -> Iterable[Case]:
    rows = store.quarantined(source=source, limit=None).to_dicts()  # the last seen first
    by_case: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_case.setdefault(ingest_case_id(row["source"], row["payload"] or row["where"] or ""), []).append(row)
    for case_id, of_case in by_case.items():
        yield _ingest_case(case_id, of_case, histories.get(case_id, ()))


def _ingest_case(case_id: str, rows: list[dict[str, Any]], history: tuple[Entry, ...]) -> Case:
    last = rows[0]
    return Case(
        case_id=case_id,
        kind="ingest",
        system=last["source"],
        about=tuple(sorted({row["table"] for row in rows})),
        place=last["where"] or "",
        since=min(row["first_seen"] for row in rows),
        times=max(row["times"] for row in rows),
        reasons=tuple(_reason(row) for row in rows),
        raw=last["payload"],
        history=history,
        standing=standing(history),
    )


def _reason(row: dict[str, Any]) -> Reason:
    told = str(Violation(row["table"], row["field"], row["value"], row["allowed"]))
    return Reason(told, row["last_seen"], row["field"])


def _delivery_cases(store: Store, histories: dict[str, tuple[Entry, ...]], source: str | None) -> Iterable[Case]:
    """The dead messages, and those that people worked on."""
    box = Outbox(store.database)
    worked = [m for m in map(_found(box), histories) if m is not None and m.status is not Fate.DEAD]
    for message in [*box.messages(system=source, status=Fate.DEAD, limit=_EVERY), *worked]:
        if source in (None, message.system):
            yield _delivery_case(message, histories.get(message.message_id, ()))


def _found(box: Outbox) -> Any:
    def found(message_id: str) -> Message | None:
        try:
            return box.message(message_id)
        except NotFound:
            return None

    return found


def _delivery_case(message: Message, history: tuple[Entry, ...]) -> Case:
    when = message.finished_at or message.created_at
    return Case(
        case_id=message.message_id,
        kind="delivery",
        system=message.system,
        about=(message.operation,),
        place=message.document,
        since=message.created_at,
        times=message.attempts,
        reasons=(Reason(message.error or "(no reason was kept)", when),),
        raw=json.dumps(message.payload),
        came=json.dumps(message.given),
        history=history,
        standing=_of_delivery(standing(history), message.status),
    )


def _of_delivery(told: Standing, fate: Fate) -> Standing:
    """What the outbox knows goes first: a message that was sent again may have died again."""
    if fate is Fate.DEAD:
        return Standing() if told.state is State.REPLAYED else told
    return Standing(State.DISCARDED if fate is Fate.DISCARDED else State.REPLAYED)
