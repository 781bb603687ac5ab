"""Automation coverage: steps from order to cash executed through APIs without a person / all steps, by step type.

A step is counted where its fact is: an order, an invoice, a statement. A fact that a delivered message of ours made
(the message's result names it) is that message's step; the message counts when it was delivered, also before the fact
has been read back. It is automatic unless a person edited, replayed or discarded the message. A discarded message is a
step that a person took. Every other fact that became known in the period was somebody's own work in the source system.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl
from msgspec import Struct

from features.facts import Facts
from features.tables import table
from services.work_done import Json, Period, Settled, WorkDone

DEFINITION = (
    "Steps executed through APIs without a person / all steps. A fact that no message of the outbox made counts as a "
    "person's step; so does a message that a person edited, replayed or discarded."
)


Names = Callable[[Json, Json], list[str]]
"""What a message made, by its payload and its result: what `Step.called` calls the facts."""


def _result(field: str) -> Names:
    return lambda _, result: [str(result[field])] if result.get(field) else []


def _allocated(payload: Json, _: Json) -> list[str]:
    """The ERP numbers its allocations as it likes; one is known by its invoice and the day of the money."""
    return [f"{told.get('invoice_id')} {payload.get('date')}" for told in payload.get("allocations", ())]


@dataclass(frozen=True, slots=True)
class Step:
    """One kind of step: the facts of `table` (that `only` holds for), made by these operations.

    operations  operation of the outbox -> the names of what a message of it made; a step for each, at least one
    called      what a fact is called there: columns, joined by a blank; its id where there are none
    fetched     no operation makes it: it is automatic where its source is fetched unattended
    """

    name: str
    table: str
    words: str
    operations: Mapping[str, Names] = field(default_factory=dict)
    only: Mapping[str, str] = field(default_factory=dict)
    called: tuple[str, ...] = ()
    fetched: bool = False

    def taken(self, message: Settled) -> int:
        """How many steps the message is."""
        return max(1, len(self.operations[message.operation](message.payload, message.result)))


STEPS = (
    Step("order booked", "order", "orders in the ERP", {"book_sale": _result("sale")}),
    Step("invoice posted", "invoice", "invoices", {"post_invoice": _result("invoice")}),
    Step("credit note posted", "credit_note", "credit notes", {"post_credit_note": _result("credit_note")}),
    Step("statement fetched", "bank_statement", "statements; by API or SFTP, not from a folder", fetched=True),
    Step(
        "cash applied",
        "allocation",
        "allocations of payments",
        {"apply_cash": _allocated},
        only={"kind": "payment"},
        called=("invoice_id", "date"),
    ),
    Step("dispute opened", "dispute", "disputes", {"open_dispute": _result("dispute")}),
)


class Coverage(Struct, frozen=True):
    """Steps of one kind in the period; `share` null where there were none."""

    step: str
    steps: int
    automatic: int
    share: float | None


def coverage(
    facts: Facts, work: WorkDone, messages: Sequence[Settled], period: Period, unattended: Collection[str]
) -> list[Coverage]:
    """Every declared step.

    messages    those settled in the period
    unattended  sources that are fetched without a person: not files that somebody put into a folder
    """
    return [_coverage(step, facts, work, messages, period, unattended) for step in STEPS]


def undeclared(messages: Sequence[Settled]) -> list[str]:
    """Operations of the outbox that are no declared step, and so count nowhere."""
    declared = {operation for step in STEPS for operation in step.operations}
    return sorted({m.operation for m in messages} - declared)


def _coverage(
    step: Step,
    facts: Facts,
    work: WorkDone,
    messages: Sequence[Settled],
    period: Period,
    unattended: Collection[str],
) -> Coverage:
    told = first_told(facts, step, period)
    if step.fetched:
        done, automatic = told.height, int(told["source"].is_in(list(unattended)).sum())
    else:
        ours = [m for m in messages if m.operation in step.operations]
        done = _by_people(step, told, work) + sum(step.taken(m) for m in ours)
        automatic = sum(step.taken(m) for m in ours if not m.touched)
    return Coverage(step.name, done, automatic, automatic / done if done else None)


def first_told(facts: Facts, step: Step, period: Period) -> pl.DataFrame:
    """entity_id, source, and what it is called, of the step's facts that became known in the period."""
    declared = table(step.table)
    rows = facts.tables[step.table].filter(~pl.col("deleted"), *(pl.col(c) == v for c, v in step.only.items()))
    first = rows.sort("known_at", maintain_order=True).unique(list(declared.key), keep="first", maintain_order=True)
    inside = pl.col("known_at").is_between(period.since, period.until, closed="left")
    called = pl.concat_str(step.called or (declared.id_column,), separator=" ").alias("called")
    return first.filter(inside).select("entity_id", "source", called)


def _by_people(step: Step, told: pl.DataFrame, work: WorkDone) -> int:
    """Facts that no message made. A source whose orders our messages carry on tells wishes, not steps: left out."""
    made: set[tuple[str, str | None, str]] = set()
    asked: set[str] = set()
    for operation, names in step.operations.items():
        asked |= work.askers(operation)
        for system, payload, result in work.results(operation):
            made |= {(system, payload.get("entity_id"), name) for name in names(payload, result)}
    rows = told.filter(~pl.col("source").is_in(list(asked))) if step.table == "order" else told
    return sum(
        (source, entity, called) not in made and (source, None, called) not in made
        for entity, source, called in rows.iter_rows()
    )
