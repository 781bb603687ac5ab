"""How numbers of a worklist are said: amounts, counts, changes of a share."""

from features.money import from_minor


def points(share: float) -> str:
    """A change of a share in signed percentage points; what rounds to nothing has no sign of its own.

    >>> points(-0.0004), points(0.123)
    ('+0.0', '+12.3')
    """
    return f"{100 * share:+z.1f}"


def between(low: float, high: float) -> str:
    """A 95 % interval of such changes.

    >>> between(-0.0004, 0.12)
    '95 % between +0.0 and +12.0'
    """
    return f"95 % between {points(low)} and {points(high)}"


def counted(number: int, what: str) -> str:
    """`1 day`, `2 days`.

    >>> counted(1, "day"), counted(0, "promise")
    ('1 day', '0 promises')
    """
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def money(minor: int, currency: str) -> str:
    """`1,200.00 EUR`."""
    return f"{from_minor(minor, currency):,} {currency}"
