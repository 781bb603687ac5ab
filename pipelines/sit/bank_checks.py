"""What a bank left for us: can it be read, is it ours, do the statements follow each other? Nothing is taken away."""

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from features.errors import BadInput
from pipelines.bank.accounts import OwnAccount, owned
from pipelines.bank.continuity import continued
from pipelines.bank.reading import statements_of
from pipelines.bank.statement import Statement
from pipelines.connections import arrivals_of
from pipelines.landscape import BankSystem
from pipelines.sit.check import Finding, failed, skipped, verdict
from pipelines.sit.subject import Subject


@dataclass
class BankDesk:
    """The files that wait at a bank, read but not taken."""

    subject: Subject

    @property
    def bank(self) -> BankSystem:
        """How the bank is declared."""
        bank = self.subject.landscape.system(self.subject.name).bank
        assert bank is not None
        return bank

    @cached_property
    def files(self) -> tuple[dict[str, list[Statement]], list[str]]:
        """The statements by file, and what is wrong with the files that cannot be read."""
        copy, told, broken = self.subject.folder / "statement", dict[str, list[Statement]](), list[str]()
        log, how = self.subject.calls.append, self.subject.manner()
        with arrivals_of(self.subject.landscape, self.subject.name, log, how) as arrivals:
            for file in arrivals.waiting():
                try:
                    arrivals.fetch(file, copy)
                    told[file.name] = statements_of(
                        copy, name=file.name, layout=self.bank.csv, encoding=self.bank.encoding
                    )
                except BadInput as error:
                    broken.append(str(error))
        return told, broken

    @cached_property
    def ours(self) -> tuple[dict[str, list[Statement]], list[str]]:
        """The statements by account of ours, and what is wrong with those that are nobody's."""
        own = [OwnAccount(name, a.number, a.currency) for name, a in self.bank.accounts.items()]
        found, strange = list[tuple[OwnAccount, Statement]](), list[str]()
        for statements in self.files[0].values():
            try:
                found += owned(statements, own)
            except BadInput as error:
                strange.append(str(error))
        by_account = groupby(sorted(found, key=lambda f: f[0].account_id), key=lambda f: f[0].account_id)
        return {account: [statement for _, statement in of_it] for account, of_it in by_account}, strange


def desk_of(subject: Subject) -> BankDesk:
    """The bank's files, fetched once for all checks."""
    desk = subject.kept.setdefault("bank", BankDesk(subject))
    assert isinstance(desk, BankDesk)
    return desk


def files_readable(subject: Subject) -> Finding:
    """Every file that waits is a statement, whole and well-formed."""
    told, broken = desk_of(subject).files
    if not told and not broken:
        return failed("no file waits, and nothing else proves that its files can be read; ask the bank for one")
    return verdict(broken, f"{len(told):,} files, {sum(map(len, told.values())):,} statements")


def accounts_ours(subject: Subject) -> Finding:
    """Statements are of the accounts that are declared, in their currencies."""
    found, strange = desk_of(subject).ours
    if not found and not strange:
        return skipped("no statement to look at")
    return verdict(strange, f"accounts {', '.join(sorted(found))}")


def statements_join(subject: Subject) -> Finding:
    """Each statement opens with what the one before closed with; the same one twice has the same content."""
    found, _ = desk_of(subject).ours
    if not found:
        return skipped("no statement of ours to look at")
    wrong = []
    for account, statements in found.items():
        try:
            wrong += [f"account {account}: {b.message}" for b in continued([], statements).breaks]
        except BadInput as error:
            wrong.append(str(error))
    return verdict(wrong, f"{sum(map(len, found.values())):,} statements follow each other")
