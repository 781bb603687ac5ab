"""What people and the machine decided about parties: an append-only log, in which even undoing is an entry."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Literal, Protocol

import msgspec

from features.errors import BadInput, NotFound
from pipelines.parties.records import sphere

MACHINE = "machine"
Kind = Literal["merge", "not_same", "parent", "undo"]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the log. Made by `merge`, `not_same`, `parent` and `undo`, never by hand.

    a, b      refs of records, a < b; for a parent: a is the child and b its parent, or None where it has none; for an
              undo: a is the id of the decision undone
    by        "machine", or who decided
    across    true where somebody asked to merge over roles or entities
    """

    id: str
    kind: Kind
    a: str
    b: str | None
    by: str
    at: datetime
    why: str
    score: float | None = None
    across: bool = False

    @property
    def human(self) -> bool:
        """A person's decision, which no machine overrules."""
        return self.by != MACHINE


class DecisionLog(Protocol):
    """Where decisions are kept, in the order in which they came."""

    def append(self, decision: Decision) -> None:
        """Keep it for good."""
        ...

    def extend(self, decisions: Sequence[Decision]) -> None:
        """Keep them for good, all of them or none."""
        ...

    def all(self) -> Sequence[Decision]:
        """Every decision, oldest first."""
        ...


class DecisionsInMemory:
    """A log that ends with the process, for trials and tests."""

    def __init__(self, decisions: Sequence[Decision] = ()) -> None:
        self._decisions: dict[str, Decision] = {}
        self.extend(decisions)

    def append(self, decision: Decision) -> None:
        """Keep it; `BadInput` where it is there already, `NotFound` where it undoes what is not."""
        self.extend([decision])

    def extend(self, decisions: Sequence[Decision]) -> None:
        """As `append`, all of them or none."""
        self._decisions = appended(self._decisions, decisions)

    def all(self) -> Sequence[Decision]:
        """Every decision, oldest first."""
        return tuple(self._decisions.values())


def appended(known: Mapping[str, Decision], new: Iterable[Decision]) -> dict[str, Decision]:
    """The log by id with `new` at its end; `BadInput` for one that is there, `NotFound` for an undo of none."""
    log = dict(known)
    for decision in new:
        if decision.id in log:
            raise BadInput(f"decision {decision.id} is in the log already; an entry is written once")
        if decision.kind == "undo" and decision.a not in log:
            raise NotFound(f"no decision {decision.a} to undo; undo one that is in the log")
        log[decision.id] = decision
    return log


def merge(
    a: str, b: str, *, by: str, at: datetime, why: str, score: float | None = None, across: bool = False
) -> Decision:
    """The two records are one party. `BadInput` over two roles or entities, unless a person says `across`."""
    low, high = _two(a, b)
    if sphere(a) != sphere(b) and not (across and by != MACHINE):
        raise BadInput(f"{a!r} and {b!r} differ in entity or role; a person may merge them with across=True")
    return _decision("merge", low, high, by, at, why, score=score, across=across)


def not_same(a: str, b: str, *, by: str, at: datetime, why: str, score: float | None = None) -> Decision:
    """The two records are two parties; where they were one, it is split. A person's word holds against any machine."""
    low, high = _two(a, b)
    return _decision("not_same", low, high, by, at, why, score=score)


def parent(child: str, owner: str | None, *, by: str, at: datetime, why: str) -> Decision:
    """`owner`'s party owns `child`'s; None: nobody does."""
    if owner is not None:
        _two(child, owner)
    sphere(child)
    return _decision("parent", child, owner, by, at, why)


def undo(decision: Decision, *, by: str, at: datetime, why: str) -> Decision:
    """As if `decision` had never been taken. `BadInput` where a machine would undo a person's."""
    if by == MACHINE and decision.human:
        raise BadInput(f"decision {decision.id} is {decision.by}'s; only a person undoes it")
    return _decision("undo", decision.id, None, by, at, why)


def _two(a: str, b: str) -> tuple[str, str]:
    sphere(a), sphere(b)
    if a == b:
        raise BadInput(f"{a!r} is named twice; a decision is about two records")
    return (a, b) if a < b else (b, a)


def _decision(
    kind: Kind,
    a: str,
    b: str | None,
    by: str,
    at: datetime,
    why: str,
    *,
    score: float | None = None,
    across: bool = False,
) -> Decision:
    if not by.strip() or not why.strip():
        raise BadInput(f"{kind} of {a!r}: by is {by!r}, why is {why!r}; say who decided it and why")
    if at.tzinfo is None:
        raise BadInput(f"{kind} of {a!r}: at is {at.isoformat()} without a zone; give an instant in UTC")
    told = "\x00".join((kind, a, b or "", by, at.isoformat(), why, str(score), str(across)))
    digest = sha256(told.encode()).hexdigest()[:20]
    return Decision(id=digest, kind=kind, a=a, b=b, by=by, at=at, why=why, score=score, across=across)


def undos(decisions: Sequence[Decision]) -> list[Decision]:
    """The undos that nobody undid in turn, latest first."""
    found: list[Decision] = []
    undone: set[str] = set()
    for decision in reversed(decisions):
        if decision.kind == "undo" and decision.id not in undone:
            undone.add(decision.a)
            found.append(decision)
    return found


def standing(decisions: Sequence[Decision]) -> list[Decision]:
    """The decisions that nobody undid, oldest first, undos themselves left out."""
    undone = {d.a for d in undos(decisions)}
    return [d for d in decisions if d.kind != "undo" and d.id not in undone]
