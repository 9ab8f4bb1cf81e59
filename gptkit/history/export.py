"""Takes the store out as JSON Lines that lose nothing, or as Markdown to read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from time import localtime, strftime
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.chat import Charge
from gptkit.core.errors import DataError, UsageError
from gptkit.history import query, schema
from gptkit.history.model import OPENING_ID, SESSION_ID, STATES, Session, Turn, replace_surrogates
from gptkit.history.names import LONGEST, session_name
from gptkit.history.schema import COLUMNS

if TYPE_CHECKING:
    import sqlite3

    from gptkit.history.store import Store


HEADER = {"gptkit": "history", "version": 1}
TURN = tuple(name for name in COLUMNS if name not in ("depth", "place"))
"""Columns of a turn that are taken out; what is left out follows from the rest."""
SESSION = ("id", "name", "prompt", "created", "updated", "head")
SUMMARY = ("uid", "upto", "text", "model", "created")
LEDGER = ("origin", "number", "turn", "session", "prompt", *Charge._fields)
_BLOCK = 200
_TURNS = (
    f"SELECT {', '.join(f'turns.{name}' for name in TURN)}, older.uid, system, user, answer, request, notes"  # noqa: S608
    " FROM chosen JOIN turns ON turns.id = chosen.id JOIN texts ON texts.turn = turns.id"
    " LEFT JOIN turns AS older ON older.id = turns.parent ORDER BY turns.id"
)
_SUMMARIES = (
    "SELECT summaries.uid, turns.uid, text, summaries.model, created FROM chosen"
    " JOIN summaries ON summaries.upto = chosen.id JOIN turns ON turns.id = chosen.id ORDER BY summaries.id"
)
_CHARGES = (
    f"SELECT {', '.join(f'charges.{name}' for name in LEDGER)}, turns.uid FROM charges"  # noqa: S608
    " LEFT JOIN turns ON turns.id = charges.turn"
    " WHERE charges.turn IN (SELECT id FROM chosen) OR charges.turn IS NULL AND ?1 ORDER BY charges.id"
)
_LINES = """
    INSERT OR IGNORE INTO chosen WITH RECURSIVE line (id) AS (
        SELECT head FROM sessions WHERE id = ?1 AND head IS NOT NULL
        UNION SELECT id FROM turns WHERE session = ?1
        UNION SELECT turns.parent FROM line JOIN turns ON turns.id = line.id WHERE turns.parent IS NOT NULL)
    SELECT id FROM line
