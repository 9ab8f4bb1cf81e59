"""A capability is one value: what a prompt file may say, which options that brings, and what runs."""

from __future__ import annotations

from collections.abc import Callable

from engine_parts import Parts, Plain, said
from prompt_files import WORDS, broken, template

from gptkit.chat import Reply, Sink, Text
from gptkit.engine.ask import ask
from gptkit.engine.capabilities import CAPABILITIES, Capability, run
from gptkit.engine.work import Invocation, Means, Outcome
from gptkit.templates.model import Parameter, Problem, Template, Vocabulary
from gptkit.templates.tree import Node


def times(node: Node, report: Callable[[Problem], None]) -> object:
    found = node.data()
    if isinstance(found, int):
        return found
    report(Problem(node.line, "repeat", f"must be a number, this is {node.kind}"))
    return None


def repeated(invocation: Invocation, means: Means, sink: Sink | None) -> Outcome:
    """The exchange as often as the file says, the answers in a row."""
    count = invocation.template.capabilities["repeat"]
    assert isinstance(count, int)
    answers = [ask(invocation, means, sink).answer for _ in range(count)]
    return Outcome(Reply("".join(answers), "stop"), " ".join(answers))


def silent(invocation: Invocation, means: Means, sink: Sink | None) -> Outcome:
    return Outcome(Reply("", "stop"), "")


REPEAT = Capability("repeat", times, repeated, (Parameter("pace", "number", short="p"),))
SILENCE = Capability("silence", lambda node, report: node.data(), silent, excludes=("loud",))
KNOWN = (REPEAT, SILENCE)
VOCABULARY = Vocabulary(WORDS.formats, KNOWN)


def answer(prompt: Template, known: tuple[Capability, ...] = KNOWN) -> str:
    parts = Parts([said("a"), said("b"), said("c")])
    outcome = run(Invocation(prompt, "gpt-0", "hello"), parts.means, None, known)
    return f"{outcome.answer} ({len(parts.sent)})"


def test_a_file_that_declares_nothing_has_the_single_exchange() -> None:
    assert answer(template("description: x", VOCABULARY)) == "a (1)"


def test_a_file_that_declares_a_capability_has_what_it_runs() -> None:
    assert answer(template("description: x\nrepeat: 3", VOCABULARY)) == "a b c (3)"
    assert answer(template("description: x\nsilence: yes", VOCABULARY)) == " (0)"


def test_the_first_of_the_list_takes_precedence() -> None:
    prompt = template("description: x\nsilence: yes\nrepeat: 2", VOCABULARY)
    assert answer(prompt) == "a b (2)"
    assert answer(prompt, (SILENCE, REPEAT)) == " (0)"


def test_a_capability_that_is_not_known_runs_nothing() -> None:
    assert answer(template("description: x\nrepeat: 3", VOCABULARY), ()) == "a (1)"


def test_a_capability_checks_its_key_and_guards_its_options() -> None:
    assert broken("description: x\nrepeat: often", VOCABULARY) == [
        (2, "repeat", "must be a number, this is text", "")
    ]
    text = "description: x\nsystem: '{{ pace }}'\noptions:\n  pace: {short: p}\nrepeat: 2\n"
    assert broken(text, VOCABULARY) == [
        (4, "options.pace", "clashes with an option that 'repeat' adds", ""),
        (4, "options.pace.short", "-p belongs to an option that 'repeat' adds", ""),
    ]


def test_the_sink_reaches_what_runs() -> None:
    class Sinking:
        def __init__(self) -> None:
            self.text = ""

        def __call__(self, event: object) -> None:
            self.text += event.text if isinstance(event, Text) else ""

        def close(self) -> None: ...

    sink = Sinking()
    parts = Parts([said("a"), said("b")], format=Plain())
    prompt = template("description: x\nrepeat: 2", VOCABULARY)
    run(Invocation(prompt, "gpt-0", "hello"), parts.means, sink, KNOWN)
    assert sink.text == "ab"


def test_the_program_knows_no_two_capabilities_of_one_key() -> None:
    keys = [capability.key for capability in CAPABILITIES]
    assert len(set(keys)) == len(keys)
    assert all(other in keys for capability in CAPABILITIES for other in capability.excludes)
