"""Whether the statements of one account follow each other without a gap.

Pure: what is known, and what came, in; what to land and what is wrong, out. Statements without balances (camt.054) are
in no chain, they are only recognised when they come again.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import groupby, pairwise
from typing import Literal

from features.errors import BadInput
from features.money import from_minor
from pipelines.bank.statement import Statement

_FIRST_NUMBER = re.compile(r"([0-9]+)(?:\s*/\s*([0-9]+))?")

Kind = Literal["missing", "overlapping", "altered"]


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept of a statement to judge the next one; `digest` is `Statement.digest`, None where it was not kept."""

    statement_id: str
    number: str | None
    currency: str
    from_day: date
    to_day: date
    opening_minor: int | None
    closing_minor: int | None
    entries: int
    place: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """Two neighbours in the chain that do not fit; `message` names both and says what is missing or wrong."""

    kind: Kind
    before: str
    after: str
    message: str


@dataclass(frozen=True, slots=True)
class Continuation:
    """fresh     what was not known, in the chain's order: to be landed
    repeated  ids that came again with the same content: nothing to do
    breaks    where the chain, with `fresh` in it, does not hold
    """

    fresh: tuple[Statement, ...]
    repeated: tuple[str, ...]
    breaks: tuple[Break, ...]


def known(statement: Statement) -> Known:
    """What to keep of `statement`."""
    return Known(
        statement_id=statement.statement_id,
        number=statement.number,
        currency=statement.currency,
        from_day=statement.from_day,
        to_day=statement.to_day,
        opening_minor=statement.opening_minor,
        closing_minor=statement.closing_minor,
        entries=len(statement.entries),
        place=statement.place,
        digest=statement.digest,
    )


def continued(before: Iterable[Known], new: Iterable[Statement]) -> Continuation:
    """How the `new` statements of one account continue those known `before`.

    `BadInput` where an id that is known, or that came twice, has another content: it names both places.
    """
    by_id = {statement.statement_id: statement for statement in before}
    fresh: dict[str, Statement] = {}
    repeated: list[str] = []
    for statement in new:
        came = known(statement)
        earlier = by_id.get(came.statement_id)
        if earlier is None:
            fresh[came.statement_id] = statement
            by_id[came.statement_id] = came
        else:
            _require_equal(earlier, came)
            repeated.append(came.statement_id)
    chain = sorted(
        (k for k in by_id.values() if k.opening_minor is not None and k.closing_minor is not None), key=_order
    )
    chain = _untangled(chain)
    breaks = [_break(a, b) for a, b in pairwise(chain) if a.statement_id in fresh or b.statement_id in fresh]
    place = {k.statement_id: i for i, k in enumerate(chain)}
    ordered = sorted(fresh.values(), key=lambda s: place.get(s.statement_id, len(chain)))
    return Continuation(tuple(ordered), tuple(repeated), tuple(b for b in breaks if b is not None))


def _require_equal(earlier: Known, came: Known) -> None:
    if earlier.digest is None or came.digest is None:
        same = _summary(earlier) == _summary(came)
    else:
        same = earlier.digest == came.digest
    if not same:
        places = f"{earlier.place} and {came.place}"
        raise BadInput(f"statement {came.statement_id} has two contents, at {places}; ask the bank which one holds")


def _summary(told: Known) -> tuple[object, ...]:
    balances = (told.opening_minor, told.closing_minor)
    return (told.number, told.currency, told.from_day, told.to_day, balances, told.entries)


def _order(told: Known) -> tuple[date, date, tuple[int, int]]:
    return told.to_day, told.from_day, _number(told.number) or (0, 0)


def _untangled(chain: list[Known]) -> list[Known]:
    """The chain with statements that share their days and number in the order in which their balances meet."""
    ordered: list[Known] = []
    for _, tied in groupby(chain, key=_order):
        left = list(tied)
        while left:
            chosen = _next(left, ordered[-1].closing_minor if ordered else None)
            ordered.append(chosen)
            left.remove(chosen)
    return ordered


def _next(left: list[Known], balance: int | None) -> Known:
    """The one that opens with `balance`; else the one that none of the others leads to."""
    closings = [k.closing_minor for k in left]
    fitting = (k for k in left if k.opening_minor == balance)
    starting = (k for k in left if k.opening_minor not in closings)
    return next(fitting, None) or next(starting, left[0])


def _number(text: str | None) -> tuple[int, int] | None:
    """Number and page; None where the bank does not number (also 0)."""
    found = _FIRST_NUMBER.match((text or "").strip())
    if found is None or int(found[1]) == 0:
        return None
    return int(found[1]), int(found[2] or 1)


def _follows(a: Known, b: Known) -> bool | None:
    """Whether the number of `b` is the next one after that of `a`; None where one of them has none."""
    first, second = _number(a.number), _number(b.number)
    if first is None or second is None:
        return None
    next_page = second == (first[0], first[1] + 1)
    next_number = second[0] == first[0] + 1 and second[1] <= 1
    new_year = second[0] == 1 and b.to_day.year == a.to_day.year + 1
    return next_page or next_number or new_year


def _break(a: Known, b: Known) -> Break | None:
    follows, meets = _follows(a, b), a.closing_minor == b.opening_minor
    if meets and follows is not False:
        return None
    kind = _kind(a, b, follows)
    names = f"{_told(a)} and {_told(b)}"
    if meets:
        return Break(kind, a.statement_id, b.statement_id, f"{_words(kind, a, b)} {names}")
    gap = from_minor((b.opening_minor or 0) - (a.closing_minor or 0), b.currency)
    balances = f"the first closes at {_major(a.closing_minor, a)}, the second opens at {_major(b.opening_minor, b)}"
    message = f"{_words(kind, a, b)} {names}: {balances}, {gap} {b.currency} apart"
    return Break(kind, a.statement_id, b.statement_id, message)


def _kind(a: Known, b: Known, follows: bool | None) -> Kind:
    first, second = _number(a.number), _number(b.number)
    if follows:
        return "altered"  # neighbours by number whose balances do not meet: one of them is not what it was
    if first == second and first is not None:
        return "overlapping"
    if first is not None and second is not None and second > first:
        return "missing"
    return "overlapping" if b.from_day < a.to_day else "missing"


def _words(kind: Kind, a: Known, b: Known) -> str:
    if kind == "altered":
        return "one is altered of"
    if kind == "overlapping":
        return "they overlap:"
    first, second = _number(a.number), _number(b.number)
    if first is None or second is None or second < first:
        return f"a statement is missing after {a.to_day} and up to {b.from_day}, between"
    if second[0] == first[0]:
        return f"page {first[1] + 1} of statement {first[0]} is missing between"
    if second[0] > first[0] + 1:
        last = second[0] - 1
        which = f"statement {last} is" if last == first[0] + 1 else f"statements {first[0] + 1} to {last} are"
        return f"{which} missing between"
    return f"the first page of statement {second[0]} is missing between"


def _told(told: Known) -> str:
    return f"{told.statement_id} ({told.place})"


def _major(minor: int | None, told: Known) -> str:
    return f"{from_minor(minor or 0, told.currency)} {told.currency}"
