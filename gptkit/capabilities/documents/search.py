"""The documents of one run: the index on disk, what is piped in, and what a question finds in them."""

from __future__ import annotations

import glob
import hashlib
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from time import time
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TypeVar, cast

from gptkit.capabilities.documents.config import KEY, config_of, declared_paths, options_of
from gptkit.capabilities.documents.refresh import FileSelection, Refresh, Refreshed, Unread, read_passages
from gptkit.capabilities.documents.retrieve import (
    Index,
    Retrieved,
    Room,
    all_tokens,
    question_weights,
    retrieve,
    retrieve_whole,
)
from gptkit.capabilities.documents.store import HINT, FileChange, FileState, PassageStore, Scope
from gptkit.core.activity import ActivityLine
from gptkit.core.errors import (
    CannotReadError,
    CannotWriteError,
    ConfigurationError,
    NoInputError,
    TooLongError,
)
from gptkit.encodings.decode import decode
from gptkit.readers.process import DocumentReader
from gptkit.session.input import read_text_file

if TYPE_CHECKING:
    from gptkit.services import Services
    from gptkit.templates.template import Template, Value

Result = TypeVar("Result")
INDEX_FILE = "documents.db"
WINDOW_SHARE = 0.5
"""Share of a model's context window that passages may take."""
TOLD = 3
"""Reasons for skipped files that are told; --json lists all."""


class Wish(NamedTuple):
    """What is looked for: parts of the question with their weights, in which files, for which model.

    Attributes:
        texts: documents in memory, by name.
        ranked_only: the order of passages is wanted, not a request.
    """

    parts: tuple[tuple[str, float], ...]
    template: Template
    values: Mapping[str, Value]
    model: str
    texts: tuple[tuple[str, str], ...] = ()
    ranked_only: bool = False


class _LoadedDocument(NamedTuple):
    """A document in memory, and the encoding that the user named."""

    name: str
    data: bytes
    encoding: str | None
    path: str = ""


