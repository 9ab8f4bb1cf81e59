"""Run the `tests:` of a prompt file offline, with the replies that the file contains."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from gptkit.core.chat import AnswerFormatError, Message, OutputFormat
from gptkit.core.yaml_tree import YamlFileError
from gptkit.templates.render import template_messages
from gptkit.templates.template import Case, Template

CHECKS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda text, expected: expected in text,
    "not_contains": lambda text, expected: expected not in text,
    "equals": lambda text, expected: expected.removesuffix("\n") == text.removesuffix("\n"),
    "matches": lambda text, expected: re.search(expected, text) is not None,
}

MESSAGE_PREFIXES = ("system_", "user_")
"""How the names of expectations about messages begin; all others are about the answer."""


class CaseResult(NamedTuple):
    """The result of one test case; the case passed if there are no failures."""

    line: int
    failures: tuple[str, ...]


def run_case(template: Template, case: Case, output_format: OutputFormat) -> CaseResult:
    """Render the messages of a test case and compare them and its reply with its expectations."""
    variables = {"text": case.text, "request": case.request, "files": []}
    variables["attachments"] = list(case.attachments)
    try:
        messages = template_messages(template, case.values, variables)
    except YamlFileError as error:
        return CaseResult(case.line, tuple(f"{problem.key}: {problem.message}" for problem in error.problems))
    answer, format_error = "", None
    try:
        answer = output_format.finish(case.reply)
    except AnswerFormatError as error:
        format_error = error
    failures = []
    for name, expected_texts in case.expect.items():
        part, check, text = _part(name, messages, answer)
        if part == "answer" and format_error is not None:
            continue
        for expected in expected_texts:
            if not CHECKS[check](text, expected):
                failures.append(f"{part} should {_verb(check)} {_quote(expected)}; it is {_quote(text)}")
    if format_error is not None and not all(name.startswith(MESSAGE_PREFIXES) for name in case.expect):
        failures.append(f"the reply is not what 'output' promises: {format_error.problem}")
    return CaseResult(case.line, tuple(failures))


def _part(name: str, messages: tuple[Message, ...], answer: str) -> tuple[str, str, str]:
    """The part that an expectation is about, the name of its check, and the text of the part."""
    for role, index in (("system", 0), ("user", -1)):
        if name.startswith(f"{role}_"):
            is_sent = bool(messages) and messages[index].role == role
            text = messages[index].content if is_sent else ""
            return f"{role} message", name.removeprefix(f"{role}_"), text
    return "answer", name, answer


def _verb(check: str) -> str:
    return {"contains": "contain", "not_contains": "not contain", "equals": "be", "matches": "match"}[check]


def _quote(text: str, limit: int = 120) -> str:
    short = text if len(text) <= limit else text[: limit - 1] + "…"
    return "'" + short.replace("\n", "\\n") + "'"
