"""What a portfolio table is made of: the keys of its mapping, their types and defaults.

A portfolio is any table with a row per borrower and a column that says who went bad. An example with every key is
`pipelines/mappings/portfolios/uci-credit-default.yaml`.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Risk = Literal["rises", "falls", "free"]
Summary = Literal["months", "last", "mean", "max", "min", "spread", "trend"]

DIRECTIONS = {"rises": 1, "falls": -1, "free": 0}


class Target(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The column that says how it ended, and its value for those that went bad."""

    column: str
    bad: str


class Number(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A column of numbers. `risk`: which way the risk moves as the number rises, all else the same."""

    column: str
    reason: str
    risk: Risk = "free"


class Category(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A column of a few values without order; one that was never seen in training counts as missing."""

    column: str
    reason: str


class Series(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The same number month by month: columns, or one thing by another.

    columns      newest month first
    over, under  instead of columns: a series by a series or a number, month by month; null where `under` is not above 0
    under_back   months that `under` is taken further back, say 1 for a payment by the bill before it
    at_least     smaller values count as this; `at_most` larger ones
    summaries    the features it becomes; `trend` is the mean of the newer half less that of the older one
    count_above  for each of these numbers, in how many months the value is above it
    since_above  months since the value was last above this number; as many as there are where it never was
    """

    name: str
    reason: str
    columns: tuple[str, ...] = ()
    over: str | None = None
    under: str | None = None
    under_back: Annotated[int, Meta(ge=0)] = 0
    at_least: float | None = None
    at_most: float | None = None
    risk: Risk = "free"
    summaries: tuple[Summary, ...] = ("months", "mean", "max", "trend")
    count_above: tuple[float, ...] = ()
    since_above: float | None = None


class PortfolioSpec(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole mapping.

    reasons  reason -> what was looked at, for every reason that a feature names; answers add which way it moved
    """

    portfolio: str
    id: str
    target: Target
    reasons: dict[str, str]
    numbers: tuple[Number, ...] = ()
    categories: tuple[Category, ...] = ()
    series: tuple[Series, ...] = ()
    missing: tuple[str, ...] = ("", "nan", "NaN", "NA", "N/A", "NULL", "null")

    @property
    def number_columns(self) -> tuple[str, ...]:
        """Every column that is read as numbers, once."""
        months = (column for series in self.series for column in series.columns)
        return tuple(dict.fromkeys([*(number.column for number in self.numbers), *months]))

    @property
    def category_columns(self) -> tuple[str, ...]:
        """Every column that is read as categories."""
        return tuple(category.column for category in self.categories)
