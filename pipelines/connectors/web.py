"""HTTP to a source system: patient with what passes, plain about what does not.

Timeouts, lost connections, 429 and 5xx are tried again with growing, jittered waits, or after the time that
`Retry-After` asks for. Answers are bounded. Every attempt is told to `on_call`, from which response times and downtime
are reckoned.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from time import perf_counter
from typing import Any, Self

import httpx
import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from features.errors import BadSetting, FateUnknown, SourceBroken, SourceError, SourceRefused
from pipelines.connectors.clocks import clock_ahead, moment, told_apart

LOG = logging.getLogger(__name__)

REFUSED = (401, 403)
READS = ("GET", "HEAD")
_BUSY = 429
_PATIENCE_SECONDS = 300.0
_LONGEST_PAUSE_SECONDS = 60.0

Params = Mapping[str, str] | list[tuple[str, str]]


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


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt at a request. `status` is 0 where no answer came; `endpoint` is the method and the path alone."""

    endpoint: str
    status: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: httpx.Headers
    body: bytes


def tell_retries() -> None:
    """Let the log of this process tell of every retry in words, instead of the library's own."""
    set_on_retry_hooks((_tell,))


def hush_retries() -> None:
    """Let nobody tell of retries, where they are provoked."""
    set_on_retry_hooks(())


def _tell(details: RetryDetails) -> None:
    why = str(details.caused_by) or type(details.caused_by).__name__
    LOG.warning("the source did not answer (%s); asking again in %.1f s", why, details.wait_for)


class _AgainError(Exception):
    """An answer that may be better the next time; `wait_seconds` where the source asked for a pause."""

    def __init__(self, status: int, wait_seconds: float | None) -> None:
        super().__init__(f"status {status}")
        self.undone = status == _BUSY
        self.wait_seconds = wait_seconds


class Web:
    """Requests to the system at `base_url`, all with `headers`. Use it as a context manager, or `close` it.

    `transport` takes the place of the network in tests. Proxies of the environment are used except on loopback.
    Redirects are not followed: credentials go where they were meant to go.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        auth: httpx.Auth | None = None,
        transport: httpx.BaseTransport | None = None,
        retries: Retries | None = None,
        limits: Limits | None = None,
        on_call: Callable[[Call], None] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        url = source_url(base_url)
        if url.scheme == "http" and not _on_loopback(url.host):
            LOG.warning("credentials go to %s over http, where others can read them; use https", url.host)
        self._retries = retries or Retries()
        self._limits = limits or Limits()
        self._on_call = on_call or (lambda _: None)
        self._clock = clock
        self._http = httpx.Client(
            base_url=url,
            headers=dict(headers),
            auth=auth,
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

    def fetch(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        again: bool | None = None,
        allowed: Collection[int] = (200,),
    ) -> Answer:
        """The answer, whose status is one of `allowed`.

        `again` says whether the request may be repeated when its fate is unknown; reads may, unless told otherwise.
        What was certainly not done (429, no connection) is repeated in any case.
        `SourceRefused` for 401 and 403 (unless `allowed`), `SourceBroken` for other statuses, answers that are too
        large and a source whose clock is not ours, `SourceError` when the source stays out of reach, `FateUnknown`
        where what may not be repeated was sent.
        """
        request = _Request(method, path, params, body, headers, allowed)
        wait = self._retries
        repeatable = method in READS if again is None else again
        tries = 0
        try:
            for attempt in stamina.retry_context(
                on=partial(_pause, repeatable=repeatable),
                attempts=wait.attempts,
                timeout=_PATIENCE_SECONDS,
                wait_initial=wait.wait_initial,
                wait_max=wait.wait_max,
                wait_jitter=wait.wait_jitter,
            ):
                tries += 1
                with attempt:
                    return self._once(request)
        except httpx.LocalProtocolError:  # its own words show the header
            raise BadSetting(f"{request}: a header cannot be sent; is every secret one line of plain text?") from None
        except httpx.DecodingError as error:
            raise SourceBroken(f"{request}: the answer cannot be decompressed: {error}") from error
        except (_AgainError, httpx.TransportError) as error:
            reason = str(error) or type(error).__name__
            tried = f"{tries} attempts" if tries > 1 else "1 attempt"
            kind = SourceError if repeatable or _undone(error) else FateUnknown
            raise kind(f"{request}: no answer in {tried}: {reason}; try later") from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _once(self, request: "_Request") -> Answer:
        with self._timed(request) as told, self._http.stream(**request.arguments) as answer:
            status = answer.status_code
            told.append(status)
            if status in request.allowed:
                self._require_our_time(request, answer.headers)
                return Answer(status, answer.headers, self._bounded(answer, request))
            if status in REFUSED:
                raise SourceRefused(f"{request}: the source refused the token ({status}); check it and its rights")
            if status == _BUSY or status >= 500:
                raise _AgainError(status, _asked_pause(answer))
            expected = " or ".join(map(str, sorted(request.allowed)))
            raise SourceBroken(f"{request}: status {status}; allowed: {expected} (is the address that of the API?)")

    def _require_our_time(self, request: "_Request", headers: httpx.Headers) -> None:
        ahead = clock_ahead(headers, self._clock()) if request.method in READS else None
        wrong = None if ahead is None else told_apart(ahead)
        if wrong is not None:  # what a write did is done, whatever the time is
            raise SourceBroken(f"{request}: {wrong}")

    @contextmanager
    def _timed(self, request: "_Request") -> Iterator[list[int]]:
        started, statuses = perf_counter(), list[int]()
        try:
            yield statuses
        finally:
            status = statuses[0] if statuses else 0
            self._on_call(Call(str(request), status, perf_counter() - started))

    def _bounded(self, answer: httpx.Response, request: "_Request") -> bytes:
        body = bytearray()
        for part in answer.iter_bytes():
            body += part
            if len(body) > self._limits.response_bytes:
                allowed = f"{self._limits.response_bytes:,} bytes; ask for smaller pages (`page_size`)"
                raise SourceBroken(f"{request}: the answer is too large; allowed: {allowed}")
        return bytes(body)


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    params: Params | None
    body: bytes | None
    headers: Mapping[str, str] | None
    allowed: Collection[int]

    def __str__(self) -> str:
        """Method and path, without the query, which may hold what is nobody's business."""
        return f"{self.method} {self.path}"

    @property
    def arguments(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "url": self.path,
            "params": self.params,
            "content": self.body,
            "headers": None if self.headers is None else dict(self.headers),
        }


def source_url(text: str) -> httpx.URL:
    """`text` as the address of a source; `BadSetting` where it is none."""
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


def _pause(error: Exception, *, repeatable: bool) -> bool | float:
    """Whether to try again, or after how many seconds."""
    if not repeatable and not _undone(error):
        return False
    if isinstance(error, _AgainError):
        return True if error.wait_seconds is None else error.wait_seconds
    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.LocalProtocolError)


def _undone(error: Exception) -> bool:
    """Whether the request was certainly not carried out."""
    if isinstance(error, _AgainError):
        return error.undone
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)


def _asked_pause(answer: httpx.Response) -> float | None:
    """The seconds of `Retry-After`, as a number or a date; none where it is absent or unreadable."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():  # ² is a digit too, and no number
        return min(float(text), _LONGEST_PAUSE_SECONDS)
    until = moment(text)
    if until is None:
        return None
    sent = moment(answer.headers.get("Date", "")) or until
    return min(max((until - sent).total_seconds(), 0.0), _LONGEST_PAUSE_SECONDS)
