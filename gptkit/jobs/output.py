"""Where a long answer goes, piece by piece: a pipe, a terminal, a file that appears when it is whole."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from gptkit.core.chat import AnswerDelta, Finished, Sink
from gptkit.core.errors import CannotWriteError, GptkitError, TryAgainError
from gptkit.core.files import (
    PRIVATE_FLAGS,
    close_quietly,
    create_locked,
    has_name,
    is_untrusted_link,
    keep_owner,
    sync_folder,
    try_lock,
)
from gptkit.session.answer import partial_of

if TYPE_CHECKING:
    from types import TracebackType


CLOSED = -1


class FileInUseError(TryAgainError):
    """Another process works on the same file."""


class Output(Protocol):
    """Takes texts as soon as they are in their turn."""

    def write(self, text: str) -> None: ...

    def finish(self) -> None:
        """All is there and as it should be."""

    def leave(self, failure: GptkitError | None) -> None:
        """There will be no more; the failure is told where the text is that came."""


class Plain:
    """A pipe, which gets the text to the letter; where it `ends_lines`, with the end of its last line."""

    def __init__(self, write: Callable[[str], None], *, ends_lines: bool = False) -> None:
        self._write = write
        self._ends_lines = ends_lines
        self._end = "\n"

    def write(self, text: str) -> None:
        if text:
            self._end = text[-1]
            self._write(text)

    def finish(self) -> None:
        if self._ends_lines and self._end != "\n":
            self._write("\n")

    def leave(self, failure: GptkitError | None) -> None: ...


class Shown:
    """A terminal, by way of a sink."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, text: str) -> None:
        self._sink(AnswerDelta(text))

    def finish(self) -> None:
        self._sink(Finished("stop"))
        self._sink.close()

    def leave(self, failure: GptkitError | None) -> None:
        self._sink.close()


class Collected:
    """The whole text, for who shows it in one piece."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._texts)

    def write(self, text: str) -> None:
        self._texts.append(text)

    def finish(self) -> None: ...

    def leave(self, failure: GptkitError | None) -> None: ...


class File:
    """A file. What there is of it stands beside it as FILE.partial, which takes its place when whole.

    Only one process at a time writes it: another raises FileInUseError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = partial_of(path)
        try:
            if is_untrusted_link(path):
                raise CannotWriteError(f"cannot write '{path}': it is another user's symbolic link")
            self._descriptor = self._opened()
        except OSError as error:
            raise self._fault(error) from error

    def write(self, text: str) -> None:
        rest = memoryview(text.encode("utf-8", "replace"))
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            raise self._fault(error) from error

    def finish(self) -> None:
        try:
            target = self._path.resolve()
            with suppress(FileNotFoundError):
                found = target.stat()
                if not stat.S_ISREG(found.st_mode):
                    self._copy(target)
                    return
                keep_owner(self._descriptor, found)
                if hasattr(os, "fchmod"):
                    os.fchmod(self._descriptor, stat.S_IMODE(found.st_mode))
            os.fsync(self._descriptor)
            self._partial.replace(target)
            sync_folder(target.parent)
        except OSError as error:
            raise self._fault(error) from error
        finally:
            self._close()

    def leave(self, failure: GptkitError | None) -> None:
        if self._descriptor == CLOSED:
            return  # a signal came right after its end
        empty = os.fstat(self._descriptor).st_size == 0
        if empty:
            with suppress(OSError):
                self._partial.unlink()
        elif failure is not None:
            left = f"'{self._path}' was not written; what there is of it is in '{self._partial}'"
            failure.hint = f"{failure.hint}; {left}" if failure.hint else left
        self._close()

    def _opened(self) -> int:
        while True:
            descriptor = os.open(self._partial, PRIVATE_FLAGS | os.O_CREAT, 0o666)
            try:
                if not try_lock(descriptor):
                    raise _taken(self._path)
                if has_name(descriptor, self._partial):  # else it is the result of who had it before
                    os.ftruncate(descriptor, 0)
                    return descriptor
            except BaseException:
                close_quietly(descriptor)
                raise
            close_quietly(descriptor)

    def _copy(self, target: Path) -> None:
        """A device or a FIFO takes the text; it is not replaced."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        with target.open("wb", buffering=0) as file:
            while block := os.read(self._descriptor, 1 << 18):
                file.write(block)
        self._partial.unlink()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, CLOSED
        close_quietly(descriptor)  # what a file has to hold was synced before

    def _fault(self, error: OSError) -> CannotWriteError:
        return CannotWriteError(f"cannot write '{self._path}': {(error.strerror or str(error)).lower()}")


class Place:
    """Where a file will be that is written in one go: who enters has it alone, another one's entry raises
    FileInUseError. FILE.partial is there meanwhile, and afterwards only with what came of an answer."""

    def __init__(self, path: Path | None) -> None:
        is_file = path is not None and (path.is_file() or not path.exists())
        self._path = path if is_file else None
        self._descriptor = CLOSED
        self.is_written = False
        """The file is there, so that what came of it before is of no use."""

    def __enter__(self) -> Self:
        if self._path is not None:
            path = self._path

            def give_up() -> None:
                raise _taken(path)

            with suppress(OSError):  # where no lock can be had, everybody may come in
                self._descriptor = create_locked(partial_of(path), give_up)
        return self

    def __exit__(self, _kind: object, _error: BaseException | None, _trace: TracebackType | None) -> None:
        if self._path is None or self._descriptor == CLOSED:
            return
        partial, descriptor = partial_of(self._path), self._descriptor
        with suppress(OSError):
            is_empty = os.fstat(descriptor).st_size == 0
            if (is_empty or self.is_written) and has_name(descriptor, partial):
                partial.unlink()
        close_quietly(descriptor)


def _taken(path: Path) -> FileInUseError:
    return FileInUseError(f"'{path}' is being written by another gptkit")


class Mirrored(File):
    """A file that is left as it is where nothing would change, for who looks at the times of files."""

    is_new = True

    def finish(self) -> None:
        try:
            self.is_new = not self._is_same()
        except OSError as error:
            raise self._fault(error) from error
        if self.is_new:
            super().finish()
        else:
            self._drop()

    def _is_same(self) -> bool:
        if not self._path.is_file() or self._path.stat().st_size != os.fstat(self._descriptor).st_size:
            return False
        with self._path.open("rb") as known:
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            while block := known.read(1 << 18):
                if os.read(self._descriptor, len(block)) != block:
                    return False
        return True

    def _drop(self) -> None:
        with suppress(OSError):
            self._partial.unlink()
        self._close()
