"""What open disputes and promises take out of what a contact is about, as known before each cutoff, in words.

A dispute takes out the amount that it disputes, where that is known in the currency of what it is about; else all of
it. The undisputed rest is asked for, unless it is promised.
"""

from datetime import timedelta

import polars as pl

from features.book import Book
from features.ledger import RECEIVABLE
from features.masters import CUSTOMER
from features.promises import TOLERANCE_DAYS, PromisesKnown, promises_known
from models.worklist.past_due import ACCOUNT, CONTACTED, less, stood

INVOICE = ("entity_id", "invoice_id")
OF_INVOICE = (*CONTACTED, "invoice_id")
TAKEN = (*OF_INVOICE, "currency", "taken_minor", "hold", "why", "reason", "released_by")
DISPUTED, PROMISED = "disputed", "promised"


def taken(book: Book, owed: pl.DataFrame) -> pl.DataFrame:
    """TAKEN: what disputes and promises take out of `owed` (rows of `models.worklist.past_due`).

    invoice_id             null: the whole account. What names an invoice takes it from whoever owes it: a parent may
                           dispute, or promise, what its child was sent
    currency, taken_minor  how much of it, above 0; null: all of it
    why                    as it is said on a row; `reason`: as it is said of who is held
    """
    disputed = _disputed(book, owed)
    return pl.concat([disputed, _promised(book, owed, not_taken(owed, disputed))])


def not_taken(owed: pl.DataFrame, took: pl.DataFrame) -> pl.DataFrame:
    """The rows of `owed` of which `took` (of `taken`) leaves anything, with `left_minor`; the oldest is taken first."""
    wholly, partly = took.filter(pl.col("taken_minor").is_null()), took.drop_nulls("taken_minor")
    left = owed.join(wholly.drop_nulls("invoice_id"), on=OF_INVOICE, how="anti", maintain_order="left")
    account = wholly.filter(pl.col("invoice_id").is_null())
    left = left.join(account, on=CONTACTED, how="anti", maintain_order="left").with_columns(left_minor="open_minor")
    for on, some in (
        (OF_INVOICE, partly.drop_nulls("invoice_id")),
        (ACCOUNT, partly.filter(pl.col("invoice_id").is_null())),
    ):
        left = less(left, "left_minor", some.group_by(on).agg(pl.col("taken_minor").sum()), on)
    return left


def _disputed(book: Book, owed: pl.DataFrame) -> pl.DataFrame:
    still = (pl.col("status") == "open") & (
        pl.col("closed_on").is_null() | (pl.col("closed_on") >= pl.col("cutoff_day"))
    )
    rows = _about(book.facts.spans("dispute"), owed).filter(stood() & still).sort("entity_id", "dispute_id")
    # signed like the invoice, in its own currency: anything else does not say how much of it is disputed
    known = (pl.col("amount_minor") > 0) & (pl.col("currency") == pl.col("owed_currency"))
    reason = pl.col("reason").str.replace_all("_", " ", literal=True).fill_null("no reason given")
    why = pl.format("disputed since {} ({})", pl.col("opened_on").cast(pl.String), reason)
    what = pl.col("invoice_id").fill_null("the whole account")
    return rows.select(
        *OF_INVOICE,
        currency="owed_currency",
        taken_minor=pl.when(known).then("amount_minor"),
        hold=pl.lit(DISPUTED),
        why=why,
        reason=pl.format("{}: {}", why, what),
        released_by=pl.format("dispute {} being closed", pl.col("dispute_id")),
    )


def _promised(book: Book, owed: pl.DataFrame, left: pl.DataFrame) -> pl.DataFrame:
    """By the promises that `promises_known` holds to be open and to cover what they are about at each cutoff.

    left  of `owed`, what is not disputed: a promise of that much of an invoice covers it too
    """
    lasts = pl.col("promised_for") + pl.duration(days=TOLERANCE_DAYS) >= pl.col("cutoff_day")
    maybe = _about(book.facts.spans("promise"), owed).filter(stood() & lasts)["cutoff"].unique().sort()
    none = owed.head(0).select(
        *OF_INVOICE, "currency", taken_minor="open_minor", **dict.fromkeys(TAKEN[-4:], pl.lit(""))
    )
    each = ((pl.col("cutoff") == at, promises_known(book, at)) for at in maybe)
    return pl.concat([none, *(_promised_at(owed.filter(then), left.filter(then), known) for then, known in each)])


