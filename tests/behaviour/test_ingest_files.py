"""What an ingest of files promises: clear refusals, nothing half-loaded, every row accounted for, honest history."""

import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from features.errors import BadInput, BadSetting, DuecastError, NotFound
from features.lake import Lake
from features.tables import ALLOCATION, CUSTOMER, CUSTOMER_ATTRIBUTE, ENTITY, FX_RATE, INVOICE, PAYMENT, TABLES
from pipelines.ingest import ingest_files
from pipelines.mapping import load, parse
from pipelines.run_report import RunReport, Unmatched, render
from services.runs import Counts, Status
from services.store import Store

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"

MAPPING = """\
source: test
entities:
  UK: {name: Acme Ltd, country: GB, currency: GBP, time_zone: Europe/London}
  JP: {name: Acme KK, country: JP, currency: JPY, time_zone: Asia/Tokyo}
entity: {column: company}
files:
  - path: ar.csv
    tables:
      - table: invoice
        fields:
          invoice_id: id
          customer_id: customer
          issue_date: issued
          terms_days: terms
          amount: amount
          currency: currency
      - table: payment
        when: {column: paid, present: true}
        fields: {payment_id: {template: "P-{id}"}, customer_id: customer, value_date: paid, amount: amount,
                 currency: currency}
      - table: allocation
        when: {column: paid, present: true}
        fields: {from_id: {template: "P-{id}"}, invoice_id: id, date: paid, amount: amount, currency: currency}
"""
HEADER = "company,id,customer,issued,terms,amount,currency,paid\n"
SOUND = "UK,1,C1,2024-01-10,30,100.00,GBP,2024-02-12\nJP,1,C9,2024-01-10,0,5000,JPY,\n"


