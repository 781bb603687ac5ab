"""The lines by which a page of Tryton's invoices is settled: what is owed, what was given for it, in which groups."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pipelines.connectors.tryton_companies import Company
from pipelines.connectors.tryton_documents import STANDING, amount_of, is_credit_note
from pipelines.connectors.tryton_json import Json
from pipelines.connectors.tryton_settling import Given, Owed

LINE = (
    "debit",
    "credit",
    "amount_second_currency",
    "second_currency.code",
    "maturity_date",
    "party",
    "create_date",
    "write_date",
    "reconciliation.create_date",
    "move.date",
    "move.origin",
    "move.journal.type",
    "move.state",
    "move.create_date",
    "move.write_date",
)
_DOCUMENT = (
    *STANDING,
    "invoice_date",
    "currency.code",
    "lines_to_pay",
    "payment_lines",
    "create_date",
    "write_date",
    "move",
)


@dataclass
class Scene:
    """What a page of invoices is settled with: rows by id."""

    company: Company
    documents: dict[int, Json]
    lines: dict[int, Json]
    of_move: dict[int, Json]
    links: dict[int, Json]
    owed_by: dict[int, int] = field(default_factory=dict)

    def document_of(self, line: Json) -> Json | None:
        """The document that a line belongs to; what pays it is linked otherwise."""
        return self.of_move.get(line["move"]["id"])


def scene_of(company: Company, ids: list[int]) -> Scene:
    """What the invoices with these ids are settled with; credit notes among them are left out."""
    erp = company.erp
    ours = {r["id"]: r for r in erp.of_ids("account.invoice", "id", ids, _DOCUMENT) if not is_credit_note(r)}
    wanted = {line for r in ours.values() for line in (*r["lines_to_pay"], *r["payment_lines"])}
    lines = {r["id"]: r for r in erp.of_ids("account.move.line", "id", wanted, LINE)}
    together = {group_of(line) for line in lines.values()} - {0}
    lines |= {r["id"]: r for r in erp.of_ids("account.move.line", "reconciliation", together, LINE)}
    scene = Scene(company, ours, lines, _documents_of(company, lines), _links_of(company, lines))
    for line in lines.values():
        document = scene.document_of(line)
        if document is not None and not is_credit_note(document) and amount_of(line) > 0:
            scene.owed_by[line["id"]] = document["id"]
    return scene


def _documents_of(company: Company, lines: dict[int, Json]) -> dict[int, Json]:
    """Move -> the invoice or credit note that it books."""
    moves = {line["move"]["id"] for line in lines.values()}
    fields = ("number", "total_amount", "move", "additional_moves")
    found: dict[int, Json] = {}
    for row in company.erp.of_ids("account.invoice", "additional_moves", moves, fields):
        found |= dict.fromkeys(row["additional_moves"], row)
    return found | {row["move"]: row for row in company.erp.of_ids("account.invoice", "move", moves, fields)}


def _links_of(company: Company, lines: dict[int, Json]) -> dict[int, Json]:
    """Line -> its link to the invoice that it was meant for."""
    fields = ("line", "invoice", "create_date")
    return {r["line"]: r for r in company.erp.of_ids("account.invoice-account.move.line", "line", lines, fields)}


def groups(scene: Scene) -> Iterator[tuple[list[Owed], list[Given]]]:
    """Lines that settle each other: by reconciliation, else by the invoice that a payment is linked to."""
    found: dict[Any, list[Json]] = {}
    for line in scene.lines.values():
        link = scene.links.get(line["id"])
        meant = link["invoice"] if link else scene.owed_by.get(line["id"])
        key = ("group", group_of(line)) if group_of(line) else ("invoice", meant)
        if line["move"]["state"] == "posted" and amount_of(line):
            found.setdefault(key, []).append(line)
    for (kind, _), lines in sorted(found.items(), key=lambda item: (item[0][0], item[0][1] or 0)):
        if kind == "group" or any(line["id"] in scene.owed_by for line in lines):
            yield _debts(scene, lines), _credits(scene, lines)


def _debts(scene: Scene, lines: list[Json]) -> list[Owed]:
    return [
        Owed(
            line["id"], scene.owed_by.get(line["id"], 0), line["maturity_date"] or line["move"]["date"], amount_of(line)
        )
        for line in lines
        if amount_of(line) > 0
    ]


def _credits(scene: Scene, lines: list[Json]) -> list[Given]:
    meant = {line["id"]: scene.links[line["id"]]["invoice"] if line["id"] in scene.links else 0 for line in lines}
    return [
        Given(line["id"], meant[line["id"]], line["move"]["date"], -amount_of(line))
        for line in lines
        if amount_of(line) < 0
    ]


def group_of(line: Json) -> int:
    """The reconciliation of a line, 0 where it is open."""
    reconciliation = line["reconciliation"]
    return int(reconciliation["id"]) if reconciliation else 0
