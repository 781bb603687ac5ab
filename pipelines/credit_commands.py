"""What `duecast credit` does: open what it needs, run it, show the result."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from features.errors import BadInput
from features.lake import Lake
from features.money import from_minor
from models.credit.answers import CreditScore
from models.credit.losses import LossSettings
from models.credit.opinions import ScoredCustomers, limits_of, losses_of, own_lgd, ways_up
from models.credit.policy import LimitSettings
from pipelines.credit import scored_customers
from pipelines.credit_files import write_rows
from pipelines.screen import WIDTH, console
from services.settings import read_settings

SHOWN = 20
REASONS_SHOWN = 2
MOST_SHOWN_SHARE = 9.99


def show_scores(
    *, as_of: date | None, entity: str | None, out: Path | None, lake: str | None, mlruns: Path | None
) -> None:
    """Every customer's score: all to `out`, the riskiest on the screen."""
    told = _asked(as_of, entity, lake, mlruns).scores
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
        table.add_row(_whom(score), _percent(score.pd), _points(score.score), score.grade or "", _because(score))
    show_rows(table, told, out)


def show_limits(
    *,
    as_of: date | None,
    entity: str | None,
    settings: LimitSettings,
    out: Path | None,
    lake: str | None,
    mlruns: Path | None,
) -> None:
    """Every customer's limit: all to `out`, the most used on the screen; then the orders that would be blocked."""
    limits, blocked = limits_of(_asked(as_of, entity, lake, mlruns), settings)
    title = f"{min(SHOWN, len(limits))} of {len(limits)} limits, the most used first"
    table = credit_table(title, "customer", "exposure", "limit", "used", "on file", "by")
    for limit in sorted(limits, key=lambda one: -(one.used_share or 0.0))[:SHOWN]:
        table.add_row(
            _whom(limit),
            _amount(limit.exposure_minor, limit.currency),
            _amount(limit.limit_minor, limit.currency),
            used_words(limit.used_share),
            _amount(limit.on_file_minor, limit.currency),
            escape(limit.decided_by or limit.availability_reason or ""),
        )
    show_rows(table, limits, out)
    if blocked:
        preview = credit_table(
            f"{len(blocked)} open orders would be blocked", "customer", "order", "unbilled", "because"
        )
        for order in blocked[:SHOWN]:
            amount = f"{_amount(order.unbilled_minor, order.currency)} {order.currency}"
            preview.add_row(_whom(order), escape(order.order_id), amount, escape(order.why))
        console().print(preview)


def show_losses(
    *,
    as_of: date | None,
    entity: str | None,
    settings: LossSettings,
    own: bool,
    out: Path | None,
    lake: str | None,
    mlruns: Path | None,
) -> None:
    """The expected loss of every customer to `out`, their sums per entity and currency on the screen."""
    asked = _asked(as_of, entity, lake, mlruns)
    if own:
        settings = LossSettings(own_lgd(asked), settings.discount_rate, settings.count_orders)
    losses = losses_of(asked, settings)
    table = credit_table(f"expected loss, LGD {settings.lgd:.1%}", "entity", "exposure", "expected loss", "not figured")
    for entity_id, currency in sorted({(loss.entity_id, loss.currency) for loss in losses}):
        own_rows = [loss for loss in losses if (loss.entity_id, loss.currency) == (entity_id, currency)]
        told = [loss.loss_minor for loss in own_rows if loss.loss_minor is not None]
        gap = sum(loss.ead_minor for loss in own_rows if loss.loss_minor is None)
        exposure = sum(loss.ead_minor for loss in own_rows)
        amounts = (_amount(minor, currency) for minor in (exposure, sum(told), gap))
        table.add_row(f"{entity_id} {currency}", *amounts)
    show_rows(table, losses, out)


def show_explanation(
    customer: str, *, as_of: date | None, entity: str | None, lake: str | None, mlruns: Path | None
) -> None:
    """One customer's score with every reason, its signals, and what would go with a better grade."""
    asked = _asked(as_of, entity, lake, mlruns, customer)
    if len(asked.scores) > 1:
        entities = ", ".join(score.entity_id for score in asked.scores)
        raise BadInput(f"customer {customer!r} is in several entities: {entities}; say which with --entity")
    (score,) = asked.scores
    screen = console()
    screen.print(
        f"{_whom(score)} as of {score.cutoff_day}: PD {_percent(score.pd)} in {score.horizon_days} days, "
        f"score {_points(score.score) or 'none'}, grade {score.grade or 'none'}"
    )
    if score.availability_reason:
        screen.print(escape(f"{score.availability}: {score.availability_reason}"))
    if score.typical_score is not None:
        table = credit_table("points that add up to the score", "reason", "points", "words")
        table.add_row("typical", _points(score.typical_score), "where every customer starts")
        for reason in score.reasons:
            table.add_row(reason.code, f"{reason.points:+.1f}", escape(reason.words))
        screen.print(table)
    told = ", ".join(f"{name} {value:g}" for name, value in score.signals.items())
    screen.print(escape(f"External signals: {told or 'none'}; missing: {', '.join(score.signals_missing) or 'none'}"))
    for way in ways_up(asked, 0):
        screen.print(escape(f"{way.words} (PD {_percent(way.pd)}): {way.note}"))


def _asked(
    as_of: date | None, entity: str | None, lake: str | None, mlruns: Path | None, customer: str | None = None
) -> ScoredCustomers:
    settings = read_settings(lake=lake, mlruns=mlruns)
    return scored_customers(Lake(settings.lake), settings.mlruns, as_of=as_of, entity=entity, customer=customer)


def show_rows(table: Table, rows: Sequence[object], out: Path | None) -> None:
    """All `rows` to `out`, where there is one; the table on the screen."""
    if out is not None:
        write_rows(rows, out)
    screen = console()
    screen.print(table)
    screen.print("All of them: --out FILE.parquet" if out is None else f"Written: {out}")


def credit_table(title: str, *columns: str) -> Table:
    """An empty table; words to the left, numbers to the right."""
    table = Table(title=title, title_justify="left", width=WIDTH, pad_edge=False, box=SIMPLE_HEAD)
    wide = {"because", "words", "by"}
    for name in columns:
        numeric = name not in {"", "id", "customer", "entity", "grade", "reason", "order", *wide}
        table.add_column(
            name.replace("_", "\n"), justify="right" if numeric else "left", ratio=1 if name in wide else None
        )
    return table


def _whom(row: object) -> str:
    return escape(f"{getattr(row, 'entity_id')} {getattr(row, 'customer_id')}")  # noqa: B009 - any answer has both


def _because(score: CreditScore) -> str:
    told = [f"{reason.points:+.0f} {reason.words}" for reason in score.reasons[:REASONS_SHOWN]]
    return escape("\n".join([*told, *([score.availability_reason] if score.availability_reason else [])]))


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def used_words(share: float | None) -> str:
    """How much of a limit is used; far above it no digits are told."""
    return ">999 %" if share is not None and share > MOST_SHOWN_SHARE else _percent(share)


def _points(score: float | None) -> str:
    return "" if score is None else f"{score:.0f}"


def _amount(minor: int | None, currency: str) -> str:
    return "" if minor is None else f"{from_minor(minor, currency):,}"