"""


def export_jsonl(store: Store, sessions: Sequence[Session] = ()) -> Iterator[bytes]:
    """All of the store, or some sessions with all the turns that lead to theirs; one moment of it."""
    with store.snapshot() as connection:
        _choose(connection, sessions)
        yield _line(HEADER)
        named = {each.id for each in sessions}
        heads = "SELECT s.id, s.name, s.prompt, s.created, s.updated, t.uid FROM sessions s"
        for row in connection.execute(f"{heads} LEFT JOIN turns t ON t.id = s.head ORDER BY s.created, s.id"):
            if not named or row[0] in named:
                yield _line({"session": dict(zip(SESSION, row, strict=True))})
        for row in connection.execute(_TURNS):
            yield _line({"turn": _turn(row, named)})
        for row in connection.execute(_SUMMARIES):
            yield _line({"summary": dict(zip(SUMMARY, row, strict=True))})
        for row in connection.execute(_CHARGES, (not named,)):
            charge = dict(zip(LEDGER, row, strict=False))
            yield _line({"charge": charge | {"turn": row[-1], "estimated": bool(charge["estimated"])}})


def export_markdown(store: Store, sessions: Iterable[Session]) -> Iterator[bytes]:
    """Each session as it stands, oldest turn first."""
    for number, session in enumerate(sessions):
        title = " ".join((session.name or session.id).split())
        yield (("\n" if number else "") + f"# {title}\n").encode()
        for turn in turns_oldest_first(store, session.head):
            yield ("\n" + "".join(turn_markdown(turn))).encode()


def turn_markdown(turn: Turn) -> tuple[str, str, str, str, str]:
    """A turn as Markdown: heading and words of the user, heading and words of the model, how it ended."""
    when = strftime("%Y-%m-%d %H:%M", localtime(turn.started))
    state = f"\n*{turn.state}{': ' + turn.cause if turn.cause else ''}*\n"
    answer, user = turn.answer.rstrip(), turn.user.rstrip()
    return (
        f"## User, {when}\n" if user else "",  # a greeting answers nobody
        f"\n{user}\n\n" if user else "",
        f"## Assistant, {turn.model}\n",
        f"\n{answer}\n" if answer else "",
        "" if turn.state == "ok" else state,
    )


def turns_oldest_first(store: Store, head: int | None) -> Iterator[Turn]:
    """The turns that lead to one, oldest first; only their numbers are held."""
    if head is None:
        return
    with store.reading() as connection:
        ids = query.chain_ids(connection, head)
    for start in range(0, len(ids), _BLOCK):
        with store.reading() as connection:
            block = query.turns(connection, ids[start : start + _BLOCK])
        yield from block


def _choose(connection: sqlite3.Connection, sessions: Sequence[Session]) -> None:
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS chosen (id INTEGER PRIMARY KEY)")
    connection.execute("DELETE FROM chosen")
    for each in sessions:
        connection.execute(_LINES, (each.id,))
    if not sessions:
        connection.execute("INSERT INTO chosen SELECT id FROM turns")


def _turn(row: Sequence[object], named: set[str]) -> dict[str, object]:
    """Turns that a session shares with one that is not taken out become its own."""
    record = dict(zip(TURN, row, strict=False))
    uid, system, user, answer, request, notes = row[len(TURN) :]
    if named and record["session"] not in named:
        record["session"] = min(named)
    texts = {"system": system, "user": user, "answer": answer}
    values = {"request": json.loads(str(request)), "notes": json.loads(str(notes))}
    return record | {"parent": uid, "estimated": bool(record["estimated"])} | texts | values


def _line(record: object) -> bytes:
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
_FARTHEST = 253402300800.0
"""Seconds to the year 10000: a larger number is no time, and no duration."""
_INSERT_CHARGE = (
    f"INSERT OR IGNORE INTO charges ({', '.join(LEDGER)}) VALUES ({', '.join('?' * len(LEDGER))})"  # noqa: S608
)


class ImportResult(NamedTuple):
    """How many were new; `known` turns were there already."""

    sessions: int
    turns: int
    known: int


def import_jsonl(store: Store, lines: Iterable[bytes]) -> ImportResult:
    """Raises DataError, which names the line, and then nothing of it is stored."""
    with store.writing() as connection:
        taking = _Importer(connection)
        number = 0
        for number, line in enumerate(lines, 1):
            try:
                taking.read_line(line, number)
            except (DataError, UsageError) as error:
                raise DataError(f"line {number}: {error.message}") from None
        if not number:
            raise DataError("it is empty; an export begins with a line that says what it is")
        return taking.finished()


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
        take = {
            "session": self._session,
            "turn": self._turn,
            "summary": self._summary,
            "charge": self._charge,
        }[kind]
        take(_checked(kind, value), number)

    def finished(self) -> ImportResult:
        """Sessions come before their turns, so that their heads are known only now."""
        for session, (number, uid) in self._heads.items():
            head = self._turn_id(uid)
            if uid is not None and head is None:
                raise DataError(f"line {number}: head: there is no turn '{uid}'")
            self._connection.execute("UPDATE sessions SET head = ? WHERE id = ?", (head, session))
        return ImportResult(self._counts["session"], self._counts["turn"], self._counts["known"])

    def _session(self, record: dict[str, object], number: int) -> None:
        session, updated = str(record["id"]), float(str(record["updated"]))
        head = None if record["head"] is None else str(record["head"])
        row = self._connection.execute("SELECT updated FROM sessions WHERE id = ?", (session,)).fetchone()
        if row is None:
            values = (
                session,
                self._free(str(record["name"])),
                *(record[name] for name in ("prompt", "created")),
            )
            self._connection.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, NULL)", (*values, updated))
            self._counts["session"] += 1
        if row is None or row[0] < updated:
            self._heads[session] = (number, head)
            self._connection.execute("UPDATE sessions SET updated = ? WHERE id = ?", (updated, session))

    def _turn(self, record: dict[str, object], _: int) -> None:
        if self._turn_id(record["uid"]) is not None:
            self._counts["known"] += 1
            return
        found = self._connection.execute(
            "SELECT 1 FROM sessions WHERE id = ?", (record["session"],)
        ).fetchone()
        if not found:
            raise DataError(f"session: there is no session '{record['session']}' before this line")
        texts = {name: schema.json_text(record[name]) for name in ("request", "notes")}
        schema.insert_turn(
            self._connection, record | texts | {"parent": self._before("parent", record["parent"])}
        )
        self._counts["turn"] += 1

    def _summary(self, record: dict[str, object], _: int) -> None:
        upto = self._before("upto", record["upto"])
        self._connection.execute(
            "INSERT OR IGNORE INTO summaries (uid, upto, text, model, created) VALUES (?, ?, ?, ?, ?)",
            (record["uid"], upto, record["text"], record["model"], record["created"]),
        )

    def _charge(self, record: dict[str, object], _: int) -> None:
        values = record | {"turn": self._before("turn", record["turn"])}
        self._connection.execute(_INSERT_CHARGE, [values[name] for name in LEDGER])

    def _before(self, key: str, uid: object) -> int | None:
        found = self._turn_id(uid)
        if uid is not None and found is None:
            raise DataError(f"{key}: there is no turn '{uid}' before this line")
        return found

    def _turn_id(self, uid: object) -> int | None:
        row = self._connection.execute("SELECT id FROM turns WHERE uid = ?", (uid,)).fetchone()
        return int(row[0]) if row else None

    def _free(self, name: str) -> str:
        """The name, with a number if another session has it."""
        free, number = name, 1
        while free and query.session_named(self._connection, free):
            number += 1
            free = f"{name[: LONGEST - 8]} {number}"
        return free


def _checked(kind: str, value: object) -> dict[str, object]:
    fields = _FIELDS[kind]
    if not isinstance(value, dict):
        raise DataError(f"{kind}: must be an object")
    for key in fields:
        if key not in value:
            raise DataError(f"{kind}: '{key}' is missing")
    for key in value:
        if key not in fields:
            raise DataError(f"{kind}: '{replace_surrogates(key)[:40]}' is not one of {', '.join(fields)}")
    for key, of in fields.items():
        if not _fits(value[key], of):
            raise DataError(f"{kind}: {key}: must be {_MEANING[of.rstrip('?')]}")
    return {key: replace_surrogates(one) if isinstance(one, str) else one for key, one in value.items()}


_MEANING = {
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


def _fits(value: object, of: str) -> bool:
    if value is None:
        return of.endswith("?")
    match of.rstrip("?"):
        case "flag":
            return isinstance(value, bool)
        case "count":
            return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 62
        case "number":
            # Neither infinity nor what is not a number compares as less.
            return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _FARTHEST
        case "object":
            return isinstance(value, Mapping)
    return isinstance(value, str) and _reads(value, of.rstrip("?"))


def _reads(value: str, of: str) -> bool:
    if of == "session":
        return SESSION_ID.fullmatch(value) is not None
    if of == "uid":
        return OPENING_ID.fullmatch(value) is not None
    if of == "state":
        return value in STATES
    return of == "text" or not value or session_name(value) == value
