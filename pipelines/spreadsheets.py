"""Text that a spreadsheet takes for text: files are opened there, and what they hold was written by others.

A cell that a spreadsheet would take for a formula (it begins with = + - @, their full-width forms, a tab or a line
break) gets an apostrophe in front, unless it is a plain number such as -12.50.
"""

import polars as pl

_FORMULA = "^[=+@\uff1d\uff0b\uff0d\uff20\t\r\n-]"
_PLAIN_NUMBER = r"^[+-]?[0-9]+([.,][0-9]+)*$"


def without_formulas(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame, to be written as CSV, with no text that begins as a formula does."""
    return frame.with_columns(_harmless(pl.col(name)) for name, kind in frame.schema.items() if kind == pl.String)


def _harmless(cell: pl.Expr) -> pl.Expr:
    formula = cell.str.contains(_FORMULA) & ~cell.str.contains(_PLAIN_NUMBER)
    return pl.when(formula).then(pl.concat_str(pl.lit("'"), cell)).otherwise(cell).name.keep()
