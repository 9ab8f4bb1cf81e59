"""Models `local:FILE.gguf`: llama.cpp in this process, for people without a key or a network."""

from __future__ import annotations

import atexit
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from gptkit.core.chat import ChatRequest, Deadlines, Endpoint
from gptkit.core.errors import CannotReadError, ConfigurationError, DataError, NoInputError
from gptkit.provider.exchange import Exchange

PREFIX = "local:"
_SMALLEST = 8192
_ROOM = 4096
"""Tokens of context, in all and beyond the request; llama.cpp keeps to what the model was trained for."""
_QUIET = -1
"""llama.cpp's log level below errors: what goes wrong comes back as an answer or an exception."""
_PATIENCE = 86_400.0
"""Seconds: a long prompt takes a small machine long, and there is nobody to ask again."""
_LOADING = Lock()


def local(request: ChatRequest) -> tuple[Exchange, ChatRequest]:
    """The exchange with the model named in the request, once that is loaded, and what to ask it.

    Raises NoInputError for a missing file and ConfigurationError without the extra, before anything loads.
    """
    path = _checked(request.model.removeprefix(PREFIX))
    _require()
    size = sum(len(message.content.encode()) for message in request.messages)
    with _LOADING:  # two workers would hold the model in memory twice
        served = _served(str(path), _context(size))
    if request.stream:
        options = request.parameters.get("stream_options")
        counted = {**(options if isinstance(options, dict) else {}), "include_usage": True}
        request = request._replace(parameters={**request.parameters, "stream_options": counted})
    patient = Deadlines(idle=_PATIENCE, first_content=_PATIENCE, content=_PATIENCE)
    endpoint = Endpoint(f"{served.address}/v1", served.key, deadlines=patient)
    exchange = Exchange(endpoint, "/chat/completions", request)
    atexit.register(exchange.close)  # before the model stops: it would first finish an answer half read
    exchange.closers.append(lambda: atexit.unregister(exchange.close))
    return exchange, request


def _checked(name: str) -> Path:
    path = Path(name).expanduser()
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError:
        raise NoInputError(f"no such model file: '{name}'") from None
    except OSError as error:
        raise CannotReadError(f"model file '{name}': {(error.strerror or 'not readable').lower()}") from None
    if magic != b"GGUF":
        raise DataError(f"model file '{name}': not in GGUF format")
    return path.absolute()


def _require() -> None:
    try:
        import xllamacpp  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            "models in the process need the extra 'local'", hint="pip install 'gptkit[local]'"
        ) from None


def _context(size: int) -> int:
    """A power of two, so that the requests of a conversation seldom load the model anew."""
    wanted = max(_SMALLEST, size // 2 + _ROOM)
    return 1 << (wanted - 1).bit_length()


class _Served(NamedTuple):
    """A loaded model; it goes when this does."""

    server: object
    address: str
    key: str


@lru_cache(maxsize=1)
def _served(path: str, context: int) -> _Served:
    """llama.cpp listens on a loopback port by itself; a key that nobody else knows keeps it shut.

    Its threads have to be stopped before the interpreter leaves, else the process crashes then.
    """
    from secrets import token_urlsafe

    import xllamacpp

    key = token_urlsafe(32)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.model_alias = {Path(path).name}
    parameters.n_ctx = context
    parameters.verbosity = _QUIET
    parameters.api_keys = [key]
    parameters.ui = False
    try:
        server = xllamacpp.Server(parameters)
    except RuntimeError:
        raise DataError(f"model file '{Path(path).name}': llama.cpp cannot load it") from None
    atexit.register(_served.cache_clear)
    return _Served(server, server.listening_address, key)
