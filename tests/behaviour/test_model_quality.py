"""The gate: on a small seeded world the model must beat every baseline and roughly cover what it says.

It is an alarm for when something breaks, with bounds far below what the model is to reach on a full ledger: on 80
customers and two years it saved 27 % against the customer's average instead of 40, and its 80 % interval held 88 %.
How good the model is, the benchmark says (`tests/bench/bench_sandbox.py`).
"""

from datetime import timedelta

import pytest

from features.book import Book
from features.facts import Facts
from models.backtest import OURS
from models.evaluation import Evaluation, EvaluationSettings, evaluate
from pipelines.train import learner
from services.sandbox.options import WorldOptions
from services.sandbox.world import simulate

WORLD = WorldOptions(seed=21, customers=60, years=2)
WINDOW_DAYS, RIPE_DAYS = 90, 75
SAVED_AGAINST_AVERAGE = 0.2
POINTS = 0.1

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    """Trained once, judged on three months that end before the world's payers change."""
    book = Book(Facts.of(simulate(WORLD).known()))
    until = WORLD.today - timedelta(days=WORLD.shift_days_before_today + RIPE_DAYS)
    settings = EvaluationSettings(cutoff=until - timedelta(days=WINDOW_DAYS), until=until, draws=50, segment_draws=2)
    return evaluate(book, learner(book, 7), settings)


def test_it_saves_much_against_the_customers_average_and_beats_every_baseline(evaluation: Evaluation) -> None:
    found = evaluation.as_json()
    loss = {name: figures["days.pinball"] for name, figures in found["baselines"].items()}
    assert found["days.pinball"] < (1 - SAVED_AGAINST_AVERAGE) * loss["customer_average"]
    assert found["days.pinball"] < min(loss.values())
    assert found["late.roc_auc"] > max(figures["late.roc_auc"] for figures in found["baselines"].values())


@pytest.mark.parametrize("stated", [80, 95])
def test_its_intervals_cover_what_they_say(evaluation: Evaluation, stated: int) -> None:
    covered = evaluation.as_json()[f"days.coverage_{stated}_pit"]
    assert covered == pytest.approx(stated / 100, abs=POINTS)
    assert len(evaluation.scores[OURS]) > 300
