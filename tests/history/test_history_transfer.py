"""Export and import: nothing is lost, nothing is doubled, and a wrong line stops all of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from history_parts import conversation, ending, integrity, opening, store

from gptkit.core.errors import DataError
from gptkit.history.export import ImportResult, export_jsonl, export_markdown, import_jsonl, turn_markdown
from gptkit.history.store import Store


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    """Branches, a fork, a summary, odd texts, a cost that is unknown, and one that outlived its turn."""
    found = store(tmp_path / "one")
    found.finish(opening("gone", started=1.0), ending())
    found.purge(2.0)
    session = found.create("计划", "chat")
    first, second = conversation(found, session, "one\u2028\x85\r\n\0", "two")
    found.fork("计划", "copy")
    found.set_head(session, first)
    odd = ending("", state="partial", cause="a \ud800 b", reason=None, code=80, first=0.1, notes={"a": [1.5]})
    found.finish(opening("other", session=session.id, parent=first), odd)
    found.add_summary(second, "in short", "m", ending().charges)
    found.finish(opening("alone"), ending(charges=(ending().charges[0]._replace(cost=None),)))
    yield found
    found.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Store]:
    found = store(tmp_path / "two")
    yield found
    found.close()


def exported(kept: Store) -> list[bytes]:
    return b"".join(export_jsonl(kept)).splitlines(keepends=True)


def test_an_export_of_an_import_is_the_same(kept: Store, empty: Store) -> None:
    lines = exported(kept)
    assert import_jsonl(empty, lines) == ImportResult(3, 4, 0)
    assert exported(empty) == lines
    assert import_jsonl(empty, lines) == ImportResult(0, 0, 4)
    assert exported(empty) == lines
    assert integrity(empty) == "ok"
    assert [one.name for one in empty.sessions(9)] == [one.name for one in kept.sessions(9)]
    assert empty.spending(0) == kept.spending(0)
    assert [turn.prompt for turn, _ in empty.search("two", 9)] == ["chat"]


def test_an_import_into_a_used_store_adds_what_is_new(kept: Store, empty: Store) -> None:
    mine = empty.create("计划", "chat")
    conversation(empty, mine, "mine")
    assert import_jsonl(empty, exported(kept)) == ImportResult(3, 4, 0)
    assert {one.name for one in empty.sessions(9)} == {"计划", "计划 2", "copy", ""}
    assert empty.require_session("计划").id == mine.id
    session = kept.require_session("计划")
    later = kept.finish(opening("later", session=session.id, parent=session.head, started=2e9), ending())
    assert import_jsonl(empty, exported(kept)) == ImportResult(0, 1, 4)
    assert empty.require_session("计划 2").turns == kept.require_session("计划").turns == 3
    assert later


def test_one_session_is_taken_out_with_all_that_leads_to_it(kept: Store, empty: Store) -> None:
    assert len(exported(kept)) > 9
    copy = kept.require_session("copy")
    assert import_jsonl(empty, list(export_jsonl(kept, [copy]))) == ImportResult(1, 2, 0)
    assert [turn.user for turn in empty.chain(empty.require_session("copy").head)] == [
        turn.user for turn in kept.chain(copy.head)
    ]


def test_a_session_is_taken_out_with_what_was_undone_in_it(kept: Store, empty: Store) -> None:
    session = kept.require_session("计划")
    assert import_jsonl(empty, list(export_jsonl(kept, [session]))) == ImportResult(1, 3, 0)
    users = {turn.user for number in range(1, 4) if (turn := empty.turn(number))}
    assert users == {"one\u2028\x85\r\n\0", "two", "other"}


def test_markdown_is_to_read(kept: Store) -> None:
    text = b"".join(export_markdown(kept, [kept.require_session("计划")])).decode()
    assert text.startswith("# 计划\n\n## User, 2026-")
    assert text.endswith("\n\nother\n\n## Assistant, m\n\n*partial: a \ufffd b*\n")
    greeting = next(kept.chain(kept.require_session("计划").head))._replace(
        user="", answer="Hello.", state="ok"
    )
    assert "".join(turn_markdown(greeting)) == "## Assistant, m\n\nHello.\n"


HEADER = b'{"gptkit":"history","version":1}\n'
SESSION = {"id": "abcdefgh", "name": "", "prompt": "chat", "created": 1.0, "updated": 1.0, "head": None}
TURN = json.loads(
    """{"uid": "u1", "parent": null, "session": "abcdefgh", "state": "ok", "prompt": "chat", "model": "m",
    "reason": null, "cause": "", "code": 0, "request_id": "", "attempts": 1, "first": null, "started": 1.0,
    "seconds": 1, "prompt_tokens": 1, "completion_tokens": 1, "estimated": false, "cost": null,
    "system": "", "user": "hi", "answer": "hello", "request": {}, "notes": {}}"""
)


def line(**record: object) -> bytes:
    return json.dumps(record).encode() + b"\n"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "it is empty; an export begins with a line that says what it is"),
        ([b"{}\n"], "line 1: not the first line of an export that this gptkit knows"),
        ([b'{"gptkit":"history","version":2}\n'], "line 1: not the first line of an export that"),
        ([b"\xff\n"], "line 1: not a JSON object in UTF-8"),
        ([HEADER, b"\n"], "line 2: not a JSON object in UTF-8"),
        ([HEADER, b"[" * 100_000], "line 2: not a JSON object in UTF-8"),
        ([HEADER, line(turns={})], "line 2: must be an object with one of session, turn, summary, charge"),
        ([HEADER, line(session=[])], "line 2: session: must be an object"),
        ([HEADER, line(session={})], "line 2: session: 'id' is missing"),
        ([HEADER, line(session=SESSION | {"x": 1})], "line 2: session: 'x' is not one of id, name"),
        ([HEADER, line(session=SESSION | {"id": "../../x"})], "line 2: session: id: must be a session's id"),
        ([HEADER, line(session=SESSION | {"name": "a/b"})], "cannot be the name of a session"),
        ([HEADER, line(session=SESSION | {"created": True})], "line 2: session: created: must be a number"),
        ([HEADER, line(session=SESSION | {"created": 1e99})], "line 2: session: created: must be a number"),
        ([HEADER, line(session=SESSION | {"created": float("nan")})], "created: must be a number"),
        ([HEADER, line(session=SESSION | {"created": 10**400})], "created: must be a number"),
        ([HEADER, line(session=SESSION | {"head": "u9"})], "line 2: head: there is no turn 'u9'"),
        ([HEADER, line(turn=TURN)], "line 2: session: there is no session 'abcdefgh' before this line"),
        ([HEADER, line(session=SESSION), line(turn=TURN | {"parent": "u1"})], "line 3: parent: there is no"),
        (
            [HEADER, line(session=SESSION), line(turn=TURN | {"state": "fine"})],
            "state: must be one of pending",
        ),
        (
            [HEADER, line(session=SESSION), line(turn=TURN | {"code": 1 << 70})],
            "code: must be a whole number",
        ),
        (
            [HEADER, line(session=SESSION), line(turn=TURN | {"user": None})],
            "line 3: turn: user: must be a te",
        ),
        (
            [HEADER, line(session=SESSION), line(turn=TURN), line(turn=TURN | {"uid": "u2", "notes": 1})],
            "line 4",
        ),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_stored(empty: Store, lines: list[bytes], message: str) -> None:
    with pytest.raises(DataError) as caught:
        import_jsonl(empty, lines)
    assert message in caught.value.message
    assert (empty.sessions(9), empty.turn(1)) == ([], None)


def test_the_smallest_export_is_taken(empty: Store) -> None:
    assert import_jsonl(
        empty, [HEADER, line(session=SESSION | {"head": "u1"}), line(turn=TURN)]
    ) == ImportResult(1, 1, 0)
    assert empty.require_session("abcdefgh").turns == 1
