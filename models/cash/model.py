"""The cash model: everything that is learnt about cash beside the payment dates themselves.

    model = learnt(book, as_of, past)                 # models.cash.backtest: past forecasts and what became of them
    forecast(book, payment_dates, model, as_of)       # models.cash.forecast

It saves as one JSON file and names the payment-date version that it rests on.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from features.book import Book
from features.errors import StateError
from models.cash.billing import Billing, fit_billing
from models.cash.dependence import Outcome, fit_dependence
from models.cash.dilution import Dilution, fit_dilution
from models.cash.levels import fit_level
from models.cash.new_business import Profile, fit_profile
from models.cash.simulation import CERTAIN, Dependence, Level
from models.cash.spread import Spread

FORMAT, FILE = 3, "cash.json"


@dataclass(frozen=True)
class CashModel:
    """A trained cash model.

    level         how uncertain the volume of new business is
    lasting       how far off all weeks of a series may be together
    spread        of every series' weeks; `group_spread` on top of it, of their sum
    rests_on      the label of the payment-date version, null where nobody registered it
    """

    dependence: Dependence
    dilution: Dilution
    billing: Billing
    profile: Profile
    level: Level
    lasting: Level
    spread: Spread
    group_spread: Spread = field(default_factory=Spread)
    rests_on: str | None = None
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """None: it reads the ledger, and the features of the payment-date model are that model's."""
        return ()

    def save(self, folder: Path) -> None:
        """Write `cash.json` into `folder`, which is made where it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {"format": FORMAT, **{name: _rows(asdict(getattr(self, name))) for name in PARTS}}
        content |= {"rests_on": self.rests_on, "about": self.about}
        (folder / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(content)))

    @classmethod
    def load(cls, folder: Path) -> "CashModel":
        """Read what `save` wrote; `StateError` names the file that is missing, damaged or of another format."""
        path = folder / FILE
        try:
            content = msgspec.json.decode(path.read_bytes())
            if content["format"] != FORMAT:
                raise StateError(f"{path} was saved by another version of Duecast; train the model again")
            parts = {name: msgspec.convert(_keyed(content[name]), kind) for name, kind in PARTS.items()}
            return cls(**parts, rests_on=content["rests_on"], about=content["about"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            why = f"{type(error).__name__}: {error}"
            raise StateError(f"{path} cannot be read as a cash model ({why}); register the model again") from error


PARTS: dict[str, Any] = {
    "dependence": Dependence,
    "dilution": Dilution,
    "billing": Billing,
    "profile": Profile,
    "level": Level,
    "lasting": Level,
    "spread": Spread,
    "group_spread": Spread,
}
PAIRS = "pairs"


def fit_cash(book: Book, as_of: datetime, past: Sequence[Outcome], *, rests_on: str | None = None) -> CashModel:
    """From what was known at `as_of`: the ledger, and how past forecasts ended; not recalibrated."""
    profile = fit_profile(book, as_of)
    return CashModel(
        fit_dependence(past),
        fit_dilution(book, as_of),
        fit_billing(book, as_of),
        profile,
        fit_level(book, as_of, profile),
        CERTAIN,
        Spread(),
        rests_on=rests_on,
        about={"as_of": as_of.isoformat(), "past_forecasts": len(past)},
    )


def _rows(part: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no pairs as keys: such a mapping becomes rows of key, key, value."""
    return {
        name: {PAIRS: [[*key, number] for key, number in value.items()]} if _by_pair(value) else value
        for name, value in part.items()
    }


def _by_pair(value: object) -> bool:
    return isinstance(value, dict) and any(isinstance(key, tuple) for key in value)


def _keyed(part: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {(a, b): number for a, b, number in value[PAIRS]} if isinstance(value, dict) and PAIRS in value else value
        for name, value in part.items()
    }
