"""How a caller of an OData service says who it is: user and password, or OAuth2 client credentials (RFC 6749, 4.4)."""

import json
from collections.abc import Generator

import httpx

from features.errors import SourceBroken, SourceRefused
from pipelines.connectors.web import source_url


def basic(user: str, password: str) -> httpx.Auth:
    """User and password with every request."""
    return httpx.BasicAuth(user, password)


class ClientCredentials(httpx.Auth):
    """A bearer token from `token_url`, fetched with the first request and once more when a request is refused (401).

    `SourceRefused` where the token is not given, `SourceBroken` where the answer holds none.
    """

    requires_response_body = True

    def __init__(self, token_url: str, client_id: str, secret: str) -> None:
        self._url = source_url(token_url)
        self._who = httpx.BasicAuth(client_id, secret)
        self._token: str | None = None

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """httpx asks this what to send."""
        fresh = self._token is None
        if fresh:
            yield from self._fetch()
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code == 401 and not fresh:
            yield from self._fetch()
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _fetch(self) -> Generator[httpx.Request, httpx.Response, None]:
        asking = httpx.Request("POST", self._url, data={"grant_type": "client_credentials"})
        answer = yield next(self._who.auth_flow(asking))
        answer.read()
        if answer.status_code in (400, 401, 403):
            raise SourceRefused(
                f"the token endpoint refused the client ({answer.status_code}); check its id and secret"
            )
        try:
            token = json.loads(answer.content)["access_token"]
        except (ValueError, KeyError, TypeError):
            token = None
        if answer.status_code != 200 or not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise SourceBroken(f"the token endpoint answered {answer.status_code} without an access_token")
        self._token = token


class PlainQuery(httpx.Auth):
    """`inner`, with the query as OData services write it themselves: spaces as %20, options by $name, not %24name.

    Both spellings mean the same, yet there are gateways that take a + for a plus or do not know the option %24filter.
    """

    def __init__(self, inner: httpx.Auth) -> None:
        self._inner = inner
        self.requires_response_body = inner.requires_response_body

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """httpx asks this what to send."""
        if request.url.query:
            request.url = request.url.copy_with(query=_plain(request.url.query))
        yield from self._inner.sync_auth_flow(request)


def _plain(query: bytes) -> bytes:
    """A query that encodes its options' names encodes a plus that is meant too; any other goes as it came."""
    if b"%24" not in query and b"%21" not in query:
        return query
    parts = [part.partition(b"=") for part in query.replace(b"+", b"%20").split(b"&")]
    return b"&".join(n.replace(b"%24", b"$").replace(b"%21", b"!") + sign + value for n, sign, value in parts)
