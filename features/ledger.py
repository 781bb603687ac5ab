"""What is owed and what was settled, as known at every instant.

A receivable is one instalment of one invoice. Its states are intervals of knowledge: between `known_from` and
`known_to` the books said this amount, this due date, this much open, settled on this day or not.
"""

import polars as pl

from features.facts import Facts

RECEIVABLE = ("entity_id", "invoice_id", "instalment")
SETTLES = (*RECEIVABLE, "currency")
"""What an allocation shares with what it settles: cents of another currency settle nothing."""
SPAN = ("known_from", "known_to")


def receivable_versions(facts: Facts, invoices: pl.DataFrame | None = None) -> pl.DataFrame:
    """One row per receivable and version of its amounts and dates, with `known_from` and `known_to`.

    With `invoices`, some rows of `facts.spans("invoice")`, only theirs.
    """
    return _merged(
        (facts.spans("invoice") if invoices is None else invoices)
        .select("entity_id", "invoice_id", "customer_id", "currency", "issue_date", "instalments", *SPAN)
        .explode("instalments")
        .unnest("instalments")
        .rename({"number": "instalment"})
    )


def receivable_states(facts: Facts) -> pl.DataFrame:
    """Every state of every receivable, ordered by receivable and `known_from`.

    open_minor  the amount less what active allocations settle in its currency; of the other sign where that is too much
    paid_date   the day since which they settle it in full, null while open. What is settled beyond, later, changes
                nothing; what is taken away and settled again counts from the day it was settled again
    cancelled   credit notes and write-offs made up half or more of the amount by then: nobody paid, so it is not a
                payment to learn from
    """
    owed = receivable_versions(facts)
    settled = facts.spans("allocation").select(
        *SETTLES, "date", "kind", pl.col("amount_minor").alias("part_minor"), begins="known_from", ends="known_to"
    )
    settled = settled.join(owed.select(SETTLES).unique(), on=SETTLES, how="semi")
    states = (
        _moments(owed, settled)
        .join(owed, on=RECEIVABLE)
        .filter(_at_moment("known_from", "known_to"))
        .drop(SPAN)
        .with_row_index("state")
    )
    return _merged(
        states.join(_settlements(states, settled), on="state", how="left").select(
            *RECEIVABLE,
            "customer_id",
            "currency",
            "issue_date",
            "due_date",
            "amount_minor",
            open_minor=pl.col("amount_minor") - pl.col("settled_minor").fill_null(0),
            paid_date="paid_date",
            cancelled=pl.col("cancelled").fill_null(value=False),
            known_from="moment",
            known_to="until",
        )
    )


def _settlements(states: pl.DataFrame, settled: pl.DataFrame) -> pl.DataFrame:
    """state, settled_minor, paid_date, cancelled: of every state with an active allocation."""
    amount, sign = pl.col("amount_minor").abs(), pl.col("amount_minor").sign()
    days = (
        states.join(settled, on=SETTLES)
        .filter(_at_moment("begins", "ends"))
        .group_by("state", "date")
        .agg(
            pl.col("amount_minor").first(),
            day_minor=pl.col("part_minor").sum(),
            day_credited=pl.col("part_minor").filter(pl.col("kind") != "payment").sum(),
        )
        .sort("state", "date")
        .with_columns(
            total=pl.col("day_minor").cum_sum().over("state"), credited=pl.col("day_credited").cum_sum().over("state")
        )
        .with_columns(short=pl.col("total") * sign < amount)
        .with_columns(short_later=pl.col("short").cast(pl.Int8).cum_max(reverse=True).over("state") > 0)
    )
    stays = ~pl.col("short_later")
    return days.group_by("state").agg(
        settled_minor=pl.col("total").last(),
        paid_date=pl.col("date").filter(stays).first(),
        cancelled=(pl.col("credited") * sign * 2 >= amount).filter(stays).first(),
    )


def _at_moment(begins: str, ends: str) -> pl.Expr:
    """Whether what stands from `begins` until `ends` stands at `moment`."""
    return (pl.col(begins) <= pl.col("moment")) & (pl.col(ends).is_null() | (pl.col("moment") < pl.col(ends)))


def _moments(owed: pl.DataFrame, settled: pl.DataFrame) -> pl.DataFrame:
    """Every instant at which something about a receivable changed, with the next one as `until`."""
    instants = pl.concat(
        [
            frame.select(*RECEIVABLE, pl.col(column).alias("moment")).drop_nulls("moment")
            for frame, columns in ((owed, SPAN), (settled, ("begins", "ends")))
            for column in columns
        ]
    )
    return instants.unique().sort(*RECEIVABLE, "moment").with_columns(until=pl.col("moment").shift(-1).over(RECEIVABLE))


def _merged(states: pl.DataFrame) -> pl.DataFrame:
    """Neighbouring states that say the same become one, so that `known_from` is when we first learnt it."""
    said = [c for c in states.columns if c not in SPAN]
    ordered = states.sort(*RECEIVABLE, "known_from")
    same = pl.all_horizontal(pl.col(c).eq_missing(pl.col(c).shift(1)) for c in said)
    joined = same & (pl.col("known_from") == pl.col("known_to").shift(1))
    return (
        ordered.with_columns(run=(~joined.fill_null(value=False)).cum_sum())
        .group_by("run", maintain_order=True)
        .agg(*(pl.col(c).first() for c in said), pl.col("known_from").first(), pl.col("known_to").last())
        .drop("run")
    )
