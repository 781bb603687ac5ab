"""What the environment says: the one place that reads it.

Every setting is a value in `SETTINGS`; reading, the README's table and the environment of child processes derive from
the list. A `DUECAST_` variable that is not in it is refused, since a misspelt one would be obeyed by nobody.
"""

import ipaddress
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from features.errors import BadSetting

PREFIX = "DUECAST_"

# Nothing phones home. Read by these libraries when they are imported, so `quieten` comes before any such import.
# One more for LightGBM: threads that wait by spinning make training ten times slower on busy cores.
QUIET = {
    "OMP_WAIT_POLICY": "passive",
    "DO_NOT_TRACK": "true",
    "BENTOML_DO_NOT_TRACK": "true",  # the word: "1" does not count
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_SECRET_FILE = re.compile(r"([a-z0-9][a-z0-9._-]{0,39})=(\S.*)")
_KEY = re.compile(r"([a-z0-9][a-z0-9._-]{0,39})=([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable: the field that it fills, what it means, what is allowed, and how text becomes the value.

    `parse` raises ValueError for what is not allowed; `write` is its inverse.
    """

    field: str
    doc: str
    allowed: str
    default: str
    parse: Callable[[str], Any]
    write: Callable[[Any], str] = str

    @property
    def variable(self) -> str:
        """The name in the environment."""
        return PREFIX + self.field.upper()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that the environment decides; each field's meaning is in `SETTINGS`."""

    lake: str
    mlruns: Path
    state_url: str
    landscape: Path
    host: str
    port: int
    api_keys: Mapping[str, str]  # SHA-256 of the key, as hex -> name of its holder
    webhook_secrets: Mapping[str, Sequence[Path]]
    webhook_seconds: int
    body_limit: int
    bulk_limit: int
    queue_limit: int
    start_seconds: int
    log_level: str
    user: str
    approval_fields: str  # "amounts", "none", or names separated by commas

    def __post_init__(self) -> None:
        """`BadSetting` for an open door: a host that others can reach, and no key."""
        if not self.api_keys and not self.on_loopback:
            raise BadSetting(
                f"DUECAST_HOST is {self.host!r}, which others can reach, and DUECAST_API_KEYS is empty;"
                " allowed: a loopback address such as 127.0.0.1, or at least one key"
            )

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach `host`."""
        return ipaddress.ip_address(self.host).is_loopback

    @property
    def url(self) -> str:
        """Where the service answers."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    def environment(self) -> dict[str, str]:
        """This process's environment with the variables that make another one read the same settings, quietly."""
        others = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        return others | QUIET | {s.variable: s.write(getattr(self, s.field)) for s in SETTINGS}


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    return parse


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError(text)
    return text.strip()


def _place(text: str) -> str:
    """A URL as it is; a path made absolute, since child processes may stand elsewhere."""
    return _filled(text) if "://" in text else str(Path(_filled(text)).expanduser().resolve())


def _url(text: str) -> str:
    """An SQLAlchemy URL, a relative SQLite path made absolute."""
    scheme, separator, rest = _filled(text).partition(":///")
    if not scheme.startswith("sqlite"):
        if "://" not in text:
            raise ValueError(text)
        return text.strip()
    if not separator or not rest:
        raise ValueError(text)
    return f"{scheme}:///{Path(rest).expanduser().resolve()}"


def _address(text: str) -> str:
    return str(ipaddress.ip_address("127.0.0.1" if text == "localhost" else text))


def _level(text: str) -> str:
    if text.upper() not in LOG_LEVELS:
        raise ValueError(text)
    return text.upper()


def _names(text: str) -> str:
    """Names separated by commas, each once."""
    found = [part.strip() for part in text.split(",")]
    if not all(found) or (len(found) > 1 and {"amounts", "none"} & set(found)):
        raise ValueError(text)
    return ",".join(dict.fromkeys(found))


def _keys(text: str) -> dict[str, str]:
    """`name=digest` pairs; the names are for logs and must differ, and so must the digests."""
    pairs = [_KEY.fullmatch(part.strip()) for part in text.split(",") if part.strip()]
    keys = {match[2]: match[1] for match in pairs if match is not None}
    if len(keys) != len(pairs) or len(set(keys.values())) != len(pairs):
        raise ValueError(text)
    return keys


def _write_keys(keys: Mapping[str, str]) -> str:
    return ",".join(f"{name}={digest}" for digest, name in keys.items())


def _secret_files(text: str) -> dict[str, tuple[Path, ...]]:
    """`name=file` pairs; a name may have two files that differ."""
    found: dict[str, tuple[Path, ...]] = {}
    for part in (part.strip() for part in text.split(",") if part.strip()):
        match = _SECRET_FILE.fullmatch(part)
        if match is None:
            raise ValueError(text)
        files = (*found.get(match[1], ()), Path(_place(match[2])))
        if len(files) > 2 or len(set(files)) != len(files):
            raise ValueError(text)
        found[match[1]] = files
    return found


def _write_secret_files(files: Mapping[str, Sequence[Path]]) -> str:
    return ",".join(f"{name}={path}" for name, paths in files.items() for path in paths)


SETTINGS = (
    Setting("lake", "where the facts are", "a folder or an object store's URL", ".duecast/lake", _place),
    Setting("mlruns", "where models and reports are kept", "a folder", "mlruns", lambda text: Path(_place(text))),
    Setting(
        "state_url",
        "where cursors, runs and quarantine are kept",
        "an SQLAlchemy URL such as sqlite:///state.db or postgresql://host/name",
        "sqlite:///.duecast/state.db",
        _url,
    ),
    Setting(
        "landscape",
        "where the systems to talk to are declared",
        "a YAML file",
        ".duecast/landscape.yaml",
        lambda text: Path(_place(text)),
    ),
    Setting("host", "address the service listens on", "an IP address", "127.0.0.1", _address),
    Setting("port", "port the service listens on", "a whole number from 1 to 65535", "3000", _whole(1, 65535)),
    Setting(
        "api_keys",
        "who may ask; none is needed on loopback",
        "name=SHA-256 of the key as hex, several separated by commas",
        "",
        _keys,
        _write_keys,
    ),
    Setting(
        "webhook_secrets",
        "which systems may send webhooks, and the file with the secret that each signs with; two while it changes",
        "name=file, several separated by commas, a name twice at most",
        "",
        _secret_files,
        _write_secret_files,
    ),
    Setting(
        "webhook_seconds",
        "how old a webhook may be",
        "a whole number from 1 to 86400",
        "300",
        _whole(1, 86_400),
    ),
    Setting(
        "body_limit",
        "largest request body, in bytes",
        "a whole number from 1000 to 100000000",
        "2000000",
        _whole(1000, 100_000_000),
    ),
    Setting(
        "bulk_limit",
        "most invoices, customers or changes of a scenario in one question",
        "a whole number from 1 to 10000",
        "100",
        _whole(1, 10_000),
    ),
    Setting(
        "queue_limit",
        "most questions waiting before new ones are sent away with 503",
        "a whole number from 1 to 10000",
        "32",
        _whole(1, 10_000),
    ),
    Setting(
        "start_seconds",
        "how long the service may take to come alive",
        "a whole number from 1 to 3600",
        "90",
        _whole(1, 3600),
    ),
    Setting("log_level", "how much is logged", f"one of {', '.join(LOG_LEVELS)}", "INFO", _level),
    Setting("user", "who corrects errors, where --who does not say it", "a person's name", "", str.strip),
    Setting(
        "approval_fields",
        "fields whose correction a second person has to approve",
        "amounts (whatever holds money), none, or names separated by commas",
        "amounts",
        _names,
    ),
)

assert [s.field for s in SETTINGS] == [f.name for f in fields(Settings)], "every field is a setting, in this order"


def read_settings(environment: Mapping[str, str] = os.environ, **given: object) -> Settings:
    """The settings: `given` (say, the CLI's options; None counts as not given) before the environment before defaults.

    `BadSetting` names the variable, its value and what is allowed.

    >>> read_settings({"DUECAST_PORT": "8080"}, host="::1").url
    'http://[::1]:8080'
    """
    known = {s.variable for s in SETTINGS}
    unknown = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise BadSetting(f"unknown setting {unknown[0]}; there are: {', '.join(sorted(known))}")
    return Settings(**{s.field: _value(s, environment, given.get(s.field)) for s in SETTINGS})


def catalogue() -> str:
    """The Markdown table between the catalogue markers of the README."""
    head = ["| variable | meaning | allowed | default |", "|---|---|---|---|"]
    rows = [
        f"| `{s.variable}` | {s.doc} | {s.allowed} | {f'`{s.default}`' if s.default else 'none'} |" for s in SETTINGS
    ]
    return "\n".join([*head, *rows]) + "\n"


def inherited(**more: str) -> dict[str, str]:
    """This process's environment, with `more`, for programs that are not ours."""
    return {**os.environ, **more}


def quieten() -> None:
    """Turns the libraries' telemetry off in this process; call it before importing any of them."""
    os.environ.update(QUIET)


def _value(setting: Setting, environment: Mapping[str, str], given: object) -> Any:
    text = environment.get(setting.variable, setting.default) if given is None else str(given)
    try:
        return setting.parse(text)
    except ValueError:
        shown = "(not shown)" if _may_be_secret(setting, text) else repr(text)
        raise BadSetting(f"{setting.variable} is {shown}; allowed: {setting.allowed}") from None


def _may_be_secret(setting: Setting, text: str) -> bool:
    """Keys are, and so is what may be a secret in the place of its file, and a database URL that could hold a password:
    where in a broken one it stands, nobody can say.
    """
    return setting.field in ("api_keys", "webhook_secrets") or (
        setting.field == "state_url" and not set("@?:").isdisjoint(text.rstrip(":/"))
    )