class DocumentSearch:
    """Finds passages. The index is opened by the first question and brought up to date by each."""

    def __init__(self, services: Services) -> None:
        self.skipped: tuple[Unread, ...] = ()
        self._services = services
        self._terminal = services.terminal
        self._stores: dict[bool, PassageStore] = {}
        self._texts: list[_LoadedDocument] = []
        self._encoding: str | None = None
        self._has_told = False
        self._is_quiet = False
        self.keeps = True

    def add_text(self, name: str, data: bytes, path: str = "", encoding: str | None = None) -> None:
        """Add a document that is in no file; the ending of `path` tells its kind."""
        self._texts.append(_LoadedDocument(name, data, encoding or self._encoding, path))

    def has_documents(self, wish: Wish) -> bool:
        """Whether a question has anything to be answered from."""
        return bool(_paths(wish) or self._texts or wish.texts or self._index_url(wish))

    def _index_url(self, wish: Wish) -> str:
        """The shared index to search: of the command line, else without documents of the settings."""
        if (url := options_of(wish.values).index_) or _paths(wish) or self._texts or wish.texts:
            return url
        return str(self._services.settings.value("index") or "")

    def find(self, wish: Wish) -> Retrieved:
        """The passages for a question; raises what `Refresh.run` raises, TooLongError for `--whole`."""
        return self.with_sound_index(lambda: self._find(wish))

    def find_all(self, wish: Wish) -> Retrieved:
        """All passages; raises what `Refresh.run` raises."""

        def find() -> Retrieved:
            with self._indexes(wish) as indexes:
                return retrieve_whole({}, indexes)

        return self.with_sound_index(find)

    def with_sound_index(self, work: Callable[[], Result]) -> Result:
        """Do some work; once more with a new index if the index on disk turns out to be damaged."""
        try:
            return work()
        except CannotReadError as error:
            if error.hint != HINT:  # it is about a document
                raise
            self.store().make_anew(error.message)
        return work()

    def _find(self, wish: Wish) -> Retrieved:
        options, config = options_of(wish.values), config_of(wish.template)
        room = Room(options.passages or config.passages, options.context or config.context)
        question = question_weights(wish.parts)
        with self._indexes(wish) as indexes:
            if wish.ranked_only:
                return retrieve(question, indexes, Room(0, 0))
            tokens = all_tokens(indexes)
            if options.whole or (tokens <= room.tokens and options.passages is None):
                window = self._services.context_window(wish.model, tokens)
                if window is None or tokens <= window * (1.0 if options.whole else WINDOW_SHARE):
                    return retrieve_whole(question, indexes)
                if options.whole:
                    raise TooLongError(
                        f"--whole: about {tokens:,} tokens, and '{wish.model}' takes {window:,}"
                    )
            found = retrieve(question, indexes, room)
            window = self._services.context_window(wish.model, found.tokens)
            if window is None or found.tokens <= window * WINDOW_SHARE:
                return found
            return retrieve(question, indexes, room._replace(tokens=int(window * WINDOW_SHARE)))

    @contextmanager
    def _indexes(self, wish: Wish) -> Iterator[Sequence[Index]]:
        """The indexes of all documents of a question, up to date."""
        with ExitStack() as stack:
            found: list[Index] = []
            if paths := [path for each in _paths(wish) for path in expand(each)]:
                found.append(stack.enter_context(self._files(paths, wish)))
            attached = [
                _LoadedDocument(name, text.encode("utf-8", "replace"), "utf-8") for name, text in wish.texts
            ]
            if url := self._index_url(wish):
                from gptkit.capabilities.documents.postgres import shared_index

                found.append(stack.enter_context(shared_index(url)))
            if texts := (*self._texts, *attached):
                found.append(stack.enter_context(self._in_memory(texts, wish.values)))
            yield found

    @contextmanager
    def _files(self, paths: Sequence[str], wish: Wish) -> Iterator[Index]:
        store = self._store(not options_of(wish.values).no_index and self.keeps)
        refreshed = self.refresh(store, paths, wish.values)
        if not refreshed.files:
            names = ", ".join(f"'{path}'" for path in paths)
            raise NoInputError(f"no document that can be read in {names}")
        with store.reading() as connection:
            yield Scope(connection, refreshed.files)
        store.close_file()

    def refresh(self, store: PassageStore, paths: Sequence[str], values: Mapping[str, Value]) -> Refreshed:
        """Bring an index up to date with files and folders."""
        options = options_of(values)
        secret = os.path.realpath(options.password_file) if options.password_file else ""
        selection = FileSelection(options.include, options.exclude, secret)
        line = ActivityLine(self._terminal, is_quiet=self._is_quiet)
        with DocumentReader(decode, self._encoding, passwords=_passwords(values)) as reader:
            refresh = Refresh(store, reader, selection, self._encoding or "")
            line.start(lambda _: refresh.progress)
            try:
                refreshed = refresh.run(paths)
            finally:
                line.stop()
        self.skipped = refreshed.skipped
        self._tell_skipped()
        return refreshed

    @contextmanager
    def _in_memory(self, texts: Sequence[_LoadedDocument], values: Mapping[str, Value]) -> Iterator[Index]:
        store = PassageStore(None)
        for number, (name, data, encoding, path) in enumerate(texts):
            with DocumentReader(decode, encoding, passwords=_passwords(values)) as reader:
                blocks = reader.blocks(cast(BinaryIO, io.BytesIO(data)), path or name, name)
                passages, tokens = read_passages(blocks, name)
            digest = hashlib.sha256(data).hexdigest()
            state = FileState(len(data), 0, 0, 0)
            store.write([FileChange(str(number), state, digest, time(), "", passages, tokens=tokens)])
        files = {row.id: texts[int(path)].name for path, row in store.files().items()}
        with store.reading() as connection:
            yield Scope(connection, files)
        store.close()

    def heed(self, encoding: str | None, is_quiet: bool) -> None:
        """Heed what the command line says: the encoding of all documents, and whether notes are shown."""
        self._encoding, self._is_quiet = encoding, is_quiet

    def store(self) -> PassageStore:
        """The index on disk."""
        return self._store(True)

    def _store(self, keeps: bool) -> PassageStore:
        """The index, on disk if it can be written there."""
        if keeps not in self._stores:
            store = PassageStore(None)
            if keeps:
                try:
                    paths = self._services.paths
                    store = PassageStore(paths.require(paths.cache) / INDEX_FILE, self._tell)
                    store.open()
                except (CannotWriteError, ConfigurationError) as error:
                    self._tell(f"{error.message}: no index is kept")
                    store = PassageStore(None)
            self._stores[keeps] = store
        return self._stores[keeps]

    def _tell(self, text: str) -> None:
        if not self._is_quiet:
            self._terminal.print_error_line(f"gptkit: {text}")

    def _tell_skipped(self) -> None:
        """Name the most frequent reasons for which files of folders were skipped, once."""
        if self._has_told or not self.skipped:
            return
        self._has_told = True
        reasons: dict[str, list[str]] = {}
        for name, why in self.skipped:
            reasons.setdefault(why, []).append(name)
        most = sorted(reasons.items(), key=lambda one: -len(one[1]))[:TOLD]
        told = "; ".join(
            f"'{names[0]}'{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {why}"
            for why, names in most
        )
        more = f"; {len(reasons) - TOLD} more reasons" if len(reasons) > TOLD else ""
        self._tell(f"skipped {told}{more}")


def _paths(wish: Wish) -> list[str]:
    return [*declared_paths(wish.template), *cast("tuple[str, ...]", wish.values.get(KEY, ()))]


def _passwords(values: Mapping[str, Value]) -> list[str]:
    path = options_of(values).password_file
    return [line for line in read_text_file(path)[1].splitlines() if line] if path else []


def expand(path: str) -> list[str]:
    """The paths that a pattern in quotation marks stands for; a path that is there stands for itself."""
    if os.path.lexists(path) or not glob.has_magic(path):
        return [path]
    return sorted(glob.glob(path, recursive=True)) or [path]  # noqa: PTH207 - it takes whole paths


def document_search(services: Services, keeping: bool) -> DocumentSearch:
    """The search of a run, made once; without `keeping` nothing of the documents is kept on disk."""
    search = services.shared(DocumentSearch)
    search.keeps = search.keeps and keeping
    return search
