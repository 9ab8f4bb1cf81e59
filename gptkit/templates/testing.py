"""Runs the `tests:` of a prompt file offline, against the replies that the file gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from gptkit.core.chat import AnswerFormatError, Message, OutputFormat
from gptkit.core.yaml_tree import YamlFileError
from gptkit.templates.render import template_messages
from gptkit.templates.template import Case, Template

CHECKS: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda found, wanted: wanted in found,
    "not_contains": lambda found, wanted: wanted not in found,
    "equals": lambda found, wanted: wanted.removesuffix("\n") == found.removesuffix("\n"),
    "matches": lambda found, wanted: re.search(wanted, found) is not None,
}

MESSAGES = ("system_", "user_")
"""Expectations of what is sent; all others are of the answer."""


class CaseResult(NamedTuple):
    """What came of one case; without failures it passed."""

    line: int
    failures: tuple[str, ...]


def run_case(template: Template, case: Case, form: OutputFormat) -> CaseResult:
    given = {"text": case.text, "request": case.request, "files": []}
    try:
        sent = template_messages(template, case.values, given)
    except YamlFileError as broken:
        return CaseResult(case.line, tuple(f"{one.key}: {one.message}" for one in broken.problems))
    try:
        answer, defect = form.finish(case.reply), None
    except AnswerFormatError as caught:
        answer, defect = "", caught
    failures = []
    for name, wanted in case.expect.items():
        part, check, found = _part(name, sent, answer)
        if part == "answer" and defect is not None:
            continue
        for text in wanted:
            if not CHECKS[check](found, text):
                failures.append(f"{part} should {_verb(check)} {_cut(text)}; it is {_cut(found)}")
    if defect is not None and not all(name.startswith(MESSAGES) for name in case.expect):
        failures.append(f"the reply is not what 'output' promises: {defect.problem}")
    return CaseResult(case.line, tuple(failures))


def _part(name: str, sent: tuple[Message, ...], answer: str) -> tuple[str, str, str]:
    for role, place in (("system", 0), ("user", -1)):
        if name.startswith(f"{role}_"):
            there = bool(sent) and sent[place].role == role
            return f"{role} message", name.removeprefix(f"{role}_"), sent[place].content if there else ""
    return "answer", name, answer


def _verb(check: str) -> str:
    return {"contains": "contain", "not_contains": "not contain", "equals": "be", "matches": "match"}[check]


def _cut(text: str, limit: int = 120) -> str:
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    return "'" + shown.replace("\n", "\\n") + "'"
