"""Changes the user's config.yaml: checked before, checked after, written whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptkit.core.errors import BadConfiguration, NoInput, UsageFault
from gptkit.settings import values
from gptkit.settings.source import Source, file_text, parsed
from gptkit.settings.table import SETTINGS, Setting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def setting_of(name: str) -> Setting:
    """The row of a setting, or of the map that an entry such as `headers.X-Title` belongs to."""
    found = SETTINGS.get(name)
    if found is None and "." in name:
        found = SETTINGS.get(name.partition(".")[0])
        if found is not None and found.kind != "map":
            found = None
    if found is None:
        from gptkit.core.yaml_tree import nearest

        raise UsageFault(f"there is no setting '{name}'", hint=nearest(name, tuple(SETTINGS)))
    return found


def store(path: Path, name: str, text: str, profile: str | None = None) -> None:
    """Set one value, in a profile if one is named; UsageFault if it cannot be that."""
    setting = setting_of(name)
    value = _value(setting, name, text)
    if profile is not None and name == "profile":
        raise UsageFault("a profile cannot name another")
    _known(path, profile)
    if name == "profile":
        _known(path, str(value))
    _change(path, [(_keys(name, profile), value)])


def forget(path: Path, name: str, profile: str | None = None) -> None:
    """Remove one value; NoInput if it is not in the file."""
    setting_of(name)
    source = _source(path)
    _known(path, profile)
    found = source.found if profile is None else source.profiles[profile]
    whole_map = f"{name}." if name in SETTINGS else None  # an entry's own name can have dots in it
    if not any(key == name or (whole_map and key.startswith(whole_map)) for key in found):
        raise NoInput(f"'{name}' is not set in '{path}'")
    _change(path, [(_keys(name, profile), _NOTHING)])


def store_profile(path: Path, name: str, settings: Mapping[str, str]) -> None:
    """Add a profile; UsageFault if the name is taken or cannot be one."""
    if not values.is_profile_name(name):
        raise UsageFault(f"'{name}' cannot name a profile", hint="use a to z, 0 to 9 and '-'")
    if name in _source(path).profiles:
        raise UsageFault(f"there is a profile '{name}' already", hint="'config set --profile' changes it")
    changes: list[tuple[Sequence[str], object]] = [
        (_keys(key, name), _value(setting_of(key), key, text)) for key, text in settings.items()
    ]
    _change(path, changes or [(("profiles", name), {})])


def forget_profile(path: Path, name: str) -> bool:
    """Remove a profile; True if it was the one in use by default, which then is none."""
    _known(path, name)
    used = _source(path).found.get("profile")
    in_use = used is not None and used.value == name
    changes: list[tuple[Sequence[str], object]] = [(("profiles", name), _NOTHING)]
    if in_use:
        changes.append((("profile",), _NOTHING))
    _change(path, changes)
    return in_use


_NOTHING = object()
"""In place of a value: take it away."""


def _change(path: Path, changes: Sequence[tuple[Sequence[str], object]]) -> None:
    from gptkit.core.files import locked, write_atomic
    from gptkit.settings import edit

    with locked(path.parent):
        text = file_text(path)
        before, after = text or "", text or ""
        wanted = _meaning(before, path)
        for keys, value in changes:
            if value is _NOTHING:
                after = edit.without(after, keys)
                _take_away(wanted, keys)
            else:
                after = edit.with_value(after, keys, value)
                _put(wanted, keys, value)
        if _meaning(after, path) != wanted:
            raise BadConfiguration(
                f"{path}: its layout cannot be changed line by line", hint="'gptkit config edit' opens it"
            )
        parsed(after, str(path))
        write_atomic(path, after.encode(), mode=0o600 if text is None else None)


def _source(path: Path) -> Source:
    text = file_text(path)
    return parsed(text, str(path)) if text else Source()


def _known(path: Path, profile: str | None) -> None:
    if profile is None:
        return
    profiles = _source(path).profiles
    if profile not in profiles:
        from gptkit.core.yaml_tree import nearest

        hint = nearest(profile, tuple(profiles))
        if not hint and values.is_profile_name(profile):
            hint = f"'gptkit profiles new {profile}' makes it"
        raise UsageFault(f"there is no profile '{profile}'", hint=hint)


def _value(setting: Setting, name: str, text: str) -> object:
    """What is written to the file: plain data that reads as the same value again."""
    try:
        if name != setting.name:
            value = values.entry(setting, name.partition(".")[2], _entry_text(setting, text))
        else:
            value = values.from_text(setting, text)
            values.refuse_unusable(setting, value)
    except ValueError as error:
        raise UsageFault(f"{name}: {error}") from None
    if isinstance(value, tuple):
        return list(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _entry_text(setting: Setting, text: str) -> object:
    from gptkit.core.yaml_tree import typed

    return typed(text) if setting.name in ("parameters", "prices") else text


def _keys(name: str, profile: str | None) -> tuple[str, ...]:
    head, dot, entry = name.partition(".")
    inside = (head, entry) if dot else (head,)
    return inside if profile is None else ("profiles", profile, *inside)


def _meaning(text: str, path: Path) -> dict[str, object]:
    from gptkit.settings.source import root_of

    return {name: node.data() for name, node in root_of(text, str(path)).items()}


def _put(data: dict[str, object], keys: Sequence[str], value: object) -> None:
    for key in keys[:-1]:
        inner = data.get(key)
        if not isinstance(inner, dict):
            inner = data[key] = {}
        data = inner
    data[keys[-1]] = value


def _take_away(data: dict[str, object], keys: Sequence[str]) -> None:
    """Remove a value and the mappings that it leaves empty."""
    inner = data.get(keys[0])
    if len(keys) > 1 and isinstance(inner, dict):
        _take_away(inner, keys[1:])
        if inner:
            return
    data.pop(keys[0], None)
