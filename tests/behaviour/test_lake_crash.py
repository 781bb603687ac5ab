"""What holds when a writer is killed, when readers look on, and when two write at once."""

import random
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from features.lake import Lake
from features.tables import CUSTOMER

PAGES, PAGE_ROWS = 40, 25

WRITER = f"""
import sys
from datetime import UTC, datetime, timedelta
import polars as pl
from features.lake import Lake
from features.tables import CUSTOMER

lake, wait = Lake(sys.argv[1]), sys.argv[2] == "wait"
print("ready", flush=True)
if wait:
    sys.stdin.readline()
for page in range({PAGES}):
    row = {{"entity_id": "US01", "source": "erp", "known_at": datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=page)}}
    named = [row | {{"customer_id": f"C{{n}}", "source_id": str(n)}} for n in range({PAGE_ROWS})]
    told = [r | {{"digest": f"content {{page % 3}}", "name": str(page), "deleted": False}} for r in named]
    lake.append(CUSTOMER, pl.DataFrame(told, schema=CUSTOMER.schema))
    if page % 8 == 7:
        lake.compact(CUSTOMER, at_least=4)
    print(page, flush=True)
"""


def writer(root: Path, *, wait: bool = False) -> subprocess.Popen[str]:
    """A process that lands all pages, from the first, and says each; with `wait`, only after a line from us."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root), "wait" if wait else "go"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def rows_by_page(root: Path) -> Counter[int]:
    return Counter(int(name) for name in Lake(root).versions(CUSTOMER).collect()["name"])


def test_kills_lose_nothing_double_nothing_and_leave_no_half_page(tmp_path: Path) -> None:
    rng = random.Random(7)
    acknowledged: set[int] = set()
    for kill in range(6):
        process = writer(tmp_path)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0.0, 0.15 * (kill + 1)))
        process.kill()
        acknowledged |= {int(page) for page in process.communicate()[0].split()}
        there = rows_by_page(tmp_path)
        assert set(there.values()) <= {PAGE_ROWS}
        assert acknowledged <= there.keys()
    assert acknowledged, "every kill came before the first page"

    last = writer(tmp_path)
    last.communicate(timeout=60)
    assert last.returncode == 0
    assert rows_by_page(tmp_path) == dict.fromkeys(range(PAGES), PAGE_ROWS)
    known = Lake(tmp_path).known(CUSTOMER, datetime(2025, 1, 1, tzinfo=UTC)).collect()
    assert sorted(known["customer_id"]) == sorted(f"C{n}" for n in range(PAGE_ROWS))
    assert set(known["name"]) == {str(PAGES - 1)}


def test_readers_see_whole_commits_only(tmp_path: Path) -> None:
    process, seen = writer(tmp_path), [0]
    while process.poll() is None:
        there = rows_by_page(tmp_path)
        assert set(there.values()) <= {PAGE_ROWS}
        assert sorted(there) == list(range(len(there))), "pages appear in the order in which they were committed"
        seen.append(len(there))
    assert process.communicate()[0].split()[-1] == str(PAGES - 1)
    assert seen == sorted(seen)
    assert len(set(seen)) > 3, "the reader never caught the writer at work"


def test_two_processes_landing_the_same_pages_land_them_once(tmp_path: Path) -> None:
    writers = [writer(tmp_path, wait=True) for _ in range(2)]
    for process in writers:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in writers:
        process.communicate("go\n", timeout=60)
    assert [process.returncode for process in writers] == [0, 0]
    assert rows_by_page(tmp_path) == dict.fromkeys(range(PAGES), PAGE_ROWS)


class NoLockFile(Lake):
    """As on an object store, where writers have only Delta's commits to tell them of each other."""

    def _one_writer(self) -> AbstractContextManager[None]:
        return nullcontext()


def test_writers_without_a_lock_file_land_each_row_once(tmp_path: Path) -> None:
    row = {"entity_id": "US01", "source": "erp", "digest": "d", "deleted": False}
    at = datetime(2024, 1, 1, tzinfo=UTC)
    named = [row | {"source_id": f"{n}", "customer_id": f"C{n}", "known_at": at + timedelta(n)} for n in range(6)]
    batch = pl.DataFrame(named, schema=CUSTOMER.schema)

    def append(n: int) -> int:
        lake = NoLockFile(tmp_path)
        return sum(lake.append(CUSTOMER, batch[sorted({k, n})]).landed for k in range(n + 1))

    with ThreadPoolExecutor(4) as pool:
        landed = sum(pool.map(append, range(6)))
    assert landed == len(batch)
    assert sorted(Lake(tmp_path).versions(CUSTOMER).collect()["customer_id"]) == sorted(batch["customer_id"])
