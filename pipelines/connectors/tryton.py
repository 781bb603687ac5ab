"""Tryton's REST API: records by model, in its typed JSON, under the context of its user.

    GET  {base}/{database}/rest/model/{model}?f=field&d=domain&o=order&s=limit     Authorization: bearer KEY
    POST {base}/{database}/rest/model/{model}[/{id}/{action}]

Tryton leaves it to the caller to send the user's own context (company, companies, language): it is asked for once and
sent with every request.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Self, cast

import httpx

from features.errors import BadInput, BadSetting, NotFound, SourceBroken, SourceError
from pipelines.connectors.tryton_answers import records
from pipelines.connectors.tryton_json import Json, decode, encode, in_address
from pipelines.connectors.web import Answer, Call, Limits, Retries, Web

Domain = Sequence[Any]
Order = Sequence[tuple[str, str]]

_IDS_A_REQUEST = 200  # a domain goes into the address, which servers bound
_ANSWERS = (200, 204, 400, 404, 409, 423)


class Tryton:
    """Reads and writes records of one database. Use it as a context manager, or `close` it."""

    def __init__(self, web: Web, database: str, context: Json | None = None) -> None:
        self._web = web
        self._path = f"{database}/rest/model"
        self._context = context or {}

    @classmethod
    def connect(
        cls,
        base_url: str,
        database: str,
        key: str,
        *,
        transport: httpx.BaseTransport | None = None,
        retries: Retries | None = None,
        limits: Limits | None = None,
        on_call: Callable[[Call], None] | None = None,
    ) -> Self:
        """A client with the context of the user to whom `key`, made for the application `rest`, belongs.

        `SourceRefused` where the key is wrong or not validated yet.
        """
        if not key.strip():
            raise BadSetting("the key of Tryton is empty; allowed: a validated key of a user's application `rest`")
        headers = {"Authorization": f"bearer {key.strip()}", "Accept": "application/json"}
        web = Web(base_url, headers, transport=transport, retries=retries, limits=limits, on_call=on_call)
        try:
            asked = cls(web, database)._ask("POST", "res.user/get_preferences", {"context_only": True}, again=True)
        except NotFound:
            web.close()
            raise SourceError(
                f"Tryton has no database {database!r} there (404); is the name right, or is it in maintenance?"
            ) from None
        except BaseException:
            web.close()
            raise
        return cls(web, database, asked)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back, those of `within` too."""
        self._web.close()

    @property
    def context(self) -> Json:
        """What is sent with every request: of the user at first."""
        return dict(self._context)

    def within(self, **context: Any) -> "Tryton":
        """The same client, with more context."""
        return Tryton(self._web, self._path.removesuffix("/rest/model"), self._context | context)

    def of_company(self, company: int) -> "Tryton":
        """The same client, seeing the books of one company only."""
        return self.within(company=company, companies=[company])

    def search(
        self,
        model: str,
        domain: Domain = (),
        fields: Collection[str] = (),
        *,
        order: Order | None = None,
        limit: int | None = None,
    ) -> list[Json]:
        """The records of `model` in `domain`: their `id`, and `fields`, dotted ones nested under `name.`'s name."""
        query = [("f", field) for field in fields or ("id",)] + [("d", in_address(list(domain)))]
        query += [("o", in_address([list(part) for part in order]))] if order else []
        query += [("s", str(limit))] if limit else []
        return records(self._ask("GET", model, params=query), model, fields)

    def of_ids(
        self, model: str, field: str, ids: Collection[int], fields: Collection[str], domain: Domain = ()
    ) -> Iterator[Json]:
        """The records of `model` whose `field` is one of `ids`, however many these are."""
        known = sorted(set(ids))
        for start in range(0, len(known), _IDS_A_REQUEST):
            yield from self.search(model, [[field, "in", known[start : start + _IDS_A_REQUEST]], *domain], fields)

    def read(self, model: str, record: int, fields: Collection[str]) -> Json:
        """One record; `NotFound` where there is none that the user may see."""
        answer = self._ask("GET", f"{model}/{record}", params=[("f", field) for field in fields])
        return records([answer], model, fields)[0]

    def create(self, model: str, values: Mapping[str, Any], fields: Collection[str] = ()) -> Json:
        """Create a record; what comes back has its `id` and `fields`. Tryton fills in defaults, and nothing else."""
        return cast(Json, self._ask("POST", model, dict(values), params=[("f", f) for f in fields or ("id",)]))

    def write(self, model: str, record: int, values: Mapping[str, Any]) -> None:
        """Change a record."""
        self._ask("PUT", f"{model}/{record}", dict(values), params=[("f", "id")])

    def act(self, model: str, record: int, action: str, fields: Collection[str] = ()) -> Json:
        """Press a button of a record, say `post`; what comes back has its `id` and `fields`, as they are then."""
        return cast(
            Json, self._ask("POST", f"{model}/{record}/{action}", {}, params=[("f", f) for f in fields or ("id",)])
        )

    def _ask(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        params: list[tuple[str, str]] | None = None,
        again: bool | None = None,
    ) -> Any:
        headers = {"X-Tryton-Context": in_address(self._context)} if self._context else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        answer = self._web.fetch(
            method,
            f"{self._path}/{path}",
            params=params,
            body=None if body is None else encode(body),
            headers=headers,
            again=again,
            allowed=_ANSWERS,
        )
        where = f"{method} {path}"
        if answer.status >= 400:
            raise _refusal(answer, where)
        return decode(answer.body, where) if answer.body else {}


def _refusal(answer: Answer, where: str) -> Exception:
    """What Tryton had against a request."""
    if answer.status == 404:
        return NotFound(f"{where}: there is no such record or model, or the user may not see it (404)")
    if "json" not in answer.headers.get("Content-Type", ""):
        text = answer.body[:200].decode(errors="replace")
        return SourceBroken(f"{where}: status {answer.status}: {text}; allowed: what Tryton's REST API answers")
    said = decode(answer.body, where)
    reason = said.get("message") or said if isinstance(said, dict) else said
    return BadInput(f"{where}: Tryton refused it ({answer.status}): {reason}")
