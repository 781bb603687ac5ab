"""Deliver what the outbox holds to the systems of the landscape that take writes."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from random import Random

from features.errors import BadSetting, CallerError, SourceError, SourceRefused
from pipelines.connections import Manner, tryton_of
from pipelines.connectors.tryton_clerk import Clerk
from pipelines.connectors.tryton_target import TrytonTarget
from pipelines.connectors.web import Retries
from pipelines.dispatch import Dispatcher, Target
from pipelines.landscape import Landscape, kind_of
from services.calls import CallLog
from services.circuits import Circuits
from services.outbox import Fate, Outbox
from services.store import Store

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of the messages, and why systems were passed over."""

    fates: Counter[Fate]
    passed_over: tuple[str, ...] = ()


def deliver(
    landscape: Landscape, store: Store, *, clock: Clock, rng: Random, systems: tuple[str, ...] = ()
) -> Delivery:
    """Deliver what is due to `systems`, or to all that messages wait for.

    A system that cannot be reached at all counts as one failure of its breaker; its messages wait, and so do those for
    a system that cannot be opened as it is declared. The others get theirs.
    """
    outbox, circuits = Outbox(store.database), Circuits(store.database)
    wanted = systems or tuple(sorted({system for system, fate in outbox.counts() if fate in _OPEN}))
    with ExitStack() as stack:
        targets: dict[str, Target] = {}
        passed_over: list[str] = []
        for name in wanted:
            rests_until = circuits.open(now=clock()).get(name)
            if rests_until is not None:
                passed_over.append(f"{name}: it failed too often and is left alone until {rests_until:%H:%M} UTC")
                continue
            try:
                targets[name] = stack.enter_context(target_of(landscape, name, store, clock))
            except SourceError as error:
                circuits.failed(name, str(error), now=clock(), at_once=isinstance(error, SourceRefused))
                passed_over.append(f"{name}: {error}")
            except CallerError as error:
                passed_over.append(f"{name}: {error}")
        fates = Dispatcher(outbox, circuits, targets, clock=clock, rng=rng).run()
        return Delivery(fates, tuple(passed_over))


@contextmanager
def target_of(landscape: Landscape, name: str, store: Store, clock: Clock) -> Iterator[Target]:
    """The system as a target; `BadSetting` where it takes no writes."""
    told = landscape.system(name).tryton
    if told is None:
        kind = kind_of(landscape.system(name))
        raise BadSetting(
            f"{landscape.file}: systems.{name} is of the kind {kind}, which takes no writes; allowed: tryton"
        )
    with (
        CallLog(store.database, name, clock) as calls,
        tryton_of(landscape, told, calls, Manner(retries=_BRISK)) as erp,
    ):
        yield TrytonTarget(erp, Clerk(clock, terms=told.payment_term, dispute=told.dispute_type))


_OPEN = (Fate.WAITING, Fate.SENDING)
_BRISK = Retries(attempts=3, wait_max=5.0)  # the outbox itself is patient; no delivery may outlive its lease
