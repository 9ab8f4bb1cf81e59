"""How calls travel: which way is chosen, when it changes, and what is shown of an answer while it arrives."""

from __future__ import annotations

import json

import pytest
from asking import settings
from fake.program import OnTerminal, Surroundings
from fake.replies import said
from fake.server import FakeServer
from tool_parts import PLAIN, Tools, answering, calling

from gptkit.capabilities.tools.channel import StructuredChannel, choose_channel, means_no_tools
from gptkit.capabilities.tools.model import Travel
from gptkit.core.chat import AnswerDelta, Event, Finished, ReasoningDelta
from gptkit.core.errors import UnavailableError

LOOK = ("look", {"name": "a.txt"})
CHOICES: list[tuple[Travel, str, dict[str, object], bool, str]] = [
    ("auto", "gpt-6-luna", {}, False, "StructuredChannel"),
    ("auto", "openai/gpt-5.6-mini", {}, False, "StructuredChannel"),
    ("auto", "gpt-6-luna", {"reasoning_effort": "none"}, False, "ToolsChannel"),
    ("auto", "gpt-5.5", {}, False, "ToolsChannel"),
    ("auto", "gpt-4o", {}, False, "ToolsChannel"),
    ("auto", "llama-4", {}, False, "ToolsChannel"),
    ("auto", "llama-4", {}, True, "StructuredChannel"),
    ("auto", "local:m.gguf", {}, False, "StructuredChannel"),
    ("tools", "gpt-6-luna", {}, True, "ToolsChannel"),
    ("structured", "llama-4", {}, False, "StructuredChannel"),
]


@pytest.mark.parametrize(("travel", "model", "parameters", "rejected", "name"), CHOICES)
def test_the_way_is_chosen(
    travel: Travel, model: str, parameters: dict[str, object], rejected: bool, name: str
) -> None:
    assert type(choose_channel(travel, model, parameters, rejected)).__name__ == name


@pytest.mark.parametrize(
    "message",
    [
        "Function tools with reasoning_effort are not supported for gpt-6 in /v1/chat/completions.",
        "registry.ollama.ai/library/x does not support tools",
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
    ],
)
def test_a_server_says_that_it_takes_no_tools(message: str) -> None:
    assert means_no_tools(UnavailableError(message))


@pytest.fixture
def auto(around: Surroundings, server: FakeServer) -> Tools:
    """gptkit that chooses the way by itself, with a model that may have tools."""
    found = Tools(around, server, "structured")
    settings(around.home, "model: llama-4\n")
    found.file()
    (around.folder / "a.txt").write_text("milk\n")
    return found


