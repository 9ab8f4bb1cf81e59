"""The value of a character card, and the table of its fields in the specifications V1 to V3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

Specification = Literal["V1", "V2", "V3", "YAML"]
Position = Literal["before_char", "after_char"]
Kind = Literal["text", "integer", "number", "boolean", "choice"]
Scalar = str | int | float | bool


class CardFinding(NamedTuple):
    """One problem of a card."""

    field: str
    message: str
    fatal: bool = True  # the card cannot be used; other findings are only worth knowing


Report = Callable[[CardFinding], None]


class BookEntry(NamedTuple):
    """An entry of a character book. `unknown` are fields of no specification."""

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

    entries: tuple[BookEntry, ...] = ()
    name: str = ""
    description: str = ""
    scan_depth: int | None = None
    token_budget: int | None = None
    recursive_scanning: bool | None = None
    extensions: Mapping[str, object] = {}
    unknown: Mapping[str, object] = {}


class Asset(NamedTuple):
    """A picture, a sound or another file that a card names, but a text client does not show."""

    type: str = ""
    uri: str = ""
    name: str = ""
    ext: str = ""
    unknown: Mapping[str, object] = {}


class Variable(NamedTuple):
    """A named value of the world, which the game and the model may change within its bounds."""

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
    """A character: all that the specifications define for a text client, and what gptkit's own format adds.

    Texts still have their macros. `assets` is None for a card without that field. Dates are in Unix seconds.
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
    specification: Specification = "YAML"

    @property
    def display_name(self) -> str:
        """The name that `{{char}}` stands for."""
        return self.nickname or self.name

    @property
    def greetings(self) -> tuple[str, ...]:
        """The greeting and its alternates; `@@is_greeting` counts them from 0."""
        return (self.greeting, *self.alternate_greetings)

    @property
    def available_emotions(self) -> tuple[str, ...]:
        """The emotions that a game can show: the declared ones, else those with a picture."""
        pictured = (asset.name for asset in self.assets or () if asset.type == "emotion" and asset.name)
        return self.emotions or tuple(dict.fromkeys(pictured))


Convert = Callable[[object, str, Report], object]
NUMBER_CAP = 1e15
ENTRY_CAP = 20_000
ASSET_CAP = 20_000


class CardField(NamedTuple):
    name: str  # of the value, and in gptkit's own format
    key: str  # in the specifications
    convert: Convert


def convert_fields(
    source: Mapping[str, object], fields: tuple[CardField, ...], path: str, report: Report
) -> dict[str, Any]:
    """Convert the fields of a JSON object that are not null; the keys of no field go into `unknown`."""
    result: dict[str, Any] = {}
    for field in fields:
        value = source.get(field.key)
        if value is not None and (converted := field.convert(value, path + field.key, report)) is not None:
            result[field.name] = converted
    keys = {field.key for field in fields}
    result["unknown"] = {key: value for key, value in source.items() if key not in keys}
    return result


def text(value: object, path: str, report: Report) -> str:
    """Convert a text that the model reads; a wrong one makes the card unusable."""
    return _text(value, path, report, fatal=True)


def note(value: object, path: str, report: Report) -> str:
    """Convert a text for people; a wrong one is only reported."""
    return _text(value, path, report, fatal=False)


def texts(value: object, path: str, report: Report) -> tuple[str, ...]:
    if isinstance(value, str):
        report(CardFinding(path, "must be a list of texts, this is one text", fatal=False))
        return (value,)
    if not isinstance(value, list):
        report(CardFinding(path, f"must be a list of texts, this is {_kind_name(value)}"))
        return ()
    return tuple(_text(item, f"{path}[{index}]", report, fatal=True) for index, item in enumerate(value))


def notes(value: object, path: str, report: Report) -> tuple[str, ...]:
    """Convert a list of texts for people, such as tags."""
    return texts(value, path, lambda finding: report(finding._replace(fatal=False)))


def keys(value: object, path: str, report: Report) -> tuple[str, ...]:
    """Convert keys: a list, or one text with commas, as V3 describes secondary keys."""
    if isinstance(value, str):
        return tuple(key for part in value.split(",") if (key := part.strip()))
    return texts(value, path, report)


def number(value: object, path: str, report: Report) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) <= NUMBER_CAP:
            return value
        report(CardFinding(path, "too large a number", fatal=False))
        return None
    try:
        parsed = float(value) if isinstance(value, str) else None
    except ValueError:
        parsed = None
    report(CardFinding(path, f"must be a number, this is {_kind_name(value)}", fatal=False))
    return parsed if parsed is not None and abs(parsed) <= NUMBER_CAP else None


def integer(value: object, path: str, report: Report) -> int | None:
    converted = number(value, path, report)
    return None if converted is None else int(converted)


