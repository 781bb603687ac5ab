"""Made-up company names and the segments they trade in."""

import numpy as np

from services.sandbox.calendars import Ints

SEGMENTS = ("manufacturing", "wholesale", "retail", "construction", "logistics", "services")
SEGMENT_SHARES = (0.26, 0.22, 0.16, 0.14, 0.10, 0.12)
# Invoicing by calendar month, January first, relative to an even year.
SEGMENT_SEASONS = (
    (0.95, 0.98, 1.08, 1.02, 1.02, 1.04, 0.94, 0.86, 1.06, 1.08, 1.06, 0.91),
    (0.92, 0.94, 1.04, 1.02, 1.02, 1.02, 0.96, 0.94, 1.04, 1.08, 1.08, 0.94),
    (0.80, 0.82, 0.92, 0.95, 0.98, 0.98, 0.95, 0.98, 1.06, 1.16, 1.28, 1.12),
    (0.68, 0.78, 1.02, 1.12, 1.16, 1.16, 1.10, 1.04, 1.12, 1.12, 0.98, 0.72),
    (0.94, 0.95, 1.02, 1.00, 1.00, 1.02, 0.96, 0.94, 1.02, 1.06, 1.08, 1.01),
    (1.02, 1.00, 1.04, 1.00, 0.98, 1.02, 0.94, 0.90, 1.02, 1.04, 1.04, 1.00),
)

_FIRST = (
    "Nord", "Alder", "Bright", "Cor", "Delta", "Eber", "Fair", "Grün", "Hol", "Ister", "Jör", "Kessel", "Lind", "Mar",
    "Neu", "Ost", "Pine", "Quer", "Rhein", "Stone", "Tal", "Ulm", "Vester", "Wald", "Yar", "Zell", "Ash", "Blue",
    "Clare", "Dorn", "Elm", "Falk", "Glen", "Hart", "Iron", "Kirk",
)  # fmt: skip
_SECOND = (
    "bach", "berg", "bridge", "dale", "feld", "ford", "gate", "haven", "heim", "hurst", "land", "low", "mark", "mere",
    "mont", "moor", "port", "quist", "ridge", "see", "shaw", "stedt", "stein", "ton", "vale", "wick", "worth",
)  # fmt: skip
_TRADE = ("Industries", "Trading", "Stores", "Bau", "Logistics", "Services")
_FORMS = {
    "US": "Inc.", "CA": "Corp.", "MX": "S.A. de C.V.", "JP": "K.K.", "DE": "GmbH", "AT": "GmbH", "CH": "AG",
    "FR": "S.A.S.", "NL": "B.V.", "IT": "S.p.A.", "PL": "Sp. z o.o.", "GB": "Ltd", "IE": "Ltd", "SE": "AB",
    "ES": "S.L.",
}  # fmt: skip


def company_names(rng: np.random.Generator, segment: Ints, country: list[str]) -> list[str]:
    """One name per company; a few companies share theirs, as in life."""
    first, second = rng.integers(len(_FIRST), size=len(segment)), rng.integers(len(_SECOND), size=len(segment))
    return [
        f"{_FIRST[a]}{_SECOND[b]} {_TRADE[s]} {_FORMS.get(c, 'Ltd')}"
        for a, b, s, c in zip(first, second, segment, country, strict=True)
    ]


def renamed(rng: np.random.Generator, name: str) -> str:
    """What the same company calls itself later: a new owner, or a new spelling."""
    head, *rest = name.split(" ")
    return str(
        rng.choice([f"{head.upper()} {' '.join(rest)}", f"{head} Group {rest[-1]}", f"{head} & Partner {rest[-1]}"])
    )
