"""Change the user's config.yaml without touching its layout and comments."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeGuard

from gptkit.core.errors import ConfigurationError, NoInputError, UsageError
from gptkit.settings import schema
from gptkit.settings.load import SettingsFile, parse_settings, read_settings_text
from gptkit.settings.schema import SETTINGS, Setting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import yaml

    Pair = tuple[yaml.Node, yaml.Node]


def find_setting(name: str) -> Setting:
    """The setting of a name, or of an entry of a map such as `headers.X-Title`; raises UsageError."""
    setting = SETTINGS.get(name)
    if setting is None and "." in name:
        setting = SETTINGS.get(name.partition(".")[0])
        if setting is not None and setting.kind != "map":
            setting = None
    if setting is None:
        from gptkit.core.yaml_tree import spelling_hint

        raise UsageError(f"there is no setting '{name}'", hint=spelling_hint(name, tuple(SETTINGS)))
    return setting


def set_value(path: Path, name: str, text: str, profile: str | None = None) -> None:
    """Set a value, in a profile if one is named; raises UsageError for a wrong value or profile."""
    setting = find_setting(name)
    value = _value(setting, name, text)
    if profile is not None and name == "profile":
        raise UsageError("a profile cannot name another")
    _require_profile(path, profile)
    if name == "profile":
        _require_profile(path, str(value))
    _change(path, [(_keys(name, profile), value)])


def remove_value(path: Path, name: str, profile: str | None = None) -> None:
    """Remove a value, in a profile if one is named; raises NoInputError if it is not in the file."""
    find_setting(name)
    file = _read_file(path)
    _require_profile(path, profile)
    values = file.values if profile is None else file.profiles[profile]
    map_prefix = f"{name}." if name in SETTINGS else None  # the name of an entry may have dots in it
    if not any(key == name or (map_prefix and key.startswith(map_prefix)) for key in values):
        raise NoInputError(f"'{name}' is not set in '{path}'")
    _change(path, [(_keys(name, profile), _REMOVED)])


def add_profile(path: Path, name: str, settings: Mapping[str, str]) -> None:
    """Add a profile; raises UsageError if the name is taken or invalid, or a value is wrong."""
    if not schema.is_profile_name(name):
        raise UsageError(f"'{name}' cannot name a profile", hint="use a to z, 0 to 9 and '-'")
    if name in _read_file(path).profiles:
        raise UsageError(f"there is a profile '{name}' already", hint="'config set --profile' changes it")
    changes: list[tuple[Sequence[str], object]] = [
        (_keys(key, name), _value(find_setting(key), key, text)) for key, text in settings.items()
    ]
    _change(path, changes or [(("profiles", name), {})])


def remove_profile(path: Path, name: str) -> bool:
    """Remove a profile; True if it was the default profile, so that now no profile is."""
    _require_profile(path, name)
    default = _read_file(path).values.get("profile")
    is_default = default is not None and default.value == name
    changes: list[tuple[Sequence[str], object]] = [(("profiles", name), _REMOVED)]
    if is_default:
        changes.append((("profile",), _REMOVED))
    _change(path, changes)
    return is_default


_REMOVED = object()
"""Stands for the value of a key that is to be removed."""


def _change(path: Path, changes: Sequence[tuple[Sequence[str], object]]) -> None:
    """Change the values under paths of keys; raises ConfigurationError if the result is not as expected."""
    from gptkit.core.files import folder_lock, write_atomic

    with folder_lock(path.parent):
        text = read_settings_text(path)
        before, after = text or "", text or ""
        expected = _data(before, path)
        for keys, value in changes:
            if value is _REMOVED:
                after = remove_keys(after, keys)
                _remove(expected, keys)
            else:
                after = insert_value(after, keys, value)
                _put(expected, keys, value)
        if _data(after, path) != expected:
            raise ConfigurationError(
                f"{path}: its layout cannot be changed line by line", hint="'gptkit config edit' opens it"
            )
        parse_settings(after, str(path))
        write_atomic(path, after.encode(), mode=0o600 if text is None else None)


def _read_file(path: Path) -> SettingsFile:
    text = read_settings_text(path)
    return parse_settings(text, str(path)) if text else SettingsFile()


def _require_profile(path: Path, profile: str | None) -> None:
    if profile is None:
        return
    profiles = _read_file(path).profiles
    if profile not in profiles:
        from gptkit.core.yaml_tree import spelling_hint

        hint = spelling_hint(profile, tuple(profiles))
        if not hint and schema.is_profile_name(profile):
            hint = f"'gptkit profiles new {profile}' makes it"
        raise UsageError(f"there is no profile '{profile}'", hint=hint)


def _value(setting: Setting, name: str, text: str) -> object:
    """The checked value of a setting as plain data, which is parsed as the same value again."""
    try:
        if name != setting.name:
            value = schema.check_entry(setting, name.partition(".")[2], _entry_text(setting, text))
        else:
            value = schema.parse_text(setting, text)
            schema.refuse_unusable(setting, value)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None
    if isinstance(value, tuple):
        return list(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _entry_text(setting: Setting, text: str) -> object:
    from gptkit.core.yaml_tree import parse_value

    return parse_value(text) if setting.name in ("parameters", "prices") else text


def _keys(name: str, profile: str | None) -> tuple[str, ...]:
    head, dot, entry = name.partition(".")
    inside = (head, entry) if dot else (head,)
    return inside if profile is None else ("profiles", profile, *inside)


def _data(text: str, path: Path) -> dict[str, object]:
    """The settings in a text as plain data."""
    from gptkit.settings.load import parse_mapping

    return {name: node.data() for name, node in parse_mapping(text, str(path)).items()}


def _put(data: dict[str, object], keys: Sequence[str], value: object) -> None:
    """Set a value under a path of keys; missing mappings are added."""
    for key in keys[:-1]:
        inner = data.get(key)
        if not isinstance(inner, dict):
            inner = data[key] = {}
        data = inner
    data[keys[-1]] = value


def _remove(data: dict[str, object], keys: Sequence[str]) -> None:
    """Remove the value under a path of keys, and mappings that are then empty."""
    inner = data.get(keys[0])
    if len(keys) > 1 and isinstance(inner, dict):
        _remove(inner, keys[1:])
        if inner:
            return
    data.pop(keys[0], None)


_PLAIN = r"[^\W_][\w./@%+:~-]*( [\w./@%+:~-]+)*"
"""Texts that are written without quotes, if YAML reads them as the same text."""


def insert_value(text: str, keys: Sequence[str], value: object) -> str:
    """Set a value under a path of keys in YAML text; missing mappings are added as blocks.

    The text must be a mapping that `parse_yaml` accepts. The result can be wrong for an unusual layout:
    compare its data with what is expected.
    """
    node, depth = _root(text), 0
    if node is None:
        return _insert_lines(text, len(text), _block_lines(keys, value, 0))
    while (pair := _pair(node, keys[depth])) is not None and depth < len(keys) - 1 and _is_mapping(pair[1]):
        node, depth = pair[1], depth + 1
    rest = keys[depth:]
    if pair is not None:
        return _replace_value(text, node, pair, rest, value)
    if node.flow_style:
        return _add_to_flow(text, node, rest, value)
    indent = node.value[0][0].start_mark.column
    return _insert_lines(text, _line_end(text, _content_end(text, node)), _block_lines(rest, value, indent))


def remove_keys(text: str, keys: Sequence[str]) -> str:
    """Remove the value under a path of keys from YAML text, and mappings that are then empty."""
    node: yaml.Node | None = _root(text)
    parents = []
    for key in keys:
        pair = _pair(node, key) if _is_mapping(node) else None
        if pair is None or not _is_mapping(node):
            return text
        parents.append((node, pair))
        node = pair[1]
    while len(parents) > 1 and len(parents[-1][0].value) == 1:
        parents.pop()
    mapping, pair = parents[-1]
    return _remove_from_flow(text, mapping, pair) if mapping.flow_style else _remove_lines(text, pair)


def _root(text: str) -> yaml.MappingNode | None:
    import yaml

    root: yaml.Node | None = yaml.compose(text, Loader=yaml.CSafeLoader)
    return root if _is_mapping(root) else None


def _is_mapping(node: yaml.Node | None) -> TypeGuard[yaml.MappingNode]:
    import yaml

    return isinstance(node, yaml.MappingNode)


def _pair(mapping: yaml.MappingNode, key: str) -> Pair | None:
    return next((pair for pair in mapping.value if pair[0].value == key), None)


def _replace_value(
    text: str, mapping: yaml.MappingNode, pair: Pair, keys: Sequence[str], value: object
) -> str:
    """Replace the value of a key; a comment after a value on one line stays."""
    key, old = pair
    if len(keys) > 1 and not mapping.flow_style:
        line_end = _line_end(text, _content_end(text, old, key))
        return _insert_lines(text, line_end, _block_lines(keys[1:], value, key.start_mark.column + 2))
    new = _json_text(value) if len(keys) > 1 or mapping.flow_style else _scalar_text(value)
    for name in reversed(keys[1:]):
        new = f"{{{json.dumps(name, ensure_ascii=False)}: {new}}}"
    start, end = _after_colon(text, key), _content_end(text, old, key)
    one_line = "\n" not in text[start:end] and end > start
    space = text[start : old.start_mark.index] if one_line else " "
    return f"{text[:start]}{space}{new}{text[end:]}"


def _add_to_flow(text: str, mapping: yaml.MappingNode, keys: Sequence[str], value: object) -> str:
    new = _json_text(value)
    for name in reversed(keys):
        new = f"{{{_json_text(name)}: {new}}}"
    new = new[1:-1]
    if not mapping.value:
        return f"{text[: mapping.start_mark.index]}{{{new}}}{text[mapping.end_mark.index :]}"
    end = _content_end(text, mapping.value[-1][1], mapping.value[-1][0])
    return f"{text[:end]}, {new}{text[end:]}"


def _remove_lines(text: str, pair: Pair) -> str:
    key, value = pair
    start = text.rfind("\n", 0, key.start_mark.index) + 1
    return text[:start] + text[_line_end(text, _content_end(text, value, key)) :]


def _remove_from_flow(text: str, mapping: yaml.MappingNode, pair: Pair) -> str:
    index = mapping.value.index(pair)
    if len(mapping.value) == 1:
        start, end = mapping.start_mark.index + 1, mapping.end_mark.index - 1
    elif index:
        start, end = (_content_end(text, node, key) for key, node in mapping.value[index - 1 : index + 1])
    else:
        start, end = (key.start_mark.index for key, _ in mapping.value[:2])
    return text[:start] + text[end:]


def _content_end(text: str, node: yaml.Node, key: yaml.Node | None = None) -> int:
    """The end of a node's text without the comments and empty lines after it, which the parser includes."""
    import yaml

    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        return _content_end(text, node.value[-1][1], node.value[-1][0])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        return _content_end(text, node.value[-1])
    start, end = int(node.start_mark.index), int(node.end_mark.index)
    if end > start:
        return start + len(text[start:end].rstrip())
    return _after_colon(text, key) if key is not None else end


