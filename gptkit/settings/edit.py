"""Changes the user's config.yaml: checked before, checked after, written whole or not at all."""

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
    """The row of a setting, or of the map that an entry such as `headers.X-Title` belongs to."""
    found = SETTINGS.get(name)
    if found is None and "." in name:
        found = SETTINGS.get(name.partition(".")[0])
        if found is not None and found.kind != "map":
            found = None
    if found is None:
        from gptkit.core.yaml_tree import spelling_hint

        raise UsageError(f"there is no setting '{name}'", hint=spelling_hint(name, tuple(SETTINGS)))
    return found


def set_value(path: Path, name: str, text: str, profile: str | None = None) -> None:
    """Set one value, in a profile if one is named; UsageError if it cannot be that."""
    setting = find_setting(name)
    value = _value(setting, name, text)
    if profile is not None and name == "profile":
        raise UsageError("a profile cannot name another")
    _known(path, profile)
    if name == "profile":
        _known(path, str(value))
    _change(path, [(_keys(name, profile), value)])


def remove_value(path: Path, name: str, profile: str | None = None) -> None:
    """Remove one value; NoInputError if it is not in the file."""
    find_setting(name)
    source = _source(path)
    _known(path, profile)
    found = source.found if profile is None else source.profiles[profile]
    whole_map = f"{name}." if name in SETTINGS else None  # an entry's own name can have dots in it
    if not any(key == name or (whole_map and key.startswith(whole_map)) for key in found):
        raise NoInputError(f"'{name}' is not set in '{path}'")
    _change(path, [(_keys(name, profile), _NOTHING)])


def add_profile(path: Path, name: str, settings: Mapping[str, str]) -> None:
    """Add a profile; UsageError if the name is taken or cannot be one."""
    if not schema.is_profile_name(name):
        raise UsageError(f"'{name}' cannot name a profile", hint="use a to z, 0 to 9 and '-'")
    if name in _source(path).profiles:
        raise UsageError(f"there is a profile '{name}' already", hint="'config set --profile' changes it")
    changes: list[tuple[Sequence[str], object]] = [
        (_keys(key, name), _value(find_setting(key), key, text)) for key, text in settings.items()
    ]
    _change(path, changes or [(("profiles", name), {})])


def remove_profile(path: Path, name: str) -> bool:
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
    from gptkit.core.files import folder_lock, write_atomic

    with folder_lock(path.parent):
        text = read_settings_text(path)
        before, after = text or "", text or ""
        wanted = _meaning(before, path)
        for keys, value in changes:
            if value is _NOTHING:
                after = remove_keys(after, keys)
                _take_away(wanted, keys)
            else:
                after = insert_value(after, keys, value)
                _put(wanted, keys, value)
        if _meaning(after, path) != wanted:
            raise ConfigurationError(
                f"{path}: its layout cannot be changed line by line", hint="'gptkit config edit' opens it"
            )
        parse_settings(after, str(path))
        write_atomic(path, after.encode(), mode=0o600 if text is None else None)


def _source(path: Path) -> SettingsFile:
    text = read_settings_text(path)
    return parse_settings(text, str(path)) if text else SettingsFile()


def _known(path: Path, profile: str | None) -> None:
    if profile is None:
        return
    profiles = _source(path).profiles
    if profile not in profiles:
        from gptkit.core.yaml_tree import spelling_hint

        hint = spelling_hint(profile, tuple(profiles))
        if not hint and schema.is_profile_name(profile):
            hint = f"'gptkit profiles new {profile}' makes it"
        raise UsageError(f"there is no profile '{profile}'", hint=hint)


def _value(setting: Setting, name: str, text: str) -> object:
    """What is written to the file: plain data that reads as the same value again."""
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


def _meaning(text: str, path: Path) -> dict[str, object]:
    from gptkit.settings.load import parse_mapping

    return {name: node.data() for name, node in parse_mapping(text, str(path)).items()}


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


_PLAIN = r"[^\W_][\w./@%+:~-]*( [\w./@%+:~-]+)*"


def insert_value(text: str, keys: Sequence[str], value: object) -> str:
    """The text with a value under a path of keys; what is missing on the way is added as blocks.

    The text is a mapping that `templates.tree` has accepted. An unusual layout can come out wrong:
    compare what it means before and after.
    """
    node, depth = _root(text), 0
    if node is None:
        return _joined(text, len(text), _block(keys, value, 0))
    while (pair := _pair(node, keys[depth])) is not None and depth < len(keys) - 1 and _is_mapping(pair[1]):
        node, depth = pair[1], depth + 1
    rest = keys[depth:]
    if pair is not None:
        return _replaced(text, node, pair, rest, value)
    if node.flow_style:
        return _added_in_flow(text, node, rest, value)
    indent = node.value[0][0].start_mark.column
    return _joined(text, _line_end(text, _content_end(text, node)), _block(rest, value, indent))


