"""Deliveries are kept once, in order, until they have landed; what landed is found again by those that come late."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from features.errors import BadSetting
from services.database import Database
from services.signatures import read_secrets
from services.webhooks import Inbox, Kept, Version

NOW = datetime(2024, 3, 1, 10, tzinfo=UTC)


@pytest.fixture
def inbox(url: str) -> Iterator[Inbox]:
    database = Database(url)
    yield Inbox(database)
    database.close()


def kept(inbox: Inbox, delivery_id: str, body: str = "{}", source: str = "erp") -> Kept:
    return inbox.keep(source, delivery_id, body, sent_at=NOW, now=NOW)


def version(record_id: str, minute: int, company: str = "UK") -> Version:
    return Version("invoice", company, record_id, NOW + timedelta(minutes=minute), f'{{"n": {minute}}}')


def test_a_delivery_is_kept_once_and_its_id_is_its_sources_own(inbox):
    assert [kept(inbox, "a"), kept(inbox, "a"), kept(inbox, "a", "[]"), kept(inbox, "a", "[]", "crm")] == [
        Kept.NEW,
        Kept.KNOWN,
        Kept.CONFLICT,
        Kept.NEW,
    ]
    assert [w.payload for w in inbox.waiting("erp")] == ["{}"]


def test_what_has_landed_waits_no_more_but_is_still_known(inbox):
    for name in ("b", "a", "c"):
        kept(inbox, name)
    first = inbox.waiting("erp")
    assert [w.delivery_id for w in first] == ["b", "a", "c"]
    assert [w.delivery_id for w in inbox.waiting("erp", after=first[0].position, limit=1)] == ["a"]
    inbox.landed("erp", ["b", "c"], [], now=NOW)
    assert [w.delivery_id for w in inbox.waiting("erp")] == ["a"]
    assert inbox.counts() == {"erp": 1}
    assert kept(inbox, "b") is Kept.KNOWN


def test_deliveries_that_come_at_once_have_places_of_their_own(inbox, at_once):
    for n in range(10):
        assert at_once(4, lambda i, n=n: kept(inbox, f"{n}-{i}")) == [Kept.NEW] * 4
    assert [w.position for w in inbox.waiting("erp")] == list(range(1, 41))


def test_only_later_versions_of_the_same_record_are_overtaken(inbox):
    inbox.landed("erp", [], [version("1", 3), version("1", 5), version("1", 9, "DE"), version("2", 9)], now=NOW)
    inbox.landed("erp", [], [version("1", 5)], now=NOW)
    assert inbox.overtaken("erp", [version("1", 4)]) == [version("1", 5)]
    assert inbox.overtaken("erp", [version("1", 6), version("1", 3)]) == [version("1", 5)]
    assert inbox.overtaken("erp", [version("1", 5), version("3", 0)]) == []
    assert inbox.overtaken("crm", [version("1", 0)]) == []


def test_more_records_than_fit_a_statement_are_looked_up(inbox):
    many = [version(str(number), 5) for number in range(1200)]
    inbox.landed("erp", [v.record_id for v in many], many, now=NOW)
    assert len(inbox.overtaken("erp", [version(v.record_id, 4) for v in many])) == 1200


def test_what_is_old_is_forgotten_unless_it_waits(inbox):
    kept(inbox, "waits")
    kept(inbox, "old")
    inbox.landed("erp", ["old"], [version("1", 0)], now=NOW)
    assert inbox.forget("erp", before=NOW) == 0
    assert inbox.forget("crm", before=NOW + timedelta(days=1)) == 0
    assert inbox.forget("erp", before=NOW + timedelta(days=1)) == 1
    assert [w.delivery_id for w in inbox.waiting("erp")] == ["waits"]
    assert inbox.overtaken("erp", [version("1", -1)]) == []
    assert kept(inbox, "old") is Kept.NEW


def test_secrets_are_read_without_blanks_around_them(tmp_path):
    (tmp_path / "new").write_text("sixteen bytes at least\n")
    (tmp_path / "old").write_bytes(b"\x00" * 15 + b"binary is fine")
    files = {"erp": (tmp_path / "new", tmp_path / "old")}
    assert read_secrets(files) == {"erp": (b"sixteen bytes at least", b"\x00" * 15 + b"binary is fine")}


@pytest.mark.parametrize("content", [None, b"", b"too short", b"x" * 5000])
def test_a_file_without_a_secret_is_named_by_its_place_and_never_shown(tmp_path, content):
    path = tmp_path / "hush-hush"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadSetting, match=r"^DUECAST_WEBHOOK_SECRETS: file 1 of erp .*; allowed: ") as raised:
        read_secrets({"erp": (path,)})
    assert "hush" not in str(raised.value)
    assert "too short" not in str(raised.value)
