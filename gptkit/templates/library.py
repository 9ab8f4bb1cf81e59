"""The folders with prompt files: which names there are, what shadows what, and their templates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from gptkit.core.errors import CannotReadError, NoInputError
from gptkit.core.files import folder_lock, write_private
from gptkit.core.paths import Paths
from gptkit.core.yaml_tree import SIZE_CAP, Problem, YamlFileError, YamlNode, parse_yaml, spelling_hint
from gptkit.templates import parse, render
from gptkit.templates.cache import TreeCache
from gptkit.templates.template import Template, Vocabulary

Origin = Literal["built-in", "user", "project"]


class PromptFolder(NamedTuple):
    """One folder of prompt files. Only those of a project that were trusted are on it."""

    origin: Origin
    folder: Path
    only: frozenset[str] | None = None


class PromptFile(NamedTuple):
    """A prompt file by its name; `shadows` are the files of that name in earlier folders."""

    name: str
    path: Path
    origin: Origin
    shadows: tuple[Path, ...] = ()


class Library:
    """Finds prompt files by name. Later shelves win; a name is never a path."""

    def __init__(
        self, shelves: Sequence[PromptFolder], words: Vocabulary, kept: TreeCache | None = None
    ) -> None:
        self._shelves = tuple(shelves)
        self.vocabulary = words
        self._kept = kept

    def files(self) -> Mapping[str, PromptFile]:
        """Every prompt file in the order of the names, also one whose name no command can have."""
        found: dict[str, PromptFile] = {}
        for shelf in self._shelves:
            for path in _files(shelf):
                below = found.get(path.stem)
                shadows = (*below.shadows, below.path) if below else ()
                found[path.stem] = PromptFile(path.stem, path, shelf.origin, shadows)
        return dict(sorted(found.items()))

    def find(self, name: str) -> PromptFile | None:
        """The file that a name means; only a few stat calls, no folder is listed."""
        if parse.name_problem(name, self.vocabulary):
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
        return PromptFile(name, path, shelf.origin, tuple(other for _, other in paths[:-1]))

    def template(self, name: str) -> Template:
        """The template of a name, fit to be used; raises YamlFileError or NoInputError."""
        entry = self.find(name)
        if entry is None:
            raise NoInputError(f"no prompt named '{name}'", hint="'gptkit prompts list' shows all")
        return self._usable(entry, *self._root(entry, ()))

    def check(self, entry: PromptFile) -> Template:
        """The template after every check there is, also those that a use of it makes by itself."""
        template = self._usable(entry, *self._root(entry, ()))
        if problems := render.unknown_word_problems(template):
            raise YamlFileError(template.source, problems)
        return template

    def outline(self, entry: PromptFile) -> Template:
        """The template without the look at its variables and schema; enough for a list."""
        words = self.vocabulary._replace(check_schema=lambda _: None)
        return parse.parse_template(entry.name, self._root(entry, ())[0], str(entry.path), words)

    def _usable(self, entry: PromptFile, root: YamlNode, own: frozenset[str] | None) -> Template:
        template = parse.parse_template(entry.name, root, str(entry.path), self.vocabulary)
        if problems := render.variable_problems(template, own):
            raise YamlFileError(str(entry.path), problems)
        return template

    def _root(self, entry: PromptFile, children: tuple[Path, ...]) -> tuple[YamlNode, frozenset[str] | None]:
        """The tree of a file with its parents merged in, and the parameters it declares itself."""
        root = self._tree(entry)
        wanted = parse.parent_name(root)
        if not wanted:
            return root, None
        parent = self._parent(entry, wanted, root, (*children, entry.path))
        parent_root, own = self._root(parent, (*children, entry.path))
        self._usable(parent, parent_root, own)  # what is wrong with it is told by its own file and line
        return parse.merge(root, parent_root), parse.declared_names(root)

    def _tree(self, entry: PromptFile) -> YamlNode:
        """Of a project's file always as it is now: what its content is was trusted, not when it changed."""

        def parsed() -> YamlNode:
            return parse_yaml(_text(entry.path), str(entry.path))

        if self._kept is None or entry.origin == "project":
            return parsed()
        return self._kept.tree(entry.path, parsed)

    def _parent(self, entry: PromptFile, name: str, root: YamlNode, children: tuple[Path, ...]) -> PromptFile:
        line = root.value["extends"].line if isinstance(root.value, dict) else 1
        found = self.find(name)
        if found and name == entry.name:
            found = _below(found, entry.path)
        if found is None:
            if name == entry.name:
                message, hint = f"there is no other prompt named '{name}'", ""
            else:
                others = [one for one in self.files() if one != entry.name]
                message, hint = f"no prompt named '{name}'", spelling_hint(name, others)
            raise YamlFileError(str(entry.path), (Problem(line, "extends", message, hint),))
        if found.path in children:
            raise YamlFileError(str(entry.path), (Problem(line, "extends", "extends itself in a circle"),))
        return found


