"""`--npc`: a character of a game, which sends one JSON object a line and gets one a line."""

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

if TYPE_CHECKING:
    from gptkit.capabilities.character.card import Action
    from gptkit.services import Services
    from gptkit.session.options import SharedOptions
    from gptkit.templates.template import Template, Value


Line = TypeVar("Line")
State = TypeVar("State")
WAITING = 1000
"""Lines that are read ahead of their answers."""


class SessionPool(Generic[Line, State]):
    """Workers that take the lines of sessions.

    `begin` makes what is kept of a session, `work` answers one of its lines. At most `most` sessions are
    kept: the one that was silent longest is forgotten for a new one, unless a line of it still waits.
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
        """A worker has ended; `finish` raises why."""
        return self._failure is not None

    def add(self, key: str, line: Line) -> None:
        """Have a line answered; waits while too many are waiting. Raises what ended a worker."""
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
        """Wait until every line is answered, and send the workers home. Raises what ended one of them."""
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
        idle = [name for name, one in self._sessions.items() if not one.is_busy and one is not session]
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
                self._work(session.held, line)
            except BaseException as error:  # told to the thread that reads, which ends the program
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
    def __init__(self, held: State) -> None:
        self.held = held
        self.lines: deque[Line] = deque()
        self.is_busy = False


MAX_SESSIONS = 50
"""Sessions that are remembered at once."""
WORKERS, MAX_WORKERS = 8, 64
ONE_EXCHANGE = (
    "file",
    "stdin",
    "output",
    "raw",
    "json",
    "response",
    "dry-run",
    "session",
    "continue",
)
"""Shared options that have no meaning for a process with many sessions."""


def serve(services: Services, template: Template, values: Mapping[str, Value], shared: SharedOptions) -> int:
    """Answer until the input ends; 0 if every line was answered well."""
    _refuse(values, shared)
    who = played_character(template, values, library_of(services, template).card)
    game = _NpcServer(services, NpcReplier(services, template, values, shared, _reply_form(who, values)))
    return game.run(_workers(values))


# fmt: off
ALLOWED_KEYWORDS = frozenset({
    "type", "title", "description", "default", "properties", "required", "additionalProperties", "items",
    "anyOf", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"
})
# fmt: on
"""Keywords that a stranger's schema may have: checking them takes no longer than reading the reply. A pattern
or schemas that name each other can take years."""


class _NpcServer:
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
        read = read_lines(self._terminal, lambda: self._key_error is not None or pool.is_broken)
        for number, line in enumerate(read, 1):
            if not line.strip():
                continue
            found = parse_event(number, line)
            if found.key:
                pool.add(found.key, found)
            else:
                self._write(found, self._failed(found, cast(DataError, found.fault)))
        pool.finish()
        if self._key_error is not None:
            self._terminal.report(self._key_error)
            return self._key_error.code
        return IncompleteError.code if self._has_failed else 0

    def _answer(self, held: NpcSession, asked: PlayerEvent) -> None:
        """A key that is no good stays no good: what waits is told so without another request."""
        try:
            if asked.fault is not None:
                raise asked.fault
            if self._key_error is not None:
                raise self._key_error
            value = self._replies.reply(held, asked)
        except GptkitError as error:
            if isinstance(error, NoPermissionError):
                self._key_error = self._key_error or error
            value = self._failed(asked, error)
        self._write(asked, value)

    def _failed(self, asked: PlayerEvent, error: GptkitError) -> Mapping[str, object]:
        self._has_failed = True
        message = self._terminal.redactor.redact(error.message)
        record = {**error.record(), "message": message, "line": asked.number}
        return {"error": record}

    def _write(self, asked: PlayerEvent, value: Mapping[str, object]) -> None:
        line = json.dumps({**value, "session": asked.session}, ensure_ascii=False)
        with self._writing:
            self._terminal.print_sanitized(line)


def _refuse(values: Mapping[str, Value], shared: SharedOptions) -> None:
    given = shared.first_given(ONE_EXCHANGE)
    if given:
        raise UsageError(f"--{given} and --npc do not go together")
    if values.get("text"):
        raise UsageError("with --npc the player's words come from standard input, one JSON object a line")
    if options_of(values).greeting:
        raise UsageError("--greeting and --npc do not go together: the game shows what comes first")


def _workers(values: Mapping[str, Value]) -> int:
    given = options_of(values).workers
    workers = WORKERS if given is None else given
    if not 1 <= workers <= MAX_WORKERS:
        raise UsageError(f"--workers: 1 to {MAX_WORKERS}")
    return workers


def _reply_form(who: PlayedCharacter, values: Mapping[str, Value]) -> npc.ReplyForm:
    card, options = who.card, options_of(values)
    schema = _load_schema(options.schema) if options.schema else _own_schema(who)
    actions = _parse_actions(options.actions) or (card.actions if card else ())
    return npc.reply_form(who.variables, actions, card.available_emotions if card else (), schema)


def _parse_actions(given: tuple[str, ...]) -> tuple[Action, ...]:
    from gptkit.capabilities.character.card import CardFinding
    from gptkit.capabilities.character.card_json import parse_actions

    words = [word.strip() for one in given for word in one.split(",")]
    findings: list[CardFinding] = []
    found = parse_actions([word for word in words if word], "--actions", findings.append)
    if findings:
        raise UsageError(f"--actions: {findings[0].message}")
    return found


def _own_schema(who: PlayedCharacter) -> Mapping[str, object] | None:
    own = who.card.extensions.get(OWN) if who.card else None
    schema = own.get("schema") if isinstance(own, Mapping) else None
    if schema is None:
        return None
    source = f"'{who.name}': extensions.{OWN}.schema"
    for strange in _forbidden_keywords(schema):
        hint = "a schema of your own, given with --schema, may have it"
        raise DataError(f"{source}: '{one_line(strange, 64)}' is not allowed in a card", hint=hint)
    return _check_schema(schema, source)


def _forbidden_keywords(schema: object) -> Iterator[str]:
    """Keywords of a schema, and of those within it, that are none of the plain ones."""
    if not isinstance(schema, Mapping):
        return
    yield from (str(key) for key in schema if key not in ALLOWED_KEYWORDS)
    named, choices = schema.get("properties"), schema.get("anyOf")
    within = [schema.get("items"), schema.get("additionalProperties")]
    within += named.values() if isinstance(named, Mapping) else ()
    within += choices if isinstance(choices, list | tuple) else ()
    for part in within:
        yield from _forbidden_keywords(part)


def _load_schema(path: str) -> Mapping[str, object]:
    """A file of JSON or YAML."""
    from gptkit.core.yaml_tree import parse_yaml
    from gptkit.session.input import content

    _, text = content(path)
    try:
        data: object = json.loads(text)
    except ValueError:
        data = parse_yaml(text, path).data()
    return _check_schema(data, f"'{path}'")


def _check_schema(schema: object, source: str) -> Mapping[str, object]:
    from gptkit.output.formats import check_schema

    if not isinstance(schema, dict):
        raise DataError(f"{source}: a JSON Schema is an object")
    if problem := check_schema(schema):
        raise DataError(f"{source}: {problem}")
    if schema.get("type") != "object":
        raise DataError(f"{source}: a reply is an object: type must be 'object'")
    return schema
