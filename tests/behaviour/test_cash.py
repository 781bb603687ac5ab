"""The cash forecast from the lake to the terminal, on a small sandbox world with the real payment-date model."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from features.book import Book
from features.facts import Facts
from features.lake import Lake
from features.tables import TABLES
from models import registry
from models.cash.model import CashModel
from models.champion import CASH_FORECAST, champion, load
from pipelines.cash_training import fit_rehearsed
from pipelines.cli import run
from pipelines.train import all_at_issue, learner
from services.sandbox.options import WorldOptions
from services.sandbox.world import World, simulate

TODAY = date(2026, 1, 5)

pytestmark = pytest.mark.slow


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
def home(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with the world's ledger and a payment-date champion."""
    home = tmp_path_factory.mktemp("cash")
    lake, known = Lake(home / "lake"), world.known()
    for table in TABLES:
        if len(known.get(table.name, ())):
            lake.append(table, known[table.name])
    book = Book(Facts.read(lake))
    labelled = book.labelled(all_at_issue(book))
    model = learner(book, 7)(labelled, book.last_known())
    days = (labelled["cutoff_day"].min(), labelled["cutoff_day"].max())
    lineage = registry.Lineage(days, lake.table_versions(), model.about, {})
    registry.register(model, labelled.drop("paid_date", "cancelled", "observed_until"), lineage, mlruns=home / "mlruns")
    return home


@pytest.fixture(scope="module")
def trained(home: Path) -> Path:
    assert run(["cash", "train", "--lake", str(home / "lake"), "--mlruns", str(home / "mlruns")]) == 0
    return home


@pytest.fixture
def say(trained: Path) -> Callable[..., int]:
    places = ["--lake", str(trained / "lake"), "--mlruns", str(trained / "mlruns")]
    return lambda *words: run(["cash", *words, *places])


def test_training_names_what_it_rests_on(trained: Path) -> None:
    version = champion(trained / "mlruns", CASH_FORECAST)
    assert version is not None
    model = load(version, trained / "mlruns")
    assert isinstance(model, CashModel)
    assert model.rests_on == "payment-date/1"
    assert model.about["past_forecasts"] > 0
    assert 0.5 < model.billing.billed_share <= 1.0
    assert all(0.9 < share <= 1.0 for share in model.dilution.cash_share.values())


def test_forecast_in_the_terminal_and_in_files(
    say: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, told = tmp_path / "cash.parquet", tmp_path / "cash.json"
    code = say(
        "--group-currency", "EUR", "--as-of", "2025-12-01", "--draws", "200", "--out", str(out), "--json", str(told)
    )
    shown = capsys.readouterr().out
    assert code == 0
    assert max(len(line) for line in shown.splitlines()) <= 100
    assert "DE01 EUR, thousands" in shown
    assert "Group, in EUR" in shown
    base = json.loads(told.read_text())["base"]
    assert base["rests_on"] == "payment-date/1"
    eur = next(s for s in base["series"] if (s["entity_id"], s["currency"]) == ("DE01", "EUR"))
    assert eur["total"]["open_minor"] > 0
    assert eur["total"]["orders_minor"] > 0
    assert eur["total"]["new_business_minor"] > 0
    rows = pl.read_parquet(out)
    assert set(rows["period"]) == {"week", "day"}
    days, weeks = (rows.filter(pl.col("period") == p)["open_minor"].sum() for p in ("day", "week"))
    assert days == pytest.approx(weeks, rel=1e-6)


def test_the_same_seed_gives_the_same_file(say: Callable[..., int], tmp_path: Path) -> None:
    texts = []
    for name in "ab":
        assert say("--draws", "100", "--json", str(tmp_path / f"{name}.json")) == 0
        texts.append((tmp_path / f"{name}.json").read_bytes())
    assert texts[0] == texts[1]


def test_a_scenario_beside_the_base(
    say: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, told = tmp_path / "longer.yaml", tmp_path / "cash.json"
    path.write_text("name: longer terms\nterms:\n- {entity: DE01, days: 30}\n")
    assert say("--entity", "DE01", "--draws", "200", "--scenario", str(path), "--json", str(told)) == 0
    assert "scenario" in capsys.readouterr().out
    both = json.loads(told.read_text())
    assert both["scenario"]["scenario"] == "longer terms"
    base, longer = (next(s for s in both[k]["series"] if s["currency"] == "EUR")["total"] for k in ("base", "scenario"))
    assert longer["open_minor"] == base["open_minor"]
    assert longer["new_business_minor"] < base["new_business_minor"]


def test_why_an_earlier_forecast_was_off(
    say: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = tmp_path / "why.json"
    assert say("explain", "--from", "2025-11-03", "--to", "2025-12-01", "--json", str(told)) == 0
    shown = capsys.readouterr().out
    assert "timing" in shown
    assert max(len(line) for line in shown.splitlines()) <= 100
    parts = ("timing", "amount", "new_business", "disputes", "corrections", "level")
    for one in json.loads(told.read_text()):
        assert sum(one[f"{p}_minor"] for p in parts) == one["forecast_minor"] - one["actual_minor"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--entity", "XX01"], "nothing to forecast for XX01, any currency; there are: "),
        (["--group-currency", "ZZZ"], "unknown currency 'ZZZ'"),
        (["--scenario", "absent.yaml"], "--scenario absent.yaml cannot be read"),
        (["--weeks", "14"], "Input should be less than or equal to 13"),
        (["explain", "--from", "2025-11-03", "--to", "2025-11-03"], "is not after --from"),
        (["explain", "--from", "2031-11-03"], "lies after all that the lake knows"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    say: Callable[..., int], words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert say(*words) == 2
    assert said in capsys.readouterr().err


def test_without_models_the_commands_to_make_them_are_named(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["cash"], ["cash", "train"]):
        assert run([*words, "--lake", str(tmp_path / "lake"), "--mlruns", str(tmp_path / "mlruns")]) == 2
        assert "run `duecast train` first" in capsys.readouterr().err


def test_too_little_history_learns_nothing_in_common_and_still_answers(world: World) -> None:
    book = Book(Facts.of(world.known(TODAY - timedelta(days=700))))
    model = fit_rehearsed(book, book.last_known(), seed=7)
    assert model.dependence.customer_share == 0.0
    assert model.about["past_forecasts"] == 0
