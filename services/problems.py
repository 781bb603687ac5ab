"""What goes wrong, said the same way everywhere: RFC 9457 problem documents.

Every kind of problem is a value in `KINDS`; answers, the OpenAPI document and the docs derive from the list. A problem
names the caller's own values back to the caller; nothing here is ever logged.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec
from starlette.responses import Response

from features.errors import BadInput, CallerError, DuecastError, NotFound, SourceError, Violation

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: its code, HTTP status, and what it means."""

    code: str
    status: int
    title: str


MALFORMED = Kind("malformed", 400, "The body is not JSON")
UNAUTHENTICATED = Kind("unauthenticated", 401, "A valid API key is needed")
UNSIGNED = Kind("unsigned", 401, "A valid signature is needed")
NOT_FOUND = Kind("not-found", 404, "There is no such thing")
METHOD = Kind("method-not-allowed", 405, "This address does not answer that method")
SLOW = Kind("too-slow", 408, "The body did not arrive in time")
CONFLICT = Kind("conflict", 409, "That id was used for something else")
TOO_LARGE = Kind("too-large", 413, "The body is too large")
MEDIA = Kind("unsupported-media-type", 415, "The body must be plain JSON")
MISDIRECTED = Kind("misdirected", 421, "This service answers to its own address only")
INVALID = Kind("invalid", 422, "The question breaks its contract")
INTERNAL = Kind("internal", 500, "Our fault; the log has more")
SOURCE = Kind("source-failed", 502, "A source system failed")
NOT_READY = Kind("not-ready", 503, "There is no model to answer with")
BUSY = Kind("busy", 503, "Too many questions are waiting")
UNAVAILABLE = Kind("unavailable", 503, "The operational store cannot be reached")
TIMEOUT = Kind("timeout", 504, "The answer took too long")

KINDS = (
    MALFORMED,
    UNAUTHENTICATED,
    UNSIGNED,
    NOT_FOUND,
    METHOD,
    SLOW,
    CONFLICT,
    TOO_LARGE,
    MEDIA,
    MISDIRECTED,
    INVALID,
    INTERNAL,
    SOURCE,
    NOT_READY,
    BUSY,
    UNAVAILABLE,
    TIMEOUT,
)


class Fault(msgspec.Struct, frozen=True):
    """One value to mend: where it stands in the body, what it is (null where missing), what would be allowed."""

    path: str
    value: str | None
    allowed: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An RFC 9457 problem document."""

    type: str
    title: str
    status: int
    detail: str = ""
    errors: tuple[Fault, ...] = ()


class Refused(Exception):
    """Stops a request with this problem."""

    def __init__(self, kind: Kind, detail: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(kind.code)
        self.kind = kind
        self.detail = detail
        self.headers = headers


class InvalidQuestion(BadInput):
    """A question with values that break its contract, every one listed."""

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__("; ".join(map(_sentence, self.violations[:3])))


class UnknownSubject(NotFound):
    """A question about things we do not know, every one listed."""

    def __init__(self, detail: str, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__(detail)


def response(
    kind: Kind, detail: str = "", *, errors: Iterable[Violation] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """The problem as an HTTP answer."""
    problem = Problem(f"urn:duecast:problem:{kind.code}", kind.title, kind.status, detail, tuple(map(_fault, errors)))
    return Response(msgspec.json.encode(problem), kind.status, headers, MEDIA_TYPE)


def of_error(error: DuecastError) -> Response:
    """What a caller is told about an error of the house: theirs in full, ours only that there was one."""
    match error:
        case InvalidQuestion():
            return response(INVALID, str(error), errors=error.violations)
        case UnknownSubject():
            return response(NOT_FOUND, str(error), errors=error.violations)
        case NotFound():
            return response(NOT_FOUND, str(error))
        case CallerError():
            return response(INVALID, str(error))
        case SourceError():
            return response(SOURCE)
        case _:
            return response(INTERNAL)


def _fault(violation: Violation) -> Fault:
    path = f"{violation.where}.{violation.field}" if violation.field else violation.where
    return Fault(path, violation.value, violation.allowed)


def _sentence(violation: Violation) -> str:
    fault = _fault(violation)
    return f"{fault.path} is {'missing' if fault.value is None else repr(fault.value)}; allowed: {fault.allowed}"
