"""Deliver what the outbox holds: at least once, in order per document, patiently, and never to a system that is down.

Every failure has one of three fates. The system is out of reach: the message waits, longer each time, and after a few
failures in a row the whole system is left alone for a while. The credentials are refused: the system is left alone at
once. The system refuses this message: it is dead, with the reason, until a person edits, replays or discards it.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Protocol

from features.errors import CallerError, SourceBroken, SourceError, SourceRefused
from services.circuits import Circuits
from services.outbox import Fate, Message, Outbox

LOG = logging.getLogger(__name__)


class Target(Protocol):
    """A system that takes messages."""

    def deliver(self, message: Message) -> dict[str, Any]:
        """Make it so, and say what was made (ids, totals). The same key again finds what is there and makes nothing.

        `SourceBroken` and `CallerError` where this message cannot be taken as it is; `SourceRefused` for credentials,
        another `SourceError` where the system is out of reach.
        """
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a message waits after its n-th failure: `first` doubled each time, at most `longest`, jittered."""

    first: timedelta = timedelta(seconds=5)
    longest: timedelta = timedelta(hours=1)
    lease: timedelta = timedelta(minutes=5)
    attempts: int = 20  # after which a message is dead although its system never said no

    def wait(self, attempts: int, rng: Random) -> timedelta:
        """Between half and all of the wait after so many attempts."""
        whole = min(self.first * (1 << min(attempts - 1, 20)), self.longest)
        return whole * (0.5 + rng.random() / 2)


class Dispatcher:
    """Takes messages from `outbox` to the `targets`, by the name of their system. `clock` tells the time, aware."""

    def __init__(
        self,
        outbox: Outbox,
        circuits: Circuits,
        targets: Mapping[str, Target],
        *,
        clock: Callable[[], datetime],
        rng: Random,
        patience: Patience | None = None,
    ) -> None:
        self._outbox = outbox
        self._circuits = circuits
        self._targets = targets
        self._clock = clock
        self._rng = rng
        self._patience = patience or Patience()

    def run(self, *, most: int | None = None) -> Counter[Fate]:
        """Deliver what is due now, at most `most` attempts; what became of them.

        Messages for systems without a target stay where they are.
        """
        fates: Counter[Fate] = Counter()
        while most is None or fates.total() < most:
            claimed = self._outbox.claim(now=self._clock(), lease=self._patience.lease, without=self._spared())
            if not claimed:
                break
            fates[self._deliver(claimed[0])] += 1
        return fates

    def _spared(self) -> set[str]:
        unknown = {system for system, _ in self._outbox.counts()} - set(self._targets)
        return unknown | set(self._circuits.open(now=self._clock()))

    def _deliver(self, message: Message) -> Fate:
        try:
            result = self._targets[message.system].deliver(message)
        except (SourceBroken, CallerError) as error:
            self._circuits.worked([message.system])
            return self._bury(message, str(error))
        except SourceError as error:
            return self._postpone(message, error)
        self._circuits.worked([message.system])
        self._outbox.delivered(message, result, now=self._clock())
        return Fate.DELIVERED

    def _postpone(self, message: Message, error: SourceError) -> Fate:
        refused = isinstance(error, SourceRefused)
        until = self._circuits.failed(message.system, str(error), now=self._clock(), at_once=refused)
        if message.attempts >= self._patience.attempts and not refused:
            return self._bury(message, f"{error} (given up after {message.attempts} attempts)")
        due = self._clock() + self._patience.wait(message.attempts, self._rng)
        self._outbox.postponed(message, str(error), until=due)
        LOG.warning("message %s waits until %s; system open again: %s", message.message_id, due, until or "now")
        return Fate.WAITING

    def _bury(self, message: Message, reason: str) -> Fate:
        self._outbox.buried(message, reason, now=self._clock())
        LOG.warning("message %s cannot be delivered as it is; see `duecast errors list`", message.message_id)
        return Fate.DEAD
