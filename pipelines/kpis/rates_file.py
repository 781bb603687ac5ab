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
from decimal import Decimal
from pathlib import Path

import msgspec

from features.errors import BadSetting, NotFound
from features.kpis.loss_rates import LossRates, with_factor
from pipelines.strict_yaml import decode

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


def read_rates(path: Path) -> tuple[list[LossRates], Decimal]:
    """The loss rates and the factor of the file; `NotFound` without it, `BadSetting` naming what is wrong in it."""
    try:
        told = decode(path.read_text(encoding="utf-8"), RatesFile, str(path))
    except OSError as error:
        raise NotFound(f"--rates {path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise BadSetting(f"--rates {path} is not text; allowed: a YAML file in UTF-8") from None
    factor = _decimal(told.forward_looking_factor, f"{path}: forward_looking_factor")
    with_factor(Decimal(0), factor)
    return [
        LossRates(_shares(told.rates, path)),
        *(LossRates(_shares(e.rates, path), e.entity, e.currency, e.segment) for e in told.exceptions),
    ], factor


def _shares(rates: dict[str, str], path: Path) -> dict[str, Decimal]:
    return {bucket: _decimal(text, f"{path}: {bucket}") for bucket, text in rates.items()}


def _decimal(text: str, where: str) -> Decimal:
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        raise BadSetting(f"{where} is {text!r}; allowed: a share such as 0.015, or a percentage such as 1.5 %")
    number, percent = found.groups()
    return Decimal(number) / 100 if percent else Decimal(number)
