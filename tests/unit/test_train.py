"""What a training reads, and where its evidence comes from."""

from collections.abc import Callable
from pathlib import Path

import pytest

from features.facts import Facts
from features.lake import Lake
from features.tables import INVOICE, Table
from pipelines.train import read_at_rest

Draw = Callable[..., Facts]


def test_facts_and_versions_are_of_one_moment_also_while_an_ingest_lands(
    drawn_facts: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (drawn_facts(invoice=f"invoice_id | owed\n {n} | 10:100").tables["invoice"] for n in "ab")
    lake, writer = Lake(tmp_path), Lake(tmp_path)
    writer.append(INVOICE, first)
    arriving = [second]
    honest = lake.versions

    def versions(table: Table, **how: object) -> object:
        told = honest(table, **how)
        if table is INVOICE and arriving:
            told = told.collect().lazy()
            writer.append(INVOICE, arriving.pop())
        return told

    monkeypatch.setattr(lake, "versions", versions)
    read, facts = read_at_rest(lake)
    assert read == writer.table_versions()
    assert facts.tables["invoice"]["invoice_id"].sort().to_list() == ["a", "b"]
