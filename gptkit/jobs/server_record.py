"""What the answers of a job tell of its server, for all of the job's workers."""

from __future__ import annotations

from threading import Lock

from gptkit.core.errors import GptkitError, WrongAnswerError

FIRST = 5
"""Pieces that end with one and the same defect before the job is given up."""


class ServerRecord:
    """Remembers which pieces were too long for the model, and how the first pieces ended."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._too_long: int | None = None
        self._defects: list[tuple[str, str]] | None = []
        """Of the pieces so far; None once one of them ended in another way."""

    def note_too_long(self, tokens: int) -> None:
        """Note that the server refused a piece of so many tokens."""
        with self._lock:
            self._too_long = tokens if self._too_long is None else min(tokens, self._too_long)

    def is_too_long(self, tokens: int) -> bool:
        """Whether the server refused a piece that was no longer."""
        return self._too_long is not None and tokens >= self._too_long

    def add(self, failure: GptkitError | None, kind: str) -> None:
        """Note how a piece ended that was asked for; `kind` is that of its first finding.

        Raises the failure if the first pieces all ended with the same defect.
        """
        with self._lock:
            if self._defects is None:
                return
            defect = (type(failure).__name__, kind)
            if failure is None or (self._defects and self._defects[0] != defect):
                self._defects = None
                return
            self._defects.append(defect)
            if len(self._defects) < FIRST:
                return
            self._defects = None
        if isinstance(failure, WrongAnswerError):
            failure.hint = ""  # --accept is no way to go on with a whole document
        failure.message += f"; each of the first {FIRST} pieces ended like this"
        raise failure
