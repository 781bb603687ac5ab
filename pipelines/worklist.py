"""The worklist from the lake and the champions; and the list as facts, so that what it did can be learnt."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from features.book import Book
from features.calendars import instant
from features.contracts import digest
from features.facts import Facts
from features.lake import Appended, Lake
from features.tables import CONTACT
from models.champion import CONTACT_EFFECT, PAYMENT_DATE, champion, ready
from models.worklist.draws import SOURCE
from models.worklist.effect import ContactEffect, why_not_learnt
from models.worklist.rows import Row
from models.worklist.settings import WorklistSettings
from models.worklist.worklist import Worklist, merged, worklist

ID_LENGTH = 24
Step = Callable[[str], None]


def run_worklist(
    lake: Lake,
    mlruns: Path,
    settings: WorklistSettings,
    *,
    as_of: date | None = None,
    entity: str | None = None,
    stale: Sequence[str] = (),
    step: Step = lambda _: None,
) -> Worklist:
    """The list for every entity of the lake, or the one named. Draws of its day that were recorded stand.

    as_of  with what was known before that day began (where each entity is); None: with all there is
    stale  why it is not known who has paid; holds everybody

    `NotFound` for an empty lake or an unknown entity; `BadSetting` where the effect was learnt for another horizon.
    """
    step("reading the lake")
    book = Book(Facts.read(lake))
    last_known = book.last_known()
    entities = [entity] if entity else book.zones["entity_id"].sort().to_list()
    moments = {e: last_known if as_of is None else book.day_start(as_of, e) for e in entities}
    if as_of is None and entity:
        book.time_zone(entity)  # refuses one that is not there
    effect: ContactEffect | None = _if_there(mlruns, CONTACT_EFFECT)
    why = "" if effect is not None else why_not_learnt(book, settings.horizon_days)
    model = _if_there(mlruns, PAYMENT_DATE)
    lists = []
    for name, moment in moments.items():
        step(f"who to contact at {name}")
        lists.append(worklist(book, moment, model, effect, settings, entity_id=name, stale=stale, not_learnt=why))
    return merged(lists)


def contact_facts(made: Worklist) -> pl.DataFrame:
    """The list as rows of CONTACT, learnt at its own as-of: made or held out, with the chance that the draw gave.

    Ids follow from entity, customer and day, so that the same list twice is the same facts.
    """
    rows = [_fact(made, row) for row in made.rows]
    frame = pl.DataFrame([{k: v for k, v in r.items() if k != "payload"} for r in rows], schema=_without_digest())
    payloads = pl.Series([r["payload"] for r in rows], dtype=pl.String)
    return frame.with_columns(digest=digest(payloads)).select(list(CONTACT.schema))


def record(lake: Lake, made: Worklist) -> Appended:
    """Land the list in the lake. A contact that is there already stays as it was drawn first."""
    rows = contact_facts(made)
    known = lake.versions(CONTACT).select(*CONTACT.key).unique().collect()
    fresh = rows.join(known, on=CONTACT.key, how="anti", maintain_order="left")
    landed = lake.append(CONTACT, fresh)
    return Appended(landed.landed, rows.height - landed.landed)


def _fact(made: Worklist, row: Row) -> dict[str, object]:
    said = {
        "contact_id": contact_id(row.entity_id, row.customer_id, row.day),
        "entity_id": row.entity_id,
        "customer_id": row.customer_id,
        "invoice_id": None,
        "day": row.day,
        "channel": row.action,
        "collector": row.collector,
        "made": row.made,
        "chance": row.chance,
    }
    payload = msgspec.json.encode(said, order="deterministic").decode()
    system = {
        "source": SOURCE,
        "source_id": said["contact_id"],
        "known_at": instant(row.as_of),
        "deleted": False,
    }
    return {**said, **system, "payload": payload}


def contact_id(entity_id: str, customer_id: str, day: date) -> str:
    """The id of a contact of the list: one a customer and day."""
    words = msgspec.json.encode((entity_id, customer_id, day.isoformat()))
    return f"{SOURCE}-{hashlib.sha256(words).hexdigest()[:ID_LENGTH]}"


def _without_digest() -> dict[str, pl.DataType]:
    return {name: dtype for name, dtype in CONTACT.schema.items() if name != "digest"}


def _if_there(mlruns: Path, name: str) -> Any:
    return None if champion(mlruns, name) is None else ready(mlruns, name)[1]