def boolean(value: object, path: str, report: Report) -> bool | None:
    if isinstance(value, bool):
        return value
    report(CardFinding(path, f"must be true or false, this is {_kind_name(value)}", fatal=False))
    return {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())


def mapping(value: object, path: str, report: Report) -> Mapping[str, object]:
    if isinstance(value, dict):
        return value
    if value != []:  # how PHP and Lua write an object without entries
        report(CardFinding(path, f"must be an object, this is {_kind_name(value)}", fatal=False))
    return {}


def languages(value: object, path: str, report: Report) -> Mapping[str, str]:
    entries_by_language = mapping(value, path, report)
    return {
        language: note(words, f"{path}.{language}", report) for language, words in entries_by_language.items()
    }


def identifier(value: object, path: str, report: Report) -> str | int | float | None:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return value
    report(CardFinding(path, f"must be a number or text, this is {_kind_name(value)}", fatal=False))
    return None


def position(value: object, path: str, report: Report) -> str | None:
    if value in ("before_char", "after_char"):
        return str(value)
    if value != "":
        report(CardFinding(path, "must be before_char or after_char", fatal=False))
    return None


def assets(value: object, path: str, report: Report) -> tuple[Asset, ...] | None:
    if not isinstance(value, list):
        report(CardFinding(path, f"must be a list, this is {_kind_name(value)}", fatal=False))
        return None
    if len(value) > ASSET_CAP:
        report(CardFinding(path, f"more than {ASSET_CAP} assets"))
        return None
    result = []
    for index, item in enumerate(value):
        if isinstance(item, dict):
            result.append(Asset(**convert_fields(item, ASSET, f"{path}[{index}].", report)))
        else:
            report(
                CardFinding(f"{path}[{index}]", f"must be an object, this is {_kind_name(item)}", fatal=False)
            )
    return tuple(result)


def book(value: object, path: str, report: Report) -> Book | None:
    if not isinstance(value, dict):
        if value != []:
            report(CardFinding(path, f"must be an object, this is {_kind_name(value)}"))
        return None
    return Book(**convert_fields(value, BOOK, f"{path}.", report))


def entries(value: object, path: str, report: Report) -> tuple[BookEntry, ...]:
    if not isinstance(value, list):
        report(CardFinding(path, f"must be a list, this is {_kind_name(value)}"))
        return ()
    if len(value) > ENTRY_CAP:
        report(CardFinding(path, f"more than {ENTRY_CAP} entries"))
        return ()
    result = []
    for index, item in enumerate(value):
        if isinstance(item, dict):
            result.append(BookEntry(**convert_fields(item, ENTRY, f"{path}[{index}].", report)))
        else:
            report(CardFinding(f"{path}[{index}]", f"must be an object, this is {_kind_name(item)}"))
    return tuple(result)


def _text(value: object, path: str, report: Report, fatal: bool) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        report(CardFinding(path, "must be text, this is a number", fatal=False))
        return str(value)
    if value is not None:
        report(CardFinding(path, f"must be text, this is {_kind_name(value)}", fatal))
    return ""


def _kind_name(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    names = {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "something else")


def _same_names(names: str, convert: Convert) -> tuple[CardField, ...]:
    return tuple(CardField(name, name, convert) for name in names.split())


CARD = (
    *_same_names("name nickname description personality scenario", text),
    CardField("greeting", "first_mes", text),
    CardField("alternate_greetings", "alternate_greetings", texts),
    CardField("group_greetings", "group_only_greetings", texts),
    CardField("examples", "mes_example", text),
    CardField("system", "system_prompt", text),
    CardField("post_history", "post_history_instructions", text),
    *_same_names("creator creator_notes", note),
    CardField("creator_notes_multilingual", "creator_notes_multilingual", languages),
    CardField("tags", "tags", notes),
    CardField("version", "character_version", note),
    CardField("source", "source", notes),
    CardField("created", "creation_date", number),
    CardField("modified", "modification_date", number),
    CardField("assets", "assets", assets),
    CardField("book", "character_book", book),
    CardField("extensions", "extensions", mapping),
)
BOOK = (
    *_same_names("name description", note),
    *_same_names("scan_depth token_budget", integer),
    *_same_names("recursive_scanning", boolean),
    *_same_names("entries", entries),
    *_same_names("extensions", mapping),
)
ENTRY = (
    *_same_names("keys secondary_keys", keys),
    *_same_names("content", text),
    *_same_names("enabled selective constant case_sensitive use_regex", boolean),
    *_same_names("insertion_order priority", number),
    *_same_names("position", position),
    *_same_names("name comment", note),
    *_same_names("id", identifier),
    *_same_names("extensions", mapping),
)
ASSET = _same_names("type uri name ext", note)
