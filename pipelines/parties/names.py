"""What of a company's name says which company it is.

A name is read into words of identity; legal forms, places of business, connectors and the endings that this very ledger
hangs on to any name are set aside. Those endings are learnt from the spellings alone, without any answer.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipelines.parties.words import (
    ABBREVIATIONS,
    ARTICLES,
    CONNECTORS,
    LEADING_FORMS,
    LOCATORS,
    SAME_FORM,
    UNSPACED_FORMS,
    legal_forms,
)

MAX_LENGTH = 300  # longer texts are not names; what follows is not read
_FORMS = legal_forms()
_LONGEST_FORM = max(len(form) for form in _FORMS)
_TRANSLITERATED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "ð": "d", "þ": "th"})
_DOTTED = re.compile(r"\b(?:\w\.){2,}|\b\w(?:\.\w)+\b")
_PLACE = re.compile(rf"(?:\b(?:{'|'.join(sorted(LOCATORS))})\s+)?(?:#|\bno\.?\s|\bnr\.?\s)\s*\d+\s*$")
_UNSPACED = re.compile("|".join(UNSPACED_FORMS))


@dataclass(frozen=True, slots=True)
class Name:
    """One spelling, read.

    words    what identifies, in order; empty where the text holds no letter or digit
    forms    legal forms that may tell two companies of one name apart, in canonical spelling
    """

    words: tuple[str, ...]
    forms: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """The words as one text: two spellings of one key are the same name."""
        return " ".join(self.words)

    @property
    def letters(self) -> str:
        """The words without the blanks: "AT&T" and "ATT" agree here."""
        return "".join(self.words)


def plain(text: str) -> str:
    """Without case, accents, apostrophes, or dots in abbreviations; "&" stands alone; other punctuation is a blank.

    >>> plain("Søren's  Café-Bar A.p.S.")
    'sorens cafe bar aps'
    """
    folded = unicodedata.normalize("NFKD", text[:MAX_LENGTH].casefold().translate(_TRANSLITERATED))
    bare = "".join(c for c in folded if not unicodedata.combining(c))
    bare = _UNSPACED.sub(r" \g<0> ", _PLACE.sub(" ", re.sub(r"['’`´]", "", bare)))
    joined = _DOTTED.sub(lambda found: found.group().replace(".", ""), bare)
    return " ".join(re.sub(r"[^\w&]|_", " ", joined.replace("&", " & ")).split())


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads names. `endings` are last words, as spelled, that this ledger hangs on to names at random.

    >>> Reader().read("The Müller Intl. GmbH & Co. KG")
    Name(words=('muller', 'international'), forms=frozenset({'gmbh co kg'}))
    """

    endings: frozenset[str] = frozenset()

    def read(self, spelling: str) -> Name:
        """The name that a spelling stands for."""
        tokens = spelling[:MAX_LENGTH].split()
        if len(tokens) > 1 and tokens[-1] in self.endings:
            return Name(_identity(plain(" ".join(tokens[:-1])).split())[0])
        words, forms = _identity(plain(" ".join(tokens)).split())
        return Name(words, forms - self._as_forms())

    def _as_forms(self) -> frozenset[str]:
        """Endings that are legal forms: hung on at random, they contradict nothing."""
        return frozenset(SAME_FORM.get(plain(e), plain(e)) for e in self.endings)


def _identity(words: list[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Words of identity, and the legal forms that stood behind them."""
    kept = _content(words)
    forms: set[str] = set()
    while (found := _form_at_end(kept)) is not None:
        forms.add(SAME_FORM.get(" ".join(found), " ".join(found)))
        kept = kept[: -len(found)]
    if len(kept) > 1 and kept[0] in LEADING_FORMS:
        forms.add(kept[0])
        kept = kept[1:]
    return tuple(ABBREVIATIONS.get(w, w) for w in _placeless(kept)), frozenset(forms)


def _content(words: list[str]) -> list[str]:
    """Without "&", connectors between two words, and the article in front; a name keeps two letters if it has them."""
    kept = [w for w in words if w not in ("&", "+")]
    kept = [w for i, w in enumerate(kept) if not 0 < i < len(kept) - 1 or w not in CONNECTORS]
    return kept[1:] if kept and kept[0] in ARTICLES and len("".join(kept[1:])) > 1 else kept


def _form_at_end(words: Sequence[str]) -> tuple[str, ...] | None:
    """The longest legal form that ends the name and leaves two letters or more before it."""
    for length in range(min(_LONGEST_FORM, len(words) - 1), 0, -1):
        if tuple(words[-length:]) in _FORMS and len("".join(words[:-length])) > 1:
            return tuple(words[-length:])
    return None


def _placeless(words: Sequence[str]) -> Sequence[str]:
    """Without a trailing "store 12", where something else remains."""
    numbered = len(words) > 2 and words[-1].isdigit() and words[-2] in LOCATORS
    return words[:-2] if numbered else words


def learnt_endings(spellings: Iterable[str], *, least: int = 20, share: float = 0.5) -> frozenset[str]:
    """The last words that this ledger hangs on to names at random, as spelled.

    A word is one if it ends `least` different names and more than `share` of those names also occur without it or
    with another such word: "foods" ends many names too, but few of them occur with another ending.
    """
    stems: dict[str, set[str]] = defaultdict(set)
    bare: set[str] = set()
    for spelling in set(spellings):
        tokens = spelling[:MAX_LENGTH].split()
        bare.add(plain(" ".join(tokens)))
        if len(tokens) > 1:
            stems[tokens[-1]].add(plain(" ".join(tokens[:-1])))
    frequent = {word: found for word, found in stems.items() if len(found) >= least}
    return frozenset(w for w, found in frequent.items() if _interchanged(w, found, frequent, bare) > share)


def _interchanged(word: str, stems: set[str], frequent: dict[str, set[str]], bare: set[str]) -> float:
    """Share of a word's stems that occur without it or with another frequent ending."""
    others: set[str] = set(bare)
    others.update(*(found for other, found in frequent.items() if other != word))
    return len(stems & others) / len(stems)
