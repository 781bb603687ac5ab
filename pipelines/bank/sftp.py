"""Bank files on an SFTP server: the server is known by its key, we are known by ours.

Every step is a connection of its own, since between two steps a statement lands, which may take longer than a bank's
server waits. Nothing of the user's own SSH configuration or agent is used.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

import asyncssh

from features.errors import BadSetting, NotFound, SourceBroken, SourceError, SourceRefused
from pipelines.bank.arrivals import FILE_BYTES, Waiting, done_name, listed, require_small, require_whole

Result = TypeVar("Result")

_PART = 256 * 1024


@dataclass(frozen=True, slots=True)
class SftpFolder:
    """Files in `folder` of the SFTP server at `host`; done ones are renamed there to `NAME.done`.

    `known_hosts` holds the server's key and `key` is the path of our private key; a password is never used.
    """

    host: str
    user: str
    folder: str
    known_hosts: Path
    key: Path = field(repr=False)
    port: int = 22
    file_bytes: int = FILE_BYTES
    timeout_seconds: float = 30.0

    def waiting(self) -> list[Waiting]:
        """The files that are not done; `NotFound` where the server has no such folder."""
        return self._run(self._waiting)

    def fetch(self, file: Waiting, into: Path) -> None:
        """Download it, in parts."""
        self._run(lambda sftp: self._fetch(sftp, file, into))

    def done(self, file: Waiting) -> None:
        """Rename it on the server."""
        self._run(lambda sftp: self._done(sftp, file))

    async def _waiting(self, sftp: asyncssh.SFTPClient) -> list[Waiting]:
        found = []
        async for entry in sftp.scandir(self.folder):
            if entry.attrs.type == asyncssh.FILEXFER_TYPE_REGULAR:
                found.append(Waiting(_text(entry.filename), entry.attrs.size))
        return listed(found, self.folder)

    async def _fetch(self, sftp: asyncssh.SFTPClient, file: Waiting, into: Path) -> None:
        size = 0
        with into.open("wb") as copy:
            async with sftp.open(self._at(file.name), "rb") as source:
                while part := cast("bytes", await source.read(_PART)):
                    size += len(part)
                    require_small(size, file.name, self.file_bytes)
                    copy.write(part)
        require_whole(file, size, file.name)

    async def _done(self, sftp: asyncssh.SFTPClient, file: Waiting) -> None:
        there = {_text(name) for name in await sftp.listdir(self.folder)}
        await sftp.rename(self._at(file.name), self._at(done_name(file.name, there.__contains__)))

    def _at(self, name: str) -> str:
        return f"{self.folder.rstrip('/')}/{name}"

    def _run(self, step: Callable[[asyncssh.SFTPClient], Awaitable[Result]]) -> Result:
        for path, what in ((self.known_hosts, "known_hosts"), (self.key, "key")):
            if not path.is_file():
                raise BadSetting(f"{what} is {str(path)!r}, which is no file; allowed: the path of the {what} file")
        try:
            return asyncio.run(self._connected(step))
        except asyncssh.HostKeyNotVerifiable:
            reason = f"the server's key is not the one in {self.known_hosts.name}; ask the bank before you change it"
            raise SourceRefused(f"{self._named}: {reason}") from None
        except asyncssh.PermissionDenied:
            raise SourceRefused(f"{self._named}: the server refused user {self.user!r} with this key") from None
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError) as error:
            raise BadSetting(f"{self._named}: key or known_hosts cannot be used: {error}") from None
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath) as error:
            raise NotFound(f"{self._named}: {error.reason}: {self.folder}; allowed: what the bank left there") from None
        except asyncssh.SFTPPermissionDenied:
            raise SourceRefused(f"{self._named}: no right to list, read or rename in {self.folder}") from None
        except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection) as error:
            raise SourceError(f"{self._named}: the connection was lost: {error.reason}; try later") from None
        except asyncssh.SFTPError as error:
            raise SourceBroken(f"{self._named}: {error.reason}") from None
        except (asyncssh.Error, OSError, TimeoutError) as error:
            raise SourceError(f"{self._named}: cannot be reached: {_reason(error)}; try later") from None

    async def _connected(self, step: Callable[[asyncssh.SFTPClient], Awaitable[Result]]) -> Result:
        connecting = asyncssh.connect(
            self.host,
            self.port,
            username=self.user,
            client_keys=[str(self.key)],
            known_hosts=str(self.known_hosts),
            config=None,
            agent_path=None,
            preferred_auth="publickey",
            connect_timeout=self.timeout_seconds,
            login_timeout=self.timeout_seconds,
            keepalive_interval=self.timeout_seconds,
        )
        async with connecting as connection, connection.start_sftp_client() as sftp:
            return await step(sftp)

    @property
    def _named(self) -> str:
        return f"sftp {self.host}:{self.port}"


def _text(name: str | bytes) -> str:
    return name if isinstance(name, str) else name.decode("utf-8", errors="replace")


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
