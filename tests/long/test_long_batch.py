"""Long input in batches: nothing lost, nothing submitted twice, whatever happens in between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake.connection import Connection, close, reset
from fake.server import FakeServer
from long_batches import ANSWERS, LINES, TEXT, World

from gptkit.core.errors import (
    BudgetError,
    CannotWriteError,
    GptkitError,
    IncompleteError,
    TryAgainError,
    UnavailableError,
)
from gptkit.jobs.batch.collect import collect_batches
from gptkit.jobs.batch.queue import BatchQueue
from gptkit.jobs.batch.submit import BatchContext, SubmissionCounts, submit_missing
from gptkit.jobs.missing import missing_answers
from gptkit.jobs.piece import process_piece
from gptkit.jobs.request import PieceContext
from gptkit.text.pieces import PieceAnswer


@pytest.fixture
def world(server: FakeServer, tmp_path: Path) -> World:
    return World(server, tmp_path)


def test_a_document_in_shards_there_and_back(world: World) -> None:
    found = world.submit()
    assert found == SubmissionCounts(7, 0)
    assert not found.is_complete
    assert world.submitted == LINES
    assert [len(world.fake.lines(batch)) for batch in world.fake.made] == [3, 3, 1]
    assert world.submit() == SubmissionCounts(0, 7)
    assert world.fetch() == []
    world.fake.reverse = True
    world.fake.finish()
    taken = world.fetch()
    assert [(one.accepted, one.defective, one.missing, one.failure) for one in taken] == [
        (3, 0, 0, ""),
        (3, 0, 0, ""),
        (1, 0, 0, ""),
    ]
    assert sum(len(one.charges) for one in taken) == 7
    assert world.known == ANSWERS
    assert world.submit().is_complete
    assert world.fetch() == []
    assert len(world.fake.made) == 3


def test_the_ordinary_run_finds_every_answer(world: World) -> None:
    world.submit()
    world.fake.finish()
    world.fetch()
    job = world.job()
    pieces = job.format.pieces(TEXT.splitlines(True), 100)
    answers = [process_piece(job, piece, PieceContext(), world.parts.runtime) for piece in pieces]
    assert "".join(one.text for one in answers) == TEXT.upper()
    assert {one.origin for one in answers} == {"memory"}


def test_what_is_sent_is_what_the_ordinary_run_sends(world: World) -> None:
    world.submit("one\ntwo {x}\n")
    _, second = world.fake.lines(world.fake.batch)
    body = second["body"]
    assert body["model"] == "m"
    assert "stream" not in body
    assert "The text right before it:\none" in body["messages"][0]["content"]
    assert second["url"] == "/v1/chat/completions"


def test_one_changed_line_is_one_request(world: World) -> None:
    world.submit()
    world.fake.finish()
    world.fetch()
    world.submit(TEXT.replace("line 4", "line four"))
    assert world.submitted[7:] == ["line four"]


def test_the_same_text_twice_is_asked_for_once(world: World) -> None:
    assert world.submit("same\nsame\n\nsame\n").new == 1


def test_fresh_asks_again_but_not_for_what_is_under_way(world: World) -> None:
    world.submit()
    world.fake.finish()
    world.fetch()
    world.fresh = True
    assert world.submit().new == 7
    assert world.submit() == SubmissionCounts(0, 7)


def test_a_piece_that_needs_halves_is_submitted_in_halves(world: World) -> None:
    world.submit("one two\n")
    world.fake.finish()
    world.fetch()
    (name,) = world.memory.held
    world.memory.held[name] = PieceAnswer("", (), in_halves=True)
    world.submit("one two\n")
    assert world.submitted == ["one two", "one", "two"]


def defective(body: dict[str, Any]) -> str | int | None:
    """What comes back for a line is what the line says."""
    text = str(body["messages"][-1]["content"])
    kinds: dict[str, str | int | None] = {"late": None, "busy": 429, "bad": "?", "long": 413, "void": ""}
    return kinds.get(text.split(maxsplit=1)[0], text)


def test_each_answer_is_proved(world: World) -> None:
    world.fake.answer = defective
    text = "good {x}\nbad {x}\n"
    world.submit(text)
    world.fake.finish()
    (taken,) = world.fetch()
    assert (taken.accepted, taken.defective, taken.missing) == (1, 1, 0)
    assert taken.failure == "line 2: placeholder '{x}' missing"
    assert world.known == ["good {x}"]
    assert world.submit(text).is_complete
    assert world.submitted == ["good {x}", "bad {x}"]


def test_wrong_numbers_are_defective_and_doubtful_ones_are_told(world: World) -> None:
    world.fake.answer = defective
    world.submit("bad 77\nbad 5\n")
    world.fake.finish()
    (taken,) = world.fetch()
    assert (taken.accepted, taken.defective, taken.failure) == (1, 1, "line 1: number '77' missing")
    assert [str(one) for held in world.memory.held.values() for one in held.findings] == [
        "line 2: digits '5' missing"
    ]


def test_answers_that_a_batch_will_never_bring_are_left(world: World) -> None:
    world.fake.answer = defective
    text = "long 1\nvoid 1\nfine 1\n"
    world.submit(text)
    world.fake.finish()
    (taken,) = world.fetch()
    assert (taken.accepted, taken.defective, taken.missing) == (1, 2, 0)
    assert len(taken.charges) == 2
    assert world.submit(text).is_complete


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_of_a_batch_that_ended_early_what_came_is_kept(world: World, status: str) -> None:
    world.fake.answer = defective
    text = "one\nlate 2\nbusy 3\n"
    world.submit(text)
    world.fake.finish(status)
    (taken,) = world.fetch()
    assert (taken.status, taken.accepted, taken.defective, taken.missing) == (status, 1, 0, 2)
    world.fake.answer = lambda body: "DONE"
    assert world.submit(text).new == 2
    assert world.submitted == ["one", "late 2", "busy 3", "late 2", "busy 3"]


def test_a_batch_that_was_not_taken_up(world: World) -> None:
    world.submit("one\n")
    world.fake.fail("Enqueued token limit reached")
    (taken,) = world.fetch()
    assert (taken.status, taken.missing, taken.failure) == ("failed", 1, "Enqueued token limit reached")
    assert world.submit("one\n").new == 1


def test_a_rejected_parameter_is_not_sent_again(world: World) -> None:
    world.submit("one\n")
    world.fake.answer = lambda body: 400
    line = world.fake.lines(world.fake.batch)[0]
    body = {"error": {"message": "Unsupported parameter: 'top_k'", "param": "top_k"}}
    answer = {"status_code": 400, "request_id": "r", "body": body}
    record = {"custom_id": line["custom_id"], "response": answer, "error": None}
    world.fake.files["file-x"] = json.dumps(record).encode()
    world.fake.batch.update(status="completed", error_file_id="file-x")
    (taken,) = world.fetch()
    assert (taken.missing, taken.defective) == (1, 0)
    assert world.parts.known == {"m": {"top_k"}}


def test_results_that_nobody_waits_for_change_nothing(world: World) -> None:
    world.submit("one\n")
    world.fake.finish()
    line = world.fake.files["file-output-0"]
    stranger = line.replace(world.fake.lines(world.fake.batch)[0]["custom_id"].encode(), b"ab" * 32)
    world.fake.files["file-output-0"] = stranger + b'{"custom_id": "../x"}\n{\n' + line + line
    (taken,) = world.fetch()
    assert (taken.accepted, taken.missing) == (1, 0)
    assert world.known == ["ONE"]


def _take_some(connection: Connection) -> None:
    """What there is of the body, if it did not come with the head."""
    if connection.owner.readable(connection._socket, seconds=0.2):
        connection.receive()


@pytest.mark.parametrize("end", [close, reset])
def test_an_upload_that_breaks_off_goes_on_with_the_next_run(world: World, end: Any) -> None:
    world.server.raw([_take_some, end()], when="head")
    with pytest.raises(TryAgainError):
        world.submit()
    assert world.states() == ["complete"]
    assert world.submit() == SubmissionCounts(4, 3)
    assert world.submitted == LINES


def test_a_broken_upload_is_tried_again_at_once(world: World) -> None:
    world.attempts = 2
    world.server.raw([_take_some, reset()], when="head")
    assert world.submit().new == 7
    assert world.submitted == LINES
    assert world.waits == [0.5]


STEPS = [("begin", 1), ("begin", 3), ("add", 1), ("add", 2), ("lines", 1), ("lines", 3)]
STEPS += [("note", number) for number in range(1, 10)]
"""What a run over the text does with its record, and the how manieth time."""


class Killed(BaseException):
    """The process ends here."""


def _lose_answer(world: World, path: str) -> None:
    """The server does what it is asked, but its answer to the first POST there never arrives."""
    reply, lost = world.fake._reply, list[Any]()

    def answer(request: Any) -> Any:
        found = reply(request)
        if request.method == "POST" and request.path.endswith(path) and not lost:
            lost.append(request)
            list(found.steps(request))
            return type(found)("lost", lambda request: [reset()])
        return found

    world.server.answer(answer)


def test_a_batch_whose_answer_was_lost_is_found_again(world: World) -> None:
    _lose_answer(world, "/batches")
    with pytest.raises(TryAgainError):
        world.submit()
    assert (world.states(), len(world.fake.made)) == (["uploaded"], 1)
    assert world.submit() == SubmissionCounts(4, 3)
    assert world.submitted == LINES


def test_a_lost_answer_is_looked_for_before_the_next_try(world: World) -> None:
    world.attempts = 4
    _lose_answer(world, "/batches")
    assert world.submit() == SubmissionCounts(7, 0)
    assert (len(world.fake.made), world.submitted) == (3, LINES)


def test_a_file_whose_answer_was_lost_starts_no_batch(world: World) -> None:
    _lose_answer(world, "/files")
    with pytest.raises(TryAgainError):
        world.submit()
    world.submit()
    assert world.submitted == LINES


def test_a_lost_batch_is_looked_for_on_every_page(world: World) -> None:
    world.fake.page = 1
    _lose_answer(world, "/batches")
    with pytest.raises(TryAgainError):
        world.submit()
    for number in range(3):
        world.fake.made.append(world.fake.made[0] | {"id": f"other{number}", "metadata": None})
    world.submit()
    assert len(world.fake.made) == 6


def test_nothing_is_submitted_while_the_list_cannot_be_read(world: World) -> None:
    _lose_answer(world, "/batches")
    with pytest.raises(TryAgainError):
        world.submit()
    for status in (500, 404):
        world.server.fail(status)
        with pytest.raises(GptkitError):
            world.submit()
    assert (world.states(), len(world.fake.made)) == (["uploaded"], 1)
    world.submit()
    assert world.submitted == LINES


@pytest.mark.parametrize(("step", "number"), STEPS)
def test_a_run_that_is_killed_anywhere(world: World, step: str, number: int) -> None:
    """Before or after any change of the record: the next runs bring each piece once."""
    killing = _killing(world, step, number)
    job = world.job()
    pieces = job.format.pieces(TEXT.splitlines(True), 100)
    with pytest.raises(Killed), killing.queue.lock():
        lacking = missing_answers(pieces, job, world.parts.format)
        submit_missing(lacking, job, world.parts.runtime, killing)
    killing.queue.close()
    world.submit()
    assert sorted(world.submitted) == LINES
    world.fake.finish()
    world.fetch()
    assert world.known == ANSWERS
    assert world.states() == []


def _killing(world: World, step: str, number: int) -> BatchContext:
    """A context whose process dies right before the n-th such step of its record."""
    context = world.context()

    class Mortal(BatchQueue):
        calls = 0

        def add_shard(self, host: str, about: str, now: float) -> str:
            self._die("begin")
            return super().add_shard(host, about, now)

        def add_pieces(self, shard: str, rows: Any) -> None:
            self._die("add")
            super().add_pieces(shard, rows)

        def set_state(self, shard: str, state: Any, *, file: str = "", batch: str = "") -> None:
            self._die("note")
            super().set_state(shard, state, file=file, batch=batch)

        def request_lines(self, shard: str) -> Iterator[bytes]:
            self._die("lines")
            return super().request_lines(shard)

        def _die(self, name: str) -> None:
            if name == step:
                self.calls += 1
                if self.calls == number:
                    raise Killed

    return context._replace(queue=Mortal(world.folder / "batches.db"))


def test_a_refusal_for_good_leaves_nothing_under_way(world: World) -> None:
    world.server.fail(404)
    with pytest.raises(UnavailableError, match="no Batch API"):
        world.submit()
    assert world.states() == []
    assert world.submit().new == 7


def test_a_budget_ends_it_after_what_it_allows(world: World) -> None:
    world.parts.requests = 4
    world.parts.__post_init__()
    with pytest.raises(BudgetError):
        world.submit()
    assert world.submitted == LINES[:4]
    world.parts.requests = None
    world.parts.__post_init__()
    assert world.submit() == SubmissionCounts(3, 4)


def test_a_download_that_breaks_off_is_taken_up_again(world: World) -> None:
    from fake.wire import http_head

    world.submit("one\ntwo\nthree\n")
    world.fake.finish()
    content = world.fake.files["file-output-0"]
    head = http_head(200, {"Content-Type": "text/plain", "Content-Length": str(len(content))})
    context = world.context()
    world.server.answer(
        lambda request: (
            type(world.fake._reply(request))("cut", lambda _: [head + content[:-30], close()])
            if request.path.endswith("/content")
            else world.fake._reply(request)
        )
    )
    with pytest.raises(IncompleteError, match="answer cut short"), context.queue.lock():
        list(collect_batches(context))
    context.queue.close()
    assert len(world.known) == 2
    world.server.answer(world.fake._reply)
    (taken,) = world.fetch()
    assert (taken.accepted, taken.missing) == (1, 0)
    assert len(taken.charges) == 1
    assert len(world.known) == 3


def test_what_the_memory_cannot_write_stays_to_be_fetched(world: World) -> None:
    world.submit("one\ntwo\n")
    world.fake.finish()
    world.lost = {bytes.fromhex(world.fake.lines(world.fake.batch)[0]["custom_id"])}
    with pytest.raises(CannotWriteError, match="1 answers could not be stored"):
        world.fetch()
    world.lost = set()
    (taken,) = world.fetch()
    assert (taken.accepted, taken.missing, len(taken.charges)) == (1, 0, 1)


def test_two_runs_do_not_submit_at_once(world: World) -> None:
    record = BatchQueue(world.folder / "batches.db")
    with record.lock(), pytest.raises(TryAgainError, match="another gptkit"):
        world.submit()
    assert world.submit().new == 7


def test_the_record_keeps_requests_only_as_long_as_they_are_needed(world: World) -> None:
    world.submit()
    record = BatchQueue(world.folder / "batches.db")
    assert [list(record.request_lines(shard.id)) for shard in record.shards()] == [[], [], []]
    assert record.shards("elsewhere") == []
    record.close()
