"""Insolvency and legal holds: dated customer attributes that are 1 while they hold and 0 from when they end."""

import numpy as np
import polars as pl

from services.sandbox.calendars import NEVER, Ints
from services.sandbox.clerks import OFFICE, Clerks
from services.sandbox.customers import quotas
from services.sandbox.facts import days, words
from services.sandbox.history import History, stream

INSOLVENT, LEGAL_HOLD = "insolvent", "legal_hold"
INSOLVENT_SHARE, INSOLVENT_DAYS = 0.4, (20, 91)  # of those who default, after that day
HELD_SHARE, HELD_DAYS = 0.5, (0, 46)  # of the insolvent, after the insolvency
HELD_FOR_A_WHILE_SHARE, HELD_FOR_DAYS = 0.02, (30, 151)  # of the others


def flag_draft(history: History) -> pl.DataFrame:
    """Rows of customer_attribute, learnt on their day."""
    clerks = Clerks(history.calendar, history.office, stream(history.options, "flags"))
    parts = [*_of_the_insolvent(history, clerks), *_for_a_while(history, clerks)]
    row, day = (np.concatenate([part[at] for part in parts]) for at in (1, 2))
    counts = [len(part[1]) for part in parts]
    customers = history.customers
    frame = pl.DataFrame(
        {
            "_entity": customers.entity[row],
            "_local": clerks.moment(day, OFFICE),
            "deleted": np.zeros(len(row), dtype=bool),
            "customer_id": words(customers.ids, row).tolist(),
            "name": np.repeat([name for name, *_ in parts], counts).tolist(),
            "day": days(day),
            "value": np.repeat([value for *_, value in parts], counts),
        },
        schema_overrides={"customer_id": pl.String, "name": pl.String},
    )
    identity = pl.concat_str("customer_id", "name", pl.col("day").dt.to_string("%Y-%m-%d"), separator=":")
    return frame.with_columns(attribute_id=identity).filter(pl.col("day") < days(np.array([history.window.end]))[0])


_Part = tuple[str, Ints, Ints, float]


def _of_the_insolvent(history: History, clerks: Clerks) -> list[_Part]:
    """Some of those who stop paying turn out to be insolvent; with some of these a court takes over."""
    default_on = history.habits.default_on
    row = _some(clerks, np.flatnonzero(default_on < history.window.end), INSOLVENT_SHARE)
    day = _later(history, clerks, row, default_on[row], INSOLVENT_DAYS)
    held = np.isin(row, _some(clerks, row, HELD_SHARE))
    held_day = _later(history, clerks, row[held], day[held], HELD_DAYS)
    return [(INSOLVENT, row, day, 1.0), (LEGAL_HOLD, row[held], held_day, 1.0)]


def _for_a_while(history: History, clerks: Clerks) -> list[_Part]:
    """A quarrel at court that ends, with a few who never stop paying."""
    customers, window = history.customers, history.window
    row = _some(clerks, np.flatnonzero(history.habits.default_on == NEVER), HELD_FOR_A_WHILE_SHARE)
    wait = clerks.rng.random(len(row)) * np.maximum(window.end - customers.joined[row], 1)
    start = _later(history, clerks, row, customers.joined[row] + wait.astype(np.int64), (1, 11))
    end = _later(history, clerks, row, start, HELD_FOR_DAYS)
    return [(LEGAL_HOLD, row, start, 1.0), (LEGAL_HOLD, row, end, 0.0)]


def _some(clerks: Clerks, rows: Ints, share: float) -> Ints:
    """That share of the rows, to the nearest whole."""
    chosen: Ints = rows[quotas(clerks.rng, np.array([1 - share, share]), len(rows)) == 1]
    return chosen


def _later(history: History, clerks: Clerks, row: Ints, day: Ints, wait: tuple[int, int]) -> Ints:
    """A working day of each customer's entity, so many days after."""
    return clerks.working_day(history.customers.entity[row], day + clerks.rng.integers(*wait, size=len(row)))
