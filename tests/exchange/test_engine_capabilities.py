"""A capability is one value: what a prompt file may say, which options that brings, and what runs."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import get_type_hints

import pytest
from engine_parts import Parts, Plain, said
from prompt_files import WORDS, broken, template

from gptkit.app import build_services
from gptkit.capabilities import CAPABILITIES
from gptkit.capabilities.character import config as character
from gptkit.capabilities.character.config import CharacterOptions
from gptkit.capabilities.course import config as course
from gptkit.capabilities.course.config import CourseOptions
from gptkit.cli import fast_args as quick
from gptkit.cli import root as main
from gptkit.core.chat import AnswerDelta, Reply, Sink
from gptkit.core.terminal import memory_terminal
from gptkit.core.yaml_tree import Problem, YamlNode
from gptkit.exchange.ask import ask
from gptkit.exchange.capability import Capability, FileReport, HousekeepingCommand, run
from gptkit.exchange.invocation import Invocation, Outcome, Runtime, build_request
from gptkit.jobs.options import OPTIONS, JobOptions
from gptkit.services import Services
from gptkit.session.call import Call
from gptkit.templates.template import Parameter, Template, Vocabulary


def times(node: YamlNode, report: Callable[[Problem], None]) -> object:
    found = node.data()
    if isinstance(found, int):
        return found
    report(Problem(node.line, "repeat", f"must be a number, this is {node.kind}"))
    return None


def repeated(invocation: Invocation, runtime: Runtime, sink: Sink | None) -> Outcome:
    """The exchange as often as the file says, the answers in a row."""
    count = invocation.template.capabilities["repeat"]
    assert isinstance(count, int)
    answers = [ask(invocation, runtime, sink).answer for _ in range(count)]
    return Outcome(Reply("".join(answers), "stop"), " ".join(answers))


def silent(invocation: Invocation, runtime: Runtime, sink: Sink | None) -> Outcome:
    return Outcome(Reply("", "stop"), "")


REPEAT = Capability("repeat", times, (Parameter("pace", "number", short="p"),), run=repeated)
SILENCE = Capability("silence", lambda node, report: node.data(), run=silent)
KNOWN = (REPEAT, SILENCE)
VOCABULARY = Vocabulary(WORDS.formats, KNOWN)


def answer(prompt: Template, known: tuple[Capability, ...] = KNOWN) -> str:
    parts = Parts([said("a"), said("b"), said("c")])
    asked = Invocation(prompt, "gpt-0", "hello")
    outcome = run(asked, build_request(asked, parts.runtime.format), parts.runtime, None, known)
    return f"{outcome.answer} ({len(parts.sent)})"


def test_a_file_that_declares_nothing_has_the_single_exchange() -> None:
    assert answer(template("description: x", VOCABULARY)) == "a (1)"


def test_a_file_that_declares_a_capability_has_what_it_runs() -> None:
    assert answer(template("description: x\nrepeat: 3", VOCABULARY)) == "a b c (3)"
    assert answer(template("description: x\nsilence: yes", VOCABULARY)) == " (0)"


def test_a_file_cannot_declare_two_that_run() -> None:
    assert broken("description: x\nsilence: yes\nrepeat: 2", VOCABULARY) == [
        (2, "silence", "does not go together with 'repeat'", "")
    ]


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
            self.text += event.text if isinstance(event, AnswerDelta) else ""

        def close(self) -> None: ...

    sink = Sinking()
    parts = Parts([said("a"), said("b")], format=Plain())
    prompt = template("description: x\nrepeat: 2", VOCABULARY)
    asked = Invocation(prompt, "gpt-0", "hello")
    run(asked, build_request(asked, parts.runtime.format), parts.runtime, sink, KNOWN)
    assert sink.text == "ab"


def test_the_program_knows_no_two_capabilities_of_one_key() -> None:
    keys = [capability.key for capability in CAPABILITIES]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("capability", CAPABILITIES, ids=lambda one: one.key)
def test_what_a_capability_loads_late_is_there_and_its_own(capability: Capability) -> None:
    home = capability.check.__module__.rpartition(".")[0]
    places = [hook.__name__ for hook in capability if callable(hook) and ":" in hook.__name__]
    for place in places:
        module, _, name = place.partition(":")
        assert module.startswith(f"{home}.")
        assert callable(getattr(import_module(module), name))


@pytest.mark.parametrize(
    ("kind", "options"),
    [(CharacterOptions, character.OPTIONS), (CourseOptions, course.OPTIONS), (JobOptions, OPTIONS)],
    ids=["character", "course", "long"],
)
def test_options_have_a_typed_field_each(
    kind: type[tuple[object, ...]], options: tuple[Parameter, ...]
) -> None:
    kinds = {"text": str, "file": str, "choice": str, "integer": int, "number": float, "boolean": bool}
    fields = get_type_hints(kind)
    assert [name.rstrip("_") for name in fields] == [option.variable for option in options]
    for option, hint in zip(options, fields.values(), strict=True):
        wanted = tuple[str, ...] if option.kind == "list" else kinds[option.kind]
        assert hint in (wanted, wanted | None)


def greeted(call: Call) -> int | None:
    if not call.values.get("greet"):
        return None
    call.services.terminal.write(f"{call.template.capabilities['greeter']}, {call.read_input().text}!\n")
    return 0


def report(_services: Services, name: str) -> FileReport | None:
    return FileReport("greeting", (f"{name}: ok",), False) if name.endswith(".hello") else None


GREETER = Capability(
    "greeter",
    lambda node, report: node.data(),
    (Parameter("greet", "boolean", plain=True, help="Greet."),),
    take_over=greeted,
    check_file=report,
    commands=(HousekeepingCommand("greetings", "gptkit.cli.doctor", "List the greetings."),),
)


def test_a_capability_is_added_without_touching_another_file(tmp_path: Path) -> None:
    """An option, a hook of `prompts check` and a command of its own, through the whole command line."""
    prompts = tmp_path / "config" / "prompts"
    prompts.mkdir(parents=True)
    (prompts / "hi.yaml").write_text("description: Says hi.\ngreeter: Hallo\n")

    def run_program(*words: str) -> tuple[int, str]:
        terminal = memory_terminal(environ={"GPTKIT_HOME": str(tmp_path)})
        with terminal.redirect_library_output():
            services = build_services(terminal, (*CAPABILITIES, GREETER))
            code = quick.run(words, services)
            code = main.run(list(words), services) if code is None else code
        return code, terminal.output.decode()

    assert run_program("hi", "世界", "--greet") == (0, "Hallo, 世界!\n")
    code, page = run_program("hi", "--help")
    assert (code, "--greet" in page) == (0, True)
    assert run_program("prompts", "check", "a.hello") == (0, "a.hello: ok\n")
    assert "List the greetings." in run_program("--help")[1]
