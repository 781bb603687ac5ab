"""What is owed and what was settled, as known at every instant.

A receivable is one instalment of one invoice. Its states are intervals of knowledge: between `known_from` and
`known_to` the books said this amount, this due date, this much open, settled on this day or not.
"""

import polars as pl

from features.facts import Facts

RECEIVABLE = ("entity_id", "invoice_id", "instalment")


def receivable_versions(facts: Facts) -> pl.DataFrame:
    """One row per receivable and version of its invoice: amounts and dates, with `known_from` and `known_to`."""
    return (
        facts.spans("invoice")
        .select(pl.exclude("amount_minor"))
        .explode("instalments")
        .unnest("instalments")
        .rename({"number": "instalment"})
    )


def receivable_states(facts: Facts) -> pl.DataFrame:
    """Every state of every receivable, ordered by receivable and `known_from`.

    `open_minor` is the amount less what active allocations settle. `paid_date` is the day on which the last of them
    settled it in full, null while open. `cancelled` says that credit notes and write-offs made up half or more of the
    settlement: nobody paid, so it is not a payment to learn from.
    """
    owed = receivable_versions(facts)
    settled = facts.spans("allocation").select(
        *RECEIVABLE, "date", "amount_minor", "kind", pl.col("known_from").alias("from"), pl.col("known_to").alias("to")
    )
    settled = settled.join(owed.select(RECEIVABLE).unique(), on=RECEIVABLE, how="semi")
    moments = _moments(owed, settled)
    active = (
        moments.join(settled, on=RECEIVABLE)
        .filter((pl.col("from") <= pl.col("moment")) & (pl.col("to").is_null() | (pl.col("moment") < pl.col("to"))))
        .group_by(*RECEIVABLE, "moment")
        .agg(
            settled_minor=pl.col("amount_minor").sum(),
            credited_minor=pl.col("amount_minor").filter(pl.col("kind") != "payment").sum(),
            last_date=pl.col("date").max(),
        )
    )
    return _merged(
        moments.join(owed, on=RECEIVABLE)
        .filter(
            (pl.col("known_from") <= pl.col("moment"))
            & (pl.col("known_to").is_null() | (pl.col("moment") < pl.col("known_to")))
        )
        .join(active, on=[*RECEIVABLE, "moment"], how="left")
        .with_columns(pl.col("settled_minor", "credited_minor").fill_null(0))
        .select(
            *RECEIVABLE,
            "customer_id",
            "currency",
            "issue_date",
            "due_date",
            "amount_minor",
            open_minor=pl.col("amount_minor") - pl.col("settled_minor"),
            paid_date=pl.when(_is_settled()).then("last_date"),
            cancelled=_is_settled() & (pl.col("credited_minor").abs() * 2 >= pl.col("amount_minor").abs()),
            known_from=pl.col("moment"),
            known_to=pl.col("until"),
        )
    )


def _is_settled() -> pl.Expr:
    """Settled in full or beyond, whatever the sign; nothing owed and nothing allocated is not settled."""
    reached = pl.col("settled_minor") * pl.col("amount_minor").sign() >= pl.col("amount_minor").abs()
    return reached & pl.col("last_date").is_not_null()


def _moments(owed: pl.DataFrame, settled: pl.DataFrame) -> pl.DataFrame:
    """Every instant at which something about a receivable changed, with the next one as `until`."""
    instants = pl.concat(
        [
            frame.select(*RECEIVABLE, pl.col(column).alias("moment")).drop_nulls("moment")
            for frame, columns in ((owed, ("known_from", "known_to")), (settled, ("from", "to")))
            for column in columns
        ]
    )
    return instants.unique().sort(*RECEIVABLE, "moment").with_columns(until=pl.col("moment").shift(-1).over(RECEIVABLE))


def _merged(states: pl.DataFrame) -> pl.DataFrame:
    """Neighbouring states that say the same become one, so that `known_from` is when we first learnt it."""
    said = [c for c in states.columns if c not in ("known_from", "known_to")]
    ordered = states.sort(*RECEIVABLE, "known_from")
    same = pl.all_horizontal(pl.col(c).eq_missing(pl.col(c).shift(1)) for c in said)
    joined = same & (pl.col("known_from") == pl.col("known_to").shift(1))
    return (
        ordered.with_columns(run=(~joined.fill_null(value=False)).cum_sum())
        .group_by("run", maintain_order=True)
        .agg(*(pl.col(c).first() for c in said), pl.col("known_from").first(), pl.col("known_to").last())
        .drop("run")
    )
