"""Statements fetched from a real SSH server on loopback."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from features.errors import BadInput, BadSetting, NotFound, SourceBroken, SourceError, SourceRefused
from pipelines.bank.arrivals import StillWritten, Waiting, take_in
from pipelines.bank.reading import statements_of
from pipelines.bank.sftp import SftpFolder
from pipelines.systems.processes import free_port
from pipelines.systems.sshd import SftpServer, sftp_server, sshd_program

pytestmark = pytest.mark.skipif(sshd_program() is None, reason="sshd is not installed (openssh-server)")

STATEMENT = (
    ":20:A\n:25:NL14MOCK0000000002\n:28C:1/1\n:60F:C260101EUR10,00\n:61:260102C5,00NTRFA//B1\n:62F:C260102EUR{}\n-\n"
)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpServer]:
    with sftp_server(tmp_path_factory.mktemp("sshd") / "server") as running:
        yield running


@pytest.fixture
def place(bank: SftpServer, tmp_path: Path) -> tuple[SftpFolder, Path]:
    """The folder as its user sees it, and as the bank fills it."""
    files = bank.files / tmp_path.name
    files.mkdir(exist_ok=True)
    return SftpFolder(bank.host, bank.user, str(files), bank.known_hosts, bank.key, port=bank.port), files


def test_what_lands_is_renamed_and_what_is_broken_stays(place: tuple[SftpFolder, Path]) -> None:
    remote, files = place
    (files / "good.sta").write_text(STATEMENT.format("15,00"))
    (files / "bad.sta").write_text(STATEMENT.format("99,00"))
    (files / "half.sta.part").write_text(":20:")
    landed = []
    taken = take_in(remote, lambda path, name: landed.extend(statements_of(path, name=name)))
    assert taken.landed == ("good.sta",)
    assert [name for name, _ in taken.broken] == ["bad.sta"]
    assert "84.00" in taken.broken[0][1]
    assert [s.closing_minor for s in landed] == [1500]
    assert sorted(p.name for p in files.iterdir()) == ["bad.sta", "good.sta.done", "half.sta.part"]
    assert [w.name for w in remote.waiting()] == ["bad.sta"]


def test_a_name_that_comes_again_keeps_the_first_file(place: tuple[SftpFolder, Path]) -> None:
    remote, files = place
    for content in ("one", "two"):
        (files / "daily.sta").write_text(content)
        remote.done(remote.waiting()[0])
    assert {p.name: p.read_text() for p in files.iterdir()} == {"daily.sta.done": "one", "daily.sta.done.2": "two"}


def test_nothing_larger_than_the_limit_is_downloaded(place: tuple[SftpFolder, Path], tmp_path: Path) -> None:
    remote, files = place
    (files / "large.sta").write_bytes(b"x" * 400_000)
    with pytest.raises(BadInput, match=r"large\.sta: more than 300,000 bytes"):
        replace(remote, file_bytes=300_000).fetch(Waiting("large.sta"), tmp_path / "copy")


def test_a_file_that_grows_is_left_for_later(place: tuple[SftpFolder, Path], tmp_path: Path) -> None:
    remote, files = place
    (files / "growing.sta").write_text("ab")
    with pytest.raises(StillWritten, match="3 were listed"):
        remote.fetch(Waiting("growing.sta", 3), tmp_path / "copy")


def test_another_host_key_is_refused(bank: SftpServer, place: tuple[SftpFolder, Path], tmp_path: Path) -> None:
    other = tmp_path / "known_hosts"
    key = bank.key.with_suffix(".pub").read_text()
    other.write_text(f"[{bank.host}]:{bank.port} {key}")
    with pytest.raises(SourceRefused, match="not the one in known_hosts"):
        replace(place[0], known_hosts=other).waiting()
    other.write_text("")
    with pytest.raises(SourceRefused, match="not the one in known_hosts"):
        replace(place[0], known_hosts=other).waiting()


def test_a_key_the_server_does_not_know_is_refused(bank: SftpServer, place: tuple[SftpFolder, Path]) -> None:
    stranger = bank.known_hosts.with_name("host_key")
    with pytest.raises(SourceRefused, match="refused user"):
        replace(place[0], key=stranger).waiting()


def test_settings_and_folders_that_do_not_exist_are_named(place: tuple[SftpFolder, Path], tmp_path: Path) -> None:
    remote, _ = place
    with pytest.raises(BadSetting, match="key is"):
        replace(remote, key=tmp_path / "none").waiting()
    (tmp_path / "nonsense").write_text("nonsense")
    with pytest.raises(BadSetting, match="cannot be used"):
        replace(remote, key=tmp_path / "nonsense").waiting()
    with pytest.raises(NotFound, match="nowhere"):
        replace(remote, folder="/nowhere").waiting()


def test_a_server_that_is_away_is_worth_a_retry(place: tuple[SftpFolder, Path]) -> None:
    with pytest.raises(SourceError, match="cannot be reached") as caught:
        replace(place[0], port=free_port()).waiting()
    assert not isinstance(caught.value, SourceRefused | SourceBroken)


def test_what_the_server_refuses_to_rename_is_named(place: tuple[SftpFolder, Path]) -> None:
    with pytest.raises(NotFound):
        place[0].done(Waiting("gone.sta"))
