"""What a full pull of a real Tryton brings, to the cent, against what was booked in it."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import pytest

from features.errors import SourceRefused
from pipelines.connectors.source import Json
from pipelines.connectors.tryton import Tryton
from pipelines.connectors.tryton_source import TrytonSource
from pipelines.systems.tryton import Erp

# the first run of a year installs Tryton and fills its books
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

Pull = Callable[..., tuple[list[Json], str | None]]
COMPANIES = ("DE01", "US01")


@pytest.fixture(scope="module", params=COMPANIES)
def company(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def of(records: list[Json], company: str) -> list[Json]:
    return [r for r in records if r["company"] == company]


def test_invoices_are_what_was_billed(pull: Pull, source: TrytonSource, erp: Erp, company: str) -> None:
    read = {
        r["id"]: {
            "customer": r["customer_id"],
            "issue_date": r["issue_date"],
            "currency": r["currency"],
            "amount": r["amount"],
            "instalments": [[i["due_date"], i["amount"]] for i in r["instalments"]],
            "order_id": r["order_id"],
        }
        for r in of(pull(source, "invoice")[0], company)
    }
    assert read == erp.truth[company]["invoices"]


def test_there_are_invoices_of_two_instalments_and_of_orders(
    pull: Pull, source: TrytonSource, erp: Erp, company: str
) -> None:
    told = erp.truth[company]["invoices"].values()
    assert sum(len(i["instalments"]) == 2 for i in told) > 10
    orders = {r["id"]: r for r in of(pull(source, "order")[0], company)}
    billed = [i for i in told if i["order_id"]]
    assert len(billed) > 5
    assert [orders[i["order_id"]]["amount"] for i in billed] == [i["amount"] for i in billed]
    assert {orders[i["order_id"]]["status"] for i in billed} == {"billed"}


def test_credit_notes_name_what_they_correct(pull: Pull, source: TrytonSource, erp: Erp, company: str) -> None:
    read = {
        r["id"]: {
            "customer": r["customer_id"],
            "issue_date": r["issue_date"],
            "currency": r["currency"],
            "amount": r["amount"],
            "invoice": r["invoice_id"],
        }
        for r in of(pull(source, "credit_note")[0], company)
    }
    assert read == erp.truth[company]["credit_notes"]


def test_payments_are_the_entries_of_the_bank(pull: Pull, source: TrytonSource, erp: Erp, company: str) -> None:
    read = Counter(
        (
            r["customer_id"],
            r["value_date"],
            r["currency"],
            r["amount"],
            r["reference"].removeprefix("Payment ").split()[0],
        )
        for r in of(pull(source, "payment")[0], company)
    )
    told = Counter((c, d, k, a, ref.split()[0]) for c, d, k, a, ref in erp.truth[company]["payments"])
    assert read == told


def test_allocations_settle_what_was_meant_on_the_day_of_the_money(
    pull: Pull, source: TrytonSource, erp: Erp, company: str
) -> None:
    read: Counter[tuple[str, ...]] = Counter()
    for r in of(pull(source, "allocation")[0], company):
        read[r["kind"], r["invoice_id"], r["date"], r["currency"]] += int(Decimal(r["amount"]) * 100)
    told: Counter[tuple[str, ...]] = Counter()
    for kind, invoice, day, currency, amount in erp.truth[company]["allocations"]:
        told[kind, invoice, day, currency] += int(Decimal(amount) * 100)
    assert {kind for kind, *_ in told} == {"payment", "credit_note", "write_off"}
    assert read == told


def test_allocations_come_from_payments_and_credit_notes_that_were_read(
    pull: Pull, source: TrytonSource, company: str
) -> None:
    given = Counter[str]()
    for name in ("payment", "credit_note"):
        for r in of(pull(source, name)[0], company):
            given[r["id"]] = abs(int(Decimal(r["amount"]) * 100))
    allocated = Counter[str]()
    ids = []
    for r in of(pull(source, "allocation")[0], company):
        ids.append(r["id"])
        if r["kind"] != "write_off":
            allocated[r["from_id"]] += int(Decimal(r.get("paid") or r["amount"]) * 100)
    assert len(ids) == len(set(ids))
    assert set(allocated) <= set(given)
    assert all(allocated[key] <= given[key] for key in allocated)


def test_no_instalment_is_settled_twice(pull: Pull, source: TrytonSource, company: str) -> None:
    owed = {
        (r["id"], i["number"]): Decimal(i["amount"])
        for r in of(pull(source, "invoice")[0], company)
        for i in r["instalments"]
    }
    for r in of(pull(source, "allocation")[0], company):
        owed[r["invoice_id"], r["instalment"]] -= Decimal(r["amount"])
    assert min(owed.values()) == 0


def test_disputes_have_their_invoice_and_what_became_of_them(
    pull: Pull, source: TrytonSource, erp: Erp, company: str
) -> None:
    read = {
        r["id"]: {
            "customer": r["customer_id"],
            "invoice": r["invoice_id"],
            "opened_on": r["opened_on"],
            "status": r["status"],
            "amount": r["amount"],
        }
        for r in of(pull(source, "dispute")[0], company)
    }
    assert read == erp.truth[company]["disputes"]


def test_companies_never_mix(pull: Pull, source: TrytonSource) -> None:
    for name in ("customer", "invoice", "credit_note"):
        for record in pull(source, name)[0]:
            assert record["id"].startswith(record["company"])
            assert record.get("customer_id", record["id"]).startswith(record["company"])
    payers = {(r["company"], r["customer_id"][:4]) for r in pull(source, "payment")[0]}
    assert payers == {(c, c) for c in COMPANIES}


def test_entities_keep_their_books_in_their_currency(pull: Pull, source: TrytonSource) -> None:
    read = {r["id"]: (r["currency"], r["country"], r["time_zone"]) for r in pull(source, "entity")[0]}
    assert read == {"DE01": ("EUR", "DE", "Europe/Berlin"), "US01": ("USD", "US", "America/Chicago")}


def test_a_euro_invoice_paid_in_dollars_tells_both_amounts(pull: Pull, source: TrytonSource, erp: Erp) -> None:
    paid = [r for r in of(pull(source, "allocation")[0], "US01") if r.get("paid")]
    received = {r["id"]: r for r in pull(source, "payment")[0]}
    assert paid
    for r in paid:
        assert (r["currency"], r["paid_currency"]) == ("EUR", "USD")
        assert received[r["from_id"]]["amount"] == r["paid"]
        assert received[r["from_id"]]["currency"] == "USD"


def test_rates_are_those_of_the_books(pull: Pull, source: TrytonSource, today: object) -> None:
    read = {
        (r["company"], r["currency"], r["to_currency"], r["day"][5:]): r["rate"] for r in pull(source, "fx_rate")[0]
    }
    assert read["US01", "EUR", "USD", "07-01"] == "1.082500000"
    assert read["DE01", "USD", "EUR", "07-01"] == "0.923787529"


def test_a_wrong_key_is_refused(erp: Erp) -> None:
    with pytest.raises(SourceRefused, match="refused the token"):
        Tryton.connect(erp.base_url, erp.database, "0" * 128)
