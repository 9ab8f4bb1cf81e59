"""Write a long answer piece by piece: to a pipe, a terminal, or a file that appears when it is whole."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from gptkit.core.chat import AnswerDelta, Event, Finished, Sink
from gptkit.core.errors import CannotWriteError, GptkitError, TryAgainError
from gptkit.core.files import (
    PRIVATE_FLAGS,
    cause,
    close_quietly,
    create_locked,
    file_status,
    has_name,
    is_untrusted_link,
    sync_folder,
    sync_replacement,
    try_lock,
    write_all,
)
from gptkit.session.answer import partial_path
from gptkit.text.pieces import MARK

if TYPE_CHECKING:
    from types import TracebackType


CLOSED = -1
LONGEST_MARK = 12
"""Characters of the longest mark that an answer is waited for."""
BYTE_ORDER_MARK = "\ufeff"
"""The byte order mark, with which a file begins whose source does."""


class FileInUseError(TryAgainError):
    """Another process works on the same file."""


class Output(Protocol):
    """Takes the texts of an answer in order."""

    def write(self, text: str) -> None: ...

    def finish(self) -> None:
        """End a whole answer."""

    def abandon(self, failure: GptkitError | None) -> None:
        """End an incomplete answer; the hint of `failure` gets the place of the text so far."""


class PipeOutput:
    """Writes the text to a pipe unchanged; with `ends_lines`, with a newline at the end."""

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

    def abandon(self, failure: GptkitError | None) -> None: ...


class TerminalOutput:
    """Shows the text on a terminal through a sink; an answer may be shown while it arrives."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._live_text = ""

    def live_sink(self, masks: Sequence[str]) -> Sink:
        """Return a sink that shows an answer at once, and for each mark what it stands for."""
        return _UnmaskingSink(self._show_live, masks)

    def write(self, text: str) -> None:
        """Show what of a text was not shown while it arrived."""
        shown, self._live_text = self._live_text, ""
        if text.startswith(shown):
            self._sink(AnswerDelta(text[len(shown) :]))
        elif not shown.endswith("\n"):
            self._sink(AnswerDelta("\n"))

    def _show_live(self, event: Event) -> None:
        if isinstance(event, AnswerDelta):
            self._live_text += event.text
        if not isinstance(event, Finished):
            self._sink(event)

    def finish(self) -> None:
        self._sink(Finished("stop"))
        self._sink.close()

    def abandon(self, failure: GptkitError | None) -> None:
        self._sink.close()


class _UnmaskingSink:
    """Hands events on, and in the text for each mark what it stands for; half a mark waits for its rest."""

    def __init__(self, show: Callable[[Event], None], masks: Sequence[str]) -> None:
        self._show = show
        self._masks = masks
        self._waiting = ""

    def __call__(self, event: Event) -> None:
        if not isinstance(event, AnswerDelta):
            self.close()
            self._show(event)
            return
        text = self._waiting + event.text
        begin = text.rfind("⟦")
        is_open = begin >= 0 and "⟧" not in text[begin:] and len(text) - begin <= LONGEST_MARK
        self._waiting = text[begin:] if is_open else ""
        self._hand_on(text[:begin] if is_open else text)

    def close(self) -> None:
        rest, self._waiting = self._waiting, ""
        self._hand_on(rest)

    def _hand_on(self, text: str) -> None:
        if text:
            self._show(AnswerDelta(MARK.sub(self._mask, text)))

    def _mask(self, mark: re.Match[str]) -> str:
        number = int(mark[1])
        return self._masks[number] if number < len(self._masks) else mark[0]


