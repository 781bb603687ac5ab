"""How much a scenario that comes over HTTP may ask for: each change copies every claim, so their number is bounded."""

from collections.abc import Iterator

from features.errors import Violation
from models.cash.scenarios import Scenario

LISTS = ("delay", "resolve", "terms", "fx")


def scenario_faults(scenario: Scenario, most: int) -> Iterator[Violation]:
    """One violation for each list of more than `most` entries."""
    lists = {name: getattr(scenario, name) for name in LISTS}
    lists |= {f"resolve[{k}].disputes": resolved.disputes for k, resolved in enumerate(scenario.resolve)}
    for name, entries in lists.items():
        if len(entries) > most:
            yield Violation("$", f"scenario.{name}", f"{len(entries)} entries", f"at most {most} entries")
