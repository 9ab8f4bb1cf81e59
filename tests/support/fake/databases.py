"""Keeps the program from opening a database file beside SQLite.

POSIX locks belong to the process: whoever closes such a file takes the locks of all SQLite's connections to
it away (https://www.sqlite.org/howtocorrupt.html, 2.2), and another process deletes the log under them.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import gptkit

ENDINGS = (".db", ".db-wal", ".db-shm", ".db-journal")
PACKAGE = Path(gptkit.__file__).parent
RECOVERY = str(PACKAGE / "history" / "recover.py")
"""It copies a damaged store, to which there is no connection any more."""
LIBRARY = (str(Path(os.__file__).parent) + os.sep, "<frozen")

refused: list[str] = []
"""What was refused since the last `verify`."""


class OpenedBesideSqliteError(AssertionError):
    """The program opened a database file itself."""


def watch() -> None:
    """Refuse it from now on, in this process and for good: Python cannot remove an audit hook."""
    sys.addaudithook(_check)


def verify() -> None:
    found = refused.copy()
    refused.clear()
    assert not found, f"the program opened a database beside SQLite: {', '.join(found)}"


def is_open(path: str) -> bool:
    """Whether this process has the file open; it needs /proc."""
    descriptors = Path("/proc/self/fd")
    for descriptor in descriptors.iterdir() if descriptors.is_dir() else ():
        with suppress(OSError):
            if os.path.samestat(descriptor.stat(), Path(path).stat()):
                return True
    return False


def _check(event: str, arguments: tuple[object, ...]) -> None:
    if event != "open" or not isinstance(name := arguments[0], str) or not name.endswith(ENDINGS):
        return
    opener = _opener()
    if not opener.startswith(str(PACKAGE) + os.sep) or (opener == RECOVERY and not is_open(name)):
        return
    refused.append(f"{opener}: {name}")
    raise OpenedBesideSqliteError(refused[-1])


def _opener() -> str:
    """The file of the code that opens, past Python's own library."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(LIBRARY):
        frame = frame.f_back
    return frame.f_code.co_filename
