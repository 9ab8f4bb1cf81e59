"""Recovery: every turn whose pages are whole is saved, and the damaged file is kept as it is."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from history_parts import conversation, ending, integrity, opening, store

from gptkit.errors import CannotRead, GptkitError, NoInput
from gptkit.history.pages import Pages
from gptkit.history.recover import recover
from gptkit.history.store import Store
from gptkit.history.transfer import json_lines

PAGE = 4096
MANY = 120


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    """Some turns have texts over several pages; five were removed."""
    found = store(tmp_path)
    session = found.create("doomed", "chat")
    conversation(found, session, *("x" * number for number in range(5)))
    found.remove(session)
    session = found.create("计划", "chat")
    conversation(found, session, *(f"turn {n} " + "世界" * (n % 7) ** 4 for n in range(MANY)))
    found.add_summary(found.required("计划").head or 0, "in short", "m")
    yield found
    found.close()


def file(kept: Store) -> Path:
    assert kept.path is not None
    return kept.path


def saved(kept: Store) -> set[str]:
    turns = {turn.user for session in kept.sessions(99) for turn in kept.chain(session.head)}
    with kept.reading() as connection:
        turns |= {row[0] for row in connection.execute("SELECT user FROM texts")}
    return {user.split()[1] for user in turns}


def test_all_of_a_sound_file_is_saved(kept: Store) -> None:
    before = b"".join(json_lines(kept))
    done = recover(kept)
    assert (done.saved, done.lost) == (MANY, 0)
    assert b"".join(json_lines(kept)) == before
    assert integrity(kept) == "ok"
    assert len(kept.search("turn", 999)) == MANY


def test_what_is_still_in_the_log_is_saved(kept: Store, tmp_path: Path) -> None:
    names = ("history.db", "history.db-wal")
    copy = store(tmp_path / "copy")
    file(copy).parent.mkdir(parents=True)
    with kept.reading() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
    kept.finish(opening("turn last"), ending())
    for name in names:
        (file(copy).parent / name).write_bytes((file(kept).parent / name).read_bytes())
    assert recover(copy).saved == MANY + 1
    assert "last" in saved(copy)
    copy.close()


@pytest.mark.parametrize("damage", ["header", "schema", "middle", "zeros", "truncated", "rubbish"])
def test_intact_turns_survive(kept: Store, damage: str) -> None:
    kept.close()
    path = file(kept)
    data = bytearray(path.read_bytes())
    count = len(data) // PAGE
    noise = random.Random(1)
    if damage == "header":
        data[:68] = noise.randbytes(68)
    elif damage == "schema":
        data[100 : 2 * PAGE] = noise.randbytes(2 * PAGE - 100)
    elif damage == "truncated":
        del data[count * PAGE * 2 // 3 + 100 :]
    else:
        for page in noise.sample(range(2, count), count // 10):
            size = 64 if damage == "middle" else PAGE
            data[page * PAGE : page * PAGE + size] = (
                noise.randbytes(size) if damage != "zeros" else bytes(size)
            )
    path.write_bytes(data)
    intact = whole_turns(path)
    done = recover(kept)
    assert done.kept.read_bytes() == data
    assert done.kept.name.startswith("history.db.damaged-")
    assert (integrity(kept), saved(kept)) == ("ok", intact)
    assert done.saved == len(intact)
    assert done.lost == MANY - len(intact)
    assert len(intact) >= (MANY if damage in ("header", "schema") else MANY // 3)
    kept.finish(opening("turn new"), ending())
    assert list(path.parent.glob(".gptkit-*")) == []


def whole_turns(path: Path) -> set[str]:
    """Those whose both rows are on pages that can be read."""
    rows = list(Pages(path).rows())
    turns = {row.rowid for row in rows if len(row.values) == 21}
    texts = {
        row.rowid: str(row.values[2]) for row in rows if len(row.values) == 6 and row.values[1] == "Be brief."
    }
    return {text.split()[1] for rowid, text in texts.items() if rowid in turns}


@pytest.mark.parametrize("where", [0.0, 0.3, 0.9])
def test_a_damaged_log_costs_what_is_damaged(kept: Store, tmp_path: Path, where: float) -> None:
    """SQLite alone would drop all that came after."""
    with kept.reading() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
    session = kept.required("计划")
    conversation(kept, session, *(f"turn later{number}" for number in range(20)))
    copy = store(tmp_path / "copy")
    file(copy).parent.mkdir(parents=True)
    file(copy).write_bytes(file(kept).read_bytes())
    log = bytearray((file(kept).parent / "history.db-wal").read_bytes())
    place = 32 + int(where * len(log) / (PAGE + 24)) * (PAGE + 24) + 24
    log[place : place + PAGE] = os.urandom(PAGE)
    (file(copy).parent / "history.db-wal").write_bytes(log)
    done = recover(copy)
    assert done.saved >= MANY + 19
    assert done.kept.with_name(done.kept.name + "-wal").read_bytes() == log
    assert integrity(copy) == "ok"
    copy.close()


def test_nothing_to_recover_is_no_reason_to_touch_anything(tmp_path: Path) -> None:
    kept = store(tmp_path)
    with pytest.raises(NoInput):
        recover(kept)
    file(kept).parent.mkdir()
    file(kept).write_bytes(b"a letter to my aunt" * 1000)
    with pytest.raises(CannotRead, match="nothing in it is gptkit's") as fault:
        recover(kept)
    assert fault.value.hint == "move it away; the next command makes a new one"
    with pytest.raises(GptkitError):
        kept.sessions(1)
    assert [path.name for path in file(kept).parent.iterdir()] == ["history.db"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    kept = store(tmp_path)
    file(kept).parent.mkdir()
    os.mkfifo(file(kept))
    with pytest.raises(CannotRead, match="not a regular file"):
        recover(kept)
