"""One process at a time in a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptkit.core.files import alone

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path


def session_lock(folder: Path, session_id: str, wait: Callable[[], object]) -> AbstractContextManager[None]:
    """Work alone on a session. `wait` is called again and again while another process has it.

    `wait` sleeps a moment, and raises when that has been long enough. Raises CannotWrite.
    """
    return alone(folder / f"{session_id}.lock", wait)
