"""What people did about what could not be ingested or delivered: a history per case that only grows.

How a case stands is the fold of its history. An edit voids every approval before it, and nobody who edited a case since
it was last replayed may approve it: of two hands that one amount went through, neither is a second pair of eyes.
"""

import hashlib
import json
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, select

from features.errors import BadInput
from services.database import Database, one_at_a_time
from services.state_tables import correction

Json = dict[str, Any]


class Action(StrEnum):
    """What a person can do about a case."""

    EDIT = "edit"
    APPROVE = "approve"
    REPLAY = "replay"
    DISCARD = "discard"


class State(StrEnum):
    """How a case stands; what is REPLAYED or DISCARDED is settled."""

    WAITING = "waiting"
    EDITED = "edited"
    APPROVED = "approved"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


OPEN = (State.WAITING, State.EDITED, State.APPROVED)
_WITH_REASON = (Action.EDIT, Action.DISCARD)
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One act. `payload`: what an edit made of it, what a replay sent; else None."""

    action: Action
    at: datetime
    who: str
    why: str = ""
    payload: Json | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """`payload`: as edited, None where it is as it came; `editors`: whose work that is, as `same_person` has them."""

    state: State = State.WAITING
    payload: Json | None = None
    editors: frozenset[str] = frozenset()


def standing(history: Iterable[Entry]) -> Standing:
    """How a case with this history stands. An approval by somebody who edited it counts for nothing."""
    now = Standing()
    for entry in history:
        match entry.action:
            case Action.EDIT:
                now = Standing(State.EDITED, entry.payload, now.editors | {same_person(entry.who)})
            case Action.APPROVE if now.state is State.EDITED and same_person(entry.who) not in now.editors:
                now = Standing(State.APPROVED, now.payload, now.editors)
            case Action.REPLAY:
                now = Standing(State.REPLAYED)
            case Action.DISCARD:
                now = Standing(State.DISCARDED, now.payload, now.editors)
            case _:
                pass
    return now


def same_person(name: str) -> str:
    """What two spellings of one name have in common: case, blanks and invisible signs do not count.

    >>> same_person(" Ada  LOVELACE") == same_person("ada lovelace")
    True
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(c for c in folded if unicodedata.category(c)[0] not in "ZC")


def ingest_case_id(source: str, content: str) -> str:
    """The case of what `source` sent: by its payload as it came or, where there is none, by its place."""
    return hashlib.sha256(json.dumps(["ingest", source, content]).encode()).hexdigest()[:12]


class Corrections:
    """The histories kept in `database`. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def history(self, case_id: str) -> tuple[Entry, ...]:
        """What was done about the case, in order."""
        query = select(correction).where(correction.c.case_id == case_id).order_by(correction.c.position)
        with self._db.reading() as connection:
            return tuple(_entry(row) for row in connection.execute(query))

    def histories(self) -> dict[str, tuple[Entry, ...]]:
        """The history of every case that has one, by its id."""
        found: dict[str, list[Entry]] = defaultdict(list)
        with self._db.reading() as connection:
            for row in connection.execute(select(correction).order_by(correction.c.position)):
                found[row.case_id].append(_entry(row))
        return {case_id: tuple(entries) for case_id, entries in found.items()}

    def add(
        self, case_id: str, entry: Entry, *, seen: int, also: Callable[[Connection], object] = lambda _: None
    ) -> None:
        """Put `entry` behind the `seen` entries that its author knew of; `also` happens with it, or neither does.

        `BadInput` where the name, or the reason of an edit or a discard, is blank, and where somebody else was faster.
        """
        _require_words(entry)
        kept = None if entry.payload is None else json.dumps(entry.payload)
        row = {"case_id": case_id, "action": entry.action, "at": entry.at, "payload": kept}
        with self._db.writing() as connection:
            one_at_a_time(connection, f"case {case_id}")
            query = select(correction).where(correction.c.case_id == case_id).order_by(correction.c.position)
            _require_unchanged(case_id, [_entry(found) for found in connection.execute(query)], seen)
            also(connection)
            told = {"who": entry.who.strip(), "why": entry.why.strip()}
            connection.execute(correction.insert().values(row | told))


def _require_words(entry: Entry) -> None:
    if not same_person(entry.who):
        raise BadInput("nobody is named; allowed: --who NAME, or DUECAST_USER")
    if entry.action in _WITH_REASON and not same_person(entry.why):
        raise BadInput(f"the reason is missing; allowed: --why TEXT, since every {entry.action} says why")
    if max(len(entry.who), len(entry.why)) > _LONGEST:
        raise BadInput(f"--who or --why is too long; allowed: at most {_LONGEST} characters")


def _require_unchanged(case_id: str, history: Sequence[Entry], seen: int) -> None:
    if len(history) == seen:
        return
    if len(history) < seen:
        raise BadInput(f"case {case_id} has {len(history)} entries in its history, not {seen}; see `errors show`")
    last = history[-1]
    acted = f"{last.who} was faster ({last.action}, {last.at:%Y-%m-%d %H:%M:%S} UTC)"
    raise BadInput(f"case {case_id}: {acted}; look at it again with `duecast errors show {case_id}`")


def _entry(row: Row[Any]) -> Entry:
    payload = None if row.payload is None else json.loads(row.payload)
    return Entry(Action(row.action), row.at, row.who, row.why, payload)
