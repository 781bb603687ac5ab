"""A delivered file as statements and records: formats, archives, accounts."""

import gzip
import io
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from features.errors import BadInput
from pipelines.bank.accounts import OwnAccount, owned
from pipelines.bank.archive import Limits
from pipelines.bank.layout import Layout
from pipelines.bank.reading import statements_of
from pipelines.bank.records import entry_records, statement_record
from pipelines.bank.statement import Statement

NOW = datetime(2026, 3, 3, 6, tzinfo=UTC)
MT940 = ":20:A\n:25:NL1\n:28C:7/1\n:60F:C260301EUR1,00\n:61:260302C0,50NTRFE1//B1\n:86:=cmd\n:62F:C260302EUR1,50\n-\n"
CAMT = (
    '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"><N><Ntfctn><Id>N</Id><CreDtTm>2026-03-02T01:02:03'
    "</CreDtTm><Acct><Id><Othr><Id>NL1</Id></Othr></Id><Ccy>EUR</Ccy></Acct></Ntfctn></N></Document>"
)
BAI2 = "01,B,U,260302,,1,,,2/\n02,U,B,1,260302,,EUR,/\n03,1,EUR,010,0,,,015,0,,/\n49,0,2/\n98,0,1,4/\n99,0,1,6/\n"
CSV = "day,amount\n2026-03-02,1.00\n"
LAYOUT = Layout(account="1", date="day", amount="amount", currency="EUR")


def written(folder: Path, content: str | bytes, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def zipped(**files: str | bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def refused(path: Path, limits: Limits | None = None, layout: Layout | None = None) -> str:
    with pytest.raises(BadInput) as caught:
        statements_of(path, limits=limits, layout=layout)
    return str(caught.value)


def taken(tmp_path: Path) -> Statement:
    return statements_of(written(tmp_path, MT940))[0]


@pytest.mark.parametrize(
    ("content", "statement_id"),
    [
        (MT940, "7/1:2026-03-01:2026-03-02"),
        (f"\ufeff{CAMT}", "N"),
        (f'<?xml version="1.0" encoding="UTF-16"?>{CAMT}'.encode("utf-16"), "N"),
        (MT940.encode("utf-16"), "7/1:2026-03-01:2026-03-02"),
        (BAI2, "2026-03-02"),
        (CSV, "2026-03-02:2026-03-02"),
    ],
)
def test_a_format_is_known_by_what_it_says(tmp_path: Path, content: str | bytes, statement_id: str) -> None:
    path = written(tmp_path, content, "misleading.pdf")
    assert [s.statement_id for s in statements_of(path, layout=LAYOUT)] == [statement_id]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "file line 1: the file is empty"),
        (CSV, "file line 1: the file is neither camt, MT940 nor BAI2; allowed: those, or CSV with a layout"),
        ("<html></html>", "<html> without <Document>"),
        ("01,B,U,260302,,1,,,2/\n99,0,0,2/\n", "no statement in it"),
    ],
)
def test_what_is_no_statement_is_refused(tmp_path: Path, content: str, told: str) -> None:
    assert told in refused(written(tmp_path, content))


def test_archives_are_opened_and_their_files_named(tmp_path: Path) -> None:
    assert len(statements_of(written(tmp_path, gzip.compress(MT940.encode()), "a.sta.gz"))) == 1
    both = written(tmp_path, zipped(one=MT940, two=CAMT), "b.zip")
    assert [s.place for s in statements_of(both)] == ["b.zip/one line 1", "b.zip/two line 1"]
    bad = written(tmp_path, zipped(one=MT940, two=MT940.replace("1,50", "1,51")), "c.zip")
    assert refused(bad).startswith("c.zip/two line 1: statement 7/1")


def test_a_bomb_is_refused_by_what_it_expands_to(tmp_path: Path) -> None:
    limits = Limits(file_bytes=5_000_000, ratio=50, members=2)
    zeros = bytes(4_000_000)
    assert "expands to over 50 times its size" in refused(written(tmp_path, gzip.compress(zeros), "a.gz"), limits)
    assert "expands to over 50 times its size" in refused(written(tmp_path, zipped(a=zeros), "b.zip"), limits)
    plain = Limits(file_bytes=5_000_000, ratio=10**9, members=2)
    assert "expands to more than 5,000,000 bytes in all" in refused(written(tmp_path, zipped(a=zeros * 2)), plain)
    total = zipped(a=MT940.encode() + b"\n" * 3_000_000, b=MT940.encode() + b"\n" * 3_000_000)
    assert "file/b: expands to more than 5,000,000" in refused(written(tmp_path, total), plain)
    assert "3 files in the archive; allowed: 1 to 2" in refused(written(tmp_path, zipped(a="", b="", c="")), limits)
    assert "0 files in the archive" in refused(written(tmp_path, zipped()), limits)


