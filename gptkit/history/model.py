"""The values of the store: what is known before a request, how it ended, turns, sessions, summaries."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from typing import Literal, NamedTuple

from gptkit.core.chat import Charge
from gptkit.core.errors import UsageFault
from gptkit.core.sanitize import one_line, visible

State = Literal["pending", "ok", "partial", "refused", "failed", "cancelled"]
STATES: tuple[State, ...] = ("pending", "ok", "partial", "refused", "failed", "cancelled")
SESSION_ID = re.compile("[0-9a-hjkmnp-tv-z]{8}")
OPENING_ID = re.compile("[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base32: no letter can be taken for a digit."""

Grouping = Literal["day", "model", "command", "session"]
"""By what charges are summed."""


class Opening(NamedTuple):
    """What is known of an exchange before its request.

    `id` is unique among all exchanges ever (`new_opening_id`). `session` is a session's id, None for an
    exchange that starts its own. `parent` is the turn that it follows. `request` holds the parameters
    and whatever else makes the request repeatable, without the messages of earlier turns. `started`
    is in Unix seconds.
    """

    id: str
    session: str | None
    parent: int | None
    prompt: str
    model: str
    system: str
    user: str
    request: Mapping[str, object]
    started: float


class Ending(NamedTuple):
    """How an exchange ended.

    `reason` is the API's finish reason, `cause` what went wrong, `code` the exit code, `first` the
    seconds before the first word. `notes` is what capabilities keep with a turn, as JSON has it.
    """

    state: State
    answer: str
    reason: str | None = None
    cause: str = ""
    code: int = 0
    model: str = ""
    request_id: str = ""
    attempts: int = 1
    first: float | None = None
    seconds: float = 0.0
    charges: tuple[Charge, ...] = ()
    notes: Mapping[str, object] = {}


class Turn(NamedTuple):
    """One exchange as it is stored; the tokens and the cost are sums over its charges.

    `cost` is None where a price is unknown; `estimated` says that not all tokens were counted by the
    server. `uid` is the id of the opening.
    """

    id: int
    uid: str
    parent: int | None
    session: str
    depth: int
    state: State
    prompt: str
    model: str
    reason: str | None
    cause: str
    code: int
    request_id: str
    attempts: int
    first: float | None
    started: float
    seconds: float
    prompt_tokens: int
    completion_tokens: int
    estimated: bool
    cost: float | None
    system: str
    user: str
    answer: str
    request: Mapping[str, object]
    notes: Mapping[str, object]


class Session(NamedTuple):
    """A conversation: `head` is its newest turn, `turns` how many lead to it; `name` may be empty."""

    id: str
    name: str
    prompt: str
    created: float
    updated: float
    head: int | None
    turns: int


class Summary(NamedTuple):
    """What stands for the turns up to and with `upto` when a request would be too long."""

    id: int
    upto: int
    text: str
    model: str
    created: float


def new_opening_id() -> str:
    return os.urandom(13).hex()


def new_session_id() -> str:
    number = int.from_bytes(os.urandom(5), "big")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(0, 40, 5))


def storable(text: str) -> str:
    """The text as valid Unicode: a lone surrogate becomes U+FFFD."""
    return text if text.isascii() else re.sub("[\ud800-\udfff]", "\ufffd", text)


LONGEST = 100
_SEPARATORS = "/\\\u2044\u2215\u2216\u29f5\u29f8\u29f9\ufe68\uff0f\uff3c"
"""Slashes and backslashes of every width: a name must not look like a path, nor become one by NFKC."""
_DEVICES = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:[ .:].*)?\Z", re.IGNORECASE
)


def session_name(text: str) -> str:
    """The name in the form in which it is stored (NFC); raises UsageFault."""
    name = unicodedata.normalize("NFC", text.strip())
    problem = _problem(name)
    if problem:
        raise UsageFault(f"'{one_line(text, LONGEST)}' cannot be the name of a session: {problem}")
    return name


def _problem(name: str) -> str:
    if not name:
        return "it is empty"
    if len(name) > LONGEST:
        return f"it has more than {LONGEST} characters"
    if name in (".", "..") or unicodedata.normalize("NFKC", name) in (".", ".."):
        return "it stands for a folder"
    if any(separator in name for separator in _SEPARATORS):
        return "it holds a path separator"
    if name.startswith("-"):
        return "it begins like an option"
    if visible(name) != name or "\n" in name or "\t" in name:
        return "it holds control or invisible characters"
    if _DEVICES.match(unicodedata.normalize("NFKC", name)):
        return "it is the name of a device"
    return ""
