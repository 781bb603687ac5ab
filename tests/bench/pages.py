"""Run the long benchmarks and write their tables into the packages' READMEs: `make pages` (hours on 2 cores).

    python tests/bench/pages.py                        run what has no table yet in .duecast/results, write the READMEs
    python tests/bench/pages.py promises cash-speed    run these anew

A table stands between `<!-- results:NAME -->` and `<!-- /results:NAME -->`, with the command that made it; what people
say about it stands around. A benchmark whose data folder is absent is left out, and its table stays as it was.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".duecast" / "results"
UCI = "../shared/data/uci-credit-default/UCI_Credit_Card.csv"


@dataclass(frozen=True)
class Page:
    """A benchmark's table: what prints it, and the README in which it stands."""

    name: str
    readme: str
    command: str
    data: str = ""


PAGES = (
    Page("promises", "models/worklist/README.md", "bench_promises.py --seeds 101 102 103 104 105"),
    Page("credit-uci", "models/credit/README.md", f"bench_credit_uci.py --data {UCI}", data=UCI),
    Page("cash-speed", "models/cash/README.md", "bench_cash_speed.py"),
    Page("credit-ledger", "models/credit/README.md", "bench_credit_ledger.py --seeds 101 102 103 104 105"),
    Page("anomalies", "models/anomalies/README.md", "bench_anomalies.py --seeds 301 302 303 304 305"),
    Page("worklist", "models/worklist/README.md", "bench_worklist.py --seeds 101 102 103 104 105 --customers 250"),
    Page("cash", "models/cash/README.md", "bench_cash.py --seeds 141 142 143 --customers 250 --draws 500"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"run anew: {', '.join(page.name for page in PAGES)}")
    names = parser.parse_args().names
    if unknown := set(names) - {page.name for page in PAGES}:
        parser.error(f"no such page: {', '.join(sorted(unknown))}")
    HOME.mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        if page.name in names or not _out(page).exists():
            _run(page)
        if _out(page).exists():
            _write(page)


def _out(page: Page) -> Path:
    return HOME / f"{page.name}.md"


def _run(page: Page) -> None:
    if page.data and not (ROOT / page.data).exists():
        return
    print(f"running {page.name}", flush=True)
    command = [sys.executable, *shlex.split(f"tests/bench/{page.command}")]
    environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
    printed = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    _out(page).write_text(printed)


def _write(page: Page) -> None:
    """Put the table and its command between the page's marks; a README without them is a mistake of ours."""
    readme = ROOT / page.readme
    marks = re.compile(rf"(<!-- results:{page.name} -->\n).*?(<!-- /results:{page.name} -->)", re.DOTALL)
    told = f"`python tests/bench/{page.command}`\n\n{_out(page).read_text().strip()}\n"
    text, places = marks.subn(lambda m: f"{m[1]}{told}{m[2]}", readme.read_text())
    assert places == 1, f"{page.readme} has {places} places for {page.name}, needed is one"
    readme.write_text(text)


if __name__ == "__main__":
    main()
