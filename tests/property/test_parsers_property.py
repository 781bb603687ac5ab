"""Whatever can be written down is read back as it was, in every declared style."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from features.money import exponent, to_minor
from pipelines.connectors.csv_text import read_csv
from pipelines.parsers import PARSERS, Options, exponent_of

STYLES = [(".", ""), (".", ","), (",", ""), (",", "."), (",", " "), (".", "'"), (",", "\u00a0"), (",", "\u202f")]
SIGNS = ["-{}", "- {}", "{}-", "{} -", "({})", "( {} )"]
CURRENCIES = ["EUR", "JPY", "KWD", "CLF"]
FORMATS = ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y%m%d", "%d-%b-%Y", "%d %B %Y"]


def written(amount: Decimal, decimal: str, thousands: str, sign: str) -> str:
    plain = f"{abs(amount):,f}".replace(",", "\0").replace(".", decimal).replace("\0", thousands)
    return sign.format(plain) if amount < 0 else plain


@given(
    st.lists(
        st.tuples(st.integers(-(10**15), 10**15), st.sampled_from(CURRENCIES), st.sampled_from(SIGNS)), min_size=1
    ),
    st.sampled_from(STYLES),
)
def test_amounts(values: list[tuple[int, str, str]], style: tuple[str, str]) -> None:
    decimal, thousands = style
    amounts = [(Decimal(minor).scaleb(-exponent(code)), code, sign) for minor, code, sign in values]
    texts = [written(amount, decimal, thousands, sign) for amount, _, sign in amounts]
    frame = pl.DataFrame({"text": texts, "currency": [code for _, code, _ in amounts]})
    declared = Options(decimal=decimal, thousands=thousands.replace("\u00a0", " ").replace("\u202f", " "))
    parser = PARSERS["amount"].make(declared)
    found = frame.select(parser.read(pl.col("text"), exponent_of(pl.col("currency")))).to_series().to_list()
    assert found == [to_minor(amount, code) for amount, code, _ in amounts]


@given(st.lists(st.integers(-(10**8), 10**8), min_size=1))
def test_amounts_that_a_float_carried(cents: list[int]) -> None:
    """What a tool computes with doubles and writes in full is the cent that it meant."""
    texts = [f"{cent / 100 + 0.1 - 0.1:.17g}" for cent in cents]
    frame = pl.DataFrame({"text": texts})
    found = frame.select(PARSERS["amount"].make(Options()).read(pl.col("text"), pl.lit(2))).to_series().to_list()
    assert found == cents


@given(st.lists(st.dates(date(1900, 1, 1), date(2199, 12, 31)), min_size=1), st.sampled_from(FORMATS))
def test_dates(days: list[date], style: str) -> None:
    frame = pl.DataFrame({"text": [day.strftime(style) for day in days]})
    parser = PARSERS["date"].make(Options(formats=(style,)))
    assert frame.select(parser.read(pl.col("text"), pl.lit(0))).to_series().to_list() == days


MICROSECONDS = st.integers(-2_200_000_000_000_000, 7_000_000_000_000_000)  # since 1970: from 1900 to 2191


@given(st.lists(MICROSECONDS, min_size=1), st.integers(-12, 14))
def test_instants_round_up_to_the_next_millisecond(moments: list[int], hours: int) -> None:
    aware = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us) for us in moments]
    offset = f"{'-' if hours < 0 else '+'}{abs(hours):02d}:00"
    frame = pl.DataFrame(
        {"text": [f"{(m + timedelta(hours=hours)).replace(tzinfo=None).isoformat()}{offset}" for m in aware]}
    )
    found = frame.select(PARSERS["instant"].make(Options()).read(pl.col("text"), pl.lit(0))).to_series().to_list()
    for instant, moment in zip(found, aware, strict=True):
        assert timedelta(0) <= instant - moment < timedelta(milliseconds=1)
        assert instant.microsecond % 1000 == 0


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00", exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=200)
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=20), st.sampled_from([",", ";", "\t"]))
def test_delimited_text(rows: list[list[str]], separator: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\n").writerows([["a", "b", "c"], *rows])
    found = read_csv(out.getvalue().encode(), name="a.csv", separator=separator, encoding="utf-8", header_row=1)
    if any(any(row) for row in rows):
        assert found.cells.rows() == [tuple(cell or None for cell in row) for row in rows]
        starts = [1 + "".join(row).count("\n") for row in rows]
        assert found.line.tolist() == [2 + sum(starts[:i]) for i in range(len(rows))]
        assert set(found.width.tolist()) == {3}