def _promised_at(owed: pl.DataFrame, left: pl.DataFrame, known: PromisesKnown) -> pl.DataFrame:
    items = owed.select(*CONTACTED, *RECEIVABLE[1:], "currency")
    covered = items.join(known.open.drop("customer_id"), on=RECEIVABLE, maintain_order="left_right")
    some, wholly = _some_instalments(items, left, known), pl.lit(None, dtype=pl.Int64)
    said = ["promised_for", "made_on", "due_by"]
    parts = (
        covered.join(some, on=OF_INVOICE, how="anti", maintain_order="left").with_columns(taken_minor=wholly),
        _rest_promised(left, known, said).with_columns(taken_minor=wholly),
        covered.join(some.filter(pl.col("taken_minor") > 0), on=OF_INVOICE, maintain_order="left"),
    )
    rows = pl.concat([part.select(*OF_INVOICE, "currency", "taken_minor", *said) for part in parts])
    day, made, broken = (
        e.cast(pl.String) for e in (pl.col("promised_for"), pl.col("made_on"), pl.col("due_by") + timedelta(days=1))
    )
    why = pl.format("promised for {} on {}", day, made)
    return rows.unique(OF_INVOICE, keep="first", maintain_order=True).select(
        *OF_INVOICE,
        "currency",
        "taken_minor",
        hold=pl.lit(PROMISED),
        why=why,
        reason=pl.format("{} {}", pl.col("invoice_id"), why),
        released_by=pl.format("the promise being kept, or {} when it is broken", broken),
    )


def _some_instalments(items: pl.DataFrame, left: pl.DataFrame, known: PromisesKnown) -> pl.DataFrame:
    """OF_INVOICE and taken_minor, what is not disputed of them, where open promises cover some of its instalments only.

    A promise for the account is about what was past due when it was made: what fell due since is asked for.
    """
    others = items.join(known.open, on=RECEIVABLE, how="anti").select(OF_INVOICE).unique()
    covered = left.join(known.open, on=RECEIVABLE, how="semi")
    sums = covered.group_by(OF_INVOICE).agg(taken_minor=pl.col("left_minor").sum())
    return others.join(sums, on=OF_INVOICE, how="left").with_columns(pl.col("taken_minor").fill_null(0))


def _rest_promised(left: pl.DataFrame, known: PromisesKnown, said: list[str]) -> pl.DataFrame:
    """OF_INVOICE, currency and `said` of the newest open promise that covers the undisputed rest of an invoice."""
    sums = left.group_by(*OF_INVOICE, "currency").agg(
        _left=pl.col("left_minor").sum(), _open=pl.col("open_minor").sum()
    )
    rest = sums.filter(pl.col("_left") < pl.col("_open"))
    still = known.states.filter(pl.col("state") == "open").select(
        *INVOICE, "currency", "promise_id", "amount_minor", *said
    )
    covers = rest.join(still, on=[*INVOICE, "currency"]).filter(pl.col("amount_minor") >= pl.col("_left"))
    newest = covers.sort(*OF_INVOICE, "made_on", "promise_id").unique(OF_INVOICE, keep="last", maintain_order=True)
    return newest.select(*OF_INVOICE, "currency", *said)


def _about(told: pl.DataFrame, owed: pl.DataFrame) -> pl.DataFrame:
    """Disputes or promises beside each contact that owes the invoice they name, or whose account they are about.

    With `owed_currency`, that of the invoice; where they are about an account, their own.
    """
    items = owed.select(*OF_INVOICE, owed_currency="currency").unique()
    contacts = owed.select(CONTACTED).unique()
    named = told.drop_nulls("invoice_id").drop("customer_id").join(items, on=INVOICE)
    whole = told.filter(pl.col("invoice_id").is_null()).join(contacts, on=CUSTOMER)
    return pl.concat([named, whole.with_columns(owed_currency="currency").select(named.columns)])
