"""The values of the store: what is known before a request, how it ended, turns, sessions, summaries."""

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
    """The text as valid Unicode: a lone surrogate becomes U+FFFD."""
    return text if text.isascii() else re.sub("[\ud800-\udfff]", "\ufffd", text)