class World:
    """A folder, a lake and a store of one test."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "data"
        self.folder.mkdir()
        self.lake = Lake(root / "lake")
        self.store = Store(f"sqlite:///{root / 'store.db'}")

    def ingest(self, ledger: str, *, now: datetime = NOW, mapping: str = MAPPING) -> RunReport:
        (self.folder / "ar.csv").write_text(ledger, "utf-8")
        return ingest_files(self.folder, parse(mapping, "my.yaml"), self.lake, self.store, now=now)

    def refused(self, ledger: str, mapping: str = MAPPING) -> str:
        """The message of a refusal, after making sure that nothing landed and that the run is told as failed."""
        with pytest.raises(DuecastError) as caught:
            self.ingest(ledger, mapping=mapping)
        assert self.landed() == 0
        run = self.store.runs()[0]
        assert (run.status, run.error) == (Status.FAILED, str(caught.value))
        return str(caught.value)

    def landed(self) -> int:
        return sum(self.lake.versions(t).collect().height for t in TABLES)

    def quarantined(self) -> list[str]:
        bad = self.store.quarantined().sort("table", "where", "field")
        return [f"{r['table']}, {r['where']}: {r['field']} is {r['value']!r}; {r['allowed']}" for r in bad.to_dicts()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# what is wrong with the file as a whole


def test_an_unknown_column_loads_nothing(world: World) -> None:
    said = world.refused((HEADER + SOUND).replace("customer,", "costumer,", 1))
    assert "ar.csv: no column 'customer', which the mapping names; it has: company, id, costumer" in said
    assert "did you mean 'costumer'?" in said


@pytest.mark.parametrize("ledger", [HEADER, HEADER.rstrip(), HEADER + "\n\n , \n"])
def test_an_empty_ledger_is_refused(ledger: str, world: World) -> None:
    assert "ar.csv: a header but no rows; allowed: at least one row" in world.refused(ledger)


def test_a_file_without_content_is_refused(world: World) -> None:
    assert "ar.csv line 1: no column names there" in world.refused("")


def test_a_second_file_that_cannot_be_read_stops_the_first_from_landing(world: World) -> None:
    (world.folder / "other.csv").write_text('customer\n"never closed\n')
    second = "  - path: other.csv\n    tables: [{table: customer, fields: {customer_id: customer}}]\n"
    both = MAPPING.replace("entity: {column: company}\n", "").replace("  JP: {name: Acme KK, country: JP, ", "#")
    both = both + second
    assert "other.csv line" in world.refused((HEADER + SOUND).replace("JP,", "UK,"), both)


def test_a_missing_file_names_the_folder(world: World) -> None:
    with pytest.raises(NotFound, match=r"data: no file matches 'ar.csv'; there is: no file at all"):
        ingest_files(world.folder, parse(MAPPING, "my.yaml"), world.lake, world.store, now=NOW)


def test_a_mapping_for_an_api_is_refused(world: World) -> None:
    with pytest.raises(BadSetting, match=r"mapping 'sandbox' has no files, it is for an API"):
        ingest_files(world.folder, load("sandbox"), world.lake, world.store, now=NOW)


# what is wrong with a row


ISSUED = "a date written as YYYY-MM-DD, in column 'issued'"
TERMS = "a whole number such as 30, in column 'terms'"
CURRENCY = "an ISO 4217 code such as USD, EUR, JPY, in column 'currency'"
AMOUNT = "an amount such as 1234.50, with no more decimals than its currency has, in column 'amount'"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("UK,7,C1,10.01.2024,30,1.00,GBP,", f"issue_date is '10.01.2024'; {ISSUED}"),
        ("UK,7,C1,,30,1.00,GBP,", f"issue_date is None; {ISSUED}"),
        ("UK,7,C1,2024-01-10,-30,1.00,GBP,", "terms_days is '-30'; 0 to 3660 days (no negative terms)"),
        ("UK,7,C1,2024-01-10,,1.00,GBP,", f"terms_days is None; {TERMS}"),
        ("UK,7,C1,2024-01-10,30,1.00,EURO,", f"currency is 'EURO'; {CURRENCY}"),
        ("UK,7,C1,2024-01-10,30,1.00,,", f"currency is None; {CURRENCY}"),
        ("JP,7,C1,2024-01-10,30,1.50,JPY,", f"amount is '1.50'; {AMOUNT}"),
        ("UK,7,C1,2024-01-10,30,,GBP,", f"amount is None; {AMOUNT}"),
        (",7,C1,2024-01-10,30,1.00,GBP,", "entity_id is None; one of UK, JP, in column 'company'"),
        ("FR,7,C1,2024-01-10,30,1.00,EUR,", "entity_id is 'FR'; one of UK, JP, in column 'company'"),
        ("UK,,C1,2024-01-10,30,1.00,GBP,", "invoice_id is None; text, in column 'id'"),
        ("UK,7,,2024-01-10,30,1.00,GBP,", "customer_id is None; text, in column 'customer'"),
        ("UK,7,C1,2024-01-10,30", "line is '5 fields'; 8 fields, as many as the header has"),
    ],
)
def test_a_bad_row_is_quarantined_in_one_clear_line_and_the_rest_lands(row: str, said: str, world: World) -> None:
    report = world.ingest(HEADER + SOUND + row + "\n")
    assert f"invoice, ar.csv line 4: {said}" in world.quarantined()
    invoices = next(f for f in report.feeds if f.table == "invoice")
    assert invoices.counts == Counts(read=3, landed=2, duplicates=0, quarantined=1)
    assert [str(v) for v in invoices.first] == [
        f"ar.csv line 4: {said}".replace("is None;", "is missing;").replace("; ", "; allowed: ", 1)
    ]


def test_the_payload_of_a_bad_row_is_kept(world: World) -> None:
    world.ingest(HEADER + SOUND + "UK,7,C1,2024-01-10,30,x,GBP,\n")
    assert world.store.quarantined()["payload"].to_list() == [
        '{"company":"UK","id":"7","customer":"C1","issued":"2024-01-10","terms":"30","amount":"x","currency":"GBP",'
        '"paid":null}'
    ]


def test_an_invoice_paid_before_issue_is_set_aside_whole(world: World) -> None:
    report = world.ingest(HEADER + SOUND + "UK,7,C1,2024-01-10,30,1.00,GBP,2024-01-09\n")
    told = "date is '2024-01-09'; on or after 2024-01-10, the issue date of invoice 7"
    assert world.quarantined() == [
        f"allocation, ar.csv line 4: {told}",
        f"invoice, ar.csv line 4: allocation.{told}",
        f"payment, ar.csv line 4: allocation.{told}",
    ]
    assert report.counts.quarantined == 3
    assert world.lake.versions(INVOICE).collect()["invoice_id"].to_list() == ["1", "1"]


def test_an_unreadable_amount_sets_aside_payment_and_allocation_too(world: World) -> None:
    world.ingest(HEADER + SOUND + "UK,7,C1,2024-13-10,30,1.00,GBP,2024-02-09\n")
    assert [line.split(":")[0] for line in world.quarantined()] == [
        "allocation, ar.csv line 4",
        "invoice, ar.csv line 4",
        "payment, ar.csv line 4",
    ]
    assert world.lake.versions(PAYMENT).collect().height == 1


def test_the_same_id_with_other_content_sets_both_aside(world: World) -> None:
    report = world.ingest(HEADER + SOUND + "UK,7,C1,2024-01-10,30,1.00,GBP,\nUK,7,C1,2024-01-10,30,2.00,GBP,\n")
    assert world.quarantined() == [
        "invoice, ar.csv line 4: invoice_id is '7 (with other content at ar.csv line 5)'; one content per invoice_id",
        "invoice, ar.csv line 5: invoice_id is '7 (with other content at ar.csv line 4)'; one content per invoice_id",
    ]
    assert next(f for f in report.feeds if f.table == "invoice").counts == Counts(4, 2, 0, 2)


def two_files(world: World, mapping: str, first: str, second: str) -> RunReport:
    (world.folder / "ar-2.csv").write_text(HEADER + second, "utf-8")
    (world.folder / "ar-1.csv").write_text(HEADER + first, "utf-8")
    return ingest_files(world.folder, parse(mapping, "my.yaml"), world.lake, world.store, now=NOW)


def test_the_same_id_with_other_content_in_another_file_sets_both_aside(world: World) -> None:
    """With the rest of their lines; what both files say alike is a repetition."""
    other = SOUND.replace("100.00", "999.00").replace("2024-01-10,30", "2024-01-11,30")
    report = two_files(world, MAPPING.replace("ar.csv", "ar-*.csv"), SOUND, other)
    one = "one content per invoice_id"
    assert [line for line in world.quarantined() if line.startswith("invoice")] == [
        f"invoice, ar-1.csv line 2: invoice_id is '1 (with other content at ar-2.csv line 2)'; {one}",
        f"invoice, ar-2.csv line 2: invoice_id is '1 (with other content at ar-1.csv line 2)'; {one}",
    ]
    assert report.counts == Counts(read=10, landed=3, duplicates=1, quarantined=6)
    assert world.lake.versions(INVOICE).collect()["entity_id"].to_list() == ["JP"]


def test_the_same_line_twice_counts_as_a_duplicate(world: World) -> None:
    report = world.ingest(HEADER + SOUND + SOUND)
    assert [f.counts.duplicates for f in report.feeds] == [0, 2, 1, 1]
    assert report.counts.quarantined == 0


def test_the_same_id_in_two_companies_is_two_invoices(world: World) -> None:
    world.ingest(HEADER + SOUND)
    assert world.lake.versions(INVOICE).sort("entity_id").collect()["entity_id"].to_list() == ["JP", "UK"]


def test_a_ledger_of_two_rows_lands(world: World) -> None:
    report = world.ingest(HEADER + SOUND)
    assert report.counts == Counts(read=6, landed=6)


def test_a_ledger_of_which_nothing_can_be_read_lands_nothing_and_ties(world: World) -> None:
    report = world.ingest(HEADER + "UK,1,C1,1.1.24,30,1,GBP,\nUK,2,C1,1.1.24,30,1,GBP,\n")
    assert next(f for f in report.feeds if f.table == "invoice").counts == Counts(2, 0, 0, 2)


def test_a_payment_file_may_not_settle_an_invoice_before_its_issue_in_an_earlier_run(world: World) -> None:
    world.ingest(HEADER + SOUND)
    payments = """\
