"""Models `local:FILE.gguf`: llama.cpp in this process, for people without a key or a network."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Protocol

from gptkit.chat import Request
from gptkit.errors import BadConfiguration, CannotRead, DataFault, NoInput
from gptkit.provider.exchange import Answer, Exchange

PREFIX = "local:"
_SMALLEST = 8192
_ROOM = 4096
"""Tokens of context, in all and beyond the request; llama.cpp keeps to what the model was trained for."""
_QUIET = -1
"""llama.cpp's log level below errors: what goes wrong comes back as an answer or an exception."""
_LOADING = Lock()


class _Model(Protocol):
    def handle_chat_completions(self, body: bytes, callback: Callable[[bytes], bool]) -> object: ...


def local(exchange: Exchange, request: Request) -> Callable[[], Answer]:
    """Raises NoInput for a missing file and BadConfiguration without the extra, before anything loads."""
    path = _checked(request.model.removeprefix(PREFIX))
    _require()
    body = {**request.body(), "model": path.name}
    if request.stream:
        options = request.parameters.get("stream_options")
        body["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    content = json.dumps(body).encode()
    kind = b"text/event-stream" if request.stream else b"application/json"

    def answer() -> Answer:
        with _LOADING:  # two workers would hold the model in memory twice
            model = _loaded(str(path), _context(len(content)))
        pieces = _pieces(model, content, exchange)
        return Answer(200, [(b"content-type", kind)], _events(pieces) if request.stream else pieces)

    return answer


def _checked(name: str) -> Path:
    path = Path(name).expanduser()
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError:
        raise NoInput(f"no such model file: '{name}'") from None
    except OSError as error:
        raise CannotRead(f"model file '{name}': {(error.strerror or 'not readable').lower()}") from None
    if magic != b"GGUF":
        raise DataFault(f"model file '{name}': not in GGUF format")
    return path.absolute()


def _require() -> None:
    try:
        import xllamacpp  # noqa: F401
    except ImportError:
        raise BadConfiguration(
            "models in the process need the extra 'local'", hint="pip install 'gptkit[local]'"
        ) from None


def _context(size: int) -> int:
    """A power of two, so that the requests of a conversation seldom load the model anew."""
    wanted = max(_SMALLEST, size // 2 + _ROOM)
    return 1 << (wanted - 1).bit_length()


@lru_cache(maxsize=1)
def _loaded(path: str, context: int) -> _Model:
    """llama.cpp opens a port on loopback by itself; a key that nobody knows keeps it shut."""
    from secrets import token_urlsafe

    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.model_alias = {Path(path).name}
    parameters.n_ctx = context
    parameters.verbosity = _QUIET
    parameters.api_keys = [token_urlsafe(32)]
    parameters.ui = False
    try:
        model: _Model = xllamacpp.Server(parameters)
    except RuntimeError:
        raise DataFault(f"model file '{Path(path).name}': llama.cpp cannot load it") from None
    return model


def _pieces(model: _Model, content: bytes, exchange: Exchange) -> Iterator[bytes]:
    """llama.cpp calls back from its own loop; a thread turns that into an iterator."""
    queue: SimpleQueue[bytes | Exception | None] = SimpleQueue()
    abandoned: list[bool] = []

    def take(piece: bytes) -> bool:
        queue.put(piece)
        return bool(abandoned)

    def generate() -> None:
        try:
            model.handle_chat_completions(content, take)
            queue.put(None)
        except Exception as error:
            queue.put(error)

    thread = Thread(target=generate, daemon=True)

    def end() -> None:
        abandoned.append(True)
        thread.join()

    thread.start()
    exchange.closers.append(end)
    while (piece := queue.get()) is not None:
        if isinstance(piece, Exception):
            raise piece
        yield piece


def _events(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield b"data: " + piece + b"\n\n"
    yield b"data: [DONE]\n\n"
