"""Find prompt files in the folders of the program, the user and the project, and trust those of a project."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from gptkit.core.errors import CannotReadError, NoInputError
from gptkit.core.files import cause, folder_lock, write_private
from gptkit.core.paths import Paths
from gptkit.core.yaml_tree import SIZE_CAP, Problem, YamlFileError, YamlNode, parse_yaml, spelling_hint
from gptkit.templates import parse, render
from gptkit.templates.cache import TreeCache
from gptkit.templates.template import Template, Vocabulary

Origin = Literal["built-in", "user", "project"]


class PromptFolder(NamedTuple):
    """A folder of prompt files. `only` names the trusted files of a project; None for a folder of others."""

    origin: Origin
    path: Path
    only: frozenset[str] | None = None


class PromptFile(NamedTuple):
    """A prompt file. `shadows` are the files of the same name in folders of lower rank."""

    name: str
    path: Path
    origin: Origin
    shadows: tuple[Path, ...] = ()


class Library:
    """Finds prompt files by name and parses them. A later folder ranks higher; a name is never a path."""

    def __init__(
        self, folders: Sequence[PromptFolder], vocabulary: Vocabulary, cache: TreeCache | None = None
    ) -> None:
        self.vocabulary = vocabulary
        self._folders = tuple(folders)
        self._cache = cache

    def files(self) -> Mapping[str, PromptFile]:
        """All prompt files by name, in the order of their names, also those with an impossible name."""
        files: dict[str, PromptFile] = {}
        for folder in self._folders:
            for path in _yaml_files(folder):
                shadowed = files.get(path.stem)
                shadows = (*shadowed.shadows, shadowed.path) if shadowed else ()
                files[path.stem] = PromptFile(path.stem, path, folder.origin, shadows)
        return dict(sorted(files.items()))

    def find(self, name: str) -> PromptFile | None:
        """The prompt file of a name, None if there is none; takes a few stat calls and lists no folder."""
        if parse.name_problem(name, self.vocabulary):
            return None
        paths = [
            (folder, path)
            for folder in self._folders
            for path in (folder.path / f"{name}.yaml", folder.path / f"{name}.yml")
            if _is_in(folder, path)
        ]
        if not paths:
            return None
        folder, path = paths[-1]
        return PromptFile(name, path, folder.origin, tuple(other for _, other in paths[:-1]))

    def template(self, name: str) -> Template:
        """The template of a name; raises YamlFileError, CannotReadError, NoInputError for an unknown name."""
        file = self.find(name)
        if file is None:
            raise NoInputError(f"no prompt named '{name}'", hint="'gptkit prompts list' shows all")
        return self._checked_template(file, *self._root(file, ()))

    def check(self, file: PromptFile) -> Template:
        """The template of a file after all checks, also of what would fail only when it is rendered."""
        template = self._checked_template(file, *self._root(file, ()))
        if problems := render.unknown_word_problems(template):
            raise YamlFileError(template.source, problems)
        return template

    def outline(self, file: PromptFile) -> Template:
        """The template of a file without the checks of its variables and schema, for a list."""
        vocabulary = self.vocabulary._replace(check_schema=lambda _: None)
        return parse.parse_template(file.name, self._root(file, ())[0], str(file.path), vocabulary)

    def _checked_template(self, file: PromptFile, root: YamlNode, own: frozenset[str] | None) -> Template:
        template = parse.parse_template(file.name, root, str(file.path), self.vocabulary)
        if problems := render.variable_problems(template, own):
            raise YamlFileError(str(file.path), problems)
        return template

    def _root(self, file: PromptFile, children: tuple[Path, ...]) -> tuple[YamlNode, frozenset[str] | None]:
        """The tree of a file merged with its parents; its own parameters by name, None without a parent."""
        root = self._tree(file)
        name = parse.parent_name(root)
        if not name:
            return root, None
        parent = self._parent(file, name, root, (*children, file.path))
        parent_root, own = self._root(parent, (*children, file.path))
        # Check the parent first: its problems are then told by its own file and lines.
        self._checked_template(parent, parent_root, own)
        return parse.merge(root, parent_root), parse.declared_names(root)

    def _tree(self, file: PromptFile) -> YamlNode:
        """The tree of a file alone. That of a project is never cached: what is trusted is its content now."""

        def parse_file() -> YamlNode:
            return parse_yaml(_read_text(file.path), str(file.path))

        if self._cache is None or file.origin == "project":
            return parse_file()
        return self._cache.tree(file.path, parse_file)

    def _parent(self, file: PromptFile, name: str, root: YamlNode, children: tuple[Path, ...]) -> PromptFile:
        line = root.value["extends"].line if isinstance(root.value, dict) else 1
        parent = self.find(name)
        if parent and name == file.name:
            parent = _next_shadowed(parent, file.path)
        if parent is None:
            if name == file.name:
                message, hint = f"there is no other prompt named '{name}'", ""
            else:
                others = [other for other in self.files() if other != file.name]
                message, hint = f"no prompt named '{name}'", spelling_hint(name, others)
            raise YamlFileError(str(file.path), (Problem(line, "extends", message, hint),))
        if parent.path in children:
            raise YamlFileError(str(file.path), (Problem(line, "extends", "extends itself in a circle"),))
        return parent


def _next_shadowed(file: PromptFile, path: Path) -> PromptFile | None:
    """The file that the file at `path` extends by its own name: the next that it shadows, None if none.

    `file` is the one of highest rank with the name, which a file outside of all folders extends.
    """
    if path != file.path and path not in file.shadows:
        return file
    paths = file.shadows[: file.shadows.index(path)] if path in file.shadows else file.shadows
    return PromptFile(file.name, paths[-1], file.origin, paths[:-1]) if paths else None


def _yaml_files(folder: PromptFolder) -> Iterator[Path]:
    try:
        paths = sorted(folder.path.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise _unreadable_error(folder.path, error) from error
    for path in paths:
        if path.suffix in (".yaml", ".yml") and not path.name.startswith(".") and _is_in(folder, path):
            yield path


def _is_in(folder: PromptFolder, path: Path) -> bool:
    try:
        return (folder.only is None or path.name in folder.only) and path.is_file()
    except OSError as error:
        raise _unreadable_error(path, error) from error


def _unreadable_error(path: Path, error: OSError) -> CannotReadError:
    return CannotReadError(f"'{path}': {cause(error)}")


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_CAP + 1)
    except OSError as error:
        raise _unreadable_error(path, error) from error
    if len(data) > SIZE_CAP:
        raise YamlFileError(str(path), (Problem(1, "", f"larger than {SIZE_CAP >> 10} KiB"),))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise YamlFileError(str(path), (Problem(line, "", "not UTF-8"),)) from None


FileHashes = Mapping[str, str]
"""The names of files with the SHA-256 of their content."""


def prompt_folders(paths: Paths) -> tuple[PromptFolder, ...]:
    """The built-in, the user's and the project's folder, from the lowest to the highest rank."""
    folders = [PromptFolder("built-in", built_in_folder()), PromptFolder("user", user_folder(paths))]
    folder = project_folder(paths)
    if _exists(folder) and (trusted := _store(paths).get(_key(folder))):
        current = file_hashes(folder)
        unchanged = frozenset(name for name, digest in current.items() if trusted.get(name) == digest)
        folders.append(PromptFolder("project", folder, unchanged))
    return tuple(folders)


def built_in_folder() -> Path:
    """The folder of built-in prompts: inside the package if it is installed, beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "prompts"
    return inside if inside.is_dir() else package.parent / "prompts"