source: bank
entities: {UK: {name: Acme Ltd, currency: GBP, time_zone: Europe/London}}
files:
  - path: ar.csv
    tables:
      - table: allocation
        fields: {from_id: payment, invoice_id: invoice, date: day, amount: amount}
"""
    report = world.ingest(
        "payment,invoice,day,amount\nB1,1,2024-01-09,1\nB2,1,2024-01-10,1\nB3,2,2020-01-01,1\n", mapping=payments
    )
    assert report.feeds[-1].counts == Counts(read=3, landed=2, quarantined=1)
    assert [str(v) for v in report.feeds[-1].first] == [
        "ar.csv line 2: date is '2024-01-09'; allowed: on or after 2024-01-10, the issue date of invoice 1"
    ]


# history


def test_facts_are_known_from_the_start_of_their_day_where_the_entity_is(world: World) -> None:
    world.ingest(HEADER + SOUND)
    known = {r["entity_id"]: r["known_at"] for r in world.lake.versions(INVOICE).collect().to_dicts()}
    assert known == {"UK": datetime(2024, 1, 10, tzinfo=UTC), "JP": datetime(2024, 1, 9, 15, tzinfo=UTC)}
    paid = world.lake.versions(ALLOCATION).collect()
    assert paid["known_at"].to_list() == [datetime(2024, 2, 12, tzinfo=UTC)]


def test_entities_are_known_from_the_beginning(world: World) -> None:
    world.ingest(HEADER + SOUND)
    assert world.lake.known(ENTITY, datetime(1970, 1, 2, tzinfo=UTC)).collect().height == 2


def test_the_same_file_again_adds_nothing(world: World) -> None:
    first = world.ingest(HEADER + SOUND)
    again = world.ingest(HEADER + SOUND, now=NOW + timedelta(days=1))
    assert (again.counts.read, again.counts.landed, again.counts.duplicates) == (first.counts.read, 0, 6)


def test_a_correction_is_learnt_when_it_arrives_and_never_before(world: World) -> None:
    world.ingest(HEADER + SOUND)
    later = NOW + timedelta(days=1)
    for _ in range(2):  # the second time it is no news
        report = world.ingest(HEADER + SOUND.replace("100.00", "90.00"), now=later)
        later += timedelta(days=1)
    assert report.counts.landed == 0
    amounts = world.lake.versions(INVOICE).filter(pl.col("entity_id") == "UK").collect()
    assert amounts.select("known_at", "amount_minor").rows() == [
        (datetime(2024, 1, 10, tzinfo=UTC), 10000),
        (NOW + timedelta(days=1), 9000),
    ]
    back = world.ingest(HEADER + SOUND, now=later)
    assert [f.counts.landed for f in back.feeds] == [0, 1, 1, 1]


def test_an_invoice_in_advance_is_known_as_soon_as_it_is_told(world: World) -> None:
    """And it is no news when its day has come."""
    advance = HEADER + SOUND.replace("2024-01-10,0,5000", "2024-07-01,0,5000")
    world.ingest(advance)
    again = world.ingest(advance, now=NOW + timedelta(days=60))
    assert again.counts.landed == 0
    known = world.lake.versions(INVOICE).filter(pl.col("entity_id") == "JP").collect()
    assert known.select("known_at", "issue_date").rows() == [(NOW, date(2024, 7, 1))]


def test_an_invoice_in_advance_that_turns_out_otherwise_is_corrected_when_that_is_told(world: World) -> None:
    advance = HEADER + SOUND.replace("2024-01-10,0,5000", "2024-07-01,0,5000")
    world.ingest(advance)
    world.ingest(advance.replace("5000", "4000"), now=NOW + timedelta(days=1))
    known = world.lake.versions(INVOICE).filter(pl.col("entity_id") == "JP").collect()
    assert known.select("known_at", "amount_minor").rows() == [(NOW, 5000), (NOW + timedelta(days=1), 4000)]


def test_an_invoice_that_gets_paid_keeps_its_own_history(world: World) -> None:
    world.ingest(HEADER + SOUND)
    paid = SOUND.replace("JPY,\n", "JPY,2024-03-01\n")
    report = world.ingest(HEADER + paid, now=NOW + timedelta(days=1))
    assert [f.counts.landed for f in report.feeds] == [0, 0, 1, 1]


NAMES = """\
source: names
entities: {UK: {name: Acme Ltd, currency: GBP, time_zone: UTC}}
files:
  - path: ar.csv
    tables:
      - table: customer
        known_at: {start_of: day}
        repeats: last
        fields: {customer_id: id, name: {column: name, parser: name}}
