"""Worlds that cannot be are refused in words; the command line says the same as Python."""

from argparse import ArgumentParser
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from features.errors import BadInput, BadSetting
from features.tables import TABLES
from services.sandbox import __main__ as serve
from services.sandbox.options import DEFAULT_ENTITIES, WorldOptions, add_world_arguments, world_options
from services.sandbox.payers import TYPES
from services.sandbox.window import Window
from services.sandbox.world import main

README = Path(__file__).parents[2] / "services" / "sandbox" / "README.md"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"customers": 0}, "customers is 0; allowed: 1 or more"),
        ({"years": 0}, "years is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"feed_faults": -1}, "feed_faults is -1"),
        ({"invoices_per_customer_year": 0.0}, "more than 0"),
        ({"today": date(1981, 1, 1), "years": 5}, "from 1980 to 2090"),
        ({"mix": {"saint": 1.0}}, "unknown customer type 'saint'"),
        ({"mix": {"punctual": -1.0}}, "0 or more"),
        ({"mix": {"punctual": 0.0}}, "at least one"),
        ({"entities": ()}, "one or more"),
        ({"entities": DEFAULT_ENTITIES[:1] * 2}, "each entity_id once"),
        ({"entities": (replace(DEFAULT_ENTITIES[0], currency="JPY"),)}, "two-decimal"),
    ],
)
def test_a_world_that_cannot_be_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(BadSetting, match=words):
        WorldOptions(**options)


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(BadInput, match="unknown time zone 'Mars/Base'"):
        WorldOptions(entities=(replace(DEFAULT_ENTITIES[0], time_zone="Mars/Base"),))


def test_the_command_line_says_the_same() -> None:
    parser = ArgumentParser()
    add_world_arguments(parser)
    assert world_options(parser.parse_args([])) == WorldOptions()
    given = parser.parse_args(["--seed", "3", "--customers", "9", "--years", "2", "--today", "2025-02-28"])
    assert world_options(given) == WorldOptions(seed=3, customers=9, years=2, today=date(2025, 2, 28))


@pytest.mark.parametrize("command", [main, serve.main])
def test_a_wrong_option_ends_with_one_line_and_code_2(command, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = ["--out", str(tmp_path)] if command is main else []
    with pytest.raises(SystemExit) as ended:
        command(["--customers", "0", *out])
    assert ended.value.code == 2
    assert "customers is 0; allowed: 1 or more" in capsys.readouterr().err


def test_a_leap_day_has_a_history_too() -> None:
    window = Window.of(WorldOptions(today=date(2024, 2, 29), years=1))
    assert window.today - window.start == 366


def test_a_world_is_written_to_a_folder(tmp_path: Path) -> None:
    main(["--customers", "3", "--years", "1", "--out", str(tmp_path / "new")])
    written = {path.stem for path in (tmp_path / "new").glob("*.parquet")}
    assert written == {t.name for t in TABLES} | {"truth", "truth_customers"}
    assert pl.read_parquet(tmp_path / "new" / "truth_customers.parquet").height == 3


def test_the_shares_of_the_customer_types_are_a_whole() -> None:
    assert abs(sum(t.share for t in TYPES) - 1) < 1e-9
