"""Reads config.yaml: each value with the line it came from; what is unknown or mistyped is refused."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

from gptkit.core.errors import BadConfiguration, NoPermission
from gptkit.settings import values
from gptkit.settings.table import SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

    from gptkit.core.yaml_tree import Node

SIZE_CAP = 1 << 20


class Found:
    """A value and where it came from, in words. Entries of a map stand alone: `headers.X-Title`."""

    __slots__ = ("origin", "value")

    def __init__(self, value: object, origin: str) -> None:
        self.value = value
        self.origin = origin


class Source:
    """One file of settings. `ignored` says what a project's file wanted and may not."""

    __slots__ = ("found", "ignored", "profiles")

    def __init__(
        self,
        found: Mapping[str, Found] | None = None,
        profiles: Mapping[str, Mapping[str, Found]] | None = None,
        ignored: tuple[str, ...] = (),
    ) -> None:
        self.found = found or {}
        self.profiles = profiles or {}
        self.ignored = ignored


def user_source(path: Path) -> Source:
    """The user's own file; raises BadConfiguration by file, line and key."""
    text = file_text(path)
    return Source() if text is None else parsed(text, str(path))


def project_source(path: Path) -> Source:
    """The file of a folder that anyone may have made: what is wrong in it is said and harms nothing."""
    try:
        text = file_text(path, guarded=False)
        root = root_of(text, str(path)) if text else None
    except BadConfiguration as error:
        return Source(ignored=(error.message,))
    found: dict[str, Found] = {}
    ignored: list[str] = []
    for name, node in root.items() if root else ():
        if name not in SETTINGS or not SETTINGS[name].project:
            ignored.append(f"{path}:{node.line}: {name}: a project may not set it")
            continue
        try:
            _take(found, name, node, str(path))
        except BadConfiguration as error:
            ignored.append(error.message)
    return Source(found, ignored=tuple(ignored))


def parsed(text: str, path: str) -> Source:
    """The settings in the text of a user's file."""
    found: dict[str, Found] = {}
    profiles: dict[str, dict[str, Found]] = {}
    for name, node in root_of(text, path).items():
        if name == "profiles":
            profiles = _profiles(node, path)
        else:
            _take(found, name, node, path)
    return Source(found, profiles)


def file_text(path: Path, guarded: bool = True) -> str | None:
    """What a settings file holds, None if there is none.

    The user's settings name programs that are run and hosts that get keys, so a file that other
    users of the machine can change is refused.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BadConfiguration(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise BadConfiguration(f"{path}: not a regular file")
        if guarded:
            _refuse_foreign(path, status)
        data = file.read(SIZE_CAP + 1)
    return _decoded(data, path)


def _refuse_foreign(path: Path, status: os.stat_result) -> None:
    if sys.platform == "win32":
        return
    if status.st_uid not in (0, os.geteuid()) and os.geteuid() != 0:
        raise NoPermission(f"{path}: belongs to another user")
    if status.st_mode & 0o002:
        raise NoPermission(f"{path}: every user can change it", hint=f"chmod o-w '{path}'")


def _decoded(data: bytes, path: Path) -> str:
    if len(data) > SIZE_CAP:
        raise BadConfiguration(f"{path}: larger than {SIZE_CAP >> 10} KiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    raise BadConfiguration(f"{path}:{line}: not UTF-8")


def root_of(text: str, path: str) -> Mapping[str, Node]:
    """The entries of a YAML mapping; raises BadConfiguration for anything else."""
    from gptkit.core.yaml_tree import BrokenPrompt, tree

    try:
        root = tree(text, path)
    except BrokenPrompt as error:
        message, hint = error.message, error.hint
    else:
        if root.kind == "nothing":
            return {}
        if isinstance(root.value, dict):
            return root.value
        message, hint = f"{path}:{root.line}: must be a mapping of settings to values", ""
    raise BadConfiguration(message, hint=hint)


def _profiles(node: Node, path: str) -> dict[str, dict[str, Found]]:
    if node.kind == "nothing":
        return {}
    if not isinstance(node.value, dict):
        _refuse(path, node, "profiles", "must be a mapping of names to settings")
    profiles = {}
    for name, each in node.value.items():
        key = f"profiles.{name}"
        if not values.is_profile_name(name):
            _refuse(path, each, key, "a profile's name is made of a to z, 0 to 9 and '-'")
        if each.kind == "nothing":
            profiles[name] = dict[str, Found]()
            continue
        if not isinstance(each.value, dict):
            _refuse(path, each, key, "must be a mapping of settings to values")
        found: dict[str, Found] = {}
        for setting, value in each.value.items():
            if setting in ("profile", "profiles"):
                _refuse(path, value, f"{key}.{setting}", "a profile cannot name another")
            _take(found, setting, value, path, name)
        profiles[name] = found
    return profiles


def _take(found: dict[str, Found], name: str, node: Node, path: str, profile: str = "") -> None:
    """Check one setting and put it, or each entry of it, where it belongs."""
    inside = f" (profile {profile})" if profile else ""
    setting = SETTINGS.get(name)
    if setting is None:
        from gptkit.core.yaml_tree import nearest

        hint = nearest(name, (*SETTINGS, "profiles"))
        raise BadConfiguration(f"{path}:{node.line}: {name}: unknown setting", hint=hint)
    parts = {name: node}
    if setting.kind == "map" and isinstance(node.value, dict):
        parts = {f"{name}.{key}": each for key, each in node.value.items()}
    for key, each in parts.items():
        try:
            value = values.from_node(setting, each, key)
            values.refuse_unusable(setting, value)
        except ValueError as error:
            _refuse(path, each, key, str(error))
        if value is not None or key != name:
            found[key] = Found(value, f"{path}:{each.line}{inside}")


def _refuse(path: str, node: Node, key: str, problem: str) -> NoReturn:
    raise BadConfiguration(f"{path}:{node.line}: {key}: {problem}")
