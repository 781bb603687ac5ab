"""Are two records one party: same, different, or for a person to say; with the evidence in words.

The names give a score; identifiers and contradictions, declared in `SIGNALS`, lift or cap the verdict.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from features.errors import BadSetting
from pipelines.parties.names import Name, Reader, learnt_endings
from pipelines.parties.records import PartyRecord
from pipelines.parties.similarity import Rarity


class Verdict(IntEnum):
    """What a comparison comes to."""

    DIFFERENT = 0
    REVIEW = 1
    SAME = 2


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores from which two records are the same, or are for a person to look at; 0 < review <= same <= 1."""

    same: float = 0.95
    review: float = 0.8

    def __post_init__(self) -> None:
        if not 0.0 < self.review <= self.same <= 1.0:
            raise BadSetting(f"thresholds are {self}; allowed: 0 < review <= same <= 1")

    def verdict(self, score: float) -> Verdict:
        """What a score alone comes to."""
        if score >= self.same:
            return Verdict.SAME
        return Verdict.REVIEW if score >= self.review else Verdict.DIFFERENT

    def least(self, verdict: Verdict) -> float:
        """The lowest score of a verdict."""
        return {Verdict.SAME: self.same, Verdict.REVIEW: self.review, Verdict.DIFFERENT: 0.0}[verdict]


@dataclass(frozen=True, slots=True)
class Read:
    """A record with its name and identifiers read; the fields as they are compared."""

    record: PartyRecord
    name: Name
    vat: str | None
    account: str | None
    domain: str | None
    country: str | None
    city: str | None

    @classmethod
    def of(cls, record: PartyRecord, name: Name) -> "Read":
        """What is compared of a record; an empty field is none."""
        country, city = (record.country or "").strip().casefold(), (record.city or "").strip().casefold()
        return cls(record, name, record.vat, record.account, record.domain, country or None, city or None)


@dataclass(frozen=True, slots=True)
class Comparison:
    """`score` 0 to 1, made to agree with the verdict; `contradicted` where something speaks against a merge."""

    score: float
    verdict: Verdict
    evidence: tuple[str, ...]
    contradicted: bool = False


@dataclass(frozen=True, slots=True)
class Signal:
    """Something besides the words of a name.

    floor        the verdict is at least this where the names agree by half; `Verdict.REVIEW` where they do not
    contradicts  no machine merges the two; a person may
    outweighed   a floor of SAME that holds takes this contradiction away
    """

    says: str
    holds: Callable[[Read, Read], bool]
    floor: Verdict | None = None
    contradicts: bool = False
    outweighed: bool = False


def _equal(field_name: str) -> Callable[[Read, Read], bool]:
    def holds(a: Read, b: Read) -> bool:
        ours = getattr(a, field_name)
        return ours is not None and ours == getattr(b, field_name)

    return holds


def _both_differ(field_name: str) -> Callable[[Read, Read], bool]:
    def holds(a: Read, b: Read) -> bool:
        ours, theirs = getattr(a, field_name), getattr(b, field_name)
        return ours is not None and theirs is not None and ours != theirs

    return holds


def _vat_vetoes(a: Read, b: Read) -> bool:
    apart = a.country is not None and b.country is not None and a.country != b.country
    return not apart and a.vat is not None and b.vat is not None and a.vat != b.vat


def _forms_differ(a: Read, b: Read) -> bool:
    return bool(a.name.forms and b.name.forms) and a.name.forms != b.name.forms


SIGNALS = (
    Signal("same VAT id", _equal("vat"), floor=Verdict.SAME),
    Signal("same bank account", _equal("account"), floor=Verdict.SAME),
    Signal("same e-mail domain", _equal("domain"), floor=Verdict.REVIEW),
    Signal("different VAT ids in one country", _vat_vetoes, contradicts=True),
    Signal("different countries", _both_differ("country"), contradicts=True, outweighed=True),
    Signal("different legal forms", _forms_differ, contradicts=True, outweighed=True),
    Signal("different cities", _both_differ("city")),
)
HALF = 0.5


@dataclass(frozen=True)
class Matcher:
    """Compares records. `shared_names` are keys of names known to belong to several parties: never enough alone."""

    reader: Reader
    rarity: Rarity
    thresholds: Thresholds = field(default_factory=Thresholds)
    shared_names: frozenset[str] = frozenset()

    @classmethod
    def learnt(
        cls,
        records: Iterable[PartyRecord],
        thresholds: Thresholds | None = None,
        shared_names: frozenset[str] = frozenset(),
    ) -> "Matcher":
        """A matcher whose endings and weights come from the names of these records, without any answer."""
        spellings = {record.name for record in records}
        reader = Reader(learnt_endings(spellings))
        return cls(reader, Rarity.of(map(reader.read, spellings)), thresholds or Thresholds(), shared_names)

    def read(self, record: PartyRecord) -> Read:
        """The record with its name read."""
        return Read.of(record, self.reader.read(record.name))

    def compare(self, a: Read, b: Read) -> Comparison:
        """What the two records come to; the same whichever comes first."""
        agreed = self.rarity.agreement(a.name, b.name)
        held = [signal for signal in SIGNALS if signal.holds(a, b)]
        identified = any(s.floor is Verdict.SAME for s in held) and agreed.score >= HALF
        against = any(s.contradicts and not (s.outweighed and identified) for s in held)
        weak = self.weakness(a.name) or self.weakness(b.name)
        verdict = self._verdict(agreed.score, held)
        if verdict is Verdict.SAME and (against or (weak and not identified)):
            verdict = Verdict.REVIEW
        evidence = [*_in_words(agreed.shared, agreed.only_ours, agreed.only_theirs), *(s.says for s in held)]
        score = self._within(agreed.score, verdict)
        return Comparison(score, verdict, tuple(evidence + ([weak] if weak else [])), against)

    def weakness(self, name: Name) -> str:
        """Why this name alone cannot identify anybody; empty where it can."""
        if len(name.letters) < 2:
            return "a name of one letter or none identifies nobody"
        return "several parties are known to bear this name" if name.key in self.shared_names else ""

    def _verdict(self, score: float, held: list[Signal]) -> Verdict:
        """By name and floors, before contradictions."""
        if score >= HALF:
            floors = [s.floor for s in held if s.floor is not None]
        else:  # one VAT id or account under two names: a group, a factoring house, or a mistake
            floors = [Verdict.REVIEW for s in held if s.floor is Verdict.SAME]
        return max([self.thresholds.verdict(score), *floors])

    def _within(self, score: float, verdict: Verdict) -> float:
        """The score, moved to where its verdict lies."""
        limits = self.thresholds
        top = {Verdict.SAME: 1.0, Verdict.REVIEW: limits.same, Verdict.DIFFERENT: limits.review}[verdict]
        return min(max(score, limits.least(verdict)), top)


def _in_words(shared: tuple[tuple[str, str], ...], ours: tuple[str, ...], theirs: tuple[str, ...]) -> list[str]:
    told = []
    if shared:
        told.append("agree: " + ", ".join(x if x == y else f"{x} ~ {y}" for x, y in shared))
    if ours or theirs:
        told.append(f"differ: {' '.join(ours) or 'nothing'} | {' '.join(theirs) or 'nothing'}")
    return told
