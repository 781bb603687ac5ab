"""The day that a letter promises, and the sum that it contests; received on Tuesday, 11 March 2025."""

from datetime import date
from decimal import Decimal

import pytest

from nlp.entities import Entities, entities_of
from nlp.letters import Letter
from nlp.parts import new_text

PROMISES = """
    will pay friday                                                   | 2025-03-14
    INV-1 is in the run of 20 March.                                  | 2025-03-20
    Wir zahlen 4711 am 28.3. und den Rest Ende April.                 | 2025-03-28
    Le virement est programmé pour lundi prochain.                    | 2025-03-17
    La 2023/0918 va a finales de mes sin falta.                       | 2025-03-31
    If the credit note arrives this week, we'll pay on 5 April.       | 2025-04-05
    Could we pay on 28 March?                                         |
    Wäre es in Ordnung, wenn wir erst am 20. April zahlen?            |
    We paid on 3 March.                                               |
    Please send the credit note by 20 March.                          |
    We will pay within 7 days of receiving the corrected invoice.     |
    Wird bei Fälligkeit bezahlt.                                      |
    No podemos pagar antes del 30 de abril, ¿es posible esperar?      |
"""
DISPUTES = """
    £231.80 of interest is not accepted.                              | 231.80
    6 of the 20 boxes are missing, £7 each on inv 118.                | 42
    Two lines: energy levy EUR 310 and a penalty of EUR 75, remove.   | 385
    Sent EUR 1,460. We deducted EUR 140 for the old logo.             | 140
    Die Rechnung 4711 über 890 EUR bitte stornieren.                  | 890
"""


def _cases(drawn: str) -> list[list[str]]:
    return [[part.strip() for part in line.split("|")] for line in drawn.splitlines() if "|" in line]


def entities(text: str, *intents: str) -> Entities:
    letter = Letter("1", date(2025, 3, 11), "", text)
    return entities_of(letter, new_text(letter), intents=intents or None)


@pytest.mark.parametrize(("text", "wanted"), _cases(PROMISES))
def test_promise(text: str, wanted: str) -> None:
    promised = entities(text).promised
    assert (str(promised.on) if promised else "") == wanted


@pytest.mark.parametrize(("text", "wanted"), _cases(DISPUTES))
def test_contested(text: str, wanted: str) -> None:
    disputed = entities(text, "dispute").disputed
    assert disputed is not None
    assert disputed.value == Decimal(wanted)


def test_known_intents_rule_out() -> None:
    found = entities("Will pay INV-4410 over £80 on Friday.", "other")
    assert (found.promised, found.disputed) == (None, None)
    assert entities("Will pay INV-4410 on Friday.", "auto_reply").invoices == ()
