"""How alike two names are, and which words say so.

Rare words weigh more, numbers must agree, and a name is never more alike than the least alike of its paired words:
"Norton Foods" and "Morton Foods" share their most frequent word only.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import log

from rapidfuzz.distance import Indel, JaroWinkler

from pipelines.parties.names import Name

ALIKE = 0.86  # Jaro-Winkler of two words below which they are two words
CUT_OFF = 0.9  # what a word counts that is the beginning of the other, as in a field that was too short
EDITED = 0.4  # the fewer letters, the more a changed one says: five letters count 0.92 at most, ten 0.96
RESPELLED = 0.94  # at most, for two names that are alike only as a whole


@dataclass(frozen=True, slots=True)
class Agreement:
    """`score` 0 to 1; `shared` words as (ours, theirs); words that only one of the two has."""

    score: float
    shared: tuple[tuple[str, str], ...]
    only_ours: tuple[str, ...]
    only_theirs: tuple[str, ...]


@dataclass
class Rarity:
    """How much each word says, learnt from the names at hand: 1 + ln((names + 1) / (names that hold it + 1))."""

    names: int = 0
    holding: Counter[str] = field(default_factory=Counter)
    _known: dict[tuple[tuple[str, ...], tuple[str, ...]], Agreement] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, names: Iterable[Name]) -> "Rarity":
        """Weights from distinct names."""
        distinct = {name.words for name in names}
        return cls(len(distinct), Counter(word for words in distinct for word in set(words)))

    def weight(self, word: str) -> float:
        """1 for a word that every name holds; more for rarer ones."""
        return 1.0 + log((self.names + 1) / (self.holding[word] + 1))

    def agreement(self, ours: Name, theirs: Name) -> Agreement:
        """How far two names agree; the score is the same in both directions."""
        pair = (ours.words, theirs.words)
        if pair not in self._known:
            self._known[pair] = self._compared(*sorted((ours, theirs), key=lambda name: name.words))
        found = self._known[pair]
        return found if ours.words <= theirs.words else _turned(found)

    def _compared(self, ours: Name, theirs: Name) -> Agreement:
        if ours.letters == theirs.letters:
            whole = 1.0 if ours.letters else 0.0
            return Agreement(whole, tuple((w, w) for w in ours.words if w in theirs.words), (), ())
        matched = _matched(ours.words, theirs.words)
        told = sum(ratio * (self.weight(x) + self.weight(y)) for x, y, ratio in matched)
        total = sum(map(self.weight, ours.words)) + sum(map(self.weight, theirs.words))
        words = min([told / total if total else 0.0, *(ratio for _, _, ratio in matched)])
        score = max(words, _as_a_whole(ours, theirs))
        shared = tuple((x, y) for x, y, _ in matched)
        return Agreement(
            score, shared, _without(ours.words, [x for x, _ in shared]), _without(theirs.words, [y for _, y in shared])
        )


def word_ratio(x: str, y: str) -> float:
    """1 for equal words, 0 for different ones; words with digits, and words under four letters, are never alike."""
    if x == y:
        return 1.0
    if min(len(x), len(y)) < 4 or not (x.isalpha() and y.isalpha()):
        return 0.0
    alike = JaroWinkler.similarity(x, y)
    if x.startswith(y) or y.startswith(x):
        return min(CUT_OFF, alike)
    return min(alike, 1.0 - EDITED / min(len(x), len(y))) if alike >= ALIKE else 0.0


def _matched(ours: tuple[str, ...], theirs: tuple[str, ...]) -> list[tuple[str, str, float]]:
    """Words paired one to one, the most alike first."""
    ratios = [(word_ratio(x, y), i, j) for i, x in enumerate(ours) for j, y in enumerate(theirs)]
    used_ours: set[int] = set()
    used_theirs: set[int] = set()
    pairs: list[tuple[str, str, float]] = []
    for ratio, i, j in sorted(ratios, key=lambda r: (-r[0], r[1], r[2])):
        if ratio and i not in used_ours and j not in used_theirs:
            used_ours.add(i)
            used_theirs.add(j)
            pairs.append((ours[i], theirs[j], ratio))
    return pairs


def _as_a_whole(ours: Name, theirs: Name) -> float:
    """For blanks in other places and letters that changed places; not where numbers differ."""
    if [w for w in ours.words if w.isdigit()] != [w for w in theirs.words if w.isdigit()]:
        return 0.0
    if min(len(ours.letters), len(theirs.letters)) < 8:
        return 0.0
    alike = Indel.normalized_similarity(ours.letters, theirs.letters)
    return min(alike, RESPELLED) if alike >= 0.9 else 0.0


def _without(words: tuple[str, ...], taken: list[str]) -> tuple[str, ...]:
    left = list(words)
    for word in taken:
        left.remove(word)
    return tuple(left)


def _turned(a: Agreement) -> Agreement:
    return Agreement(a.score, tuple((y, x) for x, y in a.shared), a.only_theirs, a.only_ours)
