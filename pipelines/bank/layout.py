"""How one bank writes its CSV statements: declared, not guessed."""

from dataclasses import dataclass

from features.errors import BadSetting


@dataclass(frozen=True, slots=True)
class Layout:
    """Column names as the header has them; the rest says how values are written.

    account     number of the account the files are of; `currency` where no column says it
    date        booking date; `value_date` where there is one too
    amount      signed, or unsigned with `indicator`, a column of which `debit_marks` are debits
    debit, credit   instead of `amount`: two columns of which one is filled
    balance     after each row: the opening and closing balances are worked out from it, and every row is checked
    date_format as in strptime
    newest_first   the bank writes the last movement at the top
    """

    account: str
    date: str
    currency: str | None = None
    currency_column: str | None = None
    value_date: str | None = None
    amount: str | None = None
    indicator: str | None = None
    debit_marks: tuple[str, ...] = ("D",)
    credit_marks: tuple[str, ...] = ("C",)
    debit: str | None = None
    credit: str | None = None
    balance: str | None = None
    remittance: tuple[str, ...] = ()
    payer_name: str | None = None
    payer_account: str | None = None
    bank_reference: str | None = None
    end_to_end_id: str | None = None
    code: str | None = None
    date_format: str = "%Y-%m-%d"
    decimal: str = "."
    thousands: str = ""
    separator: str = ","
    encoding: str | None = None
    header_row: int = 1
    newest_first: bool = False

    def __post_init__(self) -> None:
        two = self.debit is not None and self.credit is not None
        if two == (self.amount is not None) or (self.debit is None) != (self.credit is None):
            raise BadSetting("a CSV layout names amounts twice or not at all; allowed: amount, or debit and credit")
        if (self.currency is None) == (self.currency_column is None):
            raise BadSetting("a CSV layout needs one source of the currency; allowed: currency or currency_column")
        if self.decimal not in ".," or len(self.decimal) != 1 or self.thousands == self.decimal:
            raise BadSetting(f"decimal is {self.decimal!r}; allowed: . or , and another sign for thousands")

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column it names."""
        single = (
            *(self.date, self.value_date, self.currency_column, self.amount, self.indicator, self.debit, self.credit),
            *(self.balance, self.payer_name, self.payer_account, self.bank_reference, self.end_to_end_id, self.code),
        )
        return tuple(c for c in (*single, *self.remittance) if c is not None)
