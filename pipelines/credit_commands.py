"""What `duecast credit` does: open what it needs, run it, show the result."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from features.errors import BadInput
from features.lake import Lake
from models.credit.answers import CreditScore
from models.credit.blocked import BlockedOrder
from models.credit.counterfactuals import Counterfactual
from models.credit.losses import ExpectedLoss, LossSettings
from models.credit.opinions import ScoredCustomers, limits_of, losses_of, own_lgd, ways_up
from models.credit.policy import LimitSettings
from models.credit.scale import GRADES
from pipelines.credit import scored_customers
from pipelines.credit_files import write_json
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
from services.settings import read_settings

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
    asked = _asked(as_of, entity, lake, mlruns)
    told, names = asked.scores, names_of(asked.book.facts)
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
    show_rows(table, told, out)
    _write_json(json_out, asked, as_of, {"scores": told})


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
    asked = _asked(as_of, entity, lake, mlruns)
    limits, blocked = limits_of(asked, settings)
    names = names_of(asked.book.facts)
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
    show_rows(table, limits, out)
    if blocked:
        console().print(_blocked_table(blocked, names))
    _write_json(json_out, asked, as_of, {"settings": asdict(settings), "limits": limits, "blocked_orders": blocked})


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
    asked = _asked(as_of, entity, lake, mlruns)
    lgds = own_lgd(asked) if own else {}
    losses = losses_of(asked, settings, lgds)
    screen = console()
    screen.print(escape(basis(asked, as_of)))
    show_rows(_loss_table(losses, "expected loss" if own else f"expected loss, LGD {settings.lgd:.1%}"), losses, out)
    for line in lgd_words(lgds, settings.lgd):
        screen.print(escape(line))
    screen.print(OTHER_LOSS, style="dim")
    _write_json(json_out, asked, as_of, {"settings": asdict(settings), "own_lgd": lgds, "losses": losses})


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


def show_explanation(
    customer: str,
    *,
    as_of: date | None,
    entity: str | None,
    json_out: Path | None,
    lake: str | None,
    mlruns: Path | None,
) -> None:
    """One customer's score with every reason, its signals, and what would go with a better grade."""
    asked = _asked(as_of, entity, lake, mlruns, customer)
    if len(asked.scores) > 1:
        entities = ", ".join(score.entity_id for score in asked.scores)
        raise BadInput(f"customer {customer!r} is in several entities: {entities}; say which with --entity")
    (score,) = asked.scores
    ways = ways_up(asked, 0)
    screen = console()
    name = whom(score, names_of(asked.book.facts)).replace("\n", ", ")
    screen.print(f"{name}: {escape(_verdict(score))}")
    screen.print(escape(basis(asked, as_of)))
    screen.print(escape(_known_of(asked)))
    if score.typical_score is not None:
        table = credit_table("points that add up to the score", "reason", "points", "words")
        table.add_row("typical", points(score.typical_score), "where every customer starts")
        for reason in score.reasons:
            table.add_row(reason.code, f"{reason.points:+.1f}", escape(reason.words))
        screen.print(table)
    told = ", ".join(f"{name} {value:g}" for name, value in score.signals.items())
    screen.print(escape(f"External signals: {told or 'none'}; missing: {', '.join(score.signals_missing) or 'none'}"))
    for line in _ways_words(score, ways):
        screen.print(escape(line))
    _write_json(json_out, asked, as_of, {"score": score, "ways_up": ways})


def _verdict(score: CreditScore) -> str:
    """The figures where there are any; why there are none, or not more, where not."""
    why = score.availability_reason
    if score.default_cause is not None:
        return why or "in default already"
    if score.score is None:
        return f"no PD, score or grade, since {why}"
    figures = f"PD {percent(score.pd)} in {score.horizon_days} days, score {points(score.score)}, grade {score.grade}"
    return f"{figures}; {score.availability}, since {why}" if why else figures


def _known_of(asked: ScoredCustomers) -> str:
    """What the books say of the one customer asked about, whether or not it has a score."""
    row = asked.frame.row(0, named=True)
    held = [
        f"{amount(one['open_minor'], one['currency'])} {one['currency']}"
        for one in asked.exposures.iter_rows(named=True)
        if one["open_minor"]
    ]
    worst = row["worst_overdue_days"]
    late = f", the oldest {worst:.0f} days overdue" if worst else ""
    counts = [int(row[name] or 0) for name in ("charged_count", "days_late_count", "invoiced_count_365d")]
    return (
        f"Known: owes {', '.join(held) or 'nothing'}{late}; {counts[0]:,} receivables so far, {counts[1]:,} of them "
        f"settled; {counts[2]:,} invoices in a year"
    )


def _ways_words(score: CreditScore, ways: list[Counterfactual]) -> list[str]:
    if ways:
        return [f"{way.words} (PD {percent(way.pd)}): {way.note}" for way in ways]
    if score.grade is None:
        return []
    if score.grade == next(iter(GRADES)):
        return [f"Grade {score.grade} is the best there is"]
    return ["No change that is tried (fewer late invoices, overdue paid, less owed) goes with a better grade"]


def _write_json(out: Path | None, asked: ScoredCustomers, as_of: date | None, told: Mapping[str, Any]) -> None:
    """The answers to `out`, where there is one, with the day, horizon and default they stand on."""
    if out is not None:
        at = asked.book.last_known().isoformat() if as_of is None else as_of.isoformat()
        write_json({"as_of": at, "default": asdict(asked.model.rule), **told}, out)


def _asked(
    as_of: date | None, entity: str | None, lake: str | None, mlruns: Path | None, customer: str | None = None
) -> ScoredCustomers:
    settings = read_settings(lake=lake, mlruns=mlruns)
    return scored_customers(Lake(settings.lake), settings.mlruns, as_of=as_of, entity=entity, customer=customer)
