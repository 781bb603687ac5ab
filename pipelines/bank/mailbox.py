"""Bank messages in the mailbox of mock-bank, over HTTP.

    GET /_mock/mailbox?leave&type=camt.053    what waits: [{"id", "type", "bytes", ...}]
    GET /_mock/mailbox/ID                    one message
    GET /_mock/mailbox?type=camt.053          takes everything that waits
    POST /_mock/mailbox/ID/unread            puts one back

The bank can only be asked to take all that waits. So that is done once everything is done, and what arrived meanwhile
is put back.
"""

from pathlib import Path
from urllib.parse import quote

import msgspec

from features.errors import SourceBroken
from pipelines.bank.arrivals import FILE_BYTES, Waiting, listed, require_small
from pipelines.connectors.web import Web

_BOX = "/_mock/mailbox"
_KINDS = ("camt.053", "camt.054", "bai2")  # a camt.052 is a report of a day that is not over


class _Message(msgspec.Struct, frozen=True):
    id: str | int
    type: str
    bytes: int


class BankMailbox:
    """The statements and notifications that wait at the bank behind `web`."""

    def __init__(self, web: Web, file_bytes: int = FILE_BYTES) -> None:
        self._web = web
        self._file_bytes = file_bytes
        self._done: set[str] = set()

    def waiting(self) -> list[Waiting]:
        """The messages that are not done."""
        return [file for kind in _KINDS for file in self._waiting(kind)]

    def fetch(self, file: Waiting, into: Path) -> None:
        """Download one message."""
        answer = self._web.fetch("GET", f"{_BOX}/{quote(_id(file.name), safe='')}")
        require_small(len(answer.body), file.name, self._file_bytes)
        into.write_bytes(answer.body)

    def done(self, file: Waiting) -> None:
        """Never list it again in this process; once nothing else waits it is taken from the bank too."""
        self._done.add(_id(file.name))
        for kind in _KINDS:
            if file.name.startswith(kind) and not self._waiting(kind):
                self._take(kind)

    def _waiting(self, kind: str) -> list[Waiting]:
        messages = self._asked({"leave": "1", "type": kind})
        names = (f"{m.type}.{m.id}" for m in messages if f"{m.id}" not in self._done)
        return listed(map(Waiting, names), _BOX)

    def _take(self, kind: str) -> None:
        for message in self._asked({"type": kind}, again=False):
            if f"{message.id}" not in self._done:
                self._web.fetch("POST", f"{_BOX}/{quote(f'{message.id}', safe='')}/unread", again=True)

    def _asked(self, params: dict[str, str], *, again: bool = True) -> list[_Message]:
        answer = self._web.fetch("GET", _BOX, params=params, again=again)
        try:
            return msgspec.json.decode(answer.body, type=list[_Message])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SourceBroken(f"GET {_BOX}: outside the protocol: {error}; allowed: a list of messages") from None


def _id(name: str) -> str:
    return name.rpartition(".")[2]
