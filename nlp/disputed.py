"""The sum that is contested: the part that the sender names, else what follows from the figures, else the whole sum.

In order: the only sum of a letter; two or three that words of contesting lead up to, added; the one that such words
("too much", "we deduct", "credit the") speak for most. A price of one unit counts for as many as are said to lack.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from nlp.amounts import Amount, Figure
from nlp.number_words import PATTERN as NUMBER_WORDS
from nlp.number_words import number_of
from nlp.plain import Plain

SURELY = 2  # weight of a sum that words of contesting lead up to
NEAR = 70  # characters around a sum in which words speak of it


@dataclass(frozen=True, slots=True)
class Disputed:
    """A contested sum, unsigned, and its currency; the amounts that it comes from, one where it stands as it is."""

    value: Decimal
    currency: str | None
    amounts: tuple[Amount, ...]


_CONTESTED = re.compile(
    r"interest|too much|overcharg|over-?billed|deduct|withh?(?:o|e)ld|held? back|hold(?:ing)?"
    r" back|short-?paid|difference|excess|credit (?:the|us|for|me|of|note)|please credit"
    r"|to come off|come off|remov|come out|dispute|surcharge|levy|deposit|down payment|do"
    r" not accept|freight|delivery charge|penalty|late fee|admin|not (?:owe|pay)|isn'?t (?:ours"
    r"|owed)|wipe|in total|makes? |comes to|all up|= ?$"
    r"|zinsen|anzahlung|fracht|porto|zu ?viel|zieh|abgezogen|abzug|einbehalten|einbehalt"
    r"|gekurzt|kurzung|kurzen|differenz|gutschrift uber|gutschreiben|korrektur uber|mahngebuhr"
    r"|mahnspesen|spesen|zusammen|macht |summe|streichen|nicht (?:anerkannt|bezahl|zahl)"
    r"|zuruckgehalten|statt"
    r"|interets|de port|acompte|de trop|en trop|retenu|retranche|deduit|deduire|deduction"
    r"|difference|ecart|avoir de|crediter|trop[- ]?percu|surfactur|penalite|frais|soit |injustifi"
    r"|je garde|annuler|conteste|supplement|total"
    r"|anticipo|retefuente|restantes|flete|de mas|diferencia|descont|descuento|retenci|retene"
    r"|abonar|nota de credito por|devolver|sobra|sobran|intereses|recargo|mora|en total|o"
    r" sea|son |compens|no corresponde|quitan"
)
_SETTLED = re.compile(
    r"\b(?:principal|hauptforderung|warenwert|\w*fracht von|bei einer|commande faisait|achats"
    r"|compras|base|says|remaining|rest|balance|undisputed|other|was paid|paid|transferred"
    r"|sent|net|total sent|accept|ok|overwiesen|uberwiesen|angewiesen|anerkann|erkennen|ubrige"
    r"|bezahlt|gezahlt|verse|vire|paye|regle|reste|solde|pagamos|pagado|transferi|resto|neto"
    r"|gesamt|list total|of a total|threshold|order value|agreed|quote[ds]?|contract|vertrag"
    r"|angebot|marche|convenu|offre|contrato|presupuesto|pactado|instead of)\b"
)
_EACH = re.compile(
    r" ?(?:each|apiece|a piece|per|a (?:crate|board|box|unit|bag|case|keg|metre|meter|night"
    r"|month|day|piece|roll|pallet)|/ ?\w|an hour|je\b|pro\b|das stuck|die stunde|l'unite"
    r"|la piece|le \w+|la \w+|piece|chacune?|par\b|cada un|la (?:caja|copa|unidad)|el (?:kilo"
    r"|metro|saco|rollo)|por\b|c/u|al dia|caja|an? \w+)"
)
_EACH_LEAD = re.compile(
    r"(?:\bat|\bje|\bzu je|\bzu|\ba|\b@|\bpreis|\bprice|\bprix|\bprecio|\bstuckpreis|\bkostet"
    r" ja der meter|\bx|×|á) ?$"
)
# Not the whole in "6 of the 20".
_COUNT = re.compile(
    rf"(?<![\w/.,-])(?<!of the )(?<! of )(?<!von )(?<!von den )(?<!der )(?<!sur )(?<!sur les )(?<!de las )(?<!de los )"
    rf"(?P<n>[1-9]\d{{0,4}}|{NUMBER_WORDS})(?![\w/-]|[.,]\d| ?%)"
)
_UNITS_BEFORE = re.compile(
    rf"\b(?P<n>\d{{1,5}}|{NUMBER_WORDS}) ?(?:[a-z]{{2,16}} (?:[a-z]{{2,12}} )?)?(?:at|á|@|zu je"
    rf"|je|zu|x|×|\*|von je) ?$"
)
_UNITS_BEHIND = re.compile(r" ?(?:each |je |la piece |per \w+ )?,? ?(?:x|×|\*) ?(?P<n>\d{1,5})(?![\d.,])")
_MISSING = re.compile(
    r"\b(?:missing|short|fehl\w*|manqu\w*|falt\w*|sobr\w+|too many|zu viel|de trop|de mas"
    r"|surplus|extra|damaged|broken|cracked|defekt\w*|kaputt|cassee?s?|rot[ao]s?|over|returned"
    r"|zuruck|off|absent|anicos|para tirar|aren't|never came|zieh|back)\b"
)


def disputed(
    told: Plain, figures: Sequence[Figure], amounts: Sequence[Amount], *, is_dispute: bool | None
) -> Disputed | None:
    """The contested sum of the new text; `figures` and `amounts` are its sums, in the same order.

    `is_dispute` is what is known of the letter: False answers None; without knowledge words of contesting must stand
    somewhere in it.
    """
    if is_dispute is False or not amounts or (is_dispute is None and not _CONTESTED.search(told.words)):
        return None
    if len({(one.value, one.currency) for one in amounts}) == 1:
        return _of(amounts[0].value * _units(told, figures[0]), amounts[0])
    weights = [_weight(told, figure) for figure in figures]
    return _added(told, figures, amounts, weights) or _weightiest(told, figures, amounts, weights)


def _weightiest(
    told: Plain, figures: Sequence[Figure], amounts: Sequence[Amount], weights: Sequence[float]
) -> Disputed:
    best = max(range(len(weights)), key=lambda at: (weights[at], -at))
    return _of(amounts[best].value * _units(told, figures[best]), amounts[best])


def _added(
    told: Plain, figures: Sequence[Figure], amounts: Sequence[Amount], weights: Sequence[float]
) -> Disputed | None:
    """The sum of two or three contested ones, or the one among them that is the others' sum."""
    held = {
        amount.value: amount
        for amount, figure, weight in zip(amounts, figures, weights, strict=True)
        if weight >= SURELY and not _is_each(told, figure)
    }
    if not 2 <= len(held) <= 3 or len({amount.currency for amount in held.values()}) > 1:
        return None
    total, most = sum(held), max(held)
    return _of(most if most * 2 == total else Decimal(total), *held.values())


