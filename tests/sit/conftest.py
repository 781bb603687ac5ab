"""What tests against real systems share: where these are installed, and the day it is."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def systems_cache() -> Path:
    """Real systems are installed once, beside the project's other state, not once for each run."""
    return Path(__file__).parents[2] / ".duecast" / "systems"


@pytest.fixture(scope="session")
def today() -> date:
    return datetime.now(UTC).date()
