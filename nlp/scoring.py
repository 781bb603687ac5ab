"""How well answers agree with what people said: F1 of labels and entities, and what abstaining buys.

Names of measures are stable. Every measure is between 0 and 1; one that has nothing to be measured on (no such label in
the file and none answered) is None, never 0 or 1.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from nlp.labelled import Said
from nlp.labels import INTENTS, REASONS


@dataclass(frozen=True, slots=True)
class Answer:
    """What we said of a letter, the chance that its intents are right, and whether it went to a person."""

    said: Said
    confidence: float
    abstained: bool = False


@dataclass(frozen=True, slots=True)
class Counted:
    """True and false positives, and what was missed."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def precision(self) -> float | None:
        return _share(self.right, self.right + self.wrong)

    @property
    def recall(self) -> float | None:
        return _share(self.right, self.right + self.missed)

    @property
    def f1(self) -> float | None:
        return _share(2 * self.right, 2 * self.right + self.wrong + self.missed)

    def __add__(self, other: "Counted") -> "Counted":
        return Counted(self.right + other.right, self.wrong + other.wrong, self.missed + other.missed)


Pairs = Sequence[tuple[Said, Answer]]
Set = Callable[[Said], frozenset[object]]

SETS: dict[str, Set] = {
    "intents": lambda said: frozenset(said.intents),
    "reasons": lambda said: frozenset(said.reasons),
    "invoice_numbers": lambda said: frozenset(said.invoice_numbers),
    "po_numbers": lambda said: frozenset(said.po_numbers),
    "amounts": lambda said: frozenset(said.amounts),
    "promised_on": lambda said: frozenset({said.promised_on} - {None}),
    "disputed_amount": lambda said: frozenset({said.disputed} - {None}),
}
LABELS = {"intents": tuple(i.name for i in INTENTS), "reasons": tuple(r.name for r in REASONS)}


def measures(pairs: Pairs) -> dict[str, float | None]:
    """Every measure by its name: `intents.micro_f1`, `reasons.macro_f1`, `invoice_numbers.f1`, `abstention.error`..."""
    found: dict[str, float | None] = {}
    for name, of in SETS.items():
        every = counted(pairs, of)
        if name in LABELS:
            by_label = [counted(pairs, _only(of, label)) for label in LABELS[name]]
            known = [one.f1 for one in by_label if one.f1 is not None]
            found |= {f"{name}.micro_f1": every.f1, f"{name}.macro_f1": sum(known) / len(known) if known else None}
        else:
            found |= {f"{name}.f1": every.f1, f"{name}.precision": every.precision, f"{name}.recall": every.recall}
    for name in ("intents", "reasons", "promised_on", "disputed_amount"):
        found[f"{name}.exact"] = exact(pairs, SETS[name], all_count=name == "intents")
    return found | abstention(pairs)


def counted(pairs: Pairs, of: Set) -> Counted:
    """What was found rightly, wrongly and not at all, over all letters."""
    return sum((_compared(of(truth), of(answer.said)) for truth, answer in pairs), Counted())


def exact(pairs: Pairs, of: Set, *, all_count: bool) -> float | None:
    """Share of letters whose whole set is right; without `all_count` of those where either side names something."""
    counts = [of(truth) == of(answer.said) for truth, answer in pairs if all_count or of(truth) or of(answer.said)]
    return _share(sum(counts), len(counts))


def abstention(pairs: Pairs) -> dict[str, float | None]:
    """How many letters were answered without a person, and how often the intents of such an answer are not all right.

    `error_at_80` is the error among the 80 % that we were surest of, whatever the threshold in use.
    """
    answered = [(truth, answer) for truth, answer in pairs if not answer.abstained]
    surest = sorted(pairs, key=lambda pair: -pair[1].confidence)[: round(0.8 * len(pairs))]
    return {
        "abstention.coverage": _share(len(answered), len(pairs)),
        "abstention.error": _error(answered),
        "abstention.error_at_80": _error(surest),
    }


def _error(pairs: Iterable[tuple[Said, Answer]]) -> float | None:
    wrong = [truth.intents != answer.said.intents for truth, answer in pairs]
    return _share(sum(wrong), len(wrong))


def _only(of: Set, label: str) -> Set:
    return lambda said: of(said) & {label}


def _compared(truth: frozenset[object], answer: frozenset[object]) -> Counted:
    return Counted(len(truth & answer), len(answer - truth), len(truth - answer))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
