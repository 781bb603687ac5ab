"""Which invoices and orders a text names: the text, then invoices, then orders. History stands behind `>`."""

from datetime import date

import pytest

from nlp.entities import entities_of
from nlp.letters import Letter
from nlp.number_cues import Kind
from nlp.parts import new_text

DRAWN = """
    # words around the number are dropped, attached prefixes stay
    Invoice #INV-4410 is open.                            | INV-4410
    Rg. Nr. 4711023 bitte stornieren                      | 4711023
    Rechnung Nr.4711 vom 3.5.                             | 4711
    facture n°88.301                                      | 88.301
    la fra. nº 24/1187                                    | 24/1187
    RE2024/018 fehlt uns                                  | RE2024/018
    RG 26/3380 ist bezahlt                                | 26/3380
    Wir zahlen R 2024 1187 morgen                         | R 2024 1187
    la FC 00021-00034512 vencida                          | FC 00021-00034512
    Inv: SI/24-25/0098                                    | SI/24-25/0098
    unter Rechnungsnummer 9000123456 gebucht              | 9000123456
    numéro de facture : FA0012345                         | FA0012345
    Factura N.º A-7731 recibida                           | A-7731
    # ranges and shared stems
    Rechnungen 5501 bis 5504                              | 5501 5502 5503 5504
    invoices 5501-5504                                    | 5501 5502 5503 5504
    invoices 5501 – 5504 are paid                         | 5501 5502 5503 5504
    invoices INV-7701, 02 and 09                          | INV-7701 INV-7702 INV-7709
    facturas F-311/315/340                                | F-311 F-315 F-340
    E-4471 through E-4474                                 | E-4471 E-4472 E-4473 E-4474
    E-4471 thru 4474                                      | E-4471 E-4472 E-4473 E-4474
    de la A/3301 a la A/3303                              | A/3301 A/3302 A/3303
    du n° 2201 au n° 2203                                 | 2201 2202 2203
    Rechnungen RE-2024-118 bis -121                       | RE-2024-118 RE-2024-119 RE-2024-120 RE-2024-121
    Rechnungen RE-2024-118, -119 und -125                 | RE-2024-118 RE-2024-119 RE-2024-125
    Rg. RG-4711/12/13                                     | RG-4711 RG-4712 RG-4713
    invoices INV-7701/02                                  | INV-7701 INV-7702
    invoices 4711/4712/4713                               | 4711 4712 4713
    SI-4410 to SI-4412 inclusive                          | SI-4410 SI-4411 SI-4412
    factures FV-101, 102 et 105                           | FV-101 FV-102 FV-105
    factures 2024-0881 à 0883                             | 2024-0881 2024-0882 2024-0883
    facturas 0004-00009912 y 9918                         | 0004-00009912 0004-00009918
    Rechnungen 24-0377 und 0379                           | 24-0377 24-0379
    RE-100 - RE-102                                       | RE-100 RE-101 RE-102
    INV-2201..2204                                        | INV-2201 INV-2202 INV-2203 INV-2204
    factures 118 à 121                                    | 118 119 120 121
    Belege 90-100/101/102                                 | 90-100 90-101 90-102
    invoices INV-7701 & 7705                              | INV-7701 INV-7705
    les factures LOC-0811, LOC-0812 et LOC-0815           | LOC-0811 LOC-0812 LOC-0815
    invoice 2310-5588                                     | 2310-5588
    invoices between 5501 and 5503                        | 5501 5502 5503
    Rechnungen 5501 bis zur 5503                          | 5501 5502 5503
    INV-0098 -> INV-0101                                  | INV-0098 INV-0099 INV-0100 INV-0101
    Rg. RE-10220 (1.200,00 €), Rg. 10221 (300,00 €)       | RE-10220 RE-10221
    INV/0077-26 and 1187/25                               | INV/0077-26 1187/25
    # orders
    PO 4500098812 is closed                               |                 | 4500098812
    our order PO7719 refers                               |                 | PO7719
    Unsere Bestellung BE-55091 zur Rg 24-0377             | 24-0377         | BE-55091
    la OC 4800031190 ya no tiene saldo                    |                 | 4800031190
    bon de commande n° 25-00441                           |                 | 25-00441
    pedido 4417, factura 5520                             | 5520            | 4417
    Invoice 88112 / PO PO-33718                           | 88112           | PO-33718
    # other numbers
    Lieferschein 88120 und Rechnung 4711                  | 4711
    delivery note 30981                                   |
    credit note CN-0718 against invoice 60-11284          | 60-11284
    Gutschrift GS-4410                                    |
    avoir AV-0091 reçu                                    |
    nota de crédito NC 0003-00000118                      |
    Kundennr. 77120, Rg. 4712                             | 4712
    account 40071 - invoice 4713                          | 4713
    our invoice WQ-0118 to you                            |
    ticket 558120                                         |
    Tel. 02771 / 33 09 81                                 |
    IBAN DE75 5121 0800 1245 1261 99                      |
    Schecknummer 7714402                                  |
    chèque Crédit Agricole n° 7714402                     |
    quotation Q-5571 dated 4 January                      |
    Vertrag RV-2023/4                                     |
    albarán 99031 firmado                                 |
    22 pallets in 2024                                    |
    8350 Fehring                                          |
    RAL 7035 statt RAL 7016                               |
    DIN 1045                                              |
    VAT GB774410098                                       |
    call 07700 900318                                     |
    # no word at all
    3319 eben überwiesen                                  | 3319
    why are we charged for delivery on 7714?              | 7714
    mándame otra vez la 2025-014                          | 2025-014
    la 30551, c'est avril ?                               | 30551
    90-3311 can wait                                      | 90-3311
    Your 7702013 counts 31                                | 7702013
"""
CASES = [
    [part.strip() for part in f"{line}||".split("|")[:3]]
    for line in DRAWN.splitlines()
    if line.strip() and not line.strip().startswith("#")
]


