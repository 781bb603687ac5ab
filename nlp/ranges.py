"""Ranges of numbers: "5501 bis 5504", "E-4471 through 74", "A/3301 a la A/3306"."""

import re

LONGEST_RANGE = 60  # numbers; a wider "5501-9901" is one number

THROUGH = re.compile(
    r" ?(?:->?|→|~|…|bis (?:hin )?zu[rm]?|bis(?: einschl\.?| einschlieslich| einschliesslich"
    r"| inkl\.?| inklusive| und mit)?"
    r"|to|thru|through(?: to)?|till|(?:up )?until|up to|a|al"
    r"|au|hasta|jusqu'a|jusqu'a la)(?: and incl(?:uding|\.))?"
    r"(?: (?:la|el|die|der|the|le|l'))?(?: (?:invoice|inv\.?|rg\.?|rechnung|facture|factura|nr\.?|no\.?|n[°º]))? ?#?"
)
# "Between 5501 and 5504": what stands before the first number, and between the two.
BETWEEN = re.compile(r"\b(?:between|zwischen|entre)(?: [a-z.°º]{1,9}){0,3} ?$")
BETWEEN_AND = re.compile(r" (?:and|und|et|y) (?:(?:the|der|den|la|le|el) )?")
_TAIL = re.compile(r"\d+$")


def numbers_through(first: str, last: str) -> tuple[str, ...]:
    """Every number from the first to the last, which may be told by its end alone; empty where the two are no range.

    >>> numbers_through("E-4471", "74"), numbers_through("5501", "5502"), numbers_through("24-0377", "62")
    (('E-4471', 'E-4472', 'E-4473', 'E-4474'), ('5501', '5502'), ())
    """
    a, b = _TAIL.search(first), _TAIL.search(last)
    if not a or not b or last[: b.start()] not in ("", first[: a.start()]) or len(b[0]) > len(a[0]):
        return ()
    begin, end = int(a[0]), int(a[0][: len(a[0]) - len(b[0])] + b[0])
    if not begin < end <= begin + LONGEST_RANGE:
        return ()
    return tuple(f"{first[: a.start()]}{number:0{len(a[0])}d}" for number in range(begin, end + 1))
