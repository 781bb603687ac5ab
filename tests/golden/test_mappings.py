"""Small files of our own making, and beside them what the mappings make of them, to the last row and reason."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from features.lake import Lake
from features.tables import SYSTEM, TABLES, Table
from pipelines.ingest import ingest_files
from pipelines.mapping import load
from pipelines.mapping_keys import Mapping
from pipelines.run_report import RunReport
from services.runs import Counts
from services.store import Store

CASES = Path(__file__).parent / "mappings"
NOW = datetime(2024, 4, 1, 8, 30, tzinfo=UTC)


def mapping_of(case: Path) -> Mapping:
    own = case / "mapping.yaml"
    return load(own if own.exists() else case.name)


def told(lake: Lake, store: Store, report: RunReport) -> str:
    """Counts, quarantine and every landed row as text."""
    lines = ["# counts: " + " ".join(Counts.__slots__)]
    lines += [f"{f.feed}: {' '.join(str(getattr(f.counts, n)) for n in Counts.__slots__)}" for f in report.feeds]
    lines += [f"unused in {file}: {', '.join(columns)}" for file, columns in report.unused]
    lines += [f"absent: {path}" for path in report.absent]
    bad = store.quarantined().sort("table", "where", "field", "value")
    lines += ["", "# quarantine"]
    lines += [
        f"{r['table']} | {r['where']} | {r['field']} | {r['value']} | {r['allowed']}" for r in bad.iter_rows(named=True)
    ]
    landed = {table: lake.versions(table).collect() for table in TABLES}
    for table, rows in landed.items():
        lines += ["", *_rows(table, rows)] if rows.height else []
    return "\n".join(lines) + "\n"


def _rows(table: Table, rows: pl.DataFrame) -> list[str]:
    own = [c for c in table.schema if c not in {s.name for s in SYSTEM}]
    names = ["entity_id", "source_id", "known_at", *own]
    ordered = rows.sort("entity_id", table.id_column, "known_at").select(names)
    shown = [" | ".join(_shown(v) for v in row) for row in ordered.iter_rows()]
    return [f"# {table.name}: {' '.join(names)}", *shown]


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%MZ")
    if isinstance(value, list):
        return "; ".join(f"{i['number']} {i['due_date']} {i['amount_minor']}" for i in value)
    return str(value)


@pytest.mark.parametrize("case", sorted(p.name for p in CASES.iterdir()))
def test_files_become_the_expected_rows(case: str, tmp_path: Path) -> None:
    folder = CASES / case
    lake, store = Lake(tmp_path / "lake"), Store(f"sqlite:///{tmp_path / 'store.db'}")
    report = ingest_files(folder, mapping_of(folder), lake, store, now=NOW)
    assert told(lake, store, report) == (folder / "expected.txt").read_text("utf-8")


@pytest.mark.parametrize("case", sorted(p.name for p in CASES.iterdir()))
def test_the_same_files_again_land_nothing(case: str, tmp_path: Path) -> None:
    folder = CASES / case
    lake, store = Lake(tmp_path / "lake"), Store(f"sqlite:///{tmp_path / 'store.db'}")
    first = ingest_files(folder, mapping_of(folder), lake, store, now=NOW)
    again = ingest_files(folder, mapping_of(folder), lake, store, now=NOW.replace(day=2))
    assert again.counts.landed == 0
    assert again.counts.quarantined == first.counts.quarantined
    assert again.counts.read == first.counts.read
