"""V3 decorators: lines such as `@@depth 4` at the head of an entry's content."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from gptkit.core.chat import Role

POSITIONS = ("before_desc", "after_desc", "personality", "scenario")
PROMPTS = ("system_prompt", "post_history_instructions")
LINE_CAP = 200
_LINE = re.compile(r"(@@@?)([A-Za-z_]+)(?:[ \t]+(.*))?", re.DOTALL)


class Rules(NamedTuple):
    """What the decorators of an entry ask for. `strange` names those that were not understood."""

    activate: bool = False
    dont_activate: bool = False
    keep_after_match: bool = False
    not_after_match: bool = False
    only_after: int | None = None
    only_every: int | None = None
    depth: int | None = None
    role: Role = "system"
    scan_depth: int | None = None
    greeting: int | None = None
    place: str = ""
    first_to_go: bool = False
    additional: tuple[tuple[str, ...], ...] = ()
    excluded: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()


def read(content: str) -> tuple[Rules, str]:
    """The rules, and the content without them.

    A fallback (`@@@`) counts only when what it stands below was not understood. The first of several
    decorators of one name counts, except for those that may be repeated. What makes sense only
    where there is no chat (`@@instruct_depth`, and by the letter of V3 also `@@reverse_depth`), and
    what a text client does not have (`@@is_user_icon`), is not understood.
    """
    if not content.lstrip().startswith("@@"):
        return Rules(), content
    found: dict[str, object] = {}
    strange: list[str] = []
    lines = content.split("\n")
    understood, count = True, 0
    for count, line in enumerate(lines[: LINE_CAP + 1]):  # noqa: B007 - where the content begins
        match = _LINE.fullmatch(line.strip())
        if not match:
            if line.strip():
                break
            continue
        marks, name, value = match[1], match[2].lower(), (match[3] or "").strip()
        if marks == "@@@" and understood:
            continue
        understood = _understood(name, value, found)
        if not understood:
            strange.append(match[2])
    else:
        count += 1
    text = "\n".join(lines[count:]).strip("\r\n")
    return Rules(**found, strange=tuple(strange)), text  # type: ignore[arg-type]


def _understood(name: str, value: str, found: dict[str, object]) -> bool:
    """Puts a decorator's value with the others, unless one of its name is there."""
    if name not in _READERS:
        return False
    field, reader = _READERS[name]
    meaning = reader(value)
    if meaning is None:
        return False
    before = found.get(field)
    if field in _REPEATED:
        found[field] = (*(before if isinstance(before, tuple) else ()), *meaning)  # type: ignore[misc]
    elif field not in found:
        found[field] = meaning
    return True


def _whole(value: str) -> int | None:
    return int(value) if re.fullmatch(r"-?[0-9]{1,9}", value) else None


def _positive(value: str) -> int | None:
    number = _whole(value)
    return number if number is not None and number > 0 else None


def _flag(value: str) -> bool | None:
    return value.lower() != "false"


def _words(value: str) -> tuple[str, ...] | None:
    return tuple(word for part in value.split(",") if (word := part.strip())) or None


def _group(value: str) -> tuple[tuple[str, ...]] | None:
    words = _words(value)
    return (words,) if words else None


def _one_of(*allowed: str) -> Callable[[str], str | None]:
    return lambda value: value if value in allowed else None


def _prompt(value: str) -> tuple[str] | None:
    return (value,) if value in PROMPTS else None


_REPEATED = ("additional", "disabled")
_READERS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "activate": ("activate", _flag),
    "dont_activate": ("dont_activate", _flag),
    "keep_activate_after_match": ("keep_after_match", _flag),
    "dont_activate_after_match": ("not_after_match", _flag),
    "activate_only_after": ("only_after", _whole),
    "activate_only_every": ("only_every", _positive),
    "depth": ("depth", _whole),
    "role": ("role", _one_of("system", "user", "assistant")),
    "scan_depth": ("scan_depth", _whole),
    "is_greeting": ("greeting", _whole),
    "position": ("place", _one_of(*POSITIONS)),
    "ignore_on_max_context": ("first_to_go", _flag),
    "additional_keys": ("additional", _group),
    "exclude_keys": ("excluded", _words),
    "disable_ui_prompt": ("disabled", _prompt),
}
