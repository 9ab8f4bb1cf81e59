"""Run a character for a game (`--npc`): one JSON object a line in, one a line out, in many sessions."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from gptkit.capabilities.character import npc
from gptkit.capabilities.character.commands import library_of
from gptkit.capabilities.character.config import options_of
from gptkit.capabilities.character.context import OWN, PlayedCharacter, played_character
from gptkit.capabilities.character.npc import NpcReplier, NpcSession
from gptkit.capabilities.character.npc_events import PlayerEvent, parse_event, read_lines
from gptkit.core.errors import DataError, GptkitError, IncompleteError, NoPermissionError, UsageError
from gptkit.core.sanitize import one_line
from gptkit.session.answer_form import checked_schema, read_schema

if TYPE_CHECKING:
    from gptkit.capabilities.character.card import Action
    from gptkit.services import Services
    from gptkit.session.options import SharedOptions
    from gptkit.templates.template import Template, Value


Line = TypeVar("Line")
State = TypeVar("State")
WAITING = 1000
"""Lines that may wait for their answers."""


class SessionPool(Generic[Line, State]):
    """Threads that answer the lines of sessions, those of one session in their order.

    Args:
        begin: makes the state of a session from its key.
        work: answers one line of a session.
        workers: number of threads.
        most: sessions that are remembered; the one silent longest is forgotten, unless a line of it waits.
    """

    def __init__(
        self, begin: Callable[[str], State], work: Callable[[State, Line], None], workers: int, most: int
    ) -> None:
        self._begin = begin
        self._work = work
        self._most = most
        self._sessions: OrderedDict[str, _Session[Line, State]] = OrderedDict()
        self._ready: deque[_Session[Line, State]] = deque()
        self._waiting = 0
        self._changed = threading.Condition()
        self._failure: BaseException | None = None
        self._is_over = False
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    @property
    def is_broken(self) -> bool:
        """Whether a worker has failed; `finish` raises the error."""
        return self._failure is not None

    def add(self, key: str, line: Line) -> None:
        """Queue a line of a session; waits while the queue is full. Raises the error of a worker."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting < WAITING or self._failure is not None)
            self._check()
            session = self._session(key)
            session.lines.append(line)
            self._waiting += 1
            if not session.is_busy:
                session.is_busy = True
                self._ready.append(session)
                self._changed.notify_all()

    def finish(self) -> None:
        """Wait until every line is answered, and end the threads. Raises the error of a worker."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting or self._failure is not None)
            self._is_over = True
            self._changed.notify_all()
            self._check()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _session(self, key: str) -> _Session[Line, State]:
        session = self._sessions.pop(key, None) or _Session(self._begin(key))
        self._sessions[key] = session
        others = ((name, other) for name, other in self._sessions.items() if other is not session)
        idle = [name for name, other in others if not other.is_busy]
        for name in idle[: max(0, len(self._sessions) - self._most)]:
            del self._sessions[name]
        return session

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._ready) or self._is_over)
                if self._is_over:
                    return
                session = self._ready.popleft()
                line = session.lines.popleft()
            try:
                self._work(session.state, line)
            except BaseException as error:  # raised in the thread that reads, which ends the program
                with self._changed:
                    self._failure = self._failure or error
                    self._changed.notify_all()
                return
            with self._changed:
                self._waiting -= 1
                session.is_busy = bool(session.lines)
                if session.is_busy:
                    self._ready.append(session)
                self._changed.notify_all()


class _Session(Generic[Line, State]):
    def __init__(self, state: State) -> None:
        self.state = state
        self.lines: deque[Line] = deque()
        self.is_busy = False


MAX_SESSIONS = 50
"""Sessions that are remembered."""
WORKERS, MAX_WORKERS = 8, 64
ONE_EXCHANGE = (
    "file",
    "stdin",
    "output",
    "copy",
    "raw",
    "json",
    "response",
    "dry-run",
    "session",
    "continue",
)
"""Shared options that make no sense for a process with many sessions."""


def serve(services: Services, template: Template, values: Mapping[str, Value], shared: SharedOptions) -> int:
    """Answer lines until the input ends; returns 0 if no line failed."""
    _refuse(values, shared)
    character = played_character(template, values, library_of(services, template).card)
    game = _NpcServer(
        services, NpcReplier(services, template, values, shared, _reply_form(character, values, shared))
    )
    return game.run(_workers(values))


# fmt: off
ALLOWED_KEYWORDS = frozenset({
    "type", "title", "description", "default", "properties", "required", "additionalProperties", "items",
    "anyOf", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"
})
# fmt: on
"""Keywords that the schema of a card may have: checking them is fast, while patterns and references can take
years."""


class _NpcServer:
    """Reads lines, has them answered by threads, and writes the replies, one at a time."""

    def __init__(self, services: Services, replies: NpcReplier) -> None:
        self._terminal = services.terminal
        self._replies = replies
        self._writing = Lock()
        self._has_failed = False
        self._key_error: NoPermissionError | None = None

    def run(self, workers: int) -> int:
        pool: SessionPool[PlayerEvent, NpcSession] = SessionPool(
            NpcSession, self._answer, workers, MAX_SESSIONS
        )
        incoming = read_lines(self._terminal, lambda: self._key_error is not None or pool.is_broken)
        for number, line in enumerate(incoming, 1):
            if not line.strip():
                continue
            event = parse_event(number, line)
            if event.key:
                pool.add(event.key, event)
            else:
                self._write(event, self._error_record(event, cast(DataError, event.fault)))
        pool.finish()
        if self._key_error is not None:
            self._terminal.report(self._key_error)
            return self._key_error.code
        return IncompleteError.code if self._has_failed else 0

    def _answer(self, session: NpcSession, event: PlayerEvent) -> None:
        """Answer an event; once the API key was refused, all others fail without a request."""
        try:
            if event.fault is not None:
                raise event.fault
            if self._key_error is not None:
                raise self._key_error
            value = self._replies.reply(session, event)
        except GptkitError as error:
            if isinstance(error, NoPermissionError):
                self._key_error = self._key_error or error
            value = self._error_record(event, error)
        self._write(event, value)

    def _error_record(self, event: PlayerEvent, error: GptkitError) -> Mapping[str, object]:
        self._has_failed = True
        message = self._terminal.redactor.redact(error.message)
        record = {**error.record(), "message": message, "line": event.number}
        return {"error": record}

    def _write(self, event: PlayerEvent, value: Mapping[str, object]) -> None:
        line = json.dumps({**value, "session": event.session}, ensure_ascii=False)
        with self._writing:
            self._terminal.print_sanitized(line)


def _refuse(values: Mapping[str, Value], shared: SharedOptions) -> None:
    option = shared.first_given(ONE_EXCHANGE)
    if option:
        raise UsageError(f"--{option} and --npc do not go together")
    if values.get("text"):
        raise UsageError("with --npc the player's words come from standard input, one JSON object a line")
    if options_of(values).greeting:
        raise UsageError("--greeting and --npc do not go together: the game shows what comes first")


def _workers(values: Mapping[str, Value]) -> int:
    option = options_of(values).workers
    workers = WORKERS if option is None else option
    if not 1 <= workers <= MAX_WORKERS:
        raise UsageError(f"--workers: 1 to {MAX_WORKERS}")
    return workers


def _reply_form(
    character: PlayedCharacter, values: Mapping[str, Value], shared: SharedOptions
) -> npc.ReplyForm:
    card = character.card
    if shared.schema is None:
        schema = _own_schema(character)
    else:
        schema = _require_object(read_schema(shared.schema), f"'{shared.schema}'")
    actions = _parse_actions(options_of(values).actions) or (card.actions if card else ())
    return npc.reply_form(character.variables, actions, card.available_emotions if card else (), schema)


def _parse_actions(items: tuple[str, ...]) -> tuple[Action, ...]:
    from gptkit.capabilities.character.card import CardFinding
    from gptkit.capabilities.character.card_json import parse_actions

    words = [word.strip() for item in items for word in item.split(",")]
    findings: list[CardFinding] = []
    actions = parse_actions([word for word in words if word], "--actions", findings.append)
    if findings:
        raise UsageError(f"--actions: {findings[0].message}")
    return actions


def _own_schema(character: PlayedCharacter) -> Mapping[str, object] | None:
    own = character.card.extensions.get(OWN) if character.card else None
    schema = own.get("schema") if isinstance(own, Mapping) else None
    if schema is None:
        return None
    source = f"'{character.name}': extensions.{OWN}.schema"
    for keyword in _forbidden_keywords(schema):
        hint = "a schema of your own, given with --schema, may have it"
        raise DataError(f"{source}: '{one_line(keyword, 64)}' is not allowed in a card", hint=hint)
    return _require_object(checked_schema(schema, source), source)


def _forbidden_keywords(schema: object) -> Iterator[str]:
    """Yield the keywords of a schema, and of the schemas within it, that a card may not use."""
    if not isinstance(schema, Mapping):
        return
    yield from (str(key) for key in schema if key not in ALLOWED_KEYWORDS)
    named, choices = schema.get("properties"), schema.get("anyOf")
    within = [schema.get("items"), schema.get("additionalProperties")]
    within += named.values() if isinstance(named, Mapping) else ()
    within += choices if isinstance(choices, list | tuple) else ()
    for part in within:
        yield from _forbidden_keywords(part)


def _require_object(schema: Mapping[str, object], source: str) -> Mapping[str, object]:
    if schema.get("type") != "object":
        raise DataError(f"{source}: a reply is an object: type must be 'object'")
    return schema
