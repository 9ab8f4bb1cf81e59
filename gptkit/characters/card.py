"""A character card as a value, whichever of the formats it came in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

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