def _of(value: Decimal, *amounts: Amount) -> Disputed:
    return Disputed(abs(value), amounts[0].currency, amounts)


def _weight(told: Plain, figure: Figure) -> float:
    """How much the words around a sum say that it is the contested one."""
    before, after = _around(told, figure)
    weight = 2.0 * bool(_CONTESTED.search(before)) + 1.0 * bool(_CONTESTED.search(after))
    weight -= 2.0 * bool(_SETTLED.search(before[-40:])) + 0.5 * bool(_SETTLED.search(after[:25]))
    return weight - (1.0 if _is_each(told, figure) else 0)


def _around(told: Plain, figure: Figure) -> tuple[str, str]:
    before = told.words[max(0, figure.start - NEAR) : figure.start]
    after = told.words[figure.end : figure.end + NEAR]
    return re.split(r"[.;\n](?=\s|$)", before)[-1], re.split(r"[.;\n](?=\s|$)", after)[0]


def _is_each(told: Plain, figure: Figure) -> bool:
    """Whether a sum is the price of one unit."""
    return bool(_EACH.match(told.words, figure.end)) or bool(
        _EACH_LEAD.search(told.words[max(0, figure.start - 20) : figure.start])
    )


def _units(told: Plain, figure: Figure) -> int:
    """How many units are contested where a sum is the price of one; 1 where it is none, or nobody says how many."""
    lead = told.words[max(0, figure.start - 40) : figure.start]
    if before := _UNITS_BEFORE.search(lead):
        return _number(before["n"])
    if behind := _UNITS_BEHIND.match(told.words, figure.end):
        return _number(behind["n"])
    return _lacking(told, figure) if _is_each(told, figure) else 1


def _lacking(told: Plain, figure: Figure) -> int:
    """The count nearest to a word of lacking, in the sentences around a price."""
    begin, middle = max(0, figure.start - 200), figure.end + 120
    around = f"{told.words[begin : figure.start]}{' ' * (figure.end - figure.start)}{told.words[figure.end : middle]}"
    lacks = [match.start() for match in _MISSING.finditer(around)]
    counts = [(match.start(), _number(match["n"])) for match in _COUNT.finditer(around)]
    near = (
        [(min(abs(at - lack) for lack in lacks), count) for at, count in counts if 1 < count < 10_000] if lacks else []
    )
    return min(near)[1] if near and min(near)[0] <= 30 else 1


def _number(words: str) -> int:
    return int(words) if words.isdigit() else number_of(words)
