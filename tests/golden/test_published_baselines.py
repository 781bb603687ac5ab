"""Our baselines against what others published on the same split of the same ledger (608 invoices, June 2013 on)."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from features.book import Book
from features.facts import Facts
from features.lake import Lake
from models.baselines import CustomerAverage, DueDate
from models.evaluation import EvaluationSettings, evaluate
from pipelines.ingest import ingest_files
from pipelines.mapping import load
from services.store import Store

LEDGER = Path(__file__).parents[3] / "shared" / "data" / "ibm-ar"


@pytest.mark.skipif(not LEDGER.is_dir(), reason="needs the ibm-ar ledger in ../shared/data")
def test_the_published_rules_come_out_as_published(tmp_path):
    lake, store = Lake(tmp_path / "lake"), Store(f"sqlite:///{tmp_path / 'store.db'}")
    ingest_files(LEDGER, load("ibm-ar"), lake, store, now=datetime(2024, 1, 1, tzinfo=UTC))
    settings = EvaluationSettings(
        date(2013, 6, 9), date(2014, 1, 1), draws=20, segment_draws=1, baselines=(DueDate(), CustomerAverage())
    )
    store.close()
    found = evaluate(Book(Facts.read(lake)), lambda labelled, _: DueDate().fit(labelled), settings)
    due_date, average = found.overall.baselines["due_date"].values, found.overall.baselines["customer_average"].values
    assert found.data["n"] == 608
    assert due_date["days.mae"] == pytest.approx(11.09, abs=0.005)
    assert average["late.roc_auc"] == pytest.approx(0.863, abs=0.0005)
    assert average["late.average_precision"] == pytest.approx(0.671, abs=0.0005)
    # "customer's past mean" of the days to settle: all terms are 30 days, ours rounds to the day
    assert average["days.mae"] == pytest.approx(6.50, abs=0.15)
