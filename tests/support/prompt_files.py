"""Prompt files in memory: what a text becomes, or all that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from gptkit.core.yaml_tree import Problem, YamlFileError, YamlNode, parse_yaml
from gptkit.templates import parse, render
from gptkit.templates.template import CaseWords, Parameter, Template, Vocabulary

FILE = "/prompts/haiku.yaml"
ALL_KEYS = (
    "allowed: description, usage, group, system, user, examples, options, arguments, input, model, "
    "parameters, output, "
    "nothing, attachments, tests, extends"
)


def _checked(node: YamlNode, report: Callable[[Problem], None]) -> object:
    return node.data()


@dataclass(frozen=True)
class Extension:
    """A capability as the parser sees it."""

    key: str
    options: tuple[Parameter, ...] = ()
    claims: frozenset[str] = frozenset()
    variables: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    check: Callable[[YamlNode, Callable[[Problem], None]], object] = _checked
    case_words: CaseWords = field(default_factory=CaseWords)


WORDS = Vocabulary(
    formats=("text", "markdown", "code", "json"),
    reserved_options=frozenset({"model", "no-stream", "help"}),
    reserved_shorts=frozenset({"m", "h"}),
    reserved_names=frozenset({"prompts"}),
    check_schema=lambda schema: "no type" if "type" not in schema else None,
)


def template(text: str, words: Vocabulary = WORDS, name: str = "haiku") -> Template:
    """The template, checked as far as one file alone can be."""
    found = parse.parse_template(name, parse_yaml(text, FILE), FILE, words)
    problems = (*render.variable_problems(found), *render.unknown_word_problems(found))
    if problems:
        raise YamlFileError(FILE, problems)
    return found


def broken(text: str, words: Vocabulary = WORDS, name: str = "haiku") -> list[tuple[int, str, str, str]]:
    """Line, key, message and hint of everything that is wrong."""
    with pytest.raises(YamlFileError) as caught:
        template(text, words, name)
    error = caught.value
    assert error.code == 65
    assert error.source == FILE
    first = error.problems[0]
    key = f"{first.key}: " if first.key else ""
    assert error.message.startswith(f"{FILE}:{first.line}: {key}{first.message}")
    assert error.hint == first.hint
    return [(problem.line, problem.key, problem.message, problem.hint) for problem in error.problems]
