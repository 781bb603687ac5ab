"""How text from a source becomes a typed value: Polars expressions, chosen by name in a mapping.

A parser answers null for what it cannot read. Missing text is null before a parser sees it, so "text there, value
null" is what goes to quarantine, beside the parser's `allowed` in words.

    text      as it stands                        date      one or more formats, `20190405.0` read as 20190405
    trimmed   without blanks around it            instant   ISO 8601 with offset, or declared formats
    name      trimmed, runs of blanks made one    amount    exact minor units of the row's currency
    id        lost zeros and `.0` repaired        number, integer, rate, flag, currency, instalments
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from features.money import exponents
from features.tables import INSTANT, Kind

FIRST_YEAR, LAST_YEAR = 1900, 2199
ISO_DAY = "%Y-%m-%d"
CODES = pl.Enum(sorted(exponents()))
DOUBLE_DIGITS = 16  # with the point; text with more was never exact
MOST_DECIMALS = max(exponents().values())

_FLAGS = {"true": True, "yes": True, "y": True, "1": True, "false": False, "no": False, "n": False, "0": False}
_SPOKEN = {"%Y": "YYYY", "%y": "YY", "%m": "MM", "%d": "DD", "%b": "Mon", "%B": "Month", "%H": "hh", "%M": "mm"}
_SPOKEN |= {"%S": "ss", "%.f": ".fff", "%#z": "+hh:mm", "%z": "+hhmm", "%Z": "zone", "%T": "hh:mm:ss"}


@dataclass(frozen=True, slots=True)
class Options:
    """What a mapping may say about reading one column; each parser uses its own part."""

    formats: tuple[str, ...] = ()
    decimal: str = "."
    thousands: str = ""
    zfill: int = 0
    negate: bool = False


def _as_it_is(text: pl.Expr) -> pl.Expr:
    return text


@dataclass(frozen=True, slots=True)
class Parser:
    """Reads text in two steps, since Polars computes a shared part of an expression as often as it is mentioned.

    prepare  text -> plain text
    finish   plain text, exponent of the row's currency -> value
    allowed  what it can read, in words
    """

    finish: Callable[[pl.Expr, pl.Expr], pl.Expr]
    allowed: str
    prepare: Callable[[pl.Expr], pl.Expr] = _as_it_is

    def read(self, text: pl.Expr, exponent: pl.Expr) -> pl.Expr:
        """Both steps at once."""
        return self.finish(self.prepare(text), exponent)


@dataclass(frozen=True, slots=True)
class Maker:
    """A parser before its options are known: the options it heeds and the kinds of column it can fill."""

    make: Callable[[Options], Parser]
    kinds: tuple[Kind, ...]
    heeds: tuple[str, ...] = field(default=())


def spoken(formats: tuple[str, ...]) -> str:
    """Date formats as a person writes them.

    >>> spoken(("%d.%m.%Y", "%Y%m%d"))
    'DD.MM.YYYY or YYYYMMDD'
    """
    return " or ".join(re.sub(r"%[.#]?[A-Za-z]", lambda m: _SPOKEN.get(m[0], m[0]), f) for f in formats)


def tidy(text: pl.Expr) -> pl.Expr:
    """Without blanks (also non-breaking ones) around it."""
    return text.str.strip_chars()


def _text(_: Options) -> Parser:
    return Parser(lambda text, _: text, "text")


def _trimmed(_: Options) -> Parser:
    return Parser(lambda text, _: tidy(text), "text")


def _name(_: Options) -> Parser:
    return Parser(lambda text, _: tidy(text).str.replace_all(r"\s+", " "), "a name")


def _id(options: Options) -> Parser:
    """Repairs what spreadsheets do to ids: `1930.0` is 1930, and digits get their leading zeros back."""

    def read(text: pl.Expr, _: pl.Expr) -> pl.Expr:
        found = tidy(text).str.replace(r"^([0-9]+)\.0+$", "${1}")
        lost_digits = found.str.contains(r"^[0-9](\.[0-9]+)?[eE]\+[0-9]+$")
        digits = found.str.contains(r"^[0-9]+$")
        filled = pl.when(digits).then(found.str.zfill(options.zfill)).otherwise(found) if options.zfill else found
        return pl.when(~lost_digits).then(filled)

    return Parser(read, "an id with all its digits (a spreadsheet turned this one into a rounded number)")


def _timed(style: str) -> bool:
    return bool(re.search(r"%[.#]?[HIMSTfRzZp+sc]", style))


def _date(options: Options) -> Parser:
    formats = options.formats or (ISO_DAY,)

    def read(text: pl.Expr, _: pl.Expr) -> pl.Expr:
        plain = tidy(text).str.replace(r"^([0-9]{6,8})\.0+$", "${1}")
        return _plausible(pl.coalesce([_day(plain, style) for style in formats]))

    return Parser(read, f"a date written as {spoken(formats)}")


def _day(text: pl.Expr, style: str) -> pl.Expr:
    if _timed(style):
        return text.str.to_datetime(style, strict=False, time_unit="us").dt.date()
    return text.str.to_date(style, strict=False)


def _plausible(moment: pl.Expr) -> pl.Expr:
    """A year outside 1900 to 2199 is a misread format (`%Y` takes 13 for the year 13), not a date."""
    return pl.when(moment.dt.year().is_between(FIRST_YEAR, LAST_YEAR)).then(moment)


def _instant(options: Options) -> Parser:
    """ISO 8601 with `Z` or an offset by default. A declared format without offset means UTC."""
    formats = options.formats or ("%+",)

    def read(text: pl.Expr, _: pl.Expr) -> pl.Expr:
        found = [_moment(tidy(text), style) for style in formats]
        return rounded_up(_plausible(pl.coalesce(found)))

    written = spoken(options.formats) if options.formats else "2026-03-31T09:30:00Z, with Z or an offset"
    return Parser(read, f"an instant written as {written}")


def _moment(text: pl.Expr, style: str) -> pl.Expr:
    moment = text.str.to_datetime(style, strict=False, time_unit="us")
    has_offset = bool(re.search(r"%(#z|:?z|\+)", style))
    return moment if has_offset else moment.dt.replace_time_zone("UTC")


def rounded_up(moment: pl.Expr) -> pl.Expr:
    """A UTC instant of microseconds as one of milliseconds that is never earlier."""
    return ((moment.dt.timestamp("us") + 999).floordiv(1000)).cast(INSTANT)


def _written_number(options: Options) -> str:
    """The regular expression of an unsigned number with the declared separators."""
    thousands, decimal = re.escape(options.thousands), re.escape(options.decimal)
    grouped = rf"[0-9]{{1,3}}(?:{thousands}[0-9]{{3}})+|" if thousands else ""
    return rf"(?:(?:{grouped}[0-9]+)(?:{decimal}[0-9]*)?|{decimal}[0-9]+)"


def _plain_number(options: Options) -> Callable[[pl.Expr], pl.Expr]:
    """`-1.234,50`, `1.234,50-` and `(1.234,50)` as `-1234.50`; null for what is no such number."""

    def prepare(text: pl.Expr) -> pl.Expr:
        found = tidy(text).str.replace_all("[\u00a0\u2009\u202f]", " ")
        number = _written_number(options)
        readable = found.str.contains(rf"^(?:[+-] ?)?{number}$|^{number} ?-$|^\( ?{number} ?\)$")
        bare = found.str.strip_chars("()+- ")
        if options.thousands:
            bare = bare.str.replace_all(options.thousands, "", literal=True)
        if options.decimal != ".":
            bare = bare.str.replace(options.decimal, ".", literal=True)
        signed = found.str.contains("[(-]")
        negative = ~signed if options.negate else signed
        sign = pl.when(negative).then(pl.lit("-")).otherwise(pl.lit(""))
        return pl.when(readable).then(sign + bare)

    return prepare


def _example(options: Options, digits: str) -> str:
    return f"1{options.thousands}234{options.decimal}{digits}"


def _amount(options: Options) -> Parser:
    """Exact: integer and decimals are put together as text, so no float touches money.

    One exception: 583.8000000000001, with more digits than a double can hold, was a double before it was text; then
    the noise at its end is dropped.
    """

    def finish(plain: pl.Expr, exponent: pl.Expr) -> pl.Expr:
        decimals = plain.str.extract(r"\.([0-9]*)$").fill_null("")
        kept = decimals.str.pad_end(MOST_DECIMALS, "0").str.slice(0, exponent)
        exact = decimals.str.slice(exponent).str.strip_chars("0") == ""
        minor = (plain.str.extract(r"^(-?[0-9]*)") + kept).cast(pl.Int64, strict=False)
        scaled = plain.cast(pl.Float64, strict=False) * pl.lit(10.0).pow(exponent)
        small_noise = (scaled - scaled.round()).abs() <= scaled.abs() * 1e-14
        noisy = (plain.str.len_bytes() > DOUBLE_DIGITS) & (scaled.abs() < 1e12) & small_noise
        return pl.when(exact).then(minor).when(noisy).then(scaled.round().cast(pl.Int64, strict=False))

    shape = _example(options, "50")
    allowed = f"an amount such as {shape}, with no more decimals than its currency has"
    return Parser(finish, allowed, _plain_number(options))


def _number(options: Options) -> Parser:
    allowed = f"a number such as {_example(options, '5')}"
    return Parser(lambda plain, _: plain.cast(pl.Float64, strict=False), allowed, _plain_number(options))


def _integer(options: Options) -> Parser:
    def finish(plain: pl.Expr, _: pl.Expr) -> pl.Expr:
        return plain.str.replace(r"\.0*$", "").cast(pl.Int64, strict=False)

    return Parser(finish, "a whole number such as 30", _plain_number(options))


def _rate(options: Options) -> Parser:
    def finish(plain: pl.Expr, _: pl.Expr) -> pl.Expr:
        exact = plain.str.contains(r"^[0-9]*(\.[0-9]{0,9}0*)?$")
        return pl.when(exact).then(plain.cast(Kind.RATE.dtype, strict=False))

    return Parser(finish, Kind.RATE.words, _plain_number(options))


def _flag(_: Options) -> Parser:
    def read(text: pl.Expr, _: pl.Expr) -> pl.Expr:
        return tidy(text).str.to_lowercase().replace_strict(_FLAGS, default=None, return_dtype=pl.Boolean)

    return Parser(read, "true or false (also yes, no, 1, 0)")


def _currency(_: Options) -> Parser:
    def read(text: pl.Expr, _: pl.Expr) -> pl.Expr:
        return tidy(text).str.to_uppercase().cast(CODES, strict=False).cast(pl.String)

    return Parser(read, Kind.CURRENCY.words)


def _instalments(_: Options) -> Parser:
    """The JSON text itself; `pipelines.instalments` reads what is in it, since that needs the invoice's currency."""
    return Parser(lambda text, _: text, 'a list of {"number": 1, "due_date": "YYYY-MM-DD", "amount": "1234.50"}')


