"""Alerts as a file: one row an alert, those the books mended too, flagged."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import msgspec
import polars as pl

from features.errors import BadSetting
from features.tables import INSTANT
from models.anomalies.alerts import Alert
from pipelines.cli_options import SCORE_ENDINGS

# in the order of Alert's fields; what is nested is JSON text. Said here, so that a day without alerts has the columns
COLUMNS: dict[str, pl.DataType] = {
    **dict.fromkeys(("alert_id", "entity_id", "kind"), pl.String()),
    "chance": pl.Float64(),
    **dict.fromkeys(("table", "record_id", "customer_id"), pl.String()),
    "day": pl.Date(),
    "known_at": INSTANT,
    "currency": pl.String(),
    "amount_minor": pl.Int64(),
    **dict.fromkeys(("evidence", "documents"), pl.String()),
    **dict.fromkeys(("availability", "availability_reason", "customer_name", "taken_back"), pl.String()),
    "taken_back_day": pl.Date(),
}


def write_alerts(alerts: Sequence[Alert], path: Path) -> None:
    """Write them as .parquet, .csv or .json, which is a list; `BadSetting` for another ending."""
    if path.suffix not in SCORE_ENDINGS:
        raise BadSetting(f"--out {path} ends in {path.suffix!r}; allowed: {', '.join(SCORE_ENDINGS)}")
    if path.suffix == ".json":
        path.write_bytes(msgspec.json.format(msgspec.json.encode(list(alerts))))
    elif path.suffix == ".parquet":
        as_frame(alerts).write_parquet(path)
    else:
        as_frame(alerts).write_csv(path)


def as_frame(alerts: Sequence[Alert]) -> pl.DataFrame:
    """COLUMNS of the alerts, in their order."""
    rows = [msgspec.to_builtins(a, builtin_types=(date, datetime)) for a in alerts]
    return pl.DataFrame([{c: _cell(row[c]) for c in COLUMNS} for row in rows], schema=COLUMNS)


def _cell(value: object) -> object:
    return msgspec.json.encode(value).decode() if isinstance(value, list | tuple | dict) else value
