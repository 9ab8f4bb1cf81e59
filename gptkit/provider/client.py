"""The border to the openai SDK: a request goes out, gptkit's events and errors come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gptkit.chat import Endpoint, Event, Provider, Request, Text
from gptkit.errors import GptkitError, ProtocolFault, Stopped
from gptkit.provider.connection import Idle
from gptkit.provider.early import early
from gptkit.provider.exchange import Answer, Exchange

_HERE = "http://localhost/v1"
"""What the SDK is told for `echo`; no setting of the user's endpoint concerns it."""


def provider(endpoint: Endpoint) -> Provider:
    """Each call sends one HTTP request, once, and yields what comes back.

    A connection that an answer leaves whole carries the next request, if that comes at once. The
    models `echo` and `local:FILE` answer in this process, through the same SDK.
    """
    idle = Idle()

    def send(request: Request) -> Iterator[Event]:
        exchange, request = _exchange(endpoint, request)
        exchange.idle = idle
        try:
            for event in _events(exchange, request):
                if type(event) is Text:
                    exchange.partial = True
                yield event
            return
        except Exception as error:
            failure = _failure(error, exchange)
        finally:
            exchange.close()
        raise failure

    return send


def model_names(endpoint: Endpoint) -> list[str]:
    """What the endpoint says it serves, sorted."""
    exchange = Exchange(endpoint, "/models")
    failure: GptkitError
    try:
        return _names(exchange)
    except Exception as error:
        failure = _failure(error, exchange)
        failure.attempts = 1
    finally:
        exchange.close()
    raise failure


def _exchange(endpoint: Endpoint, request: Request) -> tuple[Exchange, Request]:
    if request.model.startswith("local:"):
        from gptkit.provider.local import local

        return local(request)
    place = Endpoint(_HERE) if request.model == "echo" else endpoint
    return Exchange(place, "/chat/completions", request), request


def _events(exchange: Exchange, request: Request) -> Iterator[Event]:
    """The request first, the SDK afterwards: it loads while the server is thinking."""
    deliver = _delivery(exchange, request)
    from gptkit.provider.events import events
    from gptkit.provider.guard import Guard
    from gptkit.provider.sdk import client

    sdk = client(exchange, Guard(exchange, deliver))
    from openai import Stream

    with sdk.post(
        "/chat/completions", cast_to=object, body=request.body(), stream=True, stream_cls=Stream[object]
    ) as pieces:
        yield from events(pieces, exchange)


def _failure(error: Exception, exchange: Exchange) -> GptkitError:
    from gptkit.provider.faults import causes, fault

    for cause in (*causes(error), error.__context__):
        if isinstance(cause, Stopped):  # what was at work took the signal for a failure of its own
            raise cause
    return fault(error, exchange)


def _delivery(exchange: Exchange, request: Request) -> Callable[[], Answer]:
    if request.model == "echo":
        from gptkit.provider.echo import echo

        return echo(request)
    return _network(exchange)


def _network(exchange: Exchange) -> Callable[[], Answer]:
    if exchange.endpoint.proxy:
        from gptkit.provider.ordinary import ordinary

        return lambda: ordinary(exchange)
    return early(exchange)


def _names(exchange: Exchange) -> list[str]:
    deliver = _network(exchange)
    from gptkit.provider.guard import Guard
    from gptkit.provider.sdk import client

    found = client(exchange, Guard(exchange, deliver)).get("/models", cast_to=object)
    rows = found.get("data", found.get("models")) if isinstance(found, dict) else found
    if not isinstance(rows, list):
        raise ProtocolFault("malformed answer: no list of models", tries=2)
    names = [row.get("id") or row.get("name") for row in rows if isinstance(row, dict)]
    return sorted({name for name in names if isinstance(name, str)})