def user_folder(paths: Paths) -> Path:
    return paths.config / "prompts"


def project_folder(paths: Paths) -> Path:
    return paths.project / "prompts"


def untrusted_files(paths: Paths) -> tuple[str, ...]:
    """The names of the project's files that are not trusted with their content now."""
    folder = project_folder(paths)
    current = file_hashes(folder)
    trusted = _store(paths).get(_key(folder), {}) if current else {}
    return tuple(name for name, digest in current.items() if trusted.get(name) != digest)


def trust(paths: Paths, folder: Path) -> FileHashes:
    """Trust the files of a folder with their content now; return what is trusted."""
    hashes = file_hashes(folder)
    with folder_lock(paths.require(paths.data)):
        _write(paths, {**_store(paths), _key(folder): hashes})
    return hashes


def distrust(paths: Paths, folder: Path) -> bool:
    """Trust the files of a folder no longer; False if they were not trusted."""
    if _key(folder) not in _store(paths):
        return False
    with folder_lock(paths.data):
        _write(paths, {key: value for key, value in _store(paths).items() if key != _key(folder)})
    return True


def file_hashes(folder: Path) -> FileHashes:
    """The prompt files of a folder with the SHA-256 of their content, in the order of their names.

    Links are left out, since the files that they point at can change; so are files that are too large or
    cannot be read.
    """
    import hashlib  # only a project that is trusted needs it

    hashes: dict[str, str] = {}
    try:
        paths = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise CannotReadError(f"'{folder}': {cause(error)}") from None
    for path in paths:
        if path.suffix in (".yaml", ".yml") and (data := _content(path)) is not None:
            hashes[path.name] = hashlib.sha256(data).hexdigest()
    return hashes


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
    """Whether a folder exists and can be entered; else nothing in it can be trusted."""
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
        raise CannotReadError(f"'{path}': {cause(error)}") from None
    except (ValueError, RecursionError):
        raise _damaged_error(path) from None
    if not isinstance(data, dict) or not all(isinstance(value, dict) for value in data.values()):
        raise _damaged_error(path)
    return data


def _damaged_error(path: Path) -> CannotReadError:
    return CannotReadError(f"'{path}': damaged", hint="remove it and run 'gptkit prompts trust' again")


def _write(paths: Paths, store: Mapping[str, FileHashes]) -> None:
    data = json.dumps(store, indent=1).encode()  # as ASCII: file names may hold bytes that are no text
    write_private(paths.require(_store_path(paths)), data)
