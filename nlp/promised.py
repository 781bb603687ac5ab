"""The day on which the sender promises to pay: the earliest day that stands in a sentence about a payment to come.

Days of the past, days that are asked for ("could we pay on"), days until which the sender cannot pay, and days by
which somebody else is to act are no promises.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from nlp.days import Day
from nlp.letters import Span
from nlp.plain import Plain

MOST_DAYS = 40  # of a letter are weighed
FEW_WORDS = 9  # a letter of so few words needs no word of paying: "tomorrow"


@dataclass(frozen=True, slots=True)
class Promised:
    """Where the day of a promise is named, and which day it is."""

    span: Span
    on: date


PAYING = re.compile(
    r"\bpay(?!ment reminder)|\bpaid\b|\bsettl|\btransf|\bwir(?:e|ing)\b|\bremit|\bclear(?:ed"
    r"|s|ing)?\b|\breleas|\bsend you\b|\bmoney\b|\bche(?:que|ck)s?\b|\brun\b|\bbatch\b|\bbank\b"
    r"|\bbacs\b|\bsepa\b|\bfunds\b"
    r"|\bschedul|\bgoes (?:out|off)\b|\bgo(?:ing)? out\b|\bleaves?\b|\byou(?:'ll| will) have\b"
    r"|\bset(?:tled)? up\b|\bvalue\b|\bapproved for\b|\bdue date\b|\bpromise|\bdirect debit\b"
    r"|\bgets? done\b|\binstal|\bbalance\b|\bit'?s in\b"
    r"|zahl|uberw|ueberw|begleich|beglich|regulier|anweis|angewies|\bgeld\b|lauf\b|\braus\b"
    r"|hinaus|abgebucht|lastschrift|terminiert|vorgemerkt|eingeplant|\beinplan|\bfliest|ausgeglichen"
    r"|\bkommt\b|\bgeht\b|\bgehen\b|\bdran\b|freigegeben|zusage|versprochen|wertstellung"
    r"|valuta|disponiert|betrag\b|\brate\b|\bmach(?:e|en) (?:ich|wir) fertig"
    r"|\bpai|\bpaye|\bregl(?:e|er|ons|ee|es|ees|ement)|\bvir(?:e|er|ee|es|ons|ement|ements"
    r"|erai|erons)\b|\bsold(?:e|er|ee|ons|erai)|\bvers(?:e|er|ons|ement|erai)|\bmandat|\bcheque"
    r"|\bpart(?:ira|iront|ent|)?\b|\bpasse(?:ra)?\b|\bprogramm|\bprelev|\bacquitt|\bcampagne\b"
    r"|\becheance\b"
    r"|\bpag|\btransf|\babon|\bdeposit|\bliquid|\bcancel|\bgir(?:o|amos|aremos|are)\b|\bprogramad"
    r"|\bcorrida\b|\bremesa\b|\bsal(?:e|dra|en|dran)\b|\bva(?:n)?\b|\bingres|\bhago\b|\bmand(?:o"
    r"|are)\b|\bpaso\b|\bsalda|\bcobr"
)
# What turns a day into one that is asked for, or that is another's.
ASKING = re.compile(
    r"\b(?:could|would|can|may|might|shall) (?:you|we|i|it)\b|\bwould it\b|\bany chance\b"
    r"|\bplease (?:\w+ ){0,4}(?:extend|wait|hold|allow|move|push|send|confirm|advise|let"
    r"|provide|reply|resend|forward|issue)|\ballow us\b|\bextension\b|\bgrace\b|\bextend"
    r"|\bif possible\b|\bpossible\?|\bok with you\b|\b(?:you|your) (?:agree|consent|accept)"
    r"|\bkonnten (?:wir|sie|wir's)\b|\bkann (?:ich|man|die|der)\b|\bkonnen (?:wir|sie)\b"
    r"|\bdurfen wir\b|\bdurfte ich\b|\bdarf ich\b|\bware (?:es|ein|das)\b|\bwurden sie\b"
    r"|\bbitte(?:n)? (?:wir |sie |ich |um |euch |bis |noch |\w+ ){0,5}(?:aufschub|verlanger"
    r"|stundung|senden|schicken|bestatig|nachreich|zusend|frist)|\bverlanger|\baufschub|\bstundung"
    r"|\bstunden\b|\beinverstanden\b|\bist das moglich|\bgeht das\b|\bhinausschieb|\bverschieb"
    r"|\bbis spatestens .{0,30}\b(?:gutschrift|korrektur|antwort)"
    r"|\bpourriez|\bpouvez|\baccepteriez|\bserait-il\b|\best-il possible|\bpossible \?|\bsi"
    r" possible|\bca vous va\b|\breport(?:er|iez)?\b|\bdelai (?:de|jusqu|supplement)|\baccord(?:er"
    r"|iez)\b|\bpatienter\b|\bdemand(?:e|ons) un delai|\bproposerai|\bpropos(?:e|ons)\b|\bserait"
    r" possible|\bd'accord \?"
    r"|\bpodr(?:ia|ian|iamos|emos)\b|\bpueden?\b|\bpuede\b|\bpodeis\b|\bsolicit|\bnos (?:aceptan"
    r"|permit|conced|den|dan)|\baplaz|\bprorrog|\bposible\b|\besperar\b|\ble parece\b|\bpropon(?:go"
    r"|emos)\b|\bacepta"
)
UNTIL = re.compile(
    r"\b(?:until|till|not before|no earlier than|nicht vor(?: dem)?|erst nach(?: dem)?|seit(?:"
    r" dem)?|since|pas avant(?: le| la)?|depuis(?: le)?|no antes del?|desde(?: el)?|as of"
    r"|per|per den|stand|vom|dated|dt\.?|of|du|del|datee du|de fecha|fallig(?: am| zum)?"
    r"|was due(?: on)?|echue le|vencio el|invoice date|ordered|delivered|received|geliefert"
    r" am|received on|recu le|livree? le|entregado el|effective|gultig (?:ab|bis)|a compter"
    r" du|a partir del?|ab(?: dem)?|from|zwischen|between|on holiday|closed|geschlossen)(?:"
    r" the| dem| le| el)? $"
)
RUN_OF = re.compile(
    r"(?:lauf|run|campagne|corrida|remesa|batch|echeance|vencimiento) (?:vom|von|of|du|del|de"
    r"|dated)(?: the| el| le)? $"
)
# A condition whose main clause has not yet begun.
CONDITION = re.compile(
    r"\b(?:if|once|as soon as|provided|when|unless|wenn|sobald|falls|sofern|si|s'il|des que|lorsque"
    r"|une fois|cuando|en cuanto|una vez)\b[^,:]{0,200}$"
)
PAST = re.compile(
    r"\b(?:was|were|has been|have been|had|went out|already|did|paid on|left our)\b|\bwurden?\b"
    r"|\bhaben wir .{0,40}(?:bezahlt|uberwiesen|angewiesen)\b|\bbereits\b|\bschon\b|\b(?:a"
    r"|ont|avons|ai) (?:ete )?(?:paye|regle|vire|emis|execute)|\bya\b|\bse (?:pago|transfirio)\b"
    r"|\bpagamos el\b|\bhemos (?:pagado|transferido)"
)
ACTING = re.compile(
    r"\b(?:credit note|replacement|collect(?:ion)?|deliver(?:y|ed)|meeting|statement|reply"
    r"|response|answer|proof|training|course|claims?|hearing|back (?:on|in)|out of (?:the"
    r" )?office|return|holiday|leave|ferien|urlaub|lieferung|termin|schulung|abnahme|ruckmeldung"
    r"|antwort|gutschrift bis|livraison|formation|rendez-vous|reponse|reunion|audiencia|entrega"
    r"|vacaciones|respuesta|baustelle)\b"
)
_SENTENCE = re.compile(r"(?<=[a-z)\]\"'»%€$£])[.!?]+(?=\s)|(?<=\d)[.!?]+(?=\s+(?:[A-Z¿¡«\"]))|[;\n]+|[!?]+(?=\s)")


def promised(
    told: Plain, days: Sequence[Day], new: Sequence[tuple[int, int]], received_on: date, *, is_promise: bool | None
) -> Promised | None:
    """The day promised in the new text, or None.

    `is_promise` is what is known of the letter: False answers None, True takes the likeliest coming day even where no
    sentence says plainly that it is a day of payment, None goes by the sentences alone.
    """
    if is_promise is False:
        return None
    coming = [day for day in days if day.on and day.on >= received_on and _inside(day, new[1:])][:MOST_DAYS]
    weighed = [(_weight(told, day, new, days, received_on), day) for day in coming]
    least = 1.0 if is_promise is None else -1.5
    best = max((weight for weight, _ in weighed), default=0)
    kept = [day for weight, day in weighed if weight >= least and weight >= min(best, 1.0)]
    first = min(kept, key=lambda day: (day.on, day.start), default=None)
    return Promised(told.span(first.start, first.end), first.on) if first and first.on else None


def _inside(day: Day, pieces: Sequence[tuple[int, int]]) -> bool:
    return any(start <= day.start and day.end <= end for start, end in pieces)


def _weight(told: Plain, day: Day, new: Sequence[tuple[int, int]], days: Sequence[Day], received_on: date) -> float:
    """How much speaks for a day of payment; 1 and more is a promise."""
    begin, end = _sentence(told, day, new, days)
    words = told.words[begin:end]
    lead = told.words[max(begin, day.start - 40) : day.start]
    if RUN_OF.search(lead):
        lead = ""
    few = sum(len(told.words[start:stop].split()) for start, stop in new[1:]) <= FEW_WORDS
    weight = 1.5 if PAYING.search(words) or few else 0.0
    weight -= 1.5 if ASKING.search(words) else 0
    weight -= 2.5 if UNTIL.search(lead) else 0
    weight -= 0.8 if PAST.search(words) else 0
    weight -= 1.2 if CONDITION.search(told.words[begin : day.start]) else 0
    weight -= 1.0 if day.on == received_on else 0
    weight -= 0.7 if ACTING.search(told.words[max(begin, day.start - 30) : day.end + 30]) else 0
    weight -= 1.0 if told.text[end : end + 3].strip().startswith("?") or "?" in told.text[begin:end] else 0
    return weight


def _sentence(told: Plain, day: Day, new: Sequence[tuple[int, int]], days: Sequence[Day]) -> tuple[int, int]:
    """The sentence that a day stands in; a full stop of a day itself ends none."""
    low, high = next(piece for piece in new if piece[0] <= day.start < piece[1])
    low, high = max(low, day.start - 400), min(high, day.end + 400)
    begin, end = low, high
    near = [one for one in days if low <= one.start < high]
    for cut in _cuts(told, low, high, near):
        if cut <= day.start:
            begin = cut
        elif cut >= day.end:
            return begin, cut
    return begin, end


def _cuts(told: Plain, low: int, high: int, days: Sequence[Day]) -> Iterator[int]:
    for match in _SENTENCE.finditer(told.text, low, high):
        wrapped = match[0] == "\n" and told.text[match.end() : match.end() + 1].islower()
        if not wrapped and not any(day.start < match.end() <= day.end and match[0] == "." for day in days):
            yield match.end()
