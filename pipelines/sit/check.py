"""A check of a system, as a value, and the short engine that runs a list of them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from features.errors import BadSetting, DuecastError

S = TypeVar("S")


class Outcome(StrEnum):
    """What a check came to. A skipped one proves nothing and says why."""

    PASS = "pass"  # noqa: S105  no password
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """An outcome and what it rests on, in words, with figures and without names or amounts of anybody."""

    outcome: Outcome
    evidence: str


@dataclass(frozen=True, slots=True)
class Check(Generic[S]):
    """One thing that a system has to prove.

    proves   in words
    examine  finds out; an error of a source that it lets pass is a failure, told in the error's words
    needs    ids of checks without which this one makes no sense; it is skipped unless they passed
    """

    id: str
    proves: str
    examine: Callable[[S], Finding]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a check, and how long it took."""

    id: str
    proves: str
    outcome: Outcome
    evidence: str
    seconds: float


def passed(evidence: str) -> Finding:
    """It holds."""
    return Finding(Outcome.PASS, evidence)


def failed(evidence: str) -> Finding:
    """It does not hold."""
    return Finding(Outcome.FAIL, evidence)


def skipped(reason: str) -> Finding:
    """It cannot be said."""
    return Finding(Outcome.SKIPPED, reason)


def verdict(wrong: Sequence[str], right: str) -> Finding:
    """Failed with the first few of what is `wrong`, passed with what is `right` where nothing is."""
    if not wrong:
        return passed(right)
    more = f"; and {len(wrong) - 3:,} more" if len(wrong) > 3 else ""
    return failed("; ".join(wrong[:3]) + more)


def run_checks(checks: Sequence[Check[S]], subject: S, *, tell: Callable[[str], None] = lambda _: None) -> list[Result]:
    """The results of `checks`, in their order; `tell` hears what each is going to prove.

    `BadSetting` ends it: that is not the system's fault.
    """
    results: dict[str, Result] = {}
    for check in checks:
        tell(check.proves)
        missing = [i for i in check.needs if i not in results or results[i].outcome is not Outcome.PASS]
        started = time.perf_counter()
        found = skipped(f"needs {' and '.join(missing)}, which did not pass") if missing else _found(check, subject)
        seconds = time.perf_counter() - started
        results[check.id] = Result(check.id, check.proves, found.outcome, found.evidence, seconds)
    return list(results.values())


def _found(check: Check[S], subject: S) -> Finding:
    try:
        return check.examine(subject)
    except BadSetting:
        raise
    except DuecastError as error:
        return failed(str(error))
