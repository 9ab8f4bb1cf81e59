"""Exports the history as JSON Lines, which can be imported again, or as Markdown for readers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from time import localtime, strftime
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.chat import Charge
from gptkit.core.errors import DataError, UsageError
from gptkit.history import query, schema
from gptkit.history.model import OPENING_ID, SESSION_ID, STATES, Session, Turn, replace_surrogates
from gptkit.history.names import NAME_LIMIT, session_name
from gptkit.history.schema import COLUMNS

if TYPE_CHECKING:
    import sqlite3

    from gptkit.history.store import Store


HEADER = {"gptkit": "history", "version": 1}
TURN_COLUMNS = tuple(name for name in COLUMNS if name not in ("depth", "place"))
"""Columns of a turn that are exported; the import computes the others."""
SESSION_COLUMNS = ("id", "name", "prompt", "created", "updated", "head")
SUMMARY_COLUMNS = ("uid", "upto", "text", "model", "created")
CHARGE_COLUMNS = ("origin", "number", "turn", "session", "prompt", *Charge._fields)
_BLOCK_SIZE = 200
_TURNS_SQL = (
    f"SELECT {', '.join(f'turns.{name}' for name in TURN_COLUMNS)}, older.uid,"  # noqa: S608
    " system, user, answer, request, notes"
    " FROM chosen JOIN turns ON turns.id = chosen.id JOIN texts ON texts.turn = turns.id"
    " LEFT JOIN turns AS older ON older.id = turns.parent ORDER BY turns.id"
)
_SUMMARIES_SQL = (
    "SELECT summaries.uid, turns.uid, text, summaries.model, created FROM chosen"
    " JOIN summaries ON summaries.upto = chosen.id JOIN turns ON turns.id = chosen.id ORDER BY summaries.id"
)
_CHARGES_SQL = (
    f"SELECT {', '.join(f'charges.{name}' for name in CHARGE_COLUMNS)}, turns.uid FROM charges"  # noqa: S608
    " LEFT JOIN turns ON turns.id = charges.turn"
    " WHERE charges.turn IN (SELECT id FROM chosen) OR charges.turn IS NULL AND ?1 ORDER BY charges.id"
)
_CHOOSE_SQL = """
    INSERT OR IGNORE INTO chosen WITH RECURSIVE line (id) AS (
        SELECT head FROM sessions WHERE id = ?1 AND head IS NOT NULL
        UNION SELECT id FROM turns WHERE session = ?1
        UNION SELECT turns.parent FROM line JOIN turns ON turns.id = line.id WHERE turns.parent IS NOT NULL)
    SELECT id FROM line
