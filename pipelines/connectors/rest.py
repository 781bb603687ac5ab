"""A source that serves canonical tables over HTTP, page by page.

    GET {base}/api/v1/{table}?changed_since=ISO&cursor=OPAQUE&limit=500&history=true      Authorization: Bearer TOKEN
    {"data": [{"id", "company", "changed_at", "deleted", the table's own columns}, ...], "next_cursor": text or null}

Ordered by (changed_at, id). What the network or the server does badly for a while (timeouts, lost connections, 429,
5xx) is tried again with growing, jittered waits, or after the time that `Retry-After` asks for; the rest is named.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, Self

import httpx
import msgspec
import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from features.errors import BadSetting, SourceBroken, SourceError, SourceRefused

LOG = logging.getLogger(__name__)

_REFUSED = (401, 403)
_BUSY = 429
_PATIENCE_SECONDS = 300.0
_LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how patiently a request is tried again."""

    attempts: int = 8
    wait_initial: float = 0.2
    wait_max: float = 20.0
    wait_jitter: float = 0.5


@dataclass(frozen=True, slots=True)
class Limits:
    """What one answer may take."""

    timeout_seconds: float = 30.0
    response_bytes: int = 64 * 1024 * 1024


def tell_retries() -> None:
    """Let the log of this process tell of every retry in words, instead of the library's own."""
    set_on_retry_hooks((_tell,))


def _tell(details: RetryDetails) -> None:
    why = str(details.caused_by) or type(details.caused_by).__name__
    LOG.warning("the source did not answer (%s); asking again in %.1f s", why, details.wait_for)


class _Page(msgspec.Struct, frozen=True):
    data: list[dict[str, Any]]
    next_cursor: str | None


class _AgainError(Exception):
    """An answer that may be better the next time; `wait_seconds` where the source asked for a pause."""

    def __init__(self, reason: str, wait_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds


class RestClient:
    """Reads pages from the source at `base_url` with a bearer token. Use it as a context manager, or `close` it.

    `transport` takes the place of the network in tests. Proxies of the environment are used except on loopback.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        transport: httpx.BaseTransport | None = None,
        retries: Retries | None = None,
        limits: Limits | None = None,
    ) -> None:
        url = _source_url(base_url)
        if not token.strip():
            raise BadSetting("the token of the source is empty; allowed: the token that its administrator gave you")
        if url.scheme == "http" and not _on_loopback(url.host):
            LOG.warning("the token goes to %s over http, where others can read it; use https", url.host)
        self._retries = retries or Retries()
        self._limits = limits or Limits()
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token.strip()}", "Accept": "application/json"},
            timeout=self._limits.timeout_seconds,
            transport=transport,
            trust_env=not _on_loopback(url.host),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def pages(
        self, path: str, *, page_size: int, changed_since: datetime | None = None, history: bool = False
    ) -> Iterator[list[dict[str, Any]]]:
        """The records of every page of `path`, in the source's order; it may repeat some.

        `changed_since` is inclusive; `history` asks for every version of each record instead of its current state.
        `SourceRefused` for wrong credentials, `SourceBroken` for answers outside the protocol, `SourceError` when
        the source stays out of reach.
        """
        query = {"limit": str(page_size)}
        if changed_since is not None:
            query["changed_since"] = changed_since.astimezone(UTC).isoformat(timespec="microseconds")
        if history:
            query["history"] = "true"
        seen: set[str] = set()
        while True:
            page = self._page(path, query)
            yield page.data
            if page.next_cursor is None:
                return
            if page.next_cursor in seen:
                raise SourceBroken(f"GET {path}: the cursor of page {len(seen) + 1} came before; it would never end")
            seen.add(page.next_cursor)
            query["cursor"] = page.next_cursor

    def _page(self, path: str, query: dict[str, str]) -> _Page:
        body = self._body(path, query)
        try:
            return msgspec.json.decode(body, type=_Page)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            allowed = 'allowed: {"data": [records], "next_cursor": text or null}'
            raise SourceBroken(f"GET {path}: the answer is outside the protocol: {error}; {allowed}") from None

    def _body(self, path: str, query: dict[str, str]) -> bytes:
        wait = self._retries
        try:
            for attempt in stamina.retry_context(
                on=_pause,
                attempts=wait.attempts,
                timeout=_PATIENCE_SECONDS,
                wait_initial=wait.wait_initial,
                wait_max=wait.wait_max,
                wait_jitter=wait.wait_jitter,
            ):
                with attempt:
                    return self._once(path, query)
        except httpx.DecodingError as error:
            raise SourceBroken(f"GET {path}: the answer cannot be decompressed: {error}") from error
        except (_AgainError, httpx.TransportError) as error:
            reason = str(error) or type(error).__name__
            raise SourceError(f"GET {path}: no answer in {wait.attempts} attempts: {reason}; try later") from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _once(self, path: str, query: dict[str, str]) -> bytes:
        with self._http.stream("GET", path, params=query) as answer:
            status = answer.status_code
            if status in _REFUSED:
                raise SourceRefused(f"GET {path}: the source refused the token ({status}); check it and its rights")
            if status == _BUSY or status >= 500:
                raise _AgainError(f"status {status}", _asked_pause(answer))
            if status != 200:
                raise SourceBroken(f"GET {path}: status {status}; allowed: 200 (is the address that of the API?)")
            return self._bounded(answer, path)

    def _bounded(self, answer: httpx.Response, path: str) -> bytes:
        body = bytearray()
        for part in answer.iter_bytes():
            body += part
            if len(body) > self._limits.response_bytes:
                allowed = f"{self._limits.response_bytes:,} bytes; ask for smaller pages (`rest.page_size`)"
                raise SourceBroken(f"GET {path}: the answer is too large; allowed: {allowed}")
        return bytes(body)


def _source_url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise BadSetting(f"{text!r} is no address of a source; allowed: http:// or https:// and a host")
    return url


def _on_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _pause(error: Exception) -> bool | float:
    """Whether to try again, or after how many seconds."""
    if isinstance(error, _AgainError):
        return True if error.wait_seconds is None else error.wait_seconds
    return isinstance(error, httpx.TransportError)


def _asked_pause(answer: httpx.Response) -> float | None:
    """The seconds of `Retry-After`, as a number or a date; none where it is absent or unreadable."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return min(float(text), _LONGEST_PAUSE_SECONDS)
    until = _moment(text)
    if until is None:
        return None
    sent = _moment(answer.headers.get("Date", "")) or until
    return min(max((until - sent).total_seconds(), 0.0), _LONGEST_PAUSE_SECONDS)


def _moment(text: str) -> datetime | None:
    """The instant that an HTTP date tells, one without a zone in UTC; none where it is unreadable."""
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
