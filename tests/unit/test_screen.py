"""Predictions as people see them."""

import xml.etree.ElementTree as ET
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.screen import WIDTH, prediction_table, save_picture
from services.schemas import Prediction, Reason

REASONS = (
    Reason(name="usual", words="usually pays late", days=3.25),
    Reason(name="age", words="not due yet", days=-1.0),
    Reason(name="trade", words="never shown", days=0.5),
)


def prediction(**told: object) -> Prediction:
    day = date(2026, 1, 10)
    usual = {
        "prediction_id": "p", "feature_digest": "f", "entity_id": "E", "customer_id": "C", "invoice_id": "INV-7",
        "instalment": 1, "currency": "EUR", "amount": "1234.50", "due_date": date(2026, 1, 5),
        "cutoff": datetime(2026, 1, 1, tzinfo=UTC), "cutoff_day": date(2026, 1, 1), "availability": "full",
        "availability_reason": None, "expected_date": day, "p10": date(2026, 1, 7), "p50": day,
        "p90": date(2026, 2, 3), "p_late": 0.875, "p_beyond": 0.0, "ageing": {}, "paid_by": {},
        "typical_date": day, "reasons": REASONS,
    }  # fmt: skip
    return Prediction(**(usual | told))


def lines(*told: Prediction) -> list[str]:
    out = StringIO()
    Console(file=out, width=WIDTH).print(prediction_table(told, "Some"))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_row_says_which_when_how_surely_and_why() -> None:
    shown = lines(prediction())
    assert [" ".join(line.split()) for line in shown[-3:-1]] == [
        "INV-7 2026-01-05 2026-01-10 88 % +3.2 d usually pays late",
        "1234.50 EUR 01-07 – 02-03 -1.0 d not due yet",
    ]
    assert max(map(len, shown)) <= WIDTH


@pytest.mark.parametrize(
    ("share", "shown"),
    [(1.0, " 100 % "), (0.9999, " > 99 % "), (0.99, " 99 % "), (0.004, " < 1 % "), (0.0, " 0 % ")],
)
def test_only_what_is_certain_is_said_to_be(share: float, shown: str) -> None:
    assert shown in "\n".join(lines(prediction(p_late=share)))


def test_what_cannot_be_said_is_said() -> None:
    why = "due in 500 days"
    silent = dict.fromkeys(("expected_date", "p10", "p50", "p90", "p_late", "p_beyond", "typical_date"))
    text = "\n".join(lines(prediction(availability="none", availability_reason=why, reasons=(), **silent)))
    assert why in text
    assert "…" not in text
    assert "%" not in text.split("───")[-1]


def test_a_thin_history_is_named_after_the_reasons() -> None:
    text = "\n".join(lines(prediction(availability="pooled", availability_reason="1 settled invoice")))
    assert text.index("not due yet") < text.index("1 settled invoice")


def test_the_picture_is_an_svg_that_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "table.svg"
    save_picture(prediction_table([prediction()], "Some"), path)
    text = path.read_text()
    assert "INV-7" in "".join(ET.fromstring(text).itertext())
    assert "url(http" not in text.replace('"', "")
    assert "@font-face" not in text
