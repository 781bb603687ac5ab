"""JSON records of an API as a frame of text columns, like the rows of a file, ready for the same parsers."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import polars as pl

from features.contracts import digest
from features.errors import SourceBroken
from pipelines.complaints import RESERVED

Json = dict[str, Any]


class _Envelope(msgspec.Struct, frozen=True):
    """What every record says, whatever its table."""

    id: str | int
    changed_at: Annotated[datetime, msgspec.Meta(tz=True)]
    company: str | int | None = None
    deleted: bool = False


@dataclass(frozen=True)
class Records:
    """`frame`: the records' fields as text, `PLACE`, `_payload` (JSON), `_digest`, `_deleted`; a row each.

    `latest_change`: the latest change stamp, from which the next read goes on; None without records.
    """

    frame: pl.DataFrame
    latest_change: datetime | None


def records_frame(path: str, records: list[Json]) -> Records:
    """The records that GET `path` sent; `SourceBroken` where one lacks what every record must say."""
    envelopes = [_envelope(path, record) for record in records]
    stamps = [e.changed_at.astimezone(UTC).isoformat(timespec="microseconds") for e in envelopes]
    flat = [dict(_flat(record)) for record in records]
    columns = dict.fromkeys(name for record in flat for name in record if name not in RESERVED)
    payload = pl.Series([msgspec.json.encode(r, order="sorted").decode() for r in records], dtype=pl.String)
    texts: dict[str, Any] = {name: [record.get(name) for record in flat] for name in columns}
    texts |= {
        "id": [str(e.id) for e in envelopes],
        "company": [None if e.company is None else str(e.company) for e in envelopes],
        "changed_at": stamps,
        "_where": [f"GET {path} {_named(e)} of {at}" for e, at in zip(envelopes, stamps, strict=True)],
        "_payload": payload,
        "_digest": digest(payload),
    }
    frame = pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String)).with_row_index("_row")
    deleted = pl.Series("_deleted", [e.deleted for e in envelopes], dtype=pl.Boolean)
    return Records(frame.with_columns(deleted), max((e.changed_at for e in envelopes), default=None))


def _envelope(path: str, record: Json) -> _Envelope:
    try:
        return msgspec.convert(record, _Envelope)
    except msgspec.ValidationError as error:
        allowed = "id, company, changed_at (ISO 8601 with Z or an offset), deleted (true or false)"
        raise SourceBroken(f"GET {path}: record {record.get('id')!r}: {error}; every record has {allowed}") from None


def _named(envelope: _Envelope) -> str:
    """The record by its id, which is unique within a company only."""
    return f"record {envelope.id}" + ("" if envelope.company is None else f" in {envelope.company}")


def _flat(record: Json, prefix: str = "") -> Iterator[tuple[str, str | None]]:
    """Fields as text: nested objects as `outer.inner`, lists as JSON."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _text(value)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
