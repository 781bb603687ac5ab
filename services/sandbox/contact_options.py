"""How collectors of a world work: whom they contact, what that does, who promises."""

from dataclasses import dataclass

from features.errors import BadSetting

POLICIES = ("randomised", "by_risk")
EFFECTS = ("none", "same", "by_type")


@dataclass(frozen=True, slots=True)
class ContactOptions:
    """Collectors who contact customers about what is overdue.

    policy            "randomised": every customer with something overdue is as likely to be on the list as any other;
                      "by_risk": the worse a customer pays by habit, the likelier it is contacted (reverse causation)
    effect            what a contact does: "none"; "same" for all; "by_type" (stretchers and the seasonal respond, those
                      who decline or dispute hardly, the punctual not at all)
    randomised_share  of the list, by a draw of its own: whether it is made is drawn too, and said; a person decides for
                      the rest, and makes it
    holdout_share     of what is drawn: left out on purpose
    gap_days          days after a contact, made or held out, before the next one of the same customer
    promise_share     of the contacts made on which a customer that could promise a day does so
    """

    policy: str = "randomised"
    effect: str = "by_type"
    randomised_share: float = 1.0
    holdout_share: float = 0.3
    gap_days: int = 21
    promise_share: float = 0.5

    def __post_init__(self) -> None:
        """`BadSetting` for what cannot be."""
        for name, allowed in (("policy", POLICIES), ("effect", EFFECTS)):
            if getattr(self, name) not in allowed:
                raise BadSetting(f"contacts: {name} is {getattr(self, name)!r}; allowed: {', '.join(allowed)}")
        for name in ("randomised_share", "holdout_share", "promise_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise BadSetting(f"contacts: {name} is {getattr(self, name)}; allowed: 0 to 1")
        if self.randomised_share and not 0 < self.holdout_share < 1:
            raise BadSetting(f"contacts: holdout_share is {self.holdout_share}; allowed: above 0 and below 1")
        if self.gap_days < 1:
            raise BadSetting(f"contacts: gap_days is {self.gap_days}; allowed: 1 or more")
