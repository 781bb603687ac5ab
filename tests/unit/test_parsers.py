"""Each parser, by a table of texts and what they become; None is what cannot be read."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, get_args

import polars as pl
import pytest

from features.tables import Kind
from pipelines.mapping_keys import ParserName
from pipelines.parsers import PARSERS, Options, default_parser, exponent_of, spoken


def read(parser: str, texts: list[str | None], currency: str | None = "USD", **options: Any) -> list[Any]:
    frame = pl.DataFrame({"text": texts, "currency": [currency] * len(texts)}, schema_overrides={"text": pl.String})
    value = PARSERS[parser].make(Options(**options)).read(pl.col("text"), exponent_of(pl.col("currency")))
    return frame.select(value).to_series().to_list()


@pytest.mark.parametrize(
    ("text", "minor", "options"),
    [
        ("1234.50", 123450, {}),
        ("1234.5", 123450, {}),
        ("1234", 123400, {}),
        ("1234.", 123400, {}),
        (".5", 50, {}),
        ("0.07", 7, {}),
        ("1234.500000", 123450, {}),
        (" +12.00 ", 1200, {}),
        ("-12.00", -1200, {}),
        ("- 12.00", -1200, {}),
        ("12.00-", -1200, {}),
        ("(12.00)", -1200, {}),
        ("-0", 0, {}),
        ("1,234,567.89", 123456789, {"thousands": ","}),
        ("1234567.89", 123456789, {"thousands": ","}),
        ("1.234.567,89", 123456789, {"thousands": ".", "decimal": ","}),
        ("1'234.50", 123450, {"thousands": "'"}),
        ("1\u00a0234,50", 123450, {"thousands": " ", "decimal": ","}),
        ("1\u202f234,50", 123450, {"thousands": " ", "decimal": ","}),
        ("12.00", -1200, {"negate": True}),
        ("-12.00", 1200, {"negate": True}),
        ("583.8000000000001", 58380, {}),  # a float that somebody's tool wrote
        ("0.30000000000000004", 30, {}),
        ("92233720368547758.07", 9223372036854775807, {}),
    ],
)
def test_an_amount_is_exact_minor_units(text: str, minor: int, options: dict[str, Any]) -> None:
    assert read("amount", [text], **options) == [minor]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("1234.505", {}),
        ("583.805000000000001", {}),
        ("12,34", {}),
        ("12,34", {"thousands": ","}),
        ("1,2345.00", {"thousands": ","}),
        ("1.50", {"decimal": ","}),
        ("1.234,5.0", {"decimal": ",", "thousands": "."}),
        ("--5", {}),
        ("-5-", {}),
        ("(-5)", {}),
        ("1e5", {}),
        ("$5", {}),
        ("", {}),
        (".", {}),
        ("abc", {}),
        ("NaN", {}),
        ("inf", {}),
        ("١٢", {}),
        ("92233720368547758.08", {}),
        ("99999999999999999999999999999999999999999", {}),
        (None, {}),
    ],
)
def test_what_is_no_amount_is_not_guessed(text: str | None, options: dict[str, Any]) -> None:
    assert read("amount", [text], **options) == [None]


@pytest.mark.parametrize(
    ("currency", "text", "minor"),
    [("JPY", "1200", 1200), ("JPY", "1200.0", 1200), ("JPY", "1200.5", None), ("KWD", "1.234", 1234)],
)
def test_an_amount_has_the_decimals_of_its_currency(currency: str, text: str, minor: int | None) -> None:
    assert read("amount", [text], currency) == [minor]


def test_an_amount_without_a_known_currency_is_not_guessed() -> None:
    assert read("amount", ["1.00"], "XYZ") == [None]
    assert read("amount", ["1.00"], None) == [None]


@pytest.mark.parametrize(
    ("text", "formats", "day"),
    [
        ("2024-02-29", (), date(2024, 2, 29)),
        ("4/6/2013", ("%m/%d/%Y",), date(2013, 4, 6)),
        ("04/06/2013", ("%m/%d/%Y",), date(2013, 4, 6)),
        ("4/6/13", ("%m/%d/%y",), date(2013, 4, 6)),
        ("20190405", ("%Y%m%d",), date(2019, 4, 5)),
        ("20190405.0", ("%Y%m%d",), date(2019, 4, 5)),
        ("2019-04-05 00:00:00", ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S"), date(2019, 4, 5)),
        ("05.04.2019", ("%Y-%m-%d", "%d.%m.%Y"), date(2019, 4, 5)),
        ("5-Apr-2019", ("%d-%b-%Y",), date(2019, 4, 5)),
        ("2023-02-29", (), None),
        ("2024-13-01", (), None),
        ("4/6/13", ("%m/%d/%Y",), None),  # strptime would take it for the year 13
        ("0013-04-06", (), None),
        ("9999-12-31", (), None),
        ("2019-04-05x", (), None),
        ("45000", (), None),
        ("soon", (), None),
    ],
)
def test_a_date_has_one_of_its_formats_and_a_plausible_year(
    text: str, formats: tuple[str, ...], day: date | None
) -> None:
    assert read("date", [text], formats=formats) == [day]


@pytest.mark.parametrize(
    ("text", "formats", "instant"),
    [
        ("2024-03-01T10:00:00Z", (), datetime(2024, 3, 1, 10, tzinfo=UTC)),
        ("2024-03-01T10:00:00+02:00", (), datetime(2024, 3, 1, 8, tzinfo=UTC)),
        ("2024-03-01T10:00:00.123Z", (), datetime(2024, 3, 1, 10, 0, 0, 123_000, tzinfo=UTC)),
        ("2024-03-01T10:00:00.123001Z", (), datetime(2024, 3, 1, 10, 0, 0, 124_000, tzinfo=UTC)),
        ("1969-12-31T23:59:59.999999Z", (), datetime(1970, 1, 1, tzinfo=UTC)),
        ("01.03.2024 10:00", ("%d.%m.%Y %H:%M",), datetime(2024, 3, 1, 10, tzinfo=UTC)),
        ("2024-03-01 10:00:00", (), None),
        ("2024-03-01", (), None),
    ],
)
def test_an_instant_is_utc_and_never_too_early(text: str, formats: tuple[str, ...], instant: datetime | None) -> None:
    assert read("instant", [text], formats=formats) == [instant]


@pytest.mark.parametrize(
    ("text", "zfill", "found"),
    [
        ("200769623", 10, "0200769623"),
        ("200769623.0", 10, "0200769623"),
        ("0200769623", 10, "0200769623"),
        ("CCCA02", 10, "CCCA02"),
        ("12345678901", 10, "12345678901"),
        ("1929.0", 0, "1929"),
        (" 1929.00 ", 0, "1929"),
        ("1929.5", 0, "1929.5"),
        ("007", 0, "007"),
        ("1.93E+09", 0, None),
        ("5E+3", 0, None),
        ("5E3", 0, "5E3"),
    ],
)
def test_an_id_gets_back_what_a_spreadsheet_took(text: str, zfill: int, found: str | None) -> None:
    assert read("id", [text], zfill=zfill) == [found]


@pytest.mark.parametrize(
    ("parser", "text", "value"),
    [
        ("text", " a  b ", " a  b "),
        ("trimmed", "\u00a0 a  b ", "a  b"),
        ("name", " Birch \t &  Sons ", "Birch & Sons"),
        ("integer", "30", 30),
        ("integer", "30.0", 30),
        ("integer", "-30", -30),
        ("integer", "30.5", None),
        ("number", "1.5", 1.5),
        ("number", "(1.5)", -1.5),
        ("number", "NaN", None),
        ("rate", "1.123456789", Decimal("1.123456789")),
        ("rate", "1.1234567891", None),
        ("rate", "-1", None),
        ("flag", "Yes", True),
        ("flag", "0", False),
        ("flag", "maybe", None),
        ("currency", " usd ", "USD"),
        ("currency", "EURO", None),
        ("instalments", "[]", "[]"),
    ],
)
def test_the_other_parsers(parser: str, text: str, value: object) -> None:
    assert read(parser, [text]) == [value]


@pytest.mark.parametrize("parser", sorted(PARSERS))
def test_every_parser_leaves_missing_missing_and_says_what_it_allows(parser: str) -> None:
    assert read(parser, [None]) == [None]
    assert PARSERS[parser].make(Options()).allowed


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_column_has_a_parser_of_its_type(kind: Kind) -> None:
    parser = PARSERS[default_parser(kind)].make(Options())
    frame = pl.DataFrame({"text": ["x"]}).select(parser.read(pl.col("text"), pl.lit(2)))
    expected = pl.String() if kind is Kind.INSTALMENTS else kind.dtype
    assert frame.dtypes == [expected]


def test_mappings_can_name_every_parser() -> None:
    assert set(get_args(ParserName)) == set(PARSERS)


def test_formats_are_said_as_people_write_them() -> None:
    assert spoken(("%m/%d/%Y", "%Y-%m-%dT%H:%M:%S")) == "MM/DD/YYYY or YYYY-MM-DDThh:mm:ss"
    assert "DD.MM.YYYY" in PARSERS["date"].make(Options(formats=("%d.%m.%Y",))).allowed
    assert "1.234,50" in PARSERS["amount"].make(Options(decimal=",", thousands=".")).allowed
