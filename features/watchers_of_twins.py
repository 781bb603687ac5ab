"""Documents that look like one that is there already."""

from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from rapidfuzz.distance import OSA

from features.watchers import Row, Said, days_between, whole_minor

TWIN_DAYS = 35
HOUR = timedelta(hours=1)
ALIKE = str.maketrans("OIL", "011")
PLAIN = ("none", "digit", "blank")  # forms in which honest numbers follow each other
FORMS = ("same", "spelling", "look_alike", "transposed", "affix", "blank", "digit", "none")  # the most telling first


def form(number: str | None, other: str | None) -> str:
    """How two numbers are alike.

    >>> [form("INV-0142", n) for n in ("INV 0142", "INV-O142", "INV-0124", "INV-0142/A", "INV-0143", "INV-2417")]
    ['spelling', 'look_alike', 'transposed', 'affix', 'digit', 'none']
    """
    if not number or not other:
        return "blank"
    if number == other:
        return "same"
    a, b = _plain(number), _plain(other)
    if a == b:
        return "spelling"
    if a.translate(ALIKE) == b.translate(ALIKE):
        return "look_alike"
    if OSA.distance(a, b, score_cutoff=1) == 1:
        if len(a) != len(b):
            return "affix"
        return "transposed" if sorted(a) == sorted(b) else "digit"
    return "affix" if abs(len(a) - len(b)) <= 3 and (a in b or b in a) else "none"


def _plain(number: str) -> str:
    return "".join(c for c in number.upper() if c.isalnum())


class Twins:
    """The nearest earlier document of the same customer by amount, day and number."""

    columns = ("twin_id", "twin_form", "twin_days", "twin_minor", "twin_rank", "twin_hours", "repeat_share",
               "alike_share", "form_back_share", "form_back_count")  # fmt: skip

    def __init__(self) -> None:
        self._recent: dict[tuple[Any, ...], deque[Row]] = defaultdict(deque)
        self._repeats: Counter[tuple[Any, ...]] = Counter()
        self._alike: Counter[tuple[Any, ...]] = Counter()
        self._count: Counter[tuple[Any, ...]] = Counter()
        self._forms: dict[tuple[str, str, str], tuple[Any, ...]] = {}  # twin -> how it was alike
        self._made: Counter[tuple[Any, ...]] = Counter()
        self._back: Counter[tuple[Any, ...]] = Counter()

    def seen(self, document: Row) -> Said:
        """The twin, how alike it is, how often this customer repeats amounts, with
        other numbers and with alike ones, and how often such twins are taken back."""
        key, twin = _who(document), self._twin(document)
        if key is None:
            return (None,) * len(self.columns)
        repeats = self._repeats[key] / self._count[key] if self._count[key] else None
        alikes = self._alike[key] / self._count[key] if self._count[key] else None
        if twin is None:
            return None, None, None, None, None, None, repeats, alikes, None, None
        other, alike = twin
        days = float(abs((document["day"] - other["day"]).days))
        hours = (document["known_at"] - other["known_at"]) / HOUR
        kind = _kind(document, other, alike)
        share = self._back[kind] / self._made[kind] if self._made[kind] else 0.0
        minor = float(abs(document["amount_minor"] - other["amount_minor"]))
        rank = float(FORMS.index(alike))
        return other["record_id"], alike, days, minor, rank, hours, repeats, alikes, share, float(self._made[kind])

    def learn(self, document: Row) -> None:
        """It may be somebody's twin from now on."""
        key, twin = _who(document), self._twin(document)
        if key is None:
            return
        self._count[key] += 1
        if twin is not None:
            other, alike = twin
            self._repeats[key] += alike in PLAIN
            self._alike[key] += alike not in PLAIN
            kind = _kind(document, other, alike)
            self._forms[document["entity_id"], document["table"], document["record_id"]] = kind
            self._made[kind] += 1
        self._recent[key].append(document)

    def taken_back(self, record: Mapping[str, Any]) -> None:
        """The source took a document back: such twins are mistakes that mend themselves."""
        kind = self._forms.pop((record["entity_id"], record["table"], record["record_id"]), None)
        if kind is not None:
            self._back[kind] += 1

    def _twin(self, document: Row) -> tuple[Row, str] | None:
        key = _who(document)
        if key is None:
            return None
        recent = self._recent[key]
        while recent and days_between(recent[0]["known_at"], document["known_at"]) > 2 * TWIN_DAYS:
            recent.popleft()
        apart = whole_minor(document)
        found = [
            (FORMS.index(alike), abs((document["day"] - other["day"]).days), number, other, alike)
            for number, other in enumerate(recent)
            if abs(document["amount_minor"] - other["amount_minor"]) < apart
            and abs((document["day"] - other["day"]).days) <= TWIN_DAYS
            for alike in (form(document["number"], other["number"]),)
        ]
        if not found:
            return None
        *_, other, alike = min(found, key=lambda f: f[:3])
        return other, alike


def _who(document: Row) -> tuple[Any, ...] | None:
    if document["table"] not in ("invoice", "payment", "credit_note") or document["amount_minor"] is None:
        return None
    who = document["customer_id"] or document["account"]
    if who is None:
        return None
    return document["entity_id"], document["table"], who, document["currency"], document["amount_minor"] > 0


def _kind(document: Row, other: Row, alike: str) -> tuple[Any, ...]:
    """What mends itself alike: the entity, the form, the very letters that were added, and whether it came at once."""
    a, b = str(document["number"] or ""), str(other["number"] or "")
    added = a[len(b) :] if b and a.startswith(b) else ""
    at_once = document["known_at"] - other["known_at"] < HOUR
    return document["entity_id"], document["table"], alike, added, at_once