_NUMERIC = ("decimal", "thousands", "negate")

PARSERS: dict[str, Maker] = {
    "trimmed": Maker(_trimmed, (Kind.TEXT,)),
    "text": Maker(_text, (Kind.TEXT,)),
    "name": Maker(_name, (Kind.TEXT,)),
    "id": Maker(_id, (Kind.TEXT,), ("zfill",)),
    "date": Maker(_date, (Kind.DAY,), ("formats",)),
    "instant": Maker(_instant, (Kind.INSTANT,), ("formats",)),
    "amount": Maker(_amount, (Kind.MONEY,), _NUMERIC),
    "number": Maker(_number, (Kind.NUMBER,), _NUMERIC),
    "integer": Maker(_integer, (Kind.COUNT,), _NUMERIC),
    "rate": Maker(_rate, (Kind.RATE,), ("decimal", "thousands")),
    "flag": Maker(_flag, (Kind.FLAG,)),
    "currency": Maker(_currency, (Kind.CURRENCY,)),
    "instalments": Maker(_instalments, (Kind.INSTALMENTS,)),
}


def default_parser(kind: Kind) -> str:
    """The parser that fills a column of `kind` where the mapping names none."""
    return next(name for name, maker in PARSERS.items() if kind in maker.kinds)


def exponent_of(currency: pl.Expr) -> pl.Expr:
    """Digits after the point of the currency in each row; null where ISO 4217 does not list it."""
    return currency.cast(pl.String).replace_strict(exponents(), default=None, return_dtype=pl.Int64)
