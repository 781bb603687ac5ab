"""The door: who may come in, with what, and how every answer leaves. Pure ASGI, before and after anything else.

In front of it stands only the HTTP server, whose own answer to bytes that are not HTTP is the one it cannot shape.
"""

import asyncio
import hmac
import ipaddress
import logging
import re
import traceback
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from time import perf_counter
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services import problems
from services.problems import Refused

VERSION_HEADER = "x-model-version"
SECURITY_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
BODY_SECONDS = 15.0
OTHER = "other"

logger = logging.getLogger(__name__)


class Disconnected(Exception):
    """The caller left before the body was complete."""


class Guard:
    """Lets through what may pass, answers the rest with a problem, and dresses every answer on its way out."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        api_keys: Mapping[str, str],
        body_limit: int,
        paths: Mapping[str, bool],
        version: Callable[[], str],
        observe: Callable[[str, int, float], None],
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        """`paths`: every path there is, or its template like /v1/{name} -> whether it needs no key.

        Without any key, only loopback hosts are answered. `version` names the model that serves; `observe` is told each
        request's path as it stands in `paths` (or `other`), its status and seconds.
        """
        self.app = app
        self.keys = [bytes.fromhex(digest) for digest in api_keys]
        self.body_limit = body_limit
        self.paths = paths
        self.templates = [(path, _pattern(path)) for path in paths if "{" in path]
        self.version = version
        self.observe = observe
        self.body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, from its first byte to its last."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = self._declared(scope["path"])
        began = perf_counter()
        leaving = _Leaving(send, self.version)
        try:
            await self._pass(path, scope, receive, leaving)
        except Disconnected:
            return
        except Refused as refused:
            answer = problems.response(refused.kind, refused.detail, headers=refused.headers)
            await answer(scope, receive, leaving)
        except Exception as error:  # the outermost wall: whatever it is, it must not reach the server's own log
            logger.error("request failed path=%s error=%s at=%s", path, type(error).__name__, place_of(error))
            if not leaving.status:
                await problems.response(problems.INTERNAL)(scope, receive, leaving)
        self.observe(path, leaving.status, perf_counter() - began)

    def _declared(self, path: str) -> str:
        if path in self.paths:
            return path
        return next((declared for declared, pattern in self.templates if pattern.fullmatch(path)), OTHER)

    async def _pass(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        self._check_caller(path, headers)
        self._check_head(scope["method"], headers)
        body = await self._body(receive)
        await self.app(scope, _replay(body, receive), send)

    def _check_caller(self, path: str, headers: Headers) -> None:
        if not self.keys:
            _check_loopback(headers.get("host", ""))
        elif not self.paths.get(path, False) and not self._has_key(headers.get("authorization", "")):
            raise Refused(
                problems.UNAUTHENTICATED, "send it as: Authorization: Bearer KEY", {"www-authenticate": "Bearer"}
            )

    def _has_key(self, authorization: str) -> bool:
        scheme, _, key = authorization.partition(" ")
        digest = sha256(key.strip().encode("latin-1")).digest()
        # every key is compared, so that the time taken tells nothing about which one was close
        matches = [hmac.compare_digest(digest, known) for known in self.keys]
        return scheme.lower() == "bearer" and any(matches)

    def _check_head(self, method: str, headers: Headers) -> None:
        if method in ("POST", "PUT", "PATCH"):
            media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type != "application/json":
                raise Refused(problems.MEDIA, "send content-type: application/json")
            if headers.get("content-encoding", "identity").lower() != "identity":
                raise Refused(problems.MEDIA, "send the body without content-encoding")
        declared = headers.get("content-length", "0")
        if not declared.isascii() or not declared.isdigit():
            raise Refused(problems.MALFORMED, "content-length is not a number", {"connection": "close"})
        if int(declared) > self.body_limit:
            raise self._too_large()

    async def _body(self, receive: Receive) -> bytes:
        try:
            async with asyncio.timeout(self.body_seconds):
                return await self._collect(receive)
        except TimeoutError:
            raise Refused(problems.SLOW, f"allowed: {self.body_seconds:g} seconds", {"connection": "close"}) from None

    async def _collect(self, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.body_limit:
                raise self._too_large()
            more = message.get("more_body", False)
        return b"".join(parts)

    def _too_large(self) -> Refused:
        # the rest of the body is not read: the connection cannot be used again
        return Refused(problems.TOO_LARGE, f"allowed: {self.body_limit} bytes", {"connection": "close"})


class _Leaving:
    """`send`, with the headers that every answer carries; remembers the status."""

    def __init__(self, send: Send, version: Callable[[], str]) -> None:
        self.send = send
        self.version = version
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[VERSION_HEADER] = headers.get(VERSION_HEADER) or self.version()
            for name, value in SECURITY_HEADERS.items():
                headers[name] = value
        await self.send(message)


def _replay(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    """`receive` for the app behind: the whole body at once, then whatever the server says next."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed


def _pattern(template: str) -> re.Pattern[str]:
    """What fits /v1/{name}: any one step in the place of the name."""
    return re.compile("[^/]+".join(re.escape(part) for part in re.split(r"\{[^}]*\}", template)))


def _check_loopback(host: str) -> None:
    """Without keys, a page in the user's browser must not reach us through a name that it points at 127.0.0.1."""
    if not _is_loopback(host):
        raise Refused(problems.MISDIRECTED, "without API keys the host must be localhost or a loopback address")


def _is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def place_of(error: BaseException) -> str:
    """Where it was raised, without what was said: messages may hold a customer's values."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown"