"""


def customers(world: World) -> list[tuple[date, str]]:
    found = world.lake.versions(CUSTOMER).select(pl.col("known_at").dt.date(), "name").collect()
    return found.rows()


def test_the_last_spelling_of_a_day_counts(world: World) -> None:
    world.ingest("id,day,name\nC,2024-01-01,a\nC,2024-01-02,b\nC,2024-01-01,c\n", mapping=NAMES)
    assert customers(world) == [(date(2024, 1, 1), "c"), (date(2024, 1, 2), "b")]


def test_an_older_spelling_that_turns_out_otherwise_does_not_override_a_newer_one(world: World) -> None:
    world.ingest("id,day,name\nC,2024-01-01,a\nC,2024-01-02,b\n", mapping=NAMES)
    report = world.ingest("id,day,name\nC,2024-01-01,z\nC,2024-01-02,b\n", mapping=NAMES, now=NOW + timedelta(days=1))
    assert report.counts.landed == 0
    assert customers(world) == [(date(2024, 1, 1), "a"), (date(2024, 1, 2), "b")]


def test_the_newest_spelling_can_be_corrected(world: World) -> None:
    world.ingest("id,day,name\nC,2024-01-01,a\nC,2024-01-02,b\n", mapping=NAMES)
    world.ingest("id,day,name\nC,2024-01-01,a\nC,2024-01-02,x\n", mapping=NAMES, now=NOW + timedelta(days=1))
    assert customers(world) == [(date(2024, 1, 1), "a"), (date(2024, 1, 2), "b"), (date(2024, 6, 2), "x")]


def test_of_spellings_of_days_to_come_the_last_is_known_now(world: World) -> None:
    ledger = "id,day,name\nC,2024-08-01,c\nC,2024-07-01,b\nC,2024-01-01,a\n"
    assert world.ingest(ledger, mapping=NAMES).feeds[-1].counts == Counts(read=3, landed=2, duplicates=1)
    assert customers(world) == [(date(2024, 1, 1), "a"), (NOW.date(), "c")]
    assert world.ingest(ledger, mapping=NAMES, now=NOW + timedelta(days=1)).counts.landed == 0


def test_an_earlier_file_that_comes_later_lands_where_it_belongs(world: World) -> None:
    world.ingest("id,day,name\nC,2024-02-01,b\n", mapping=NAMES)
    world.ingest("id,day,name\nC,2024-01-01,a\n", mapping=NAMES, now=NOW + timedelta(days=1))
    assert customers(world) == [(date(2024, 1, 1), "a"), (date(2024, 2, 1), "b")]


# what is told


class Bars:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, int | None]] = []

    def begin(self, feed: str, total: int | None) -> None:
        self.told.append(("begin", feed, total))

    def advance(self, feed: str, rows: int) -> None:
        self.told.append(("advance", feed, rows))

    def end(self, feed: str) -> None:
        self.told.append(("end", feed, None))


def test_progress_is_told_and_ends(world: World) -> None:
    (world.folder / "ar.csv").write_text(HEADER + SOUND)
    bars = Bars()
    ingest_files(world.folder, parse(MAPPING, "m"), world.lake, world.store, now=NOW, progress=bars)
    assert bars.told[:3] == [
        ("begin", "read ar.csv", None),
        ("advance", "read ar.csv", 2),
        ("end", "read ar.csv", None),
    ]
    assert ("begin", "ar.csv: invoice", 2) in bars.told
    assert ("advance", "ar.csv: invoice", 2) in bars.told
    assert [f for what, f, _ in bars.told if what == "begin"] == [f for what, f, _ in bars.told if what == "end"]


def test_the_store_knows_the_run_the_counts_and_the_file(world: World) -> None:
    report = world.ingest(HEADER + SOUND)
    run = world.store.run(report.run_id)
    assert run.status is Status.DONE
    assert {f.feed: f.counts for f in run.feeds} == {f.feed: f.counts for f in report.feeds}
    assert len(world.store.cursor("test", "ar.csv: invoice") or "") == 64


def test_the_report_fits_a_hundred_columns_and_explains_itself(world: World) -> None:
    rows = "".join(f"UK,{i},C1,2024-01-10,30,bad,GBP,\n" for i in range(10, 18))
    report = world.ingest(HEADER.strip() + ",[bold]notes\n" + SOUND.replace("\n", ",\n") + rows.replace("\n", ",\n"))
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(render(report))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 100
    assert "ar.csv: invoice" in text
    assert "quarantined  ar.csv line 4: amount is 'bad'; allowed: an amount such as 1234.50" in text
    assert f"8 rows in all, with their reasons, in the quarantine of run {report.run_id}" in " ".join(text.split())
    assert "not used     ar.csv: [bold]notes" in text


BANK = """\
source: bank
entities: {UK: {name: Acme Ltd, currency: GBP, time_zone: Europe/London}}
files:
  - path: ar.csv
    tables:
      - table: allocation
        fields: {from_id: payment, invoice_id: invoice, instalment: part, date: day, amount: amount,
                 currency: currency}
