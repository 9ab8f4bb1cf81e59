"""What the user has trusted of a tool file: its content, and the programs that it runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from gptkit.core.errors import CannotReadError
from gptkit.core.files import write_private

if TYPE_CHECKING:
    from pathlib import Path

    from gptkit.capabilities.tools.model import ToolsConfig
    from gptkit.core.paths import Paths

FORMAT = 1
"""Version of the files of pins."""


class Pin(NamedTuple):
    """What was trusted: the digest of the file, and the path of the program of each command."""

    digest: str
    programs: Mapping[str, str] = {}


def file_digest(path: Path, config: ToolsConfig) -> str:
    """The digest of a tool file: of its content, and of what it declares, since a file can extend another."""
    from hashlib import sha256

    try:
        content = path.read_bytes()
    except OSError as error:
        raise CannotReadError(f"'{path}': {(error.strerror or str(error)).lower()}") from None
    return sha256(content + b"\0" + repr(config).encode("utf-8", "replace")).hexdigest()


def read_pin(paths: Paths, path: Path) -> Pin | None:
    """What was trusted of the file at a path; None if nothing was, or if it cannot be read."""
    try:
        record = json.loads(_pin_path(paths, path).read_text("utf-8"))
        if record["format"] != FORMAT or record["path"] != _key(path):
            return None
        return Pin(str(record["digest"]), dict(record["programs"]))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def write_pin(paths: Paths, path: Path, pin: Pin) -> None:
    """Trust the file at a path; raises CannotWriteError."""
    record = {"format": FORMAT, "path": _key(path), **pin._asdict()}
    write_private(paths.require(_pin_path(paths, path)), json.dumps(record, indent=1).encode())


def remove_pin(paths: Paths, path: Path) -> bool:
    """Trust the file no longer; False if it was not trusted."""
    pin = _pin_path(paths, path)
    is_trusted = pin.exists()
    pin.unlink(missing_ok=True)
    return is_trusted


def _key(path: Path) -> str:
    return str(path.resolve())


def _pin_path(paths: Paths, path: Path) -> Path:
    key = _key(path)
    return paths.data / "tools" / f"{path.stem}-{crc32(key.encode('utf-8', 'surrogateescape')):08x}.json"
