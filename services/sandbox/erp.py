"""An ERP-like REST API in front of a world, on loopback only.

    GET  /api/v1/{table}   records in the order of (changed_at, id), page by page
    GET  /api/v1/{table}/totals   how many there are now, their sums by company and currency, a digest of their ids
    GET  /api/v1/clock     the day and the instant at which the world stands
    POST /api/v1/clock     moves the clock forward
    GET  /healthz          answers without a token

The protocol is written down in this folder's README.
"""

import hmac
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from features.errors import BadInput, BadSetting, NotFound, StateError
from features.money import from_minor
from features.tables import TABLES
from services.sandbox.faults import Faults, Trouble
from services.sandbox.options import WorldOptions
from services.sandbox.shelves import Positions, Shelf
from services.sandbox.world import World, simulate

HOST = "127.0.0.1"
DEFAULT_LIMIT, MOST_LIMIT = 500, 1000
LONGEST_BODY_BYTES = 1000
START_SECONDS = 20.0
PARAMETERS = ("changed_since", "cursor", "limit", "history")


class ClockMove(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /clock."""

    today: date


@dataclass(frozen=True)
class Query:
    """The parameters of a request for records."""

    since: datetime | None
    cursor: str | None
    limit: int
    history: bool

    @classmethod
    def of(cls, request: Request) -> "Query":
        """`BadInput` for an unknown, repeated or malformed parameter."""
        given = request.query_params
        for name in given:
            if name not in PARAMETERS:
                raise BadInput(f"unknown parameter {name!r}; allowed: {', '.join(PARAMETERS)}")
            if len(given.getlist(name)) > 1:
                raise BadInput(f"parameter {name!r} is there {len(given.getlist(name))} times; allowed: once")
        return cls(
            since=_instant(given["changed_since"]) if "changed_since" in given else None,
            cursor=given.get("cursor"),
            limit=_limit(given.get("limit", str(DEFAULT_LIMIT))),
            history=_flag(given.get("history", "false")),
        )


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise BadInput(f"changed_since is {text!r}; allowed: an ISO instant with its zone, as 2025-12-31T08:00:00Z")
    return instant


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_LIMIT):
        raise BadInput(f"limit is {text!r}; allowed: a whole number from 1 to {MOST_LIMIT}")
    return int(text)


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise BadInput(f"history is {text!r}; allowed: true or false")
    return text == "true"


class Erp:
    """The API of one world: its shelves, its clock and its troubles."""

    def __init__(self, world: World, token: str, faults: Faults | None = None) -> None:
        if not token:
            raise BadSetting("the token is empty; give one, or none for a random one")
        self._world = world
        self._token = token.encode()
        self._trouble = Trouble(faults or Faults())
        self._shelves = {t.name: Shelf(t, world.facts[t.name], world.records[t.name]) for t in TABLES}
        self._today = world.options.today
        self._shown: dict[tuple[str, bool], Positions] = {}
        self._last_day = world.options.today + timedelta(days=world.options.future_days)

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/healthz", _healthy),
                Route("/api/v1/clock", self._clock, methods=["GET"]),
                Route("/api/v1/clock", self._move_clock, methods=["POST"]),
                Route("/api/v1/{table}", self._records),
                Route("/api/v1/{table}/totals", self._totals),
            ],
            exception_handlers={
                BadInput: partial(_caller_problem, status=400),
                NotFound: partial(_caller_problem, status=404),
                HTTPException: _http_problem,
            },
        )

    async def _totals(self, request: Request) -> Response:
        self._admit(request)
        name = self._asked(request)
        totals = self._shelves[name].totals(self._visible(name, history=False))
        sums = None if totals.sums is None else {of: _major(minor, of) for of, minor in totals.sums.items()}
        body = {"count": totals.count, "sums": sums, "digest": totals.digest}
        return Response(msgspec.json.encode(body), media_type="application/json")

    async def _records(self, request: Request) -> Response:
        self._admit(request)
        name = self._asked(request)
        query = Query.of(request)
        repeat = min(self._trouble.repeated(), query.limit) if query.cursor else 0
        page = self._shelves[name].page(
            self._visible(name, query.history), query.limit, since=query.since, cursor=query.cursor, repeat=repeat
        )
        body = [b'{"data":[', b",".join(page.records), b'],"next_cursor":', msgspec.json.encode(page.next_cursor), b"}"]
        return Response(b"".join(body), media_type="application/json")

    async def _clock(self, request: Request) -> Response:
        self._admit(request)
        return self._clock_answer()

    async def _move_clock(self, request: Request) -> Response:
        self._admit(request)
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > LONGEST_BODY_BYTES:
                raise HTTPException(413, f"the body is too long; allowed: {LONGEST_BODY_BYTES} bytes")
        try:
            move = msgspec.json.decode(body, type=ClockMove)
        except msgspec.DecodeError as error:
            raise BadInput(f'the body is wrong ({error}); allowed: {{"today": "YYYY-MM-DD"}}') from None
        if not self._today <= move.today <= self._last_day:
            raise BadInput(
                f"today is {move.today}; allowed: from {self._today} (the clock never goes back) to {self._last_day}"
            )
        self._today = move.today
        self._shown.clear()
        return self._clock_answer()

    def _asked(self, request: Request) -> str:
        name: str = request.path_params["table"]
        if name not in self._shelves:
            raise NotFound(f"no table {name!r}; there are: {', '.join(self._shelves)}")
        return name

    def _clock_answer(self) -> Response:
        clock = {"today": self._today, "now": self._world.now(self._today)}
        return Response(msgspec.json.encode(clock), media_type="application/json")

    def _admit(self, request: Request) -> None:
        """HTTP 401 without the token; with it, a refusal by chance where faults are asked for."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token):
            detail = "missing or wrong token; send the header Authorization: Bearer TOKEN"
            raise HTTPException(401, detail, {"WWW-Authenticate": "Bearer"})
        if (status := self._trouble.refusal()) is not None:
            wait = {"Retry-After": str(self._trouble.faults.retry_after_seconds)}
            raise HTTPException(status, "a fault of the sandbox; try again", wait if status != 500 else None)

    def _visible(self, name: str, history: bool) -> Positions:
        """Positions to show at the present clock, kept until it moves."""
        if (name, history) not in self._shown:
            shelf = self._shelves[name]
            versions = self._trouble.committed(shelf, self._world.now(self._today))
            self._shown[name, history] = versions if history else shelf.current(versions)
        return self._shown[name, history]


def _major(minor: int, of: str) -> str:
    return str(from_minor(minor, of.rsplit(" ", 1)[-1]))


async def _healthy(_: Request) -> Response:
    return Response(b'{"status":"ok"}', media_type="application/json")


async def _caller_problem(_: Request, error: Exception, *, status: int) -> Response:
    return _problem(status, str(error))


async def _http_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _problem(error.status_code, error.detail, dict(error.headers or {}))


def _problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """RFC 9457."""
    body = msgspec.json.encode({"type": "about:blank", "status": status, "detail": detail})
    return Response(body, status, headers, media_type="application/problem+json")


@dataclass(frozen=True, slots=True)
class Served:
    """Where a sandbox listens, and the token it wants."""

    base_url: str
    token: str


def run(
    options: WorldOptions | None = None, port: int = 0, token: str | None = None, faults: Faults | None = None
) -> None:
    """Simulate a world and serve it until interrupted. Port 0 takes a free one; no token makes a random one.

    The first line printed says where it listens, once it does.
    """
    token = secrets.token_urlsafe(16) if token is None else token
    with _listener(port) as listener:
        app = Erp(simulate(options), token, faults).app()
        print(f"sandbox listening on {_url(listener)} with token {token}", flush=True)
        _server(app).run(sockets=[listener])


@contextmanager
def serving(world: World, port: int = 0, token: str | None = None, faults: Faults | None = None) -> Iterator[Served]:
    """Serve a world from a thread for as long as the `with` block runs."""
    token = secrets.token_urlsafe(16) if token is None else token
    with _listener(port) as listener:
        server = _server(Erp(world, token, faults).app())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True)
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield Served(_url(listener), token)
        finally:
            server.should_exit = True
            thread.join()


def _listener(port: int) -> socket.socket:
    # with its protocol named: asyncio switches off the delays of small packets only where it knows that it is TCP
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise BadSetting(f"cannot listen on {HOST} port {port} ({error}); give a free port, or 0 for any") from error
    listener.listen()
    return listener


def _url(listener: socket.socket) -> str:
    return f"http://{HOST}:{listener.getsockname()[1]}"


def _server(app: Starlette) -> uvicorn.Server:
    config = uvicorn.Config(app, log_level="warning", access_log=False, ws="none", lifespan="off", server_header=False)
    return uvicorn.Server(config)


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise StateError(f"the sandbox did not start within {START_SECONDS:.0f} seconds")
        time.sleep(0.005)
