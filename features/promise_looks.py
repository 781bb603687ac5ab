"""Past promises as they looked while they were open, and how it ended: what is learnt of promises is learnt from these.

Each is looked at the day after it was made, and every week from then on while nobody knew of the payment: as often as
an open promise is asked about. Outcomes are those of `features.labels`: nothing here may reach a
feature.
"""

import polars as pl

from features.book import SUBJECT, Book
from features.calendars import with_day_start
from features.ledger import RECEIVABLE
from features.masters import CUSTOMER
from features.promises import PROMISE, PromisesKnown, own_rate

MOST_PROMISES = 1_000  # the newest that are over: older ones tell of other days
LOOK = (*SUBJECT, "promise_id", "promised_for", "due_by", "kept_rate", "paid_date", "observed_until")


def promise_looks(book: Book, known: PromisesKnown, entity_id: str) -> pl.DataFrame:
    """LOOK rows of the entity's promises that were over at `known.as_of`, by cutoff and receivable.

    kept_rate                  of the customer, from the promises that were over at that look
    paid_date, observed_until  as known at `known.as_of` (`features.labels`); what was credited is left out, and what
                               the books cannot tell to the last day of the promise
    """
    states = known.states.filter(pl.col("entity_id") == entity_id)
    over = states.filter(pl.col("state").is_in(["kept", "broken"]), pl.col("due_by") < pl.col("cutoff_day"))
    newest = over.sort("made_on", "promise_id").tail(MOST_PROMISES)
    seen = _covered(_seen_open(book, _weekly(book, newest), known.about))
    looks = seen.sort(*RECEIVABLE, "cutoff", "made_on", "promise_id").unique(
        [*RECEIVABLE, "cutoff"], keep="last", maintain_order=True
    )
    ended = book.labelled(rates_at(looks, over), known.as_of).filter(
        ~pl.col("cancelled"), pl.col("observed_until") >= pl.col("due_by")
    )
    told = pl.col("paid_date").is_null() | (pl.col("paid_date") >= pl.col("cutoff_day"))
    return ended.filter(told).select(LOOK).sort("cutoff", *RECEIVABLE)


def _weekly(book: Book, promises: pl.DataFrame) -> pl.DataFrame:
    """`promises` once for each day they are looked at, with cutoff_day and cutoff."""
    day = pl.date_ranges(pl.col("made_on") + pl.duration(days=1), "due_by", interval="7d")
    days = promises.drop("cutoff_day").with_columns(cutoff_day=day).explode("cutoff_day").drop_nulls("cutoff_day")
    looks = with_day_start(days, "cutoff_day", book.zones, "cutoff")
    return looks.filter(pl.col("told_at") < pl.col("cutoff"))


def _seen_open(book: Book, looks: pl.DataFrame, about: pl.DataFrame) -> pl.DataFrame:
    """What each promise was about and was open at the look."""
    then = looks.select(*PROMISE, "made_on", "promised_for", "due_by", "cutoff", "cutoff_day", promised="amount_minor")
    rows = then.join(about, on=PROMISE).join(book.states.drop("paid_date", "cancelled"), on=RECEIVABLE)
    stood = (pl.col("known_from") < pl.col("cutoff")) & (
        pl.col("known_to").is_null() | (pl.col("known_to") >= pl.col("cutoff"))
    )
    return rows.filter(stood, pl.col("open_minor") > 0, pl.col("amount_minor") > 0)


def _covered(rows: pl.DataFrame) -> pl.DataFrame:
    """Those whose promise is of all that was open: as `features.promises` does with open ones."""
    return rows.filter(pl.col("open_minor").sum().over(*PROMISE, "cutoff") <= pl.col("promised"))


def rates_at(looks: pl.DataFrame, over: pl.DataFrame) -> pl.DataFrame:
    """`looks` with kept_rate: of the promises `over` (kept or broken), those whose last day was before the look."""
    own = _running(over, CUSTOMER).rename({"kept_until": "kept", "due_until": "due"})
    everybody = _running(over, ("entity_id",)).rename({"kept_until": "_kept", "due_until": "_due"})
    rows = looks.sort("cutoff_day", *RECEIVABLE)
    for told, of in ((own, CUSTOMER), (everybody, ("entity_id",))):
        rows = rows.join_asof(
            told,
            left_on="cutoff_day",
            right_on="_last",
            by=of,
            strategy="backward",
            allow_exact_matches=False,
            check_sortedness=False,
        ).drop("_last", strict=False)
    counts = rows.with_columns(pl.col("kept", "due", "_kept", "_due").fill_null(0))
    return counts.with_columns(kept_rate=own_rate(pl.col("_kept"), pl.col("_due"))).drop("kept", "due", "_kept", "_due")


def _running(over: pl.DataFrame, of: tuple[str, ...]) -> pl.DataFrame:
    """`of`, `_last` (a last day of promises), kept_until, due_until: how many were kept of how many due by then."""
    days = over.group_by(*of, _last="due_by").agg(kept=(pl.col("state") == "kept").sum(), due=pl.len())
    counted = days.sort("_last", *of).with_columns(
        kept_until=pl.col("kept").cum_sum().over(of).cast(pl.Int64),
        due_until=pl.col("due").cum_sum().over(of).cast(pl.Int64),
    )
    return counted.select(*of, "_last", "kept_until", "due_until")
