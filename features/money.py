"""Money is exact: an integer count of the currency's minor unit beside the currency's ISO 4217 code."""

from decimal import Decimal, InvalidOperation
from functools import cache

import iso4217

from features.errors import BadInput


@cache
def exponents() -> dict[str, int]:
    """ISO 4217 code -> digits after the decimal point (USD 2, JPY 0, KWD 3); funds and metals are left out."""
    return {c.code: c.exponent for c in iso4217.Currency if c.exponent is not None}


def exponent(currency: str) -> int:
    """Digits after the decimal point of `currency`; `BadInput` for a code ISO 4217 does not list."""
    try:
        return exponents()[currency]
    except KeyError:
        raise BadInput(f"unknown currency {currency!r}; allowed: an ISO 4217 code such as USD, EUR, JPY") from None


def to_minor(amount: Decimal | str, currency: str) -> int:
    """`amount` as an integer of minor units; refuses what the currency cannot express instead of rounding.

    >>> to_minor("-1234.50", "EUR"), to_minor("1200", "JPY")
    (-123450, 1200)
    """
    try:
        minor = Decimal(amount).scaleb(exponent(currency))
    except InvalidOperation:
        raise BadInput(f"{amount!r} is not an amount; allowed: a number such as 1234.50") from None
    if not minor.is_finite() or minor != minor.to_integral_value():
        digits = exponent(currency)
        raise BadInput(f"{amount!r} {currency} cannot be exact; allowed: at most {digits} decimals")
    return int(minor)


def from_minor(minor: int, currency: str) -> Decimal:
    """The amount in major units, exact.

    >>> from_minor(-123450, "EUR")
    Decimal('-1234.50')
    """
    return Decimal(minor).scaleb(-exponent(currency))
