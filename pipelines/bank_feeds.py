"""Bank files into the lake: a file lands whole, once, and only where its statements are ours and make sense.

A gap between two statements is told and does not hold up the later one: the money is there. The entries land before the
statement that they stand in, so that a kill in between has the file read again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

import polars as pl

from features.errors import BadSetting
from features.lake import Lake
from features.tables import BANK_ENTRY, BANK_STATEMENT, ENTITY, Table
from pipelines.bank.accounts import OwnAccount, owned
from pipelines.bank.arrivals import Arrivals, Taken, take_in
from pipelines.bank.continuity import Break, Known, continued
from pipelines.bank.reading import statements_of
from pipelines.bank.records import entry_records, statement_record
from pipelines.bank.statement import Statement
from pipelines.connectors.source import Batch, Json, section_of
from pipelines.dating import Dating
from pipelines.landscape import Account, BankSystem
from pipelines.record_feeds import record_feed
from pipelines.run import Run, running
from pipelines.run_report import Progress, Quiet, RunReport
from services.store import Store


@dataclass(frozen=True, slots=True)
class BankReport:
    """run     what landed, per table
    taken   what became of each file
    breaks  where statements of an account do not follow each other: account, and what is missing or wrong
    """

    run: RunReport
    taken: Taken
    breaks: tuple[tuple[str, Break], ...]


def ingest_bank(
    arrivals: Arrivals,
    bank: BankSystem,
    name: str,
    lake: Lake,
    store: Store,
    *,
    now: datetime,
    progress: Progress | None = None,
    every_minutes: int | None = None,
) -> BankReport:
    """Land every file that waits and mark it as done; one that cannot be read stays, is named, and stops no other.

    `BadSetting` where an account is in the books of an entity that the lake does not know yet.
    """
    _require_known(bank.accounts, lake)
    shown = progress or Quiet()
    with running(name, lake, store, now=now, progress=shown, every_minutes=every_minutes) as run:
        desk = _Desk(bank, run)
        run.expect([desk.feed(BANK_ENTRY), desk.feed(BANK_STATEMENT)])
        with (
            run.feed(desk.feed(BANK_ENTRY), BANK_ENTRY.name, None),
            run.feed(desk.feed(BANK_STATEMENT), BANK_STATEMENT.name, None),
        ):
            taken = take_in(arrivals, desk.land)
        return BankReport(run.report(), taken, tuple(desk.breaks))


class _Desk:
    """Lands one file after the other, and remembers where statements do not join."""

    def __init__(self, bank: BankSystem, run: Run) -> None:
        self._bank = bank
        self._run = run
        self._own = [OwnAccount(name, a.number, a.currency) for name, a in bank.accounts.items()]
        self.breaks: list[tuple[str, Break]] = []

    def feed(self, table: Table) -> str:
        """What the reading of the table is called."""
        return f"bank files: {table.name}"

    def land(self, path: Path, name: str) -> None:
        """The statements of the file that are not known yet; `BadInput` where one of them is not as it must be."""
        found = owned(statements_of(path, name=name, layout=self._bank.csv, encoding=self._bank.encoding), self._own)
        by_account = groupby(sorted(found, key=lambda f: f[0].account_id), key=lambda f: f[0].account_id)
        fresh: list[tuple[str, Statement]] = []
        breaks: list[tuple[str, Break]] = []
        for account, told in by_account:
            chain = continued(self._known(account), [statement for _, statement in told])
            fresh += [(account, statement) for statement in chain.fresh]
            breaks += [(account, b) for b in chain.breaks]
        self._append(fresh)
        self.breaks += breaks

    def _append(self, fresh: list[tuple[str, Statement]]) -> None:
        """First the entries, then the statements: who finds a statement finds what is in it."""
        entries, statements = [], []
        for account, statement in fresh:
            entity = self._bank.accounts[account].entity
            told = entry_records(statement, entity_id=entity, account_id=account, known_at=self._run.now)
            entries += told if statement.closing_minor is not None else self._untold(entity, told)
            statements.append(statement_record(statement, entity_id=entity, account_id=account, known_at=self._run.now))
        for table, records in ((BANK_ENTRY, entries), (BANK_STATEMENT, statements)):
            feed = record_feed(self.feed(table), section_of(table), table, Batch(records), self._run)
            self._run.land(feed, Dating.BY_SOURCE)

    def _untold(self, entity: str, records: list[Json]) -> list[Json]:
        """Of an advice's entries those that no statement has told: where one has, it stands in the statement."""
        ids = [record["id"] for record in records]
        of_these = (pl.col("entity_id") == entity) & pl.col("entry_id").is_in(ids)
        known = set(self._run.lake.versions(BANK_ENTRY).filter(of_these).select("entry_id").collect()["entry_id"])
        return [record for record in records if record["id"] not in known]

    def _known(self, account: str) -> list[Known]:
        of_account = (pl.col("account_id") == account) & (pl.col("entity_id") == self._bank.accounts[account].entity)
        rows = self._run.lake.versions(BANK_STATEMENT).filter(of_account & ~pl.col("deleted")).collect()
        return [
            Known(
                statement_id=row["statement_id"].removeprefix(f"{account}:"),
                number=row["number"],
                currency=row["currency"],
                from_day=row["from_day"],
                to_day=row["to_day"],
                opening_minor=row["opening_minor"],
                closing_minor=row["closing_minor"],
                entries=row["entries"],
                place="the lake",
                digest=row["content"],
            )
            for row in rows.unique(["statement_id"], keep="last", maintain_order=True).iter_rows(named=True)
        ]


def _require_known(accounts: Mapping[str, Account], lake: Lake) -> None:
    known = lake.versions(ENTITY).select("entity_id").collect()["entity_id"].to_list()
    for name, account in accounts.items():
        if account.entity not in known:
            there = ", ".join(sorted(set(known))) or "none yet, ingest the ERP first"
            raise BadSetting(f"account {name} is in the books of {account.entity!r}; the lake knows: {there}")
