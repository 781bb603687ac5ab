"""Rounding, once and at output: half away from zero."""

from decimal import Decimal
from fractions import Fraction


def half_up(exact: Fraction) -> int:
    """The nearest whole number; halves go away from zero.

    >>> half_up(Fraction(5, 2)), half_up(Fraction(-5, 2)), half_up(Fraction(12, 5))
    (3, -3, 2)
    """
    whole = (2 * abs(exact.numerator) + exact.denominator) // (2 * exact.denominator)
    return whole if exact >= 0 else -whole


def to_decimals(exact: Fraction, decimals: int) -> Decimal:
    """`exact` with so many decimals."""
    return Decimal(half_up(exact * 10**decimals)).scaleb(-decimals)
