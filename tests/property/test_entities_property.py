"""Entities of any text: places lie inside the letter, time and number are bounded, marks nobody sees change nothing."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp.entities import Entities, entities_of
from nlp.letters import Letter, Span
from nlp.parts import new_text

# fmt: off
PIECES = st.sampled_from([
    "Rechnung", "invoice", "INV-4410", "4711", ", 02", "bis", "-", "/", "1.234,50", "€", "EUR", "$", "am", "3.5.", "ß",
    "friday", "in 10 days", "KW 12", "PO", "4500098812", "\n", "> ", " ", "\u200f", "\u202e", "0", "９", "І", "½", "n°",
    "we will pay", "too much", "each", "all below", "On 3 March Ann wrote:\n", "İ", "\xa0", "#", "nine hundred",
])
# fmt: on
TEXTS = st.lists(PIECES, max_size=40).map(" ".join) | st.text(max_size=200)


def read(subject: str, body: str, **given: object) -> tuple[Letter, Entities]:
    letter = Letter("1", date(2025, 3, 11), subject, body)
    return letter, entities_of(letter, new_text(letter), **given)


def spans(found: Entities) -> list[Span]:
    every = [one.span for one in (*found.invoices, *found.pos, *found.amounts)]
    return [*every, *([found.promised.span] if found.promised else [])]


@given(TEXTS, TEXTS)
@settings(max_examples=300, deadline=None)
def test_places_lie_inside_the_letter(subject: str, body: str) -> None:
    letter, found = read(subject, body)
    for span in spans(found):
        assert 0 <= span.start < span.end <= len(letter.text)
    for one in found.amounts:
        assert one.value > 0
        assert letter.quote(one.span).strip() == letter.quote(one.span)
    for one in found.invoices:
        assert all(any(sign.isdigit() for sign in number) for number in one.numbers)
    assert not found.promised or found.promised.on >= letter.received_on


@given(TEXTS)
@settings(max_examples=100, deadline=None)
def test_only_new_text_gives_sums(body: str) -> None:
    letter = Letter("1", date(2025, 3, 11), "", body)
    found = entities_of(letter, [Span(0, 0)])
    assert found.amounts == ()
    assert found.promised is None


def test_homoglyphs_and_marks_of_direction_are_folded() -> None:
    letter, found = read("", "Invoice \u202eІNV\u200f-4410\u202c is wrong")
    assert found.invoices[0].numbers == ("INV-4410",)
    assert letter.quote(found.invoices[0].span) == "ІNV\u200f-4410"


def test_an_o_for_a_zero_is_forgiven_where_the_ledger_is_known() -> None:
    _, found = read("", "Invoice INV-441О is wrong", known=("INV-4410", "INV-4411"))
    assert (found.invoices[0].numbers, found.invoices[0].scores) == (("INV-4410",), (1.0,))


def test_a_known_number_is_given_as_the_ledger_has_it() -> None:
    known = ("INV-004410", "INV-004499", "RE-2024-018")
    _, found = read("", "invoice INV-4410, invoice RE2024/018 and invoice INV-0O4498", known=known)
    told = {number: score for one in found.invoices for number, score in zip(one.numbers, one.scores, strict=True)}
    assert told["INV-004410"] == 1
    assert told["RE-2024-018"] == 1


def test_a_number_that_the_ledger_has_nothing_like_stays_with_score_0() -> None:
    _, found = read("", "invoice ZZ-998877", known=("INV-004410",))
    assert (found.invoices[0].numbers, found.invoices[0].scores) == (("ZZ-998877",), (0.0,))


@pytest.mark.parametrize(
    "unit",
    ["1", "1.1", "1 000 ", "1/2", "A ", "invoice ", "INV-4410, ", ", 11", "hundred ", "ein", " ", "\n", "a@", "monday ",
     "am 1. ", "ende des ", "€ 1 ", "DE12 ", "0123 ", "+1 ", "1-", "if pay friday ", "(", "\u200f1", "ref "],
)  # fmt: skip
def test_hostile_text_is_read_in_bounded_time(unit: str) -> None:
    letter = Letter("1", date(2025, 3, 11), "INV-4410", unit * (100_000 // len(unit)))
    entities_of(letter, [Span(0, 8), Span(9, len(letter.text))])


def test_a_letter_of_five_million_characters() -> None:
    _, found = read("INV-4410", "x" * 5_000_000)
    assert found.invoices[0].numbers == ("INV-4410",)
