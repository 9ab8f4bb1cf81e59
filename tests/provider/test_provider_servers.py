"""Servers that speak OpenAI's protocol in their own way, and what is made of what they report."""

from __future__ import annotations

import pytest
from fake.proxy import HttpProxy
from fake.server import FakeServer
from fake.wire import response
from provider_calls import KEY, endpoint, failure

from gptkit.core.errors import NoPermissionError, RateLimitError, TryAgainError, UnavailableError


def test_advice_to_wait_outweighs_words_about_a_quota(server: FakeServer) -> None:
    """Google says 'quota' for a limit by the minute; a code of its own says that the account is empty."""
    words = {"message": "You exceeded your current quota, please check your plan and billing details."}
    server.fail(429, {"error": words}, headers={"Retry-After": "7"})
    _, error = failure(endpoint(server.url), RateLimitError)
    assert error.wait == 7
    server.fail(429, [{"error": {**words, "details": [{"reason": "x"}, {"retryDelay": "41s"}]}}])
    _, error = failure(endpoint(server.url), RateLimitError)
    assert error.wait == 41
    server.fail(429, {"error": {**words, "code": "insufficient_quota"}}, headers={"Retry-After": "7"})
    failure(endpoint(server.url), UnavailableError)
    server.fail(429, {"error": words})
    failure(endpoint(server.url), UnavailableError)


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize(
    ("shown", "masked"),
    [
        (KEY[:16] + "****", "***" + "****"),
        ("sk-***" + KEY[6:], "sk-***" + "***"),
        (KEY[:9] + "**" + KEY[-9:], "***" + "**" + "***"),
        (KEY[:4] + "****" + KEY[-4:], KEY[:4] + "****" + KEY[-4:]),
    ],
)
def test_what_a_server_shows_of_a_key_is_masked(
    server: FakeServer, shown: str, masked: str, proxied: bool
) -> None:
    server.fail(401, {"error": {"message": f"Incorrect API key provided: {shown}."}})
    with HttpProxy() as proxy:
        place = endpoint(server.url, proxy=proxy.url if proxied else None)
        _, error = failure(place, NoPermissionError)
    assert error.message == f"the API key was not accepted (401): Incorrect API key provided: {masked}."


@pytest.mark.parametrize("proxied", [False, True])
def test_an_array_of_errors_in_place_of_the_answer(server: FakeServer, proxied: bool) -> None:
    server.raw([response(200, [{"error": {"code": 503, "message": "overloaded"}}])], times=1)
    with HttpProxy() as proxy:
        _, error = failure(endpoint(server.url, proxy=proxy.url if proxied else None), TryAgainError)
    assert (error.message, error.tries) == ("server trouble (503): overloaded", 4)


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("", "the base URL often ends in /v1: '{}/v1'"),
        ("/openai", "the base URL often ends in /v1: '{}/v1'"),
        ("/v1", "'gptkit config list' shows where the base URL is set"),
        ("/v1beta/openai", "'gptkit config list' shows where the base URL is set"),
    ],
)
def test_a_404_without_a_word_of_a_model_hints_at_the_path(server: FakeServer, path: str, hint: str) -> None:
    server.fail(404, {"detail": "Not Found"})
    _, error = failure(endpoint(server.origin + path), UnavailableError)
    assert error.hint == hint.format(server.origin + path)
    assert server.request.path == f"{path}/chat/completions"
