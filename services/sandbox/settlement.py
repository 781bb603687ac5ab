"""How each receivable is settled: paid at once, in parts or short, credited, disputed, or written off in the end."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from services.sandbox.behaviour import Aims
from services.sandbox.calendars import Calendar, Flags, Ints, PayDays
from services.sandbox.habits import Habits
from services.sandbox.invoicing import Receivables

RETURN_SHARE = 0.010
DISPUTED_PART, WITHHELD_SHARE, RESOLVED_DAYS = (0.05, 0.45), 0.25, (20, 91)
RETURNED_PART, RETURNED_IN_FULL_SHARE = (0.05, 0.5), 0.4
FIRST_PART, REST_DAYS = (0.3, 0.7), (10, 36)
SHORT_PART, SHORT_MOST_MINOR, SHORT_DAYS = 0.02, 2500, (1, 12)
WRITTEN_OFF_DAYS = (270, 420)


class Way(IntEnum):
    """What becomes of a receivable, unless its customer stops paying first."""

    IN_FULL = 0
    DISPUTED = 1
    RETURNED = 2
    IN_PARTS = 3
    SHORT = 4


class Kind(IntEnum):
    """What settles: positions in `features.tables.ALLOCATION_KINDS`."""

    PAYMENT = 0
    CREDIT_NOTE = 1
    WRITE_OFF = 2


@dataclass(frozen=True)
class Settlements:
    """One row per step of settling a receivable, ordered by receivable and day; amounts are in its currency.

    Steps of a receivable sum to its amount.
    """

    receivable: Ints
    day: Ints
    kind: Ints
    amount: Ints

    def __len__(self) -> int:
        return len(self.day)


@dataclass(frozen=True)
class Ways:
    """Per receivable: the way it goes, and whether its customer stopped paying before the end."""

    way: Ints
    defaulted: Flags


@dataclass(frozen=True)
class _Scene:
    """What all ways need to know."""

    receivables: Receivables
    aim: Ints
    home: Ints  # calendar row of the seller's entity
    calendar: Calendar
    pays: PayDays
    rng: np.random.Generator

    def booked(self, rows: Ints, days: Ints) -> Ints:
        """The first business day of the seller from each day on."""
        return self.calendar.after(self.home[rows], days)

    def paid(self, rows: Ints, days: Ints) -> Ints:
        """The customer's pay day for each day."""
        return self.pays.on_or_after(self.receivables.customer[rows], days)

    def part(self, rows: Ints, low: float, high: float) -> Ints:
        """A part of each amount: at least one minor unit, and at least one less than all."""
        amount = self.receivables.amount[rows]
        part = np.rint(amount * self.rng.uniform(low, high, size=len(rows))).astype(np.int64)
        return np.clip(part, 1, np.maximum(amount - 1, 1))


Step = tuple[Ints, Ints, Kind, Ints]


def settle(
    receivables: Receivables,
    aims: Aims,
    habits: Habits,
    *,
    home: Ints,
    calendar: Calendar,
    pays: PayDays,
    rng: np.random.Generator,
) -> tuple[Settlements, Ways]:
    """Every step that settles anything. `home` is the calendar row of each receivable's seller."""
    scene = _Scene(receivables, aims.day, home, calendar, pays, rng)
    way = _ways(receivables, habits, rng)
    steps = [
        *_in_full(scene, np.flatnonzero(way == Way.IN_FULL)),
        *_disputed(scene, np.flatnonzero(way == Way.DISPUTED)),
        *_returned(scene, np.flatnonzero(way == Way.RETURNED)),
        *_in_parts(scene, np.flatnonzero(way == Way.IN_PARTS)),
        *_short(scene, np.flatnonzero(way == Way.SHORT)),
    ]
    planned = _collected(steps)
    kept, defaulted = _after_default(scene, planned, habits.default_on[receivables.customer])
    return kept, Ways(way, defaulted)


def _ways(receivables: Receivables, habits: Habits, rng: np.random.Generator) -> Ints:
    """Disputes concern whole invoices, so instalments share their draw."""
    chance = rng.random(int(receivables.invoice[-1]) + 1 if len(receivables) else 0)[receivables.invoice]
    customer = receivables.customer
    edges = np.cumsum(
        [
            habits.dispute_share[customer],
            np.full(len(customer), RETURN_SHARE),
            habits.partial_share[customer],
            habits.short_share[customer],
        ],
        axis=0,
    )
    ways = (Way.DISPUTED, Way.RETURNED, Way.IN_PARTS, Way.SHORT)
    return np.select([chance < edge for edge in edges], [int(w) for w in ways], int(Way.IN_FULL)).astype(np.int64)


def _in_full(scene: _Scene, rows: Ints) -> list[Step]:
    return [(rows, scene.aim[rows], Kind.PAYMENT, scene.receivables.amount[rows])]


