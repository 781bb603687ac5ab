"""Whether statements are of our own accounts."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from features.errors import BadInput
from pipelines.bank.statement import Statement, account_number


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """One of our accounts: what we call it (safe in logs), and its number and currency at the bank."""

    account_id: str
    number: str
    currency: str


def owned(statements: Iterable[Statement], accounts: Collection[OwnAccount]) -> list[tuple[OwnAccount, Statement]]:
    """Each statement with the account it is of; `BadInput` for another account or another currency than ours."""
    return [(_owner(statement, accounts), statement) for statement in statements]


def _owner(statement: Statement, accounts: Collection[OwnAccount]) -> OwnAccount:
    told = f"{statement.place}: statement {statement.statement_id}"
    numbered = [a for a in accounts if account_number(a.number) == statement.account]
    if not numbered:
        ours = ", ".join(f"{a.number} ({a.account_id})" for a in accounts) or "none is configured"
        raise BadInput(f"{told} is of account {statement.account}; allowed: one of ours: {ours}")
    found = next((a for a in numbered if a.currency == statement.currency), None)
    if found is None:
        ours = ", ".join(sorted(a.currency for a in numbered))
        raise BadInput(f"{told} is in {statement.currency}, account {numbered[0].account_id} in {ours}; ask the bank")
    return found
