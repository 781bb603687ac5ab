"""The invoices and orders that a letter refers to: what the sender wrote, and what stands only in the quoted part
where the sender points at it ("all three below", or a bare reply to a reminder of one invoice).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nlp.letters import Span
from nlp.number_cues import Kind
from nlp.number_lists import Told
from nlp.plain import Plain


@dataclass(frozen=True, slots=True)
class Reference:
    """What a letter calls an invoice or order: the place, and the ledger's numbers that it names.

    `scores` tell how alike each number and the ledger's are, 1 for the same; empty where no ledger was given.
    """

    span: Span
    kind: str
    numbers: tuple[str, ...]
    scores: tuple[float, ...] = ()


# The sender names some and means those below as well.
OTHERS = re.compile(
    r"\b(?:the (?:other|remaining) (?:ones?|two|three|four|five|invoices|items)|the others"
    r"|(?:all|both) (?:others|the others|of (?:them|these|the below)|below|listed)|the rest"
    r" (?:of (?:the )?(?:list|invoices)|below)|everything else (?:below|on)"
    r"|(?:die|alle) (?:anderen?|ubrigen|uebrigen|restlichen|unten)(?: (?:rechnungen|posten"
    r"|zwei|drei|vier|beiden))?|(?:toutes? )?les (?:autres|deux autres|trois autres)|las"
    r" (?:demas|otras)|los demas|las? otras? (?:dos|tres))\b"
)
ALL_BELOW = re.compile(
    r"\b(?:all|both|each|every|these|those|the (?:two|three|four|five|six|lot|others?)|everything"
    r"|alle[rn]?|beide[rsn]?|diese|samtliche|die (?:zwei|drei|vier|funf|posten|rechnungen"
    r"|liste)|sus (?:dos|tres|cuatro)"
    r"|tou(?:s|tes)|les (?:deux|trois|quatre|cinq)|ces (?:deux|trois|quatre|factures)|tod[ao]s"
    r"|amb[ao]s|las? (?:dos|tres|cuatro)|los (?:dos|tres|cuatro)|estas|esas|the list|listed"
    r"|list(?:e|a)?|open (?:items|invoices))\b"
)


# Subjects of robots that repeat ours: what they name, nobody refers to.
ROBOT_SUBJECT = re.compile(
    r"^\W{0,3}(?:automatic reply|auto(?:matic)?[- ]?(?:reply|response)|out of (?:the )?office"
    r"|ooo\b|undeliver|delivery (?:status|delayed|has failed|failure)|mail delivery|returned"
    r" mail|failure notice|read: "
    r"|automatische (?:antwort|abwesenheit)|abwesen|abwesenheits|unzustellbar|zustell|gelesen:"
    r" |reponse automatique|absen(?:t|te|ce)\b|echec|non (?:remis|distribu)|message non"
    r"|respuesta automatica|fuera de (?:la )?oficina|ausen(?:te|cia)|no se (?:pudo|puede)"
    r" entregar|devuelto|undelivered|(?:\[?ticket|\[#)\W?\d*)"
)


def referred_to(told: Plain, numbers: Sequence[Told], new: Sequence[tuple[int, int]]) -> list[Told]:
    """Those that the letter's new text refers to: its own, and quoted ones that it points at.

    A quoted number counts where the sender names no invoice: the only one that is quoted, all of them where the sender
    says "both" or "all", and those of the quoted line above an answer.
    """
    robot = ROBOT_SUBJECT.search(told.words)
    own = [one for one in numbers if one.is_new and not (robot and one.in_subject)]
    said = " ".join(told.words[start:end] for start, end in new[1:])
    if robot or (any(one.kind is Kind.INVOICE for one in own) and not OTHERS.search(said)):
        return own
    quoted = [one for one in numbers if not one.is_new and one.kind is Kind.INVOICE]
    return [*own, *_pointed_at(told, quoted, new, said)]


def _pointed_at(told: Plain, quoted: list[Told], new: Sequence[tuple[int, int]], said: str) -> list[Told]:
    distinct = {number for one in quoted for number in one.numbers}
    if len(distinct) <= 1 or ALL_BELOW.search(said):
        return quoted
    starts = [start for start, end in new[1:] if told.words[start:end].strip()]
    return [
        one
        for one in quoted
        if any(
            0 <= start - one.end <= 160
            and "\n" in told.words[one.end : start]
            and told.words.count("\n", one.end, start) <= 2
            for start in starts
        )
    ]
