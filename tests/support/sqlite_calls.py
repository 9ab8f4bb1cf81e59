"""Counts the calls by which SQLite changes files, through SQLite's own table of calls: Python sees none."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_longlong, c_size_t, c_ssize_t, c_void_p
from typing import Any, ClassVar

CALLS: dict[bytes, Any] = {
    b"write": CFUNCTYPE(c_ssize_t, c_int, c_void_p, c_size_t),
    b"pwrite": CFUNCTYPE(c_ssize_t, c_int, c_void_p, c_size_t, c_longlong),
    b"pwrite64": CFUNCTYPE(c_ssize_t, c_int, c_void_p, c_size_t, c_longlong),
    b"ftruncate": CFUNCTYPE(c_int, c_int, c_longlong),
    b"unlink": CFUNCTYPE(c_int, c_char_p),
}


class _Vfs(Structure):
    """`sqlite3_vfs` of sqlite3.h, version 3."""

    _fields_: ClassVar[Any] = [
        *((name, c_int) for name in ("version", "file_size", "longest_path")),
        *((name, c_void_p) for name in ("next", "name", "data")),
        *((f"method{number}", c_void_p) for number in range(13)),
        ("set_call", CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p)),
        ("get_call", CFUNCTYPE(c_void_p, c_void_p, c_char_p)),
    ]


_kept: list[object] = []


def count_calls(count: Callable[[str], None]) -> None:
    """Have SQLite tell the name of each such call before it makes the call."""
    import _sqlite3

    library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))  # None: SQLite is part of Python itself
    library.sqlite3_vfs_find.restype = POINTER(_Vfs)
    vfs = library.sqlite3_vfs_find(None)
    for name, kind in CALLS.items():
        if address := vfs.contents.get_call(ctypes.cast(vfs, c_void_p), name):
            wrapped = kind(_counting(name.decode(), kind(address), count))
            _kept.append(wrapped)  # SQLite calls it until the process ends
            vfs.contents.set_call(ctypes.cast(vfs, c_void_p), name, ctypes.cast(wrapped, c_void_p))


def _counting(name: str, real: Callable[..., int], count: Callable[[str], None]) -> Callable[..., int]:
    def call(*arguments: object) -> int:
        count(name)
        return real(*arguments)

    return call
