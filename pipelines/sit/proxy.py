"""A real HTTP proxy on loopback in front of a system, which sees every page and injects one declared fault.

    with fault_proxy("https://erp.example", Fault(kind="dropped_page", path="/invoice")) as proxy:
        RestClient(proxy.url, token)

Without a fault everything passes as it is. Links to next pages lead back to the proxy. Which requests a fault with a
share strikes is drawn with a seed.
"""

import json
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

import httpx

from pipelines.connectors.clocks import moment
from pipelines.connectors.web import source_url
from pipelines.sit.faults import Fault
from pipelines.sit.page_faults import Listings, Request
from pipelines.sit.page_shapes import put, shape_of
from pipelines.sit.spoiling import spoil_rows, spoil_text
from pipelines.sit.trace import Exchange, SeenPage, Trace, seen_page

HOST = "127.0.0.1"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_OWN_HEADERS = ("connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "te", "upgrade")
_OF_TIME = ("date", "age")
_NOT_SENT_ON = (*_OWN_HEADERS, "host", "accept-encoding")
_MOST_BODY_BYTES = 64 * 1024 * 1024
_UPSTREAM_SECONDS = 120.0


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
        self.trace = Trace()
        self.ended = threading.Event()
        self._http = httpx.Client(timeout=_UPSTREAM_SECONDS, trust_env=not upstream.startswith("http://127."))
        self._lock = threading.RLock()
        self._random = Random(seed)
        self._listings = Listings(self.upstream, self._asked_for_json, self._struck)
        self.injected = 0
        self.fault = fault

    @property
    def origin(self) -> str:
        """Where it listens; empty until it does."""
        return self._listings.origin

    @origin.setter
    def origin(self, origin: str) -> None:
        self._listings.origin = origin

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
        asked, meant = self._listings.meaning(target)
        reply = self._asked(method, asked, headers, body)
        answer = _decoded(reply)
        shape = shape_of(answer)
        if shape is None:
            reply.body = self._spoilt_text(target, reply.body)
            return reply
        told = self._listings.spoilt(answer, shape, Request(asked, meant, headers), self.fault)
        link = shape.link_of(told)
        if link is not None and shape.link is not None and not shape.bare:
            told = put(told, shape.link, self._listings.led_back(link))
        reply.page = seen_page(told, shape, asked)
        if told is not answer:
            reply.body = json.dumps(told).encode()
        return reply

    def _spoilt_text(self, target: str, body: bytes) -> bytes:
        spoilt = body if self.fault is None else spoil_text(body, self.fault)
        return spoilt if spoilt != body and self._struck(target, "wrong_currency") else body

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

    def _asked_for_json(self, target: str, headers: Mapping[str, str]) -> Any:
        return _decoded(self._asked("GET", target, headers, b""))

    def _asked(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        sent = {name: value for name, value in headers.items() if name.lower() not in _NOT_SENT_ON}
        sent["Accept-Encoding"] = "identity"
        url = self.upstream.copy_with(raw_path=target.encode())
        answer = self._http.request(method, url, headers=sent, content=body or None)
        kept = [(n, v) for n, v in answer.headers.multi_items() if n.lower() not in _OWN_HEADERS]
        return Reply(answer.status_code, {n.lower(): v for n, v in kept}, answer.content)


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
