"""The cash forecast of the lake by the champions, beside a scenario, and what became of an earlier one."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from features.book import Book
from features.errors import BadInput, BadSetting, NotFound
from features.facts import Facts
from features.lake import Lake
from features.money import exponent
from features.tables import INSTANT
from models.cash.answers import QUANTILE_NAMES, CashForecast, GroupForecast, Inflow, SeriesForecast
from models.cash.claims import COMPONENTS, WEEKS
from models.cash.decomposition import ONE_DAY, Decomposition, decompose
from models.cash.forecast import DRAWS, LookAhead, claims_of, drawn, in_scenario, look_ahead
from models.cash.model import CashModel
from models.cash.mornings import at_start_of, begun_everywhere
from models.cash.open_items import DatesPayments, open_items
from models.cash.scenarios import Scenario
from models.champion import CASH_FORECAST, PAYMENT_DATE, ready
from pipelines.answer_files import write_frame, write_json
from pipelines.cash_training import TrainsDates, fit_rehearsed, trained_before
from pipelines.strict_yaml import decode
from services.analysts import nothing_to_forecast


@dataclass(frozen=True)
class Asked:
    """What of the forecast is asked for."""

    weeks: int = WEEKS
    entity: str | None = None
    currency: str | None = None
    group: str | None = None
    draws: int = DRAWS
    seed: int = 7


def forecast_cash(
    lake: Lake, mlruns: Path, asked: Asked, *, as_of: date | None = None, scenario: Scenario | None = None
) -> tuple[CashForecast, CashForecast | None]:
    """The base, and beside it the scenario where there is one, drawn from the same random numbers.

    as_of  with what was known before that day began where each entity is; None: with all there is

    `NotFound` without a champion of either model, or for an entity or currency that has nothing to forecast.
    """
    dated, model = champions_of(mlruns)
    return forecast_book(Book(Facts.read(lake)), dated, model, asked, as_of=as_of, scenario=scenario)


def forecast_book(
    book: Book,
    dated: DatesPayments,
    model: CashModel,
    asked: Asked,
    *,
    as_of: date | None = None,
    scenario: Scenario | None = None,
) -> tuple[CashForecast, CashForecast | None]:
    """`forecast_cash` of a book that is open already, by models that are at hand."""
    if asked.group is not None:
        exponent(asked.group)  # refuses what is no currency
    if asked.entity is not None:
        book.time_zone(asked.entity)  # refuses what is no entity, before the work
    known, when = (book, book.last_known()) if as_of is None else at_start_of(book, as_of)
    seen = look_ahead(known, dated, model, when, draws=asked.draws, seed=asked.seed)
    base = _told(seen, asked)
    if not base.series:
        raise NotFound(nothing_to_forecast(book, asked.entity, asked.currency))
    return base, None if scenario is None else _told(in_scenario(seen, scenario), asked)


def _told(seen: LookAhead, asked: Asked) -> CashForecast:
    return seen.forecast(weeks=asked.weeks, group=asked.group, entity=asked.entity, currency=asked.currency)


def explain_cash(lake: Lake, mlruns: Path, *, since: date, until: date, seed: int = 7) -> list[Decomposition]:
    """Forecast against actual: what would have been forecast on `since` with what was known then, and what came.

    The cash model is learnt anew as of that day. The payment dates are the champion's, which may have learnt from the
    outcomes since: what it knows better than it could have known then makes the difference look smaller.
    """
    if until <= since:
        raise BadSetting(f"--to {until} is not after --from {since}; allowed: a later day, within 13 weeks")
    dated, _ = champions_of(mlruns)
    return explain_book(Book(Facts.read(lake)), dated, since=since, until=until, seed=seed)


def explain_book(
    book: Book, dated: DatesPayments, *, since: date, until: date, seed: int = 7, train: TrainsDates = trained_before
) -> list[Decomposition]:
    """`explain_cash` of a book that is open already; `train` makes the payment dates of the rehearsal."""
    known, when = at_start_of(book, since)
    if when >= book.last_known():
        raise BadInput(f"--from {since} lies after all that the lake knows; choose an earlier day")
    if begun_everywhere(book, until) > book.last_known() + ONE_DAY:
        latest = book.last_known().date() + ONE_DAY
        raise BadInput(f"--to {until} lies after all that the lake knows; allowed: up to {latest}")
    model = fit_rehearsed(known, when, seed=seed, train=train)
    items = open_items(known, dated, when)
    claims = claims_of(known, dated, model, when, items, seed=seed)
    return decompose(drawn(known, model, when, items, claims, seed=seed), book, until)


def champions_of(mlruns: Path) -> tuple[DatesPayments, CashModel]:
    """The payment-date and the cash model that serve; `NotFound` names the command that makes a missing one.

    The cash model names the payment-date version that serves now, which may be a later one than it was trained with.
    """
    version, dated = ready(mlruns, PAYMENT_DATE)
    _, model = ready(mlruns, CASH_FORECAST)
    return dated, replace(model, rests_on=version.label)


def read_scenario(path: Path) -> Scenario:
    """A scenario file, YAML or JSON; `BadSetting` names line and key of what does not fit, `NotFound` the file."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise NotFound(f"--scenario {path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError:
        raise BadSetting(f"--scenario {path} is not text; allowed: YAML or JSON in UTF-8") from None
    return decode(text, Scenario, str(path))


def write(base: CashForecast, scenario: CashForecast | None, path: Path) -> None:
    """Write forecasts to a file that ends in .json, .csv or .parquet: whole, or as `as_frame`."""
    if path.suffix == ".json":
        write_json({"base": base, "scenario": scenario}, path)
    else:
        write_frame(as_frame([f for f in (base, scenario) if f is not None]), path)


def as_frame(told: list[CashForecast]) -> pl.DataFrame:
    """One row per forecast, series and week or day, and the same of the group, which has no entity.

    What has no forecast has one row without a period, which says why. owed_minor is what is open before anything is
    taken off; open_minor the cash expected of it in the period.
    """
    rows = [
        row for f in told for one in (*f.series, *([f.group] if f.group is not None else ())) for row in _rows(f, one)
    ]
    return pl.DataFrame(rows, schema=COLUMNS)


COLUMNS: dict[str, pl.DataType] = {
    "scenario": pl.String(),
    "as_of": INSTANT,
    "scope": pl.String(),  # series or group
    "entity_id": pl.String(),
    "currency": pl.String(),
    "availability": pl.String(),
    "availability_reason": pl.String(),
    "owed_minor": pl.Int64(),
    "period": pl.String(),  # week or day
    "first_day": pl.Date(),
    "last_day": pl.Date(),
    "mean_minor": pl.Int64(),
    **{f"{part}_minor": pl.Int64() for part in COMPONENTS},
    **{f"{name}_minor": pl.Int64() for name in QUANTILE_NAMES},
}


def _rows(told: CashForecast, one: SeriesForecast | GroupForecast) -> list[dict[str, Any]]:
    whose: dict[str, Any] = {"scope": "group"}
    if isinstance(one, SeriesForecast):
        whose = {"scope": "series", "entity_id": one.entity_id, "owed_minor": one.owed_minor}
    head = {
        "scenario": told.scenario,
        "as_of": datetime.fromisoformat(told.as_of),
        "currency": one.currency,
        "availability": one.availability,
        "availability_reason": one.availability_reason,
        **whose,
    }
    periods = [("week", week) for week in one.weekly] + [("day", day) for day in one.daily]
    return [{**head, "period": name, **_amounts(inflow)} for name, inflow in periods] or [head]


def _amounts(inflow: Inflow) -> dict[str, Any]:
    told = msgspec.structs.asdict(inflow)
    quantiles = told.pop("quantiles_minor")
    return told | {f"{name}_minor": amount for name, amount in quantiles.items()}
