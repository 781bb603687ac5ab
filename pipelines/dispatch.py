"""Deliver what the outbox holds: at least once, in order per document, patiently, and never to a system that is down.

What can go wrong, and what becomes of it:

- the system is out of reach or answers nonsense: the message waits, longer each time; after a few failures in a row the
  whole system is left alone for a while;
- a write was sent and no answer came: the message waits for longer than any request takes, so that a late effect is
  there to be found when it is looked up again;
- the credentials are refused: the system is left alone at once;
- what is asked for is not there yet: the message waits;
- the message itself is refused: it is dead, with the reason, until a person edits, replays or discards it. So it is
  where our own code fails on it, since it would fail again.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Protocol

from features.errors import CallerError, FateUnknown, NotYet, SourceError, SourceRefused, StateError
from services.circuits import Circuits
from services.outbox import Fate, Message, Outbox

LOG = logging.getLogger(__name__)


class Target(Protocol):
    """A system that takes messages."""

    def deliver(self, message: Message) -> dict[str, Any]:
        """Make it so, and say what was made (ids, totals). The same key again finds what is there and makes nothing.

        `CallerError` where this message cannot be taken as it is; `SourceRefused` for credentials, `NotYet` and
        `FateUnknown` as they say, another `SourceError` where the system is out of reach.
        """
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a message waits after its n-th failure: `first` doubled each time, at most `longest`, jittered.

    unsure    at least so long where a write's fate is unknown: more than any request takes
    lease     how long a message is its holder's: more than any delivery takes
    """

    first: timedelta = timedelta(seconds=5)
    longest: timedelta = timedelta(hours=1)
    unsure: timedelta = timedelta(minutes=3)
    lease: timedelta = timedelta(minutes=30)
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
            fates[self._settled(claimed[0])] += 1
        return fates

    def _spared(self) -> set[str]:
        unknown = {system for system, _ in self._outbox.counts()} - set(self._targets)
        return unknown | set(self._circuits.open(now=self._clock()))

    def _settled(self, message: Message) -> Fate:
        try:
            return self._deliver(message)
        except StateError as error:  # the lease ended meanwhile: whoever has the message now finds what was made
            LOG.warning("message %s: %s", message.message_id, error)
            return Fate.SENDING

    def _deliver(self, message: Message) -> Fate:
        try:
            result = self._targets[message.system].deliver(message)
        except CallerError as error:
            self._circuits.worked([message.system])
            return self._bury(message, str(error))
        except SourceError as error:
            return self._postpone(message, error)
        except StateError:
            raise
        except Exception as error:  # it would fail again and again, and hold up every message behind it
            LOG.error("message %s: our own fault: %s", message.message_id, type(error).__name__)
            return self._bury(message, f"our own fault ({type(error).__name__}); please report it")
        self._circuits.worked([message.system])
        self._outbox.delivered(message, result, now=self._clock())
        return Fate.DELIVERED

    def _postpone(self, message: Message, error: SourceError) -> Fate:
        refused = isinstance(error, SourceRefused)
        if not isinstance(error, NotYet):
            self._circuits.failed(message.system, str(error), now=self._clock(), at_once=refused)
        if message.attempts >= self._patience.attempts and not refused:
            return self._bury(message, f"{error} (given up after {message.attempts} attempts)")
        wait = self._patience.wait(message.attempts, self._rng)
        if isinstance(error, FateUnknown):
            wait = max(wait, self._patience.unsure)
        self._outbox.postponed(message, str(error), until=self._clock() + wait)
        LOG.warning("message %s waits for %s", message.message_id, wait)
        return Fate.WAITING

    def _bury(self, message: Message, reason: str) -> Fate:
        self._outbox.buried(message, reason, now=self._clock())
        LOG.warning("message %s cannot be delivered as it is; see `duecast errors list`", message.message_id)
        return Fate.DEAD
