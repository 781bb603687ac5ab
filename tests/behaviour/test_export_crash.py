"""An export that is killed in the midst of its work leaves the old files as they were."""

import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from features.book import Book
from features.facts import Facts
from pipelines.marts.build import marts
from pipelines.marts.files import write_folder
from services.sandbox.options import WorldOptions
from services.sandbox.world import simulate

TODAY = date(2026, 1, 5)
WRITER = """
import sys, time
from datetime import date
from pathlib import Path
from features.book import Book
from features.facts import Facts
from pipelines.marts import files
from pipelines.marts.build import marts
from services.sandbox.options import WorldOptions
from services.sandbox.world import simulate

write = files._write
def slow(*given):
    write(*given)
    print("wrote", flush=True)
    time.sleep(60)
files._write = slow
star = marts(Book(Facts.of(simulate(WorldOptions(seed=11, customers=20, years=1)).facts)), date(2025, 6, 1))
files.write_folder(star, Path(sys.argv[1]), "parquet")
"""


@pytest.mark.slow
def test_a_killed_export_leaves_the_old_star_and_the_next_one_clears_up(tmp_path: Path) -> None:
    book = Book(Facts.of(simulate(WorldOptions(seed=11, customers=20, years=1)).facts))
    star, folder = marts(book, TODAY), tmp_path / "star"
    write_folder(star, folder, "parquet")
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "wrote\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait(30)
    writer.stdout.close()
    assert len(list(tmp_path.iterdir())) == 2
    assert pl.read_parquet(folder / "fact_kpi.parquet").equals(star["fact_kpi"])
    write_folder(star, folder, "parquet")
    assert [p.name for p in tmp_path.iterdir()] == ["star"]
