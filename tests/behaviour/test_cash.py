"""The cash forecast of a small sandbox world, and from the lake to the terminal.

What is learnt and foretold is tested with payment dates by rule of thumb over two years. The commands run once each,
over half a year that is too short to rehearse in, with a real payment-date model of sixty invoices.
"""

import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from features.book import Book
from features.errors import BadInput, CallerError, NotFound
from features.facts import Facts
from features.lake import Lake
from features.tables import TABLES
from models import payment_date, registry
from models.bins import epoch_days
from models.cash.backtest import GROUP, TOGETHER, backtest, every_four_weeks
from models.cash.model import CashModel
from models.cash.scenarios import Scenario, Terms
from models.cash.spread import coverage
from models.champion import CASH_FORECAST, champion, load
from models.distribution import Distribution, from_quantiles
from pipelines.cash import Asked, explain_book, forecast_book, write
from pipelines.cash_training import fit_rehearsed, train_cash
from pipelines.cli import run
from pipelines.train import all_at_issue
from services.sandbox.options import WorldOptions
from services.sandbox.world import World, simulate

TODAY = date(2026, 1, 5)
HALF_A_YEAR = date(2024, 9, 1)
FEW_INVOICES = 60
ASKED = Asked(entity="DE01", draws=200)


class RuleOfThumb:
    """Paid about the due date, or some weeks after it."""

    def distribution(self, frame: pl.DataFrame) -> Distribution:
        wait = (epoch_days(frame, "due_date") - epoch_days(frame, "cutoff_day")).astype(np.float64)
        start = frame["cutoff_day"].to_numpy().astype("datetime64[D]")
        return from_quantiles(start, (0.1, 0.5, 0.9), np.stack([wait - 3, wait + 3, wait + 25], axis=1).clip(0))


def by_rule(book: Book, origin: datetime, seed: int) -> RuleOfThumb:
    """What trains nothing: one rule at every instant."""
    return RuleOfThumb()


@pytest.fixture(scope="module")
def world() -> World:
    options = WorldOptions(
        seed=11,
        customers=12,
        years=2,
        invoices_per_customer_year=30,
        today=TODAY,
        shift_days_before_today=0,
        feed_faults=0,
    )
    return simulate(options)


@pytest.fixture(scope="module")
def book(world: World) -> Book:
    return Book(Facts.of(world.known()))


@pytest.fixture(scope="module")
def model(book: Book) -> CashModel:
    return fit_rehearsed(book, book.last_known(), seed=7, train=by_rule)


# --- what is learnt and foretold ----------------------------------------------------------------------------------


def test_rehearsals_teach_dependence_and_spread(model: CashModel) -> None:
    assert model.about["past_forecasts"] == 12
    assert model.about["past_weeks"] > 100
    assert model.dependence.usual_bundling > 0.1
    assert model.spread.spread != (1.0,) * len(model.spread.spread)
    assert 0.5 < model.billing.billed_share <= 1.0
    assert all(0.9 < share <= 1.0 for share in model.dilution.cash_share.values())


def test_what_is_learnt_later_changes_nothing_learnt_before(world: World, book: Book) -> None:
    cut = datetime.fromisoformat("2025-09-01T00:00:00+00:00")
    whole, past = (
        fit_rehearsed(b, cut, seed=7, train=by_rule) for b in (book, Book(book.facts.before(cut), book.declared))
    )
    assert whole == past


def test_payment_dates_of_the_rehearsal_are_trained_as_often_as_the_benchmarks(book: Book) -> None:
    """Never on the outcome of what they forecast; where the oldest have nothing to learn from, the newer ones count."""
    trained: list[datetime] = []

    def once_there_is_enough(book: Book, origin: datetime, seed: int) -> RuleOfThumb:
        trained.append(origin)
        if len(trained) < 3:
            raise BadInput("too little")
        return RuleOfThumb()

    model = fit_rehearsed(book, book.last_known(), seed=7, train=once_there_is_enough)
    assert [(book.last_known() - when).days for when in trained] == [336, 224, 112]
    assert model.about["past_forecasts"] == 4


