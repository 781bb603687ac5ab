"""Bank files into the lake: once, whole, ours, and with every gap named."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from features.errors import BadSetting, StateError
from features.lake import Lake
from features.tables import BANK_ENTRY, BANK_STATEMENT, ENTITY
from pipelines import bank_feeds
from pipelines.bank.arrivals import Folder
from pipelines.bank_feeds import BankReport, ingest_bank
from pipelines.connectors.web import Call
from pipelines.landscape import Account, BankSystem, parse_landscape
from pipelines.system_ingest import ingest_system
from services.calls import CallLog, Calls
from services.heartbeats import Heartbeats
from services.store import Store

NOW = datetime(2026, 3, 10, 8, tzinfo=UTC)
IBAN = "DE02120300000000202051"
BANK = BankSystem(folder="in", accounts={"main": Account(number=IBAN, entity="DE01", currency="EUR")})


def statement(number: int, opening: int, *amounts: int, account: str = IBAN) -> str:
    """MT940 of day `number` of March 2026; amounts in whole euros."""
    lines = [f":20:S{number}", f":25:{account}", f":28C:{number}/1", f":60F:C2603{number:02d}EUR{opening},00"]
    for place, amount in enumerate(amounts):
        sign = "C" if amount >= 0 else "D"
        lines += [
            f":61:2603{number:02d}03{number:02d}{sign}{abs(amount)},00NTRFNONREF//B{number}-{place}",
            f":86:invoice {place}",
        ]
    closing = opening + sum(amounts)
    return "\n".join([*lines, f":62F:C2603{number:02d}EUR{closing},00", "-", ""])


def camt(kind: str, *, balances: bool) -> str:
    """camt.053 or .054 of one credit of 50 euros, which both call B1."""
    part, of = ("Stmt", "BkToCstmrStmt") if kind == "053" else ("Ntfctn", "BkToCstmrDbtCdtNtfctn")
    bal = "".join(
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy='EUR'>{amount}.00</Amt>"
        "<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-03-02</Dt></Dt></Bal>"
        for code, amount in (("OPBD", 100), ("CLBD", 150))
    )
    return (
        f"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.{kind}.001.08'><{of}><GrpHdr><MsgId>M{kind}</MsgId>"
        f"<CreDtTm>2026-03-02T18:00:00Z</CreDtTm></GrpHdr><{part}><Id>S{kind}</Id><CreDtTm>2026-03-02T18:00:00Z</CreDtTm>"
        f"<Acct><Id><IBAN>{IBAN}</IBAN></Id><Ccy>EUR</Ccy></Acct>{bal if balances else ''}"
        "<Ntry><Amt Ccy='EUR'>50.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>"
        "<BookgDt><Dt>2026-03-02</Dt></BookgDt><ValDt><Dt>2026-03-02</Dt></ValDt><AcctSvcrRef>B1</AcctSvcrRef>"
        "<NtryDtls><TxDtls><RmtInf><Ustrd>invoice 0</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
        f"</{part}></{of}></Document>"
    )


class World:
    def __init__(self, root: Path) -> None:
        self.folder, self.lake = root / "in", Lake(root / "lake")
        self.folder.mkdir()
        self.store = Store(f"sqlite:///{root / 'state.db'}")
        row = {"entity_id": "DE01", "source": "erp", "source_id": "DE01", "known_at": NOW - timedelta(days=99)}
        row |= {"digest": "d", "deleted": False, "name": "DE", "country": "DE", "currency": "EUR"}
        self.lake.append(ENTITY, pl.DataFrame([row | {"time_zone": "Europe/Berlin"}], schema=ENTITY.schema))

    def arrive(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def ingest(self, days: int = 0, bank: BankSystem = BANK) -> BankReport:
        now = NOW + timedelta(days=days)
        return ingest_bank(Folder(self.folder), bank, "house-bank", self.lake, self.store, now=now, every_minutes=1440)

    def entries(self) -> list[tuple[str, int]]:
        rows = self.lake.versions(BANK_ENTRY).collect().sort("booking_date", "entry_id")
        return list(rows.select("remittance", "amount_minor").iter_rows())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_entries_and_statements_land_and_the_file_is_done(world: World) -> None:
    world.arrive("a.sta", statement(2, 100, 50, -20))
    report = world.ingest()
    assert (report.taken.landed, report.taken.broken, report.breaks) == (("a.sta",), (), ())
    assert world.entries() == [("invoice 0", 5000), ("invoice 1", -2000)]
    (told,) = world.lake.versions(BANK_STATEMENT).collect().iter_rows(named=True)
    assert (told["entity_id"], told["account_id"], told["opening_minor"], told["closing_minor"]) == (
        "DE01",
        "main",
        10000,
        13000,
    )
    assert (told["entries"], told["to_day"], told["known_at"]) == (2, date(2026, 3, 2), NOW)
    assert [p.name for p in world.folder.iterdir()] == ["a.sta.done"]
    assert report.run.counts.tie


def test_the_same_statement_again_adds_nothing_under_whatever_name(world: World) -> None:
    world.arrive("a.sta", statement(2, 100, 50))
    world.ingest()
    world.arrive("again.sta", statement(2, 100, 50))
    report = world.ingest(days=1)
    assert report.taken.landed == ("again.sta",)
    assert report.run.counts.landed == 0
    assert world.entries() == [("invoice 0", 5000)]


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (camt("054", balances=False), camt("054", balances=False).replace("50.00", "9950.00")),
        (statement(2, 100, 50, -20), statement(2, 100, -20, 50)),
    ],
)
def test_what_comes_again_with_other_entries_is_told_and_changes_nothing(world: World, first: str, other: str) -> None:
    """The same id, days, balances and number of entries: only what it says in all tells the two apart."""
    world.arrive("a", first)
    world.ingest()
    before = world.entries()
    world.arrive("b", other)
    ((name, why),) = world.ingest(days=1).taken.broken
    assert (name, "has two contents" in why, world.entries()) == ("b", True, before)


def test_a_statement_that_was_kept_without_its_content_is_known_by_its_summary(world: World) -> None:
    world.arrive("a.sta", statement(2, 100, 50))
    world.ingest()
    landed = world.lake.versions(BANK_STATEMENT).collect()
    old = landed.with_columns(content=pl.lit(None, pl.String), digest=pl.lit("old"), known_at=pl.col("known_at"))
    world.lake.append(BANK_STATEMENT, old)
    world.arrive("again.sta", statement(2, 100, 50))
    assert world.ingest(days=1).taken.landed == ("again.sta",)
    world.arrive("other.sta", statement(2, 100, 60))
    assert [name for name, _ in world.ingest(days=2).taken.broken] == ["other.sta"]


@pytest.mark.parametrize("advice_first", [True, False])
def test_what_an_advice_and_the_statement_both_tell_is_one_entry_of_the_statement(
    world: World, advice_first: bool
) -> None:
    files = [("053.xml", camt("053", balances=True)), ("054.xml", camt("054", balances=False))]
    for days, (name, text) in enumerate(reversed(files) if advice_first else files):
        world.arrive(name, text)
        assert world.ingest(days=days).taken.broken == ()
    (entry,) = world.lake.known(BANK_ENTRY, NOW + timedelta(days=9)).collect().to_dicts()
    assert (entry["statement_id"], entry["amount_minor"]) == ("main:S053", 5000)


def test_a_gap_is_named_and_closes_when_the_missing_one_comes(world: World) -> None:
    world.arrive("2.sta", statement(2, 100, 50))
    world.arrive("4.sta", statement(4, 160, 1))
    ((account, gap),) = world.ingest().breaks
    assert (account, gap.kind) == ("main", "missing")
    assert "150" in gap.message
    assert "160" in gap.message
    assert len(world.entries()) == 2, "the money is there, whatever is missing before it"
    world.arrive("3.sta", statement(3, 150, 10))
    assert world.ingest(days=1).breaks == ()
    world.arrive("5.sta", statement(5, 161, 9))
    assert world.ingest(days=2).breaks == ()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("other.sta", statement(2, 100, 50, account="DE99999999999999999999"), "is of account DE99999999999999999999"),
        ("sum.sta", statement(2, 100, 50).replace("EUR150,00", "EUR151,00"), "the difference is 1.00 EUR"),
        ("half.sta", statement(2, 100, 50)[:90], "half.sta"),
        ("day.sta", statement(2, 100, 50).replace("2603020302C", "2602300230C"), "line 5"),
    ],
)
def test_a_file_that_cannot_be_taken_stays_whole_and_stops_no_other(
    world: World, name: str, text: str, said: str
) -> None:
    world.arrive(name, text)
    world.arrive("z.sta", statement(3, 7, 1))
    report = world.ingest()
    ((broken, reason),) = report.taken.broken
    assert broken == name
    assert said in reason
    assert report.taken.landed == ("z.sta",)
    assert world.entries() == [("invoice 0", 100)]
    assert (world.folder / name).read_text() == text


def test_a_statement_that_comes_with_other_content_is_refused(world: World) -> None:
    world.arrive("a.sta", statement(2, 100, 50))
    world.ingest()
    world.arrive("b.sta", statement(2, 100, 60))
    ((_, reason),) = world.ingest(days=1).taken.broken
    assert "two contents" in reason
    assert world.entries() == [("invoice 0", 5000)]


def test_books_that_the_lake_does_not_know_are_refused_before_anything_is_read(world: World) -> None:
    world.arrive("a.sta", statement(2, 100, 50))
    stranger = BankSystem(folder="in", accounts={"main": Account(number=IBAN, entity="FR01", currency="EUR")})
    with pytest.raises(BadSetting, match="account main is in the books of 'FR01'; the lake knows: DE01"):
        world.ingest(bank=stranger)
    assert (world.folder / "a.sta").exists()


def test_a_kill_between_entries_and_statement_is_made_good_by_the_next_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.arrive("a.sta", statement(2, 100, 50))
    real = bank_feeds.record_feed

    def dying(name: str, section: object, table: object, *rest: object) -> object:
        if table is BANK_STATEMENT:
            raise StateError("killed")
        return real(name, section, table, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(bank_feeds, "record_feed", dying)
        with pytest.raises(StateError, match="killed"):
            world.ingest()
    assert len(world.entries()) == 1
    assert (world.folder / "a.sta").exists()
    assert world.ingest(days=1).taken.landed == ("a.sta",)
    assert len(world.entries()) == 1
    assert world.lake.versions(BANK_STATEMENT).collect().height == 1


def test_a_statement_without_entries_is_a_sign_of_life(world: World) -> None:
    """Customers who pay later leave statements without entries; a feed that stopped leaves none."""
    world.arrive("2.sta", statement(2, 100, 50))
    world.ingest()
    world.arrive("3.sta", statement(3, 150))
    world.ingest(days=6)
    beats = Heartbeats(world.store.database)
    assert beats.silent(now=NOW + timedelta(days=7)) == []
    world.ingest(days=9)
    (silence,) = beats.silent(now=NOW + timedelta(days=9))
    assert (silence.source, silence.reads) == ("house-bank", True)


def test_a_bank_of_the_landscape(world: World, tmp_path: Path) -> None:
    text = f"""
systems:
  house-bank:
    bank:
      folder: in
      accounts:
        main: {{number: {IBAN}, entity: DE01, currency: EUR}}
    every_minutes: 1440
"""
    world.arrive("2.sta", statement(2, 100, 50))
    world.arrive("4.sta", statement(4, 160, 1))
    world.arrive("x.sta", "nonsense")
    with CallLog(world.store.database, "erp", lambda: NOW - timedelta(days=401)) as calls:
        calls(Call("GET /old", 200, 0.1))
    landscape = parse_landscape(text, "landscape.yaml", tmp_path)
    report = ingest_system(landscape, "house-bank", world.lake, world.store, clock=lambda: NOW)
    assert report.run.counts.landed == 4
    assert [line.split(":")[0] for line in report.complaints] == ["x.sta", "account main"]
    assert Calls(world.store.database).response_times(since=NOW - timedelta(days=999)) == []
