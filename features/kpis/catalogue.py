"""The KPIs of collections, declared: each a formula over exact measures.

`domain.md`'s definitions, and what it leaves open: receivables are signed and by instalment, credit notes and unapplied
cash stand apart, and the beginning and the sales of the period are restated by what is known as of T.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from features.kpis.buckets import BUCKETS, STEPS
from features.kpis.cycle import DEFINITION as CYCLE
from features.kpis.measures import Unit

Amounts = Mapping[str, Fraction]
"""Measure -> number (money in minor units), with `period_days` and `worth_days`."""

OPEN = tuple(f"open_{b.name}" for b in BUCKETS)
CURRENT, *PAST_DUE = OPEN


@dataclass(frozen=True, slots=True)
class Kpi:
    """`value` gives null where there is nothing to tell; `nothing` says what is missing then."""

    name: str
    title: str
    unit: Unit
    formula: str
    needs: tuple[str, ...]
    value: Callable[[Amounts], Fraction | None]
    nothing: str = ""


def dso(m: Amounts) -> Fraction | None:
    """Ending AR / credit sales of the period x days in the period; null without sales."""
    return _days_of_sales(ending(m), m)


def best_possible_dso(m: Amounts) -> Fraction | None:
    """AR not past due / credit sales x days; null without sales."""
    return _days_of_sales(m[CURRENT], m)


def average_days_delinquent(m: Amounts) -> Fraction | None:
    """DSO - best possible DSO: before either is rounded."""
    return _days_of_sales(ending(m) - m[CURRENT], m)


def collection_effectiveness(m: Amounts) -> Fraction | None:
    """CEI in percent; null where nothing was there to collect.

    >>> from collections import defaultdict
    >>> told = {"beginning_ar": 100, "credit_sales": 120, "open_current": 60, "open_1_30": 30}
    >>> float(collection_effectiveness(defaultdict(Fraction, {k: Fraction(v) for k, v in told.items()})))
    81.25
    """
    came_in = m["beginning_ar"] + m["credit_sales"]
    collectable = came_in - m[CURRENT]
    return 100 * (came_in - ending(m)) / collectable if collectable > 0 else None


def dso_worth(m: Amounts) -> Fraction | None:
    """Cash in so many days of sales: credit sales / days in the period x days; null without sales."""
    sales = m["credit_sales"]
    return sales / m["period_days"] * m["worth_days"] if sales > 0 else None


def ending(m: Amounts) -> Fraction:
    """Ending AR: the sum of all buckets."""
    return sum((m[name] for name in OPEN), Fraction(0))


def share(part: str, whole: str) -> Callable[[Amounts], Fraction | None]:
    """`part` / `whole`; null where there is nothing to take a share of."""
    return lambda m: m[part] / m[whole] if m[whole] > 0 else None


def the(name: str) -> Callable[[Amounts], Fraction | None]:
    """The measure as it is."""
    return lambda m: m[name]


def _days_of_sales(minor: Fraction, m: Amounts) -> Fraction | None:
    sales = m["credit_sales"]
    return minor / sales * m["period_days"] if sales > 0 else None


NO_SALES = "no credit sales in the period"
SALES = "credit sales of the period (invoices of either sign, credit notes not taken off)"

KPIS = (
    Kpi("ar", "Receivables", Unit.MONEY, "sum of what is open, of either sign, by instalment", OPEN, ending),
    *(
        Kpi(
            f"ageing_{b.name}",
            f"Ageing {b.label}",
            Unit.MONEY,
            f"open amount {'not past due' if b.to_days == 0 else f'{b.label} days past due'}; all buckets sum to `ar`",
            (f"open_{b.name}",),
            the(f"open_{b.name}"),
        )
        for b in BUCKETS
    ),
    Kpi(
        "past_due_share",
        "Past due",
        Unit.SHARE,
        "open amount past due / `ar`",
        OPEN,
        lambda m: 1 - m[CURRENT] / ending(m) if ending(m) > 0 else None,
        "nothing is owed",
    ),
    Kpi(
        "open_count",
        "Open receivables",
        Unit.COUNT,
        "instalments with anything open",
        ("open_count",),
        the("open_count"),
    ),
    Kpi(
        "credit_notes_open",
        "Open credit notes",
        Unit.MONEY,
        "credit notes less what was allocated of them; negative, not in `ar`",
        ("credit_notes_left",),
        the("credit_notes_left"),
    ),
    Kpi(
        "unapplied_cash",
        "Unapplied cash",
        Unit.MONEY,
        "payments less what was allocated of them; not in `ar`",
        ("cash_left",),
        the("cash_left"),
    ),
    Kpi(
        "net_ar",
        "Net receivables",
        Unit.MONEY,
        "`ar` + `credit_notes_open` - `unapplied_cash`",
        (*OPEN, "credit_notes_left", "cash_left"),
        lambda m: ending(m) + m["credit_notes_left"] - m["cash_left"],
    ),
    Kpi(
        "beginning_ar",
        "Beginning receivables",
        Unit.MONEY,
        "issued before the period less what settled it by a date before, restated by what is known as of T",
        ("beginning_ar",),
        the("beginning_ar"),
    ),
    Kpi(
        "credit_sales", "Credit sales", Unit.MONEY, f"{SALES}, restated as of T", ("credit_sales",), the("credit_sales")
    ),
    Kpi("dso", "DSO", Unit.DAYS, f"`ar` / {SALES} x days in it", (*OPEN, "credit_sales"), dso, NO_SALES),
    Kpi(
        "best_possible_dso",
        "Best possible DSO",
        Unit.DAYS,
        "`ageing_current` / `credit_sales` x days in the period",
        (CURRENT, "credit_sales"),
        best_possible_dso,
        NO_SALES,
    ),
    Kpi(
        "add",
        "Average days delinquent",
        Unit.DAYS,
        "DSO - best possible DSO, before rounding",
        (*OPEN, "credit_sales"),
        average_days_delinquent,
        NO_SALES,
    ),
    Kpi(
        "dso_worth",
        "DSO worth",
        Unit.MONEY,
        "`credit_sales` / days in the period x days of DSO (1 where nobody says)",
        ("credit_sales",),
        dso_worth,
        NO_SALES,
    ),
    Kpi(
        "cei",
        "Collection effectiveness",
        Unit.PERCENT,
        "(`beginning_ar` + `credit_sales` - `ar`) / (`beginning_ar` + `credit_sales` - `ageing_current`) x 100",
        (*OPEN, "beginning_ar", "credit_sales"),
        collection_effectiveness,
        "nothing was there to collect",
    ),
    *(
        Kpi(
            f"roll_{a.name}",
            f"Roll {a.label} to {b.label}",
            Unit.SHARE,
            f"share of the amount owed in {a.label} a step (30 days) ago that is owed in {b.label} now, "
            "each look as the books stood then",
            (f"rolled_{a.name}", f"from_{a.name}"),
            share(f"rolled_{a.name}", f"from_{a.name}"),
            f"nothing was owed in {a.label} a step ago",
        )
        for a, b in STEPS
    ),
    Kpi(
        "promise_kept_share",
        "Promises kept",
        Unit.SHARE,
        "promises kept / promises whose day, with the tolerance, fell into the period; kept: paid in full by then",
        ("promises_kept", "promises_due"),
        share("promises_kept", "promises_due"),
        "no promise fell due in the period",
    ),
    Kpi(
        "promise_kept_amount_share",
        "Promises kept, by amount",
        Unit.SHARE,
        "amount of promises kept / amount of promises due",
        ("promised_kept", "promised"),
        share("promised_kept", "promised"),
        "no promise fell due in the period",
    ),
    Kpi(
        "deductions_open",
        "Open deductions",
        Unit.MONEY,
        "amount of open disputes; where one says none, what is open of its invoice and no other dispute names",
        ("disputed_open",),
        the("disputed_open"),
    ),
    Kpi(
        "days_deductions_outstanding",
        "Days deductions outstanding",
        Unit.DAYS,
        "`deductions_open` / (amount of disputes opened in the period / its days)",
        ("disputed_open", "disputed_new"),
        lambda m: m["disputed_open"] / m["disputed_new"] * m["period_days"] if m["disputed_new"] > 0 else None,
        "no dispute with an amount was opened in the period",
    ),
    Kpi(
        "settled_count",
        "Invoices settled",
        Unit.COUNT,
        "invoices settled by payment in the period, whole",
        ("settled_count",),
        the("settled_count"),
    ),
    Kpi(
        "cycle_days_median",
        "Invoice to cash, median",
        Unit.DAYS,
        f"median. {CYCLE}",
        ("cycle_median",),
        the("cycle_median"),
        "no invoice was settled in the period",
    ),
    Kpi(
        "cycle_days_p90",
        "Invoice to cash, p90",
        Unit.DAYS,
        "as `cycle_days_median`; 90 % took no longer (interpolated)",
        ("cycle_p90",),
        the("cycle_p90"),
        "no invoice was settled in the period",
    ),
)