def _after_colon(text: str, key: yaml.Node) -> int:
    colon = text.find(":", key.end_mark.index)
    return colon + 1 if colon >= 0 else int(key.end_mark.index)


def _line_end(text: str, index: int) -> int:
    end = text.find("\n", index)
    return len(text) if end < 0 else end + 1


def _insert_lines(text: str, index: int, block: str) -> str:
    """Insert lines into a text, with the line ends of the text."""
    line_end = "\r\n" if "\r\n" in text else "\n"
    before = text[:index]
    if before and not before.endswith("\n"):
        before += line_end
    return before + block.replace("\n", line_end) + text[index:]


def _block_lines(keys: Sequence[str], value: object, indent: int) -> str:
    """The lines of a value under a path of keys, as nested blocks."""
    lines = [f"{' ' * (indent + 2 * depth)}{_scalar_text(key)}:" for depth, key in enumerate(keys)]
    return "\n".join(lines) + f" {_scalar_text(value)}\n"


def _scalar_text(value: object) -> str:
    """A value in YAML on one line; a text without quotes if YAML then reads the same text."""
    if isinstance(value, str) and re.fullmatch(_PLAIN, value) and not value.endswith(":"):
        from gptkit.core.yaml_tree import parse_value

        if parse_value(value) == value:
            return value
    return _json_text(value)


def _json_text(value: object) -> str:
    """A value in JSON on one line, which is valid YAML too."""
    return json.dumps(value, ensure_ascii=False)
