"""Keeps the parsed trees of prompt files in the user's cache, so that a run need not load a YAML parser.

A kept tree stands for a file that has not changed since, and is read only from a file that nobody but
the user can write. Whatever is odd about it means that the prompt file is parsed again; that is never told.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from gptkit import __version__
from gptkit.core.errors import GptkitError
from gptkit.core.files import write_private
from gptkit.core.paths import Paths
from gptkit.core.yaml_tree import SIZE_CAP, YamlNode

FORMAT = 2
"""Goes up with every change of what a file's text becomes, or of how that is written down."""
SETTLED = 2_000_000_000
"""Nanoseconds after its last change from which on another change shows in a file's times.

Within the granularity of a clock (two seconds on FAT) two changes leave the same time behind.
"""


class TreeCache:
    """The trees in a cache folder; nothing is kept without one, or where files have no owners."""

    def __init__(self, paths: Paths, now: Callable[[], int] = time.time_ns) -> None:
        self._paths = paths
        self._now = now

    def tree(self, path: Path, parsed: Callable[[], YamlNode]) -> YamlNode:
        """What `parsed` makes of a prompt file, or made of it in an earlier run."""
        stamp = _stamp(path)
        if stamp is None or not hasattr(os, "geteuid"):
            return parsed()
        place = self._paths.cache / "prompts" / f"{path.stem}-{crc32(os.fsencode(path)):x}.json"
        with suppress(OSError, ValueError, TypeError, RecursionError):
            kept_stamp, root = json.loads(_content(place))
            if kept_stamp == [*stamp]:
                return _node(*root)
        has_settled = max(stamp[1][-2:]) < self._now() - SETTLED
        found = parsed()
        if has_settled and _stamp(path) == stamp:  # else it may be another's tree
            with suppress(GptkitError, OSError, ValueError):
                write_private(self._paths.require(place), json.dumps([stamp, _plain(found)]).encode())
        return found


def _stamp(path: Path) -> tuple[str, list[int]] | None:
    """Which content of which file a path means now: another one differs in some number, once it settled."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode) or status.st_size > SIZE_CAP:
        return None
    file = [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    return f"{FORMAT} {__version__} {path}", file


def _content(place: Path) -> bytes:
    """Raises ValueError for what is not a private file of this user's, OSError for a link."""
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a FIFO is not waited for
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise ValueError
        return file.read()


def _plain(node: YamlNode) -> list[object]:
    value: object = node.value
    if isinstance(value, dict):
        value = {key: _plain(entry) for key, entry in value.items()}
    elif isinstance(value, list):
        value = [_plain(entry) for entry in value]
    return [value, node.line, node.plain, node.block]


def _node(value: object, line: int, plain: bool, block: int) -> YamlNode:
    if isinstance(value, dict):
        return YamlNode({key: _node(*entry) for key, entry in value.items()}, line, plain, block)
    if isinstance(value, list):
        return YamlNode([_node(*entry) for entry in value], line, plain, block)
    return YamlNode(str(value), line, plain, block)
