"""Cache the parsed trees of prompt files, so that a run need not load a YAML parser.

A cached tree is used only if the prompt file has not changed since, and if nobody but the user can write to
the cache file. Whenever anything is wrong with a cache file, the prompt file is parsed again without a word.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from gptkit import __version__
from gptkit.core.clock import unix_nanoseconds
from gptkit.core.errors import GptkitError
from gptkit.core.files import write_private
from gptkit.core.paths import Paths
from gptkit.core.yaml_tree import SIZE_CAP, YamlNode

FORMAT = 2
"""Version of the cache; to be raised with every change of the tree that a text becomes, or of its JSON."""
SETTLED = 2_000_000_000
"""Nanoseconds after which a further change of a file shows in its times.

Two changes within the granularity of the file system's clock (two seconds on FAT) have the same time.
"""


class TreeCache:
    """The cached trees of prompt files; nothing is cached where files have no owners."""

    def __init__(self, paths: Paths, now: Callable[[], int] = unix_nanoseconds) -> None:
        self._paths = paths
        self._now = now

    def tree(self, path: Path, parse: Callable[[], YamlNode]) -> YamlNode:
        """The tree of a prompt file from the cache, else the result of `parse`, which is then cached."""
        stamp = _stamp(path)
        if stamp is None or not hasattr(os, "geteuid"):
            return parse()
        cache_file = self._paths.cache / "prompts" / f"{path.stem}-{crc32(os.fsencode(path)):x}.json"
        with suppress(OSError, ValueError, TypeError, RecursionError):
            cached_stamp, cached_root = json.loads(_read_private(cache_file))
            if cached_stamp == [*stamp]:
                return _from_json(*cached_root)
        has_settled = max(stamp[1][-2:]) < self._now() - SETTLED
        root = parse()
        if has_settled and _stamp(path) == stamp:  # else it may be the tree of another content
            with suppress(GptkitError, OSError, ValueError):
                data = json.dumps([stamp, _to_json(root)]).encode()
                write_private(self._paths.require(cache_file), data)
        return root


def _stamp(path: Path) -> tuple[str, list[int]] | None:
    """Numbers that identify the file of a path and its content; None for anything but a regular file."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode) or status.st_size > SIZE_CAP:
        return None
    identity = [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    return f"{FORMAT} {__version__} {path}", identity


def _read_private(path: Path) -> bytes:
    """Read a file that only this user can read; raises ValueError for others, OSError for a link."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # does not wait for a FIFO
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise ValueError
        return file.read()


def _to_json(node: YamlNode) -> list[object]:
    value: object = node.value
    if isinstance(value, dict):
        value = {key: _to_json(entry) for key, entry in value.items()}
    elif isinstance(value, list):
        value = [_to_json(entry) for entry in value]
    return [value, node.line, node.plain, node.block]


def _from_json(value: object, line: int, plain: bool, block: int) -> YamlNode:
    if isinstance(value, dict):
        return YamlNode({key: _from_json(*entry) for key, entry in value.items()}, line, plain, block)
    if isinstance(value, list):
        return YamlNode([_from_json(*entry) for entry in value], line, plain, block)
    return YamlNode(str(value), line, plain, block)
