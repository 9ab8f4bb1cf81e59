"""The `tests:` of a prompt file: how they are read, and what makes one fail."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from prompt_files import broken, template

from gptkit.core.chat import AnswerFormatError, Rendering
from gptkit.core.errors import IncompleteError
from gptkit.templates.template import Case, Template
from gptkit.templates.testing import CaseResult, run_case

HEAD = """\
description: x
system: You write to {{ to }}.{% if count %} {{ count }} words.{% endif %}
options: {to: {default: all}, count: {type: integer}, calm: {type: boolean}}
arguments: {topic: {type: choice, choices: [no, yes]}, text: , tags: {type: list}}
user: "{{ topic }} {{ text }} {{ request }} {{ tags }} {{ calm }}"
examples: [{user: u, assistant: a}]
tests:
"""


class Shouted:
    """An output format: the answer in capitals."""

    streams = True
    rendering: Rendering = "none"
    parameters: Mapping[str, object] = {}

    def finish(self, text: str) -> str:
        if not text:
            raise AnswerFormatError("it is empty", IncompleteError("no answer"), again=False)
        return text.upper()


def of(case: str) -> tuple[Template, Case]:
    found = template(f"{HEAD}  - {case}\n")
    return found, found.cases[0]


def failures(case: str) -> list[str]:
    result = run_case(*of(case), Shouted())
    assert result.line == 8
    return list(result.failures)


def test_every_key_of_a_test_is_read() -> None:
    _, case = of(
        "{text: no, request: 1.0, reply: null, arguments: {topic: yes, tags: [a, null]}, "
        "options: {to: ~, count: 010, calm: yes}, expect: {contains: null, matches: [a, b]}}"
    )
    assert case == Case(
        line=8,
        text="no",
        request="1.0",
        reply="null",
        values={"topic": "yes", "tags": ("a", "null"), "to": "~", "count": 10, "calm": True},
        expect={"contains": ("null",), "matches": ("a", "b")},
    )


def test_a_test_may_say_little() -> None:
    _, case = of("{text: , expect: {equals: ''}}")
    assert (case.text, case.request, case.reply, case.values) == ("", "", "", {})


EXPECTATIONS = (
    "contains, not_contains, equals, matches, system_contains, system_not_contains, user_contains, "
)
MISSING = "missing; a test without it cannot fail"
WRONG = [
    ("text", [("tests.1", "must be a mapping of keys, this is text", "")]),
    ("{text: a}", [("tests.1.expect", MISSING, "")]),
    ("{expect: }", [("tests.1.expect", MISSING, "")]),
    ("{expect: {}}", [("tests.1.expect", MISSING, "")]),
    ("{expect: [a]}", [("tests.1.expect", "must be a mapping of keys, this is a list", "")]),
    ("{expect: {contain: a}}", [("tests.1.expect.contain", "unknown key", "did you mean 'contains'?")]),
    (
        "{expect: {is: a}}",
        [("tests.1.expect.is", "unknown key", f"allowed: {EXPECTATIONS}user_not_contains")],
    ),
    ("{expect: {contains: []}}", [("tests.1.expect.contains", "empty; such a test proves nothing", "")]),
    ("{expect: {contains: }}", [("tests.1.expect.contains", "empty; such a test proves nothing", "")]),
    ("{expect: {contains: [a, '']}}", [("tests.1.expect.contains", "empty; such a test proves nothing", "")]),
    ("{expect: {contains: {a: b}}}", [("tests.1.expect.contains", "must be text, this is a mapping", "")]),
    (
        "{expect: {matches: '(a'}}",
        [
            (
                "tests.1.expect.matches",
                "not a regular expression: unexpected '(a'",
                "",
            )
        ],
    ),
    ("{text: [a], expect: {equals: a}}", [("tests.1.text", "must be text, this is a list", "")]),
    ("{reply: {a: b}, expect: {equals: a}}", [("tests.1.reply", "must be text, this is a mapping", "")]),
    ("{replay: a, expect: {equals: a}}", [("tests.1.replay", "unknown key", "did you mean 'reply'?")]),
    (
        "{options: {too: a}, expect: {equals: a}}",
        [("tests.1.options.too", "not declared", "did you mean 'to'?")],
    ),
    (
        "{options: {topic: no}, expect: {equals: a}}",
        [("tests.1.options.topic", "not declared", "allowed: to, count, calm")],
    ),
    (
        "{arguments: {to: no}, expect: {equals: a}}",
        [("tests.1.arguments.to", "not declared", "did you mean 'topic'?")],
    ),
    (
        "{arguments: {text: a}, expect: {equals: a}}",
        [("tests.1.arguments.text", "this is the test's own key 'text'", "")],
    ),
    (
        "{options: [to], expect: {equals: a}}",
        [("tests.1.options", "must be a mapping of keys, this is a list", "")],
    ),
    (
        "{options: {count: many}, expect: {equals: a}}",
        [("tests.1.options.count", "must be a whole number, this is 'many'", "")],
    ),
    (
        "{options: {count: }, expect: {equals: a}}",
        [("tests.1.options.count", "must be a whole number, this is ''", "")],
    ),
    (
        "{arguments: {topic: maybe}, expect: {equals: a}}",
        [("tests.1.arguments.topic", "'maybe' is not one of the choices", "allowed: no, yes")],
    ),
]


@pytest.mark.parametrize(("case", "problems"), WRONG, ids=[case for case, _ in WRONG])
def test_a_wrong_test_is_refused(case: str, problems: list[tuple[str, str, str]]) -> None:
    assert broken(f"{HEAD}  - {case}\n") == [(8, *problem) for problem in problems]


PASSING = [
    "{reply: hello, expect: {contains: [HELLO, ELL], not_contains: hello, equals: HELLO, matches: ^H.*O$}}",
    '{reply: "hello\\n", expect: {equals: HELLO}}',
    '{reply: hello, expect: {equals: "HELLO\\n"}}',
    "{expect: {system_contains: to all., system_not_contains: words}}",
    "{options: {to: Ana, count: 3}, expect: {system_contains: [to Ana., 3 words]}}",
    "{text: 你好, request: why, arguments: {tags: [a, b]}, expect: {user_contains: '你好 why a, b'}}",
    "{text: t, expect: {user_not_contains: u}}",
]


@pytest.mark.parametrize("case", PASSING)
def test_what_holds_passes(case: str) -> None:
    assert failures(case) == []


FAILING = [
    ("{reply: a, expect: {contains: b}}", ["answer should contain 'b'; it is 'A'"]),
    (
        "{reply: a, expect: {contains: [A, b, c]}}",
        ["answer should contain 'b'; it is 'A'", "answer should contain 'c'; it is 'A'"],
    ),
    ("{reply: a, expect: {not_contains: A}}", ["answer should not contain 'A'; it is 'A'"]),
    ("{reply: a, expect: {equals: a}}", ["answer should be 'a'; it is 'A'"]),
    ('{reply: a, expect: {equals: "A\\n\\n"}}', ["answer should be 'A\\n\\n'; it is 'A'"]),
    ("{reply: a, expect: {matches: ^B}}", ["answer should match '^B'; it is 'A'"]),
    ("{expect: {system_contains: b}}", ["system message should contain 'b'; it is 'You write to all.'"]),
    (
        "{expect: {system_not_contains: all}}",
        ["system message should not contain 'all'; it is 'You write to all.'"],
    ),
    ("{text: t, expect: {user_contains: b}}", ["user message should contain 'b'; it is ' t   False'"]),
    (
        "{text: t, expect: {user_not_contains: t}}",
        ["user message should not contain 't'; it is ' t   False'"],
    ),
    (
        f"{{reply: {'长' * 200}, expect: {{contains: b}}}}",
        [f"answer should contain 'b'; it is '{'长' * 119}…'"],
    ),
    ("{reply: '', expect: {not_contains: a}}", ["the reply is not what 'output' promises: it is empty"]),
    (
        "{expect: {equals: a, contains: b, user_contains: c}}",
        [
            "user message should contain 'c'; it is '    False'",
            "the reply is not what 'output' promises: it is empty",
        ],
    ),
]


@pytest.mark.parametrize(("case", "expected"), FAILING, ids=[case[:40] for case, _ in FAILING])
def test_what_does_not_hold_fails_with_both_sides(case: str, expected: list[str]) -> None:
    assert failures(case) == expected


def test_an_example_is_not_the_user_message() -> None:
    found = template(
        "description: x\nexamples: [{user: u, assistant: a}]\n"
        "tests:\n  - {expect: {user_not_contains: u, system_not_contains: u}}\n"
    )
    assert run_case(found, found.cases[0], Shouted()) == CaseResult(4, ())


def test_a_prompt_that_cannot_be_rendered_fails_its_test() -> None:
    found = template("description: x\nuser: '{{ text }}{{ files[0].text }}'\ntests: [{expect: {equals: a}}]")
    assert run_case(found, found.cases[0], Shouted()).failures == (
        "user: nothing has this name: 'files[0].text'",
    )
