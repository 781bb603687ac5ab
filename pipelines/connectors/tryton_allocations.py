"""What settles each invoice of Tryton, from its reconciliations and from payments that are linked but not reconciled.

The allocations of an invoice are derived anew whenever it, its lines or the moves that pay it change. An allocation is
called by the line of the credit and which part of it, so that money moved to another invoice is a correction; a part
that settles nothing any more is taken back.
"""

from collections.abc import Iterator

from pipelines.connectors.tryton_changes import Window, as_text, changed, stamp_of
from pipelines.connectors.tryton_companies import Company
from pipelines.connectors.tryton_documents import Records, amount_of, instalment_lines, is_withdrawn, out_documents
from pipelines.connectors.tryton_json import Json
from pipelines.connectors.tryton_payments import MONEY_JOURNALS, money_moves, payment_id, received_currency
from pipelines.connectors.tryton_scene import LINE, Scene, group_of, groups, scene_of
from pipelines.connectors.tryton_settling import Settled, settle

_INVOICES_AT_ONCE = 200
_RECEIVABLE = ["account.type.receivable", "=", True]


def allocations(company: Company, window: Window) -> Records:
    """What settles the invoices that changed since then, and what no longer does."""
    if window.since is None:
        pages = changed(company.erp, "account.invoice", out_documents(company), (), window)
        for rows in pages:
            yield list(_derived(company, [row["id"] for row in rows], {}, first=True))
        return
    moved = _changed_lines(company, window)
    ids = sorted(_affected(company, window, moved))
    for start in range(0, len(ids), _INVOICES_AT_ONCE):
        yield list(_derived(company, ids[start : start + _INVOICES_AT_ONCE], moved))
    yield list(_taken_back(company, moved))


def _changed_lines(company: Company, window: Window) -> dict[int, Json]:
    """Lines of customers that changed themselves, or whose move was posted since then."""
    fields = set(LINE)
    domain = [["move.company", "=", company.id], _RECEIVABLE]
    found = {
        row["id"]: row for rows in changed(company.erp, "account.move.line", domain, fields, window) for row in rows
    }
    for moves in changed(company.erp, "account.move", money_moves(company), (), window):
        of_moves = company.erp.of_ids("account.move.line", "move", {m["id"] for m in moves}, fields, [_RECEIVABLE])
        found |= {row["id"]: row for row in of_moves}
    return found


def _affected(company: Company, window: Window, moved: dict[int, Json]) -> set[int]:
    """The invoices that changed, that the changed lines belong to, are linked to or are reconciled with."""
    ours = out_documents(company)
    pages = changed(company.erp, "account.invoice", ours, (), window)
    found = {row["id"] for rows in pages for row in rows}
    reconciled = {group_of(line) for line in moved.values()} - {0}
    together = company.erp.of_ids("account.move.line", "reconciliation", reconciled, ("move",))
    moves = {line["move"] for line in together} | {line["move"]["id"] for line in moved.values()}
    for name, ids in (("move", moves), ("additional_moves", moves), ("payment_lines", set(moved))):
        found |= {row["id"] for row in company.erp.of_ids("account.invoice", name, ids, (), ours)}
    return found


def _derived(company: Company, ids: list[int], moved: dict[int, Json], *, first: bool = False) -> Iterator[Json]:
    scene = scene_of(company, ids)
    given: dict[int, int] = {}
    for group in groups(scene):
        parts = settle(*group)
        for settled in sorted(parts, key=lambda s: (s.given, s.owed)):
            if settled.owed not in scene.owed_by:
                continue
            given[settled.given] = part = given.get(settled.given, 0) + 1
            document = scene.documents.get(scene.owed_by[settled.owed])
            if document is not None and not is_withdrawn(document):
                yield _allocation(scene, document, settled, part)
    for line in given:
        moved.pop(line, None)
    if not first:
        yield from _released(company, [d for d in scene.documents.values() if is_withdrawn(d)], set(given))


