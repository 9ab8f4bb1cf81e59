"""Templates and values become messages; values are inserted once and never rendered themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple

from gptkit.core.chat import Message
from gptkit.core.yaml_tree import Problem, YamlFileError, spelling_hint
from gptkit.templates.template import INPUT_VARIABLES, Template, Value

if TYPE_CHECKING:
    import minijinja


FUEL = 5_000_000
"""Instructions that one rendering may take: a loop that never ends must."""
_ENDLESS = "the template does not come to an end"
_REASONS = {
    "OutOfFuel": _ENDLESS,
    "SyntaxError": "not a valid template, or something in it is not closed",
    "BadEscape": "a '\\' stands before a character that it does not go with",
    "UndefinedError": "nothing has this name",
    "UnknownFunction": "no such function",
    "UnknownMethod": "no such method",
    "UnknownFilter": "no such filter",
    "UnknownTest": "no such test",
    "InvalidOperation": "it cannot be computed",
    "MissingArgument": "an argument is missing",
    "TooManyArguments": "too many arguments",
    "TemplateNotFound": "a template loads no other one",
}
"""By the kind of minijinja's error; its words change with its releases."""
PARTS = ("system", "user")
"""The keys of a prompt file that are templates."""


def template_messages(
    template: Template, values: Mapping[str, Value], given: Mapping[str, object]
) -> tuple[Message, ...]:
    """System message, examples and user message. `given` holds `text`, `request` and `files`."""
    environment = _environment()
    chosen = {
        p.variable: p.empty_value if p.default is None else p.default for p in template.declared_parameters
    }
    chosen |= values
    named = {name: _List(value) if isinstance(value, tuple) else value for name, value in chosen.items()}
    names: dict[str, object] = {
        **dict.fromkeys((*INPUT_VARIABLES, *template.variables), ""),
        **named,
        **given,
    }
    found = []
    if system := _rendered(environment, template, "system", names).strip():
        found.append(Message("system", system))
    for user, assistant in template.examples:
        found += [Message("user", user), Message("assistant", assistant)]
    if user := _rendered(environment, template, "user", names):
        found.append(Message("user", user))
    return tuple(found)


class _List(list[str]):
    """The values of a `list`; where a template names all of them at once, a comma stands in between."""

    def __str__(self) -> str:
        return ", ".join(self)


def variable_problems(template: Template, own: frozenset[str] | None = None) -> tuple[Problem, ...]:
    """What is wrong with the templates of a file, and between the variables they use and it declares.

    `own` names the parameters that the file itself declares: one that was inherited may be unused.
    """
    environment = _environment()
    declared = {p.variable: p for p in template.declared_parameters}
    known = (*declared, *INPUT_VARIABLES, *template.variables)
    found: list[Problem] = []
    used: set[str] = set()
    for key in PARTS:
        source = getattr(template, key)
        try:
            names = _variables(environment, source) - (frozenset(environment.globals) - set(declared))
        except Exception as error:
            found.append(_problem(template, key, error))
            continue
        used |= names
        for name in sorted(names - set(known)):
            line = _line(template, key, _first_use(environment, source, name))
            found.append(
                Problem(line, key, f"the variable '{name}' is not declared", spelling_hint(name, known))
            )
    return tuple(found) or tuple(_unused(template, used, own))


def unknown_word_problems(template: Template) -> tuple[Problem, ...]:
    """Filters and tests that there are not, and other templates: else found when they are come upon."""

    environment = _environment()
    found = []
    for key in PARTS:
        source = getattr(template, key)
        for kind, name, offset in template_words(source):
            if kind == "load":
                message = f"'{name}' is not allowed: a template loads no other one"
            elif _is_known(environment, kind, name):
                continue
            else:
                message = f"unknown {kind} '{name}'"
            found.append(Problem(_line(template, key, source.count("\n", 0, offset)), key, message))
    return tuple(found)


def uses_variable(template: Template, name: str) -> bool:
    """Whether the messages of a template hold a variable."""
    environment = _environment()
    return any(name in _variables(environment, getattr(template, key)) for key in PARTS)


def _variables(environment: minijinja.Environment, source: str) -> frozenset[str]:
    return frozenset(environment.undeclared_variables_in_str(source)) if "{" in source else frozenset()


