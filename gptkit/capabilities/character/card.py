"""A character card as a value, whichever of the formats it came in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

Form = Literal["V1", "V2", "V3", "YAML"]
Position = Literal["before_char", "after_char"]
Kind = Literal["text", "integer", "number", "boolean", "choice"]
Scalar = str | int | float | bool


class Finding(NamedTuple):
    """One thing that is wrong with a card. A `grave` one makes it unusable, others are worth knowing."""

    field: str
    message: str
    grave: bool = True


Report = Callable[[Finding], None]


class Entry(NamedTuple):
    """One entry of a character book. `unknown` are fields of no specification."""

    keys: tuple[str, ...] = ()
    content: str = ""
    enabled: bool = True
    insertion_order: float = 0
    secondary_keys: tuple[str, ...] = ()
    selective: bool = False
    constant: bool = False
    case_sensitive: bool | None = None
    use_regex: bool = False
    priority: float | None = None
    position: Position | None = None
    name: str = ""
    comment: str = ""
    id: str | int | float | None = None
    extensions: Mapping[str, object] = {}
    unknown: Mapping[str, object] = {}


class Book(NamedTuple):
    """A character's own lorebook. `scan_depth` counts messages, `token_budget` tokens."""

    entries: tuple[Entry, ...] = ()
    name: str = ""
    description: str = ""
    scan_depth: int | None = None
    token_budget: int | None = None
    recursive_scanning: bool | None = None
    extensions: Mapping[str, object] = {}
    unknown: Mapping[str, object] = {}


class Asset(NamedTuple):
    """A picture, a sound or another file that a card names; a text client only keeps it."""

    type: str = ""
    uri: str = ""
    name: str = ""
    ext: str = ""
    unknown: Mapping[str, object] = {}


class Variable(NamedTuple):
    """A named value of the world, which a game and the model may change within its bounds."""

    name: str
    kind: Kind = "text"
    default: Scalar = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    help: str = ""


class Action(NamedTuple):
    """Something a character may do in a game."""

    name: str
    help: str = ""


class Card(NamedTuple):
    """Everything the specifications define for a text client, and what gptkit's own format adds.

    Texts are as the card has them: macros are expanded when they are used. `assets` is None for a
    card that says nothing of them. Dates are in Unix seconds.
    """

    name: str
    description: str = ""
    personality: str = ""
    scenario: str = ""
    greeting: str = ""
    alternate_greetings: tuple[str, ...] = ()
    examples: str = ""
    system: str = ""
    post_history: str = ""
    nickname: str = ""
    creator: str = ""
    creator_notes: str = ""
    creator_notes_multilingual: Mapping[str, str] = {}
    tags: tuple[str, ...] = ()
    version: str = ""
    source: tuple[str, ...] = ()
    group_greetings: tuple[str, ...] = ()
    created: float | None = None
    modified: float | None = None
    assets: tuple[Asset, ...] | None = None
    book: Book | None = None
    state: tuple[Variable, ...] = ()
    actions: tuple[Action, ...] = ()
    emotions: tuple[str, ...] = ()
    extensions: Mapping[str, object] = {}
    unknown: Mapping[str, object] = {}
    form: Form = "YAML"

    @property
    def called(self) -> str:
        """What `{{char}}` stands for."""
        return self.nickname or self.name

    @property
    def greetings(self) -> tuple[str, ...]:
        """The greeting and its alternates; their places are what `@@is_greeting` counts, from 0."""
        return (self.greeting, *self.alternate_greetings)

    @property
    def moods(self) -> tuple[str, ...]:
        """The emotions a game can show: those declared, else those with a picture."""
        pictured = (asset.name for asset in self.assets or () if asset.type == "emotion" and asset.name)
        return self.emotions or tuple(dict.fromkeys(pictured))


Convert = Callable[[object, str, Report], object]
NUMBER_CAP = 1e15
ENTRY_CAP = 20_000
ASSET_CAP = 20_000


class Field(NamedTuple):
    """`name` is that of the value and of gptkit's own format, `key` that of the specifications."""

    name: str
    key: str
    convert: Convert


def values(
    source: Mapping[str, object], fields: tuple[Field, ...], path: str, report: Report
) -> dict[str, Any]:
    """The fields that a JSON object has, by name; null is as good as absent. The rest is `unknown`."""
    found: dict[str, Any] = {}
    for field in fields:
        value = source.get(field.key)
        if value is not None and (converted := field.convert(value, path + field.key, report)) is not None:
            found[field.name] = converted
    keys = {field.key for field in fields}
    found["unknown"] = {key: value for key, value in source.items() if key not in keys}
    return found


def text(value: object, path: str, report: Report) -> str:
    """A text that the model reads: without it the card would not be what its author wrote."""
    return _text(value, path, report, grave=True)


def note(value: object, path: str, report: Report) -> str:
    """A text for people."""
    return _text(value, path, report, grave=False)


def texts(value: object, path: str, report: Report) -> tuple[str, ...]:
    if isinstance(value, str):
        report(Finding(path, "must be a list of texts, this is one text", grave=False))
        return (value,)
    if not isinstance(value, list):
        report(Finding(path, f"must be a list of texts, this is {_named(value)}"))
        return ()
    return tuple(_text(item, f"{path}[{index}]", report, grave=True) for index, item in enumerate(value))


