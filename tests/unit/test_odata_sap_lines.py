"""What SAP's lines become, drawn line by line: instalments, clearings of several with several, reversals."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from pipelines.connectors.sap_ledger import kind_of
from pipelines.connectors.sap_lines import RANKS_WITHDRAWN, Line, Stamps, allocations, documents, invoice, plain
from pipelines.connectors.sap_shapes import S4_V2

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
STAMPS = Stamps({"10": "Europe/Berlin"}, NOW)
KINDS = {"I": "invoice", "C": "credit_note", "P": "payment"}


def drawn(text: str) -> list[Line]:
    """`document item | posted | due | amount | clearing`, a day of May 2024 each; * for a reversed clearing."""
    return [line_of(*(cell.strip() for cell in row.split("|"))) for row in text.strip().splitlines()]


def line_of(name: str, posted: str, due: str, amount: str, clearing: str) -> Line:
    document, _, item = name.partition(" ")
    return Line(
        company="10",
        document=document,
        item=item or "1",
        kind=KINDS[document[0]],  # type: ignore[arg-type]
        customer="A",
        posted=f"2024-05-{posted:0>2}",
        dated=f"2024-05-{posted:0>2}",
        due=f"2024-05-{due:0>2}",
        entered=f"2024-05-{posted:0>2}",
        amount=Decimal(amount),
        currency="EUR",
        reference=None,
        clearing=clearing.strip("-*") or None,
        cleared="2024-05-30" if clearing.strip("-*") else None,
        clearing_day="2024-05-29" if clearing.strip("-*") else None,
        reopened=clearing == "*",
        changed_at="2024-05-30T10:00:00+00:00",
    )


def settled(text: str) -> list[str]:
    told = allocations(drawn(text), STAMPS)
    return [
        f"{r['kind']} {r['from_id']} {r['invoice_id']}/{r['instalment']} {r['date'][8:]} {r['amount']}" for r in told
    ]


def test_one_payment_settles_several_invoices_on_its_own_day() -> None:
    assert settled("""
        I1 | 1  | 20 | 60   | P1
        I2 | 2  | 10 | 40   | P1
        P1 | 25 | 25 | -100 | P1
    """) == ["payment P1 I2/1 25 40", "payment P1 I1/1 25 60"]


def test_credit_notes_go_first_then_payments_by_their_day() -> None:
    assert settled("""
        I1 | 1  | 10 | 100 | P2
        I2 | 2  | 20 | 50  | P2
        C1 | 9  | 9  | -30 | P2
        P1 | 12 | 12 | -80 | P2
        P2 | 25 | 25 | -40 | P2
    """) == [
        "credit_note C1 I1/1 29 30",
        "payment P1 I1/1 12 70",
        "payment P1 I2/1 12 10",
        "payment P2 I2/1 25 40",
    ]


def test_what_no_credit_covers_is_written_off_on_the_day_of_clearing() -> None:
    assert settled("""
        I1 | 1  | 10 | 100.00 | P1
        P1 | 12 | 12 | -98.00 | P1
    """) == ["payment P1 I1/1 12 98", "write_off None I1/1 29 2"]


def test_what_is_paid_too_much_stays_unapplied() -> None:
    assert settled("""
        I1 | 1  | 10 | 10  | P1
        P1 | 12 | 12 | -15 | P1
    """) == ["payment P1 I1/1 12 10"]


def test_each_line_of_an_invoice_is_settled_as_its_own_instalment() -> None:
    assert settled("""
        I1 1 | 1  | 10 | 50  | P1
        I1 2 | 1  | 20 | 50  | -
        P1   | 12 | 12 | -50 | P1
    """) == ["payment P1 I1/1 12 50"]


def test_open_lines_settle_nothing() -> None:
    assert settled("I1 | 1 | 10 | 50 | -\nP1 | 5 | 5 | -50 | -") == []


def test_a_reversed_clearing_takes_its_settlements_back() -> None:
    told = list(allocations(drawn("I1 | 1 | 10 | 50 | *"), STAMPS))
    assert [(r["id"], r["deleted"]) for r in told] == [(f"I1:1:{n}", True) for n in range(1, RANKS_WITHDRAWN + 1)]


def test_facts_are_known_from_the_start_of_the_day_of_entry_where_the_company_is() -> None:
    (lines,) = documents(drawn("I1 | 3 | 10 | 50 | -"), "invoice").values()
    record = invoice(lines, STAMPS)
    assert (record["known_at"], record["changed_at"]) == ("2024-05-03T00:00:00+02:00", "2024-05-30T10:00:00+00:00")
    assert record["instalments"] == [{"number": 1, "due_date": "2024-05-10", "amount": "50"}]


def test_nothing_is_known_in_the_future() -> None:
    early = Stamps({"10": "UTC"}, datetime(2024, 5, 2, tzinfo=UTC))
    assert early.known("10", "2024-05-03") == "2024-05-02T00:00:00+00:00"


@pytest.mark.parametrize(
    ("document_type", "signed", "kind"),
    [
        ("DR", 1, "invoice"),
        ("RV", -1, "credit_note"),
        ("DG", -1, "credit_note"),
        ("DZ", -1, "payment"),
        ("AB", 1, None),
    ],
)
def test_the_document_type_says_what_a_line_is(document_type: str, signed: int, kind: str | None) -> None:
    assert kind_of(S4_V2, document_type, Decimal(signed)) == kind


@pytest.mark.parametrize(
    ("amount", "text"), [("29496.200", "29496.20"), ("100.000", "100"), ("0.125", "0.125"), ("-5.5", "-5.50")]
)
def test_amounts_are_written_without_needless_zeros(amount: str, text: str) -> None:
    assert plain(Decimal(amount)) == text
