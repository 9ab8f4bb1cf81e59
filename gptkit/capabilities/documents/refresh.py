"""Brings the index up to date with the files that a question names."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from gptkit.capabilities.documents.passages import Passage, passages_of
from gptkit.capabilities.documents.store import FileChange, FileRow, FileState, PassageStore
from gptkit.core.errors import CannotReadError, DataError, GptkitError, NoInputError
from gptkit.core.files import cause
from gptkit.core.tokens import estimate_tokens
from gptkit.jobs.walk import FolderWalk
from gptkit.readers import ENCRYPTED
from gptkit.readers.process import DocumentReader, open_document

if TYPE_CHECKING:
    from gptkit.readers import Block

RACY = 2 * 10**9
"""Nanoseconds in which a file may change twice with one time stamp: the coarsest clock of a file system."""
FILES_AT_ONCE = 50
"""Files that are written in one transaction."""
PASSAGES_AT_ONCE = 4000
"""Passages that are held in memory before they are written."""
NOT_TAKEN = re.compile(r"\.|id_(?:rsa|dsa|ecdsa|ed25519)|.*\.(?:pem|key|p12|pfx)\Z", re.DOTALL)
"""Names of files that are never taken from a folder, only when they are named: hidden ones and keys."""
CHANGING = "it changes while it is read"


class FileSelection(NamedTuple):
    """Which files of folders are taken: those that match any of `include`, none of `exclude`; never `secret`,
    the real path of a file with passwords."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    secret: str = ""

    def takes(self, path: str, folder: Path) -> bool:
        """Whether a file of a folder is taken, by its path below the folder or by its name."""
        if not (self.include or self.exclude):
            return True
        below = Path(path).relative_to(folder).as_posix()
        return (not self.include or _matches(below, self.include)) and not _matches(below, self.exclude)


def _matches(below: str, patterns: Iterable[str]) -> bool:
    name = below.rpartition("/")[2]
    return any(fnmatchcase(below, each) or fnmatchcase(name, each) for each in patterns)


class Unread(NamedTuple):
    """A file of a folder that holds nothing to answer from, and why."""

    name: str
    why: str


class Refreshed(NamedTuple):
    """The files to answer from, as ids with their names for the user, and those that could not be read."""

    files: Mapping[int, str]
    skipped: tuple[Unread, ...]


class _Found(NamedTuple):
    """A file as it stands: its name for the user, its real path, its state, whether the user named it."""

    name: str
    path: str
    state: FileState
    is_named: bool


