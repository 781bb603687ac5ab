"""What is past due and not asked for, of those who are on the list, in words: how much, and why."""

from collections import defaultdict

import polars as pl

from features.masters import CUSTOMER
from models.worklist.asks import Asks
from models.worklist.past_due import ACCOUNT
from models.worklist.phrases import money
from models.worklist.taken import DISPUTED, OF_INVOICE, not_taken
from models.worklist.told import Key

TOOK = (*OF_INVOICE, "currency", "hold")


def left_out(asks: Asks) -> dict[Key, tuple[str, ...]]:
    """Customer -> what disputes and promises take out, an invoice after the other, then the account as a whole.

    Of what is disputed as much as is open; of what is promised what is not disputed. Free cash is told elsewhere.
    """
    told: dict[Key, list[str]] = defaultdict(list)
    for row in _amounts(asks).iter_rows(named=True):
        whose = f"of {row['invoice_id']} " if row["invoice_id"] else "of the account, the oldest first, "
        told[row["entity_id"], row["customer_id"]].append(
            f"{money(row['_minor'], row['currency'])} {whose}{'; '.join(row['why'])}: not asked for"
        )
    return {key: tuple(words) for key, words in told.items()}


def _amounts(asks: Asks) -> pl.DataFrame:
    """TOOK, why (each once) and `_minor`, how much: above 0."""
    each = asks.taken.group_by(TOOK).agg(
        pl.col("why").unique(maintain_order=True),
        _told=pl.col("taken_minor").sum(),
        _wholly=pl.col("taken_minor").is_null().any(),
    )
    disputed = pl.col("hold") == DISPUTED
    undisputed = not_taken(asks.owed, asks.taken.filter(disputed))
    open_of, left_of, open_in = (
        _sum(asks.owed, "open_minor", (*OF_INVOICE, "currency"), "_open"),
        _sum(undisputed, "left_minor", (*OF_INVOICE, "currency"), "_left"),
        _sum(asks.owed, "open_minor", ACCOUNT, "_account"),
    )
    rows = (
        each.join(open_of, on=[*OF_INVOICE, "currency"], how="left")
        .join(left_of, on=[*OF_INVOICE, "currency"], how="left")
        .join(open_in, on=ACCOUNT, how="left")
    )
    open_minor = pl.coalesce("_open", "_account").fill_null(0)
    wholly = pl.when(disputed).then(open_minor).otherwise(pl.col("_left").fill_null(0))
    some = pl.when(pl.col("_wholly")).then(wholly).otherwise(pl.min_horizontal("_told", open_minor))
    return (
        rows.with_columns(_minor=some)
        .filter(pl.col("_minor") > 0)
        .sort(*CUSTOMER, "invoice_id", "hold", "currency", nulls_last=True)
    )


def _sum(rows: pl.DataFrame, column: str, by: tuple[str, ...], name: str) -> pl.DataFrame:
    return rows.group_by(by).agg(pl.col(column).sum().alias(name))
