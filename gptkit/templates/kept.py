"""Keeps the parsed trees of prompt files in the user's cache, so that a run need not load a YAML parser.

A kept tree stands for a file that has not changed since. It is read only from a private file in a
private folder, both the user's own: nobody else can put words into a prompt. Whatever is odd about
it means that the prompt file is parsed again, and that is never told.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

from gptkit import __version__
from gptkit.errors import GptkitError
from gptkit.files import write_private
from gptkit.paths import Paths
from gptkit.templates.tree import SIZE_CAP, Node

FORMAT = 1
"""Goes up with every change of what a file's text becomes, or of how that is written down."""
SETTLED = 2_000_000_000
"""Nanoseconds after its last change from which on another change shows in a file's times.

Within the granularity of a clock (two seconds on FAT) two changes leave the same time behind.
"""
CAP = 8 * SIZE_CAP
"""Bytes of a kept tree at most: JSON in ASCII takes up to six for one of the prompt file."""
PRIME = (1 << 61) - 1
_File = tuple[int, ...]


class Kept:
    """The trees in a cache folder; nothing is kept without one, or where files have no owners."""

    def __init__(self, paths: Paths, now: Callable[[], int] = time.time_ns) -> None:
        self._paths = paths
        self._now = now
        self._folder = paths.cache / "prompts"

    def tree(self, path: Path, parsed: Callable[[], Node]) -> Node:
        """What `parsed` makes of a prompt file, or made of it in an earlier run."""
        file = _file(path)
        if file is None or not hasattr(os, "geteuid"):
            return parsed()
        place = self._folder / f"{path.stem}-{_sum(os.fsencode(path)):x}.json"
        found = self._read(place, _stamp(path, file))
        if found is not None:
            return found
        has_settled = max(file[-2:]) < self._now() - SETTLED
        root = parsed()
        if has_settled and _file(path) == file:  # else it may be another's tree
            self._write(place, _stamp(path, file), root)
        return root

    def _read(self, place: Path, stamp: list[object]) -> Node | None:
        try:
            if not _is_private(self._folder):
                return None
            head, _, body = _content(place).partition(b"\n")
            if int(head, 16) != _sum(body):
                return None
            kept_stamp, root = json.loads(body)
            return _node(root) if kept_stamp == stamp else None
        except (OSError, ValueError, TypeError, RecursionError):
            return None

    def _write(self, place: Path, stamp: list[object], root: Node) -> None:
        with suppress(GptkitError, OSError, ValueError):
            if _is_welcome(self._paths.require(self._folder)):
                body = json.dumps([stamp, _plain(root)], separators=(",", ":")).encode()
                write_private(place, b"%x\n%b" % (_sum(body), body))


def _file(path: Path) -> _File | None:
    """Which content of which file a path means now: another one differs in some number, once it settled."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode) or status.st_size > SIZE_CAP:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _stamp(path: Path, file: _File) -> list[object]:
    return [FORMAT, __version__, str(path), *file]


def _sum(data: bytes) -> int:
    """Tells paths apart, and whether data is damaged; to load hashlib would take longer than all of this."""
    return int.from_bytes(data, "big") % PRIME


def _is_private(folder: Path) -> bool:
    """Whether it is a folder, no link to one, in which nobody but this user can put files."""
    status = os.lstat(folder)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _is_welcome(folder: Path) -> bool:
    """Whether to write there or to make it: root leaves nothing of its own in another user's home."""
    with suppress(FileNotFoundError):
        return _is_private(folder)
    while not folder.exists():
        folder = folder.parent
    return folder.stat().st_uid in (0, os.geteuid())


def _content(place: Path) -> bytes:
    """Empty for what is not a private file of this user's; raises OSError for a link."""
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a FIFO is not waited for
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        is_private = status.st_uid == os.geteuid() and not status.st_mode & 0o077
        return file.read(CAP) if stat.S_ISREG(status.st_mode) and is_private else b""


def _plain(node: Node) -> list[object]:
    value = node.value
    if isinstance(value, dict):
        return [{key: _plain(entry) for key, entry in value.items()}, node.line]
    if isinstance(value, list):
        return [[_plain(entry) for entry in value], node.line]
    return [value, node.line, int(node.plain), node.block]


def _node(kept: object) -> Node:
    """Raises ValueError or TypeError for what `_plain` never writes."""
    value, line, *rest = cast("list[object]", kept)
    if type(line) is not int:
        raise ValueError
    if isinstance(value, dict) and not rest:
        return Node({key: _node(entry) for key, entry in value.items()}, line)
    if isinstance(value, list) and not rest:
        return Node([_node(entry) for entry in value], line)
    plain, block = rest
    if not isinstance(value, str) or plain not in (0, 1) or type(block) is not int:
        raise ValueError
    return Node(value, line, plain == 1, block)