def entities(text: str, subject: str = "", **given: object):
    letter = Letter("1", date(2025, 3, 11), subject, text)
    return letter, entities_of(letter, new_text(letter), **given)


@pytest.mark.parametrize(("text", "invoices", "orders"), CASES, ids=[case[0] for case in CASES])
def test_names(text: str, invoices: str, orders: str) -> None:
    _, found = entities(text)
    wanted = [text[text.index(n) :][: len(n)] for n in ("R 2024 1187", "FC 00021-00034512") if n == invoices]
    assert [number for one in found.invoices for number in one.numbers] == (wanted or invoices.split())
    assert [number for one in found.pos for number in one.numbers] == orders.split()


QUOTED = """
On 3 March 2025, Credit Control <cc@seller.example> wrote:
> INV-4410   GBP 415.00
> INV-4411   GBP 80.00
"""


def test_all_below_names_the_quoted_ones() -> None:
    _, found = entities(f"Both go out on Friday.\n{QUOTED}")
    assert [number for one in found.invoices for number in one.numbers] == ["INV-4410", "INV-4411"]


def test_a_bare_reply_to_one_reminder_names_its_invoice() -> None:
    _, found = entities("Done, just now.\n" + QUOTED.replace("> INV-4411   GBP 80.00\n", ""))
    assert [number for one in found.invoices for number in one.numbers] == ["INV-4410"]


def test_of_several_quoted_ones_none_is_named_without_a_word() -> None:
    _, found = entities(f"Please ring me.\n{QUOTED}")
    assert found.invoices == ()


def test_the_line_above_an_answer_is_named() -> None:
    _, found = entities("> 1) LOC-8814 - 80.00\nPaid.\n\n> 2) LOC-8879 - 95.00\n")
    assert [number for one in found.invoices for number in one.numbers] == ["LOC-8814"]


def test_a_robot_that_repeats_our_subject_names_nothing() -> None:
    _, found = entities("I am away until Monday.", subject="Automatic reply: Reminder invoice 4711")
    assert found.invoices == ()


def test_the_place_of_a_member_is_its_own() -> None:
    letter, found = entities("invoices INV-7701, 02, Rg. 5501-5503")
    assert [letter.quote(one.span) for one in found.invoices] == ["INV-7701", "02", "5501-5503"]


def test_another_judge_can_be_put_in() -> None:
    letter, found = entities("delivery note 30981", judge=lambda told, numbers, money: [Kind.INVOICE for _ in numbers])
    assert [letter.quote(one.span) for one in found.invoices] == ["30981"]