class Refresh:
    """One pass over files and folders. What was read is kept even if the pass is interrupted."""

    def __init__(
        self,
        store: PassageStore,
        reader: DocumentReader,
        selection: FileSelection = FileSelection(),  # noqa: B008 - a constant
        encoding: str = "",
    ) -> None:
        """Prepare a pass.

        Args:
            encoding: that of the reader, empty to recognise the encoding of each text.
        """
        self._store = store
        self._reader = reader
        self._selection = selection
        self._encoding = encoding
        self.progress = "looking for files"
        """What is being done, for a line on the terminal."""
        self._skipped: list[Unread] = []
        self._roots: list[str] = []

    def run(self, paths: Sequence[str]) -> Refreshed:
        """Read what changed of files and folders. Raises NoInputError for a path that is not there, DataError
        and CannotReadError for a named file that cannot be read."""
        found = {one.path: one for path in paths for one in self._find(path)}
        rows = self._store.files(self._roots, found)
        stale = [one for one in found.values() if not self._is_current(one, rows.get(one.path))]
        gone = self._gone(rows, found)
        if stale or gone:
            self._read(stale, rows, gone)
            rows = self._store.files(self._roots, found)
        files: dict[int, str] = {}
        for one in found.values():
            row = rows.get(one.path)
            if row is None:
                self._skipped.append(Unread(one.name, CHANGING))
            elif row.why and one.is_named:
                raise DataError(f"'{one.name}': {row.why}", hint=self._hint(row))
            elif row.why:
                self._skipped.append(Unread(one.name, row.why))
            else:
                files[row.id] = one.name
        return Refreshed(files, tuple(self._skipped))

    def _hint(self, row: FileRow) -> str:
        """What to do about a named file that cannot be read."""
        if row.why != ENCRYPTED or not row.path.lower().endswith(".pdf"):
            return ""
        if self._reader.passwords:
            return "no line of the password file opens it"
        return "a question with --password-file FILE opens it, if its password is a line of FILE"

    def _find(self, path: str) -> Iterator[_Found]:
        real = os.path.realpath(path)
        try:
            status = os.stat(real)  # noqa: PTH116 - thousands of paths
        except (FileNotFoundError, NotADirectoryError):
            raise NoInputError(
                f"'{path}': no such file", hint="a question of several words stands in quotation marks"
            ) from None
        except (OSError, ValueError) as error:
            raise CannotReadError(f"'{path}': {cause(error)}") from None
        if not os.path.isdir(real):  # noqa: PTH112
            yield _Found(path, real, file_state(status), True)
            return
        self._roots.append(real)
        folder = Path(path)
        walk = FolderWalk(Path(real), lambda entry: NOT_TAKEN.match(entry.name) is not None)
        for name, entry in walk.files(folder):
            if entry.path != self._selection.secret and self._selection.takes(name, folder):
                try:
                    yield _Found(name, entry.path, file_state(entry.stat()), False)
                except OSError as error:
                    walk.skip(Path(name), cause(error))
        self._skipped += [Unread(str(each.path), each.why) for each in walk.skipped]

    def _gone(self, rows: Mapping[str, FileRow], found: Mapping[str, _Found]) -> list[int]:
        """Files of the folders that are no longer there."""
        roots = tuple(root.rstrip(os.sep) + os.sep for root in self._roots)
        missing = (row for path, row in rows.items() if path not in found and path.startswith(roots))
        return [row.id for row in missing if not os.path.lexists(row.path)]

    def _is_current(self, one: _Found, row: FileRow | None) -> bool:
        """Whether a file is known as it stands: it has not changed, and could not have unseen."""
        if row is None or row.state != one.state or not self._is_read_alike(row):
            return False
        return row.read_at * 10**9 - max(one.state.mtime_ns, one.state.ctime_ns) > RACY

    def _is_read_alike(self, row: FileRow) -> bool:
        """Whether reading the content anew would bring the same, as far as the command line can tell."""
        return row.encoding == self._encoding and not (row.why == ENCRYPTED and self._reader.passwords)

    def _read(self, stale: Sequence[_Found], rows: Mapping[str, FileRow], gone: list[int]) -> None:
        changes: list[FileChange] = []
        touched: list[FileRow] = []
        try:
            for done, one in enumerate(stale):
                self.progress = f"reading {done + 1} of {len(stale)} files"
                change = self._change(one, rows.get(one.path))
                if isinstance(change, FileRow):
                    touched.append(change)
                elif change is not None:
                    changes.append(change)
                held = sum(len(each.passages) for each in changes)
                if len(changes) >= FILES_AT_ONCE or held >= PASSAGES_AT_ONCE:
                    changes, written = [], changes
                    self._store.write(written)
        finally:
            self._store.write(changes, gone, touched)

    def _change(self, one: _Found, row: FileRow | None) -> FileChange | FileRow | None:
        """What there is to write of a file; None for one that never stays the same while it is read."""
        for _ in range(2):
            try:
                with open_document(one.path) as file:
                    before = file_state(os.fstat(file.fileno()))
                    change = self._content(one, file, before, row)
                    if file_state(os.fstat(file.fileno())) == before:
                        return change
            except (NoInputError, CannotReadError, DataError) as error:
                why = _reason(error, one.path)
                return FileChange(one.path, one.state, "", time(), self._encoding, why=why)
        return None

    def _content(
        self, one: _Found, file: BinaryIO, state: FileState, row: FileRow | None
    ) -> FileChange | FileRow:
        read_at = time()
        hashed = hashlib.sha256()
        while piece := file.read(1 << 20):
            hashed.update(piece)
        digest = hashed.hexdigest()
        if row is not None and row.sha256 == digest and self._is_read_alike(row):
            return row._replace(state=state, read_at=read_at)
        file.seek(0)
        try:
            passages, tokens = read_passages(self._reader.blocks(file, one.path), one.path)
        except DataError as error:
            return FileChange(one.path, state, digest, read_at, self._encoding, why=_reason(error, one.path))
        return FileChange(one.path, state, digest, read_at, self._encoding, passages, tokens=tokens)


def read_passages(blocks: Iterable[Block], path: str) -> tuple[tuple[Passage, ...], int]:
    """The passages of a document, and their tokens by estimate."""
    passages = tuple(passages_of(blocks, Path(path).stem))
    return passages, sum(estimate_tokens(one.text) for one in passages)


def file_state(status: os.stat_result) -> FileState:
    return FileState(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _reason(error: GptkitError, path: str) -> str:
    return error.message.removeprefix(f"'{path}': ")
