"""One process at a time in a session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gptkit.errors import CannotWrite
from gptkit.files import make_private_folder
from gptkit.lock import held_file, let_go

if TYPE_CHECKING:
    from pathlib import Path


@contextmanager
def session_lock(folder: Path, session_id: str, wait: Callable[[], object]) -> Iterator[None]:
    """Work alone on a session. `wait` is called again and again while another process has it.

    `wait` sleeps a moment, and raises when that has been long enough. Raises CannotWrite.
    """
    path = folder / f"{session_id}.lock"
    try:
        make_private_folder(folder)
        descriptor = held_file(path, wait)
    except OSError as error:
        raise CannotWrite(f"'{path}': {(error.strerror or str(error)).lower()}") from error
    try:
        yield
    finally:
        let_go(descriptor, path)
