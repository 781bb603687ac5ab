"""Every call to a source system: how long it took and what came back, from which response times and downtime follow.

Calls are kept with their path, without the ids in it: an endpoint is what is measured, and ids are nobody's business.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from sqlalchemy import ColumnElement, insert, select

from services.database import Database
from services.state_tables import call

_KEY = re.compile(r"\([^)]*\)")
_NAME = re.compile(r"[^0-9]*|v[0-9]{1,2}|odata[0-9]")
"""A part of a path that is no id: it has no digit, or is the version of an interface."""

_HELD = 500


class Told(Protocol):
    """One attempt at a request, as `pipelines.connectors.web.Call` tells it; `status` 0 where no answer came."""

    @property
    def endpoint(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def seconds(self) -> float: ...


@dataclass(frozen=True, slots=True)
class ResponseTimes:
    """Of one endpoint: calls, those that failed (no answer or 5xx), and seconds at the 50th, 95th, 99th percentile."""

    system: str
    endpoint: str
    calls: int
    failed: int
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Outage:
    """A system did not answer from the first failed call until the next one that worked; None: it is still down."""

    system: str
    start: datetime
    end: datetime | None

    def minutes(self, now: datetime) -> float:
        """How long it took, or takes so far."""
        return ((self.end or now) - self.start) / timedelta(minutes=1)


class CallLog:
    """Keeps the calls of one system, a few hundred at a time; the rest at the end of the `with` block."""

    def __init__(self, database: Database, system: str, clock: Callable[[], datetime]) -> None:
        self._db = database
        self._system = system
        self._clock = clock
        self._held: list[dict[str, object]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.flush()

    def __call__(self, told: Told) -> None:
        """Remember a call that has just ended."""
        row = {"system": self._system, "endpoint": endpoint_of(told.endpoint), "at": self._clock()}
        self._held.append(row | {"seconds": told.seconds, "status": told.status})
        if len(self._held) >= _HELD:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        held, self._held = self._held, []
        if held:
            with self._db.writing() as connection:
                connection.execute(insert(call), held)


class Calls:
    """What the calls in `database` say."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def response_times(self, *, since: datetime, until: datetime | None = None) -> list[ResponseTimes]:
        """Of every endpoint called since then, before `until`; whole systems have the endpoint "all"."""
        columns = (call.c.system, call.c.endpoint, call.c.seconds, call.c.status)
        found: dict[tuple[str, str], list[tuple[float, int]]] = defaultdict(list)
        with self._db.reading() as connection:
            for system, endpoint, seconds, status in connection.execute(select(*columns).where(_within(since, until))):
                found[system, endpoint].append((seconds, status))
                found[system, "all"].append((seconds, status))
        return [_times(system, endpoint, told) for (system, endpoint), told in sorted(found.items())]

    def outages(self, *, since: datetime, until: datetime | None = None) -> list[Outage]:
        """Every stretch in which a system did not answer, as the calls before `until` tell, first begun first."""
        columns = (call.c.system, call.c.at, call.c.status)
        query = select(*columns).where(_within(since, until)).order_by(call.c.at, call.c.position)
        down: dict[str, datetime] = {}
        ended: list[Outage] = []
        with self._db.reading() as connection:
            for system, at, status in connection.execute(query):
                if _failed(status):
                    down.setdefault(system, at)
                elif system in down:
                    ended.append(Outage(system, down.pop(system), at))
        return sorted([*ended, *(Outage(s, at, None) for s, at in down.items())], key=lambda o: (o.start, o.system))

    def forget(self, *, before: datetime) -> int:
        """Drop the calls before then; how many."""
        with self._db.writing() as connection:
            return int(connection.execute(call.delete().where(call.c.at < before)).rowcount)


def endpoint_of(told: str) -> str:
    """Method and path without ids: what stands in brackets, and every part of the path that holds a digit.

    >>> endpoint_of("GET /crm/v3/deals/D-17/quote"), endpoint_of("GET /sap/A_Order('0001')/to_Item")
    ('GET /crm/v3/deals/{id}/quote', 'GET /sap/A_Order{id}/to_Item')
    """
    method, space, path = _KEY.sub("{id}", told).partition(" ")
    return method + space + "/".join(part if _NAME.fullmatch(part) else "{id}" for part in path.split("/"))


def _within(since: datetime, until: datetime | None) -> ColumnElement[bool]:
    return call.c.at >= since if until is None else (call.c.at >= since) & (call.c.at < until)


def _failed(status: int) -> bool:
    return status == 0 or status >= 500


def _times(system: str, endpoint: str, told: list[tuple[float, int]]) -> ResponseTimes:
    p50, p95, p99 = np.quantile([seconds for seconds, _ in told], [0.5, 0.95, 0.99])
    failed = sum(_failed(status) for _, status in told)
    return ResponseTimes(system, endpoint, len(told), failed, float(p50), float(p95), float(p99))
