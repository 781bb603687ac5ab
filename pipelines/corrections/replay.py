"""How a corrected payload lands: by the very same path as it came.

What was read from a file needs the mapping that read it (`mapping`): the file's specification is the one whose path
fits the place, and the whole line passes again, as a file of one row. A record needs to know only how its fields are
called: as `mapping` says where one is given, else as the system of the landscape does; what came by webhook, and the
connectors to ERPs and banks, use the canonical names, so no system need be reachable.

An order of a CRM is billed as in a sync (`order_route`).

In every way contracts, counts and the run ledger apply. Facts are dated as those of the feed are, but what a person
changed is known from the replay on, for nobody could have known it before. What breaks again goes back to quarantine
under the payload that came first, so it stays one case. A replay is no sign of life of the source, and moves no cursor.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Protocol

import polars as pl

from features.errors import BadInput, BadSetting, NotFound, SourceBroken
from features.lake import Lake
from features.tables import table
from pipelines.connectors.source import section_of
from pipelines.corrections.cases import Case
from pipelines.corrections.landing import Landed
from pipelines.corrections.order_route import OrderRoute, refuse_deal
from pipelines.corrections.routes import FileRoute, RecordRoute
from pipelines.fields import fields_of
from pipelines.landscape import Landscape
from pipelines.mapping import load
from pipelines.mapping_keys import FileSpec, From, Rest, Section
from pipelines.mapping_keys import Mapping as SourceMapping
from pipelines.order_payloads import is_unreadable
from pipelines.run import Run, running
from pipelines.run_report import Quiet
from services.corrections import Json
from services.runs import Counts
from services.store import Store

_HELPERS: dict[str, dict[str, str | From]] = {"allocation": {"paid_currency": "paid_currency"}}
_UNREADABLE = (pl.exceptions.PolarsError, ValueError, TypeError, OverflowError)


class Route(Protocol):
    """The path of a payload into the lake."""

    @property
    def case(self) -> Case:
        """Whose payload it is."""
        ...

    def columns_of(self, fields: Collection[str]) -> set[str]:
        """The payload's fields that these canonical fields are read from, and those called so that nobody reads."""
        ...

    def land(self, payload: Json, run: Run) -> Landed:
        """Land what the payload says."""
        ...


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay: its run, its counts, and why it broke again, if it did."""

    run_id: str
    counts: Counts
    reasons: tuple[str, ...]


def route_of(case: Case, mapping: SourceMapping | None, landscape: Landscape | None) -> Route:
    """The path that the case's payload came by; `BadSetting` and `NotFound` say what is needed to find it."""
    if mapping is not None and mapping.source != case.system:
        raise BadSetting(f"case {case.case_id} came from {case.system!r}, the mapping is of {mapping.source!r}")
    if case.is_order:
        return OrderRoute(case, _erp_of(case, landscape))
    if is_unreadable(case.given or {}):
        raise refuse_deal(case)
    if case.file is not None:
        if mapping is None:
            raise BadSetting(f"case {case.case_id} came from a file; allowed: --mapping with what read {case.file}")
        return FileRoute(case, mapping, _spec_of(case.file, mapping))
    return RecordRoute(case, {name: _section(case, name, mapping, landscape) for name in case.about})


def replayed(case: Case, payload: Json, route: Route, lake: Lake, store: Store, *, now: datetime) -> Replayed:
    """Land the payload; `BadInput` where it is not even a record, or says nothing."""
    now += timedelta(microseconds=-now.microsecond % 1000)
    with running(case.system, lake, store, now=now, progress=Quiet()) as run:
        told = _land(route, payload, run)
        for name in told.feeds:
            store.finish_feed(run.run_id, name, now=now)
    return Replayed(run.run_id, told.counts, told.reasons)


def _land(route: Route, payload: Json, run: Run) -> Landed:
    try:
        return route.land(payload, run)
    except SourceBroken as error:  # here it is the edit, not the source, that is to blame
        raise BadInput(str(error)) from None
    except _UNREADABLE as error:
        allowed = "text, numbers, true or false, instants in ISO 8601"
        raise BadInput(f"case {route.case.case_id}: the payload cannot be read; allowed: {allowed}") from error


def _spec_of(file: str, mapping: SourceMapping) -> FileSpec:
    parts = PurePosixPath(file).parts
    for spec in mapping.files:
        wanted = PurePosixPath(spec.path).parts
        if len(wanted) == len(parts) and all(map(fnmatchcase, parts, wanted)):
            return spec
    known = ", ".join(spec.path for spec in mapping.files) or "no files"
    raise BadSetting(f"the mapping does not say how to read {file}; it has: {known}")


def _section(case: Case, name: str, mapping: SourceMapping | None, landscape: Landscape | None) -> Section:
    rest = mapping.rest if mapping is not None else _rest_of(case, landscape)
    if rest is not None:
        return section_of(table(name), rest.fields.get(name))
    if mapping is not None:
        raise BadSetting(f"case {case.case_id} came as a record; allowed: a mapping with `rest`, or none")
    helpers = {field: source for field, source in _HELPERS.get(name, {}).items() if field in fields_of(name)}
    return section_of(table(name), helpers)


def _erp_of(case: Case, landscape: Landscape | None) -> str:
    """The ERP that bills what the CRM of the case sold."""
    if landscape is None or case.system not in landscape.names:
        raise NotFound(f"case {case.case_id}: nobody says who bills what {case.system!r} sold; allowed: --landscape")
    crm = landscape.system(case.system).hubspot
    if crm is None:
        raise BadSetting(f"case {case.case_id} is an order, and {case.system!r} no CRM in {landscape.file}")
    return crm.erp


def _rest_of(case: Case, landscape: Landscape | None) -> Rest | None:
    """How the API that the case came from calls things; None where by the canonical names."""
    if case.place.startswith("webhook "):  # see `hook_feeds`
        return None
    if landscape is not None and case.system in landscape.names:
        told = landscape.system(case.system).rest
        return None if told is None else load(told.mapping).rest
    needed = "--mapping with what read it, or --landscape with the system"
    raise NotFound(f"case {case.case_id}: nobody says how {case.system!r} calls its fields; allowed: {needed}")
