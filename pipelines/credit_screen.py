"""How answers about credit look in the terminal: the line they stand under, tables, amounts, names."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from features.customers import DefaultRule
from features.facts import with_version
from features.masters import CUSTOMER
from features.money import from_minor
from features.recoveries import LossShare, OwnLgd
from models.credit.answers import CreditScore
from models.credit.losses import ExpectedLoss
from models.credit.opinions import ScoredCustomers
from models.credit.policy import CreditLimit
from pipelines.answer_files import write_answers
from pipelines.screen import console, short_name

SHOWN = 20
REASONS_SHOWN = 2
MOST_SHOWN_SHARE = 9.99
FEWEST_LETTERS = 9
WORDS = {"because", "words"}
LEFT = {"", "in", "id", "customer", "entity", "grade", "reason", "order", "by", *WORDS}
Names = dict[tuple[str, str], str]


def basis(asked: ScoredCustomers, as_of: date | None) -> str:
    """The day, the horizon and what counts as a default: what every figure of an answer stands on."""
    newest = asked.book.last_known().astimezone(UTC)
    at = f"{newest:%Y-%m-%d %H:%M} UTC, with all there is" if as_of is None else f"{as_of} (its start)"
    return f"As of {at}; default {default_words(asked.model.rule)}"


def default_words(rule: DefaultRule) -> str:
    """What counts as a default, and within how many days."""
    return (
        f"within {rule.horizon_days} days: an invoice of {rule.materiality_cents / 100:,.0f} or more "
        f"{rule.late_days} days past due, half a receivable written off, or insolvency"
    )


def names_of(asked: ScoredCustomers) -> Names:
    """Customer -> its name as known at the cutoff, as far as there are any, as `pipelines.screen.short_name`."""
    versions = asked.book.facts.spans("customer").select(*CUSTOMER, "name", "known_from", "known_to")
    rows = with_version(asked.frame.select(*CUSTOMER, "cutoff"), versions, by=CUSTOMER, at="cutoff", strictly=True)
    names = {(entity, customer): short_name(name) for entity, customer, name in rows.select(*CUSTOMER, "name").rows()}
    return {key: name for key, name in names.items() if name}


def show_rows(table: Table, rows: Sequence[object], kind: type, out: Path | None) -> None:
    """All `rows`, answers of a kind, to `out`, where there is one; the table on the screen."""
    if out is not None:
        write_answers(rows, kind, out)
    screen = console()
    screen.print(table)
    screen.print("All of them: --out FILE.parquet" if out is None else f"Written: {out}")


def credit_table(title: str, *columns: str) -> Table:
    """An empty table; words to the left, numbers to the right."""
    table = Table(
        title=title, title_justify="left", expand=True, pad_edge=False, collapse_padding=True, box=SIMPLE_HEAD
    )
    for name in columns:
        number = name not in LEFT
        table.add_column(
            name.replace("_", "\n"),
            justify="right" if number else "left",
            ratio=1 if name in WORDS else None,
            min_width=FEWEST_LETTERS if name in WORDS else None,
            no_wrap=number or name in ("grade", "in"),
            overflow="fold",
        )
    return table


def whom(row: object, names: Names) -> str:
    """Entity, customer id and, under them, the name where there is one."""
    key = (getattr(row, "entity_id"), getattr(row, "customer_id"))  # noqa: B009 - any answer has both
    return escape("\n".join([" ".join(key), *([names[key]] if key in names else [])]))


def because(score: CreditScore) -> str:
    """The first reasons of a score, and why there is not more to say."""
    told = [f"{reason.points:+.0f} {reason.words}" for reason in score.reasons[:REASONS_SHOWN]]
    return escape("\n".join([*told, *([score.availability_reason] if score.availability_reason else [])]))


def percent(share: float | None) -> str:
    """Nothing where there is none."""
    return "" if share is None else f"{share:.1%}"


def used_words(share: float | None) -> str:
    """How much of a limit is used; far above it no digits are told."""
    return ">999 %" if share is not None and share > MOST_SHOWN_SHARE else percent(share)


def use_of(limit: CreditLimit) -> tuple[float, int]:
    """To sort by, the most used last: of a limit of 0 anything owed is endlessly much, and no limit comes first."""
    if limit.limit_minor is None:
        return -1.0, 0
    if limit.limit_minor == 0 and limit.exposure_minor != 0:
        return float("inf"), limit.exposure_minor or 0
    return limit.used_share or 0.0, limit.exposure_minor or 0


def why_not_figured(losses: Iterable[ExpectedLoss]) -> str:
    """The most frequent reasons for which there is no expected loss, each with how many it is about; or nothing."""
    counted = Counter(loss.availability_reason for loss in losses if loss.loss_minor is None).most_common()
    told = [f"{count} x {why}" for why, count in counted[:REASONS_SHOWN]]
    return "\n".join(
        [*told, *([f"and {len(counted) - REASONS_SHOWN} other reasons"] if counted[REASONS_SHOWN:] else [])]
    )


def points(score: float | None) -> str:
    """A score, whole; nothing where there is none."""
    return "" if score is None else f"{score:.0f}"


def amount(minor: int | None, currency: str) -> str:
    """Major units; nothing where there is none."""
    return "" if minor is None else f"{from_minor(minor, currency):,}"


def lgd_words(lgds: Mapping[str, OwnLgd], given: float) -> list[str]:
    """Both shares of every entity, each with its cases, those that agree together; `given` where these are too few."""
    alike: dict[OwnLgd, list[str]] = {}
    for entity, found in lgds.items():
        alike.setdefault(found, []).append(entity)
    return [
        f"LGD of {', '.join(entities)}: {_share_words(found.entering, given)} of what is owed by who goes into "
        f"default, {_share_words(found.within, given)} by who is in default already"
        for found, entities in alike.items()
    ]


def _share_words(part: LossShare, given: float) -> str:
    if part.share is None:
        return f"{given:.1%} as given ({part.cases} customers are too few to tell)"
    return f"{part.share:.1%} (of {part.cases} customers{' of all entities' if part.pooled else ''})"
