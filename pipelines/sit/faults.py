"""The faults that the proxy can inject, each declared as one value."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from features.errors import BadSetting

FaultKind = Literal[
    "dropped_page",
    "duplicated_page",
    "reordered_page",
    "renamed_field",
    "changed_type",
    "wrong_currency",
    "clock_skew",
    "timeout",
    "too_many",
    "server_error",
    "cut_connection",
    "cut_body",
    "replayed_webhook",
]
FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
PAGE_FAULTS = ("dropped_page", "duplicated_page", "reordered_page")
FIELD_FAULTS = ("renamed_field", "changed_type")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong on the way.

    path      regular expression: only requests whose path has it
    page      page faults: which page of a listing, 1 is the first
    field     renamed_field, changed_type: the name in the row (a dotted one is inside)
    currency  wrong_currency: what stands there instead
    seconds   clock_skew: how far the clock is ahead, negative for behind; timeout: how long the answer is kept back;
              too_many: what Retry-After asks for
    share     of the requests it could happen to, drawn with the proxy's seed
    times     how often at most; None for always
    """

    kind: FaultKind
    path: str = ""
    page: int = 2
    field: str = ""
    currency: str = "SGD"
    seconds: float = 0.0
    share: float = 1.0
    times: int | None = None

    def __post_init__(self) -> None:
        """`BadSetting` for a kind that there is not, a share outside 0 to 1, a missing field."""
        if self.kind not in FAULT_KINDS:
            raise BadSetting(f"fault {self.kind!r}; allowed: {', '.join(FAULT_KINDS)}")
        if not 0 <= self.share <= 1 or self.page < 1:
            raise BadSetting(f"fault share {self.share}, page {self.page}; allowed: a share from 0 to 1, a page from 1")
        if self.kind in FIELD_FAULTS and not self.field:
            raise BadSetting(f"fault {self.kind} without a field; allowed: the name of a field of the rows")

    def touches(self, path: str) -> bool:
        """Whether it can happen to a request of `path`."""
        return re.search(self.path, path) is not None
