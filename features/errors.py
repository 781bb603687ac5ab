"""Every error Duecast raises on purpose.

    DuecastError
    ├── CallerError          the caller's fault: exit code 2, HTTP 4xx, one clear line, never a traceback
    │   ├── BadInput         a file, row, field or request that breaks its contract
    │   ├── BadSetting       an option, mapping or environment value that cannot be used
    │   └── NotFound         an id, table, model or file that does not exist
    ├── SourceError          the source system's fault: worth a retry later; exit code 3, HTTP 502
    │   ├── SourceRefused    401 or 403: the credentials are wrong, a retry will not help
    │   ├── SourceBroken     what came back breaks the protocol
    │   ├── FateUnknown      a write was sent and no answer came: it may have been done
    │   └── NotYet           it is up, but what is asked for is not there yet
    └── StateError           ours or the machine's: a damaged lake or model; exit code 4, HTTP 500

A message says what was wrong, what is allowed and what to do. `where` names the place (file, line, field).
"""

from dataclasses import dataclass


class DuecastError(Exception):
    """Root of everything raised on purpose."""

    exit_code = 4


class CallerError(DuecastError):
    """The caller can mend this; the message says how."""

    exit_code = 2


class BadInput(CallerError):
    """Data that breaks its contract."""


class BadSetting(CallerError):
    """A setting, option or mapping that cannot be used."""


class NotFound(CallerError):
    """Something named by the caller does not exist."""


class SourceError(DuecastError):
    """A source system failed or misbehaved."""

    exit_code = 3


class SourceRefused(SourceError):
    """The source refused our credentials."""


class SourceBroken(SourceError):
    """The source answered with something outside its protocol."""


class FateUnknown(SourceError):
    """A write was sent to the source and no answer came."""


class NotYet(SourceError):
    """The source works, but has not got to what is asked for."""


class StateError(DuecastError):
    """Our own state on disk is damaged or missing a piece it must have."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One value that breaks a contract: where it stands, what it is, what would be allowed.

    >>> print(Violation("ar.csv line 7", "due_date", "2019-02-30", "a date written as YYYY-MM-DD"))
    ar.csv line 7: due_date is '2019-02-30'; allowed: a date written as YYYY-MM-DD
    """

    where: str
    field: str
    value: str | None
    allowed: str

    def __str__(self) -> str:
        shown = "missing" if self.value is None else repr(self.value)
        return f"{self.where}: {self.field} is {shown}; allowed: {self.allowed}"