"""


def remarks(report: RunReport) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(render(report))
    return " ".join(console.export_text().split())


def test_allocations_that_settle_nothing_known_are_told(world: World) -> None:
    """Of a lost zero, of an instalment that is not there, of a currency told before the invoice was."""
    lines = [
        "B1,1,1,2024-02-12,1,GBP",
        "B2,01,1,2024-02-12,1,GBP",
        "B3,1,2,2024-02-12,1,GBP",
        "B4,9,1,2024-02-12,1,EUR",
    ]
    bank = "\n".join(["payment,invoice,part,day,amount,currency", *lines])
    first = world.ingest(bank, mapping=BANK)
    assert first.unmatched == Unmatched(4, of=4)
    report = world.ingest(HEADER + SOUND + "UK,9,C1,2024-01-10,30,1.00,GBP,\n")
    assert report.unmatched == Unmatched(3, of=5)
    assert (
        "unmatched 3 of 5 allocations name an invoice, instalment or currency that the lake does not know: "
        "do the ids match (lost zeros)?"
    ) in remarks(report)


def test_nothing_is_told_of_allocations_where_all_match_or_none_came(world: World) -> None:
    assert "unmatched" not in remarks(world.ingest(HEADER + SOUND))
    again = world.ingest("id,day,name\nC,2024-01-01,a\n", mapping=NAMES)
    assert again.unmatched == Unmatched(0, of=0)


def test_a_missing_amount_may_fall_back_where_the_mapping_says_so(world: World) -> None:
    mapping = MAPPING.replace("          amount: amount\n", "          amount: {column: amount, fallback: net}\n")
    world.ingest(
        HEADER.strip() + ",net\nUK,1,C1,2024-01-10,30,,GBP,,12.50\nUK,2,C1,2024-01-10,30,N/A,GBP,,\n", mapping=mapping
    )
    assert world.lake.versions(INVOICE).collect()["amount_minor"].to_list() == [1250]
    assert "amount is None" in world.quarantined()[0]
    assert "in column 'amount' or 'net'" in world.quarantined()[0]


# other formats and tables

TYPED = """\
source: typed
entities: {UK: {name: Acme Ltd, currency: GBP, time_zone: UTC}}
files:
  - path: ar.*
    format: FORMAT
    dates: "%d.%m.%Y"
    tables:
      - table: invoice
        known_at: {instant: booked}
        fields: {invoice_id: id, customer_id: customer, issue_date: issued, due_date: due, amount: amount}
