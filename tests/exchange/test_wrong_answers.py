"""Answers of any prompt that are wrong on their face: never 0; what was not shown is asked for once more."""

from __future__ import annotations

import json

import pytest
from fake.program import InMemory
from fake.server import FakeServer

LOOP = "The patient takes the medicine twice a day. " * 400
DIFF = "diff --git a/net.py b/net.py\n--- a/net.py\n+++ b/net.py\n@@ -1 +1 @@\n-retries = 3\n+retries = 5\n"
WRONG = {
    "runaway": (LOOP, "the model repeats itself: 'The patient takes the medicine twice a day.'"),
    "mark of a template": ("Fine.<|im_end|>", "mark of a chat template: '<|im_end|>'"),
    "delimiter": ("Fine.\n</text 3b5d5c3712955042>", "delimiter of the prompt given back"),
    "open fence": ("Do this:\n```sh\nls", "code block never closes"),
}
"""An answer to `ask` about a text, and what is said of it."""


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("tty", [False, True], ids=["pipe", "terminal"])
def test_what_was_shown_is_told_and_not_asked_for_again(
    gptkit: InMemory, server: FakeServer, case: str, tty: bool
) -> None:
    answer, message = WRONG[case]
    server.say(answer)
    shown = gptkit("ask", "what is it?", stdin="abc", tty=tty, width=200)
    assert shown.code == 80
    assert message in shown.stderr
    assert answer[:5] in shown.stdout
    assert len(server.requests) == 1


@pytest.mark.parametrize("case", WRONG)
def test_what_was_not_shown_is_asked_for_again(gptkit: InMemory, server: FakeServer, case: str) -> None:
    answer, message = WRONG[case]
    words = ("ask", "what is it?", "--json")
    server.say(answer)
    server.say("Fine.")
    result = gptkit(*words, stdin="abc")
    assert (result.code, json.loads(result.stdout)["answer"]) == (0, "Fine.")
    asked_again = server.requests[1].json["messages"][-1]["content"]
    assert ("cannot be used" in asked_again) == (case != "runaway")  # a loop is not given back
    server.say(answer, times=2)
    result = gptkit(*words, stdin="abc")
    assert result.code == 80
    assert message in result.stderr
    server.say(answer)
    result = gptkit(*words, "--accept", stdin="abc")
    assert (result.code, json.loads(result.stdout)["answer"].strip()) == (0, answer.strip())
    assert f"accepted: {message}"[:40] in result.stderr
    server.say(answer)
    assert gptkit(*words, "--accept", "-q", stdin="abc").stderr == ""


def test_a_runaway_ends_the_connection(gptkit: InMemory, server: FakeServer) -> None:
    server.say([LOOP, *["The patient takes the medicine twice a day. "] * 20], gap=0.05)
    result = gptkit("ask", "how often?")
    assert result.code == 80
    assert result.stdout.startswith("The patient")
    assert server.connections[0].wait_closed()


def test_a_thought_without_its_beginning_is_cut(gptkit: InMemory, server: FakeServer) -> None:
    server.say("I should greet them.\n</think>\n\nHello.")
    assert json.loads(gptkit("ask", "hi", "--json").stdout)["answer"] == "Hello."


def test_nothing_to_see_is_an_empty_answer(gptkit: InMemory, server: FakeServer) -> None:
    server.say("\u200b\ufeff\u2800", times=2)
    assert gptkit("ask", "hi", "-o", "out.txt").code == 76


def test_json_with_marks_behind_it(gptkit: InMemory, server: FakeServer, home: object) -> None:
    server.say('{"a": 1}\n<|im_end|>')
    server.say('{"a": 1}')
    words = ("ask", "hi", "--json")
    assert json.loads(gptkit(*words).stdout)["answer"] == '{"a": 1}'


def test_nothing_to_do_has_a_code_of_its_own(gptkit: InMemory, server: FakeServer) -> None:
    server.say("No change to describe.")
    result = gptkit("commit", stdin="On branch main\nnothing to commit\n")
    message = "gptkit: the model finds nothing to do: 'no change to describe'\n"
    assert result == (66, "", message)


def test_nothing_to_do_is_wrong_where_lines_changed(gptkit: InMemory, server: FakeServer) -> None:
    server.say("no change to describe")
    server.say("Try five times")
    assert gptkit("commit", stdin=DIFF) == (0, "Try five times\n", "")
    server.say("no change to describe", times=2)
    result = gptkit("commit", stdin=DIFF)
    message = (
        "gptkit: wrong answer: 'no change to describe', but the diff has changed lines (tried 2 times)\n"
    )
    assert result == (80, "", message + "hint: --accept takes the answer as it is\n")


def test_an_answer_may_speak_of_the_marks_that_it_was_asked_about(
    gptkit: InMemory, server: FakeServer
) -> None:
    answer = "A model writes its thought first. The tag </think> ends the thought."
    server.say(answer)
    result = gptkit("ask", "What does the tag </think> mean?", "--json")
    assert (result.code, json.loads(result.stdout)["answer"]) == (0, answer)


def test_a_thought_that_was_shown_is_told(gptkit: InMemory, server: FakeServer) -> None:
    server.say("Let me think.</think>Paris.")
    result = gptkit("ask", "the capital?")
    assert (result.code, result.stdout) == (80, "Let me think.</think>Paris.\n")
    assert "mark of a chat template: '</think>'" in result.stderr


@pytest.mark.parametrize(
    ("prompt", "answer"), [("commit", "a" * 80), ("email", "no subject"), ("code", "no block")]
)
def test_a_form_that_is_missing_can_be_accepted(
    gptkit: InMemory, server: FakeServer, prompt: str, answer: str
) -> None:
    server.say(answer)
    result = gptkit(prompt, "--accept", stdin=DIFF)
    assert (result.code, result.stdout) == (0, answer + "\n")
    assert result.stderr.startswith("gptkit: accepted: ")


def test_headings_of_a_description_are_no_mark(gptkit: InMemory, server: FakeServer) -> None:
    server.say("## POST /orders\n\n### Request:\n\nA body.\n\n### Response:\n\nAn order.")
    assert gptkit("ask", "describe the API").code == 0
    server.say("### Response:\n\nParis.")
    assert gptkit("ask", "the capital?").code == 80
