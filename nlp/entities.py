"""What a letter names, with the places: invoices, orders, sums, the day of a promise, the contested sum.

    letter ─▶ plain text ─┬▶ days, sums          bounded patterns and parsers
                          └▶ number candidates ─▶ judge ─▶ invoices, orders ─▶ the ledger, where known

Every place counts characters of `Letter.text`. Only the sender's new text is read for values; the quoted part lends
evidence and, where the sender points at it, invoice numbers.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from nlp.amounts import Amount, Figure, amounts_of, figures_in
from nlp.days import Day, days_in
from nlp.disputed import Disputed, disputed
from nlp.ledger_numbers import matched
from nlp.letters import Letter, Span
from nlp.number_lists import Told, told_numbers
from nlp.number_rules import Judge, by_ledger, by_rules
from nlp.numbers import candidates_in
from nlp.plain import Plain, plain
from nlp.promised import Promised, promised
from nlp.references import Reference, referred_to


@dataclass(frozen=True, slots=True)
class Entities:
    """What a letter names. `numbers` of references and values of `amounts` may repeat; the places differ."""

    invoices: tuple[Reference, ...] = ()
    pos: tuple[Reference, ...] = ()
    amounts: tuple[Amount, ...] = ()
    promised: Promised | None = None
    disputed: Disputed | None = None


def entities_of(
    letter: Letter,
    new: Sequence[Span],
    language: str | None = None,
    *,
    quoted: Sequence[Span] | None = None,
    intents: Collection[str] | None = None,
    known: Collection[str] = (),
    judge: Judge = by_rules,
) -> Entities:
    """The entities of a letter whose sender wrote the spans `new` (`parts.new_text`, the subject first).

    `quoted` are the spans of the earlier correspondence; without them all that is not new is taken for it.
    `intents` are the letter's, where they are known: a promised day belongs to a promise and a contested sum to a
    dispute alone, and a robot's answer refers to nothing. `known` are the ledger's invoice numbers: what the letter
    calls nearly so is given as the ledger's, with a score.
    """
    told = plain(letter.text)
    pieces = _pieces(told, new) or [(0, 0)]
    history = None if quoted is None else _pieces(told, quoted)
    days = days_in(
        told.words, letter.received_on, month_first=language == "en" and "$" in told.words and "a$" not in told.words
    )
    figures = figures_in(told, [(day.start, day.end) for day in days if day.exact])
    mine = [figure for figure in figures if _inside(figure, pieces)]
    amounts = amounts_of(told, figures, mine)
    references: tuple[Reference, ...] = ()
    if not _is(intents, "auto_reply"):
        references = _references(
            letter, told, pieces, history, [*figures, *days], by_ledger(known, judge) if known else judge
        )
    if known:
        references = matched(references, known)
    return Entities(
        invoices=tuple(one for one in references if one.kind == "invoice"),
        pos=tuple(one for one in references if one.kind == "po"),
        amounts=tuple(amounts),
        promised=promised(told, days, pieces, letter.received_on, is_promise=_is(intents, "promise_to_pay")),
        disputed=disputed(told, mine, amounts, is_dispute=_is(intents, "dispute")),
    )


def _pieces(told: Plain, spans: Sequence[Span]) -> list[tuple[int, int]]:
    """The spans as places of the plain text, without those behind its end."""
    placed = [(told.place(span.start), told.place(span.end)) for span in spans]
    return [(start, end) for start, end in placed if start < len(told.text)]


def _is(intents: Collection[str] | None, intent: str) -> bool | None:
    return None if intents is None else intent in intents


def _inside(one: Figure | Day | Told, pieces: Sequence[tuple[int, int]]) -> bool:
    return any(start <= one.start and one.end <= end for start, end in pieces)


def _references(
    letter: Letter,
    told: Plain,
    new: Sequence[tuple[int, int]],
    quoted: Sequence[tuple[int, int]] | None,
    found: Sequence[Figure | Day],
    judge: Judge,
) -> tuple[Reference, ...]:
    """The invoices and orders; sums and exact days among what was `found` are no candidates."""
    money = [(one.start, one.end) for one in found if isinstance(one, Figure)]
    taken = [*money, *((one.start, one.end) for one in found if isinstance(one, Day) and one.exact)]
    candidates = candidates_in(told, new, told.place(len(letter.subject)), taken)
    numbers = told_numbers(told, candidates, judge(told, candidates, money))
    kept = [one for one in numbers if one.is_new or quoted is None or _inside(one, quoted)]
    return tuple(
        Reference(told.span(one.start, one.end), one.kind.value, one.numbers) for one in referred_to(told, kept, new)
    )
