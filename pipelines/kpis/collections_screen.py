"""The KPIs of collections as tables of at most 100 columns."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from features.kpis.buckets import LABELS
from features.kpis.engine import CollectionKpis, KpiValue
from pipelines.kpis.screen import percent

AGEING = ("ageing_current", "ageing_1_30", "ageing_31_60", "ageing_61_90", "ageing_over_90", "ar")
SECTIONS = {
    "How long the money takes": ("dso", "best_possible_dso", "add", "cei", "dso_worth", "past_due_share"),
    "Ageing, days past due": AGEING,
    "Beside it": ("credit_notes_open", "unapplied_cash", "net_ar", "beginning_ar", "credit_sales"),
    "Roll rates, 30 days": ("roll_current", "roll_1_30", "roll_31_60", "roll_61_90"),
    "Promises and deductions": (
        "promise_kept_share",
        "promise_kept_amount_share",
        "deductions_open",
        "days_deductions_outstanding",
    ),
    "Invoice to cash": ("settled_count", "cycle_days_median", "cycle_days_p90", "open_count"),
}
HEADINGS = {
    "dso": "DSO",
    "best_possible_dso": "best DSO",
    "add": "ADD",
    "cei": "CEI",
    "dso_worth": "DSO worth",
    "past_due_share": "past due",
    **dict(zip(AGEING, (*LABELS, "all"), strict=True)),
    "credit_notes_open": "credit notes",
    "unapplied_cash": "unapplied",
    "net_ar": "net AR",
    "beginning_ar": "began with",
    "credit_sales": "sales",
    "roll_current": "to 1-30",
    "roll_1_30": "to 31-60",
    "roll_31_60": "to 61-90",
    "roll_61_90": "to 90+",
    "promise_kept_share": "kept",
    "promise_kept_amount_share": "by amount",
    "deductions_open": "deductions",
    "days_deductions_outstanding": "DDO days",
    "settled_count": "settled",
    "cycle_days_median": "median days",
    "cycle_days_p90": "p90 days",
    "open_count": "open items",
}
Name = tuple[str | None, str, str | None, bool]
"""Entity, currency, group, whether converted."""
Groups = dict[Name, dict[str, KpiValue]]


def said(as_of: str) -> str:
    """An ISO day or instant as people say it."""
    if "T" in as_of:
        return f"{datetime.fromisoformat(as_of).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"{as_of} (its start)"


def kpi_tables(found: CollectionKpis, limit: int) -> Iterator[RenderableType]:
    """A table a section, its rows the first `limit` groups by what they owe; then what is missing, and why."""
    yield Text(f"Collections as of {said(found.as_of)}, over {found.days} days, by {found.by}; money in whole units")
    groups = _grouped(found.rows)
    if not groups:
        yield Text("Nothing is known as of then: no invoice, payment, dispute or promise")
        return
    shown = _largest(groups, limit)
    for title, names in SECTIONS.items():
        yield _section(title, names, shown)
    if len(shown) < len(groups):
        yield Text(f"{len(shown)} of {len(groups)} rows, {_order(found)}; all of them: --json FILE")
    yield from _missing(row for rows in shown.values() for row in rows.values())
    if found.silent:
        yield Text(f"Nothing is known of: {', '.join(found.silent)}")


def definitions_text(found: CollectionKpis) -> Group:
    """What every figure means."""
    return Group(
        Text("\nDefinitions"),
        *(Padding(Text(f"{name}: {words}", style="dim"), (0, 0, 0, 2)) for name, words in found.definitions.items()),
    )


def _grouped(rows: Sequence[KpiValue]) -> Groups:
    groups: Groups = {}
    for row in rows:
        groups.setdefault((row.entity_id, row.currency, row.group, row.converted), {})[row.kpi] = row
    return groups


def _largest(groups: Groups, limit: int) -> Groups:
    """The rows to show, in their own order where all are shown.

    Amounts in different currencies have no order. With rows in the group's currency, the `limit` groups that owe most
    in it, each with all its currencies; without, `limit` rows, every entity's and currency's largest in turns.
    """
    own = [key for key in groups if not key[3]]
    converted = {(key[0], key[2]): key for key in groups if key[3]}
    if len(own) <= limit:
        return groups
    everything = [key for key in [converted.pop((None, None), None)] if key]
    if not converted:
        in_turns = sorted(own, key=lambda key: _in_turns(own, key, groups))
        return {key: groups[key] for key in [*in_turns[:limit], *everything]}
    largest = sorted(converted.values(), key=lambda key: _owed(groups, key), reverse=True)[:limit]
    rows = [key for big in largest for key in own if (key[0], key[2]) == (big[0], big[2])]
    return {key: groups[key] for key in [*rows, *largest, *everything]}


def _in_turns(keys: Sequence[Name], key: Name, groups: Groups) -> tuple[bool, int, str, str]:
    """Who owes nothing last; then by how many of the same entity and currency owe more; then by these."""
    own = _owed(groups, key)
    rivals = [_owed(groups, other) for other in keys if other[:2] == key[:2]]
    return own <= 0, sum(owed > own for owed in rivals), key[0] or "", key[1]


def _owed(groups: Groups, key: Name) -> Decimal:
    return groups[key]["ar"].value or Decimal(0)


def _order(found: CollectionKpis) -> str:
    """How the rows that are shown were chosen."""
    if found.group_currency is not None:
        return f"the largest receivables in {found.group_currency} first, each group with all its currencies"
    return "the largest receivables of every entity and currency in turns"


def _section(title: str, names: Sequence[str], groups: Groups) -> Table:
    named = any(group for _, _, group, _ in groups)
    table = kpi_table(title, ("entity", *(["group"] if named else []), ""), [HEADINGS[name] for name in names])
    for (entity, currency, group, converted), rows in groups.items():
        who = [entity or "all", *([group or "unknown" if entity else ""] if named else [])]
        table.add_row(*who, f"{currency}*" if converted else currency, *(_cell(rows[name]) for name in names))
    if any(converted for *_, converted in groups):
        table.caption, table.caption_justify = "* over all currencies, converted", "left"
    return table


def _cell(row: KpiValue) -> str:
    if row.value is None:
        return "none"
    mark = "~" if row.availability == "partial" else ""
    match row.unit:
        case "share":
            return mark + percent(float(row.value))
        case "percent":
            return f"{mark}{row.value} %"
        case "money":
            return f"{mark}{row.value:,.0f}"
        case _:
            return f"{mark}{row.value:,}"


def _missing(rows: Iterable[KpiValue]) -> Iterator[Text]:
    """Why figures are none or leave something out: each reason once, with the entities and figures it is about."""
    about: dict[str, tuple[list[str], list[str]]] = {}
    for row in rows:
        if row.availability_reason:
            mark = "~" if row.availability == "partial" else "none"
            whose, names = about.setdefault(f"{mark}: {row.availability_reason}", ([], []))
            whose += [] if (row.entity_id or "all") in whose else [row.entity_id or "all"]
            names += [] if row.kpi in names else [row.kpi]
    for reason, (whose, names) in about.items():
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        yield Text(f"{reason} ({', '.join(whose)}: {', '.join(names[:4])}{more})", style="dim")


def kpi_table(title: str, words: Sequence[str], numbers: Sequence[str]) -> Table:
    """An empty table; words to the left, numbers to the right."""
    table = Table(title=title or None, title_justify="left", expand=True, box=SIMPLE_HEAD, pad_edge=False, padding=0)
    for name in words:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", overflow="fold")
    return table