def test_a_refusal_of_tools_changes_the_way_once_and_is_remembered(auto: Tools) -> None:
    auto.server.fail(400, message="llama-4 does not support tools")
    auto.server.queue(calling("structured", LOOK), answering("structured", "Milk."))
    assert auto("notes", "x").result.stdout == "Milk.\n"
    first, second, _ = auto.server.requests
    assert "tools" in first.json
    assert "tools" not in second.json
    auto.server.queue(answering("structured", "Hello."))
    assert auto("notes", "x").result.stdout == "Hello.\n"
    assert "tools" not in auto.server.requests[-1].json


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"name": "remove", "arguments": {"name": "a.txt"}}\n```',
        '{"tool": "remove", "arguments": {"name": "a.txt"}}',
        '<tool_call>\n{"name": "remove", "arguments": {"name": "a.txt"}}\n</tool_call>',
        '[{"function": {"name": "remove", "arguments": "{}"}}]',
    ],
)
def test_a_call_as_text_is_never_run(auto: Tools, text: str) -> None:
    auto.server.queue(said(text), answering("structured", "I need your word first."))
    run = auto("notes", "remove a", "--approve", "destructive")
    assert run.result[:2] == (0, "I need your word first.\n")
    assert auto.logged() == []
    auto.server.queue(answering("structured", "Hello."))
    auto("notes", "hello")
    assert "tools" not in auto.server.requests[-1].json


def test_a_call_as_text_where_the_file_wants_the_api_s_own(auto: Tools) -> None:
    auto.file(PLAIN.replace("tools:\n", "tools:\n  calls: tools\n", 1))
    auto.server.say('{"name": "remove", "arguments": {"name": "a.txt"}}')
    run = auto("notes", "remove a", "--approve", "destructive")
    assert run.code == 80
    assert "the model wrote a call as text; nothing was run" in run.result.stderr
    assert auto.logged() == []


@pytest.mark.parametrize("text", ['Remove it with {"name": "x"}.', '{"name": "wine"}', "[1, 2]", "{"])
def test_text_that_is_no_call_is_an_answer(auto: Tools, text: str) -> None:
    auto.server.say(text)
    assert auto("notes", "x").result.stdout == text + "\n"


UNUSABLE = [
    "Sure, I will look.",
    '{"step": "look"}',
    '{"tool": "look"}',
    '{"step": {"tool": "answer"}}',
    '{"step": []}',
    '{"step": {"tool": "look", "arguments": {"name": "a.txt"}}} {"step": 1}',
]


@pytest.mark.parametrize("text", UNUSABLE)
def test_a_structured_answer_that_is_no_step(one: Tools, text: str) -> None:
    one.file()
    one.server.say(text)
    one.answer("Hello.")
    assert one("notes", "x").result.stdout == "Hello.\n"
    assert "That cannot be used" in one.server.requests[-1].json["messages"][-1]["content"]
    one.server.say(text, times=2)
    run = one("notes", "x")
    assert run.code == 80
    assert "no usable answer" in run.result.stderr
    assert one.logged() == []


def test_a_server_that_ignores_the_schema_may_fence_its_step(one: Tools) -> None:
    one.file()
    one.server.say('```json\n{"step": {"tool": "answer", "text": "Hello."}}\n```')
    assert one("notes", "x").result.stdout == "Hello.\n"


@pytest.mark.parametrize(("model", "in_words"), [("gpt-6-luna", False), ("qwen-0.5b", True)])
def test_arguments_in_words_where_no_server_shows_the_schema(one: Tools, model: str, in_words: bool) -> None:
    one.file()
    one.answer("Hello.")
    assert one("notes", "x", "--model", model).code == 0
    body = one.server.request.json
    assert ("Name of the note." in body["messages"][0]["content"]) is in_words
    assert "Name of the note." in json.dumps(body["response_format"])
    assert ("list of independent calls" in body["messages"][0]["content"]) is not in_words


class Shown:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        pass

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, AnswerDelta))


TEXTS = ["plain", 'a "quoted" \\ line\nand a tab\t', "牛奶 😀", "\\u0041 stays", ""]


@pytest.mark.parametrize("escaped", [True, False])
@pytest.mark.parametrize("text", TEXTS)
def test_the_text_of_an_answer_streams_however_it_is_cut(text: str, escaped: bool) -> None:
    whole = json.dumps({"step": {"tool": "answer", "text": text}}, ensure_ascii=escaped)
    for size in range(1, len(whole) + 1):
        shown = Shown()
        sink = StructuredChannel().sink(shown)
        for start in range(0, len(whole), size):
            sink(AnswerDelta(whole[start : start + size]))
        sink(Finished("stop"))
        assert shown.text == text


@pytest.mark.parametrize(
    "step",
    [
        {"tool": "look", "arguments": {"name": "answer"}},
        {"tool": "answer", "word": "x"},
        {"text": "x", "tool": "answer"},
        [{"tool": "answer", "text": "x"}],
    ],
)
def test_nothing_else_streams(step: object) -> None:
    shown = Shown()
    sink = StructuredChannel().sink(shown)
    sink(ReasoningDelta("hm"))
    for character in json.dumps({"step": step}):
        sink(AnswerDelta(character))
    assert shown.events == [ReasoningDelta("hm")]


def test_an_answer_streams_on_a_terminal(one: Tools, screen: OnTerminal) -> None:
    one.file()
    pieces = ['{"step": {"tool": "answer", "text": "first\\n\\n', "second", '"}}']
    one.server.say(pieces, gap=1.0)
    shown = screen("notes", "x")
    shown.wait_for("first")
    assert "second" not in shown.text
    assert shown.wait_exit() == 0
    assert "second" in shown.text