"""


def export_jsonl(store: Store, sessions: Sequence[Session] = ()) -> Iterator[bytes]:
    """Yield the lines of an export of the whole store, or of some sessions with all turns up to their heads.

    The lines show the store at one moment.
    """
    with store.snapshot() as connection:
        _choose_turns(connection, sessions)
        yield _encode_line(HEADER)
        session_ids = {session.id for session in sessions}
        heads = "SELECT s.id, s.name, s.prompt, s.created, s.updated, t.uid FROM sessions s"
        for row in connection.execute(f"{heads} LEFT JOIN turns t ON t.id = s.head ORDER BY s.created, s.id"):
            if not session_ids or row[0] in session_ids:
                yield _encode_line({"session": dict(zip(SESSION_COLUMNS, row, strict=True))})
        for row in connection.execute(_TURNS_SQL):
            yield _encode_line({"turn": _turn_record(row, session_ids)})
        for row in connection.execute(_SUMMARIES_SQL):
            yield _encode_line({"summary": dict(zip(SUMMARY_COLUMNS, row, strict=True))})
        for row in connection.execute(_CHARGES_SQL, (not session_ids,)):
            charge = dict(zip(CHARGE_COLUMNS, row, strict=False))
            yield _encode_line({"charge": charge | {"turn": row[-1], "estimated": bool(charge["estimated"])}})


def export_markdown(store: Store, sessions: Iterable[Session]) -> Iterator[bytes]:
    """Yield each session as Markdown, oldest turn first."""
    for number, session in enumerate(sessions):
        title = " ".join((session.name or session.id).split())
        yield (("\n" if number else "") + f"# {title}\n").encode()
        for turn in turns_oldest_first(store, session.head):
            yield ("\n" + "".join(turn_markdown(turn))).encode()


def turn_markdown(turn: Turn) -> tuple[str, str, str, str, str]:
    """Format a turn as Markdown: heading and message of the user, heading and answer of the model, state."""
    when = strftime("%Y-%m-%d %H:%M", localtime(turn.started))
    state = f"\n*{turn.state}{': ' + turn.cause if turn.cause else ''}*\n"
    attached = turn.request.get("attachments")
    records = [one for one in (attached if isinstance(attached, list) else []) if isinstance(one, dict)]
    names = [f"[{one.get('name')}]" for one in records]
    answer, user = turn.answer.rstrip(), "\n\n".join(filter(None, [turn.user.rstrip(), *names]))
    return (
        f"## User, {when}\n" if user else "",  # a greeting has no message of the user
        f"\n{user}\n\n" if user else "",
        f"## Assistant, {turn.model}\n",
        f"\n{answer}\n" if answer else "",
        "" if turn.state == "ok" else state,
    )


def turns_oldest_first(store: Store, head: int | None) -> Iterator[Turn]:
    """Yield the turns up to `head`, oldest first; only their ids are all in memory."""
    if head is None:
        return
    with store.reading() as connection:
        ids = query.chain_ids(connection, head)
    for start in range(0, len(ids), _BLOCK_SIZE):
        with store.reading() as connection:
            block = query.turns(connection, ids[start : start + _BLOCK_SIZE])
        yield from block


def _choose_turns(connection: sqlite3.Connection, sessions: Sequence[Session]) -> None:
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS chosen (id INTEGER PRIMARY KEY)")
    connection.execute("DELETE FROM chosen")
    for session in sessions:
        connection.execute(_CHOOSE_SQL, (session.id,))
    if not sessions:
        connection.execute("INSERT INTO chosen SELECT id FROM turns")


def _turn_record(row: Sequence[object], session_ids: set[str]) -> dict[str, object]:
    """Make the record of a turn; a turn of a session that is not exported goes to one that is."""
    record = dict(zip(TURN_COLUMNS, row, strict=False))
    uid, system, user, answer, request, notes = row[len(TURN_COLUMNS) :]
    if session_ids and record["session"] not in session_ids:
        record["session"] = min(session_ids)
    texts = {"system": system, "user": user, "answer": answer}
    values = {"request": json.loads(str(request)), "notes": json.loads(str(notes))}
    return record | {"parent": uid, "estimated": bool(record["estimated"])} | texts | values


def _encode_line(record: object) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


_FIELDS: dict[str, dict[str, str]] = {
    "session": {"id": "session", "name": "name", "prompt": "text", "created": "number", "updated": "number"}
    | {"head": "uid?"},
    "turn": {"uid": "uid", "parent": "uid?", "session": "session", "state": "state", "prompt": "text"}
    | {"model": "text", "reason": "text?", "cause": "text", "code": "count", "request_id": "text"}
    | {"attempts": "count", "first": "number?", "started": "number", "seconds": "number"}
    | {"prompt_tokens": "count", "completion_tokens": "count", "estimated": "flag", "cost": "number?"}
    | {"system": "text", "user": "text", "answer": "text", "request": "object", "notes": "object"},
    "summary": {"uid": "uid", "upto": "uid", "text": "text", "model": "text", "created": "number"},
    "charge": {"origin": "uid", "number": "count", "turn": "uid?", "session": "session", "prompt": "text"}
    | {"model": "text", "purpose": "text", "host": "text", "prompt_tokens": "count"}
    | {"completion_tokens": "count", "estimated": "flag", "cost": "number?", "started": "number"}
    | {"seconds": "number"},
}
_TIME_LIMIT = 253402300800.0
"""Seconds up to the year 10000; a larger number is no valid time or duration."""
_INSERT_CHARGE = (
    f"INSERT OR IGNORE INTO charges ({', '.join(CHARGE_COLUMNS)})"  # noqa: S608
    f" VALUES ({', '.join('?' * len(CHARGE_COLUMNS))})"
)


class ImportResult(NamedTuple):
    """Numbers of new sessions, of new turns, and of turns that the store had already."""

    sessions: int
    turns: int
    known: int


def import_jsonl(store: Store, lines: Iterable[bytes]) -> ImportResult:
    """Import the lines of an export. Raises DataError, which names the line; nothing is stored then."""
    with store.writing() as connection:
        importer = _Importer(connection)
        number = 0
        for number, line in enumerate(lines, 1):
            try:
                importer.read_line(line, number)
            except (DataError, UsageError) as error:
                raise DataError(f"line {number}: {error.message}") from None
        if not number:
            raise DataError("it is empty; an export begins with a line that says what it is")
        return importer.finish()


class _Importer:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._heads: dict[str, tuple[int, str | None]] = {}
        self._counts = {"session": 0, "turn": 0, "known": 0}

    def read_line(self, line: bytes, number: int) -> None:
        try:
            record = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError):
            raise DataError("not a JSON object in UTF-8") from None
        if number == 1:
            if record != HEADER:
                raise DataError("not the first line of an export that this gptkit knows")
            return
        if not isinstance(record, dict) or len(record) != 1 or next(iter(record)) not in _FIELDS:
            raise DataError(f"must be an object with one of {', '.join(_FIELDS)}")
        ((kind, value),) = record.items()
        read_record = {
            "session": self._read_session,
            "turn": self._read_turn,
            "summary": self._read_summary,
            "charge": self._read_charge,
        }[kind]
        read_record(_check_fields(kind, value), number)

    def finish(self) -> ImportResult:
        """Set the heads of the sessions, whose turns came later, and return the result."""
        for session, (number, uid) in self._heads.items():
            head = self._turn_id(uid)
            if uid is not None and head is None:
                raise DataError(f"line {number}: head: there is no turn '{uid}'")
            self._connection.execute("UPDATE sessions SET head = ? WHERE id = ?", (head, session))
        return ImportResult(self._counts["session"], self._counts["turn"], self._counts["known"])

    def _read_session(self, record: dict[str, object], number: int) -> None:
        session, updated = str(record["id"]), float(str(record["updated"]))
        head = None if record["head"] is None else str(record["head"])
        row = self._connection.execute("SELECT updated FROM sessions WHERE id = ?", (session,)).fetchone()
        if row is None:
            values = (
                session,
                self._free_name(str(record["name"])),
                *(record[name] for name in ("prompt", "created")),
            )
            self._connection.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, NULL)", (*values, updated))
            self._counts["session"] += 1
        if row is None or row[0] < updated:
            self._heads[session] = (number, head)
            self._connection.execute("UPDATE sessions SET updated = ? WHERE id = ?", (updated, session))

    def _read_turn(self, record: dict[str, object], _: int) -> None:
        if self._turn_id(record["uid"]) is not None:
            self._counts["known"] += 1
            return
        session = self._connection.execute(
            "SELECT 1 FROM sessions WHERE id = ?", (record["session"],)
        ).fetchone()
        if not session:
            raise DataError(f"session: there is no session '{record['session']}' before this line")
        texts = {name: schema.json_text(record[name]) for name in ("request", "notes")}
        schema.insert_turn(
            self._connection, record | texts | {"parent": self._require_turn_id("parent", record["parent"])}
        )
        self._counts["turn"] += 1

    def _read_summary(self, record: dict[str, object], _: int) -> None:
        upto = self._require_turn_id("upto", record["upto"])
        self._connection.execute(
            "INSERT OR IGNORE INTO summaries (uid, upto, text, model, created) VALUES (?, ?, ?, ?, ?)",
            (record["uid"], upto, record["text"], record["model"], record["created"]),
        )

    def _read_charge(self, record: dict[str, object], _: int) -> None:
        values = record | {"turn": self._require_turn_id("turn", record["turn"])}
        self._connection.execute(_INSERT_CHARGE, [values[name] for name in CHARGE_COLUMNS])

    def _require_turn_id(self, key: str, uid: object) -> int | None:
        turn_id = self._turn_id(uid)
        if uid is not None and turn_id is None:
            raise DataError(f"{key}: there is no turn '{uid}' before this line")
        return turn_id

    def _turn_id(self, uid: object) -> int | None:
        row = self._connection.execute("SELECT id FROM turns WHERE uid = ?", (uid,)).fetchone()
        return int(row[0]) if row else None

    def _free_name(self, name: str) -> str:
        """Return a name, with a number if another session has the name."""
        candidate, number = name, 1
        while candidate and query.session_by_name(self._connection, candidate):
            number += 1
            candidate = f"{name[: NAME_LIMIT - 8]} {number}"
        return candidate


def _check_fields(kind: str, value: object) -> dict[str, object]:
    fields = _FIELDS[kind]
    if not isinstance(value, dict):
        raise DataError(f"{kind}: must be an object")
    for key in fields:
        if key not in value:
            raise DataError(f"{kind}: '{key}' is missing")
    for key in value:
        if key not in fields:
            raise DataError(f"{kind}: '{replace_surrogates(key)[:40]}' is not one of {', '.join(fields)}")
    for key, type_name in fields.items():
        if not _has_type(value[key], type_name):
            raise DataError(f"{kind}: {key}: must be {_TYPE_NAMES[type_name.rstrip('?')]}")
    return {key: replace_surrogates(part) if isinstance(part, str) else part for key, part in value.items()}


_TYPE_NAMES = {
    "text": "a text",
    "name": "a session's name, or empty",
    "session": "a session's id",
    "uid": "a turn's uid",
    "state": f"one of {', '.join(STATES)}",
    "number": "a number",
    "count": "a whole number",
    "flag": "true or false",
    "object": "an object",
}


def _has_type(value: object, type_name: str) -> bool:
    if value is None:
        return type_name.endswith("?")
    match type_name.rstrip("?"):
        case "flag":
            return isinstance(value, bool)
        case "count":
            return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 62
        case "number":
            # infinity and NaN do not compare as less
            return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _TIME_LIMIT
        case "object":
            return isinstance(value, Mapping)
    return isinstance(value, str) and _is_valid_text(value, type_name.rstrip("?"))


def _is_valid_text(value: str, type_name: str) -> bool:
    if type_name == "session":
        return SESSION_ID.fullmatch(value) is not None
    if type_name == "uid":
        return OPENING_ID.fullmatch(value) is not None
    if type_name == "state":
        return value in STATES
    return type_name == "text" or not value or session_name(value) == value
