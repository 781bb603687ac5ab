"""Whom a day's contacts go to, and who of them is left out by a draw.

Every contact counts the same against the capacity, so taking the highest scores first is the best list there is, not an
approximation. Those left out take no capacity: the next one moves up.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import date
from typing import TypeVar

T = TypeVar("T")


def left_out(seed: int, entity_id: str, customer_id: str, day: date, share: float) -> bool:
    """Whether the draw leaves this customer out on this day: the same whoever else is there, in any order.

    >>> left_out(7, "E", "A", date(2026, 1, 5), 0.0), left_out(7, "E", "A", date(2026, 1, 5), 1.0)
    (False, True)
    """
    words = "\x1f".join((str(seed), entity_id, customer_id, day.isoformat()))
    number = int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big")
    return number < share * 2**64


def listed(rows: Sequence[T], capacity: int, *, score: Callable[[T], float], out: Callable[[T], bool]) -> list[T]:
    """The rows with the highest scores, first come first where equal, until `capacity` of them are not `out`."""
    chosen: list[T] = []
    room = capacity
    for row in sorted(rows, key=lambda r: -score(r)):
        if room == 0:
            break
        chosen.append(row)
        room -= not out(row)
    return chosen
