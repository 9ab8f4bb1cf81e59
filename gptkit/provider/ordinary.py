"""The SDK's ordinary way to a server, for connections through a proxy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gptkit.errors import BadConfiguration
from gptkit.provider.connection import context
from gptkit.provider.exchange import Answer, Exchange

if TYPE_CHECKING:
    import httpx2


def ordinary(exchange: Exchange) -> Answer:
    """Sends the same request as the early path would, over httpx2's own connections."""
    import httpx2

    message, place = exchange.message, exchange.place
    deadlines = exchange.endpoint.deadlines
    timeout = httpx2.Timeout(deadlines.idle, connect=deadlines.connect)
    transport = httpx2.HTTPTransport(
        verify=context(exchange.endpoint), trust_env=False, proxy=_proxy(exchange)
    )
    exchange.closers.append(transport.close)
    request = httpx2.Request(
        message.method,
        f"{place.scheme}://{place.authority}{message.target}",
        headers=message.headers,
        content=message.body,
        extensions={"timeout": timeout.as_dict()},
    )
    response = transport.handle_request(request)
    return Answer(response.status_code, response.headers.raw, _watched(response, exchange))


def _proxy(exchange: Exchange) -> httpx2.Proxy:
    import httpx2

    try:
        return httpx2.Proxy(exchange.endpoint.proxy or "")
    except (ValueError, httpx2.InvalidURL):
        raise BadConfiguration(
            "proxy: not a proxy's address", hint="write it like http://host:port or socks5://host:port"
        ) from None


def _watched(response: httpx2.Response, exchange: Exchange) -> Iterator[bytes]:
    """httpx2 knows the idle deadline only; the content one is looked at whenever bytes come."""
    for piece in response.iter_raw():
        exchange.clock.seconds()
        yield piece
