"""The store: what is put in comes out, branches share their turns, names mean one session."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from history_parts import STARTED, conversation, ending, integrity, opening, store

from gptkit.core.chat import Charge
from gptkit.core.errors import NoInputError, UsageError
from gptkit.history.export import turns_oldest_first
from gptkit.history.store import Store


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    found = store(tmp_path)
    yield found
    found.close()


def test_an_exchange_without_a_session_starts_its_own(kept: Store) -> None:
    first, second = kept.finish(opening("one"), ending()), kept.finish(opening("two"), ending())
    sessions = kept.sessions(10)
    assert [(one.head, one.turns, one.name) for one in sessions] == [(second, 1, ""), (first, 1, "")]
    assert kept.latest_session() == sessions[0]


def test_a_turn_comes_out_as_it_went_in(kept: Store) -> None:
    text = "a\0b \udc80 世界\r\n"
    free = Charge("m-1", "update", "host", 1, 2, True, None, STARTED, 0.0)
    whole = ending(text, charges=(*ending().charges, free), notes={"gold": 3, "名": "a\ud800"})
    turn = kept.turn(kept.finish(opening(text), whole))
    assert turn is not None
    assert (turn.user, turn.answer) == ("a\0b \ufffd 世界\r\n",) * 2
    assert (turn.prompt_tokens, turn.completion_tokens, turn.estimated, turn.cost) == (11, 7, True, None)
    assert (turn.notes, turn.request) == ({"gold": 3, "名": "a\ufffd"}, {"temperature": 0.5})
    assert (turn.state, turn.reason, turn.system, turn.started) == ("ok", "stop", "Be brief.", STARTED)
    assert kept.spending(STARTED) == (0.25, 1)
    assert kept.spending(STARTED + 1) == (0.0, 0)


def test_storing_twice_stores_once(kept: Store) -> None:
    exchange = opening()
    assert kept.finish(exchange, ending()) == kept.finish(exchange, ending())
    assert [one.turns for one in kept.sessions(10)] == [1]
    assert kept.spending(0) == (0.25, 0)


def test_files_are_private(kept: Store, tmp_path: Path) -> None:
    kept.finish(opening(), ending())
    data = tmp_path / "data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in data.iterdir()}
    assert modes == dict.fromkeys(["history.db", "history.db-wal", "history.db-shm"], 0o600)


def test_a_chain_is_walked_to_its_root(kept: Store) -> None:
    session = kept.create("long", "chat")
    ids = conversation(kept, session, *(f"number {number}" for number in range(400)))
    assert [turn.id for turn in kept.chain(ids[-1])] == ids[::-1]
    assert [turn.id for turn in turns_oldest_first(kept, ids[-1])] == ids
    assert kept.require_session("long").turns == 400


def test_undo_and_retry_make_a_branch(kept: Store) -> None:
    session = kept.create("s", "chat")
    first, second = conversation(kept, session, "one", "two")
    kept.set_head(session, first)
    third = kept.finish(opening("three", session=session.id, parent=first), ending())
    assert [turn.user for turn in kept.chain(kept.require_session("s").head)] == ["three", "one"]
    assert kept.turn(second) is not None
    kept.set_head(session, None)
    assert kept.require_session("s").turns == 0
    assert third > second
    with pytest.raises(NoInputError):
        kept.set_head(session, 99)


def test_a_fork_shares_turns_and_outlives_its_origin(kept: Store) -> None:
    origin = kept.create("a", "chat")
    first, second, third = conversation(kept, origin, "one", "two", "three")
    kept.set_head(origin, second)
    copy = kept.fork("a", "b")
    kept.set_head(origin, third)
    fourth = kept.finish(opening("four", session=copy.id, parent=second), ending())
    assert kept.remove("a") == 1
    assert [turn.id for turn in kept.chain(kept.require_session("b").head)] == [fourth, second, first]
    assert (kept.turn(third), kept.find_session("a")) == (None, None)
    assert kept.remove("b") == 3
    assert (kept.sessions(9), integrity(kept)) == ([], "ok")


def test_a_fork_without_turns_of_its_own_outlives_its_origin(kept: Store) -> None:
    ids = conversation(kept, kept.create("a", "chat"), "one", "two")
    kept.fork("a", "b")
    assert kept.remove("a") == 0
    assert [turn.id for turn in kept.chain(kept.require_session("b").head)] == ids[::-1]
    assert (kept.find_session("a"), integrity(kept)) == (None, "ok")


def test_what_is_removed_is_gone_from_the_files(kept: Store, tmp_path: Path) -> None:
    for name in ("a", "b"):
        conversation(
            kept, kept.create(name, "chat"), *(f"secret{name}{number}x " * 99 for number in range(9))
        )
    assert kept.remove("a") == 9
    data = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("history*"))
    assert (b"secreta" in data, b"secretb" in data, b"reta3x" in data) == (False, True, False)
    assert (len(kept.search("secreta3x", 9)), len(kept.search("secretb3x", 9))) == (0, 1)


def test_what_is_left_of_a_session_is_counted_after_each_purge(kept: Store) -> None:
    conversation(kept, kept.create("s", "chat"), "one", "two", "three", "four")
    for number in (1, 2, 3):
        assert kept.purge(STARTED + number) == 1
        assert kept.require_session("s").turns == 4 - number


def test_a_purge_leaves_sessions_that_still_lead_to_a_turn(kept: Store) -> None:
    """They are older than what is purged: one was taken back to its beginning, one is a mere fork."""
    undone = kept.create("undone", "chat")
    conversation(kept, undone, "one", "two")
    kept.fork("undone", "fork")
    kept.set_head(undone, None)
    kept.create("empty", "chat")
    assert kept.purge(STARTED + 1) == 1
    assert {(one.name, one.turns) for one in kept.sessions(9)} == {("undone", 0), ("fork", 1)}
    assert integrity(kept) == "ok"


def test_the_nearest_summary_on_the_chain_counts(kept: Store) -> None:
    session = kept.create("s", "chat")
    first, second, third = conversation(kept, session, "one", "two", "three")
    side = kept.finish(opening("side", session=session.id, parent=first), ending())
    assert kept.summary(third) is None
    kept.add_summary(first, "early", "m")
    kept.add_summary(side, "elsewhere", "m")
    made = kept.add_summary(second, "later", "m", ending().charges)
    assert (kept.summary(third), kept.summary(second)) == (made, made)
    assert [found.text for head in (first, side) if (found := kept.summary(head))] == ["early", "elsewhere"]
    assert kept.spending(0) == (5 * 0.25, 0)


def test_a_session_is_known_by_name_by_id_and_by_a_beginning_of_it(kept: Store) -> None:
    session = kept.create("é", "chat")
    for name in ("é", "e\u0301", " é ", session.id, session.id[:4], session.id[:4].upper()):
        assert kept.find_session(name) == session, name
    for name in (session.id[:3], "%", "_" * 8, session.id + "0", "", "\udc80"):
        assert kept.find_session(name) is None, name


def test_a_missing_session_has_a_hint(kept: Store) -> None:
    kept.create("计划书", "chat")
    with pytest.raises(NoInputError) as caught:
        kept.require_session("计划")
    assert (caught.value.message, caught.value.hint) == ("no session named '计划'", "did you mean '计划书'?")


def test_a_name_is_given_once(kept: Store) -> None:
    kept.create("a", "chat")
    other = kept.create("b", "chat")
    taken = "there is a session 'a' already"
    with pytest.raises(UsageError, match=taken):
        kept.create("a", "")
    with pytest.raises(UsageError, match=taken):
        kept.rename("b", "a")
    with pytest.raises(UsageError, match=taken):
        kept.fork("b", "a")
    assert kept.rename("b", "b") == other


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "  ",
            ".",
            "..",
            "a/b",
            "a\\b",
            "a／b",
            "a＼b",
            "a\nb",
            "\x1b[31m",
            "a\u202eb",
            "-c",
            "a" * 101,
        ),
        *("con", "NUL.txt", "lpt1", "ＣＯＮ", "\udc80", "．．", "a\u200bb"),
    ],
)
def test_names_that_are_refused(kept: Store, name: str) -> None:
    session = kept.create("", "chat")
    with pytest.raises(UsageError, match="cannot be the name of a session"):
        kept.rename(session, name)


@pytest.mark.parametrize("name", ["计划 2026", "a.b", "contract", "日本語のメモ", "a" * 100, "'; --", "👩‍💻"])
def test_names_that_are_taken(kept: Store, name: str) -> None:
    assert kept.create(name, "chat").name == name
    assert kept.require_session(name).name == name


def test_a_session_that_was_removed_meanwhile_is_there_again(kept: Store) -> None:
    session = kept.create("s", "chat")
    (first,) = conversation(kept, session, "one")
    kept.remove("s")
    kept.finish(opening("two", session=session.id, parent=first), ending())
    assert [(one.id, one.turns) for one in kept.sessions(9)] == [(session.id, 1)]


def test_without_a_path_it_is_in_memory(tmp_path: Path) -> None:
    kept = Store(None, tmp_path / "none")
    kept.finish(opening("one"), ending())
    assert [turn.user for turn in kept.chain(kept.sessions(1)[0].head)] == ["one"]
    assert list(tmp_path.iterdir()) == []
    kept.close()


def test_what_is_purged_is_gone_from_the_files(kept: Store, tmp_path: Path) -> None:
    session = kept.create("s", "chat")
    words = [f"secret{number}x " * 300 for number in range(30)]
    ids = conversation(kept, session, *words)
    assert kept.purge(STARTED + 20) == 20
    data = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("history*"))
    assert [n for n in range(30) if b"secret%dx" % n in data] == list(range(20, 30))
    assert b"ecret3x" not in data  # the index keeps only what differs from the word before
    assert [turn.id for turn in kept.chain(ids[-1])] == ids[:19:-1]
    assert (kept.require_session("s").turns, integrity(kept)) == (10, "ok")
    assert (len(kept.search("secret19x", 9)), len(kept.search("secret20x", 9))) == (0, 1)
    assert kept.purge(None) == 10
    assert b"secret" not in b"".join(path.read_bytes() for path in (tmp_path / "data").glob("history*"))
    assert (kept.sessions(9), kept.spending(0)) == ([], (30 * 0.25, 0))
