"""Loss rates as a person writes them down: a YAML file.

rates:                    # of everybody that no other line names
  current: 1.5 %
  1-30: 3.4 %
  31-60: 0.071            # a share will do
  61-90: 10.8 %
  90+: 40 %
forward_looking_factor: 1.1
exceptions:
  - entity: DE01
    segment: retail
    rates: {current: 2 %}
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import msgspec
import polars as pl
import yaml
from yaml.nodes import MappingNode, Node, SequenceNode

from features.errors import BadSetting, NotFound
from features.kpis.buckets import require_bucket
from features.kpis.loss_rates import LossRates
from pipelines.strict_yaml import decode, nearest

_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*(%?)")


class Exceptional(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Other rates for an entity, a currency, a segment, or what is all of those."""

    rates: dict[str, str]
    entity: str | None = None
    currency: str | None = None
    segment: str | None = None


class RatesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file says."""

    rates: dict[str, str]
    forward_looking_factor: str = "1"
    exceptions: list[Exceptional] = []


@dataclass(frozen=True)
class GivenRates:
    """The rates of a file, everybody's first and then each exception's, and the forward-looking factor.

    `path` and `lines` (what stands there, such as `exceptions[0].segment`, -> line) say where to look.
    """

    rates: tuple[LossRates, ...]
    factor: Decimal
    path: Path
    lines: Mapping[str, int]

    def require_known(self, books: Mapping[str, pl.DataFrame], *, by: Sequence[str] = ()) -> None:
        """`BadSetting` for an exception that nobody answers to, or that the matrix does not tell apart.

        Its rates would be silently nobody's. `books`: currency and segment -> the `entity_id`s and theirs, as columns.
        """
        for number, one in enumerate(self.rates[1:]):
            where = f"exceptions[{number}]"
            self._require(f"{where}.entity", one.entity_id, books["currency"]["entity_id"])
            for name, told in (("currency", one.currency), ("segment", one.segment)):
                theirs = books[name] if one.entity_id is None else books[name].filter(entity_id=one.entity_id)
                self._require(f"{where}.{name}", told, theirs[name])
            if one.segment is not None and "segment" not in by:
                raise BadSetting(
                    f"{self.place(f'{where}.segment')} is {one.segment!r}, and the matrix is not by segment; "
                    "allowed: with --by segment"
                )

    def place(self, what: str) -> str:
        """File, line and `what` stands there."""
        return _place(self.path, self.lines, what)

    def _require(self, what: str, told: str | None, there: pl.Series) -> None:
        known = there.drop_nulls().unique().sort().to_list()
        if told is not None and told not in known:
            allowed = ", ".join(known) or "none"
            raise BadSetting(f"{self.place(what)} is {told!r}; there are: {allowed}{nearest(told, known)}")


def read_rates(path: Path) -> GivenRates:
    """What the file says; `NotFound` without it, `BadSetting` naming line, value and what is allowed."""
    text = _text(path)
    told = decode(text, RatesFile, str(path))
    lines = dict(_lines(yaml.compose(text, Loader=yaml.SafeLoader)))
    what = "forward_looking_factor"
    factor = _decimal(told.forward_looking_factor, _place(path, lines, what))
    if factor <= 0:
        raise BadSetting(f"{_place(path, lines, what)} is {factor}; allowed: above 0, such as 1.1 for a tenth more")
    _require_once(told.exceptions, path, lines)
    rates = [
        LossRates(_shares(told.rates, "rates", path, lines)),
        *(
            LossRates(_shares(e.rates, f"exceptions[{k}].rates", path, lines), e.entity, e.currency, e.segment)
            for k, e in enumerate(told.exceptions)
        ),
    ]
    return GivenRates(tuple(rates), factor, path, lines)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise NotFound(f"--rates {path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise BadSetting(f"--rates {path} is not text; allowed: a YAML file in UTF-8") from None


def _require_once(exceptions: Sequence[Exceptional], path: Path, lines: Mapping[str, int]) -> None:
    first: dict[tuple[str | None, ...], int] = {}
    for k, one in enumerate(exceptions):
        before = first.setdefault((one.entity, one.currency, one.segment), k)
        where = _place(path, lines, f"exceptions[{k}]")
        if (one.entity, one.currency, one.segment) == (None, None, None):
            raise BadSetting(f"{where} is for nobody; allowed: with an entity, a currency or a segment")
        if before != k:
            raise BadSetting(f"{where} is for the same as exceptions[{before}]; allowed: one of them")


def _shares(rates: Mapping[str, str], what: str, path: Path, lines: Mapping[str, int]) -> dict[str, Decimal]:
    found = {}
    for bucket, text in rates.items():
        where = _place(path, lines, f"{what}.{bucket}")
        found[require_bucket(bucket, where)] = share = _decimal(text, where)
        if share > 1:
            raise BadSetting(f"{where} is {text!r}; allowed: 0 to 1, such as 0.015 for 1.5 %")
    return found


def _decimal(text: str, where: str) -> Decimal:
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        raise BadSetting(f"{where} is {text!r}; allowed: a share such as 0.015, or a percentage such as 1.5 %")
    number, percent = found.groups()
    return Decimal(number) / 100 if percent else Decimal(number)


def _place(path: Path, lines: Mapping[str, int], what: str) -> str:
    return f"{path}" + (f" line {lines[what]}" if what in lines else "") + f": {what}"


def _lines(node: Node | None, what: str = "") -> Iterator[tuple[str, int]]:
    """What stands in the document, such as `exceptions[0].segment`, and on which line."""
    if node is None:
        return
    yield what, node.start_mark.line + 1
    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield from _lines(value, f"{what}.{key.value}" if what else str(key.value))
    elif isinstance(node, SequenceNode):
        for k, value in enumerate(node.value):
            yield from _lines(value, f"{what}[{k}]")
