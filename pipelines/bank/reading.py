"""A delivered bank file as statements, whatever its format; all of it is right or none of it is taken."""

from pathlib import Path

from features.errors import BadInput
from pipelines.bank import bai2, camt, csv, mt940
from pipelines.bank.archive import Limits, Member, members
from pipelines.bank.formats import format_of
from pipelines.bank.layout import Layout
from pipelines.bank.statement import Statement

_HEAD_BYTES = 4096


def statements_of(
    path: Path,
    *,
    name: str | None = None,
    layout: Layout | None = None,
    encoding: str | None = None,
    limits: Limits | None = None,
) -> list[Statement]:
    """Every statement of the file at `path`, or of the files in it where it is a .gz or .zip.

    `name` is what complaints call it (its own name by default); `layout` is needed for CSV; `encoding` is that of
    MT940 and BAI2 without a byte order mark, else UTF-8 or cp1252 is found out. `BadInput` names file and line.
    """
    bounds = limits or Limits()
    found: list[Statement] = []
    for member in members(path, name or path.name, bounds):
        found += _parsed(member, layout, encoding, bounds)
    if not found:
        raise BadInput(f"{name or path.name}: no statement in it; allowed: a file with at least one")
    return found


def _parsed(member: Member, layout: Layout | None, encoding: str | None, limits: Limits) -> list[Statement]:
    kind = format_of(_head(member)) or ("csv" if layout else None)
    if kind is None:
        shown = "is empty" if not member.size else "is neither camt, MT940 nor BAI2"
        raise BadInput(f"{member.name} line 1: the file {shown}; allowed: those, or CSV with a layout")
    if kind == "camt":
        return camt.parse(member.stream, member.name)
    if member.size > limits.text_bytes:
        raise BadInput(f"{member.name}: {member.size:,} bytes of {kind}; allowed: {limits.text_bytes:,} bytes")
    if kind == "mt940":
        return mt940.parse(member.stream, member.name, encoding)
    if kind == "bai2":
        return bai2.parse(member.stream, member.name, encoding)
    if layout is None:
        raise BadInput(f"{member.name} line 1: CSV; allowed: with a layout that names its columns")
    return csv.parse(member.stream, member.name, layout)


def _head(member: Member) -> bytes:
    head = member.stream.read(_HEAD_BYTES)
    member.stream.seek(0)
    return head
