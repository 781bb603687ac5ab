"""A real SSH server on loopback that serves files over SFTP only, as the current user.

    with sftp_server(folder) as bank:
        SftpFolder(bank.host, bank.user, str(bank.files), bank.known_hosts, bank.key, port=bank.port)

It has fresh keys at every start, and takes nothing from the machine's own configuration but the program.
"""

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from features.errors import NotFound
from pipelines.systems.processes import free_port, server

_HOST = "127.0.0.1"
_PRIVILEGE_SEPARATION = Path("/run/sshd")  # sshd wants it when root starts it
_PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"


@dataclass(frozen=True, slots=True)
class SftpServer:
    """A server that answers: `files` is the folder it is meant for, `key` the path of the private key it knows."""

    host: str
    port: int
    user: str
    files: Path
    known_hosts: Path
    key: Path = field(repr=False)


def sshd_program() -> str | None:
    """The path of sshd; None where it is not installed."""
    return shutil.which("sshd", path=_PLACES)


@contextmanager
def sftp_server(folder: Path, *, seconds: float = 10.0) -> Iterator[SftpServer]:
    """The server, with its keys, settings and log in the new or empty `folder`; it is gone when the block is left.

    `NotFound` where sshd is not installed; `StateError` with the end of its log where it does not answer in `seconds`.
    """
    program = sshd_program()
    if program is None:
        raise NotFound("sshd is not installed; allowed: with it (Debian: apt-get install openssh-server)")
    files = folder / "files"
    files.mkdir(parents=True)
    port = free_port(_HOST)
    host_key, user_key = _key(folder / "host_key"), _key(folder / "user_key")
    _copy(user_key.with_suffix(".pub"), folder / "authorized_keys")
    known_hosts = folder / "known_hosts"
    known_hosts.write_text(f"[{_HOST}]:{port} {host_key.with_suffix('.pub').read_text()}")
    settings = folder / "sshd_config"
    settings.write_text(_settings(folder, host_key, port))
    if os.geteuid() == 0:
        _PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
    command = [program, "-D", "-e", "-f", str(settings)]
    with server("sshd", command, folder / "sshd.log", ready=lambda: _greets(port), seconds=seconds):
        yield SftpServer(_HOST, port, getpass.getuser(), files, known_hosts, user_key)


def _key(path: Path) -> Path:
    subprocess.run(  # noqa: S603  the command is ours
        ["/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "duecast", "-f", str(path)], check=True
    )
    return path


def _copy(source: Path, target: Path) -> None:
    target.write_text(source.read_text())
    target.chmod(0o600)


def _settings(folder: Path, host_key: Path, port: int) -> str:
    said = {
        "Port": port,
        "ListenAddress": _HOST,
        "HostKey": host_key,
        "PidFile": "none",
        "AuthorizedKeysFile": folder / "authorized_keys",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "PubkeyAuthentication": "yes",
        "PermitRootLogin": "prohibit-password",
        "UsePAM": "no",
        "StrictModes": "no",  # the folder of a test stands in one that everybody may write to
        "Subsystem": "sftp internal-sftp",
        "ForceCommand": "internal-sftp",
        "AllowTcpForwarding": "no",
        "X11Forwarding": "no",
    }
    return "".join(f"{name} {value}\n" for name, value in said.items())


def _greets(port: int) -> bool:
    try:
        with socket.create_connection((_HOST, port), timeout=1) as connection:
            return connection.recv(4).startswith(b"SSH-")
    except OSError:
        return False