def notes(value: object, path: str, report: Report) -> tuple[str, ...]:
    """A list of texts that no prompt has, such as tags."""
    return texts(value, path, lambda finding: report(finding._replace(grave=False)))


def keys(value: object, path: str, report: Report) -> tuple[str, ...]:
    """V3 describes secondary keys as one text with commas, and types keys as a list: both are met."""
    if isinstance(value, str):
        return tuple(key for part in value.split(",") if (key := part.strip()))
    return texts(value, path, report)


def number(value: object, path: str, report: Report) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) <= NUMBER_CAP:
            return value
        report(Finding(path, "too large a number", grave=False))
        return None
    try:
        written = float(value) if isinstance(value, str) else None
    except ValueError:
        written = None
    report(Finding(path, f"must be a number, this is {_named(value)}", grave=False))
    return written if written is not None and abs(written) <= NUMBER_CAP else None


def integer(value: object, path: str, report: Report) -> int | None:
    found = number(value, path, report)
    return None if found is None else int(found)


def boolean(value: object, path: str, report: Report) -> bool | None:
    if isinstance(value, bool):
        return value
    report(Finding(path, f"must be true or false, this is {_named(value)}", grave=False))
    return {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())


def mapping(value: object, path: str, report: Report) -> Mapping[str, object]:
    if isinstance(value, dict):
        return value
    if value != []:  # how PHP and Lua write an object without entries
        report(Finding(path, f"must be an object, this is {_named(value)}", grave=False))
    return {}


def languages(value: object, path: str, report: Report) -> Mapping[str, str]:
    found = mapping(value, path, report)
    return {language: note(words, f"{path}.{language}", report) for language, words in found.items()}


def identity(value: object, path: str, report: Report) -> str | int | float | None:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return value
    report(Finding(path, f"must be a number or text, this is {_named(value)}", grave=False))
    return None


def position(value: object, path: str, report: Report) -> str | None:
    if value in ("before_char", "after_char"):
        return str(value)
    if value != "":
        report(Finding(path, "must be before_char or after_char", grave=False))
    return None


def assets(value: object, path: str, report: Report) -> tuple[Asset, ...] | None:
    if not isinstance(value, list):
        report(Finding(path, f"must be a list, this is {_named(value)}", grave=False))
        return None
    if len(value) > ASSET_CAP:
        report(Finding(path, f"more than {ASSET_CAP} assets"))
        return None
    found = []
    for index, item in enumerate(value):
        if isinstance(item, dict):
            found.append(Asset(**values(item, ASSET, f"{path}[{index}].", report)))
        else:
            report(Finding(f"{path}[{index}]", f"must be an object, this is {_named(item)}", grave=False))
    return tuple(found)


def book(value: object, path: str, report: Report) -> Book | None:
    if not isinstance(value, dict):
        if value != []:
            report(Finding(path, f"must be an object, this is {_named(value)}"))
        return None
    return Book(**values(value, BOOK, f"{path}.", report))


def entries(value: object, path: str, report: Report) -> tuple[Entry, ...]:
    if not isinstance(value, list):
        report(Finding(path, f"must be a list, this is {_named(value)}"))
        return ()
    if len(value) > ENTRY_CAP:
        report(Finding(path, f"more than {ENTRY_CAP} entries"))
        return ()
    found = []
    for index, item in enumerate(value):
        if isinstance(item, dict):
            found.append(Entry(**values(item, ENTRY, f"{path}[{index}].", report)))
        else:
            report(Finding(f"{path}[{index}]", f"must be an object, this is {_named(item)}"))
    return tuple(found)


def _text(value: object, path: str, report: Report, grave: bool) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        report(Finding(path, "must be text, this is a number", grave=False))
        return str(value)
    if value is not None:
        report(Finding(path, f"must be text, this is {_named(value)}", grave))
    return ""


def _named(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    names = {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "something else")


def _same(names: str, convert: Convert) -> tuple[Field, ...]:
    return tuple(Field(name, name, convert) for name in names.split())


CARD = (
    *_same("name nickname description personality scenario", text),
    Field("greeting", "first_mes", text),
    Field("alternate_greetings", "alternate_greetings", texts),
    Field("group_greetings", "group_only_greetings", texts),
    Field("examples", "mes_example", text),
    Field("system", "system_prompt", text),
    Field("post_history", "post_history_instructions", text),
    *_same("creator creator_notes", note),
    Field("creator_notes_multilingual", "creator_notes_multilingual", languages),
    Field("tags", "tags", notes),
    Field("version", "character_version", note),
    Field("source", "source", notes),
    Field("created", "creation_date", number),
    Field("modified", "modification_date", number),
    Field("assets", "assets", assets),
    Field("book", "character_book", book),
    Field("extensions", "extensions", mapping),
)
BOOK = (
    *_same("name description", note),
    *_same("scan_depth token_budget", integer),
    *_same("recursive_scanning", boolean),
    *_same("entries", entries),
    *_same("extensions", mapping),
)
ENTRY = (
    *_same("keys secondary_keys", keys),
    *_same("content", text),
    *_same("enabled selective constant case_sensitive use_regex", boolean),
    *_same("insertion_order priority", number),
    *_same("position", position),
    *_same("name comment", note),
    *_same("id", identity),
    *_same("extensions", mapping),
)
ASSET = _same("type uri name ext", note)
