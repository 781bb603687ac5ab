"""How the errors desk looks in a terminal, and as JSON. Payloads are shown to the person who asks, and logged nowhere.

What others wrote may hold signs that steer a terminal: whatever cannot be printed is shown as its escape.
"""

import json
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from pipelines.corrections.cases import Case
from pipelines.corrections.replay import Replayed
from services.corrections import Entry, Json, State

WIDTH = 100
SHOWN = 100


def case_table(cases: Sequence[Case], width: int = WIDTH) -> Table:
    """One line a case, its latest reason cut to what fits; at most `SHOWN` of them."""
    more = f", the {SHOWN} oldest; --json writes all" if len(cases) > SHOWN else ""
    table = Table(
        title=f"{len(cases):,} cases{more}", title_justify="left", width=width, pad_edge=False, box=SIMPLE_HEAD
    )
    for name in ("case", "since", "times", "system", "about"):
        table.add_column(name, justify="right" if name == "times" else "left", no_wrap=True, overflow="ellipsis")
    table.columns[3].max_width, table.columns[4].max_width = 12, 14
    table.add_column("reason", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("state", no_wrap=True)
    for case in cases[:SHOWN]:
        told = (f"{case.since:%Y-%m-%d}", f"{case.times:,}", case.system, ", ".join(case.about), case.reasons[0].words)
        table.add_row(*(Text(printable(cell)) for cell in (case.case_id, *told, case.standing.state.value)))
    return table


def case_lines(case: Case) -> Iterator[str]:
    """All that is known of a case: its reasons, its payload as it came and as it was edited, its history."""
    yield f"case {case.case_id}: {case.kind}, {case.system}, {', '.join(case.about)}, {case.standing.state}"
    yield printable(f"place    {case.place}")
    yield f"since    {case.since:%Y-%m-%d %H:%M} UTC, {case.times:,} times"
    for reason in case.reasons:
        yield printable(f"reason   {reason.words}  ({reason.last:%Y-%m-%d %H:%M} UTC)")
    last = _pretty(case.given) if case.given is not None else printable(case.raw or "nothing")
    if case.came not in (None, case.raw):
        yield from ("", "as it came:", _pretty(json.loads(str(case.came))), "", "as it was last sent:", last)
    else:
        yield from ("", "as it came:", last)
    for number, entry in enumerate(case.history, start=1):
        yield from ("", printable(_act(number, entry)))
        if entry.payload is not None:
            yield _pretty(entry.payload)
    yield from ("", f"{len(case.history)} entries in the history (--seen {len(case.history)})")


def next_step(case: Case) -> str:
    """What may be done now."""
    match case.standing.state:
        case State.EDITED:
            then = f"duecast errors replay {case.case_id}"
            return f"Next: {then}; where an amount changed another person approves it first (errors approve)"
        case State.WAITING | State.APPROVED:
            return f"Next: duecast errors replay {case.case_id}"
        case _:
            return f"Case {case.case_id} is {case.standing.state}"


def replay_lines(case_id: str, done: Replayed) -> Iterator[str]:
    """What came of a replay."""
    counts = done.counts
    figures = f"read {counts.read}, landed {counts.landed}, duplicates {counts.duplicates}"
    yield f"run {done.run_id}: {figures}, quarantined {counts.quarantined}"
    for reason in done.reasons:
        yield printable(f"broken again  {reason}")
    yield f"Case {case_id} stays as it is" if done.reasons else f"Case {case_id} is replayed"


def as_json(cases: Sequence[Case]) -> str:
    """The cases without their payloads."""
    told = [
        {
            "case": c.case_id,
            "kind": c.kind,
            "system": c.system,
            "about": list(c.about),
            "place": c.place,
            "since": c.since.isoformat(),
            "times": c.times,
            "reasons": [reason.words for reason in c.reasons],
            "state": c.standing.state,
            "history": len(c.history),
        }
        for c in cases
    ]
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def printable(text: str) -> str:
    r"""`text` with what cannot be printed as escapes.

    >>> print(printable("\x1b[2Jgone"))
    \x1b[2Jgone
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _pretty(payload: Json) -> str:
    lines = json.dumps(payload, indent=2, ensure_ascii=False).split("\n")
    return "\n".join(map(printable, lines))


def _act(number: int, entry: Entry) -> str:
    why = f": {entry.why}" if entry.why else ""
    return f"{number}. {entry.action} by {entry.who}, {entry.at:%Y-%m-%d %H:%M:%S} UTC{why}"