def _unused(template: Template, used: set[str], own: frozenset[str] | None) -> Iterator[Problem]:
    for parameter in template.declared_parameters:
        name = parameter.variable
        if name not in used and name not in INPUT_VARIABLES and (own is None or parameter.name in own):
            part = "options" if parameter in template.options else "arguments"
            key = f"{part}.{parameter.name}"
            yield Problem(parameter.line, key, f"no template uses the variable '{name}'")
    if template.input != "none" and not used & {"text", "files"}:
        line = template.lines.get("input") or template.lines.get("user", 1)
        message = "no template uses the variable 'text': the input would be lost"
        yield Problem(line, "input", message, "use it, or say 'input: none'")


def _is_known(environment: minijinja.Environment, kind: str, name: str) -> bool:
    """The engine keeps no list of its filters and tests, but says so when it does not know one."""
    try:
        environment.eval_expr(f"1|{name}" if kind == "filter" else f"1 is {name}")
    except Exception as error:
        return getattr(error, "kind", "") not in ("UnknownFilter", "UnknownTest")
    return True


def _environment() -> minijinja.Environment:
    import minijinja

    environment = minijinja.Environment(undefined_behavior="strict", auto_escape_callback=lambda _: False)
    environment.keep_trailing_newline = True
    environment.trim_blocks = True
    environment.lstrip_blocks = True
    environment.fuel = FUEL
    environment.remove_global("debug")  # it shows what is none of a template's business
    return environment


def _rendered(
    environment: minijinja.Environment, template: Template, key: str, names: Mapping[str, object]
) -> str:
    source = getattr(template, key)
    if "{" not in source:
        return str(source)
    try:
        return str(environment.render_str(source, key, **names))
    except Exception as error:
        raise YamlFileError(template.source, (_problem(template, key, error),)) from None


def _problem(template: Template, key: str, error: Exception) -> Problem:
    reason = _REASONS.get(getattr(error, "kind", ""), "it cannot be rendered")
    line = getattr(error, "line", None) or 1
    if reason is not _ENDLESS and (place := _place(getattr(template, key), error)):
        from gptkit.core.excerpt import shorten

        reason += f": '{shorten(place, 80)}'"
    return Problem(_line(template, key, line - 1), key, reason)


def _place(source: str, error: Exception) -> str:
    """What the engine stumbled over; the name before a `.` or `[` is a part of it."""
    start, end = getattr(error, "range", None) or (0, 0)
    data = source.encode("utf-8", "replace")  # the range counts bytes
    place = data[start:end].decode("utf-8", "replace").strip()
    if place[:1] in (".", "["):
        before = data[max(0, start - 200) : start].decode("utf-8", "ignore")
        name = re.search(r"[\w.\[\]'\"]*\Z", before)
        return f"{name.group() if name else ''}{place}"
    return place


def _line(template: Template, key: str, lines_before: int) -> int:
    """The line of the file, as far as lines of the text are lines of the file; else that of the key."""
    first = template.blocks.get(key)
    return first + lines_before if first else template.lines.get(key, 1)


def _first_use(environment: minijinja.Environment, source: str, name: str) -> int:
    """How many lines stand before the first place at which a word is this variable, and not just a word."""
    mark = "here"
    while mark in source:
        mark += "_"
    for place in islice(re.finditer(rf"\b{name}\b", source), 100):
        marked = f"{source[: place.start()]}{mark}{source[place.end() :]}"
        if mark in _variables(environment, marked):
            return source.count("\n", 0, place.start())
    return 0


_INSIDE = r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^"'])*?"""
_TAG = re.compile(
    r"\{#.*?#\}|\{%[-+]?\s*raw\s*[-+]?%\}.*?\{%[-+]?\s*endraw\s*[-+]?%\}"
    rf"|(?P<tag>\{{\{{{_INSIDE}\}}\}}|\{{%{_INSIDE}%\}})",
    re.DOTALL,
)
_TEXT = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'""", re.DOTALL)
_WORD = re.compile(
    r"\{%[-+]?\s*(?P<load>include|import|from|extends)\b"
    r"|(?:\||\{%[-+]?\s*filter\s)\s*(?P<filter>[A-Za-z_]\w*)"
    r"|\bis\s+(?:not\s+)?(?P<test>[A-Za-z_]\w*)"
)


class TemplateWord(NamedTuple):
    kind: Literal["load", "filter", "test"]
    name: str
    offset: int


def template_words(source: str) -> Iterator[TemplateWord]:
    """Filters, tests and statements that load other templates; what is raw, a comment or a text is none."""
    for part in _TAG.finditer(source):
        tag = _TEXT.sub(lambda text: " " * len(text[0]), part["tag"] or "")
        for found in _WORD.finditer(tag):
            kind: Literal["load", "filter", "test"] = found.lastgroup  # type: ignore[assignment]
            yield TemplateWord(kind, found[kind], part.start() + found.start(kind))
