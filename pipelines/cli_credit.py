"""`duecast credit`: how likely customers are to default, what to lend them, what that may cost, and why."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli_options import SCORE_ENDINGS, AsOf, JsonOut, Lake, Models, as_date, written_file

app = typer.Typer(
    help="Credit risk: scores, limits, expected losses, explanations.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Entity = Annotated[str | None, typer.Option(help="Only this legal entity.")]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Write all of it: .parquet, .csv or .json.", metavar="FILE", callback=written_file(*SCORE_ENDINGS)
    ),
]
Lgd = Annotated[float, typer.Option(help="Share of the exposure that a default loses.", min=0, max=1)]
Appetite = Annotated[
    float, typer.Option(help="Expected loss allowed, by purchases of a year.", metavar="SHARE", min=0, max=1)
]
AppetiteCap = Annotated[int | None, typer.Option(help="The same in whole units, at most.", metavar="AMOUNT", min=0)]
Capacity = Annotated[float, typer.Option(help="How many terms' purchases may be outstanding.", metavar="K", min=0)]
Orders = Annotated[bool, typer.Option(help="Count orders that are not yet billed.")]


@app.command("score")
def credit_score(
    as_of: AsOf = None,
    entity: Entity = None,
    out: Out = None,
    json_out: JsonOut = None,
    lake: Lake = None,
    mlruns: Models = None,
) -> None:
    """Every customer's chance of default, score and grade; those in default already are said to be so.

    Example:  duecast credit score --as-of 2026-01-01 --out scores.parquet
    """
    from pipelines.credit_commands import show_scores

    show_scores(as_of=as_date(as_of), entity=entity, out=out, json_out=json_out, lake=lake, mlruns=mlruns)


@app.command("limits")
def credit_limits(
    as_of: AsOf = None,
    entity: Entity = None,
    appetite_share: Appetite = 0.01,
    appetite_cap: AppetiteCap = None,
    lgd: Lgd = 0.4,
    capacity: Capacity = 2.0,
    receivables: Annotated[bool, typer.Option(help="Count what is open.")] = True,
    orders: Orders = True,
    out: Out = None,
    json_out: JsonOut = None,
    lake: Lake = None,
    mlruns: Models = None,
) -> None:
    """A limit for every customer, how much of it is used, and which open orders it would block.

    By risk: min(appetite share x purchases of a year, cap) / (PD x LGD). By capacity: what is bought in K terms.

    Examples:  duecast credit limits --appetite-share 0.02 --appetite-cap 5000

    duecast credit limits --entity DE01 --no-orders --out limits.csv
    """
    from models.credit.policy import LimitSettings
    from pipelines.credit_commands import show_limits

    settings = LimitSettings(
        appetite_share=appetite_share,
        appetite_cap=appetite_cap,
        lgd=lgd,
        capacity_factor=capacity,
        count_receivables=receivables,
        count_orders=orders,
    )
    show_limits(
        as_of=as_date(as_of),
        entity=entity,
        settings=settings,
        out=out,
        json_out=json_out,
        lake=lake,
        mlruns=mlruns,
    )


@app.command("losses")
def credit_losses(
    as_of: AsOf = None,
    entity: Entity = None,
    lgd: Lgd = 0.4,
    own_lgd: Annotated[
        bool, typer.Option("--own-lgd", help="Read the LGD off the ledger; --lgd where it cannot tell.")
    ] = False,
    discount: Annotated[
        float, typer.Option(help="What money costs, as a share a year.", metavar="SHARE", min=0)
    ] = 0.05,
    orders: Orders = False,
    out: Out = None,
    json_out: JsonOut = None,
    lake: Lake = None,
    mlruns: Models = None,
) -> None:
    """Expected loss, PD x LGD x EAD discounted, per entity and currency, on the same open amounts as the ageing.

    Example:  duecast credit losses --lgd 0.4 --out losses.csv
    """
    from models.credit.losses import LossSettings
    from pipelines.credit_commands import show_losses

    settings = LossSettings(lgd=lgd, discount_rate=discount, count_orders=orders)
    show_losses(
        as_of=as_date(as_of),
        entity=entity,
        settings=settings,
        own=own_lgd,
        out=out,
        json_out=json_out,
        lake=lake,
        mlruns=mlruns,
    )


@app.command("explain")
def credit_explain(
    customer: Annotated[str, typer.Argument(help="The customer's id.", metavar="CUSTOMER")],
    as_of: AsOf = None,
    entity: Entity = None,
    json_out: JsonOut = None,
    lake: Lake = None,
    mlruns: Models = None,
) -> None:
    """One customer: the reasons in points that add up to the score, and what would go with a better grade.

    Example:  duecast credit explain C0012 --entity DE01
    """
    from pipelines.credit_explanation import show_explanation

    show_explanation(customer, as_of=as_date(as_of), entity=entity, json_out=json_out, lake=lake, mlruns=mlruns)


@app.command("portfolio")
def credit_portfolio(
    data: Annotated[Path, typer.Option(help="The rows to score, .csv or .parquet.", metavar="FILE")],
    mapping: Annotated[str, typer.Option(help="The mapping that the model was trained with.", metavar="M")],
    out: Out = None,
    mlruns: Models = None,
) -> None:
    """Score a portfolio table with the model of `duecast train credit-risk --data FILE --mapping M`.

    Example:  duecast credit portfolio --data new.csv --mapping uci-credit-default --out scores.parquet
    """
    from pipelines.credit_portfolio_commands import show_portfolio

    show_portfolio(data=data, mapping=mapping, out=out, mlruns=mlruns)
