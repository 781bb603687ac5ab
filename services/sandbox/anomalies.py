"""What is wrong with the books on purpose, and which record it is: labelled anomalies among look-alikes that are fine.

Nothing here runs, and no number is drawn, in a world with `anomaly_share` 0. Otherwise records are added to the drafts
(see `facts`), a few are learnt later than they were, and all are numbered as they were booked; all else stays as it is.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from services.sandbox import anomaly_feeds, anomaly_kinds, anomaly_twins, look_alikes
from services.sandbox.anomaly_desk import Desk, Drafts
from services.sandbox.anomaly_numbers import Numbers
from services.sandbox.history import History, stream
from services.sandbox.knowledge import News
from services.sandbox.options import WorldOptions
from services.sandbox.truth import Truth

LIMIT_MINOR = 500_000  # in each entity's currency: what a clerk may credit or pay back alone
ATTEMPTS = 30  # for each label that is wanted: a small world has no room for some kinds

STORIES = {
    "duplicate_invoice": anomaly_twins.duplicate_invoice,
    "duplicate_payment": anomaly_twins.duplicate_payment,
    "unusual_amount": anomaly_kinds.unusual_amount,
    "unusual_timing": anomaly_kinds.unusual_timing,
    "account_changed": anomaly_kinds.account_changed,
    "below_approval_limit": anomaly_kinds.below_approval_limit,
    "round_sums": anomaly_kinds.round_sums,
    "backdated_posting": anomaly_kinds.backdated_posting,
    "rebill_loop": anomaly_twins.rebill_loop,
}
FEED_BREAK = "feed_break"
KINDS = (*STORIES, FEED_BREAK)


def approval_limits(options: WorldOptions) -> dict[str, int]:
    """entity_id -> the most that a clerk may credit or pay back alone, in minor units of the entity's currency."""
    return {e.entity_id: LIMIT_MINOR for e in options.entities}


def with_anomalies(drafts: Drafts, history: History, news: News, truth: Truth) -> tuple[Drafts, Truth]:
    """The drafts with `anomaly_share` of their documents odd, and the truth, which says which."""
    options = history.options
    desk = Desk(dict(drafts), history, stream(options, "anomalies"), LIMIT_MINOR)
    wanted = round(options.anomaly_share * _documents(drafts, history) / len(KINDS))
    look_alikes.put_in(desk, wanted)
    for kind, story in STORIES.items():
        for _ in range(ATTEMPTS * wanted):
            if desk.labels[kind] >= wanted:
                break
            story(desk, wanted - desk.labels[kind])
    desk.pay_some()
    finished = desk.finished()
    numbers = Numbers.given(finished, desk)
    made = anomaly_feeds.broken(desk, numbers.in_drafts(finished), news.faults, wanted)
    return made, replace(
        truth,
        receivables=numbers.in_truth(truth.receivables),
        contacts=numbers.in_truth(truth.contacts),
        promises=numbers.in_truth(truth.promises),
        anomalies=numbers.in_truth(desk.truth()),
    )


def per_kind(truth: pl.DataFrame) -> Mapping[str, int]:
    """How many records of each kind are labelled."""
    return Counter(truth["kind"].to_list())


def _documents(drafts: Drafts, history: History) -> int:
    """Invoices, credit notes, payments and write-offs, and the days of two feeds of every entity."""
    records = sum(drafts[t].select("_entity", f"{t}_id").n_unique() for t in ("invoice", "credit_note", "payment"))
    written_off = drafts["allocation"].filter(pl.col("kind") == "write_off").height
    days = history.window.end - history.window.start
    return records + written_off + 2 * days * len(history.options.entities)