def test_too_little_history_learns_nothing_in_common_and_still_answers(book: Book) -> None:
    def refuses(book: Book, origin: datetime, seed: int) -> RuleOfThumb:
        raise BadInput("too little")

    model = fit_rehearsed(book, book.last_known(), seed=7, train=refuses)
    assert (model.dependence.customer_share, model.about["past_forecasts"]) == (0.0, 0)
    base, _ = forecast_book(book, RuleOfThumb(), model, ASKED)
    assert base.series[0].total is not None


@pytest.fixture(scope="module")
def backtested(book: Book) -> pl.DataFrame:
    origins = every_four_weeks(date(2025, 3, 3), date(2025, 10, 1))
    return backtest(book, origins, lambda _: RuleOfThumb(), warm_up=3, group="EUR", draws=100)


def test_recalibration_covers_more_than_bare_draws_and_those_more_than_independence(backtested: pl.DataFrame) -> None:
    """The rule of thumb is wrong about everybody: enough for recalibration to have something to mend."""
    rows = backtested.filter(pl.col("entity_id") != GROUP, pl.col("week") != TOGETHER)
    mended, bare, alone = (coverage(rows[c].to_numpy(), 80) for c in ("pit", "bare_pit", "independent_pit"))
    assert mended > bare > alone
    assert 0.68 < mended < 0.9


def test_a_backtest_judges_the_group_and_all_weeks_together(backtested: pl.DataFrame) -> None:
    rows = backtested.filter(pl.col("origin") == pl.col("origin").max())
    parts, group = (rows.filter((pl.col("entity_id") == GROUP) == flag) for flag in (False, True))
    assert group["week"].to_list() == [*range(1, 14), TOGETHER]
    for name in ("actual", "due_plus_delay"):
        weeks = parts.filter(pl.col("week") == 1)
        assert group[name][0] == pytest.approx((weeks[name] * weeks["rate"]).sum())
        assert group[name][-1] == pytest.approx(group[name][:-1].sum())
    assert group["pit"].is_between(0, 1).all()


def test_a_file_leaves_nothing_out(book: Book, model: CashModel, tmp_path: Path) -> None:
    """A currency without a forecast and the group have rows of their own, in CSV as in Parquet."""
    base, _ = forecast_book(book, RuleOfThumb(), model, Asked(group="EUR", draws=100, weeks=2))
    first, *others = (s for s in base.series if s.availability != "none")
    unknown = msgspec.structs.replace(
        first, currency="KWD", availability="none", availability_reason="3 settled", total=None, weekly=(), daily=()
    )
    write(msgspec.structs.replace(base, series=(unknown, first, *others)), None, tmp_path / "cash.parquet")
    rows = pl.read_parquet(tmp_path / "cash.parquet")
    (none,) = rows.filter(pl.col("currency") == "KWD").to_dicts()
    assert (none["availability"], none["availability_reason"], none["period"]) == ("none", "3 settled", None)
    assert none["owed_minor"] == first.owed_minor
    weeks = rows.filter(pl.col("period") == "week")
    assert weeks.filter(pl.col("scope") == "group")["entity_id"].to_list() == [None, None]
    assert base.group is not None
    assert weeks.filter(pl.col("scope") == "group")["p50_minor"].to_list() == [
        week.quantiles_minor["p50"] for week in base.group.weekly
    ]
    assert len(weeks) == 2 * (1 + len(others) + 1)
    write(base, base, tmp_path / "cash.csv")
    assert pl.read_csv(tmp_path / "cash.csv").filter(pl.col("period") == "day").height == 2 * 14 * (1 + len(others) + 1)


def test_the_same_seed_gives_the_same_answer(book: Book, model: CashModel) -> None:
    first, second = (msgspec.json.encode(forecast_book(book, RuleOfThumb(), model, ASKED)) for _ in range(2))
    assert first == second


def test_a_scenario_beside_the_base(book: Book, model: CashModel) -> None:
    longer = Scenario(name="longer terms", terms=(Terms("DE01", 30),))
    both = forecast_book(book, RuleOfThumb(), model, ASKED, scenario=longer)
    base, changed = (next(s.total for s in told.series if s.currency == "EUR") for told in both if told)
    assert base is not None
    assert changed is not None
    assert changed.open_minor == base.open_minor
    assert changed.new_business_minor < base.new_business_minor


