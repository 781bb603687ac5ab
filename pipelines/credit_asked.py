"""What the `duecast credit` commands share: who is asked about, and what every JSON answer stands on."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from features.lake import Lake
from models.credit.opinions import ScoredCustomers
from pipelines.answer_files import write_json
from pipelines.credit import scored_customers
from services.settings import read_settings


def asked_about(
    as_of: date | None, entity: str | None, lake: str | None, mlruns: Path | None, customer: str | None = None
) -> ScoredCustomers:
    """`pipelines.credit.scored_customers` of the lake and the models that the settings name."""
    settings = read_settings(lake=lake, mlruns=mlruns)
    return scored_customers(Lake(settings.lake), settings.mlruns, as_of=as_of, entity=entity, customer=customer)


def write_told(out: Path | None, asked: ScoredCustomers, as_of: date | None, told: Mapping[str, Any]) -> None:
    """The answers to `out`, where there is one, with the day, horizon and default they stand on."""
    if out is not None:
        at = asked.book.last_known().isoformat() if as_of is None else as_of.isoformat()
        write_json({"as_of": at, "default": asdict(asked.model.rule), **told}, out)
