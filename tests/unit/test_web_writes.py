"""Writes over HTTP: repeated only where they were certainly not done, and honest about not knowing."""

import httpx
import pytest

from features.errors import BadSetting, FateUnknown, SourceBroken, SourceError
from pipelines.connectors.web import Answer, Retries, Web

HASTY = Retries(attempts=4, wait_initial=0.0, wait_max=0.0, wait_jitter=0.0)


class Server:
    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self, _: httpx.Request) -> httpx.Response:
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def post(self, **keys: bool) -> Answer:
        with Web("http://127.0.0.1:9", {}, transport=httpx.MockTransport(self), retries=HASTY) as web:
            return web.fetch("POST", "/sales", body=b"{}", **keys)


@pytest.mark.parametrize("trouble", [httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("cut"), httpx.Response(503)])
def test_a_write_whose_fate_is_unknown_is_not_repeated(trouble: httpx.Response | Exception) -> None:
    server = Server(trouble)
    with pytest.raises(FateUnknown, match="POST /sales: no answer in 1 attempt"):
        server.post()
    assert server.asked == 1


@pytest.mark.parametrize("trouble", [httpx.ConnectError("refused"), httpx.ConnectTimeout("away"), httpx.Response(429)])
def test_a_write_that_was_certainly_not_done_is_repeated(trouble: httpx.Response | Exception) -> None:
    server = Server(trouble, trouble, httpx.Response(200, content=b"done"))
    assert server.post().body == b"done"
    for_good = Server(*[trouble] * 4)
    with pytest.raises(SourceError, match="no answer in 4 attempts") as caught:
        for_good.post()
    assert not isinstance(caught.value, FateUnknown)


def test_a_write_that_may_be_repeated_is() -> None:
    server = Server(httpx.Response(500), httpx.Response(200))
    assert server.post(again=True).status == 200
    with pytest.raises(SourceError) as caught:
        Server(*[httpx.Response(500)] * 4).post(again=True)
    assert not isinstance(caught.value, FateUnknown)


def test_a_header_that_cannot_be_sent_is_our_mistake_and_is_not_shown() -> None:
    server = Server(httpx.LocalProtocolError("Illegal header value b'bearer HUSH'"))
    with pytest.raises(BadSetting, match="a header cannot be sent; is every secret one line of plain text") as caught:
        server.post(again=True)
    assert server.asked == 1
    assert "HUSH" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_an_answer_that_nobody_expects_is_named_and_not_repeated() -> None:
    server = Server(httpx.Response(418))
    with pytest.raises(SourceBroken, match="status 418; allowed: 200"):
        server.post()
    assert server.asked == 1
