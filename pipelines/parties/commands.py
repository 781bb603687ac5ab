"""What `duecast parties` shows and writes: tables of at most 100 columns, and the same as JSON."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from features.lake import Lake
from pipelines.parties.decisions import Decision
from pipelines.parties.desk import PartyDesk, Shown
from pipelines.screen import console
from services.settings import read_settings
from services.store import Store


@contextmanager
def _desk(lake: str | None, trusted: list[str] | None = None) -> Iterator[PartyDesk]:
    settings = read_settings(lake=lake)
    with Store(settings.state_url) as store:
        yield PartyDesk(Lake(settings.lake), store.database, trusted=trusted or ())


def sync_parties(*, lake: str | None) -> None:
    """Let the machine decide what it may, and say what is left to people."""
    with _desk(lake) as desk:
        done = desk.sync(now=datetime.now(UTC))
    screen, kinds = console(), [d.kind for d in done.appended]
    records = sum(len(party.members) for party in done.golden.parties)
    screen.print(f"{records:,} records are {len(done.golden.parties):,} parties", markup=False)
    told = f"{kinds.count('merge'):,} merges, {kinds.count('parent'):,} parents, {kinds.count('undo'):,} taken back"
    screen.print(f"decided now: {told}", markup=False)
    if desk.nameless:
        screen.print(f"{desk.nameless:,} customers have no name and are left out", markup=False)
    for decision in done.hierarchy.set_aside:
        said = (
            f"! parent set aside, it closes a circle: {decision.a} under {decision.b} ({decision.why}; {decision.id})"
        )
        screen.print(said, markup=False, soft_wrap=True)
    screen.print(f"{len(done.review.questions):,} questions for people: duecast parties review", markup=False)


def list_parties(*, lake: str | None, trusted: list[str] | None, limit: int, json_out: Path | None) -> None:
    """Golden parties with what survives of them."""
    with _desk(lake, trusted) as desk:
        parties = desk.parties()
    table = Table(expand=True, box=SIMPLE_HEAD, pad_edge=False, title=f"{min(limit, len(parties))} of {len(parties)}")
    for column, ratio in (("party", None), ("name", 3), ("from, why", 2), ("country", None), ("members", 2)):
        table.add_column(column, ratio=ratio, overflow="fold", no_wrap=ratio is None)
    for shown in parties[:limit]:
        name, country = shown.values["name"], shown.values.get("country")
        systems = ", ".join(sorted({record.system for record in shown.members}))
        came_from = f"{desk.record(name.ref).system}: {name.why}"
        cells = (name.value, came_from, country.value if country else "", f"{len(shown.members)}: {systems}")
        table.add_row(shown.party.id, *map(Text, cells))
    console().print(table)
    _write(json_out, [_as_json(shown) for shown in parties])


def show_party(name: str, *, lake: str | None, trusted: list[str] | None, json_out: Path | None) -> None:
    """One golden party, with the reason of every value and every decision about it."""
    with _desk(lake, trusted) as desk:
        shown = desk.party(name)
    screen = console()
    lines = [f"party {shown.party.id}", *(f"also called {alias}" for alias in shown.party.aliases)]
    lines += [f"owned by {shown.parent}"] if shown.parent else []
    lines += [f"owns {child}" for child in shown.children]
    for line in lines:
        screen.print(line, markup=False)
    screen.print(_values(shown), _members(shown), _decisions(shown.decisions))
    _write(json_out, _as_json(shown))


def review_parties(*, lake: str | None, limit: int, json_out: Path | None) -> None:
    """The questions that the machine leaves to people, the surest first."""
    with _desk(lake) as desk:
        questions = desk.questions(now=datetime.now(UTC))
    title = f"{min(limit, len(questions))} of {len(questions)}: one party? duecast parties accept A B, or reject"
    table = Table(expand=True, box=SIMPLE_HEAD, pad_edge=False, title=title, leading=1)
    table.add_column("score", justify="right")
    table.add_column("A\nB", ratio=3, overflow="fold")
    table.add_column("evidence", ratio=2, overflow="fold")
    for question in questions[:limit]:
        two = "\n".join(f"{ref}\n  {desk.record(ref).name}" for ref in (question.a, question.b))
        table.add_row(f"{question.score:.2f}", Text(two), Text("\n".join(question.evidence)))
    console().print(table)
    _write(json_out, msgspec.to_builtins(questions))


def answer(
    verdict: Literal["accept", "reject"], a: str, b: str, *, who: str | None, why: str, lake: str | None
) -> None:
    """A person's answer to an open question; `who` may be left to the settings."""
    who = read_settings(user=who).user
    with _desk(lake) as desk:
        now = datetime.now(UTC)
        decide = desk.accept if verdict == "accept" else desk.reject
        decision = decide(a, b, who=who, why=why, now=now)
    _kept(decision)


def undo_decision(decision_id: str, *, who: str | None, why: str, lake: str | None) -> None:
    """Take a decision back; `who` may be left to the settings."""
    who = read_settings(user=who).user
    with _desk(lake) as desk:
        decision = desk.undo(decision_id, who=who, why=why, now=datetime.now(UTC))
    _kept(decision)


def _kept(decision: Decision) -> None:
    said = f"kept as decision {decision.id}; take it back with: duecast parties undo {decision.id}"
    console().print(said, markup=False, soft_wrap=True)


def _values(shown: Shown) -> Table:
    table = _table("what survives", ("field", "value", "from", "why", "others"))
    for name, value in shown.values.items():
        table.add_row(*map(Text, (name, value.value, value.ref, value.why, ", ".join(value.others))))
    return table


def _members(shown: Shown) -> Table:
    table = _table("members, oldest first", ("record", "name", "country", "changed"))
    for record in shown.members:
        table.add_row(*map(Text, (record.ref, record.name, record.country or "", f"{record.updated_at:%Y-%m-%d}")))
    return table


def _decisions(decisions: tuple[Decision, ...]) -> Table:
    table = _table("decisions that stand", ("id", "what", "by", "why"))
    for d in decisions:
        table.add_row(*map(Text, (d.id, f"{d.kind}\n{d.a}\n{d.b or ''}".rstrip(), f"{d.by}\n{d.at:%Y-%m-%d}", d.why)))
    return table


def _table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left", expand=True, box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        narrow = column in ("field", "country", "changed")
        table.add_column(column, ratio=None if narrow else 1, overflow="fold", no_wrap=narrow)
    return table


def _as_json(shown: Shown) -> dict[str, Any]:
    told = {"id": shown.party.id, "aliases": shown.party.aliases, "parent": shown.parent, "children": shown.children}
    rest = {"values": shown.values, "members": [m.ref for m in shown.members], "decisions": shown.decisions}
    found: dict[str, Any] = msgspec.to_builtins(told | rest)
    return found


def _write(path: Path | None, told: object) -> None:
    if path is not None:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(told)) + b"\n")
