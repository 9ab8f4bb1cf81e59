"""The folders that prompt files are read from, and which of a project's files the user trusts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from gptkit.core.errors import CannotRead
from gptkit.core.files import locked, write_private
from gptkit.core.paths import Paths
from gptkit.core.yaml_tree import SIZE_CAP
from gptkit.templates.library import Shelf

Trusted = Mapping[str, str]
"""File name to the SHA-256 of the content that was trusted."""


def shelves(paths: Paths) -> tuple[Shelf, ...]:
    """Built-in, user's and trusted project files, in the order in which later ones win."""
    found = [Shelf("built-in", built_in()), Shelf("user", user(paths))]
    folder = project(paths)
    if _exists(folder) and (trusted := _store(paths).get(_key(folder))):
        current = fingerprints(folder)
        same = frozenset(name for name, digest in current.items() if trusted.get(name) == digest)
        found.append(Shelf("project", folder, same))
    return tuple(found)


def built_in() -> Path:
    """Inside the package where it was installed, beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "prompts"
    return inside if inside.is_dir() else package.parent / "prompts"


def user(paths: Paths) -> Path:
    return paths.config / "prompts"


def project(paths: Paths) -> Path:
    return paths.project / "prompts"


def untrusted(paths: Paths) -> tuple[str, ...]:
    """Names of the project's files that are not trusted as they are now."""
    folder = project(paths)
    current = fingerprints(folder)
    trusted = _store(paths).get(_key(folder), {}) if current else {}
    return tuple(name for name, digest in current.items() if trusted.get(name) != digest)


def trust(paths: Paths, folder: Path) -> Trusted:
    """Trust a folder's files by path and content; returns what is trusted now."""
    found = fingerprints(folder)
    with locked(paths.require(paths.data)):
        _write(paths, {**_store(paths), _key(folder): found})
    return found


def distrust(paths: Paths, folder: Path) -> bool:
    """Take the trust back; False when there was none."""
    if _key(folder) not in _store(paths):
        return False
    with locked(paths.data):
        _write(paths, {key: value for key, value in _store(paths).items() if key != _key(folder)})
    return True


def fingerprints(folder: Path) -> Trusted:
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
        raise CannotRead(f"'{folder}': {(error.strerror or str(error)).lower()}") from None
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


def _store(paths: Paths) -> Mapping[str, Trusted]:
    path = _store_path(paths)
    try:
        data = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise CannotRead(f"'{path}': {(error.strerror or str(error)).lower()}") from None
    except (ValueError, RecursionError):
        raise _damaged(path) from None
    if not isinstance(data, dict) or not all(isinstance(value, dict) for value in data.values()):
        raise _damaged(path)
    return data


def _damaged(path: Path) -> CannotRead:
    return CannotRead(f"'{path}': damaged", hint="remove it and run 'gptkit prompts trust' again")


def _write(paths: Paths, store: Mapping[str, Trusted]) -> None:
    data = json.dumps(store, indent=1).encode()  # as ASCII: file names may hold bytes that are no text
    write_private(paths.require(_store_path(paths)), data)
