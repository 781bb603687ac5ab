"""The worklist as people see it in the terminal: a section for each entity, the best contacts first; who is held."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from models.worklist.entities import EntityList
from models.worklist.not_listed import BEYOND, NOT_WORTH
from models.worklist.phrases import counted
from models.worklist.rows import Row
from models.worklist.worklist import HeldRow, Worklist
from pipelines.screen import short_name

SHOWN, HELD_SHOWN, REASONS_SHOWN, OUT_SHOWN, EMPTY_SHOWN = 20, 8, 3, 3, 8


def heading(made: Worklist) -> str:
    """How many contacts for which day, how they are ranked, what is not on the list, and where nobody is and why."""
    left = sum(not row.made for row in made.rows)
    told = [
        f"{counted(len(made.rows), 'contact')} for {_days(made)}, {left} left out by the draw",
        f"ranked by {made.ranking}",
        f"beyond the capacity: {_not_listed(made, BEYOND, made.beyond)}",
        f"not worth a contact: {_not_listed(made, NOT_WORTH, made.not_worth)}",
        f"held: {len(made.held)}",
        *_nobody_at(made),
    ]
    return escape("\n".join(told))


def shares(totals: Mapping[str, int], limit: int) -> dict[str, int]:
    """How many of each entity are shown, `limit` in all: one each in turn while there are any.

    >>> shares({"A": 40, "B": 2, "C": 9}, 10)
    {'A': 4, 'B': 2, 'C': 4}
    """
    shown, waiting = dict.fromkeys(totals, 0), list(totals)
    while limit and waiting:
        entity = waiting.pop(0)
        if shown[entity] < totals[entity]:
            shown[entity] += 1
            limit -= 1
            waiting.append(entity)
    return shown


def sections(made: Worklist, limit: int = SHOWN) -> list[Table]:
    """A table for each entity with contacts, `limit` rows in all, those of an entity with the most at stake first."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in made.rows:
        rows[row.entity_id].append(row)
    shown = shares({entity: len(of) for entity, of in rows.items()}, limit)
    return [_section(entity, sorted(of, key=_stake, reverse=True), shown[entity]) for entity, of in rows.items()]


def held_table(made: Worklist) -> Table:
    """The first of those held at each entity, each with what releases it."""
    shown = shares(Counter(row.entity_id for row in made.held), HELD_SHOWN)
    title = f"{sum(shown.values())} of {len(made.held)} held shown"
    table = Table(title=title, title_justify="left", expand=True, pad_edge=False, box=SIMPLE_HEAD)
    table.add_column("customer", ratio=2, overflow="fold")
    table.add_column("why", ratio=3)
    table.add_column("released by", ratio=3)
    for row in _first(made.held, shown):
        table.add_row(_named(f"{row.entity_id} {row.customer_id}", row.customer_name), *_first_hold(row))
    return table


def _section(entity: str, rows: Sequence[Row], shown: int) -> Table:
    """The first `shown` of `rows`, which are those of one entity."""
    more = " (--limit shows more)" if shown < len(rows) else ""
    title = escape(f"{entity}, {rows[0].day}: {shown} of {counted(len(rows), 'contact')} shown{more}")
    table = Table(title=title, title_justify="left", expand=True, pad_edge=False, box=SIMPLE_HEAD, leading=1)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("customer\ncollector", ratio=2, overflow="fold")
    table.add_column("asked for\nvalue", justify="right", no_wrap=True)
    table.add_column("do, and why", ratio=5)
    for row in rows[:shown]:
        table.add_row(str(row.rank), _who(row), _amounts(row), escape(_why(row)))
    table.show_header = shown > 0
    if shown and [row.rank for row in rows] != list(range(1, len(rows) + 1)):
        table.caption, table.caption_justify = "#: place on the collector's own list", "left"
    return table


def _stake(row: Row) -> float:
    """What ranks it: the value of the contact, or what is at risk."""
    return float(row.amount) * (1.0 - (row.paid_anyway or 0.0)) if row.value is None else row.value


def _first(held: Iterable[HeldRow], shown: Mapping[str, int]) -> list[HeldRow]:
    seen: Counter[str] = Counter()
    kept = []
    for row in held:
        seen[row.entity_id] += 1
        if seen[row.entity_id] <= shown[row.entity_id]:
            kept.append(row)
    return kept


def _days(made: Worklist) -> str:
    """The day of the list; the first and the last, where entities are on different ones."""
    days = sorted({entity.day for entity in made.entities})
    return " to ".join(str(day) for day in dict.fromkeys((days[0], days[-1])))


def _not_listed(made: Worklist, why: str, customers: int) -> str:
    """How many, and what they would be asked for: never added up over entities or currencies."""
    told = [f"{s.entity_id} {s.amount:,} {s.currency}" for s in made.not_listed_sums if s.why == why]
    return f"{customers} ({', '.join(told)})" if told else str(customers)


def _nobody_at(made: Worklist) -> list[str]:
    """The entities without a contact, each with its day and the reason."""
    empty = [f"no contact at {e.entity_id} on {e.day}: {_why_nobody(e)}" for e in made.entities if not e.contacts]
    more = [f"no contact at {len(empty) - EMPTY_SHOWN} more entities"] if len(empty) > EMPTY_SHOWN else []
    return empty[:EMPTY_SHOWN] + more


def _why_nobody(entity: EntityList) -> str:
    if entity.availability == "none":
        return str(entity.availability_reason)
    parts = {"held": entity.held, "beyond the capacity": entity.beyond, "not worth a contact": entity.not_worth}
    return ", ".join(f"{number} {words}" for words, number in parts.items() if number)


def _who(row: Row) -> str:
    return f"{_named(row.customer_id, row.customer_name)}\n{escape(row.collector or 'nobody')}"


def _named(customer: str, name: str | None) -> str:
    """The id, and the name below it, cut where it is too long."""
    return escape(f"{customer}\n{short_name(name)}".rstrip())


def _amounts(row: Row) -> str:
    value = "" if row.value is None else f"\n{row.value:,.2f}"
    return f"{row.amount:,} {row.currency}{value}"


def _why(row: Row) -> str:
    more = len(row.left_out) - OUT_SHOWN
    out = [*row.left_out[:OUT_SHOWN], *([f"and {more} more not asked for"] if more > 0 else [])]
    return "\n".join([row.do, *row.converted, *out, *row.reasons[1 : 1 + REASONS_SHOWN], row.would_change[0]])


def _first_hold(row: HeldRow) -> tuple[str, str]:
    first = row.holds[0]
    more = f" (and {len(row.holds) - 1} more)" if len(row.holds) > 1 else ""
    return escape(f"{first.reason}{more}"), escape(first.released_by)
