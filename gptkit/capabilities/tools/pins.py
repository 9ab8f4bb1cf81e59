"""What the user has trusted of a tool file: its content, and the programs that it runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from gptkit.capabilities.tools.model import Operation, RemoteTool, Tool
from gptkit.core.errors import CannotReadError
from gptkit.core.files import write_private
from gptkit.core.hashing import sha256

if TYPE_CHECKING:
    from pathlib import Path

    from gptkit.capabilities.tools.model import ToolsConfig
    from gptkit.core.paths import Paths

FORMAT = 1
"""Version of the files of pins."""


class Pin(NamedTuple):
    """What was trusted: the digest of the file, and the path of the program of each command or server.

    `tools` are those whose definitions stand elsewhere; `descriptions` holds for each file of them its stamp
    and its digest.
    """

    digest: str
    programs: Mapping[str, str] = {}
    tools: tuple[Tool, ...] = ()
    descriptions: Mapping[str, tuple[str, str]] = {}


def file_digest(path: Path, config: ToolsConfig) -> str:
    """The digest of a tool file: of its content, and of what it declares, since a file can extend another."""
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
        return Pin(
            str(record["digest"]),
            dict(record["programs"]),
            tuple(_tool(tool) for tool in record["tools"]),
            {name: (str(stamp), str(digest)) for name, (stamp, digest) in record["descriptions"].items()},
        )
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def write_pin(paths: Paths, path: Path, pin: Pin) -> None:
    """Trust the file at a path; raises CannotWriteError."""
    tools = [{**tool._asdict(), "action": tool.action._asdict()} for tool in pin.tools]
    record = {"format": FORMAT, "path": _key(path), **pin._asdict(), "tools": tools}
    write_private(paths.require(_pin_path(paths, path)), json.dumps(record, separators=(",", ":")).encode())


def _tool(record: dict[str, Any]) -> Tool:
    """A tool from its record. Raises TypeError and KeyError for a record of another form."""
    action = record["action"]
    if "method" in action:
        action["places"] = {name: (place, own) for name, (place, own) in action["places"].items()}
        made: Operation | RemoteTool = Operation(**action)
    else:
        made = RemoteTool(**action)
    return Tool(**{**record, "action": made})


def stamp(path: Path) -> str:
    """Numbers that change when a file does; empty if there is none."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


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
