"""The instalments of an invoice: made of its due date, or read from the list that a source sends."""

import msgspec
import polars as pl

from features.tables import INSTALMENT, Kind
from pipelines.parsers import ISO_DAY, PARSERS, Options, exponent_of


class _Sent(msgspec.Struct):
    number: int
    due_date: str
    amount: str | int | float


def single(due_date: pl.Expr, amount_minor: pl.Expr) -> pl.Expr:
    """One instalment over the whole amount; null where either is."""
    known = due_date.is_not_null() & amount_minor.is_not_null()
    one = pl.struct(pl.lit(1, pl.Int64).alias("number"), due_date.alias("due_date"), amount_minor.alias("amount_minor"))
    return pl.when(known).then(pl.concat_list(one))


def listed(texts: pl.Series, currencies: pl.Series) -> pl.Series:
    """JSON lists as instalments, amounts exact in each row's currency; null where any part cannot be read."""
    sent = _all_decoded(texts.to_list())
    parts = pl.DataFrame(
        {
            "row": [i for i, found in enumerate(sent) for _ in found],
            "number": [s.number for found in sent for s in found],
            "due_date": [s.due_date for found in sent for s in found],
            "amount": [str(s.amount) for found in sent for s in found],
        },
        schema={"row": pl.Int64, "number": pl.Int64, "due_date": pl.String, "amount": pl.String},
    )
    day, amount = PARSERS["date"].make(Options(formats=(ISO_DAY,))), PARSERS["amount"].make(Options())
    rows = pl.DataFrame({"row": range(len(texts)), "currency": currencies}, schema_overrides={"row": pl.Int64})
    exponent = exponent_of(pl.col("currency"))
    read = parts.join(rows, on="row", how="left", maintain_order="left").select(
        "row",
        "number",
        day.read(pl.col("due_date"), exponent),
        amount.read(pl.col("amount"), exponent).alias("amount_minor"),
    )
    complete = pl.all_horizontal(pl.col(f.name).is_not_null() for f in INSTALMENT.fields).all()
    whole = read.group_by("row").agg(
        pl.struct(f.name for f in INSTALMENT.fields).alias("instalments"), complete.alias("complete")
    )
    found = rows.join(whole.filter("complete"), on="row", how="left", maintain_order="left")
    return found["instalments"].cast(Kind.INSTALMENTS.dtype)


def _all_decoded(texts: list[str | None]) -> list[list[_Sent]]:
    """The lists; empty where one cannot be read. All at once is fast, and fails if a single one is broken."""
    try:
        joined = f"[{','.join('[]' if text is None else text for text in texts)}]"
        found = msgspec.json.decode(joined, type=list[list[_Sent]])
    except msgspec.DecodeError:
        found = []
    return found if len(found) == len(texts) else [_decoded(text) for text in texts]


def _decoded(text: str | None) -> list[_Sent]:
    try:
        return [] if text is None else msgspec.json.decode(text, type=list[_Sent])
    except msgspec.DecodeError:
        return []
