"""`duecast export`: the facts as a star for BI tools."""

from typing import Annotated, Literal

import typer

from pipelines.cli_options import AsOf, Lake, Models, as_date


def export(
    to: Annotated[str, typer.Option(help="A folder of its own, or postgresql://USER@HOST/NAME.", metavar="FOLDER|URL")],
    form: Annotated[
        Literal["parquet", "delta"] | None, typer.Option("--format", help="In a folder: parquet where left out.")
    ] = None,
    as_of: AsOf = None,
    group_currency: Annotated[
        str | None, typer.Option(help="KPIs over all currencies too, in this one.", metavar="CODE")
    ] = None,
    lake: Lake = None,
    mlruns: Models = None,
) -> None:
    """Receivables, invoices, cash, disputes, promises, KPIs and predictions as a star, replaced as a whole each time.

    Examples:  duecast export --to marts/ --format delta --as-of 2026-01-05

    duecast export --to postgresql://bi@127.0.0.1/warehouse --group-currency EUR
    """
    from pipelines.marts.export import export as export_marts

    export_marts(to=to, form=form, as_of=as_date(as_of), lake=lake, mlruns=mlruns, group_currency=group_currency)
