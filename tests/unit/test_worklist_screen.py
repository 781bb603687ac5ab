"""The worklist in a terminal: how much of it is shown, of whom, and how wide; what was learnt, beside it."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from rich.console import Console
from rich.table import Table

from models.worklist.effect_features import EFFECT_FEATURES
from models.worklist.holds import Held
from models.worklist.phrases import between
from models.worklist.plain import Estimate, Stratum, strata
from models.worklist.rows import Row
from models.worklist.worklist import HeldRow, Worklist
from pipelines.cli import run
from pipelines.worklist_commands import effect_table
from pipelines.worklist_screen import held_table, sections

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def row(entity: str, number: int, amount: int, **other: object) -> Row:
    made = Row(
        rank=number,
        entity_id=entity,
        customer_id=f"C{number:05}",
        day=date(2026, 1, 5),
        as_of=NOW,
        collector="Kim",
        made=True,
        chance=None,
        action="call",
        invoices=("I",),
        currency="EUR",
        amount=Decimal(amount),
        paid_anyway=None,
        effect=None,
        effect_low=None,
        effect_high=None,
        value=None,
        value_of_time=None,
        do="call about I",
        reasons=("first", "second"),
        would_change=("never",),
    )
    return replace(made, **other)


def made(*rows: Row, held: tuple[HeldRow, ...] = ()) -> Worklist:
    return Worklist(NOW, date(2026, 1, 5), "pooled", "none yet", "value at risk", 14, rows, held)


def drawn(table: Table, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


THREE = made(*(row(e, k, 100 - k) for e, many in (("A", 40), ("B", 2), ("C", 24)) for k in range(1, many + 1)))


def test_what_is_shown_is_shared_between_entities_and_says_of_how_many() -> None:
    titles = [table.title for table in sections(THREE, 20)]
    assert titles == [
        "A, 2026-01-05: 9 of 40 contacts shown (--limit shows more)",
        "B, 2026-01-05: 2 of 2 contacts shown",
        "C, 2026-01-05: 9 of 24 contacts shown (--limit shows more)",
    ]
    assert [table.row_count for table in sections(THREE, 20)] == [9, 2, 9]
    assert [table.row_count for table in sections(THREE, 66)] == [40, 2, 24]


def test_an_entity_of_which_none_is_shown_says_so_and_no_more() -> None:
    lines = drawn(sections(THREE, 2)[2], 80)
    assert [line for line in lines if line] == ["C, 2026-01-05: 0 of 24 contacts shown (--limit shows more)"]


def test_the_best_of_an_entity_come_first_whosever_they_are() -> None:
    told = made(row("A", 1, 10), row("A", 2, 5), row("A", 1, 70, collector="Lee", customer_id="L"))
    (table,) = sections(told)
    assert [cell.split("\n")[0] for cell in table.columns[1].cells] == ["L", "C00001", "C00002"]
    assert table.caption == "#: place on the collector's own list"
    valued = made(row("A", 1, 10, value=9.0), row("A", 1, 70, value=1.0, collector="Lee"))
    assert next(iter(sections(valued)[0].columns[2].cells)) == "10 EUR\n9.00"


@pytest.mark.parametrize("width", [80, 100])
def test_it_fits_the_terminal(width: int) -> None:
    """Whatever is long goes on below; ids, amounts and the title are whole."""
    name = "A company with a name of sixty-odd characters that never seems to end"
    out = tuple(f"7,227.61 EUR of I-{k} disputed since 2025-10-20 (pricing): not asked for" for k in range(5))
    who = "CUSTOMER-" + 30 * "0" + "17"
    long = row(
        "ENTITY01",
        1,
        123456789,
        customer_id=who,
        customer_name=name,
        left_out=out,
        converted=("converted at 1 CHF = 1",),
    )
    (table,) = sections(made(long, row("ENTITY01", 2, 1)), 1)
    lines = drawn(table, width)
    assert max(map(len, lines)) <= width
    assert lines[0] == "ENTITY01, 2026-01-05: 1 of 2 contacts shown (--limit shows more)"
    assert "123,456,789 EUR" in " ".join(" ".join(lines).split())
    head = next(line for line in lines if "collector" in line)
    column = head.index("collector")
    assert who in "".join(line[column:].split(" ")[0] for line in lines[lines.index(head) + 2 :])
    cells = [next(iter(column.cells)) for column in table.columns]
    assert cells[1].split("\n") == [who, "A company with a name o…", "Kim"]
    assert cells[3].split("\n") == [
        "call about I",
        "converted at 1 CHF = 1",
        *out[:3],
        "and 2 more not asked for",
        "second",
        "never",
    ]


def test_the_held_of_every_entity_are_shown_with_their_names() -> None:
    why = (Held("legal", "with the lawyers", "their word"),)
    held = tuple(HeldRow(e, f"C{k}", None, why, "Ada's" if k == 0 else None) for e in "AB" for k in range(20))
    table = held_table(made(held=held))
    assert table.title == "8 of 40 held shown"
    assert [cell.split("\n") for cell in table.columns[0].cells][3:6] == [["A C3"], ["B C0", "Ada's"], ["B C1"]]


def test_the_help_says_how(capsys: pytest.CaptureFixture) -> None:
    assert run(["worklist", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Examples: duecast worklist" in said
    assert "duecast worklist --horizon 7" in said
    assert "--limit" in said


# --- what was learnt ----------------------------------------------------------------------------------------------


def experiment_rows(made: int, left: int, customers: int, paid: float | None = None) -> pl.DataFrame:
    """Drawn contacts of one stratum; `paid`: what each paid, noise where left out."""
    rows = made + left
    shares = np.random.default_rng(1).random(rows) if paid is None else np.full(rows, paid)
    return pl.DataFrame(
        {
            "entity_id": ["E"] * rows,
            "customer_id": [f"C{k % customers}" for k in range(rows)],
            "made": [True] * made + [False] * left,
            "chance": [0.5] * rows,
            **{name: [0.0] * rows for name in EFFECT_FEATURES},
            "paid_share": shares,
        }
    )


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (experiment_rows(2, 1, 3), "too few: 2 made of 20, 1 held out of 20, 3 customers of 20 needed"),
        (experiment_rows(19, 20, 30), "too few: 19 made of 20 needed"),
        (experiment_rows(20, 19, 30), "too few: 19 held out of 20 needed"),
        (experiment_rows(40, 40, 19), "too few: 19 customers of 20 needed"),
        (experiment_rows(5, 0, 5), "too few: 5 made of 20, 0 held out of 20, 5 customers of 20 needed"),
        (experiment_rows(20, 20, 20, paid=0.0), "no spread: all made paid alike, all held out too"),
    ],
)
def test_a_stratum_of_too_little_has_no_interval_and_says_why(rows: pl.DataFrame, why: str) -> None:
    assert strata(rows) == [Stratum("usually less than 2 days late", len(rows), None, why)]


def test_a_stratum_of_just_enough_has_one() -> None:
    (told,) = strata(experiment_rows(20, 20, 20))
    assert told.lacking is None
    assert told.found is not None
    assert told.found.low < told.found.effect < told.found.high


def test_the_table_of_effects_says_why_there_is_none_and_has_no_minus_nothing() -> None:
    pooled = Estimate(0.06, -0.0004, 0.12)
    few = Stratum("usually late", 3, None, "too few: 2 made of 20 needed")
    effect = SimpleNamespace(about={"rows": 500}, pooled=pooled, horizon_days=14)
    done = SimpleNamespace(effect=effect, plain=pooled, strata=[few])
    lines = [" ".join(line.split()) for line in drawn(effect_table(done), 80)]
    assert "all, model 500 +6.0 +0.0 and +12.0" in lines
    assert any(line.startswith("usually late 3 too few: 2 made of 20") for line in lines)
    assert between(-0.0004, 0.12) == "95 % between +0.0 and +12.0"
