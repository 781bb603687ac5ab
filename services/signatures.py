"""Who sent a webhook: the sender and we share a secret, and the signature proves that it was used on this very body.

    X-Duecast-Timestamp: 1709280000                 seconds since 1970, when it was sent; an old one is not believed
    X-Duecast-Delivery:  5f2c9e                     what the sender calls the delivery; the same when it is sent again
    X-Duecast-Signature: v1=HEX                     HMAC-SHA256 over "TIMESTAMP.DELIVERY.BODY" with the secret

Whatever is wrong with a signature, and whether the source is known at all, the answer and the time it takes are the
same. A source may have two secrets at a time, so that the new one is known before the old one is taken away.
"""

import hmac
import re
import secrets as randomness
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from features.errors import BadSetting
from services import problems
from services.problems import Refused

TIMESTAMP = "x-duecast-timestamp"
DELIVERY = "x-duecast-delivery"
SIGNATURE = "x-duecast-signature"
VERSION = "v1"
MOST_SECRETS = 2
LEAST_SECRET_BYTES = 16
_MOST_SECRET_BYTES = 4096

# no dot: it parts timestamp, delivery and body, and no two of these may read the same together
_DELIVERY_ID = re.compile(r"[A-Za-z0-9_:-]{1,100}")
_SECONDS = re.compile(r"[0-9]{1,11}")

Secrets = Mapping[str, Sequence[bytes]]
"""Source -> its secrets, `MOST_SECRETS` at most."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What the headers of a delivery say, as they came; empty text for what is missing."""

    timestamp: str
    delivery_id: str
    signature: str

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "Seal":
        """From headers by their lower-case names."""
        return cls(headers.get(TIMESTAMP, ""), headers.get(DELIVERY, ""), headers.get(SIGNATURE, ""))

    @property
    def well_formed(self) -> bool:
        """Whether timestamp and delivery are written as they must be."""
        return bool(_SECONDS.fullmatch(self.timestamp) and _DELIVERY_ID.fullmatch(self.delivery_id))


def sealed(secret: bytes, delivery_id: str, body: bytes, *, at: datetime) -> dict[str, str]:
    """The headers that a sender puts on a delivery."""
    stamp = str(int(at.timestamp()))
    return {TIMESTAMP: stamp, DELIVERY: delivery_id, SIGNATURE: _signature(secret, stamp, delivery_id, body)}


class Gate:
    """Lets signed deliveries through that were sent at most `window` ago, or ahead, since clocks differ."""

    def __init__(self, secrets: Secrets, *, window: timedelta) -> None:
        self._secrets = secrets
        self._window = window
        self._nobodys = [randomness.token_bytes(32) for _ in range(MOST_SECRETS)]

    def sent_at(self, source: str, seal: Seal, body: bytes, *, now: datetime) -> datetime:
        """When the delivery was sent; `Refused` (always the same) unless it is the source's, whole and fresh."""
        known = [*self._secrets.get(source, ()), *self._nobodys][:MOST_SECRETS]
        given = seal.signature.encode("utf-8", "replace")
        # always as many comparisons, so that the time taken tells nothing
        matches = [
            hmac.compare_digest(_signature(secret, seal.timestamp, seal.delivery_id, body).encode(), given)
            for secret in known
        ]
        if not (seal.well_formed and any(matches)):
            raise _refused()
        sent = datetime.fromtimestamp(int(seal.timestamp), UTC)
        if abs(now - sent) > self._window:
            raise _refused()
        return sent


def read_secrets(files: Mapping[str, Sequence[Path]]) -> dict[str, tuple[bytes, ...]]:
    """What the files of each source hold, without blanks around it; `BadSetting` where that is no secret."""
    return {
        source: tuple(_secret(path, f"file {number} of {source}") for number, path in enumerate(paths, start=1))
        for source, paths in files.items()
    }


def _secret(path: Path, place: str) -> bytes:
    """The path is not shown: whoever puts the secret itself in its place must not find it in a log."""
    told = f"DUECAST_WEBHOOK_SECRETS: {place}"
    try:
        with path.open("rb") as file:
            held = file.read(_MOST_SECRET_BYTES + 1).strip()
    except OSError as error:
        raise BadSetting(f"{told} cannot be read ({error.strerror}); allowed: a file that holds a secret") from None
    if not LEAST_SECRET_BYTES <= len(held) <= _MOST_SECRET_BYTES:
        allowed = f"{LEAST_SECRET_BYTES} to {_MOST_SECRET_BYTES} bytes"
        raise BadSetting(f"{told} holds {len(held)} bytes; allowed: a random secret of {allowed}")
    return held


def _signature(secret: bytes, timestamp: str, delivery_id: str, body: bytes) -> str:
    told = f"{timestamp}.{delivery_id}.".encode("utf-8", "replace") + body
    return f"{VERSION}={hmac.new(secret, told, sha256).hexdigest()}"


def _refused() -> Refused:
    return Refused(problems.UNSIGNED, headers={"www-authenticate": "Duecast-Signature"})