def test_why_an_earlier_forecast_was_off(book: Book) -> None:
    since, until = date(2025, 11, 3), date(2025, 12, 1)
    found = explain_book(book, RuleOfThumb(), since=since, until=until, train=by_rule)
    assert {d.entity_id for d in found} == {"DE01", "GB01", "US01"}
    for one in found:
        assert sum(one.parts_minor.values()) == one.forecast_minor - one.actual_minor


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked(entity="XX01"), "no entity 'XX01'; there are: DE01, GB01, US01"),
        (Asked(group="ZZZ"), "unknown currency 'ZZZ'"),
    ],
)
def test_what_there_is_no_forecast_of_is_said(book: Book, model: CashModel, asked: Asked, said: str) -> None:
    with pytest.raises(CallerError, match=said):
        forecast_book(book, RuleOfThumb(), model, asked)


@pytest.mark.parametrize("since", [TODAY + timedelta(days=3), date(2031, 1, 1)])
def test_what_is_not_known_yet_cannot_be_explained(book: Book, since: date) -> None:
    with pytest.raises(BadInput, match=r"lies after all that the (lake|ledger) knows"):
        explain_book(book, RuleOfThumb(), since=since, until=since + timedelta(days=7), train=by_rule)


def test_what_an_entity_learns_on_the_day_itself_is_not_in_its_forecast(book: Book) -> None:
    """London's days begin five hours before New York's; what its books learn in between is left out."""
    day, rows = date(2025, 11, 4), book.facts.tables["allocation"]
    london, new_york = (book.day_start(day, entity) for entity in ("GB01", "US01"))
    known = rows.filter((pl.col("entity_id") == "GB01") & (pl.col("known_at") < london))
    news = known.tail(40).with_columns(known_at=pl.lit(london + timedelta(hours=1)), deleted=pl.lit(value=True))
    told = Book(Facts.of({**book.facts.tables, "allocation": pl.concat([rows, news.cast(dict(rows.schema))])}))
    assert london + timedelta(hours=1) < new_york
    model, asked = fit_rehearsed(book, london, seed=7, train=by_rule), Asked(entity="GB01", draws=100)
    base, same = (forecast_book(b, RuleOfThumb(), model, asked, as_of=day)[0] for b in (book, told))
    assert base == same
    later, changed = (
        forecast_book(b, RuleOfThumb(), model, asked, as_of=day + timedelta(days=1))[0] for b in (book, told)
    )
    assert later != changed, "the day after it is known"


def test_a_period_that_is_not_over_cannot_be_explained(book: Book) -> None:
    """Cash that cannot have come yet would be told as cash that is late."""
    since = book.last_known().date() - timedelta(days=10)
    with pytest.raises(BadInput, match=r"--to .* lies after all that the lake knows; allowed: up to 2026-01-0"):
        explain_book(book, RuleOfThumb(), since=since, until=since + timedelta(days=28), train=by_rule)


def test_an_empty_lake_has_no_day_to_forecast_from(model: CashModel) -> None:
    with pytest.raises(NotFound, match="the ledger knows of no entity; ingest some invoices first"):
        forecast_book(Book(Facts.of({})), RuleOfThumb(), model, Asked(), as_of=TODAY)


# --- the commands -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def places(world: World, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A lake with the world's first half year, and what was trained on it."""
    home = tmp_path_factory.mktemp("cash")
    lake, known = Lake(home / "lake"), world.known(HALF_A_YEAR)
    for table in TABLES:
        if len(known.get(table.name, ())):
            lake.append(table, known[table.name])
    book = Book(Facts.read(lake))
    labelled = book.labelled(all_at_issue(book)).filter(pl.col("paid_date").is_not_null()).head(FEW_INVOICES)
    dated = payment_date.train(labelled, book.feature_names)
    lineage = registry.Lineage((date(2024, 1, 1), HALF_A_YEAR), lake.table_versions(), dated.about, {})
    registry.register(dated, labelled.drop("paid_date", "cancelled", "observed_until"), lineage, mlruns=home / "mlruns")
    places = ["--lake", str(home / "lake"), "--mlruns", str(home / "mlruns")]
    assert run(["train", "cash-forecast", *places]) == 0
    return places


