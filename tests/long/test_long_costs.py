"""What a wrong answer may cost: four answers a piece, and five pieces with the same defect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fake.connection import reset
from fake.program import InMemory, OnTerminal
from fake.received import Received
from fake.replies import Reply, failed, said, scripted
from fake.server import FakeServer
from fake.wire import chunk, chunked, response, sse, stream_head

SENTENCE = (
    "The contract may be ended by either side with three months' notice, in writing, counted from the end "
    "of a month, by registered letter."
)
GERMAN = (
    "Der Vertrag kann von beiden Seiten mit einer Frist von drei Monaten zum Monatsende schriftlich per "
    "Einschreiben beendet werden."
)
REFUSAL = "I'm sorry, but I can't help with that."
FRENCH = (
    "Le contrat peut être résilié par chaque partie avec un préavis de trois mois à la fin du mois, par "
    "lettre recommandée avec accusé."
)
BEGUN = [stream_head(), chunked(sse(chunk({"content": "Der Vertrag kann "})))]
PAGE = [response(200, "<html>Sign in</html>")]
DEFECTS: dict[str, tuple[Callable[[Received], Reply], int, int]] = {
    "refusal": (lambda _: said(REFUSAL), 81, 4),
    "remark": (lambda _: said("The text is already correct."), 80, 4),
    "unchanged": (lambda request: said(text_of(request)), 80, 4),
    "another language": (lambda _: said(FRENCH), 80, 4),
    "half": (lambda _: said("Der Vertrag kann."), 80, 4),
    "reset stream": (lambda _: scripted([*BEGUN, reset()]), 80, 4),
    "cut": (lambda _: said("Der Vertrag kann", finish="length"), 80, 4),
    "unknown reason": (lambda _: said(GERMAN, finish="whatever"), 80, 1),
    "filtered": (lambda _: said("Der", finish="content_filter"), 81, 1),
    "empty": (lambda _: said(""), 76, 2),
    "no API answer": (lambda _: scripted(PAGE), 76, 2),
    "redirect": (lambda _: failed(302, "", headers={"Location": "http://127.0.0.1/"}), 76, 1),
}
"""What a server does; the code and the most requests for a sentence."""


def long_text() -> str:
    return "".join(
        f"Number {number} may end the contract with the notice of its month.\n\n" for number in range(2500)
    )


def text_of(request: Received) -> str:
    return str(request.json["messages"][1]["content"]).partition(">\n")[2].rpartition("\n<")[0]


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_sentence_is_worth_at_most_four_answers(gptkit: InMemory, server: FakeServer, defect: str) -> None:
    answer, code, requests = DEFECTS[defect]
    server.answer(answer)
    result = gptkit("translate", "--to", "German", stdin=SENTENCE)
    assert (result.code, result.stdout) == (code, ""), result.stderr
    assert len(server.requests) <= requests
    server.answer(lambda _: said(GERMAN))
    assert gptkit("translate", "--to", "German", stdin=SENTENCE) == (0, GERMAN + "\n", "")


@pytest.mark.parametrize("defect", ["refusal", "unchanged", "empty", "no API answer", "redirect"])
def test_five_pieces_with_the_same_defect_end_the_job(
    gptkit: InMemory, server: FakeServer, folder: Path, defect: str
) -> None:
    answer, code, requests = DEFECTS[defect]
    (folder / "book.md").write_text(long_text(), "utf-8")
    server.answer(answer)
    words = ("translate", "--to", "German", "-f", "book.md", "-o", "out.md", "--jobs", "2")
    result = gptkit(*words)
    assert result.code == code, result.stderr
    assert "each of the first 5 pieces ended like this" in result.stderr
    assert "run the same command to go on" in result.stderr or defect == "redirect"
    assert len(server.requests) <= (5 + 2) * requests
    assert not (folder / "out.md").exists()


def test_another_ending_among_the_first_goes_on(gptkit: InMemory, server: FakeServer, folder: Path) -> None:
    (folder / "book.md").write_text(long_text(), "utf-8")
    server.answer(lambda request: said(REFUSAL if "Number 0 " in text_of(request) else "Nein."))
    result = gptkit("translate", "--to", "German", "-f", "book.md", "-o", "out.md", "--jobs", "1")
    assert "each of the first" not in result.stderr


def test_too_long_teaches_the_job_its_window(gptkit: InMemory, server: FakeServer, same: str) -> None:
    def answer(request: Received) -> str | Reply:
        text = str(request.json["messages"][1]["content"])
        if len(text) <= 1500:
            return text
        return failed(
            400, code="context_length_exceeded", message="This model's maximum context is 400 tokens"
        )

    server.answer(answer)
    text = "".join(f"The sentence with number {number} stands here for itself.\n\n" for number in range(400))
    assert gptkit(same, "--jobs", "1", stdin=text) == (0, text, "")
    refused = [request for request in server.requests if len(request.json["messages"][1]["content"]) > 1500]
    assert len(refused) <= 3


@pytest.fixture
def same(home: Path) -> str:
    """A prompt whose user message is the piece and nothing else."""
    folder = home / "config" / "prompts"
    folder.mkdir(parents=True)
    (folder / "same.yaml").write_text(
        "description: Works on it.\nsystem: Work.\nlong: {mode: map, piece: 1000}\n"
    )
    return "same"


def test_what_is_accepted_is_told_and_remembered(gptkit: InMemory, server: FakeServer, folder: Path) -> None:
    server.say("I'm sorry, but I can't help with that.")
    words = ("translate", "--to", "German", SENTENCE, "--accept")
    told = (
        "gptkit: accepted: line 1: refusal in place of the text: 'I'm sorry, but I can't help with that.'\n"
    )
    answer = "I'm sorry, but I can't help with that.\n"
    assert gptkit(*words) == (0, answer, told)
    assert gptkit(*words) == (0, answer, told)
    assert gptkit(*words, "-q") == (0, answer, "")
    assert len(server.requests) == 1


def test_on_a_terminal_it_is_shown_and_proved(screen: OnTerminal, server: FakeServer) -> None:
    server.say(["Hallo ⟦", "0⟧, wie geht es?"])
    shown = screen("translate", "--to", "German", "Hello {name}, how are you?")
    assert (shown.wait_exit(), shown.text) == (0, "Hallo {name}, wie geht es?")
    again = screen("translate", "--to", "German", "Hello {name}, how are you?")
    assert (again.wait_exit(), again.text, len(server.requests)) == (0, shown.text, 1)


def test_what_was_shown_is_not_asked_for_again(screen: OnTerminal, server: FakeServer) -> None:
    server.say("Hallo {Name}, wie geht es?")
    shown = screen("translate", "--to", "German", "Hello {name}, how are you?")
    assert shown.wait_exit() == 80
    assert shown.text.splitlines() == [
        "Hallo {Name}, wie geht es?",
        "gptkit: wrong answer: line 1: placeholder '{name}' missing",
        "hint: --accept takes the answer as it is",
    ]
    server.say("Hallo ⟦0⟧, wie geht es?")
    again = screen("translate", "--to", "German", "Hello {name}, how are you?")
    assert (again.wait_exit(), again.text) == (0, "Hallo {name}, wie geht es?")


def test_a_correction_names_the_marks_that_were_sent(gptkit: InMemory, server: FakeServer) -> None:
    server.say("Hallo, wie geht es?")
    server.say("Hallo ⟦0⟧, wie geht es?")
    result = gptkit("translate", "--to", "German", stdin="Hello {name}, how are you?")
    assert result == (0, "Hallo {name}, wie geht es?\n", "")
    correction = server.requests[1].json["messages"][-1]["content"]
    assert "placeholder '⟦0⟧' missing" in correction
    assert "{name}" not in correction


@pytest.mark.parametrize("answer", ["Встреча состоится.", "会议举行。"])
def test_another_script_is_wrong_however_short(gptkit: InMemory, server: FakeServer, answer: str) -> None:
    server.answer(lambda _: said(answer))
    assert gptkit("translate", "--to", "French", stdin="The meeting takes place.").code == 80


def test_halves_that_are_accepted_are_whole(gptkit: InMemory, server: FakeServer) -> None:
    def answer(request: Received) -> Reply:
        if request.number == 1:
            return failed(400, code="context_length_exceeded", message="maximum context is 100 tokens")
        sent = str(request.json["messages"][-1]["content"])
        return said(sent.partition(">\n")[2].rpartition("\n<")[0].replace("⟦0⟧", "{nom}"))

    server.answer(answer)
    text = "".join(f"Der Satz für {{name}} mit der Nummer {number} steht hier.\n\n" for number in range(20))
    result = gptkit("proofread", "--accept", stdin=text)
    assert result.code == 0, result.stderr
    assert result.stderr.startswith("gptkit: accepted: ")