def remove_keys(text: str, keys: Sequence[str]) -> str:
    """The text without what stands under a path of keys, nor mappings that would be left empty."""
    node: yaml.Node | None = _root(text)
    trail = []
    for key in keys:
        pair = _pair(node, key) if _is_mapping(node) else None
        if pair is None or not _is_mapping(node):
            return text
        trail.append((node, pair))
        node = pair[1]
    while len(trail) > 1 and len(trail[-1][0].value) == 1:
        trail.pop()
    mapping, pair = trail[-1]
    return _removed_in_flow(text, mapping, pair) if mapping.flow_style else _removed_lines(text, pair)


def _root(text: str) -> yaml.MappingNode | None:
    import yaml

    root: yaml.Node | None = yaml.compose(text, Loader=yaml.CSafeLoader)
    return root if _is_mapping(root) else None


def _is_mapping(node: yaml.Node | None) -> TypeGuard[yaml.MappingNode]:
    import yaml

    return isinstance(node, yaml.MappingNode)


def _pair(mapping: yaml.MappingNode, key: str) -> Pair | None:
    return next((pair for pair in mapping.value if pair[0].value == key), None)


def _replaced(text: str, mapping: yaml.MappingNode, pair: Pair, keys: Sequence[str], value: object) -> str:
    """A new value after the key; a comment behind a value on one line stays."""
    key, old = pair
    if len(keys) > 1 and not mapping.flow_style:
        line_end = _line_end(text, _content_end(text, old, key))
        return _joined(text, line_end, _block(keys[1:], value, key.start_mark.column + 2))
    new = _flow(value) if len(keys) > 1 or mapping.flow_style else _inline(value)
    for name in reversed(keys[1:]):
        new = f"{{{json.dumps(name, ensure_ascii=False)}: {new}}}"
    start, end = _after_colon(text, key), _content_end(text, old, key)
    one_line = "\n" not in text[start:end] and end > start
    kept = text[start : old.start_mark.index] if one_line else " "
    return f"{text[:start]}{kept}{new}{text[end:]}"


def _added_in_flow(text: str, mapping: yaml.MappingNode, keys: Sequence[str], value: object) -> str:
    new = _flow(value)
    for name in reversed(keys):
        new = f"{{{_flow(name)}: {new}}}"
    new = new[1:-1]
    if not mapping.value:
        return f"{text[: mapping.start_mark.index]}{{{new}}}{text[mapping.end_mark.index :]}"
    end = _content_end(text, mapping.value[-1][1], mapping.value[-1][0])
    return f"{text[:end]}, {new}{text[end:]}"


def _removed_lines(text: str, pair: Pair) -> str:
    key, value = pair
    start = text.rfind("\n", 0, key.start_mark.index) + 1
    return text[:start] + text[_line_end(text, _content_end(text, value, key)) :]


def _removed_in_flow(text: str, mapping: yaml.MappingNode, pair: Pair) -> str:
    index = mapping.value.index(pair)
    if len(mapping.value) == 1:
        start, end = mapping.start_mark.index + 1, mapping.end_mark.index - 1
    elif index:
        start, end = (_content_end(text, one[1], one[0]) for one in mapping.value[index - 1 : index + 1])
    else:
        start, end = (one[0].start_mark.index for one in mapping.value[:2])
    return text[:start] + text[end:]


def _content_end(text: str, node: yaml.Node, key: yaml.Node | None = None) -> int:
    """Where a node's own text ends: the parser counts comments and empty lines behind a block to it."""
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


def _joined(text: str, index: int, block: str) -> str:
    """The text with lines put in, in the file's own kind of line ends."""
    line_end = "\r\n" if "\r\n" in text else "\n"
    before = text[:index]
    if before and not before.endswith("\n"):
        before += line_end
    return before + block.replace("\n", line_end) + text[index:]


def _block(keys: Sequence[str], value: object, indent: int) -> str:
    lines = [f"{' ' * (indent + 2 * depth)}{_inline(key)}:" for depth, key in enumerate(keys)]
    return "\n".join(lines) + f" {_inline(value)}\n"


def _inline(value: object) -> str:
    """A value on one line; text without quotes where YAML reads it back as the same text."""
    if isinstance(value, str) and re.fullmatch(_PLAIN, value) and not value.endswith(":"):
        from gptkit.core.yaml_tree import parse_value

        if parse_value(value) == value:
            return value
    return _flow(value)


def _flow(value: object) -> str:
    """JSON, which YAML reads; it has one more space of freedom, the line, that is not used here."""
    return json.dumps(value, ensure_ascii=False)
