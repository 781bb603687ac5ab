"""CSV statements by layout."""

import io
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from features.errors import BadInput, BadSetting
from pipelines.bank import csv
from pipelines.bank.layout import Layout
from pipelines.bank.statement import Statement

PLAIN = Layout(account="NL41 1", date="day", amount="amount", currency="EUR", remittance=("text",))
GERMAN = Layout(
    account="DE1",
    date="Buchung",
    value_date="Wert",
    debit="Soll",
    credit="Haben",
    balance="Saldo",
    remittance=("Zweck", "Zweck 2"),
    payer_name="Name",
    payer_account="IBAN",
    bank_reference="Ref",
    end_to_end_id="E2E",
    code="Art",
    currency_column="Waehrung",
    date_format="%d.%m.%Y",
    decimal=",",
    thousands=".",
    separator=";",
    encoding="cp1252",
    header_row=3,
    newest_first=True,
)
GERMAN_TEXT = """Konto;DE1

Buchung;Wert;Zweck;Zweck 2;Name;IBAN;Ref;E2E;Art;Soll;Haben;Waehrung;Saldo
03.03.2026;03.03.2026;Gebühr;;;;;;FEE;-5,00;;EUR;1.995,00
02.03.2026;04.03.2026;INV-1;INV-2;Müller;de 22;B1;E1;TRF;;1.000,00;EUR;2.000,00
"""


def parsed(content: str | bytes, layout: Layout = PLAIN) -> list[Statement]:
    data = content.encode(layout.encoding or "utf-8") if isinstance(content, str) else content
    return csv.parse(io.BytesIO(data), "s.csv", layout)


def refused(content: str | bytes, layout: Layout = PLAIN) -> str:
    with pytest.raises(BadInput) as caught:
        parsed(content, layout)
    return str(caught.value)


def test_a_layout_reads_what_a_bank_writes() -> None:
    [found] = parsed(GERMAN_TEXT, GERMAN)
    assert (found.account, found.currency, found.from_day, found.to_day) == (
        "DE1",
        "EUR",
        date(2026, 3, 2),
        date(2026, 3, 3),
    )
    assert (found.opening_minor, found.closing_minor) == (100000, 199500)
    first, fee = found.entries
    assert (first.amount_minor, first.value_date, first.remittance) == (100000, date(2026, 3, 4), "INV-1 INV-2")
    assert (first.payer_name, first.payer_account, first.bank_reference) == ("Müller", "DE22", "B1")
    assert (first.end_to_end_id, first.code, first.place) == ("E1", "TRF", "s.csv line 5")
    assert (fee.amount_minor, fee.remittance, fee.place) == (-500, "Gebühr", "s.csv line 4")


def test_a_text_over_two_lines_does_not_shift_places() -> None:
    found = parsed('day,amount,text\n2026-03-02,1.00,"a\nb"\n\n2026-03-03,-2.00,=SUM(1)\n')[0].entries
    assert [(e.place, e.amount_minor) for e in found] == [("s.csv line 2", 100), ("s.csv line 5", -200)]
    assert found[1].remittance == "=SUM(1)"


def test_a_row_that_is_missing_shows_in_the_balance() -> None:
    layout = replace(PLAIN, balance="balance")
    rows = ["2026-03-02,1.00,a,11.00", "2026-03-03,2.00,b,13.00", "2026-03-04,3.00,c,16.00"]
    whole = "\n".join(["day,amount,text,balance", *rows])
    assert (parsed(whole, layout)[0].opening_minor, parsed(whole, layout)[0].closing_minor) == (1000, 1600)
    message = refused(whole.replace(rows[1] + "\n", ""), layout)
    assert message == "s.csv line 3: the balance is 2.00 EUR off; is a row missing before it?"
    assert parsed(whole.replace(",13.00", ","), layout)[0].opening_minor is None


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("2026-02-30,1.00,a", "line 2: day is '2026-02-30'; allowed: a day that exists, written %Y-%m-%d"),
        (",1.00,a", "line 2: day is None"),
        ("2026-03-02,1.001,a", "at most 2 decimals"),
        ("2026-03-02,1e3,a", "amount is '1e3'"),
        ("2026-03-02,,a", "amount is ''"),
        ('2026-03-02,"1,000.00",a', "amount is '1,000.00'"),
        ("2026-03-02,1.00", "line 2: 2 fields; allowed: 3; is the file whole?"),
        ('2026-03-02,1.00,"a', "unexpected end of data"),
        ("0026-03-02,1.00,a", "day is '0026-03-02'"),
    ],
)
def test_what_is_wrong_is_named(row: str, told: str) -> None:
    message = refused(f"day,amount,text\n{row}")
    assert message.startswith("s.csv line 2: ")
    assert told in message


@pytest.mark.parametrize(
    ("head", "told"),
    [("day,amount", "line 1: no single column 'text'"), ("day,amount,text,day", "no single column 'day'")],
)
def test_columns_that_the_layout_names_must_be_there_once(head: str, told: str) -> None:
    assert told in refused(f"{head}\n")


def test_an_empty_file_has_no_header() -> None:
    assert "line 1: no column names" in refused("")
    assert parsed("day,amount,text\n") == []


def test_bytes_outside_the_encoding_are_named() -> None:
    content = "day,amount,text\n2026-03-02,1.00,Müller\n".encode("cp1252")
    assert parsed(content)[0].entries[0].remittance == "Müller"
    assert "line 2: byte 0xfc is not utf-8" in refused(content, replace(PLAIN, encoding="utf-8"))


def test_an_indicator_decides_the_sign() -> None:
    layout = replace(PLAIN, indicator="kind", debit_marks=("D",), credit_marks=("C",))
    found = parsed("day,amount,text,kind\n2026-03-02,1.00,a,D\n2026-03-02,-2.00,b,C\n", layout)[0].entries
    assert [e.amount_minor for e in found] == [-100, 200]
    assert "kind is 'X'; allowed: D or C" in refused("day,amount,text,kind\n2026-03-02,1.00,a,X\n", layout)


@pytest.mark.parametrize("pair", ["1,2", ","])
def test_exactly_one_of_debit_and_credit_is_filled(pair: str) -> None:
    layout = replace(PLAIN, amount=None, debit="out", credit="in")
    filled = 2 if pair == "1,2" else 0
    assert f"{filled} of out and in are filled" in refused(f"day,out,in,text\n2026-03-02,{pair},a\n", layout)


def test_two_currencies_are_two_statements() -> None:
    layout = replace(PLAIN, currency=None, currency_column="ccy")
    found = parsed("day,amount,text,ccy\n2026-03-02,1.00,a,EUR\n2026-03-02,5,b,JPY\n", layout)
    assert [(s.currency, s.entries[0].amount_minor) for s in found] == [("EUR", 100), ("JPY", 5)]
    assert found[0].statement_id != found[1].statement_id
    assert "unknown currency 'xx'" in refused("day,amount,text,ccy\n2026-03-02,1.00,a,xx\n", layout)


def test_a_minus_may_stand_behind() -> None:
    assert parsed("day,amount,text\n2026-03-02,1.50-,a\n")[0].entries[0].amount_minor == -150


@pytest.mark.parametrize(
    "fields",
    [
        *({"amount": None}, {"debit": "out"}, {"debit": "out", "credit": "in"}, {"currency": None}),
        *({"currency_column": "c"}, {"decimal": ";"}, {"decimal": ".,"}, {"thousands": "."}),
    ],
)
def test_a_layout_that_contradicts_itself_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadSetting):
        replace(PLAIN, **fields)
