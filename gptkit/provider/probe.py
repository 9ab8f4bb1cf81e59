"""Checks an endpoint step by step, from the name of the host to the first token."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from time import monotonic, perf_counter
from typing import NamedTuple
from urllib.parse import urlsplit

from gptkit.core.chat import STREAM, ChatRequest, Endpoint, Finished, Message
from gptkit.core.errors import GptkitError, NoPermissionError, UnavailableError
from gptkit.provider.client import model_names, provider
from gptkit.provider.connection import (
    SocketAddress,
    certificate_store,
    connect_to_any,
    open_tls,
    resolve_addresses,
)
from gptkit.provider.errors import to_gptkit_error
from gptkit.provider.exchange import Exchange
from gptkit.provider.request import BaseUrl, api_key


class ProbeStep(NamedTuple):
    """The result of one step: `detail` is what was found or why the step failed, `code` the exit code."""

    name: str
    seconds: float
    ok: bool
    detail: str
    code: int = 0


def probe_endpoint(
    endpoint: Endpoint, model: str, keyless: NoPermissionError | None = None
) -> Iterator[ProbeStep]:
    """Yield each step as soon as it is done; a failed step is the last.

    `keyless` is why the endpoint has no key: then no request is sent to the server.
    """
    probe = _Probe(endpoint, model, keyless)
    for name, action in probe.actions():
        start = perf_counter()
        try:
            detail = action()
        except Exception as error:
            failure = probe.failure(error)
            message = f"{failure.message} ({failure.hint})" if failure.hint else failure.message
            yield ProbeStep(
                probe.step_name(failure, name), perf_counter() - start, False, message, failure.code
            )
            return
        yield ProbeStep(name, perf_counter() - start, True, detail)


class _Probe:
    """The steps of a probe, and what they have found so far."""

    def __init__(self, endpoint: Endpoint, model: str, keyless: NoPermissionError | None) -> None:
        self._endpoint = endpoint
        self._keyless = keyless
        self._model = model
        self._exchange: Exchange | None = None
        self._addresses: list[SocketAddress] = []
        self._names: list[str] | None = None

    def actions(self) -> Iterator[tuple[str, Callable[[], str]]]:
        if self._model != "echo" and not self._model.startswith("local:"):
            yield "address", self._check_address
            yield "name look-up", self._look_up
            if self._endpoint.proxy:
                yield "proxy", self._check_proxy
            else:
                yield "TCP", self._connect
                if self._server.scheme == "https":
                    yield "TLS", self._start_tls
            yield "key", self._check_key
            yield "model", self._find_model
        yield "first token", self._first_token

    def failure(self, error: Exception) -> GptkitError:
        if self._exchange is not None:
            return to_gptkit_error(error, self._exchange)
        return error if isinstance(error, GptkitError) else to_gptkit_error(error, Exchange(_NO_ENDPOINT, ""))

    def step_name(self, failure: GptkitError, name: str) -> str:
        """Return the name of the step that failed: behind a proxy TLS starts with the first request."""
        return "TLS" if self._endpoint.proxy and failure.message.startswith("TLS") else name

    @property
    def _server(self) -> BaseUrl:
        """The host to connect to: the server, or the proxy in front of it."""
        assert self._exchange is not None  # noqa: S101 - the first action has set it
        base_url = self._exchange.base_url
        if not self._endpoint.proxy:
            return base_url
        parts = urlsplit(self._endpoint.proxy)
        usual = {"http": 80, "https": 443}.get(parts.scheme, 1080)
        return base_url._replace(host=parts.hostname or "", port=parts.port or usual)

    def _check_address(self) -> str:
        self._exchange = Exchange(self._endpoint, "/models")
        return self._exchange.base_url.url

    def _look_up(self) -> str:
        self._addresses = resolve_addresses(self._server, self._endpoint.deadlines.connect)
        shown = list(dict.fromkeys(str(address.location[0]) for address in self._addresses))
        return f"{self._server.host} is {', '.join(shown[:4])}" + (" ..." if len(shown) > 4 else "")

    def _check_proxy(self) -> str:
        self._open().close()
        return f"{self._server.host_port} answers"

    def _connect(self) -> str:
        with self._open() as opened:
            return f"{self._server.host_port} answers from {opened.getpeername()[0]}"

    def _start_tls(self) -> str:
        due = monotonic() + self._endpoint.deadlines.connect
        with open_tls(self._open, self._server, certificate_store(self._endpoint), due) as opened:
            certificate = opened.getpeercert() or {}
            return f"{opened.version()}, certificate valid until {certificate.get('notAfter', 'unknown')}"

    def _open(self) -> socket.socket:
        return connect_to_any(self._addresses, monotonic() + self._endpoint.deadlines.connect)

    def _check_key(self) -> str:
        if self._keyless is not None:
            raise self._keyless
        has_key = bool(api_key(self._endpoint))
        shown = f"{self._endpoint.key_name}: accepted" if has_key else "none, and none was asked for"
        try:
            self._names = model_names(self._endpoint)
        except NoPermissionError:
            raise
        except UnavailableError:
            unknown = f"{self._endpoint.key_name}: not checked" if has_key else shown
            return f"{unknown}; the server has no list of models"
        return shown

    def _find_model(self) -> str:
        """Look for the model in the list, which may be incomplete: a missing model is tried all the same."""
        if self._names is None:
            return f"'{self._model}' cannot be looked up, trying it"
        if self._model in self._names:
            return f"'{self._model}' is one of {len(self._names)}"
        near = get_close_matches(self._model, self._names, 3)
        also = f"; near it: {', '.join(near)}" if near else ""
        return f"'{self._model}' is not among the {len(self._names)} listed, trying it{also}"

    def _first_token(self) -> str:
        """Ask for an answer and close the connection at the first token.

        The request has no limit of tokens, since models name that parameter differently.
        """
        request = ChatRequest(self._model, (Message("user", "Say: yes"),), text="yes")
        send = provider(self._endpoint)
        try:
            first = next(send(request), None)
        except GptkitError as failure:
            if failure.parameter != STREAM:
                raise
            first = next(send(request.without_streaming()._replace(patient=True)), None)
        if isinstance(first, Finished):
            return f"none: finished with '{first.reason}'"
        return "it answers"


_NO_ENDPOINT = Endpoint("http://localhost")
