"""The openai SDK's client, told everything that it would else decide by itself."""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Callable
from functools import lru_cache
from threading import local
from typing import TYPE_CHECKING

from gptkit.core.chat import Deadlines
from gptkit.provider.exchange import Exchange

if TYPE_CHECKING:
    import httpx2
    import openai

_NO_KEY = "none"
"""The SDK insists on a key; where there is none this one is given to it and never sent."""
_loading, _loaded = allocate_lock(), list[bool]()
"""Several threads may send their first requests at once."""
_under_way = local()
"""`answer` is what the request that this thread is about to send gets."""


def client(exchange: Exchange, answer: Callable[[httpx2.Request], httpx2.Response]) -> openai.OpenAI:
    """The SDK's client; this thread's next request over it is handed to `answer`.

    Key and headers are not given to it: `answer` sends gptkit's own.
    """
    load()
    _under_way.answer = answer
    return _client(exchange.place.url, exchange.endpoint.deadlines)


@lru_cache(maxsize=8)
def _client(url: str, deadlines: Deadlines) -> openai.OpenAI:
    """One for each endpoint: to make it costs as much as the rest of a request."""
    import httpx2
    import openai

    class Transport(httpx2.BaseTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            answer: Callable[[httpx2.Request], httpx2.Response] = _under_way.answer
            return answer(request)

    return openai.OpenAI(
        api_key=_NO_KEY,
        admin_api_key="",
        organization="",
        project="",
        webhook_secret="",
        base_url=url,
        max_retries=0,
        default_headers={"Authorization": f"Bearer {_NO_KEY}"},
        http_client=httpx2.Client(
            transport=Transport(),
            follow_redirects=False,
            trust_env=False,
            timeout=httpx2.Timeout(deadlines.idle, connect=deadlines.connect),
        ),
    )


def load() -> None:
    with _loading:
        if _loaded:
            return
        import logging

        import anyio
        import openai  # noqa: F401

        # OPENAI_LOG has the SDK write its log, prompts included, among the two lines that a failure has.
        logging.getLogger("openai").setLevel(logging.CRITICAL + 1)
        _ = anyio.EndOfStream  # needed to close an abandoned stream, when it may be too late to import
        _loaded.append(True)
