"""Read documents: short text in the process itself, all else in a child process with limits."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from gptkit.core.errors import CannotReadError, DataError, NoInputError
from gptkit.core.files import cause
from gptkit.core.streams import read_blocks
from gptkit.readers import HEAD, Block, Decode, DocumentData, DocumentPlace, Reader, reader_of
from gptkit.readers.child import LIMITS, Limits, read_frame, write_frame

if TYPE_CHECKING:
    import subprocess

START = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from gptkit.readers.child import serve
serve(sys.argv[2], json.loads(sys.argv[3]))
"""
READ_HERE = 16 << 20
"""Bytes of the largest text that is read in the process itself, whose memory must not grow with the text."""
PATIENCE = 600.0
"""Seconds after which the child process is killed over one document, however little it computed."""


def open_document(path: str | Path) -> BinaryIO:
    """Open a regular file, without waiting for the writer of a FIFO.

    Raises DataError for what is no regular file, NoInputError, CannotReadError.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (FileNotFoundError, NotADirectoryError):
        raise NoInputError(f"'{path}': no such file") from None
    except (OSError, ValueError) as error:
        raise CannotReadError(f"'{path}': {cause(error)}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DataError(f"'{path}': it is no regular file")
    return os.fdopen(descriptor, "rb")


class DocumentReader:
    """Reads one document after the other; its child process starts with the first one that needs it.

    Not for several threads at once: each of them takes a DocumentReader of its own.
    """

    def __init__(
        self,
        decode: Decode,
        encoding: str | None = None,
        limits: Limits = LIMITS,
        passwords: Sequence[str] = (),
    ) -> None:
        """Make a reader of documents.

        Args:
            decode: a function of a module, which the child process imports.
            encoding: the encoding that the user named; None to recognise the encoding of each text.
            passwords: those that may open an encrypted PDF; they travel in the pipe alone.
        """
        self.passwords = passwords
        self._decode = decode
        self._encoding = encoding
        self._limits = limits
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> DocumentReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def blocks(self, file: BinaryIO, path: str, name: str = "") -> Iterator[Block]:
        """Yield the blocks of a document, which are valid only if all of them come.

        Raises DataError, with a message that names the document, for a document that cannot be read: of an
        unknown kind, encrypted, damaged, without text, beyond a limit; CannotReadError where the file system
        fails. The next document can be read then.

        Args:
            file: the document from its beginning; it can seek.
            path: its ending tells the kind of a text.
            name: what messages call the document; the path in quotation marks where it is left out.
        """
        name = name or f"'{path}'"
        try:
            yield from self._blocks(file, path, name)
        except OSError as error:
            raise CannotReadError(f"{name}: {cause(error)}") from None

    def close(self) -> None:
        """End the child process; a later document starts another."""
        if self._child:
            child, self._child = self._child, None
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                with suppress(BrokenPipeError):  # what the dead process has not taken
                    cast(IO[bytes], pipe).close()

    def _blocks(self, file: BinaryIO, path: str, name: str) -> Iterator[Block]:
        reader = reader_of(path, file.read(HEAD))
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if reader.runs_here and size <= READ_HERE:
            data = b"".join(read_blocks(file, name, self._limits.file))
            yield from reader.load()(DocumentData(data, name, self._decode, self._encoding))
        else:
            yield from self._read_in_child(reader, file, name)

    def _read_in_child(self, reader: Reader, file: BinaryIO, name: str) -> Iterator[Block]:
        child = self._child = self._child or self._start()
        timer = Timer(PATIENCE, child.kill)
        timer.daemon = True
        timer.start()
        whole = False
        try:
            self._send(child, reader, file, name)
            while "blocks" in (answer := read_frame(cast(IO[bytes], child.stdout))):
                for text, place, heading in answer["blocks"]:
                    yield Block(text, DocumentPlace(*place), tuple(heading))
            whole = not answer.get("stops")
            if "error" in answer:
                raise DataError(answer["error"], hint=answer["hint"])
        except (EOFError, BrokenPipeError, ValueError):  # it died, perhaps within an answer
            raise DataError(f"{name}: {self._death(child)}") from None
        finally:
            timer.cancel()
            if not whole:
                self.close()

    def _send(self, child: subprocess.Popen[bytes], reader: Reader, file: BinaryIO, name: str) -> None:
        pipe = cast(IO[bytes], child.stdin)
        wish = {"reader": reader.name, "name": name, "encoding": self._encoding}
        write_frame(pipe, {**wish, "passwords": self.passwords})
        for piece in read_blocks(file, name, self._limits.file):
            pipe.write(len(piece).to_bytes(4, "big") + piece)
        pipe.write(bytes(4))
        pipe.flush()

    def _death(self, child: subprocess.Popen[bytes]) -> str:
        child.kill()
        if -child.wait() == getattr(signal, "SIGXCPU", None):
            return f"reading it takes longer than {self._limits.seconds} s"
        return "it is damaged, or made to stop its reader"

    def _start(self) -> subprocess.Popen[bytes]:
        import subprocess

        decoder = f"{self._decode.__module__}:{self._decode.__qualname__}"
        arguments = [json.dumps(sys.path), decoder, json.dumps(self._limits)]
        return subprocess.Popen(
            [sys.executable, "-I", "-c", START, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=None if sys.platform == "win32" else {},  # Windows starts no Python without it
        )
