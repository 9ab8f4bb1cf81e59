"""A walk from the host's name to the first token, one step at a time, for finding what is wrong."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from time import monotonic, perf_counter
from typing import NamedTuple
from urllib.parse import urlsplit

from gptkit.core.chat import ChatRequest, Endpoint, Finished, Message
from gptkit.core.errors import GptkitError, NoPermissionError, UnavailableError
from gptkit.provider.client import model_names, provider
from gptkit.provider.connection import Address, addresses, connected, secured, trust
from gptkit.provider.errors import fault
from gptkit.provider.exchange import Exchange
from gptkit.provider.request import Target, key


class Step(NamedTuple):
    """One step: what was found, or why it failed and the exit code of that failure."""

    name: str
    seconds: float
    ok: bool
    detail: str
    code: int = 0


def steps(endpoint: Endpoint, model: str, keyless: NoPermissionError | None = None) -> Iterator[Step]:
    """Each step as soon as it is done; the first that fails is the last.

    `keyless` says why the endpoint has no key: nothing is then asked of the server.
    """
    walk = _Walk(endpoint, model, keyless)
    for name, action in walk.actions():
        start = perf_counter()
        try:
            detail = action()
        except Exception as error:
            failure = walk.failure(error)
            told = f"{failure.message} ({failure.hint})" if failure.hint else failure.message
            yield Step(walk.layer(failure, name), perf_counter() - start, False, told, failure.code)
            return
        yield Step(name, perf_counter() - start, True, detail)


class _Walk:
    """What the steps so far have found."""

    def __init__(self, endpoint: Endpoint, model: str, keyless: NoPermissionError | None) -> None:
        self._endpoint = endpoint
        self._keyless = keyless
        self._model = model
        self._exchange: Exchange | None = None
        self._found: list[Address] = []
        self._names: list[str] | None = None

    def actions(self) -> Iterator[tuple[str, Callable[[], str]]]:
        if self._model != "echo" and not self._model.startswith("local:"):
            yield "address", self._address
            yield "name look-up", self._look_up
            if self._endpoint.proxy:
                yield "proxy", self._proxy
            else:
                yield "TCP", self._connect
                if self._here.scheme == "https":
                    yield "TLS", self._secure
            yield "key", self._key
            yield "model", self._listed
        yield "first token", self._first_token

    def failure(self, error: Exception) -> GptkitError:
        if self._exchange is not None:
            return fault(error, self._exchange)
        return error if isinstance(error, GptkitError) else fault(error, Exchange(_NOWHERE, ""))

    def layer(self, failure: GptkitError, name: str) -> str:
        """Behind a proxy the connection is made together with the first request."""
        return "TLS" if self._endpoint.proxy and failure.message.startswith("TLS") else name

    @property
    def _here(self) -> Target:
        """The host to connect to: the server, or the proxy in front of it."""
        assert self._exchange is not None  # noqa: S101 - the first action has set it
        place = self._exchange.place
        if not self._endpoint.proxy:
            return place
        parts = urlsplit(self._endpoint.proxy)
        usual = {"http": 80, "https": 443}.get(parts.scheme, 1080)
        return place._replace(host=parts.hostname or "", port=parts.port or usual)

    def _address(self) -> str:
        self._exchange = Exchange(self._endpoint, "/models")
        return self._exchange.place.url

    def _look_up(self) -> str:
        self._found = addresses(self._here, self._endpoint.deadlines.connect)
        shown = list(dict.fromkeys(str(address.location[0]) for address in self._found))
        return f"{self._here.host} is {', '.join(shown[:4])}" + (" ..." if len(shown) > 4 else "")

    def _proxy(self) -> str:
        self._open().close()
        return f"{self._here.place} answers"

    def _connect(self) -> str:
        with self._open() as opened:
            return f"{self._here.place} answers from {opened.getpeername()[0]}"

    def _secure(self) -> str:
        due = monotonic() + self._endpoint.deadlines.connect
        with secured(self._open, self._here, trust(self._endpoint), due) as opened:
            certificate = opened.getpeercert() or {}
            return f"{opened.version()}, certificate valid until {certificate.get('notAfter', 'unknown')}"

    def _open(self) -> socket.socket:
        return connected(self._found, monotonic() + self._endpoint.deadlines.connect)

    def _key(self) -> str:
        if self._keyless is not None:
            raise self._keyless
        shown = "accepted" if key(self._endpoint) else "none, and none was asked for"
        try:
            self._names = model_names(self._endpoint)
        except NoPermissionError:
            raise
        except UnavailableError:
            return f"{shown}; the server has no list of models"
        return shown

    def _listed(self) -> str:
        """A list need not be complete: a model that is not in it is tried all the same."""
        if self._names is None:
            return f"'{self._model}' cannot be looked up, trying it"
        if self._model in self._names:
            return f"'{self._model}' is one of {len(self._names)}"
        near = get_close_matches(self._model, self._names, 3)
        also = f"; near it: {', '.join(near)}" if near else ""
        return f"'{self._model}' is not among the {len(self._names)} listed, trying it{also}"

    def _first_token(self) -> str:
        """Without a limit, which models name differently: the connection is closed at the first token."""
        asked = ChatRequest(self._model, (Message("user", "Say: yes"),), text="yes")
        first = next(provider(self._endpoint)(asked), None)
        if isinstance(first, Finished):
            return f"none: finished with '{first.reason}'"
        return "it answers"


_NOWHERE = Endpoint("http://localhost")
