"""The folders with prompt files: which names there are, what shadows what, and their templates."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from gptkit.core.errors import CannotRead, NoInput
from gptkit.core.yaml_tree import SIZE_CAP, BrokenPrompt, Node, Problem, nearest, tree
from gptkit.templates import parse, render
from gptkit.templates.kept import Kept
from gptkit.templates.model import Template, Vocabulary

Origin = Literal["built-in", "user", "project"]


class Shelf(NamedTuple):
    """One folder of prompt files. Only those of a project that were trusted are on it."""

    origin: Origin
    folder: Path
    only: frozenset[str] | None = None


class Entry(NamedTuple):
    """A prompt file by its name; `shadows` are the files of that name in earlier folders."""

    name: str
    path: Path
    origin: Origin
    shadows: tuple[Path, ...] = ()


class Library:
    """Finds prompt files by name. Later shelves win; a name is never a path."""

    def __init__(self, shelves: Sequence[Shelf], words: Vocabulary, kept: Kept | None = None) -> None:
        self._shelves = tuple(shelves)
        self.words = words
        self._kept = kept

    def entries(self) -> Mapping[str, Entry]:
        """Every prompt file in the order of the names, also one whose name no command can have."""
        found: dict[str, Entry] = {}
        for shelf in self._shelves:
            for path in _files(shelf):
                below = found.get(path.stem)
                shadows = (*below.shadows, below.path) if below else ()
                found[path.stem] = Entry(path.stem, path, shelf.origin, shadows)
        return dict(sorted(found.items()))

    def entry(self, name: str) -> Entry | None:
        """The file that a name means; only a few stat calls, no folder is listed."""
        if parse.name_problem(name, self.words):
            return None
        paths = [
            (shelf, path)
            for shelf in self._shelves
            for path in (shelf.folder / f"{name}.yaml", shelf.folder / f"{name}.yml")
            if _is_on(shelf, path)
        ]
        if not paths:
            return None
        shelf, path = paths[-1]
        return Entry(name, path, shelf.origin, tuple(other for _, other in paths[:-1]))

    def template(self, name: str) -> Template:
        """The template of a name, fit to be used; raises BrokenPrompt or NoInput."""
        entry = self.entry(name)
        if entry is None:
            raise NoInput(f"no prompt named '{name}'", hint="'gptkit prompts list' shows all")
        return self._usable(entry, *self._root(entry, ()))

    def checked(self, entry: Entry) -> Template:
        """The template after every check there is, also those that a use of it makes by itself."""
        template = self._usable(entry, *self._root(entry, ()))
        if problems := render.word_problems(template):
            raise BrokenPrompt(template.source, problems)
        return template

    def outline(self, entry: Entry) -> Template:
        """The template without the look at its variables and schema; enough for a list."""
        words = self.words._replace(check_schema=lambda _: None)
        return parse.template(entry.name, self._root(entry, ())[0], str(entry.path), words)

    def _usable(self, entry: Entry, root: Node, own: frozenset[str] | None) -> Template:
        template = parse.template(entry.name, root, str(entry.path), self.words)
        if problems := render.problems(template, own):
            raise BrokenPrompt(str(entry.path), problems)
        return template

    def _root(self, entry: Entry, children: tuple[Path, ...]) -> tuple[Node, frozenset[str] | None]:
        """The tree of a file with its parents merged in, and the parameters it declares itself."""
        root = self._tree(entry)
        wanted = parse.parent_name(root)
        if not wanted:
            return root, None
        parent = self._parent(entry, wanted, root, (*children, entry.path))
        parent_root, own = self._root(parent, (*children, entry.path))
        self._usable(parent, parent_root, own)  # what is wrong with it is told by its own file and line
        return parse.merged(root, parent_root), parse.declared(root)

    def _tree(self, entry: Entry) -> Node:
        """Of a project's file always as it is now: what its content is was trusted, not when it changed."""

        def parsed() -> Node:
            return tree(_text(entry.path), str(entry.path))

        if self._kept is None or entry.origin == "project":
            return parsed()
        return self._kept.tree(entry.path, parsed)

    def _parent(self, entry: Entry, name: str, root: Node, children: tuple[Path, ...]) -> Entry:
        line = root.value["extends"].line if isinstance(root.value, dict) else 1
        found = self.entry(name)
        if found and name == entry.name:
            found = _below(found, entry.path)
        if found is None:
            if name == entry.name:
                message, hint = f"there is no other prompt named '{name}'", ""
            else:
                others = [one for one in self.entries() if one != entry.name]
                message, hint = f"no prompt named '{name}'", nearest(name, others)
            raise BrokenPrompt(str(entry.path), (Problem(line, "extends", message, hint),))
        if found.path in children:
            raise BrokenPrompt(str(entry.path), (Problem(line, "extends", "extends itself in a circle"),))
        return found


def _below(found: Entry, path: Path) -> Entry | None:
    """The file of the same name that one extends: the next it shadows, or all for one from elsewhere."""
    if path != found.path and path not in found.shadows:
        return found
    paths = found.shadows[: found.shadows.index(path)] if path in found.shadows else found.shadows
    return Entry(found.name, paths[-1], found.origin, paths[:-1]) if paths else None


def _files(shelf: Shelf) -> Iterator[Path]:
    try:
        paths = sorted(shelf.folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise _unreadable(shelf.folder, error) from error
    for path in paths:
        if path.suffix in (".yaml", ".yml") and not path.name.startswith(".") and _is_on(shelf, path):
            yield path


def _is_on(shelf: Shelf, path: Path) -> bool:
    try:
        return (shelf.only is None or path.name in shelf.only) and path.is_file()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> CannotRead:
    return CannotRead(f"'{path}': {(error.strerror or str(error)).lower()}")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_CAP + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(data) > SIZE_CAP:
        raise BrokenPrompt(str(path), (Problem(1, "", f"larger than {SIZE_CAP >> 10} KiB"),))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BrokenPrompt(str(path), (Problem(line, "", "not UTF-8"),)) from None
