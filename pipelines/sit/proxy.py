"""A real HTTP proxy on loopback in front of a system, which sees every page and injects one declared fault.

    with fault_proxy("https://erp.example", Fault(kind="dropped_page", path="/invoice")) as proxy:
        RestClient(proxy.url, token)

Without a fault everything passes as it is. Links to next pages lead back to the proxy. Which requests a fault with a
share strikes is drawn with a seed.
"""

import json
import re
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any
from urllib.parse import urlsplit

import httpx

from pipelines.connectors.clocks import moment
from pipelines.connectors.web import source_url
from pipelines.sit.faults import PAGE_FAULTS, Fault
from pipelines.sit.page_shapes import PageShape, inside, put, query_of, shape_of
from pipelines.sit.spoiling import spoil_rows, spoil_text
from pipelines.sit.trace import Exchange, SeenPage, Trace, seen_page

HOST = "127.0.0.1"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_OWN_HEADERS = ("connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "te", "upgrade")
_OF_TIME = ("date", "age")
_NOT_SENT_ON = (*_OWN_HEADERS, "host", "accept-encoding")
_MOST_BODY_BYTES = 64 * 1024 * 1024
_UPSTREAM_SECONDS = 120.0
_AGAIN, _FIRST = "again", "first"  # put before a link's parameter: what the proxy has in mind with it


@dataclass
class Reply:
    """What goes back; nothing at all where the status is 0. `cut`: the connection ends before the body does."""

    status: int
    headers: dict[str, str]
    body: bytes
    cut: bool = False
    page: SeenPage | None = None
    injected: bool = False


class FaultProxy:
    """Answers for `upstream`. `fault` may be exchanged at any time; `injected` counts how often it struck."""

    def __init__(self, upstream: str, fault: Fault | None = None, *, seed: int = 1) -> None:
        self.upstream = source_url(upstream)
        self.origin = ""
        self.trace = Trace()
        self.ended = threading.Event()
        self._http = httpx.Client(timeout=_UPSTREAM_SECONDS, trust_env=not upstream.startswith("http://127."))
        self._lock = threading.RLock()
        self._random = Random(seed)
        self._mark = secrets.token_hex(4)  # ours, where proxies stand in a row
        self._first: dict[str, str] = {}
        self._before: dict[str, Any] = {}
        self._number: dict[str, int] = {}
        self.injected = 0
        self.fault = fault

    @property
    def url(self) -> str:
        """The address that stands for the system's."""
        return self.origin + self.upstream.raw_path.decode().partition("?")[0].rstrip("/")

    def close(self) -> None:
        """Give the connections back."""
        self.ended.set()
        self._http.close()

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """What the caller gets for a request; every one is kept in the trace."""
        started, struck = time.monotonic(), self.injected
        reply = Reply(0, {}, b"", cut=True)  # as lost for the caller as it is for us
        try:
            reply = self._refusal(target) or self._passed(method, target, headers, body)
        except httpx.HTTPError:
            pass
        finally:
            told = Exchange(
                method=method,
                target=target,
                status=0 if reply.cut else reply.status,
                started=started,
                ended=time.monotonic(),
                at=datetime.now(UTC),
                headers=httpx.Headers({n: v for n, v in reply.headers.items() if n in _OF_TIME}),
                page=reply.page,
                injected=self.injected > struck,
            )
            with self._lock:
                self.trace.exchanges.append(told)
        return reply

    def _struck(self, target: str, *kinds: str) -> Fault | None:
        """The fault, where it is of these kinds and strikes now."""
        fault = self.fault
        with self._lock:
            if fault is None or fault.kind not in kinds or not fault.touches(target.partition("?")[0]):
                return None
            spent = fault.times is not None and self.injected >= fault.times
            if spent or (fault.share < 1 and self._random.random() >= fault.share):
                return None
            self.injected += 1
            return fault

    def _refusal(self, target: str) -> Reply | None:
        """An answer without asking the system, where the fault is that it does not work."""
        fault = self._struck(target, "timeout", "too_many", "server_error")
        if fault is None:
            return None
        if fault.kind == "timeout":
            self.ended.wait(fault.seconds)
            return Reply(504, {}, b"too late")
        if fault.kind == "too_many":
            return Reply(429, {"Retry-After": f"{fault.seconds:g}"}, b"{}")
        return Reply(500, {"Content-Type": "application/json"}, b"{}")

    def _passed(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        reply = self._page(method, target, headers, body) if method == "GET" else None
        reply = reply or self._asked(method, target, headers, body)
        if method == "POST" and reply.status < 300 and self._struck(target, "replayed_webhook"):
            self._asked(method, target, headers, body)
        if method == "GET" and reply.status == 200 and reply.body:
            reply = self._cut(target, reply)
        return self._with_other_clock(target, reply)

    def _page(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply | None:
        """The page of the listing, spoilt where the fault strikes; None for what is no page of a listing."""
        asked, meant = self._meaning(target)
        reply = self._asked(method, asked, headers, body)
        answer = _decoded(reply)
        shape = shape_of(answer)
        if shape is None:
            reply.body = self._spoilt_text(target, reply.body)
            return reply
        told = self._spoilt(answer, shape, _Request(asked, meant, headers))
        link = shape.link_of(told)
        if link is not None and shape.link is not None and not shape.bare:
            told = put(told, shape.link, self._led_back(link))
        reply.page = seen_page(told, shape, asked)
        if told is not answer:
            reply.body = json.dumps(told).encode()
        return reply

    def _spoilt_text(self, target: str, body: bytes) -> bytes:
        spoilt = body if self.fault is None else spoil_text(body, self.fault)
        return spoilt if spoilt != body and self._struck(target, "wrong_currency") else body

    def _spoilt(self, answer: Any, shape: PageShape, request: "_Request") -> Any:
        number = self._numbered(request, shape)
        fault = self.fault
        if fault is None:
            return answer
        ahead = fault.kind == "reordered_page" and shape.link is not None  # the page comes before the one before it
        if request.meant or (fault.kind in PAGE_FAULTS and number == fault.page - ahead):
            answer = self._other_page(answer, shape, request)
        changed = answer if fault.kind == "clock_skew" else spoil_rows(answer, shape, fault)
        if changed is not answer and self._struck(request.target, fault.kind):
            answer = changed
        self._before[request.path] = answer
        return answer

    def _numbered(self, request: "_Request", shape: PageShape) -> int:
        """Which page of the listing this is; remembers where listings start."""
        if shape.continued(query_of(request.target)):
            self._number[request.path] = self._number.get(request.path, 1) + 1
        else:
            self._number[request.path] = 1
            self._first[request.path] = request.target
        return self._number[request.path]

    def _other_page(self, answer: Any, shape: PageShape, request: "_Request") -> Any:
        """The page that comes in place of the right one."""
        if request.meant == _FIRST:
            return self._one_place_late(answer, shape, request)
        if request.meant:
            return answer
        struck = self._struck(request.target, *PAGE_FAULTS)
        if struck is None:
            return answer
        link = shape.link_of(answer)
        if shape.link is None or shape.leads is None:
            return self._without_links(answer, shape, request, struck)
        if struck.kind == "dropped_page":
            return self._next(link, shape, request) if link else put(answer, shape.rows, [])
        if struck.kind == "duplicated_page":
            return put(answer, shape.link, self._marked(self._own_link(shape, request), shape, _AGAIN))
        if link is None:
            return put(answer, shape.rows, inside(answer, shape.rows)[::-1])
        following = self._next(link, shape, request)
        return put(following, shape.link, self._marked(link, shape, _FIRST))

    def _without_links(self, answer: Any, shape: PageShape, request: "_Request", struck: Fault) -> Any:
        """A protocol whose caller asks for each page by itself."""
        rows = inside(answer, shape.rows)
        if struck.kind == "dropped_page":
            return put(answer, shape.rows, [])
        if struck.kind == "reordered_page":
            return put(answer, shape.rows, rows[::-1])
        before = self._before.get(request.path)
        if before is None or struck.page == 1:
            return put(answer, shape.rows, [*rows, *rows])
        return before

    def _one_place_late(self, answer: Any, shape: PageShape, request: "_Request") -> Any:
        """The page that should have come before `answer`, which leads on to what comes after it."""
        assert shape.link is not None
        first = _decoded(self._asked("GET", self._first[request.path], request.headers, b""))
        return put(first, shape.link, shape.link_of(answer))

    def _next(self, link: str, shape: PageShape, request: "_Request") -> Any:
        target = self._target(link, shape, request)
        return _decoded(self._asked("GET", target, request.headers, b""))

    def _target(self, link: str, shape: PageShape, request: "_Request") -> str:
        """The request that a link stands for."""
        if not shape.bare:
            parts = urlsplit(link)
            path = parts.path if parts.path.startswith("/") else f"{request.path.rpartition('/')[0]}/{parts.path}"
            return f"{path}?{parts.query}"
        query = [(name, value) for name, value in query_of(request.target) if name != shape.leads]
        return f"{request.path}?{httpx.QueryParams([*query, (str(shape.leads), link)])}"

    def _own_link(self, shape: PageShape, request: "_Request") -> str:
        if shape.bare:
            return dict(query_of(request.target))[str(shape.leads)]
        return f"{self.origin}{request.target}"

    def _meaning(self, target: str) -> tuple[str, str]:
        """The request as the system knows it, and what we had in mind with the link that led to it."""
        found = re.search(rf"(?<==)({_AGAIN}|{_FIRST}){self._mark}\.", target)
        return (target, "") if found is None else (target[: found.start()] + target[found.end() :], found[1])

    def _marked(self, link: str, shape: PageShape, meant: str) -> str:
        """The link with our mark before the parameter that leads on."""
        mark = f"{meant}{self._mark}."
        if shape.bare:
            return mark + link
        name = re.escape(str(shape.leads).removeprefix("$"))
        return re.sub(rf"((?:\$|%24){name}=)", rf"\g<1>{mark}", link)

    def _led_back(self, link: str) -> str:
        """The link, to us where it leads to the system."""
        origin = f"{self.upstream.scheme}://{self.upstream.netloc.decode()}"
        return self.origin + link.removeprefix(origin) if link.startswith(origin) else link

    def _cut(self, target: str, reply: Reply) -> Reply:
        struck = self._struck(target, "cut_connection", "cut_body")
        if struck is None:
            return reply
        half = reply.body[: len(reply.body) // 2]
        if struck.kind == "cut_connection":
            reply.cut = True
        else:
            reply.body = half
        return reply

    def _with_other_clock(self, target: str, reply: Reply) -> Reply:
        """The answer as if the system's clock were another: what it says the time is, and when rows changed."""
        fault = self._struck(target, "clock_skew")
        if fault is None:
            return reply
        sent, answer = moment(reply.headers.get("date", "")), _decoded(reply)
        if sent is not None:
            moved = sent.astimezone(UTC) + timedelta(seconds=fault.seconds)
            reply.headers["date"] = format_datetime(moved, usegmt=True)
        shape = shape_of(answer)
        if shape is not None:
            reply.body = json.dumps(spoil_rows(answer, shape, fault)).encode()
        return reply

    def _asked(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        sent = {name: value for name, value in headers.items() if name.lower() not in _NOT_SENT_ON}
        sent["Accept-Encoding"] = "identity"
        url = self.upstream.copy_with(raw_path=target.encode())
        answer = self._http.request(method, url, headers=sent, content=body or None)
        kept = [(n, v) for n, v in answer.headers.multi_items() if n.lower() not in _OWN_HEADERS]
        return Reply(answer.status_code, {n.lower(): v for n, v in kept}, answer.content)


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked of the system; `meant` is what we had in mind with the link that led here."""

    target: str
    meant: str
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


def _decoded(reply: Reply) -> Any:
    if reply.status != 200 or "json" not in reply.headers.get("content-type", ""):
        return None
    try:
        return json.loads(reply.body)
    except ValueError:
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 30.0
    proxy: FaultProxy

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _MOST_BODY_BYTES:
            self.send_error(413)
            return
        body = self.rfile.read(length)
        self._send(self.proxy.answer(self.command, self.path, dict(self.headers.items()), body))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815  the base class calls them so

    def _send(self, reply: Reply) -> None:
        if reply.status == 0:
            self.close_connection = True
            return
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
        self.close_connection = self.close_connection or reply.cut
        self.wfile.flush()

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # the caller did not wait

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: requests may hold what is nobody's business."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a caller that went away is no news."""


@contextmanager
def fault_proxy(upstream: str, fault: Fault | None = None, *, seed: int = 1) -> Iterator[FaultProxy]:
    """The proxy while it listens on loopback. `BadSetting` where `upstream` is no address."""
    proxy = FaultProxy(upstream, fault, seed=seed)
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    with _Server((HOST, 0), handler) as server:
        proxy.origin = f"http://{HOST}:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="fault-proxy", daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.close()
            server.shutdown()
            thread.join()
