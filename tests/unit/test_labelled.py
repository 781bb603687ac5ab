"""Labelled letters are read strictly: what does not fit is named by file, line and field."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from features.errors import BadInput
from nlp.labelled import Money, Said, read
from nlp.labels import INTENTS, REASONS

LINE: dict[str, Any] = {
    "id": "m-1", "lang": "en", "received_on": "2025-03-03", "subject": "4711", "body": "short by 80",
    "intents": ["dispute"], "dispute_reasons": ["quantity"], "invoice_numbers": ["4711"], "po_numbers": [],
    "amounts": [[80, "EUR"]], "promised_on": None, "disputed_amount": [80, "EUR"],
}  # fmt: skip


def written(folder: Path, *changes: dict[str, Any]) -> Path:
    path = folder / "inbox.jsonl"
    path.write_text("\n".join(json.dumps(LINE | {"id": f"m-{k}"} | change) for k, change in enumerate(changes)))
    return path


def test_a_line_is_a_letter_and_what_it_says(tmp_path: Path) -> None:
    (told,) = read(written(tmp_path, {"promised_on": "2025-03-07", "more": 1}))
    eighty = Money(Decimal(80), "EUR")
    assert (told.letter.text, told.lang) == ("4711\nshort by 80", "en")
    assert told.said == Said(
        frozenset({"dispute"}), frozenset({"quantity"}), frozenset({"4711"}), frozenset(), frozenset({eighty}),
        date(2025, 3, 7), eighty,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "money"),
    [
        ([80, "EUR"], ("80", "EUR")),
        ([80.5, None], ("80.5", "")),
        ({"value": 80, "currency": "EUR"}, ("80", "EUR")),
        ({"amount": "80.00", "currency": None}, ("80", "")),
        ("80.00 eur", ("80", "EUR")),
        (-1200, ("1200", "")),
    ],
)
def test_amounts_come_in_several_forms_unsigned_and_by_value(tmp_path: Path, given: object, money: Any) -> None:
    (told,) = read(written(tmp_path, {"amounts": [given]}))
    assert told.said.amounts == {Money(Decimal(money[0]), money[1])}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"intents": ["complaint"]}, r"line 1: intents has 'complaint'; allowed: dispute, "),
        ({"dispute_reasons": ["price"]}, r"line 1: dispute_reasons has 'price'; allowed: pricing, "),
        ({"received_on": "3.3.2025"}, r"line 1: Invalid RFC3339"),
        ({"amounts": ["much"]}, r"line 1: amounts has 'much'; allowed: \[1234\.5"),
        ({"disputed_amount": [True, "EUR"]}, r"line 1: disputed_amount has True"),
        ({"amounts": [{"sum": 80}]}, r"line 1: amounts has "),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        list(read(written(tmp_path, change)))


def test_an_id_stands_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"line 2: id 'm-0' was used before"):
        list(read(written(tmp_path, {}, {"id": "m-0"})))


def test_the_corpus_keeps_to_its_contract() -> None:
    """Mails read; clauses have known labels, and `near` only without any."""
    folder = Path(__file__).parents[2] / "nlp" / "corpus"
    mails = [told for path in sorted(folder.glob("mails-*.jsonl")) for told in read(path)]
    assert len({told.letter.id for told in mails}) == len(mails) > 1_000
    for told in mails:
        assert all(surface in told.letter.text for _, surface in told.spans), told.letter.id
        assert not told.said.reasons or "dispute" in told.said.intents, told.letter.id
    known = {intent.name for intent in INTENTS} - {"dispute"} | {"dispute/"} | {f"dispute/{r.name}" for r in REASONS}
    for path in sorted(folder.glob("clauses-*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            clause = json.loads(line)
            assert set(clause["labels"]) <= known, f"{path.name} line {number}"
            assert clause["text"].strip(), f"{path.name} line {number}"
            assert clause["near"] is None or not clause["labels"], f"{path.name} line {number}"
