"""The child process that reads the documents of strangers, with limits and without a use for files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pkgutil import resolve_name
from typing import IO, Any, NamedTuple

from gptkit.core.errors import DataError, GptkitError
from gptkit.readers import READERS, Block, DocumentData, whole_letters

BATCH = 1 << 16
"""Characters of blocks that are sent together."""


class Limits(NamedTuple):
    """The most that one document may take.

    Attributes:
        memory: bytes of the child process.
        seconds: of CPU.
        file: bytes.
        text: characters.
    """

    memory: int = 1 << 30
    seconds: int = 60
    file: int = 200 << 20
    text: int = 64 << 20


LIMITS = Limits()


def serve(decoder: str, limits: list[int]) -> None:
    """Read documents from standard input until it ends, and write their blocks to standard output.

    Args:
        decoder: `module:function` of the function that decodes bytes.
    """
    decode = resolve_name(decoder)
    with os.fdopen(0, "rb") as questions, os.fdopen(1, "wb") as answers:
        while True:
            try:
                wish = read_frame(questions)
            except EOFError:
                return
            _limit_process(Limits(*limits))
            data = b"".join(_pieces(questions))
            source = DocumentData(data, wish["name"], decode, wish["encoding"], wish["passwords"])
            for answer in _answers(wish["reader"], source, Limits(*limits)):
                write_frame(answers, answer)
            answers.flush()


def _answers(name: str, source: DocumentData, limits: Limits) -> Iterator[Mapping[str, object]]:
    try:
        yield from _batches(name, source, limits)
    except GptkitError as error:
        yield {"error": error.message, "hint": error.hint}
    except MemoryError:
        text = f"{source.name}: reading it takes more than {limits.memory >> 20} MiB of memory"
        yield {"error": text, "hint": "", "stops": True}
    except Exception as error:  # any, since the document's author wrote it
        yield {"error": f"{source.name}: it is damaged ({type(error).__name__})", "hint": ""}
    else:
        yield {}


def _batches(name: str, source: DocumentData, limits: Limits) -> Iterator[Mapping[str, object]]:
    read = next(reader for reader in READERS if reader.name == name).load()
    batch: list[Block] = []
    waiting = total = 0
    for block in read(source):
        batch.append(block._replace(text=whole_letters(block.text)))
        waiting += len(block.text)
        total += len(block.text) + sum(map(len, block.heading))
        if total > limits.text:
            raise DataError(f"{source.name}: more than {limits.text >> 20} million characters of text")
        if waiting > BATCH:
            yield {"blocks": batch}
            batch, waiting = [], 0
    if not total:
        raise DataError(f"{source.name}: it holds no text")
    yield {"blocks": batch}


def _limit_process(limits: Limits) -> None:
    """Set the limits anew: the seconds of a process are counted from its start."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + limits.seconds
    for kind, limit in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):  # macOS has no limit of memory; the user's own may be lower
            resource.setrlimit(kind, (limit, resource.getrlimit(kind)[1]))


def write_frame(pipe: IO[bytes], value: Mapping[str, object]) -> None:
    data = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    pipe.write(len(data).to_bytes(4, "big") + data)


def read_frame(pipe: IO[bytes]) -> dict[str, Any]:
    """The next value of the other process; raises EOFError where there is none."""
    value: dict[str, Any] = json.loads(_piece(pipe).decode("utf-8", "surrogatepass"))
    return value


def _pieces(pipe: IO[bytes]) -> Iterator[bytes]:
    while piece := _piece(pipe):
        yield piece


def _piece(pipe: IO[bytes]) -> bytes:
    size = int.from_bytes(_exactly(pipe, 4), "big")
    return _exactly(pipe, size)


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return data
