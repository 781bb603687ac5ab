"""What a portfolio mapping must satisfy beyond its types; a complaint names the file, the key and what is allowed."""

from collections import Counter
from collections.abc import Iterator

from features.errors import BadSetting
from models.credit.portfolio_spec import Category, Number, PortfolioSpec, Series

UNORDERED = ("trend", "spread")


def require_sound(spec: PortfolioSpec, file: str) -> None:
    """`BadSetting` for the first thing in `spec` (read from `file`) that cannot work."""
    for complaint in _complaints(spec):
        raise BadSetting(f"{file}: {complaint}")


def _complaints(spec: PortfolioSpec) -> Iterator[str]:
    features: tuple[Number | Category | Series, ...] = (*spec.numbers, *spec.categories, *spec.series)
    if not features:
        yield "no feature is declared; allowed: at least one of numbers, categories, series"
    for feature in features:
        if feature.reason not in spec.reasons:
            yield f"reason {feature.reason!r} has no words; allowed: {', '.join(spec.reasons) or 'add it to reasons'}"
    columns = [spec.id, spec.target.column, *spec.category_columns, *(number.column for number in spec.numbers)]
    for name, times in Counter([*columns, *(series.name for series in spec.series)]).items():
        if times > 1:
            yield f"{name!r} is used {times} times; allowed: once, as id, target, number, category or series"
    if {spec.id, spec.target.column} & set(spec.number_columns):
        yield "the id or the target is among the columns of a series; allowed: other columns"
    before: list[str] = [number.column for number in spec.numbers]
    lengths: dict[str, int] = {}
    for series in spec.series:
        yield from _of_series(series, before, lengths)
        before.append(series.name)
        lengths[series.name] = months_of(series, lengths)


def _of_series(series: Series, before: list[str], lengths: dict[str, int]) -> Iterator[str]:
    place = f"series {series.name!r}"
    declared = bool(series.columns), series.over is not None and series.under is not None
    if declared.count(True) != 1 or (series.over is None) != (series.under is None):
        yield f"{place} has {'both' if all(declared) else 'neither'} columns and over/under; allowed: one of the two"
        return
    if len(series.columns) == 1:
        yield f"{place} has one column; allowed: two or more, or declare it among the numbers"
    for name in (series.over, series.under):
        if name is not None and name not in before:
            yield f"{place}: {name!r} is not declared before it; allowed: {', '.join(before) or 'nothing yet'}"
    if series.over is not None and series.over in before and series.over not in lengths:
        yield f"{place}: over {series.over!r} is a number; allowed: a series: {', '.join(lengths) or 'none yet'}"
    if series.over in lengths and months_of(series, lengths) < 2:
        yield f"{place}: fewer than two months are left; allowed: a smaller under_back"
    if not (series.summaries or series.count_above or series.since_above is not None):
        yield f"{place} becomes no feature; allowed: summaries, count_above or since_above"
    if series.at_least is not None and series.at_most is not None and series.at_least > series.at_most:
        yield f"{place}: at_least {series.at_least:g} is above at_most {series.at_most:g}; allowed: at most as much"
    unordered = [name for name in UNORDERED if name in series.summaries]
    if series.risk != "free" and unordered:
        yield (
            f"{place}: its risk {series.risk}, and a {unordered[0]} can move against that; "
            f"allowed: risk: free, or summaries without {' and '.join(UNORDERED)}"
        )


def months_of(series: Series, lengths: dict[str, int]) -> int:
    """How many months a series has; `lengths` are those of the series before it."""
    if series.columns:
        return len(series.columns)
    over = lengths.get(series.over or "", 0)
    under = lengths.get(series.under or "", over + series.under_back)
    return min(over, under - series.under_back)
