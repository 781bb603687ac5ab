"""What is usual about digits: round and made-up amounts, and first digits (Benford). See `comparisons`."""

from collections import Counter, defaultdict, deque
from datetime import datetime
from math import erfc, exp, log, log10, sqrt

from features.watchers import BATCH_DAYS, Row, Said, days_between, whole_minor

BATCH_LEAST = 6
DIGITS_LEAST = 20  # with fewer the rarest first digit is expected less than once: chi-square says too much (Cochran)
SPANS_DAYS = (7, 14, BATCH_DAYS)  # a batch may be quick or slow
MANY = 500  # documents: from there on a Poisson variable is as good as a normal one


def neatness(minor: int, whole: int = 100) -> int:
    """3: whole hundreds, 2: whole tens, 1: ends like a made-up price (.00, .50, .99), 0: as amounts come.

    whole  minor units in one of the currency

    >>> [neatness(n) for n in (1_250_000, 125_000, 12_599, 12_345)]
    [3, 2, 1, 0]
    >>> [neatness(n, 1_000) for n in (1_200_000, 120_000, 125_500, 125_050)]
    [3, 2, 1, 0]
    """
    if minor % (100 * whole) == 0:
        return 3
    if minor % (10 * whole) == 0:
        return 2
    return int(minor % whole in (0, whole // 2, whole - whole // 100, whole - 1))


class Digits:
    """Round and made-up amounts of an entity: this document's, the last weeks' and those of the time before."""

    columns = ("neat", "neat_count", "neat_expected", "neat_rarity", "neat_days", "digit_effect", "digit_count",
               "digit_surprise", "digit_rarity")  # fmt: skip

    def __init__(self) -> None:
        self._recent: dict[tuple[str, ...], deque[tuple[datetime, int, int]]] = defaultdict(deque)
        self._recent_first: dict[tuple[str, ...], Counter[int]] = defaultdict(Counter)
        self._neat: dict[tuple[str, ...], Counter[int]] = defaultdict(Counter)
        self._first: dict[tuple[str, ...], Counter[int]] = defaultdict(Counter)

    def seen(self, document: Row) -> Said:
        """Of amounts as neat as this one: how many there were, how many expected, -log10 of the chance of that, in how
        many days: those of `SPANS_DAYS` in which it is rarest.

        The effect size is phi of the last weeks' first digits against the entity's own earlier ones; `digit_rarity`
        is -log10 of the chance of that by chi-square.
        """
        key = _digits_of(document)
        if key is None:
            return (None,) * len(self.columns)
        self._trim(key, document["known_at"])
        many = len(self._recent[key])
        neat, first = _neat_and_first(document)
        settled, digits = self._neat[key], self._first[key]
        if settled.total() < 3 * BATCH_LEAST:
            return (float(neat), *(None,) * (len(self.columns) - 1))
        rate = (sum(n for level, n in settled.items() if level >= neat) + 0.3) / (settled.total() + 30)
        batch = self._rarest(key, document["known_at"], neat, rate)
        surprise = -log((digits[first] + 1) / (digits.total() + 9))
        effect = _phi(self._recent_first[key], many, digits) if many >= BATCH_LEAST else None
        rarity = -log10(max(_chi_square_above(many * effect**2), 1e-12)) if effect and many >= DIGITS_LEAST else None
        return float(neat), *batch, effect, float(many), surprise, rarity

    def _rarest(self, key: tuple[str, ...], now: datetime, neat: int, rate: float) -> tuple[float, float, float, float]:
        """Count, expected, rarity and days; looking at several spans makes each of them that much less rare."""
        if not neat:
            return 0.0, 0.0, 0.0, float(BATCH_DAYS)
        seen, counts, found = 1, 1, []
        recent = reversed(self._recent[key])
        row = next(recent, None)
        for span in SPANS_DAYS:
            while row is not None and days_between(row[0], now) <= span:
                seen, counts = seen + 1, counts + (row[1] >= neat)
                row = next(recent, None)
            chance = min(len(SPANS_DAYS) * at_least(counts, rate * seen), 1.0)
            found.append((float(counts), rate * seen, -log10(max(chance, 1e-12)), float(span)))
        return max(found, key=lambda f: f[2])

    def learn(self, document: Row) -> None:
        """It is one of the last weeks; what is older makes the habit."""
        key = _digits_of(document)
        if key is not None:
            neat, first = _neat_and_first(document)
            self._recent[key].append((document["known_at"], neat, first))
            self._recent_first[key][first] += 1

    def _trim(self, key: tuple[str, ...], now: datetime) -> None:
        """What is older than the last weeks becomes the time before."""
        recent = self._recent[key]
        while recent and days_between(recent[0][0], now) > BATCH_DAYS:
            _, neat, first = recent.popleft()
            self._recent_first[key][first] -= 1
            self._neat[key][neat] += 1
            self._first[key][first] += 1


def _neat_and_first(document: Row) -> tuple[int, int]:
    amount = abs(document["amount_minor"])
    return neatness(amount, whole_minor(document)), int(str(amount)[0])


def _digits_of(document: Row) -> tuple[str, ...] | None:
    if document["table"] not in ("invoice", "credit_note") or not document["amount_minor"]:
        return None
    return document["entity_id"], document["table"], document["currency"]


def at_least(count: int, expected: float) -> float:
    """P(X >= count) of a Poisson variable."""
    if expected > MANY:  # exp(-expected) is nothing; the bell is close enough
        return erfc((count - 0.5 - expected) / sqrt(2 * expected)) / 2
    term, below = exp(-expected), 0.0
    for number in range(count):
        below += term
        term *= expected / (number + 1)
    return max(1.0 - below, 0.0)


def _phi(found: Counter[int], count: int, usual: Counter[int]) -> float:
    """sqrt(chi-square / n) of `count` first digits against the shares that are usual."""
    expected = {d: count * (usual[d] + 1) / (usual.total() + 9) for d in range(1, 10)}
    return sqrt(sum((found[d] - e) ** 2 / e for d, e in expected.items()) / count)


def _chi_square_above(value: float) -> float:
    """P(X >= value) of a chi-square variable with the 8 degrees of freedom of nine first digits."""
    half = value / 2
    return exp(-half) * (1 + half + half**2 / 2 + half**3 / 6)
