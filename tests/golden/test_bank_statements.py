"""Statements of many banks, and beside them what they come to: figures and complaints, no names or texts.

A file that cannot be taken shows its complaint; where only its balances are wrong, also what was read. Write the
expected files anew with `DUECAST_WRITE_GOLDEN=1`, then read every difference.
"""

import os
from pathlib import Path

import mt940 as peer
import pytest

from features.errors import BadInput
from pipelines.bank import bai2, camt, csv, mt940
from pipelines.bank.layout import Layout
from pipelines.bank.reading import statements_of
from pipelines.bank.statement import Entry, Statement

SAMPLES = Path(__file__).parents[2].parent / "shared" / "data" / "bank-statements"
EXPECTED = Path(__file__).parent / "bank" / "expected"
NAMES = sorted(p.stem for p in EXPECTED.glob("*.txt"))

ODOO = {"account": "OUR-1", "date": "Date", "remittance": ("Label",), "payer_name": "Partner Name"}
ODOO |= {"payer_account": "Bank Account", "date_format": "%m/%d/%Y", "thousands": ","}
LAYOUTS = {
    "debit_credit.csv": Layout(**ODOO, currency="EUR", amount="Amount", indicator="D/C", balance="Balance"),
    "multi_currency.csv": Layout(**ODOO, currency_column="Currency", amount="Amount"),
    "sample_statement_en.csv": Layout(**ODOO, currency_column="Currency", amount="Amount"),
}

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the banks' sample statements are not on this machine")


def shown_entry(entry: Entry) -> str:
    line = entry.place.rpartition(" ")[2]
    flags = f"{' returned' if entry.returned else ''}{' noted' if entry.note else ''}"
    return f"line {line}: {entry.booking_date} {entry.value_date} {entry.amount_minor} {entry.code}{flags}"


def shown(statement: Statement) -> list[str]:
    entries = statement.entries
    moved = sum(e.amount_minor for e in entries)
    head = f"number {statement.number}, {statement.from_day} to {statement.to_day}, {statement.currency}"
    sums = f"  {statement.opening_minor} + {moved} = {statement.closing_minor}, {len(entries)} entries"
    unique = (
        f"  {len({e.entry_id for e in entries})} ids, {sum(e.bank_reference is not None for e in entries)} references"
    )
    texts, names = (sum(getattr(e, field) is not None for e in entries) for field in ("remittance", "payer_name"))
    ends = [f"  {shown_entry(e)}" for e in (entries[:1] if len(entries) == 1 else (*entries[:1], *entries[-1:]))]
    return [head, sums, f"{unique}, {texts} texts, {names} names", *ends]


def unchecked(path: Path) -> list[Statement]:
    readers = {"camt": camt.read, "mt940": mt940.read, "bai2": bai2.read}
    with path.open("rb") as stream:
        if path.parent.name == "csv":
            return csv.read(stream, path.name, LAYOUTS[path.name])
        return readers[path.parent.name](stream, path.name)


def told(path: Path) -> str:
    try:
        statements, lines = statements_of(path, layout=LAYOUTS.get(path.name)), []
    except BadInput as error:
        lines = [f"refused: {error}"]
        try:
            statements = unchecked(path)
        except BadInput:
            statements = []
    return "\n".join([*lines, *(line for statement in statements for line in shown(statement))]) + "\n"


def sample(stem: str) -> Path:
    return next(p for p in sorted(SAMPLES.rglob("*")) if p.name == stem)


def paths() -> list[Path]:
    found = (p for p in SAMPLES.rglob("*") if p.is_file() and "LICENSE" not in p.name and p.parent.name != "edi820")
    return sorted(found)


def test_every_sample_has_its_expectation() -> None:
    if os.environ.get("DUECAST_WRITE_GOLDEN"):
        for path in paths():
            (EXPECTED / f"{path.name}.txt").write_text(told(path))
    assert [p.name for p in sorted(EXPECTED.iterdir())] == sorted(f"{p.name}.txt" for p in paths())


def test_amounts_are_those_that_another_reader_finds(caplog: pytest.LogCaptureFixture) -> None:
    """The mt-940 library reads the two longest samples too; it takes a reversed credit (RC) for a credit."""
    for name in ("betterplace_sepa_mt9401.sta", "jejik_abnamro.sta"):
        path = sample(name)
        with caplog.at_level("CRITICAL", logger="mt940"):
            theirs = [int(t.data["amount"].amount * 100) for t in peer.parse(str(path))]
        ours = [entry.amount_minor for statement in unchecked(path) for entry in statement.entries]
        assert [abs(minor) for minor in ours] == [abs(minor) for minor in theirs]


@pytest.mark.parametrize("name", NAMES)
def test_a_banks_statement_comes_to_the_expected_figures(name: str) -> None:
    assert told(sample(name)) == (EXPECTED / f"{name}.txt").read_text()