class CollectedOutput:
    """Collects the text, for callers that show it as a whole."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._texts)

    def write(self, text: str) -> None:
        self._texts.append(text)

    def finish(self) -> None: ...

    def abandon(self, failure: GptkitError | None) -> None: ...


class FileOutput:
    """Writes FILE.partial, which replaces FILE when the text is whole.

    Raises FileInUseError if another process is writing the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._partial = partial_path(path)
        try:
            if is_untrusted_link(path):
                raise CannotWriteError(f"cannot write '{path}': it is another user's symbolic link")
            self._descriptor = self._open_partial()
        except OSError as error:
            raise self._write_error(error) from error

    def write(self, text: str) -> None:
        try:
            write_all(self._descriptor, text.encode("utf-8", "replace"))
        except OSError as error:
            raise self._write_error(error) from error

    def finish(self) -> None:
        try:
            target = self._path.resolve()
            old = file_status(target)
            if old is not None and not stat.S_ISREG(old.st_mode):
                self._copy(target)
                return
            sync_replacement(self._descriptor, old, stat.S_IMODE(old.st_mode) if old else None)
            self._partial.replace(target)
            sync_folder(target.parent)
        except OSError as error:
            raise self._write_error(error) from error
        finally:
            self._close()

    def abandon(self, failure: GptkitError | None) -> None:
        if self._descriptor == CLOSED:
            return  # a signal came right after its end
        is_empty = os.fstat(self._descriptor).st_size == 0
        if is_empty:
            with suppress(OSError):
                self._partial.unlink()
        elif failure is not None:
            where = f"'{self._path}' was not written; what there is of it is in '{self._partial}'"
            failure.hint = f"{failure.hint}; {where}" if failure.hint else where
        self._close()

    def _open_partial(self) -> int:
        while True:
            descriptor = os.open(self._partial, PRIVATE_FLAGS | os.O_CREAT, 0o666)
            try:
                if not try_lock(descriptor):
                    raise _in_use_error(self._path)
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

    def _write_error(self, error: OSError) -> CannotWriteError:
        return CannotWriteError(f"cannot write '{self._path}': {cause(error)}")


class OutputReservation:
    """Reserves an output file that another function writes; None, and what is no file, need no reservation.

    Entering locks FILE.partial; raises FileInUseError if another process has the lock. Leaving removes
    FILE.partial if it is empty, or if `is_written` says that FILE is whole.
    """

    def __init__(self, path: Path | None) -> None:
        is_file = path is not None and (path.is_file() or not path.exists())
        self._path = path if is_file else None
        self._descriptor = CLOSED
        self.is_written = False
        """Whether the file was written, so that an older FILE.partial is of no use."""

    def __enter__(self) -> Self:
        if self._path is not None:
            path = self._path

            def raise_in_use() -> None:
                raise _in_use_error(path)

            with suppress(OSError):  # where no lock can be had, everybody may come in
                self._descriptor = create_locked(partial_path(path), raise_in_use)
        return self

    def __exit__(self, _kind: object, _error: BaseException | None, _trace: TracebackType | None) -> None:
        if self._path is None or self._descriptor == CLOSED:
            return
        partial, descriptor = partial_path(self._path), self._descriptor
        with suppress(OSError):
            is_empty = os.fstat(descriptor).st_size == 0
            if (is_empty or self.is_written) and has_name(descriptor, partial):
                partial.unlink()
        close_quietly(descriptor)


def _in_use_error(path: Path) -> FileInUseError:
    return FileInUseError(f"'{path}' is being written by another gptkit")


class ChangedFileOutput(FileOutput):
    """Writes a file only if its content changes, so that build tools see no new time of an unchanged file."""

    is_changed = True

    def finish(self) -> None:
        try:
            self.is_changed = not self._is_same()
        except OSError as error:
            raise self._write_error(error) from error
        if self.is_changed:
            super().finish()
        else:
            self._remove_partial()

    def _is_same(self) -> bool:
        if not self._path.is_file() or self._path.stat().st_size != os.fstat(self._descriptor).st_size:
            return False
        with self._path.open("rb") as old:
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            while block := old.read(1 << 18):
                if os.read(self._descriptor, len(block)) != block:
                    return False
        return True

    def _remove_partial(self) -> None:
        with suppress(OSError):
            self._partial.unlink()
        self._close()
