"""The file that an answer goes to: checked before anything is paid for, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.core.errors import CannotWrite, GptkitError, UsageFault
from gptkit.core.files import is_planted, replace_name, same_file, write_atomic

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal


def check(terminal: Terminal, output: Path, inputs: Sequence[Path]) -> None:
    """All that can be known before the answer; the file must be none of the inputs, however spelled."""
    try:
        if is_planted(output):
            raise CannotWrite(f"'{output}': it is another user's symbolic link")
        if output.is_dir():
            raise UsageFault(f"'{output}': the output is a folder")
        partial = partial_of(output)
        for path in (output, partial) if os.path.exists(partial) else (output,):  # noqa: PTH110
            if terminal.stdin_is(path) or any(same_file(path, each) for each in inputs):
                raise UsageFault(f"'{path}': the output would overwrite the input")
        folder = output.resolve().parent
        if not folder.is_dir():
            raise CannotWrite(f"'{output}': there is no folder '{folder}'")
        replaced = folder if output.is_file() or not output.exists() else output
        if not (os.access(replaced, os.W_OK) and (not output.exists() or os.access(output, os.W_OK))):
            raise CannotWrite(f"'{output}': permission denied")
    except (OSError, RuntimeError) as error:  # a RuntimeError is a link that leads to itself
        reason = getattr(error, "strerror", None) or "a symbolic link leads to itself"
        raise CannotWrite(f"'{output}': {reason.lower()}") from None


def check_report(terminal: Terminal, report: Path, inputs: Iterable[Path], outputs: Iterable[Path]) -> None:
    """A second file that is written beside the output: as above, and it must not be an output either."""
    check(terminal, report, ())
    for what, paths in (("input", inputs), ("output", outputs)):
        if any(same_file(report, each) for each in paths):
            raise UsageFault(f"'{report}': the report would overwrite the {what}")


def write(terminal: Terminal, output: Path, text: str) -> None:
    """An answer that was paid for is not lost to a full disk: it goes to standard output instead."""
    try:
        write_atomic(output, text.encode("utf-8", "replace"))
    except CannotWrite as error:
        terminal.show(text.removesuffix("\n"))
        error.hint = "the answer went to standard output instead"
        raise


def keep_partial(output: Path, text: str, failure: GptkitError) -> None:
    """What came of an answer goes beside the file that was meant for the whole, and is as private.

    The user has not named this file: whatever stands there, also a link to another, is replaced.
    """
    if output.exists() and not output.is_file():
        return
    partial = partial_of(output)
    try:
        replace_name(partial, text.encode("utf-8", "replace"), like=output)
    except CannotWrite as error:
        failure.hint = error.message
        return
    failure.hint = f"'{output}' was not written; what came is in '{partial}'"


def partial_of(output: Path) -> Path:
    """Where there is what came of an output that is not whole."""
    return output.with_name(output.name + ".partial")
