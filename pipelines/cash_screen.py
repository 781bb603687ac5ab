"""Cash forecasts and their decompositions as tables of at most 100 columns."""

from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.table import Table

from features.money import from_minor
from models.cash.answers import CashForecast, GroupForecast, Inflow, SeriesForecast
from models.cash.decomposition import PARTS, Decomposition

COMPONENTS = ("open", "orders", "new_business")


def forecast_tables(base: CashForecast, scenario: CashForecast | None = None) -> list[Table]:
    """One table per series that has a forecast, one of what has none, and one in group currency.

    A mean may lie outside its interval where cash is rare, a large sum in one week of thirty: hence the median.
    """
    other = {(s.entity_id, s.currency): s for s in scenario.series} if scenario else {}
    told = [s for s in base.series if s.availability != "none"]
    tables = [_weeks(f"{s.entity_id} {s.currency}", s, other.get((s.entity_id, s.currency)), s.currency) for s in told]
    if len(told) < len(base.series) or (base.group is not None and base.group.availability == "none"):
        tables.append(_without(base))
    if base.group is not None and base.group.availability != "none":
        group = scenario.group if scenario else None
        tables.append(_weeks(f"Group, in {base.group.currency}", base.group, group, base.group.currency))
    return tables


def decomposition_table(told: list[Decomposition]) -> Table:
    """Forecast, actual and the parts of the difference, a column per series."""
    table = _table("Forecast less actual, and why (thousands)")
    table.add_column("", no_wrap=True)
    for one in told:
        table.add_column(f"{one.entity_id}\n{one.currency}", justify="right")
    rows = {"forecast": [d.forecast_minor for d in told], "actual": [d.actual_minor for d in told]}
    rows["difference"] = [d.forecast_minor - d.actual_minor for d in told]
    rows |= {part: [d.parts_minor[part] for d in told] for part in PARTS}
    for name, amounts in rows.items():
        table.add_row(name.replace("_", " "), *(_thousands(a, d.currency) for a, d in zip(amounts, told, strict=True)))
    return table


def _weeks(
    title: str, told: SeriesForecast | GroupForecast, other: SeriesForecast | GroupForecast | None, currency: str
) -> Table:
    reason = f" – {told.availability_reason}" if told.availability_reason else ""
    table = _table(f"{title}, thousands{reason}")
    for name in ("week from", "mean", "median", "80 % between", "95 % between", "open", "orders", "new"):
        table.add_column(name, justify="left" if name == "week from" else "right", no_wrap="between" not in name)
    if other is not None:
        table.add_column("scenario", justify="right", no_wrap=True)
    rows = [*told.weekly, *([told.total] if told.total else [])]
    beside = [*other.weekly, *([other.total] if other.total else [])] if other is not None else []
    for k, week in enumerate(rows):
        name = str(week.first_day) if k < len(told.weekly) else "together"
        extra = [_thousands(beside[k].mean_minor, currency)] if beside else []
        table.add_row(name, *_cells(week, currency), *extra)
    return table


def _cells(week: Inflow, currency: str) -> list[str]:
    q = {name: _thousands(amount, currency) for name, amount in week.quantiles_minor.items()}
    parts = (week.open_minor, week.orders_minor, week.new_business_minor)
    return [
        _thousands(week.mean_minor, currency),
        q["p50"],
        f"{q['p10']} – {q['p90']}",
        f"{q['p2_5']} – {q['p97_5']}",
        *(_thousands(part, currency) for part in parts),
    ]


def _without(told: CashForecast) -> Table:
    table = _table("No forecast")
    for name in ("entity", "currency", "open", "because"):
        table.add_column(name)
    for s in (s for s in told.series if s.availability == "none"):
        table.add_row(s.entity_id, s.currency, f"{from_minor(s.owed_minor, s.currency):,}", s.availability_reason or "")
    if told.group is not None and told.group.availability == "none":
        table.add_row("group", told.group.currency, "", told.group.availability_reason or "")
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", expand=True, pad_edge=False, box=SIMPLE_HEAD)


def _thousands(minor: int, currency: str) -> str:
    return f"{(from_minor(minor, currency) / 1000).quantize(Decimal('0.1')):,}"
