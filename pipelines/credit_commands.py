"""What `duecast credit score`, `limits` and `losses` do: run it, show the result, write it."""

from dataclasses import asdict
from datetime import date
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from models.credit.answers import CreditScore
from models.credit.blocked import BlockedOrder
from models.credit.losses import ExpectedLoss, LossSettings
from models.credit.opinions import limits_of, losses_of, own_lgd
from models.credit.policy import CreditLimit, LimitSettings
from pipelines.credit_asked import asked_about, write_told
from pipelines.credit_screen import (
    SHOWN,
    Names,
    amount,
    basis,
    because,
    credit_table,
    lgd_words,
    names_of,
    percent,
    points,
    show_rows,
    use_of,
    used_words,
    whom,
    why_not_figured,
)
from pipelines.screen import console

OTHER_LOSS = (
    "Losses of customers that go into default within the horizon. `duecast kpis provision` says another thing: "
    "lifetime losses of receivables by days past due"
)


def show_scores(
    *,
    as_of: date | None,
    entity: str | None,
    out: Path | None,
    json_out: Path | None,
    lake: str | None,
    mlruns: Path | None,
) -> None:
    """Every customer's score: all to `out`, the riskiest on the screen."""
    asked = asked_about(as_of, entity, lake, mlruns)
    told, names = asked.scores, names_of(asked)
    graded = sorted((score for score in told if score.grade is not None), key=lambda score: -(score.pd or 0.0))
    failed, silent = (
        sum(one) for one in zip(*((s.default_cause is not None, s.pd is None) for s in told), strict=True)
    )
    title = (
        f"{min(SHOWN, len(graded))} of {len(told)} customers, the riskiest first; "
        f"{failed} are in default already, of {silent} nothing can be said"
    )
    table = credit_table(title, "customer", "PD", "score", "grade", "because")
    for score in graded[:SHOWN]:
        table.add_row(whom(score, names), percent(score.pd), points(score.score), score.grade or "", because(score))
    console().print(escape(basis(asked, as_of)))
    show_rows(table, told, CreditScore, out)
    write_told(json_out, asked, as_of, {"scores": told})


def show_limits(
    *,
    as_of: date | None,
    entity: str | None,
    settings: LimitSettings,
    out: Path | None,
    json_out: Path | None,
    lake: str | None,
    mlruns: Path | None,
) -> None:
    """Every customer's limit: all to `out`, the most used on the screen; then the orders that would be blocked."""
    asked = asked_about(as_of, entity, lake, mlruns)
    limits, blocked = limits_of(asked, settings)
    names = names_of(asked)
    title = f"{min(SHOWN, len(limits))} of {len(limits)} limits, the most used first"
    table = credit_table(title, "customer", "exposure", "limit", "used", "on file", "in", "by")
    for limit in sorted(limits, key=use_of, reverse=True)[:SHOWN]:
        table.add_row(
            whom(limit, names),
            amount(limit.exposure_minor, limit.currency),
            amount(limit.limit_minor, limit.currency),
            used_words(limit.used_share),
            amount(limit.on_file_minor, limit.currency),
            limit.currency,
            escape(limit.decided_by or limit.availability_reason or ""),
        )
    console().print(escape(basis(asked, as_of)))
    show_rows(table, limits, CreditLimit, out)
    if blocked:
        console().print(_blocked_table(blocked, names))
    write_told(json_out, asked, as_of, {"settings": asdict(settings), "limits": limits, "blocked_orders": blocked})


def _blocked_table(blocked: list[BlockedOrder], names: Names) -> Table:
    title = f"{len(blocked)} open orders would be blocked"
    table = credit_table(title, "customer", "order", "unbilled", "in", "because")
    for order in blocked[:SHOWN]:
        unbilled = amount(order.unbilled_minor, order.currency)
        table.add_row(whom(order, names), escape(order.order_id), unbilled, order.currency, escape(order.why))
    return table


def show_losses(
    *,
    as_of: date | None,
    entity: str | None,
    settings: LossSettings,
    own: bool,
    out: Path | None,
    json_out: Path | None,
    lake: str | None,
    mlruns: Path | None,
) -> None:
    """The expected loss of every customer to `out`, their sums per entity and currency on the screen."""
    asked = asked_about(as_of, entity, lake, mlruns)
    lgds = own_lgd(asked) if own else {}
    losses = losses_of(asked, settings, lgds)
    screen = console()
    screen.print(escape(basis(asked, as_of)))
    title = "expected loss" if own else f"expected loss, LGD {settings.lgd:.1%}"
    show_rows(_loss_table(losses, title), losses, ExpectedLoss, out)
    for line in lgd_words(lgds, settings.lgd):
        screen.print(escape(line))
    screen.print(OTHER_LOSS, style="dim")
    write_told(json_out, asked, as_of, {"settings": asdict(settings), "own_lgd": lgds, "losses": losses})


def _loss_table(losses: list[ExpectedLoss], title: str) -> Table:
    table = credit_table(title, "entity", "exposure", "expected_loss", "in default_already", "not_figured", "because")
    for entity_id, currency in sorted({(loss.entity_id, loss.currency) for loss in losses}):
        rows = [loss for loss in losses if (loss.entity_id, loss.currency) == (entity_id, currency)]
        told = [loss.loss_minor for loss in rows if loss.loss_minor is not None]
        failed = sum(loss.loss_minor or 0 for loss in rows if loss.pd == 1)
        gap = sum(loss.ead_minor for loss in rows if loss.loss_minor is None)
        figures = (sum(loss.ead_minor for loss in rows), sum(told) if told else None, failed or None, gap or None)
        amounts = (amount(minor, currency) for minor in figures)
        table.add_row(f"{entity_id} {currency}", *amounts, escape(why_not_figured(rows)))
    return table
