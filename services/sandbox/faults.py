"""What can go wrong with an API, in seeded doses: for connectors to prove themselves against."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

import numpy as np

from features.errors import BadSetting
from services.sandbox.shelves import Positions, Shelf

LONGEST_OPEN = timedelta(days=7)  # after which every commit has been made


@dataclass(frozen=True, slots=True)
class Faults:
    """How often what goes wrong; all zero by default.

    too_many_share       of requests answered 429 with Retry-After
    broken_share         of requests answered 500 or 503
    repeat_share         of further pages that begin with records of the page before
    late_commit_share    of the records changed within `late_commit_within` of a table's newest that are not visible
                         yet: they turn up, with their early changed_at, once the clock has moved on
    retry_after_seconds  what 429 and 503 ask for
    most_in_a_row        after so many refused requests the next one is served, whatever chance says
    """

    seed: int = 1
    too_many_share: float = 0.0
    broken_share: float = 0.0
    repeat_share: float = 0.0
    late_commit_share: float = 0.0
    late_commit_within: timedelta = timedelta(minutes=60)
    retry_after_seconds: int = 1
    most_in_a_row: int = 2

    def __post_init__(self) -> None:
        """`BadSetting` for a share outside 0 to 1."""
        for name in ("too_many_share", "broken_share", "repeat_share", "late_commit_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise BadSetting(f"{name} is {getattr(self, name)}; allowed: a share from 0 to 1")


EVERYDAY_FAULTS = Faults(too_many_share=0.03, broken_share=0.03, repeat_share=0.10, late_commit_share=0.3)


class Trouble:
    """The faults of one server, request after request: the same for the same seed and the same requests."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._random = Random(faults.seed)
        self._in_a_row = 0

    def refusal(self) -> int | None:
        """The status with which the next request is refused; None where it is served."""
        chance = self._random.random()
        status = None
        if chance < self.faults.too_many_share:
            status = 429
        elif chance < self.faults.too_many_share + self.faults.broken_share:
            status = self._random.choice((500, 503))
        if self._in_a_row >= self.faults.most_in_a_row:
            status = None
        self._in_a_row = 0 if status is None else self._in_a_row + 1
        return status

    def repeated(self) -> int:
        """How many records of the page before the next page repeats."""
        if self._random.random() < self.faults.repeat_share:
            return self._random.randint(1, 5)
        return 0

    def committed(self, shelf: Shelf, now: datetime) -> Positions:
        """Positions of what was there before `now`, without those whose commit is late.

        Where nothing has changed for days there is no transaction that could still be open.
        """
        visible = shelf.changed_before(now)
        drawn = np.random.default_rng(self.faults.seed).random(len(shelf))
        late = drawn[visible] < self.faults.late_commit_share
        open_ = shelf.newest(visible, self.faults.late_commit_within) & shelf.changed_since(visible, now - LONGEST_OPEN)
        return visible[~(late & open_)]