def _allocation(scene: Scene, document: Json, settled: Settled, part: int) -> Json:
    owed, given = scene.lines[settled.owed], scene.lines[settled.given]
    kind, origin = _kind(scene, given)
    order = instalment_lines([scene.lines[i] for i in document["lines_to_pay"]], document["invoice_date"])
    link = scene.links.get(given["id"])
    booked = link or given["reconciliation"]
    record = {
        "id": _id(given["id"], part),
        "company": scene.company.entity,
        "changed_at": as_text(stamp_of(owed, given, given["move"], link)),
        "known_at": as_text(max(stamp_of({"create_date": booked["create_date"]}), stamp_of(given["move"]))),
        "kind": kind,
        "from_id": origin,
        "invoice_id": document["number"],
        "instalment": [line["id"] for line in order].index(owed["id"]) + 1,
        "date": str(given["move"]["date"]),
        "currency": document["currency"]["code"],
        "amount": str(settled.amount),
    }
    return record | (_paid(scene, document, given) if kind == "payment" and settled.amount == -amount_of(given) else {})


def _kind(scene: Scene, given: Json) -> tuple[str, str | None]:
    document, move = scene.document_of(given), given["move"]
    if document is not None:
        return "credit_note", document["number"]
    by_payment = (move["origin"] or "").startswith("account.payment")
    if move["journal"]["type"] in MONEY_JOURNALS or by_payment:
        return "payment", payment_id(move["id"], given["party"])
    return "write_off", None


def _paid(scene: Scene, document: Json, given: Json) -> Json:
    """What was paid in the money's own currency, where the invoice has another."""
    if given["second_currency"] is None:
        return {}
    fields = ("second_currency.code", "account.type.receivable")
    lines = scene.company.erp.search("account.move.line", [["move", "=", given["move"]["id"]]], fields)
    currency = received_currency(lines, scene.company)
    if currency == document["currency"]["code"] or currency != scene.company.currency:
        return {}
    return {"paid": str(given["credit"] - given["debit"]), "paid_currency": currency}


def _taken_back(company: Company, moved: dict[int, Json]) -> Iterator[Json]:
    """Parts of credits that settled something before and do not any more, as far as Tryton lets one see.

    `moved` are lines that changed and settle nothing. One that was reconciled or linked has been written since it was
    made. How many parts it had is not kept; there are as many as debts of its party came open again, at least one.
    """
    credits_ = [line for line in moved.values() if amount_of(line) < 0 and line["write_date"] and not group_of(line)]
    for line in credits_:
        debts = [d for d in moved.values() if d["party"] == line["party"] and amount_of(d) > 0 and not group_of(d)]
        for part in range(1, max(1, len(debts)) + 1):
            yield _gone(company, line, part, line)


def _released(company: Company, withdrawn: list[Json], given: set[int]) -> Iterator[Json]:
    """Parts of payments that an invoice let go when it was cancelled; of that, their lines bear no mark."""
    names = {f"account.invoice,{document['id']}": document for document in withdrawn}
    if not names:
        return
    erp, of_move = company.erp, dict[int, Json]()
    for line in erp.search("account.statement.line", [["related_to", "in", list(names)]], ("move", "related_to")):
        of_move[line["move"]] = names[line["related_to"]]
    for move in erp.search("account.move", [["origin", "in", list(names)]], ("origin",)):
        of_move[move["id"]] = names[move["origin"]]
    for line in erp.of_ids("account.move.line", "move", of_move, LINE, [_RECEIVABLE, ["reconciliation", "=", None]]):
        if amount_of(line) < 0 and line["id"] not in given:
            yield _gone(company, line, 1, of_move[line["move"]["id"]])


def _gone(company: Company, line: Json, part: int, changed_row: Json) -> Json:
    return {
        "id": _id(line["id"], part),
        "company": company.entity,
        "changed_at": as_text(stamp_of(changed_row)),
        "deleted": True,
    }


def _id(line: int, part: int) -> str:
    return f"{line}.{part}"
