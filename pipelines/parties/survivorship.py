"""Which value of a party's records survives, field by field, and why."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import msgspec

from features.errors import BadInput, BadSetting
from pipelines.parties.golden import Golden
from pipelines.parties.records import PartyRecord

Rule = Literal["source_priority", "most_recent", "most_complete", "most_frequent"]
FIELDS = ("name", "country", "city", "vat_id", "email_domain", "bank_account", "parent_ref")
DEFAULT_RULES: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {
        "name": ("source_priority", "most_frequent", "most_complete", "most_recent"),
        "country": ("source_priority", "most_frequent", "most_recent"),
        "city": ("most_recent",),
        "vat_id": ("source_priority", "most_frequent", "most_recent"),
        "email_domain": ("most_frequent", "most_recent"),
        "bank_account": ("most_recent",),
        "parent_ref": ("source_priority", "most_recent"),
    }
)


class GoldenValue(msgspec.Struct, frozen=True):
    """A surviving value, the record it came from, why it won, and the values that lost."""

    value: str
    ref: str
    why: str
    others: tuple[str, ...]


@dataclass(frozen=True)
class Survivorship:
    """The declared rules: those of a field are asked in turn until one value is left; the lowest ref settles a tie.

    sources  systems, the most trusted first; one that is not listed comes last
    """

    sources: tuple[str, ...] = ()
    rules: Mapping[str, tuple[Rule, ...]] = field(default_factory=lambda: DEFAULT_RULES)

    def __post_init__(self) -> None:
        for name, rules in self.rules.items():
            if name not in FIELDS:
                raise BadSetting(f"survivorship of {name!r}; fields are {', '.join(FIELDS)}")
            for rule in rules:
                if rule not in _SCORES:
                    raise BadSetting(f"survivorship of {name!r}: no rule {rule!r}; there are {', '.join(_SCORES)}")

    def values(self, records: Sequence[PartyRecord]) -> dict[str, GoldenValue]:
        """Field -> surviving value of one party's records; a field that no record fills is left out."""
        if not records:
            raise BadInput("a party without records has no values; give at least one record")
        chosen = {name: self._value(name, records) for name in FIELDS}
        return {name: value for name, value in chosen.items() if value is not None}

    def _value(self, name: str, records: Sequence[PartyRecord]) -> GoldenValue | None:
        left = sorted((r for r in records if getattr(r, name)), key=lambda r: r.ref)
        if not left:
            return None
        all_values, why = {getattr(r, name) for r in left}, "the only value"
        for rule in self.rules.get(name, DEFAULT_RULES[name]):
            if len({getattr(r, name) for r in left}) == 1:
                break
            left, why = _best(rule, name, left, self.sources), rule.replace("_", " ")
        value = getattr(left[0], name)
        undecided = len({getattr(r, name) for r in left}) > 1
        others = tuple(sorted(all_values - {value}))
        return GoldenValue(value, left[0].ref, "the first by record id" if undecided else why, others)


def golden_values(
    state: Golden, records: Mapping[str, PartyRecord], rules: Survivorship
) -> dict[str, dict[str, GoldenValue]]:
    """Party id -> field -> surviving value; `records` by ref, one for every member."""
    return {party.id: rules.values([records[ref] for ref in party.members]) for party in state.parties}


Score = Callable[[str, Sequence[PartyRecord], tuple[str, ...]], list[float]]


def _best(rule: Rule, name: str, records: Sequence[PartyRecord], sources: tuple[str, ...]) -> list[PartyRecord]:
    """The records that a rule likes best."""
    scores = _SCORES[rule](name, records, sources)
    return [r for r, score in zip(records, scores, strict=True) if score == max(scores)]


def _priority(_: str, records: Sequence[PartyRecord], sources: tuple[str, ...]) -> list[float]:
    place = {system: -float(position) for position, system in enumerate(sources)}
    return [place.get(r.system, -float(len(sources))) for r in records]


def _recency(_: str, records: Sequence[PartyRecord], __: tuple[str, ...]) -> list[float]:
    return [r.updated_at.timestamp() for r in records]


def _completeness(name: str, records: Sequence[PartyRecord], _: tuple[str, ...]) -> list[float]:
    return [float(len(getattr(r, name).strip())) for r in records]


def _frequency(name: str, records: Sequence[PartyRecord], _: tuple[str, ...]) -> list[float]:
    counts = Counter(getattr(r, name) for r in records)
    return [float(counts[getattr(r, name)]) for r in records]


_SCORES: dict[str, Score] = {
    "source_priority": _priority,
    "most_recent": _recency,
    "most_complete": _completeness,
    "most_frequent": _frequency,
}
