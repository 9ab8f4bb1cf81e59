"""The two roads to an API, direct and over the openai SDK: same request, same events, same faults."""

from __future__ import annotations

from typing import Any

import pytest
from fake.proxy import HttpProxy, SocksProxy
from fake.replies import scripted
from fake.server import FakeServer
from fake.wire import Completion, response
from faults import FAULTS, Fault
from provider_calls import endpoint, request

from gptkit.core.chat import ChatRequest, Deadlines, Endpoint, Event
from gptkit.core.errors import GptkitError, InternalError, TryAgainError
from gptkit.provider.client import model_names, provider, transport_name
from gptkit.provider.exchange import Exchange
from gptkit.provider.sdk_transport import SdkAnswer

PATIENCE = {
    "idle_timeout": "idle",
    "first_token_timeout": "first_content",
    "token_timeout": "content",
    "end_timeout": "end",
}
"""From the names of settings to those of deadlines."""
UNTOLD = {"endless 1xx"}
"""What httpcore2 reads without telling anybody: then the end of the connection is the fault."""
BASES = [
    "{}/v1",
    "{}/v1/",
    "{}/v1?api-version=2026-01-01&x=a%20b&y=1+2",
    "{}/proxy%2Fname/v1",
]


def answered(place: Endpoint, asked: ChatRequest) -> tuple[list[Event], Any]:
    """The events of one request, and all that is known of the failure at their end."""
    events: list[Event] = []
    try:
        for event in provider(place)(asked):
            events.append(event)
    except GptkitError as error:
        told = error.message.replace(place.base_url.split("/")[2], "HOST")
        wait = error.wait and round(error.wait / 10)
        return events, (type(error), told, error.hint, error.tries, error.billed, wait, error.partial)
    return events, None


def around(fault: Fault) -> dict[str, Any]:
    given = dict(line.split(": ") for line in fault.settings.splitlines())
    patience = {PATIENCE[name]: float(value) for name, value in given.items() if name in PATIENCE}
    return {"deadlines": Deadlines(**patience), "lenient_finish": given.get("finish") == "lenient"}


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_both_roads_end_in_the_same_events(server: FakeServer, fault: Fault, stream: bool) -> None:
    server.queue(fault.reply)
    direct = answered(endpoint(server.url, **around(fault)), request(stream))
    with FakeServer() as other, SocksProxy() as proxy:
        other.queue(fault.reply)
        told = answered(endpoint(other.url, proxy=proxy.url, **around(fault)), request(stream))
        assert told == direct or (fault.name in UNTOLD and told[1][0] is TryAgainError)
        assert len(proxy.passages) == len(other.requests) == 1


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"key": None},
        {"organization": "org-1", "project": "proj-1", "headers": {"X-Team": "a b", "accept": "x/y"}},
    ],
    ids=["key", "no key", "headers"],
)
def test_the_two_requests_are_the_same_byte_for_byte(
    server: FakeServer, base: str, fields: dict[str, Any]
) -> None:
    server.queue(scripted([response(200, Completion("ok").whole_object())]), times=2)
    asked = request(temperature=0.5, made_up={"a": [1, None, "界"]})
    url = base.format(server.origin)
    answered(endpoint(url, **fields), asked)
    with SocksProxy() as proxy:
        answered(endpoint(url, proxy=proxy.url, **fields), asked)
    direct, told = (one.raw for one in server.requests)
    assert told == direct
    assert direct.endswith('"made_up":{"a":[1,null,"界"]},"stream":true}'.encode())


def test_the_user_is_told_which_road_is_taken(server: FakeServer) -> None:
    with HttpProxy("ann", "s3cret") as proxy:
        place = endpoint(server.url, proxy=proxy.login_url)
        assert transport_name(place, "gpt-test") == f"openai SDK, through 127.0.0.1:{proxy.port}"
    assert transport_name(endpoint(server.url), "gpt-test") == "direct"
    assert {transport_name(place, name) for name in ("echo", "local:a.gguf")} == {"in this process"}


def test_a_list_of_models_goes_over_the_sdk_with_headers_of_gptkit(server: FakeServer) -> None:
    server.models("b", "a")
    place = endpoint(f"{server.url}?api-version=1", organization="org-1", headers={"Content-Type": "x/y"})
    assert model_names(place) == ["a", "b"]
    sent = server.request
    assert (sent.target, sent.headers["openai-organization"]) == ("/v1/models?api-version=1", "org-1")
    assert not [name for name in sent.headers if name.startswith("x-stainless") or name == "content-type"]


def test_the_sdk_cannot_ask_twice(server: FakeServer) -> None:
    import httpx2

    server.models("a")
    transfer = SdkAnswer(exchange := Exchange(endpoint(server.url), "/models"))
    asked = httpx2.Request("GET", f"{server.url}/models")
    assert transfer(asked).status_code == 200
    with pytest.raises(InternalError):
        transfer(asked)
    exchange.close()
    assert len(server.requests) == 1
