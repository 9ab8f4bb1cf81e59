"""Keys that the user stored, by host: in a file that nobody else can read, or in the system's keyring."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.errors import BadConfiguration, NoPermission
from gptkit.core.files import locked
from gptkit.settings import system_keyring
from gptkit.settings.keys import Key, checked_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gptkit.core.yaml_tree import Node

SIZE_CAP = 1 << 20


class Entry(NamedTuple):
    """What the key file holds for one host: a key, or None where the key is in the keyring."""

    key: Key | None

    def __repr__(self) -> str:
        return f"Entry({self.key!r})"


def stored(path: Path, host: str) -> Key | None:
    """The key that was stored for a host."""
    entry = entries(path).get(host)
    if entry is None or entry.key:
        return entry.key if entry else None
    return checked_key(system_keyring.read(host), "keyring")


def entries(path: Path) -> dict[str, Entry]:
    """What is stored, by host; NoPermission if other users could read or change it."""
    data = _private_bytes(path)
    if not data:
        return {}
    found: dict[str, Entry] = {}
    for host, node in _tree(data, path).items():
        if node.kind == "text" or (isinstance(node.value, str) and node.value):
            found[host] = Entry(checked_key(str(node.value), f"{path}:{node.line}"))
        elif isinstance(node.value, dict) and list(node.value) == ["keyring"]:
            found[host] = Entry(None)
        else:
            raise BadConfiguration(f"{path}:{node.line}: must be a host and its key")
    return found


def put(path: Path, host: str, key: Key) -> None:
    """Store a key in the file, in place of an older one."""
    with locked(path.parent):
        _write(path, {**entries(path), host: Entry(key)})


def put_in_keyring(path: Path, host: str, key: Key) -> None:
    """Store a key in the system's keyring, and in the file only that it is there."""
    with locked(path.parent):
        kept = entries(path)
        system_keyring.write(host, key.text)
        _write(path, {**kept, host: Entry(None)})


def remove(path: Path, host: str) -> bool:
    """Forget the key of a host; False if none was stored."""
    with locked(path.parent):
        kept = entries(path)
        entry = kept.pop(host, None)
        if entry is None:
            return False
        if entry.key is None:
            system_keyring.forget(host)
        _write(path, kept)
    return True


def _private_bytes(path: Path) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise NoPermission(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NoPermission(f"{path}: not a regular file")
        if sys.platform != "win32":
            if status.st_uid != os.geteuid():
                raise NoPermission(f"{path}: belongs to another user")
            if status.st_mode & 0o077:
                raise NoPermission(f"{path}: other users can read or change it", hint=f"chmod 600 '{path}'")
        data = file.read(SIZE_CAP + 1)
    if len(data) > SIZE_CAP:
        raise BadConfiguration(f"{path}: larger than {SIZE_CAP >> 10} KiB")
    return data


def _tree(data: bytes, path: Path) -> Mapping[str, Node]:
    """The file's entries; its errors name a line and nothing that stands on it."""
    from gptkit.core.errors import DataFault
    from gptkit.core.yaml_tree import BrokenPrompt, tree

    line = 1
    try:
        root = tree(data.decode("utf-8-sig"), str(path))
        if root.kind == "nothing":
            return {}
        if isinstance(root.value, dict):
            return root.value
    except BrokenPrompt as error:
        line = error.problems[0].line
    except (UnicodeDecodeError, DataFault):
        pass
    raise BadConfiguration(f"{path}:{line}: must be lines of a host and its key")


def _write(path: Path, kept: Mapping[str, Entry]) -> None:
    import json

    from gptkit.core.files import write_private

    lines = ["# Keys by host, written by 'gptkit keys'. Each goes to its host only.\n"]
    for host, entry in sorted(kept.items()):
        value = json.dumps(entry.key.text) if entry.key else "{keyring: gptkit}"
        lines.append(f"{json.dumps(host)}: {value}\n")
    write_private(path, "".join(lines).encode())
