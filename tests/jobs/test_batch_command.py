"""`gptkit batch` against the fake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake.batches import FakeBatches
from fake.program import InMemory
from fake.server import FakeServer
from prompt_files import template

from gptkit.app import build_services
from gptkit.core.errors import NoPermissionError, UsageError
from gptkit.core.terminal import memory_terminal
from gptkit.exchange.budget import Budget
from gptkit.exchange.invocation import Invocation
from gptkit.jobs.batch.service import fetch_and_submit
from gptkit.jobs.batch.submit import SubmissionCounts
from gptkit.jobs.job import Job
from gptkit.jobs.memory.store import memory_of
from gptkit.jobs.missing import missing_answers
from gptkit.text.formats.plain import PlainText

PROMPT = template("description: d\nsystem: Shout.\noutput: text\n")
TEXT = "One paragraph.\n\nThe second, 第二段。\n"


class Submitting:
    """What a prompt command does with --batch, each time as a new process."""

    def __init__(self, server: FakeServer, home: Path) -> None:
        self.fake = FakeBatches(server)
        self.url = server.url
        self.told = ""
        """On standard error, by the latest."""
        self._home = home

    def __call__(self, text: str = TEXT, memory: bool = True) -> SubmissionCounts:
        environ = {"GPTKIT_HOME": str(self._home), "OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": self.url}
        terminal = memory_terminal(stdin=None, environ=environ, terminal=False, width=80)
        services = build_services(terminal)
        form = PlainText()
        job = Job(Invocation(PROMPT, "small"), form, memory_of(services) if memory else None)
        runtime = services.runtime(services.format(PROMPT), "small", Budget(), verbose=False)
        pieces = form.pieces(text.splitlines(True), 8)
        try:
            return fetch_and_submit(services, missing_answers(pieces, job, runtime.format), job, runtime)
        finally:
            memory_of(services).close()
            self.told = terminal.errors


@pytest.fixture
def submit(server: FakeServer, home: Path) -> Submitting:
    return Submitting(server, home)


def test_from_submission_to_the_memory(gptkit: InMemory, submit: Submitting) -> None:
    count = submit().new
    code, output, errors = gptkit("batch", "list")
    assert (code, errors) == (0, "")
    assert output.split("\t")[:3] == ["batch_0", "in_progress", f"0/{count}"]
    assert output.endswith("\tto fetch\n")
    assert submit() == SubmissionCounts(0, count)
    submit.fake.finish()
    assert submit().is_complete
    assert submit.told == f"gptkit: batch 'batch_0' completed: {count} answers accepted\n"
    assert submit().is_complete
    assert submit.told == ""
    assert len(submit.fake.made) == 1
    assert gptkit("batch", "list").stdout.split("\t")[1:3] == ["completed", f"{count}/{count}"]


def test_what_a_batch_cost_is_in_the_ledger(gptkit: InMemory, submit: Submitting) -> None:
    submit("One paragraph.\n")
    submit.fake.finish()
    assert gptkit("config", "set", "prices.small", "[2, 4]").code == 0
    assert submit("One paragraph.\n").is_complete
    (row,) = json.loads(gptkit("usage", "--by", "model", "--json").stdout)["rows"]
    tokens = (row["prompt_tokens"], row["completion_tokens"])
    assert row["cost"] == pytest.approx((2 * tokens[0] + 4 * tokens[1]) / 1e6 / 2)


def test_what_came_without_an_answer_is_told(submit: Submitting) -> None:
    text = "Keep `code`.\n\nThe second, 第二段, with many words in it.\n"
    submit(text)
    submit.fake.answer = lambda body: None
    submit.fake.finish("expired")
    assert submit(text).new > 0
    assert submit.told.startswith("gptkit: batch 'batch_0' expired: 0 answers accepted, ")
    assert "missing again (not answered before the batch ended" in submit.told


def test_json(gptkit: InMemory, submit: Submitting) -> None:
    count = submit().new
    listed = json.loads(gptkit("batch", "list", "--json").stdout)
    assert listed["not_submitted"] == []
    (row,) = listed["batches"]
    told = {name: row[name] for name in ("id", "status", "total", "to_fetch")}
    assert told == {"id": "batch_0", "status": "in_progress", "total": count, "to_fetch": True}


def test_batches_of_others_are_not_listed(gptkit: InMemory, submit: Submitting) -> None:
    submit()
    submit.fake.made.append(submit.fake.made[0] | {"id": "batch_other", "metadata": {"team": "a"}})
    assert "batch_other" not in gptkit("batch", "list").stdout


def test_cancelling_and_forgetting(gptkit: InMemory, submit: Submitting) -> None:
    submit()
    assert gptkit("batch", "cancel", "batch_0") == (0, "", "gptkit: batch 'batch_0': cancelling\n")
    assert submit().new == 0
    done = gptkit("batch", "cancel", "--forget", "batch_0")
    assert done == (0, "", "gptkit: 'batch_0' is forgotten\n")
    assert submit().new > 0


def test_ids_that_nobody_knows(gptkit: InMemory, submit: Submitting) -> None:
    code, output, errors = gptkit("batch", "cancel", "batch_9")
    assert (code, output) == (69, "")
    assert errors.startswith("gptkit: no batch 'batch_9' at '")
    assert "--forget" in errors
    assert gptkit("batch", "cancel", "--forget", "batch_9").code == 66
    assert gptkit("batch", "cancel", "").code == 66


def test_a_batch_that_is_gone_keeps_nobody_from_the_others(submit: Submitting) -> None:
    submit("One paragraph.\n")
    submit("Another paragraph.\n")
    submit.fake.finish()
    submit.fake.made[0]["id"] = "batch_of_another_account"
    assert submit("Another paragraph.\n").is_complete
    gone, taken = submit.told.splitlines()
    assert gone.startswith("gptkit: no batch 'batch_0' at '")
    assert "--forget batch_0" in gone
    assert taken == "gptkit: batch 'batch_1' completed: 1 answers accepted"
    assert submit("One paragraph.\n") == SubmissionCounts(0, 1)


def test_what_was_interrupted_is_listed_and_goes_on(gptkit: InMemory, submit: Submitting) -> None:
    submit.fake.server.fail(401, times=1)
    with pytest.raises(NoPermissionError):
        submit()
    row = gptkit("batch", "list").stdout.split("\t")
    assert row[1] == "not submitted"
    assert submit().under_way > 0
    assert len(submit.fake.made) == 1


def test_a_batch_waits_at_the_endpoint_it_was_made_for(submit: Submitting) -> None:
    count = submit().new
    submit.fake.finish()
    here, submit.url = submit.url, submit.url.replace("127.0.0.1", "localhost")
    assert (submit(), submit.told) == (SubmissionCounts(0, count), "")
    submit.url = here
    assert submit().is_complete


def test_without_a_memory_nothing_is_submitted(submit: Submitting) -> None:
    with pytest.raises(UsageError):
        submit(memory=False)
    assert submit.fake.made == []


def test_what_the_provider_says_is_data(gptkit: InMemory, submit: Submitting) -> None:
    submit()
    submit.fake.made[0]["status"] = "in\x1b]0;x\x07\nprogress"
    code, output, _ = gptkit("batch", "list", tty=True)
    assert code == 0
    assert "\x1b" not in output
    assert output.count("\n") == 1
