"""Remember which API parameters the models of a host reject, so that gptkit does not send them again."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING

from gptkit.core.errors import GptkitError
from gptkit.core.files import folder_lock, write_private

if TYPE_CHECKING:
    from pathlib import Path

    from gptkit.core.paths import Paths


class RejectionFile:
    """The file of rejected parameters. Its loss costs one refused request, so no error with it is raised."""

    def __init__(self, paths: Paths, host: str) -> None:
        self._paths = paths
        self._host = host

    def names(self, model: str) -> frozenset[str]:
        """The names of the parameters that a model rejects."""
        return frozenset(self._known.get(self._key(model), ()))

    def add(self, model: str, name: str) -> None:
        """Remember that a model rejects a parameter."""
        names = self._known.setdefault(self._key(model), [])
        if name not in names:
            names.append(name)
        try:
            path = self._paths.require(self._path)
            with folder_lock(path.parent):
                rejected = self._read()  # again: other runs may have written it meanwhile
                known = rejected.setdefault(self._key(model), [])
                known += [other for other in names if other not in known]
                write_private(path, json.dumps(rejected, ensure_ascii=False, indent=1).encode())
        except GptkitError:
            return

    @cached_property
    def _known(self) -> dict[str, list[str]]:
        return self._read()

    def _read(self) -> dict[str, list[str]]:
        try:
            data = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(data, dict):
            return {}
        return {
            key: [name for name in names if isinstance(name, str)]
            for key, names in data.items()
            if isinstance(names, list)
        }

    @property
    def _path(self) -> Path:
        return self._paths.data / "rejected.json"

    def _key(self, model: str) -> str:
        return f"{self._host} {model}"