"""
INVOICES = pl.DataFrame(
    {
        "id": [1001, 1002],
        "customer": ["C1", "C2"],
        "issued": [date(2024, 1, 10), date(2024, 1, 11)],
        "due": ["09.02.2024", "10.02.2024"],
        "amount": [100.5, 0.1 + 0.2],
        "booked": ["2024-01-10T08:00:00Z", "2024-01-11T08:00:00.0001Z"],
    }
)


def write_csv(path: Path) -> None:
    texts = INVOICES.with_columns(pl.col("issued").dt.to_string("%d.%m.%Y"), pl.Series("amount", ["100,5", "0,30"]))
    texts.write_csv(path, separator=";")


def write_xlsx(path: Path) -> None:
    INVOICES.write_excel(path)


def write_parquet(path: Path) -> None:
    INVOICES.write_parquet(path)


def test_the_same_ledger_is_the_same_facts_in_every_format(world: World) -> None:
    landed = []
    for kind, write in {"csv": write_csv, "parquet": write_parquet, "xlsx": write_xlsx}.items():
        write(world.folder / f"ar.{kind}")
        mapping = TYPED.replace("FORMAT", kind)
        if kind == "csv":
            mapping = mapping.replace("    dates:", '    separator: ";"\n    decimal: ","\n    dates:')
        report = ingest_files(world.folder, parse(mapping, "m"), world.lake, world.store, now=NOW)
        landed.append(report.counts)
        (world.folder / f"ar.{kind}").unlink()
    assert landed == [Counts(3, 3), Counts(3, 0, 3), Counts(3, 0, 3)]
    facts = world.lake.versions(INVOICE).select("invoice_id", "issue_date", "amount_minor", "known_at").collect()
    assert facts.rows() == [
        ("1001", date(2024, 1, 10), 10050, datetime(2024, 1, 10, 8, tzinfo=UTC)),
        ("1002", date(2024, 1, 11), 30, datetime(2024, 1, 11, 8, 0, 0, 1000, tzinfo=UTC)),
    ]


def test_what_a_source_dates_itself_is_not_dated_again(world: World) -> None:
    """A correction with its own instant keeps it, also when it is older than this ingest."""
    mapping = TYPED.replace("FORMAT", "parquet")
    for amount, booked in ((1.0, "2024-01-10T08:00:00Z"), (2.0, "2024-01-20T08:00:00Z")):
        changed = INVOICES.head(1).with_columns(pl.lit(amount).alias("amount"), pl.lit(booked).alias("booked"))
        changed.write_parquet(world.folder / "ar.parquet")
        ingest_files(world.folder, parse(mapping, "m"), world.lake, world.store, now=NOW)
    assert world.lake.versions(INVOICE).collect()["known_at"].to_list() == [
        datetime(2024, 1, 10, 8, tzinfo=UTC),
        datetime(2024, 1, 20, 8, tzinfo=UTC),
    ]


def test_versions_that_a_source_dates_itself_may_differ_between_files(world: World) -> None:
    for amount, day in ((1.0, 10), (2.0, 20)):
        booked = pl.lit(f"2024-01-{day}T08:00:00Z").alias("booked")
        version = INVOICES.head(1).with_columns(pl.lit(amount).alias("amount"), booked)
        version.write_parquet(world.folder / f"ar.{day}.parquet")
    mapping = TYPED.replace("FORMAT", "parquet")
    report = ingest_files(world.folder, parse(mapping, "m"), world.lake, world.store, now=NOW)
    assert report.counts == Counts(read=3, landed=3)


def test_rates_and_long_attributes_get_their_ids_by_themselves(world: World) -> None:
    mapping = """\
