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
_SMALLEST_CONTEXT = 8192
"""Tokens; llama.cpp limits the context to that of the model's training."""
_ANSWER_TOKENS = 4096
"""Tokens of the context beyond the request."""
_LOG_LEVEL = -1
"""llama.cpp's log level below errors: errors come back as a response or an exception."""
_DEADLINE = 86_400.0
"""Seconds; a small machine needs long for a long prompt, and another try would not be faster."""
_LOADING = Lock()


def start_local(request: ChatRequest) -> tuple[Exchange, ChatRequest]:
    """Load the model that the request names; returns the exchange with its server, and the request to send.

    Before anything is loaded raises NoInputError for a missing file, ConfigurationError without the extra.
    """
    path = _check_file(request.model.removeprefix(PREFIX))
    _require_extra()
    size = sum(len(message.content.encode()) for message in request.messages)
    with _LOADING:  # two workers would load the model twice
        server = _start_server(str(path), _context_size(size))
    if request.stream:
        given = request.parameters.get("stream_options")
        options = {**(given if isinstance(given, dict) else {}), "include_usage": True}
        request = request._replace(parameters={**request.parameters, "stream_options": options})
    deadlines = Deadlines(idle=_DEADLINE, first_content=_DEADLINE, content=_DEADLINE)
    endpoint = Endpoint(f"{server.address}/v1", server.key, deadlines=deadlines)
    exchange = Exchange(endpoint, "/chat/completions", request)
    atexit.register(exchange.close)  # before the server stops, which would first finish the answer
    exchange.closers.append(lambda: atexit.unregister(exchange.close))
    return exchange, request


def _check_file(name: str) -> Path:
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


def _require_extra() -> None:
    try:
        import xllamacpp  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            "models in the process need the extra 'local'", hint="pip install 'gptkit[local]'"
        ) from None


def _context_size(size: int) -> int:
    """Tokens of context for `size` bytes: a power of two, so that a conversation rarely reloads the model."""
    tokens = max(_SMALLEST_CONTEXT, size // 2 + _ANSWER_TOKENS)
    return 1 << (tokens - 1).bit_length()


class _LocalServer(NamedTuple):
    """The server of a loaded model; it stops when this value is deleted."""

    server: object
    address: str
    key: str


@lru_cache(maxsize=1)
def _start_server(path: str, context: int) -> _LocalServer:
    """Load a model into llama.cpp, which listens on a loopback port; a random key keeps others out.

    Its threads must stop before the interpreter exits, else the process crashes.
    """
    from secrets import token_urlsafe

    import xllamacpp

    key = token_urlsafe(32)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.model_alias = {Path(path).name}
    parameters.n_ctx = context
    parameters.verbosity = _LOG_LEVEL
    parameters.api_keys = [key]
    parameters.ui = False
    try:
        server = xllamacpp.Server(parameters)
    except RuntimeError:
        raise DataError(f"model file '{Path(path).name}': llama.cpp cannot load it") from None
    atexit.register(_start_server.cache_clear)
    return _LocalServer(server, server.listening_address, key)
