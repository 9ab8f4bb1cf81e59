"""The values of the history: openings and endings of exchanges, turns, sessions, summaries."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from gptkit.core.chat import Charge

State = Literal["pending", "ok", "partial", "refused", "failed", "cancelled"]
STATES: tuple[State, ...] = ("pending", "ok", "partial", "refused", "failed", "cancelled")
SESSION_ID = re.compile("[0-9a-hjkmnp-tv-z]{8}")
OPENING_ID = re.compile("[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base32, whose letters do not look like digits."""

Grouping = Literal["day", "model", "command", "session"]
"""What charges are summed by."""


class Opening(NamedTuple):
    """What is known of an exchange before its request.

    `id` is unique in all stores (`new_opening_id`). `session` is the id of a session; None begins a new
    one. `parent` is the id of the previous turn. `request` holds the parameters and all else that is
    needed to repeat the request, without the messages of earlier turns. `started` is in Unix seconds.
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
    seconds before the first word. `notes` is what capabilities store with a turn, as JSON values.
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
    """A stored exchange; tokens and cost are sums over its charges.

    `cost` is None if a price is unknown; `estimated` is whether some tokens were not counted by the
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
    """A conversation: `head` is the id of its newest turn, `turns` the number of turns up to `head`.

    `name` may be empty; `created` and `updated` are in Unix seconds.
    """

    id: str
    name: str
    prompt: str
    created: float
    updated: float
    head: int | None
    turns: int


class Summary(NamedTuple):
    """The text that replaces all turns up to and including `last_turn` in a request."""

    id: int
    last_turn: int
    text: str
    model: str
    created: float


def new_opening_id() -> str:
    return os.urandom(13).hex()


def new_session_id() -> str:
    number = int.from_bytes(os.urandom(5), "big")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(0, 40, 5))


def replace_surrogates(text: str) -> str:
    """Replace lone surrogates by U+FFFD, so that the text can be stored."""
    return text if text.isascii() else re.sub("[\ud800-\udfff]", "\ufffd", text)
