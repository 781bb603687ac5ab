"""Drafts of the master data (see `facts`): entities, customers, their attributes, exchange rates."""

import numpy as np
import polars as pl

from services.sandbox.accounts import accounts, collectors
from services.sandbox.calendars import NEVER, Ints, month_start, months
from services.sandbox.clerks import MICROSECONDS_A_DAY, MICROSECONDS_AN_HOUR, OFFICE, RATES_FIXED, SETTING_UP, Clerks
from services.sandbox.facts import days, words
from services.sandbox.history import History
from services.sandbox.names import SEGMENTS
from services.sandbox.rates import BILLION

ENTITIES_KNOWN_DAYS = 2000  # before the history starts
LIMIT_CHANGE_SHARE, LIMIT_FACTORS, LIMIT_MINOR = 0.15, (0.5, 1.5, 2.0), 100_000
ATTRIBUTE = "monthly_revenue"
ATTRIBUTE_SHARE, REVENUE_LEAD_DAYS, REVENUE_LOSS_A_MONTH = 0.7, 90, 0.035


def entity_draft(history: History) -> pl.DataFrame:
    """One version each, known long before the history starts."""
    entities = history.options.entities
    known = (history.window.start - ENTITIES_KNOWN_DAYS) * MICROSECONDS_A_DAY + 9 * MICROSECONDS_AN_HOUR
    return pl.DataFrame(
        {
            "_entity": np.arange(len(entities)),
            "_local": [known] * len(entities),
            "deleted": [False] * len(entities),
            "name": [e.name for e in entities],
            "country": [e.country for e in entities],
            "currency": [e.currency for e in entities],
            "time_zone": [e.time_zone for e in entities],
        }
    )


def customer_draft(history: History, clerks: Clerks) -> pl.DataFrame:
    """A version at set-up, and one for every change: name, segment, terms, credit limit."""
    customers, rng = history.customers, clerks.rng
    count = len(customers)
    limit = np.maximum(np.exp(customers.log_amount) * np.clip(customers.weight, 0.3, 5.0) * 12 / 1000, 2.0)
    limit_on = np.where(rng.random(count) < LIMIT_CHANGE_SHARE, customers.joined + rng.integers(60, 700, count), NEVER)
    factor = rng.choice(LIMIT_FACTORS, size=count)
    changes = np.stack([customers.renamed_on, customers.moved_segment_on, customers.terms_change_on, limit_on])
    row = np.concatenate([np.arange(count), *(np.flatnonzero(c != NEVER) for c in changes)])
    day = np.concatenate([customers.known_from, *(c[c != NEVER] for c in changes)])

    def since(change: Ints, after: Ints, before: Ints) -> Ints:
        value: Ints = np.where(day >= change[row], after[row], before[row])
        return value

    limits = np.where(day >= limit_on[row], limit[row] * factor[row], limit[row])
    named = np.where(day >= customers.renamed_on[row], words(customers.later_names, row), words(customers.names, row))
    draft = pl.DataFrame(
        {
            "_entity": customers.entity[row],
            "_local": clerks.moment(day, SETTING_UP),
            "deleted": np.zeros(len(row), dtype=bool),
            "customer_id": words(customers.ids, row).tolist(),
            "name": named.tolist(),
            "country": words(customers.countries, row).tolist(),
            "segment": words(
                SEGMENTS, since(customers.moved_segment_on, customers.segment, customers.first_segment)
            ).tolist(),
            "parent_id": words(customers.ids, customers.parent[row]).tolist(),
            "terms_days": since(customers.terms_change_on, customers.later_terms, customers.terms),
            "credit_limit_minor": np.rint(limits).astype(np.int64) * LIMIT_MINOR,
            "collector": words(collectors(history), row).tolist(),
            "bank_account": words(accounts(history), row).tolist(),
        }
    )
    return draft.with_columns(parent_id=pl.when(pl.col("parent_id") != pl.col("customer_id")).then("parent_id"))


def attribute_draft(history: History, clerks: Clerks) -> pl.DataFrame:
    """Monthly revenue as an agency reports it a week later: it falls before a declining customer pays slower."""
    customers, window, rng = history.customers, history.window, clerks.rng
    reported = np.flatnonzero(rng.random(len(customers)) < ATTRIBUTE_SHARE)
    first, last = months(np.array([window.start, window.end]))
    row, day = (a.reshape(-1) for a in np.meshgrid(reported, month_start(np.arange(first, last)), indexing="ij"))
    base = np.exp(customers.log_amount) * 60 * rng.lognormal(0.0, 0.5, size=len(customers))
    trend = 1 + rng.uniform(-0.03, 0.10, size=len(customers))[row] * (day - window.start) / 365
    declining = np.clip(day - history.habits.decline_from[row] + REVENUE_LEAD_DAYS, 0, None)
    left = np.maximum(1 - declining / 30.4 * REVENUE_LOSS_A_MONTH, 0.15)
    value = base[row] * trend * left * rng.lognormal(0.0, 0.08, size=len(row))
    entity = customers.entity[row]
    frame = pl.DataFrame(
        {
            "_entity": entity,
            "_local": clerks.moment(clerks.working_day(entity, day + 6), OFFICE),
            "deleted": np.zeros(len(row), dtype=bool),
            "customer_id": words(customers.ids, row).tolist(),
            "name": [ATTRIBUTE] * len(row),
            "day": days(day),
            "value": np.round(value, 2),
        },
        schema_overrides={"customer_id": pl.String, "name": pl.String},
    )
    identity = pl.concat_str("customer_id", "name", pl.col("day").dt.to_string("%Y-%m-%d"), separator=":")
    return frame.with_columns(attribute_id=identity).filter(pl.Series(day >= customers.known_from[row]))


def rate_draft(history: History, clerks: Clerks) -> pl.DataFrame:
    """One rate a weekday and pair, known that afternoon, from before the first invoice to the last payment."""
    rates, entities = history.rates, history.options.entities
    weekdays = (rates.days + 3) % 7 < 5
    last_day = max(history.window.end, history.cash.payments.day.max(initial=0))
    published = weekdays & (rates.days <= last_day)
    day = rates.days[published]
    pair = np.repeat(np.arange(len(rates.pairs)), len(day))
    entity = np.array([e for e, _ in rates.pairs], dtype=np.int64)[pair]
    every_day = np.tile(day, len(rates.pairs))
    frame = pl.DataFrame(
        {
            "_entity": entity,
            "_local": clerks.moment(every_day, RATES_FIXED),
            "deleted": np.zeros(len(pair), dtype=bool),
            "currency": words([c for _, c in rates.pairs], pair).tolist(),
            "to_currency": words([e.currency for e in entities], entity).tolist(),
            "day": days(every_day),
            "_billionths": rates.billionths[:, published].reshape(-1),
        },
        schema_overrides={"currency": pl.String, "to_currency": pl.String},
    )
    exact = pl.col("_billionths")
    text = pl.concat_str(
        (exact // BILLION).cast(pl.String), pl.lit("."), (exact % BILLION).cast(pl.String).str.zfill(9)
    )
    identity = pl.concat_str("currency", "to_currency", pl.col("day").dt.to_string("%Y-%m-%d"), separator=":")
    return frame.with_columns(fx_rate_id=identity, rate=text.cast(pl.Decimal(18, 9))).drop("_billionths")
