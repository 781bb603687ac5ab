"""Where bank files wait, and what becomes of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from features.errors import BadInput, NotFound, SourceBroken, SourceError
from pipelines.bank.arrivals import Folder, StillWritten, Waiting, done_name, listed, take_in
from pipelines.bank.mailbox import BankMailbox
from pipelines.connectors.web import Retries, Web


def land(text: str) -> Callable[[Path, str], None]:
    """Refuses what does not start with `text`."""

    def checked(path: Path, name: str) -> None:
        if not path.read_text().startswith(text):
            raise BadInput(f"{name} line 1: no statement")

    return checked


def test_what_landed_is_done_and_what_is_broken_stays(tmp_path: Path) -> None:
    for name in ("b.sta", "a.sta", "bad.sta", "c.sta.done", ".hidden", "half.part"):
        (tmp_path / name).write_text("bad" if name.startswith("bad") else "good")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a.sta")
    taken = take_in(Folder(tmp_path), land("good"))
    assert taken.landed == ("a.sta", "b.sta")
    assert taken.broken == (("bad.sta", "bad.sta line 1: no statement"),)
    left = {p.name for p in tmp_path.iterdir()}
    assert {"a.sta.done", "b.sta.done", "bad.sta", "c.sta.done", ".hidden", "half.part"} <= left
    assert [w.name for w in Folder(tmp_path).waiting()] == ["bad.sta"]


def test_a_failure_while_landing_leaves_the_file(tmp_path: Path) -> None:
    def fail(_: Path, __: str) -> None:
        raise SourceError("the lake is away")

    (tmp_path / "a.sta").write_text("good")
    with pytest.raises(SourceError, match="the lake is away"):
        take_in(Folder(tmp_path), fail)
    assert [p.name for p in tmp_path.iterdir()] == ["a.sta"]


def test_a_name_that_comes_again_keeps_the_first_file(tmp_path: Path) -> None:
    for content in ("1", "2", "3"):
        (tmp_path / "a.sta").write_text(content)
        Folder(tmp_path).done(Waiting("a.sta"))
    found = {p.name: p.read_text() for p in tmp_path.iterdir()}
    assert found == {"a.sta.done": "1", "a.sta.done.2": "2", "a.sta.done.3": "3"}
    assert Folder(tmp_path).waiting() == []
    assert done_name("x", lambda _: False) == "x.done"


def test_a_file_that_changes_or_is_too_large_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "a.sta").write_text("good")
    with pytest.raises(StillWritten, match="4 bytes came, 5 were listed"):
        Folder(tmp_path).fetch(Waiting("a.sta", 5), tmp_path / "copy")
    with pytest.raises(BadInput, match="more than 3 bytes"):
        Folder(tmp_path, file_bytes=3).fetch(Waiting("a.sta", 4), tmp_path / "copy")
    (tmp_path / "copy").unlink()
    taken = take_in(Folder(tmp_path, file_bytes=3), land("good"))
    assert [name for name, _ in taken.broken] == ["a.sta"]


def test_a_folder_or_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such folder"):
        Folder(tmp_path / "none").waiting()
    with pytest.raises(SourceError, match=r"gone\.sta: cannot be read"):
        Folder(tmp_path).fetch(Waiting("gone.sta"), tmp_path / "copy")
    with pytest.raises(SourceError, match="cannot be renamed"):
        Folder(tmp_path).done(Waiting("gone.sta"))


@pytest.mark.parametrize("name", ["../etc/passwd", "a\\b", "a\x00"])
def test_a_name_with_a_path_in_it_is_refused(name: str) -> None:
    if name.startswith("."):
        assert listed([Waiting(name)], "place") == []
        name = f"x/{name}"
    with pytest.raises(SourceBroken, match="allowed: a name without a path"):
        listed([Waiting(name)], "place")


def test_too_many_files_are_refused() -> None:
    with pytest.raises(SourceBroken, match="10,001 files wait"):
        listed((Waiting(f"f{i}") for i in range(10_001)), "place")


class Bank:
    """A mailbox as mock-bank keeps it: `messages` by id, each its type and its text."""

    def __init__(self, messages: dict[int, str]) -> None:
        self.messages = {n: (kind, f"good {n}") for n, kind in messages.items()}
        self.arriving: dict[int, tuple[str, str]] = {}
        self.taken: set[int] = set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, params = request.url.path, request.url.params
        if path == "/_mock/mailbox":
            return httpx.Response(200, json=self.listing(params["type"], leave="leave" in params))
        identity = int(path.removeprefix("/_mock/mailbox/").removesuffix("/unread"))
        if request.method == "POST":
            self.taken.discard(identity)
        return httpx.Response(200, text=self.messages[identity][1])

    def listing(self, prefix: str, *, leave: bool) -> list[dict[str, Any]]:
        """What waits; without `leave` it is taken, together with what arrives just then."""
        if not leave:
            self.messages |= self.arriving
        waiting = {n: m for n, m in self.messages.items() if n not in self.taken and m[0].startswith(prefix)}
        if not leave:
            self.taken |= waiting.keys()
        return [{"id": n, "type": kind, "bytes": len(text)} for n, (kind, text) in waiting.items()]


def mailbox(bank: Callable[[httpx.Request], httpx.Response]) -> BankMailbox:
    return BankMailbox(Web("http://127.0.0.1:1", {}, transport=httpx.MockTransport(bank), retries=Retries(attempts=1)))


def test_messages_are_taken_from_the_bank_once_all_are_done() -> None:
    bank = Bank({1: "camt.053.001.08", 2: "camt.054.001.08", 3: "bai2.statement", 4: "pain.002", 5: "camt.052.001.08"})
    taken = take_in(mailbox(bank), land("good"))
    assert taken.landed == ("camt.053.001.08.1", "camt.054.001.08.2", "bai2.statement.3")
    assert bank.taken == {1, 2, 3}


def test_a_broken_message_and_one_that_arrives_meanwhile_stay_at_the_bank() -> None:
    bank = Bank({1: "camt.053.001.08", 2: "camt.053.001.08"})
    bank.messages[2] = ("camt.053.001.08", "bad")
    box = mailbox(bank)
    assert take_in(box, land("good")).broken == (("camt.053.001.08.2", "camt.053.001.08.2 line 1: no statement"),)
    assert bank.taken == set()
    assert [w.name for w in box.waiting()] == ["camt.053.001.08.2"]
    bank.messages[2] = ("camt.053.001.08", "good")
    bank.arriving = {9: ("camt.053.001.08", "good 9")}
    assert take_in(box, land("good")).landed == ("camt.053.001.08.2",)
    assert bank.taken == {1, 2}
    assert [w.name for w in box.waiting()] == ["camt.053.001.08.9"]


def test_a_mailbox_outside_the_protocol_is_named() -> None:
    with pytest.raises(SourceBroken, match="outside the protocol"):
        mailbox(lambda _: httpx.Response(200, text="<html>")).waiting()


def test_a_message_larger_than_the_limit_is_not_taken(tmp_path: Path) -> None:
    bank = Bank({1: "camt.053.001.08"})
    web = Web("http://127.0.0.1:1", {}, transport=httpx.MockTransport(bank))
    with pytest.raises(BadInput, match="more than 3 bytes"):
        BankMailbox(web, file_bytes=3).fetch(Waiting("camt.053.001.08.1"), tmp_path / "copy")
