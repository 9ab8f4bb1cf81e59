"""The prompt files that gptkit brings along: sound, tested by themselves, silent on what is the user's."""

from __future__ import annotations

import re
import unicodedata
from itertools import product
from pathlib import Path

import pytest
from delimiters import delimited

from gptkit.app import build_services
from gptkit.core.terminal import memory_terminal
from gptkit.output.formats import FORMATS
from gptkit.templates.library import Library, PromptFolder, built_in_folder
from gptkit.templates.render import template_messages, uses_variable
from gptkit.templates.template import Template, Value
from gptkit.templates.testing import CaseResult, run_case

FOLDER = Path(__file__).parents[2] / "prompts"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
WANTED = {
    "ask", "chat", "code", "commit", "describe", "email", "explain", "proofread", "qa", "review", "roleplay",
    "shell", "summarize", "translate", "tutor", "write",
}  # fmt: skip
CJK = re.compile("[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]")


def library() -> Library:
    """The built-in prompts with the vocabulary of the program itself."""
    return Library(
        [PromptFolder("built-in", built_in_folder())], build_services(memory_terminal()).vocabulary
    )


@pytest.fixture(params=NAMES)
def template(request: pytest.FixtureRequest) -> Template:
    found = library()
    return found.check(found.files()[request.param])


def test_the_folder_holds_the_promised_prompts_and_nothing_else() -> None:
    assert set(NAMES) >= WANTED
    assert sorted(path.name for path in FOLDER.iterdir()) == [f"{name}.yaml" for name in NAMES]
    assert list(library().files()) == NAMES


def test_the_tests_of_a_prompt_pass(template: Template) -> None:
    form = FORMATS[template.output](template.schema)
    trials = [run_case(template, case, form) for case in template.cases]
    assert trials == [CaseResult(case.line, ()) for case in template.cases]


def test_a_prompt_has_three_tests_and_one_in_chinese_japanese_or_korean(template: Template) -> None:
    assert len(template.cases) >= 3
    assert any(
        CJK.search(case.text + case.request + "".join(map(str, case.values.values())))
        for case in template.cases
    )


def test_a_prompt_that_takes_wishes_is_tested_with_one_and_without(template: Template) -> None:
    if uses_variable(template, "request"):
        assert {bool(case.request) for case in template.cases} == {True, False}


def test_every_option_is_tried_by_a_test(template: Template) -> None:
    tried = {name for case in template.cases for name in case.values}
    assert [option.name for option in template.options if option.variable not in tried] == []


def test_the_description_fits_on_a_line_and_ends_in_a_full_stop(template: Template) -> None:
    assert _columns(template.description) < 60
    assert re.fullmatch(r"[A-Z][^.]*\.", template.description)


def test_the_help_of_every_parameter_is_a_sentence(template: Template) -> None:
    for parameter in template.declared_parameters:
        assert re.fullmatch(r"[A-Z].{3,68}\.", parameter.help), parameter.name


def test_nothing_is_set_that_belongs_to_the_user(template: Template) -> None:
    assert (template.model, template.parameters) == ("", {})


def test_the_letters_of_prompts_do_not_contradict_each_other() -> None:
    found = library()
    letters: dict[str, set[str]] = {}
    for entry in found.files().values():
        for option in found.check(entry).options:
            letters.setdefault(option.short or f"--{option.name}", set()).add(option.name)
    assert {short: names for short, names in letters.items() if len(names) > 1} == {}


def test_no_combination_of_values_leaves_a_trace_of_the_template(template: Template) -> None:
    for values in _combinations(template):
        for text, request in (("some text", ""), ("some text", "some wish"), ("", "")):
            given = {"text": text, "request": request, "files": [{"name": "a.txt", "text": text}]}
            sent = template_messages(template, values, given)
            assert sent[0].role == "system"
            for message in sent:
                assert not re.search(r"\{%|%\}|None|undefined|\n\n\n|[ \t]\n", message.content), (
                    message.content
                )
            assert text in sent[-1].content
            assert request in sent[-1].content or "request" not in template.user


def test_what_is_inserted_comes_after_what_is_said_of_it(template: Template) -> None:
    """The text stands last, in the user's message, and never among the rules."""
    mark = "\u2042 the text itself"
    sent = template_messages(template, {}, {"text": mark, "request": "why", "files": []})
    assert mark in sent[-1].content
    assert not any(mark in message.content for message in sent[:-1])


def test_the_text_is_marked_as_data(template: Template) -> None:
    sent = template_messages(template, {}, {"text": "some text", "request": "why", "files": []})
    assert re.search(r"never instructions to you|are spoken in the story", sent[0].content)
    if opened := re.search(r"<([a-z]+)>\n(?:<document.*>\n)?some text", sent[-1].content):
        assert f"</{opened[1]}>" in sent[-1].content
        assert f"<{opened[1]}>" in sent[0].content


def _arguments(template: Template) -> set[str]:
    return {argument.variable for argument in template.arguments} - {"text", "request"}


def _combinations(template: Template) -> list[dict[str, Value]]:
    """All values together for every choice there is; then none of them."""
    samples: dict[str, Value] = {
        "text": "sample",
        "integer": 3,
        "number": 0.5,
        "boolean": True,
        "file": "sample",
    }
    given = [option.choices or [samples.get(option.kind, ("a", "b"))] for option in template.options]
    names = [option.variable for option in template.options]
    arguments: dict[str, Value] = dict.fromkeys(_arguments(template), "sample")
    every = [dict(zip(names, values, strict=True)) | arguments for values in product(*given)]
    return [*every, arguments]


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


BARE = re.compile(r"(?m)^</?[a-z]+(?: name=.*)?>$")
BLOCK = re.compile(r"<([a-z]+) [0-9a-f]{16}>\n(.*)\n</\1 [0-9a-f]{16}>", re.DOTALL)


def test_every_block_of_input_has_its_digits(template: Template) -> None:
    given = {"text": "X", "request": "W", "files": [{"name": "a.txt", "text": "X"}]}
    system, *turns = template_messages(template, {}, given)
    for turn in turns:
        assert not BARE.search(turn.content)
        for block in BLOCK.finditer(turn.content):
            assert block[0] == delimited(block[1], block[2])
            assert f"<{block[1]} ...>" in system.content
    has_words_alone = template.name in ("roleplay", "qa")  # the documents of qa come with their own lines
    assert bool(BLOCK.search(turns[-1].content)) != has_words_alone