def _below(found: PromptFile, path: Path) -> PromptFile | None:
    """The file of the same name that one extends: the next it shadows, or all for one from elsewhere."""
    if path != found.path and path not in found.shadows:
        return found
    paths = found.shadows[: found.shadows.index(path)] if path in found.shadows else found.shadows
    return PromptFile(found.name, paths[-1], found.origin, paths[:-1]) if paths else None


def _files(shelf: PromptFolder) -> Iterator[Path]:
    try:
        paths = sorted(shelf.folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise _unreadable(shelf.folder, error) from error
    for path in paths:
        if path.suffix in (".yaml", ".yml") and not path.name.startswith(".") and _is_on(shelf, path):
            yield path


def _is_on(shelf: PromptFolder, path: Path) -> bool:
    try:
        return (shelf.only is None or path.name in shelf.only) and path.is_file()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> CannotReadError:
    return CannotReadError(f"'{path}': {(error.strerror or str(error)).lower()}")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_CAP + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(data) > SIZE_CAP:
        raise YamlFileError(str(path), (Problem(1, "", f"larger than {SIZE_CAP >> 10} KiB"),))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise YamlFileError(str(path), (Problem(line, "", "not UTF-8"),)) from None


FileHashes = Mapping[str, str]
"""File name to the SHA-256 of the content that was trusted."""


def prompt_folders(paths: Paths) -> tuple[PromptFolder, ...]:
    """Built-in, user's and trusted project files, in the order in which later ones win."""
    found = [PromptFolder("built-in", built_in_folder()), PromptFolder("user", user_folder(paths))]
    folder = project_folder(paths)
    if _exists(folder) and (trusted := _store(paths).get(_key(folder))):
        current = file_hashes(folder)
        same = frozenset(name for name, digest in current.items() if trusted.get(name) == digest)
        found.append(PromptFolder("project", folder, same))
    return tuple(found)


def built_in_folder() -> Path:
    """Inside the package where it was installed, beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "prompts"
    return inside if inside.is_dir() else package.parent / "prompts"


def user_folder(paths: Paths) -> Path:
    return paths.config / "prompts"


def project_folder(paths: Paths) -> Path:
    return paths.project / "prompts"


def untrusted_files(paths: Paths) -> tuple[str, ...]:
    """Names of the project's files that are not trusted as they are now."""
    folder = project_folder(paths)
    current = file_hashes(folder)
    trusted = _store(paths).get(_key(folder), {}) if current else {}
    return tuple(name for name, digest in current.items() if trusted.get(name) != digest)


def trust(paths: Paths, folder: Path) -> FileHashes:
    """Trust a folder's files by path and content; returns what is trusted now."""
    found = file_hashes(folder)
    with folder_lock(paths.require(paths.data)):
        _write(paths, {**_store(paths), _key(folder): found})
    return found


def distrust(paths: Paths, folder: Path) -> bool:
    """Take the trust back; False when there was none."""
    if _key(folder) not in _store(paths):
        return False
    with folder_lock(paths.data):
        _write(paths, {key: value for key, value in _store(paths).items() if key != _key(folder)})
    return True


def file_hashes(folder: Path) -> FileHashes:
    """The files of a folder by name with their SHA-256, in the order of the names.

    Links are left out, since what they point at changes without them; so are files that are too
    long or that cannot be read.
    """
    import hashlib  # only a project that is trusted needs it

    found: dict[str, str] = {}
    try:
        paths = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise CannotReadError(f"'{folder}': {(error.strerror or str(error)).lower()}") from None
    for path in paths:
        if path.suffix in (".yaml", ".yml") and (data := _content(path)) is not None:
            found[path.name] = hashlib.sha256(data).hexdigest()
    return found


def _content(path: Path) -> bytes | None:
    try:
        if path.is_symlink() or not path.is_file():
            return None
        with path.open("rb") as file:
            data = file.read(SIZE_CAP + 1)
    except OSError:
        return None
    return data if len(data) <= SIZE_CAP else None


def _exists(folder: Path) -> bool:
    """A folder that cannot be entered is as good as none: nothing in it can be trusted."""
    try:
        return folder.is_dir()
    except OSError:
        return False


def _key(folder: Path) -> str:
    return str(folder.resolve())


def _store_path(paths: Paths) -> Path:
    return paths.data / "trusted.json"


def _store(paths: Paths) -> Mapping[str, FileHashes]:
    path = _store_path(paths)
    try:
        data = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise CannotReadError(f"'{path}': {(error.strerror or str(error)).lower()}") from None
    except (ValueError, RecursionError):
        raise _damaged(path) from None
    if not isinstance(data, dict) or not all(isinstance(value, dict) for value in data.values()):
        raise _damaged(path)
    return data


def _damaged(path: Path) -> CannotReadError:
    return CannotReadError(f"'{path}': damaged", hint="remove it and run 'gptkit prompts trust' again")


def _write(paths: Paths, store: Mapping[str, FileHashes]) -> None:
    data = json.dumps(store, indent=1).encode()  # as ASCII: file names may hold bytes that are no text
    write_private(paths.require(_store_path(paths)), data)
