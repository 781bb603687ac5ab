"""Sums of money as people write them: the text, then value and currency of each sum in order; `-` is no currency."""

from datetime import date
from decimal import Decimal

import pytest

from nlp.entities import entities_of
from nlp.letters import Letter
from nlp.parts import new_text

DRAWN = """
    # every local way of writing
    über 1.234,50 € bezahlt                     | 1234.50 EUR
    EUR 1,234.50 paid                           | 1234.50 EUR
    soit 1 234,50 EUR                           | 1234.50 EUR
    CHF 4'870.35 offen                          | 4870.35 CHF
    500.– CHF Pauschale                         | 500 CHF
    $12k today                                  | 12000 USD
    about 12.5k EUR                             | 12500 EUR
    980,- € Miete                               | 980 EUR
    £4,310 is due                               | 4310 GBP
    MXN 18,400.00 pendientes                    | 18400 MXN
    son 45.000 ARS                              | 45000 ARS
    1.12m EUR turnover                          | 1120000 EUR
    2 Mio. EUR Umsatz                           | 2000000 EUR
    2 M€ de portefeuille                        | 2000000 EUR
    Rs. 1,12,500.00 released                    | 112500 INR
    14 325 000 FCFA restent                     | 14325000 XOF
    C$14,275.60 sent                            | 14275.60 CAD
    A$1,320 for September                       | 1320 AUD
    $ 3.480.000 COP retenidos                   | 3480000 COP
    6 214,35 $ CA posté                         | 6214.35 CAD
    0,118 EUR le flyer                          | 0.118 EUR
    447 euros 20 de frais                       | 447.20 EUR
    at forty two pounds each                    | 42 GBP
    doscientos noventa euros, vale              | 290 EUR
    zweihundert Euro Abzug                      | 200 EUR
    # a sign that several countries use
    kr 48 312,50 to your Danske account         | 48312.50 DKK
    kr 4 500, Stockholm                         | 4500 SEK
    $50.00, dollars canadiens                   | 50 CAD
    2.350 pesos, con CFDI                       | 2350 MXN
    # bare figures take the letter's currency
    Deposit was 4.50 a crate and £65 per dolly  | 4.50 GBP, 65 GBP
    quote said 1,800 you billed 2,150           | 1800 -, 2150 -
    71.00 per keg vs 68.50. Everything in euro  | 71 EUR, 68.50 EUR
    # no amounts
    frei Haus ab 500 €                          |
    franco dès 350 €                            |
    19 % MwSt                                   |
    18 200 clics                                |
    486,2 t statt 461,7 t                       |
    um 10.41 Uhr am 31.10.2024                  |
    Rechnung 88.301                             |
    64 euro crates went back                    |
    VR-88.201                                   |
"""
CASES = [[part.strip() for part in line.split("|")] for line in DRAWN.splitlines() if "|" in line]


@pytest.mark.parametrize(("text", "wanted"), CASES, ids=[case[0] for case in CASES])
def test_sums(text: str, wanted: str) -> None:
    letter = Letter("1", date(2025, 3, 11), "", text)
    amounts = entities_of(letter, new_text(letter)).amounts
    told = [one.split() for one in wanted.split(",") if one.strip()]
    assert [(one.value, one.currency) for one in amounts] == [
        (Decimal(value), None if code == "-" else code) for value, code in told
    ]


def test_the_place_is_the_figure_with_its_sign() -> None:
    letter = Letter("1", date(2025, 3, 11), "Rg 4711 über 80 €", "Davon 1.234,50 € nicht.")
    amounts = entities_of(letter, new_text(letter)).amounts
    assert [letter.quote(one.span) for one in amounts] == ["80 €", "1.234,50 €"]