source: side
entities: {UK: {name: Acme Ltd, currency: GBP, time_zone: UTC}}
files:
  - path: ar.csv
    tables:
      - table: fx_rate
        when: {column: kind, equals: rate}
        fields: {currency: what, to_currency: {constant: GBP}, day: day, rate: value}
      - table: customer_attribute
        when: [{column: kind, not_equals: rate}, {column: what, matches: "^[a-z]+$"}]
        fields: {customer_id: kind, name: what, day: day, value: value}
"""
    ledger = (
        "kind,what,day,value\nrate,EUR,2024-01-10,0.8612345\nrate,USD,2024-01-10,-1\nC1,staff,2024-01-10,12\nC1,X,,\n"
    )
    report = world.ingest(ledger, mapping=mapping)
    assert [f.counts for f in report.feeds[1:]] == [Counts(1, 1), Counts(2, 1, 0, 1)]
    assert world.lake.versions(FX_RATE).collect()["fx_rate_id"].to_list() == ["EUR:GBP:2024-01-10"]
    attributes = world.lake.versions(CUSTOMER_ATTRIBUTE).select("attribute_id", "value").collect()
    assert attributes.rows() == [("C1:staff:2024-01-10", 12.0)]


# the files that the shipped mappings are for


IBM = {"entity": 1, "customer": 100, "customer_attribute": 100, "invoice": 2466, "payment": 2466, "allocation": 2466}
HIGHRADIUS = {"entity": 5, "customer": 4123, "invoice": 9708, "payment": 40, "allocation": 40}


@pytest.mark.parametrize(("name", "landed"), [("ibm-ar", IBM), ("highradius", HIGHRADIUS)])
def test_the_real_files_land(name: str, landed: dict[str, int], world: World) -> None:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"the real data set {name} is not beside the project")
    report = ingest_files(folder, load(name), world.lake, world.store, now=NOW)
    assert {t.name: n for t in TABLES if (n := world.lake.versions(t).collect().height)} == landed
    assert report.counts.quarantined == (32 if name == "highradius" else 0)
    for bad in world.store.quarantined().to_dicts():
        file, line = bad["where"].split(" line ")
        text = (folder / file).read_text().splitlines()[int(line) - 1]
        assert bad["value"] in text.split(",")
    customers = world.lake.versions(CUSTOMER).collect()["customer_id"]
    if name == "highradius":
        assert not customers.str.contains(r"^[0-9]{1,9}$").any()


def test_the_real_ledger_is_exact_to_the_cent(world: World) -> None:
    folder = SHARED / "ibm-ar"
    if not folder.is_dir():
        pytest.skip("the real data set ibm-ar is not beside the project")
    ingest_files(folder, load("ibm-ar"), world.lake, world.store, now=NOW)
    raw = pl.read_csv(folder / "accounts-receivable.csv", infer_schema=False)
    total = raw["InvoiceAmount"].cast(pl.Decimal(18, 2)).sum()
    assert world.lake.versions(INVOICE).collect()["amount_minor"].sum() == int(total * 100)
    days = (
        world.lake.versions(ALLOCATION)
        .collect()
        .join(world.lake.versions(INVOICE).collect(), on="invoice_id")
        .select((pl.col("date") - pl.col("issue_date")).dt.total_days())
    )
    assert days.to_series().sum() == raw["DaysToSettle"].cast(pl.Int64).sum()


def test_a_cutoff_before_the_first_fact_knows_nothing_but_the_entities(world: World) -> None:
    world.ingest(HEADER + SOUND)
    early = datetime(2000, 1, 1, tzinfo=UTC)
    assert [t.name for t in TABLES if world.lake.known(t, early).collect().height] == ["entity"]
    assert BadInput.exit_code == 2
