"""Tryton's RPC: what its REST API has no way for, wizards and many records at a time.

A session belongs to a person who logs in with a password; integrations use a key and `connectors.tryton`.
"""

import base64
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self, cast

import httpx

from features.errors import BadInput, SourceBroken, SourceError
from pipelines.connectors.tryton_json import Json, decode, encode
from pipelines.connectors.web import Limits, Retries, Web


class TrytonSession:
    """Calls of one user's session. Use it as a context manager: it logs out."""

    def __init__(self, web: Web, database: str, authorization: str | None = None, context: Json | None = None) -> None:
        self._web = web
        self._database = database
        self._headers = {"Content-Type": "application/json"}
        if authorization is not None:
            self._headers["Authorization"] = authorization
        self.context = context or {}

    @classmethod
    def log_in(
        cls,
        base_url: str,
        database: str,
        user: str,
        password: str,
        *,
        transport: httpx.BaseTransport | None = None,
        retries: Retries | None = None,
        limits: Limits | None = None,
    ) -> Self:
        """A session with the user's context; `SourceRefused` where name or password are wrong."""
        web = Web(base_url, {"Accept": "application/json"}, transport=transport, retries=retries, limits=limits)
        try:
            told = cls(web, database)._ask("common.db.login", user, {"password": password})
            number, token = _session_of(told)
            proof = base64.b64encode(f"{user}:{number}:{token}".encode()).decode()
            session = cls(web, database, f"Session {proof}")
            session.refresh()
        except BaseException:
            web.close()
            raise
        return session

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(SourceError, BadInput):
            self._ask("common.db.logout")
        self._web.close()

    def refresh(self) -> None:
        """Learn the user's context again, after it was changed."""
        self.context = cast(Json, self._ask("model.res.user.get_preferences", True, {}))

    def within(self, **context: Any) -> "TrytonSession":
        """The same session, with more context; only the original one is to be closed."""
        return TrytonSession(self._web, self._database, self._headers.get("Authorization"), self.context | context)

    def call(self, model: str, method: str, *arguments: Any) -> Any:
        """What the method of a model answers."""
        return self._ask(f"model.{model}.{method}", *arguments, self.context)

    def create(self, model: str, records: Sequence[Mapping[str, Any]]) -> list[int]:
        """The ids of new records."""
        return cast(list[int], self.call(model, "create", list(records)))

    def search(
        self, model: str, domain: Sequence[Any], fields: Collection[str] = ("id",), limit: int | None = None
    ) -> list[Json]:
        """The records in `domain`, in Tryton's own order."""
        return cast(list[Json], self.call(model, "search_read", list(domain), 0, limit, None, list(fields)))

    def one(self, model: str, domain: Sequence[Any], fields: Collection[str] = ("id",)) -> Json:
        """The first record in `domain`; `SourceBroken` where there is none."""
        found = self.search(model, domain, fields, limit=1)
        if not found:
            raise SourceBroken(f"{model}: no record in {list(domain)}; allowed: a database with it")
        return found[0]

    def wizard(
        self, name: str, steps: Sequence[tuple[str, Mapping[str, Json]]], model: str = "", records: Sequence[int] = ()
    ) -> Json:
        """Walk a wizard on `records` of `model`: each step is a state, and what was filled in on the way to it.

        What comes back is what the wizard showed last.
        """
        chosen = {"active_model": model, "active_id": records[0], "active_ids": list(records)} if records else {}
        context = self.context | chosen
        number, start, end = self._ask(f"wizard.{name}.create", context)
        shown = self._ask(f"wizard.{name}.execute", number, {}, start, context)
        for state, filled in steps:
            shown = self._ask(f"wizard.{name}.execute", number, dict(filled), state, context)
        self._ask(f"wizard.{name}.delete", number, context)
        return cast(Json, shown or {"state": end})

    def _ask(self, method: str, *parameters: Any) -> Any:
        body = encode({"id": 1, "method": method, "params": list(parameters)})
        answer = self._web.fetch("POST", f"{self._database}/rpc/", body=body, headers=self._headers)
        told = decode(answer.body, method)
        if isinstance(told, dict) and "error" in told:
            raise BadInput(f"{method}: Tryton refused it: {_shortened(told['error'])}")
        return told["result"] if isinstance(told, dict) and "result" in told else told


def _session_of(told: Any) -> tuple[int, str]:
    if isinstance(told, list) and len(told) >= 2:
        return int(told[0]), str(told[1])
    raise SourceBroken("common.db.login: the answer names no session; allowed: user id and token")


def _shortened(error: Any) -> str:
    words = error if isinstance(error, list) else [error]
    return "; ".join(str(word) for word in words if word)[:300]
