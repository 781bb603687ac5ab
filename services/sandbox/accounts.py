"""Who collects from a customer, and the bank account that it pays from."""

from services.sandbox.history import History, stream

COLLECTORS = 3  # of each entity
DIGITS = 12


def collectors(history: History) -> list[str]:
    """Each customer's collector: one of a few of its entity."""
    customers = history.customers
    chosen = stream(history.options, "collectors").integers(1, COLLECTORS + 1, size=len(customers))
    ids = [e.entity_id for e in history.options.entities]
    return [f"{ids[entity]}-collector-{number}" for entity, number in zip(customers.entity, chosen, strict=True)]


def accounts(history: History) -> list[str]:
    """Each customer's account, written as an IBAN with right check digits; it belongs to nobody."""
    customers = history.customers
    numbers = stream(history.options, "accounts").integers(0, 10**DIGITS, size=len(customers))
    return [iban(country, f"{number:0{DIGITS}d}") for country, number in zip(customers.countries, numbers, strict=True)]


def iban(country: str, number: str) -> str:
    """ISO 13616: the number, the country and 00 as digits (A is 10) leave 98 less the check digits, modulo 97."""
    letters = "".join(str(int(letter, 36)) for letter in country)
    return f"{country}{98 - int(f'{number}{letters}00') % 97:02d}{number}"