def _disputed(scene: _Scene, rows: Ints) -> list[Step]:
    """Paid short, or not at all, until the dispute is resolved by a credit note, a write-off or the money."""
    amount, aim = scene.receivables.amount[rows], scene.aim[rows]
    disputed = scene.part(rows, *DISPUTED_PART)
    resolved = scene.booked(rows, aim + scene.rng.integers(*RESOLVED_DAYS, size=len(rows)))
    withheld = scene.rng.random(len(rows)) < WITHHELD_SHARE
    outcome = scene.rng.choice(3, size=len(rows), p=(0.25, 0.55, 0.20))
    rest_paid = np.where(withheld, scene.paid(rows, resolved + 3), aim)
    steps: list[Step] = [(rows, rest_paid, Kind.PAYMENT, amount - disputed)]
    for kind in Kind:
        day = scene.paid(rows, resolved + 3) if kind is Kind.PAYMENT else resolved
        at = outcome == kind
        steps.append((rows[at], day[at], kind, disputed[at]))
    return steps


def _returned(scene: _Scene, rows: Ints) -> list[Step]:
    """Credited soon after issue, in full or in part; what is left is paid as usual."""
    issued, aim, amount = scene.receivables.issued[rows], scene.aim[rows], scene.receivables.amount[rows]
    in_full = scene.rng.random(len(rows)) < RETURNED_IN_FULL_SHARE
    credited = np.where(in_full, amount, scene.part(rows, *RETURNED_PART))
    day = scene.booked(rows, issued + 1 + (scene.rng.random(len(rows)) * np.minimum(aim - issued, 20)).astype(np.int64))
    left = credited < amount
    steps: list[Step] = [(rows, day, Kind.CREDIT_NOTE, credited)]
    steps.append((rows[left], np.maximum(aim, day)[left], Kind.PAYMENT, (amount - credited)[left]))
    return steps


def _in_parts(scene: _Scene, rows: Ints) -> list[Step]:
    first = scene.part(rows, *FIRST_PART)
    aim = scene.aim[rows]
    rest_day = scene.paid(rows, aim + scene.rng.integers(*REST_DAYS, size=len(rows)))
    rest = scene.receivables.amount[rows] - first
    return [(rows, aim, Kind.PAYMENT, first), (rows, np.maximum(rest_day, aim + 1), Kind.PAYMENT, rest)]


def _short(scene: _Scene, rows: Ints) -> list[Step]:
    """A little is missing (bank charges, rounding) and written off within days."""
    amount, aim = scene.receivables.amount[rows], scene.aim[rows]
    missing = np.minimum(scene.part(rows, 0.001, SHORT_PART), SHORT_MOST_MINOR)
    day = scene.booked(rows, aim + scene.rng.integers(*SHORT_DAYS, size=len(rows)))
    return [(rows, aim, Kind.PAYMENT, amount - missing), (rows, day, Kind.WRITE_OFF, missing)]


def _collected(steps: list[Step]) -> Settlements:
    receivable, day, amount = (np.concatenate([step[i] for step in steps]) for i in (0, 1, 3))
    kind = np.concatenate([np.full(len(rows), int(kind), dtype=np.int64) for rows, _, kind, _ in steps])
    positive = amount > 0
    return _ordered(Settlements(receivable[positive], day[positive], kind[positive], amount[positive]))


def _ordered(steps: Settlements) -> Settlements:
    order = np.lexsort((steps.kind, steps.day, steps.receivable))
    return Settlements(steps.receivable[order], steps.day[order], steps.kind[order], steps.amount[order])


def _after_default(scene: _Scene, planned: Settlements, default_on: Ints) -> tuple[Settlements, Flags]:
    """Payments after a default never come; what stays open is written off long after."""
    lost = (planned.kind == Kind.PAYMENT) & (planned.day > default_on[planned.receivable])
    defaulted = np.zeros(len(scene.receivables), dtype=bool)
    defaulted[planned.receivable[lost]] = True
    rows = np.flatnonzero(defaulted)
    missing = np.zeros(len(scene.receivables), dtype=np.int64)
    np.add.at(missing, planned.receivable[lost], planned.amount[lost])
    from_day = np.maximum(default_on[rows], scene.receivables.due[rows])
    day = scene.booked(rows, from_day + scene.rng.integers(*WRITTEN_OFF_DAYS, size=len(rows)))
    kept = ~lost
    return _ordered(
        Settlements(
            np.concatenate([planned.receivable[kept], rows]),
            np.concatenate([planned.day[kept], day]),
            np.concatenate([planned.kind[kept], np.full(len(rows), int(Kind.WRITE_OFF), dtype=np.int64)]),
            np.concatenate([planned.amount[kept], missing[rows]]),
        )
    ), defaulted