def test_an_archive_in_an_archive_is_not_opened(tmp_path: Path) -> None:
    assert "is neither camt" in refused(written(tmp_path, zipped(inner=zipped(one=MT940))))


def test_a_damaged_or_locked_archive_is_named(tmp_path: Path) -> None:
    packed = gzip.compress(MT940.encode())
    assert "file: the archive is damaged" in refused(written(tmp_path, packed[:-9]))
    spoilt = bytearray(zipped(one=MT940))
    spoilt[45] ^= 0xFF
    assert "file/one: the archive is damaged" in refused(written(tmp_path, bytes(spoilt)))
    assert "the archive is damaged" in refused(written(tmp_path, zipped(one=MT940)[:40]))
    locked = bytearray(zipped(one=MT940))
    locked[6] |= 1
    locked[locked.rindex(b"PK\x01\x02") + 8] |= 1
    assert "without a password" in refused(written(tmp_path, bytes(locked)))


def test_large_files_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, MT940)
    assert "file: 102 bytes; allowed: 50 bytes" in refused(path, Limits(file_bytes=50)).replace(f"{len(MT940)}", "102")
    assert "bytes of mt940; allowed: 50 bytes" in refused(path, Limits(text_bytes=50))
    assert "bytes of csv; allowed: 5 bytes" in refused(written(tmp_path, CSV), Limits(text_bytes=5), LAYOUT)
    assert len(statements_of(written(tmp_path, CAMT), limits=Limits(text_bytes=50))) == 1


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    assert "none: cannot be read" in refused(tmp_path / "none")


def test_only_our_accounts_in_their_currency_are_taken(tmp_path: Path) -> None:
    found = [taken(tmp_path)]
    ours = OwnAccount("MAIN", "nl1", "EUR")
    assert owned(found, [ours, OwnAccount("USD", "NL1", "USD")]) == [(ours, found[0])]
    with pytest.raises(BadInput, match=r"file line 1: .* is of account NL1; allowed: one of ours: NL2 \(OTHER\)"):
        owned(found, [OwnAccount("OTHER", "NL2", "EUR")])
    with pytest.raises(BadInput, match="is of account NL1; allowed: one of ours: none is configured"):
        owned(found, [])
    with pytest.raises(BadInput, match="is in EUR, account MAIN in USD"):
        owned(found, [OwnAccount("MAIN", "NL1", "USD")])


def test_statements_become_records(tmp_path: Path) -> None:
    statement = taken(tmp_path)
    known = {"entity_id": "E", "account_id": "MAIN", "known_at": NOW}
    record = statement_record(statement, **known)
    assert record == {
        "id": "MAIN:7/1:2026-03-01:2026-03-02",
        "company": "E",
        "changed_at": "2026-03-03T06:00:00+00:00",
        "deleted": False,
        "statement_id": "MAIN:7/1:2026-03-01:2026-03-02",
        "account_id": "MAIN",
        "number": "7/1",
        "from_day": "2026-03-01",
        "to_day": "2026-03-02",
        "currency": "EUR",
        "opening": "1.00",
        "closing": "1.50",
        "entries": 1,
        "content": statement.digest,
    }
    [entry] = entry_records(statement, **known)
    assert (entry["id"], entry["amount"], entry["returned"]) == ("MAIN:2026-03-02:B1:50", "0.50", False)
    assert (entry["remittance"], entry["statement_id"]) == ("=cmd", record["id"])
    with pytest.raises(BadInput, match="with its zone"):
        statement_record(statement, **{**known, "known_at": datetime(2026, 3, 3)})  # noqa: DTZ001


def test_a_notification_has_no_balances_in_its_record(tmp_path: Path) -> None:
    [found] = statements_of(written(tmp_path, CAMT))
    record = statement_record(found, entity_id="E", account_id="MAIN", known_at=NOW)
    assert (record["opening"], record["closing"], found.to_day) == (None, None, date(2026, 3, 2))