@pytest.mark.slow
def test_training_registers_what_it_rests_on(places: list[str]) -> None:
    mlruns = Path(places[-1])
    version = champion(mlruns, CASH_FORECAST)
    assert version is not None
    model = load(version, mlruns)
    assert isinstance(model, CashModel)
    assert (model.rests_on, model.about["past_forecasts"]) == ("payment-date/1", 4)
    assert version.learnt_before == Book(Facts.read(Lake(places[1]))).last_known()


@pytest.mark.slow
@pytest.mark.parametrize(
    "tables",
    [
        {"invoice": "invoice_id | owed\nI | 20:100"},
        {"credit_note": "credit_note_id | issue_date | amount_minor\nC | 6 | -130"},
        {"payment": "payment_id | value_date | amount_minor\nP | 6 | 130"},
    ],
    ids=["one open invoice", "credit notes", "payments"],
)
def test_a_ledger_too_thin_to_learn_from_replaces_nothing(
    places: list[str], drawn_facts: Callable[..., Facts], tmp_path: Path, tables: dict[str, str]
) -> None:
    mlruns, lake, thin = Path(places[-1]), Lake(tmp_path / "lake"), drawn_facts(**tables)
    for table in TABLES:
        if len(thin.tables[table.name]):
            lake.append(table, thin.tables[table.name])
    before = champion(mlruns, CASH_FORECAST)
    with pytest.raises(BadInput, match=r"only 0 settled receivables to learn cash from; allowed: 30 or more"):
        train_cash(lake, mlruns, seed=7)
    assert champion(mlruns, CASH_FORECAST) == before


@pytest.mark.slow
def test_forecast_in_the_terminal_and_in_files(
    places: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, told, slower = tmp_path / "cash.parquet", tmp_path / "cash.json", tmp_path / "slower.yaml"
    slower.write_text("name: slower\nterms:\n- {entity: DE01, days: 30}\n")
    files = ["--out", str(out), "--json", str(told), "--scenario", str(slower)]
    code = run(["cash", "--group-currency", "EUR", "--as-of", "2024-08-12", "--draws", "100", *files, *places])
    shown = capsys.readouterr().out
    assert code == 0
    assert max(len(line) for line in shown.splitlines()) <= 100
    assert "DE01 EUR, thousands" in shown
    assert "Group, in EUR" in shown
    assert "scenario" in shown
    both = json.loads(told.read_text())
    assert both["scenario"]["scenario"] == "slower"
    assert both["base"]["rests_on"] == "payment-date/1"
    eur = next(s for s in both["base"]["series"] if (s["entity_id"], s["currency"]) == ("DE01", "EUR"))
    assert min(eur["total"][f"{part}_minor"] for part in ("open", "orders", "new_business")) > 0
    rows = pl.read_parquet(out)
    assert set(rows["period"]) >= {"week", "day"}
    assert set(rows["scope"]) == {"series", "group"}
    days, weeks = (rows.filter(pl.col("period") == p)["open_minor"].sum() for p in ("day", "week"))
    assert days == pytest.approx(weeks, rel=1e-6)


@pytest.mark.slow
def test_the_explanation_in_the_terminal(places: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = tmp_path / "why.json"
    assert run(["cash", "explain", "--from", "2024-08-01", "--to", "2024-08-20", "--json", str(told), *places]) == 0
    shown = capsys.readouterr().out
    assert "timing" in shown
    assert max(len(line) for line in shown.splitlines()) <= 100
    assert {one["currency"] for one in json.loads(told.read_text())} >= {"EUR", "USD"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--scenario", "absent.yaml"], "--scenario absent.yaml cannot be read"),
        (["--weeks", "14"], "Input should be less than or equal to 13"),
        (["explain", "--from", "2025-11-03", "--to", "2025-11-03"], "is not after --from"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cash", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("words", [["cash"], ["train", "cash-forecast"]])
def test_without_models_the_command_to_make_them_is_named(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--lake", str(tmp_path / "lake"), "--mlruns", str(tmp_path / "mlruns")]) == 2
    assert "run `duecast train` first" in capsys.readouterr().err
