"""The worklist on sandbox worlds: reverse causation, learning, recording a list as facts."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.book import Book
from features.facts import Facts
from features.lake import Lake
from features.tables import CONTACT, TABLES
from models.champion import CONTACT_EFFECT, champion
from models.worklist.effect import lacking
from models.worklist.estimation import fit_effect
from models.worklist.experiment import contact_rows, experiment, outcomes
from models.worklist.past_due import past_due
from models.worklist.ranking import left_out
from models.worklist.settings import WorklistSettings
from pipelines.cli import run
from pipelines.worklist import record, run_worklist
from services.sandbox.contact_options import ContactOptions
from services.sandbox.options import WorldOptions
from services.sandbox.world import World, simulate


def world_of(**options: object) -> World:
    return simulate(WorldOptions(seed=1, customers=100, years=2, contacts=ContactOptions(**options)))


@pytest.fixture(scope="module")
def world() -> World:
    return world_of(effect="by_type")


@pytest.fixture
def lake(world: World, tmp_path: Path) -> Lake:
    made = Lake(tmp_path / "lake")
    for table in TABLES:
        rows = world.known()[table.name]
        if len(rows):
            made.append(table, rows)
    return made


def test_what_a_person_decided_is_never_learnt_from() -> None:
    world = world_of(policy="by_risk", effect="none", randomised_share=0.0)
    book = Book(Facts.of(world.known()))
    assert len(contact_rows(book, world.now())) > 300
    rows = experiment(book, world.now(), 14)
    assert lacking(rows) == "no randomised contacts yet (0 of 400 needed)"


def naive(book: Book, now: datetime) -> float:
    """Of all past due, what the contacted paid within 14 days, less what those paid who were not contacted that day."""
    ripe = contact_rows(book, now).filter(pl.col("cutoff_day") <= now.date() - timedelta(days=21))
    days = ripe.select("entity_id", "cutoff_day", "cutoff").unique().sort("cutoff", "entity_id")[::10]
    customers = book.masters.customers.select("entity_id", "customer_id").unique()
    alone = customers.join(days, on="entity_id").join(ripe, on=["customer_id", "cutoff_day"], how="anti")
    owed = (past_due(book, rows).with_columns(asked_minor="open_minor") for rows in (ripe.filter("made"), alone))
    made, left = (outcomes(book, rows, now, 14)["paid_share"].to_numpy().mean() for rows in owed)
    return float(made - left)


def test_reverse_causation_fools_the_naive_comparison_and_not_the_estimate() -> None:
    """Bad payers are called more and calling does nothing: what is learnt from the drawn half says so.

    The mean over three worlds is to lie within 2.58 of its own standard errors of nothing: 99 of 100 unbiased
    estimates do, where their errors are honest. The naive comparison, which also takes disputes for what a call could
    bring in, is far beyond.
    """
    chosen = ContactOptions(policy="by_risk", effect="none", randomised_share=0.6)
    told, fooled = [], []
    for seed in (1, 2, 3):
        world = simulate(WorldOptions(seed=seed, customers=150, years=3, contacts=chosen))
        book, now = Book(Facts.of(world.known())), world.now()
        told.append(fit_effect(experiment(book, now, 14), 14).pooled)
        fooled.append(naive(book, now))
    errors = np.array([(e.high - e.effect) / 1.96 for e in told])
    bound = 2.58 * np.sqrt((errors**2).sum()) / len(told)
    assert bound < 0.06
    assert abs(np.mean([e.effect for e in told])) < bound
    assert abs(np.mean(fooled)) > bound


def test_a_list_recorded_twice_adds_nothing_and_is_seen_afterwards(world: World, lake: Lake, tmp_path: Path) -> None:
    settings = WorklistSettings(capacity=2, holdout_share=0.3)
    day = world.options.today - timedelta(days=10)
    made = run_worklist(lake, tmp_path / "mlruns", settings, as_of=day)
    first, again = record(lake, made), record(lake, made)
    assert (first.landed, again.landed, again.duplicates) == (len(made.rows), 0, len(made.rows))
    assert run_worklist(lake, tmp_path / "mlruns", settings, as_of=day) == made, "a list does not see itself"
    drawn = lake.versions(CONTACT).filter(pl.col("source") == "duecast").collect()
    known = dict(drawn.select("customer_id", "made").iter_rows())
    assert known == {r.customer_id: r.made for r in made.rows}
    assert drawn["chance"].unique().to_list() == [0.7]
    assert set(drawn["day"]) == {day}
    other = run_worklist(lake, tmp_path / "mlruns", WorklistSettings(capacity=2, holdout_share=0.6, seed=8), as_of=day)
    again_drawn = {r.customer_id: (r.made, r.chance) for r in other.rows if r.customer_id in known}
    assert again_drawn == {c: (known[c], 0.7) for c in again_drawn}, "what is recorded is what is printed"
    assert again_drawn
    assert any(left_out(8, r.entity_id, r.customer_id, r.day, 0.6) == r.made for r in other.rows), "not drawn so again"
    record(lake, other)
    stands = lake.versions(CONTACT).filter(pl.col("source") == "duecast").collect()
    printed = {r.customer_id: (r.made, r.chance) for r in other.rows}
    kept = {c: (m, p) for c, m, p in stands.select("customer_id", "made", "chance").iter_rows()}
    assert printed.items() <= kept.items(), "the lake keeps what was printed"
    later = run_worklist(lake, tmp_path / "mlruns", settings, as_of=day + timedelta(days=1))
    held = {(h.entity_id, h.customer_id): {hold.hold for hold in h.holds} for h in later.held}
    for row in made.rows:
        assert (row.entity_id, row.customer_id) not in {(r.entity_id, r.customer_id) for r in later.rows}
        told = held.get((row.entity_id, row.customer_id))
        assert told is None or told & {"contacted", "drawn"}, "held, unless it has paid"


def test_the_commands_train_list_and_write(
    lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUECAST_STATE_URL", f"sqlite:///{tmp_path / 'state.db'}")
    where = ["--lake", str(tmp_path / "lake"), "--mlruns", str(tmp_path / "mlruns")]
    days = ["--as-of", "2025-12-20", "--capacity", "2"]
    assert run(["worklist", *days, *where, "--limit", "1"]) == 0
    shown = capsys.readouterr().out
    assert "ranked by value at risk" in shown
    assert "DE01, 2025-12-20: 1 of " in shown
    assert run(["worklist", "--as-of", "2010-01-01", *where]) == 0
    empty = capsys.readouterr().out
    assert "0 contacts for 2010-01-01" in empty
    assert "no contact at DE01 on 2010-01-01: nobody has anything past due" in empty
    nobody, somebody = tmp_path / "nobody.parquet", tmp_path / "somebody.parquet"
    nobody.write_bytes(b"the list of the day before")
    assert run(["worklist", "--as-of", "2010-01-01", "--out", str(nobody), *where]) == 0
    assert run(["worklist", *days, "--out", str(somebody), *where]) == 0
    assert pl.read_parquet(nobody).schema == pl.read_parquet(somebody).schema
    assert (len(pl.read_parquet(nobody)), pl.read_parquet(somebody)["amount"].min() > 0) == (0, True)
    capsys.readouterr()
    assert run(["train", "contact-effect", *where]) == 0
    assert "Champion: contact-effect/1" in capsys.readouterr().out
    trained = champion(tmp_path / "mlruns", CONTACT_EFFECT)
    assert trained is not None
    assert trained.learnt_before == Book(Facts.read(lake)).last_known()
    files = {name: tmp_path / name for name in ("list.csv", "list.json")}
    outs = ["--out", str(files["list.csv"]), "--json", str(files["list.json"]), "--contact-cost", "0"]
    assert run(["worklist", *days, *where, *outs]) == 0
    told = json.loads(files["list.json"].read_text())
    assert told["ranking"].startswith("value at risk: the effect learnt from ")
    assert told["ranking"].endswith(" is not told apart from no effect: it neither ranks nor drops anybody")
    assert told["not_worth"] == 0
    assert len(told["rows"]) == len(pl.read_csv(files["list.csv"]))
    capsys.readouterr()
    assert run(["train", "contact-effect", "--horizon-days", "91", *where]) == 2
    assert "horizon_days is 91; allowed: 1 to 90" in capsys.readouterr().err
    assert run(["worklist", "--as-of", "2150-01-01", "--record", *where]) == 2
    assert "allowed: until today" in capsys.readouterr().err
    assert run(["worklist", "--horizon", "20", *where]) == 2
    assert "ask for 14 (`duecast worklist --horizon 14`)" in capsys.readouterr().err
    assert run(["worklist", "--entity", "XX", *where]) == 2
    assert "no entity 'XX'" in capsys.readouterr().err


def test_too_few_drawn_contacts_train_nothing(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUECAST_STATE_URL", f"sqlite:///{tmp_path / 'state.db'}")
    lake = Lake(tmp_path / "lake")
    for table in TABLES:
        rows = world.known()[table.name]
        if len(rows) and table is not CONTACT:
            lake.append(table, rows)
    where = ["--lake", str(tmp_path / "lake"), "--mlruns", str(tmp_path / "mlruns")]
    assert run(["train", "contact-effect", *where]) == 2
    assert "no randomised contacts yet (0 of 400 needed)" in capsys.readouterr().err
