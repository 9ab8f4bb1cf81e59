"""Remember for a month what the models of a server reject, so that gptkit does not send that again."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gptkit.core.errors import GptkitError
from gptkit.core.files import folder_lock, write_private

if TYPE_CHECKING:
    from pathlib import Path

    from gptkit.core.paths import Paths

DAY = 24 * 3600
"""Seconds."""
MEMORY = 30.0 * DAY
"""Seconds after which a rejection is forgotten, since servers and models change."""


class RejectionFile:
    """The file of rejected parameters. Its loss costs one refused request, so no error with it is raised.

    Each row holds the base URL, the model, the name of the parameter, the rejected value (without one: all
    values), and the day when that was learned, in Unix seconds of `now`.
    """

    def __init__(self, paths: Paths, base_url: str, now: Callable[[], float]) -> None:
        self._paths = paths
        self._base_url = base_url
        self._now = now

    def rejects(self, model: str, name: str, value: object) -> bool:
        """Whether a model is known to reject a value of a parameter."""
        subject = self._subject(model, name)
        return any(
            _is_about(row, subject) and ("value" not in row or row["value"] == value) for row in self._rows
        )

    def add(self, model: str, name: str, value: object = None) -> None:
        """Remember that a model rejects a value of a parameter; None for all values."""
        if self.rejects(model, name, value):
            return
        today = int(self._now() // DAY) * DAY  # one and the same row, whenever on this day
        row = {**self._subject(model, name), "learned": today}
        if value is not None:
            row["value"] = value
        self._change(lambda rows: [*rows, row])

    def remove(self, model: str, name: str) -> None:
        """Forget what a model was said to reject of a parameter."""
        subject = self._subject(model, name)
        if any(_is_about(row, subject) for row in self._rows):
            self._change(lambda rows: [row for row in rows if not _is_about(row, subject)])

    def _change(self, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
        self._rows = change(self._rows)
        try:
            path = self._paths.require(rejections_path(self._paths))
            with folder_lock(path.parent):
                rows = change(self._read())  # again: other runs may have written it meanwhile
                write_private(path, json.dumps(rows, ensure_ascii=False, indent=1).encode())
        except GptkitError:
            return

    @cached_property
    def _rows(self) -> list[dict[str, Any]]:
        return self._read()

    def _read(self) -> list[dict[str, Any]]:
        """Read the rows that still count."""
        try:
            data = json.loads(rejections_path(self._paths).read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return []
        rows = [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []
        return [row for row in rows if self._is_recent(row.get("learned"))]

    def _is_recent(self, learned: object) -> bool:
        return isinstance(learned, int) and abs(self._now() - learned) < MEMORY

    def _subject(self, model: str, name: str) -> dict[str, Any]:
        return {"base_url": self._base_url, "model": model, "parameter": name}


def rejections_path(paths: Paths) -> Path:
    return paths.data / "rejected.json"


def forget_rejections(paths: Paths) -> bool:
    """Remove the file of rejected parameters; False if there was none. Raises CannotWriteError."""
    from gptkit.core.errors import CannotWriteError
    from gptkit.core.files import cause

    path = paths.require(rejections_path(paths))
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise CannotWriteError(f"'{path}': {cause(error)}") from None
    return True


def _is_about(row: dict[str, Any], subject: dict[str, Any]) -> bool:
    return all(row.get(name) == value for name, value in subject.items())
