"""What is said of a row whose text cannot become values: the field, what stood there, what is allowed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from features.tables import Kind, table
from pipelines.fields import Field
from pipelines.mapping_keys import Section
from pipelines.readings import Reading

MOST_TERMS_DAYS = 3660

PLACE = {"_row": pl.UInt32(), "_where": pl.String()}
"""Beside every row: the position of its record in what was read, and the place in words, unique within a feed."""

RESERVED = (*PLACE, "_deleted")
"""Names that a column of a source cannot have; see `connectors`."""

COMPLAINT = {**PLACE, "field": pl.String(), "value": pl.String(), "allowed": pl.String()}


def worded(template: str, *parts: pl.Expr) -> pl.Expr:
    """`template` with each {} filled in; null where a part is.

    Polars' own `pl.format` panics on columns of several chunks (pola-rs/polars#25339).
    """
    texts = [pl.lit(text) for text in template.split("{}")]
    filled = [part.cast(pl.String) for part in parts]
    return pl.concat_str([texts[0], *(e for pair in zip(filled, texts[1:], strict=True) for e in pair)])


def spared(rows: pl.DataFrame, complained: pl.DataFrame) -> pl.DataFrame:
    """The rows whose record nobody complains of, in their order."""
    return rows.join(complained, on="_row", how="anti", maintain_order="left") if complained.height else rows


@dataclass(frozen=True, slots=True)
class _Complaint:
    field: str
    broken: pl.Expr
    value: pl.Expr
    allowed: pl.Expr


def complaints(
    section: Section, values: pl.DataFrame, readings: Mapping[str, Reading], entities: list[str]
) -> pl.DataFrame:
    """One row per complaint under `COMPLAINT`, in the order of the rows.

    `values` holds `t.x`, the text of each field that is read, and `v.x`, its value. What the text of one field spoils
    is not held against another: an amount without a known currency is the currency's fault.
    """
    live = ~pl.col("_deleted") if "_deleted" in values.columns else pl.lit(value=True)
    found = [_whose_books(section, readings["entity_id"], entities)]
    found += [_unreadable(r) for name, r in readings.items() if name != "entity_id"]
    found += _absent(section, readings, live)
    if section.table == "invoice" and "instalments" not in readings:
        found += _terms(readings)
    flags = values.select(c.broken.fill_null(value=False).alias(str(i)) for i, c in enumerate(found))
    parts = [_listed(values.filter(flags[str(i)]), c) for i, c in enumerate(found) if flags[str(i)].any()]
    return pl.concat([pl.DataFrame(schema=COMPLAINT), *parts]).sort("_row", maintain_order=True)


def currency_in(field: Field) -> pl.Expr:
    """The currency that an amount is written in."""
    if field.currency is None:
        return pl.col("b.currency")
    named = pl.col(f"v.{field.currency}")
    return named if field.currency == "currency" else named.fill_null(pl.col("v.currency"))


def _listed(rows: pl.DataFrame, complaint: _Complaint) -> pl.DataFrame:
    return rows.select(
        *PLACE,
        pl.lit(complaint.field).alias("field"),
        complaint.value.cast(pl.String).alias("value"),
        complaint.allowed.alias("allowed"),
    )


def _whose_books(section: Section, whose: Reading, entities: list[str]) -> _Complaint:
    value = pl.col("v.entity_id")
    unknown = value.is_null() if section.table == "entity" else value.is_null() | ~value.is_in(entities)
    known = f"one of {', '.join(entities)}" if entities else "the id of a legal entity (none is known so far)"
    return _Complaint("entity_id", unknown, pl.col("t.entity_id"), pl.lit(known + whose.place))


def _unreadable(found: Reading) -> _Complaint:
    name = found.field.name
    broken = pl.col(f"t.{name}").is_not_null() & pl.col(f"v.{name}").is_null()
    if found.field.kind is Kind.MONEY:
        broken &= currency_in(found.field).is_not_null()
    if found.field.kind is Kind.INSTALMENTS:
        broken &= pl.col("v.currency").is_not_null()
    return _Complaint(name, broken, pl.col(f"t.{name}"), pl.lit(found.allowed))


def _absent(section: Section, readings: Mapping[str, Reading], live: pl.Expr) -> Iterator[_Complaint]:
    """What a row cannot do without, told once and not as the fault of all that hangs on it."""
    canonical = table(section.table)
    without = {canonical.id_column, "known_at", "currency"}
    if section.known_at is None and canonical.day_column is not None:
        without.add(canonical.day_column)
    for name, found in readings.items():
        if name != "entity_id" and (found.field.needed or name in without):
            yield _Complaint(name, pl.col(f"t.{name}").is_null() & live, pl.lit(None), pl.lit(found.allowed))


def _terms(readings: Mapping[str, Reading]) -> list[_Complaint]:
    """The one due date of an invoice: there, and not before its issue."""
    due = _text(readings, "due_date")
    terms, terms_text = pl.col("v.terms_days"), _text(readings, "terms_days")
    by = readings.get("due_date") or readings["terms_days"]
    issued = worded("on or after the issue date {} (no negative terms)", pl.col("v.issue_date"))
    return [
        _Complaint(by.field.name, due.is_null() & terms_text.is_null(), pl.lit(None), pl.lit(by.allowed)),
        _Complaint(
            "terms_days",
            due.is_null() & ~terms.is_between(0, MOST_TERMS_DAYS),
            terms_text,
            pl.lit(f"0 to {MOST_TERMS_DAYS} days (no negative terms)"),
        ),
        _Complaint("due_date", pl.col("v.due") < pl.col("v.issue_date"), due, issued),
    ]


def _text(readings: Mapping[str, Reading], name: str) -> pl.Expr:
    return pl.col(f"t.{name}") if name in readings else pl.lit(None, pl.String)
