"""The record of what is under way, as an earlier version left it."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from fake.server import FakeServer
from long_batches import ANSWERS, LINES, World

from gptkit.core.sqlite import Database, connect
from gptkit.jobs.batch.queue import APPLICATION_ID, MIGRATIONS, BatchQueue
from gptkit.jobs.batch.submit import SubmissionCounts


@pytest.fixture
def world(server: FakeServer, tmp_path: Path) -> World:
    return World(server, tmp_path)


def as_version_1(path: Path) -> None:
    """The same shards and pieces in the file that version 1 would have made of them."""
    access = Database(path, MIGRATIONS, APPLICATION_ID, "")
    with access.reading() as connection:
        shards = connection.execute(
            "SELECT id, host, state, created, about, file, batch FROM shards"
        ).fetchall()
        pieces = connection.execute("SELECT key, shard, line, piece, proof FROM pieces").fetchall()
    access.close()
    for each in path.parent.glob("batches.db*"):
        each.unlink()
    formats = {shard: proof for _, shard, _, _, proof in pieces}
    with closing(connect(path, MIGRATIONS[:1], APPLICATION_ID)) as connection:
        for shard, host, state, created, about, file, batch in shards:
            held = json.dumps({"format": formats[shard], **json.loads(about)})
            row = (shard, host, state, created, held, file, batch)
            connection.execute("INSERT INTO shards VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        connection.executemany("INSERT INTO pieces VALUES (?, ?, ?, ?)", [row[:4] for row in pieces])
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)


def test_batches_of_version_1_are_fetched(world: World) -> None:
    world.submit()
    as_version_1(world.folder / "batches.db")
    assert world.submit() == SubmissionCounts(0, 7)
    world.fake.finish()
    assert [(one.accepted, one.missing, one.prompt) for one in world.fetch()] == [
        (3, 0, "haiku"),
        (3, 0, "haiku"),
        (1, 0, "haiku"),
    ]
    assert world.known == ANSWERS


def test_a_shard_of_version_1_that_was_not_submitted_is(world: World) -> None:
    world.server.fail(401)
    with pytest.raises(Exception, match="key"):
        world.submit()
    as_version_1(world.folder / "batches.db")
    assert world.states() == ["complete"]
    world.submit()
    assert world.submitted == LINES


def test_the_answers_of_version_1_are_proved(world: World) -> None:
    """By the format that was the shard's."""
    world.submit("bad {x}\n")
    as_version_1(world.folder / "batches.db")
    world.fake.answer = lambda body: "?"
    world.fake.finish()
    (taken,) = world.fetch()
    assert (taken.accepted, taken.defective) == (0, 1)
    record = BatchQueue(world.folder / "batches.db")
    assert record.shards() == []
    record.close()
