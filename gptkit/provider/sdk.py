"""Makes the client of the openai SDK, with all settings that the SDK would else choose by itself."""

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
"""Given to the SDK, which requires a key, and never sent."""
_loading, _loaded = allocate_lock(), list[bool]()
"""A lock, since several threads may send their first requests at once; the list is not empty once loaded."""
_current = local()
"""`answer` is the function that answers the next request of this thread."""


def client(exchange: Exchange, answer: Callable[[httpx2.Request], httpx2.Response]) -> openai.OpenAI:
    """Return a client of the SDK whose next request in this thread is answered by `answer`.

    The client has neither key nor headers of the user: `answer` sends those.
    """
    load()
    _current.answer = answer
    return _client(exchange.base_url.url, exchange.endpoint.deadlines)


@lru_cache(maxsize=8)
def _client(url: str, deadlines: Deadlines) -> openai.OpenAI:
    """Make the client of an endpoint once, since that costs as much as the rest of a request."""
    import httpx2
    import openai

    class Transport(httpx2.BaseTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            answer: Callable[[httpx2.Request], httpx2.Response] = _current.answer
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
    """Import the SDK and silence its log."""
    with _loading:
        if _loaded:
            return
        import logging

        import anyio
        import openai  # noqa: F401

        # with OPENAI_LOG the SDK would write prompts to standard error, beside gptkit's messages
        logging.getLogger("openai").setLevel(logging.CRITICAL + 1)
        _ = anyio.EndOfStream  # needed to close an abandoned stream, when it may be too late to import
        _loaded.append(True)
