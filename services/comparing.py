"""Every document compared in a process of its own, so that predictions do not wait for it.

Comparing is pure Python for seconds. In the service's own process it would take the interpreter away from a prediction
each time that one comes back from Polars, some hundred times. One process does one comparison, at a lower priority: it
is asked for once an ingest, gives all its memory back, ends when the service does, and when it dies nothing else does.
"""

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl

from features.comparisons import compared
from features.errors import StateError
from features.facts import Facts
from features.tables import TABLES
from models.anomalies.model import AnomalyModel
from models.anomalies.stories import with_stories
from services.guard import place_of
from services.launcher import end_with_parent

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 3600  # a comparison that hangs must not hold up studies for good
NICE = 5  # predictions first, and yet an answer in time on a machine that is busy with something else
ANSWER = "scored.arrow"

logger = logging.getLogger(__name__)


def scored_documents(model: AnomalyModel, facts: Facts) -> pl.DataFrame:
    """What `model` says of every document of `facts`, named by story (`models.anomalies.stories.with_stories`)."""
    return with_stories(model.scored(compared(facts, model.limits)))


def scored_apart(model: AnomalyModel, facts: Facts) -> pl.DataFrame:
    """`scored_documents`, to the last bit, by another process; what that logs goes where ours goes.

    `StateError` where it ends without an answer or takes longer than `SECONDS`.
    """
    with tempfile.TemporaryDirectory(prefix="duecast-") as home:
        folder = Path(home)
        model.save(folder)
        for name, rows in facts.tables.items():
            rows.write_ipc(_place(folder, name))
        _run(folder)
        return pl.read_ipc((folder / ANSWER).read_bytes())  # not mapped: the folder goes


def _run(folder: Path) -> None:
    command = [sys.executable, "-m", "services.comparing", str(folder)]
    try:
        # S603: the command is ours
        code = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, timeout=SECONDS).returncode  # noqa: S603
    except subprocess.TimeoutExpired:
        raise _failed(f"took longer than {SECONDS} s") from None
    if code:
        raise _failed(f"ended with code {code}")


def _failed(how: str) -> StateError:
    message = f"the process that compares every document {how}; the next question about anomalies starts another"
    logger.error(message)
    return StateError(message)


def _place(folder: Path, name: str) -> Path:
    return folder / f"{name}.arrow"


def _answer(folder: Path) -> None:
    model = AnomalyModel.load(folder)
    facts = Facts.of({t.name: pl.read_ipc(_place(folder, t.name)) for t in TABLES})
    scored_documents(model, facts).write_ipc(folder / ANSWER)


def main(folder: str) -> int:
    """The process itself: reads what `scored_apart` left in `folder`, writes the answer there; the code to end with."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    end_with_parent()
    os.nice(NICE)
    try:
        _answer(Path(folder))
    except SystemExit:  # the service is gone and tidies up no more: facts must not lie about
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except Exception as error:  # said in one line without values: a traceback may hold a customer's
        sys.stderr.write(f"comparing failed error={type(error).__name__} at={place_of(error)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
