"""An ingest of files that is killed at any moment loses and doubles nothing: the next one completes it."""

import random
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from features.lake import Lake
from features.tables import TABLES
from pipelines.ingest import ingest_files
from pipelines.mapping import load
from services.runs import Status
from services.store import Store

SPOKEN = """
class Spoken:
    def begin(self, feed, total): pass
    def end(self, feed): pass
    def advance(self, feed, rows): print(feed, flush=True)

"""
FILES = f"""
import sys
from datetime import UTC, datetime
from pathlib import Path
from features.lake import Lake
from pipelines.ingest import ingest_files
from pipelines.mapping import load
from services.store import Store
{SPOKEN}
folder, state, number = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
now = datetime(2026, 1, number + 1, tzinfo=UTC)
with Store(f"sqlite:///{{state / 'store.db'}}") as store:
    ingest_files(folder, load("ibm-ar"), Lake(state / "lake"), store, now=now, progress=Spoken())
"""
KILLS = 5


def killed_and_completed(program: str, source: str, state: Path) -> None:
    """Run `program` and kill it `KILLS` times, each time a little after some more feeds landed; then let it end."""
    rng = random.Random(11)
    for number in range(KILLS + 1):
        process = subprocess.Popen(
            [sys.executable, "-c", program, source, str(state), str(number)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert process.stdout is not None
        if number < KILLS:
            for _ in range(1 + number):
                assert process.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.1))
            process.kill()
        process.communicate(timeout=120)
    assert process.returncode == 0


def contents(state: Path) -> dict[str, list[tuple[object, ...]]]:
    lake = Lake(state / "lake")
    return {t.name: lake.versions(t).sort(*t.key, "known_at").collect().rows() for t in TABLES}


def write_ledger(folder: Path) -> None:
    folder.mkdir()
    issue = date(2012, 1, 1)
    lines = ["countryCode,customerID,PaperlessDate,invoiceNumber,InvoiceDate,DueDate,InvoiceAmount,SettledDate"]
    for n in range(4000):
        days = [issue + timedelta(days=n % 300 + extra) for extra in (0, 30, 20 + n % 30)]
        issued, due, settled = (f"{day.month}/{day.day}/{day.year}" for day in days)
        lines.append(f"{n % 5},C{n % 50},1/1/2012,{n},{issued},{due},{n}.{n % 100:02d},{settled if n % 9 else ''}")
    lines.append("1,C1,1/1/2012,4001,13/1/2012,2/1/2012,1.00,")
    (folder / "ar.csv").write_text("\n".join(lines))


@pytest.mark.slow
def test_files(tmp_path: Path) -> None:
    write_ledger(tmp_path / "data")
    killed, calm = tmp_path / "killed", tmp_path / "calm"
    killed.mkdir()
    calm.mkdir()
    killed_and_completed(FILES, str(tmp_path / "data"), killed)
    with Store(f"sqlite:///{calm / 'store.db'}") as store:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        ingest_files(tmp_path / "data", load("ibm-ar"), Lake(calm / "lake"), store, now=now)
    assert contents(killed) == contents(calm)
    with Store(f"sqlite:///{killed / 'store.db'}") as store:
        runs = store.runs()
        assert runs[0].status is Status.DONE
        assert runs[0].counts.tie
        assert Status.INTERRUPTED in {run.status for run in runs[1:]}
        assert store.quarantined()["where"].to_list() == ["ar.csv line 4002"]
