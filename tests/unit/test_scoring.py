"""Measures of answers, by hand."""

from datetime import date
from decimal import Decimal

import pytest

from nlp.labelled import Money, Said
from nlp.scoring import Answer, measures

EIGHTY = Money(Decimal(80), "EUR")


def said(*intents: str, reasons: tuple[str, ...] = (), invoices: tuple[str, ...] = (), on: date | None = None) -> Said:
    return Said(frozenset(intents), frozenset(reasons), frozenset(invoices), promised_on=on)


def test_f1_of_labels_and_entities() -> None:
    truths = [said("dispute", reasons=("tax",), invoices=("1", "2")), said("other"), said("dispute")]
    answers = [
        said("dispute", "promise_to_pay", reasons=("tax", "freight"), invoices=("1",)),
        said("other"),
        said("other"),
    ]
    told = measures([(t, Answer(a, 0.5)) for t, a in zip(truths, answers, strict=True)])
    assert told["intents.micro_f1"] == pytest.approx(2 * 2 / (2 * 2 + 2 + 1)), "right 2, wrong 2, missed 1"
    by_label = {"dispute": 2 / 3, "other": 2 / 3, "promise_to_pay": 0.0}
    assert told["intents.macro_f1"] == pytest.approx(sum(by_label.values()) / 3), "labels nobody named do not count"
    assert told["reasons.macro_f1"] == pytest.approx(0.5)
    assert (told["invoice_numbers.precision"], told["invoice_numbers.recall"]) == (1.0, 0.5)
    assert told["intents.exact"] == pytest.approx(1 / 3)


def test_nothing_to_measure_on_is_no_figure() -> None:
    told = measures([(said("other"), Answer(said("other"), 1.0))])
    assert told["po_numbers.f1"] is None
    assert told["promised_on.exact"] is None
    assert told["reasons.macro_f1"] is None


def test_a_promised_day_counts_where_either_side_names_one() -> None:
    day, later = date(2025, 3, 7), date(2025, 3, 8)
    pairs = [(day, day), (day, None), (None, later), (None, None)]
    told = measures([(said("other", on=t), Answer(said("other", on=a), 1.0)) for t, a in pairs])
    assert told["promised_on.exact"] == pytest.approx(1 / 3)


def test_what_abstaining_buys() -> None:
    right, wrong = (said("dispute"), said("dispute")), (said("dispute"), said("other"))
    pairs = [(right, 0.9, False), (right, 0.8, False), (wrong, 0.7, False), (right, 0.6, True), (wrong, 0.1, True)]
    told = measures([(t, Answer(a, sure, abstained)) for (t, a), sure, abstained in pairs])
    assert told["abstention.coverage"] == 0.6
    assert told["abstention.error"] == pytest.approx(1 / 3)
    assert told["abstention.error_at_80"] == pytest.approx(1 / 4), "of the four that it is surest of"
