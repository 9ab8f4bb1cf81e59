"""Render the messages of a template; values are inserted once and never rendered themselves."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple

from gptkit.core.chat import Message, delimit
from gptkit.core.yaml_tree import Problem, YamlFileError, spelling_hint
from gptkit.templates.template import CIRCUMSTANCES, INPUT_VARIABLES, Template, Value

if TYPE_CHECKING:
    import minijinja


_SCRIPT_SAMPLE = 4000
"""Characters of a text that are looked at for its script."""
_SCRIPTS = {"CJK": "han", "HIRAGANA": "kana", "KATAKANA": "kana"}
"""Scripts that have another name in those of their characters."""
_DENSE_SCRIPTS = ("han", "kana", "hangul")
_DENSITY = 3
"""Letters of an alphabet that say about as much as one character of a dense script."""
FUEL = 5_000_000
"""Instructions of the template engine that one rendering may take, which ends endless loops."""
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
"""Messages by the kind of minijinja's error, since its own words change with its releases."""
PARTS = ("system", "user")
"""The keys of a prompt file that are templates."""


def template_messages(
    template: Template, values: Mapping[str, Value], inputs: Mapping[str, object]
) -> tuple[Message, ...]:
    """Render the system message, the examples and the user message of a template; raises YamlFileError.

    Args:
        values: the values of options and arguments that were given, by variable.
        inputs: the variables `text`, `request` and `files`, those of capabilities, and known circumstances.
    """
    environment = _environment()
    parameters = {
        p.variable: p.empty_value if p.default is None else p.default for p in template.declared_parameters
    }
    variables: dict[str, object] = dict.fromkeys((*INPUT_VARIABLES, *template.variables, *CIRCUMSTANCES), "")
    variables["script"] = _script(template, values, inputs)
    for name, value in {**parameters, **values}.items():
        variables[name] = _List(value) if isinstance(value, tuple) else value
    variables |= {
        name: inputs[name] for name in inputs if name not in CIRCUMSTANCES or name not in parameters
    }
    messages = []
    option = template.system_option
    system = values.get(option.variable) if option else None
    if system is None:
        system = _render(environment, template, "system", variables)
    if text := str(system).strip():
        messages.append(Message("system", text))
    for user, assistant in template.examples:
        messages += [Message("user", user), Message("assistant", assistant)]
    if user := _render(environment, template, "user", variables):
        messages.append(Message("user", user))
    return tuple(messages)


def _script(template: Template, values: Mapping[str, Value], inputs: Mapping[str, object]) -> str:
    """The script of the input; of the request and the arguments where the text is Latin or has no letters."""
    words = [inputs.get("request", ""), *(values.get(p.variable, "") for p in template.arguments)]
    script = text_script(str(inputs.get("text", "")))
    return script if script not in ("", "latin") else text_script(" ".join(map(str, words))) or script


def text_script(text: str) -> str:
    """Return the prevailing script of a text in lower case, such as `latin`, `han`, `hangul`, `cyrillic`.

    `kana` is Japanese, which mixes kana with Chinese characters; empty for a text without letters.
    """
    if text.isascii():
        return "latin" if any(map(str.isalpha, text[:_SCRIPT_SAMPLE])) else ""
    counts: Counter[str] = Counter()
    for sign in filter(str.isalpha, text[:_SCRIPT_SAMPLE]):
        name = unicodedata.name(sign, " ").split(" ")[0].split("-")[0]
        script = _SCRIPTS.get(name, name.lower())
        counts[script] += _DENSITY if script in _DENSE_SCRIPTS else 1
    if counts["kana"] * 10 > counts["han"]:
        counts["kana"] += counts.pop("han", 0)
    return max(counts, key=counts.__getitem__, default="") if counts.total() else ""


class _List(list[str]):
    """The values of a parameter of the type `list`, which a template shows joined by commas."""

    def __str__(self) -> str:
        return ", ".join(self)


def variable_problems(template: Template, own: frozenset[str] | None = None) -> tuple[Problem, ...]:
    """Syntax errors in the templates of a file, undeclared variables in them, and unused parameters.

    `own` names the parameters that the file itself declares, None for all: an inherited one may be unused.
    """
    environment = _environment()
    declared = {p.variable: p for p in template.declared_parameters}
    known = (*declared, *INPUT_VARIABLES, *template.variables, *CIRCUMSTANCES)
    problems: list[Problem] = []
    used: set[str] = set()
    for key in PARTS:
        source = getattr(template, key)
        try:
            names = _variables(environment, source) - (frozenset(environment.globals) - set(declared))
        except Exception as error:
            problems.append(_problem(template, key, error))
            continue
        used |= names
        for name in sorted(names - set(known)):
            line = _line(template, key, _lines_before_use(environment, source, name))
            message, hint = f"the variable '{name}' is not declared", spelling_hint(name, known)
            problems.append(Problem(line, key, message, hint))
    return tuple(problems) or tuple(_unused_problems(template, used, own))


def unknown_word_problems(template: Template) -> tuple[Problem, ...]:
    """Unknown filters and tests, and loading of other templates, which else fail when they are rendered."""
    environment = _environment()
    problems = []
    for key in PARTS:
        source = getattr(template, key)
        for kind, name, offset in template_words(source):
            if kind == "load":
                message = f"'{name}' is not allowed: a template loads no other one"
            elif _is_known(environment, kind, name):
                continue
            else:
                message = f"unknown {kind} '{name}'"
            problems.append(Problem(_line(template, key, source.count("\n", 0, offset)), key, message))
    return tuple(problems)


def uses_variable(template: Template, name: str) -> bool:
    """Whether the templates of a prompt file use a variable."""
    environment = _environment()
    return any(name in _variables(environment, getattr(template, key)) for key in PARTS)


def _variables(environment: minijinja.Environment, source: str) -> frozenset[str]:
    return frozenset(environment.undeclared_variables_in_str(source)) if "{" in source else frozenset()


def _unused_problems(template: Template, used: set[str], own: frozenset[str] | None) -> Iterator[Problem]:
    for parameter in template.declared_parameters:
        name = parameter.variable
        if (
            name not in used
            and parameter.kind != "system"
            and name not in (*INPUT_VARIABLES, *template.variables)
            and (own is None or parameter.name in own)
        ):
            part = "options" if parameter in template.options else "arguments"
            key = f"{part}.{parameter.name}"
            yield Problem(parameter.line, key, f"no template uses the variable '{name}'")
    if template.input != "none" and not used & {"text", "files"}:
        line = template.lines.get("input") or template.lines.get("user", 1)
        message = "no template uses the variable 'text': the input would be lost"
        yield Problem(line, "input", message, "use it, or say 'input: none'")


def _is_known(environment: minijinja.Environment, kind: str, name: str) -> bool:
    """Whether the engine knows a filter or test, by its error, since it has no list of these."""
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
    environment.add_filter("delimit", _delimit)
    environment.remove_global("debug")  # it would show all values
    return environment


def _delimit(text: object, name: str, /, **attributes: object) -> str:
    return delimit(str(text), name, **{key: str(value) for key, value in attributes.items()})


def _render(
    environment: minijinja.Environment, template: Template, key: str, variables: Mapping[str, object]
) -> str:
    source = getattr(template, key)
    if "{" not in source:
        return str(source)
    try:
        return str(environment.render_str(source, key, **variables))
    except Exception as error:
        raise YamlFileError(template.source, (_problem(template, key, error),)) from None


def _problem(template: Template, key: str, error: Exception) -> Problem:
    reason = _REASONS.get(getattr(error, "kind", ""), "it cannot be rendered")
    line = getattr(error, "line", None) or 1
    if reason is not _ENDLESS and (excerpt := _error_excerpt(getattr(template, key), error)):
        from gptkit.core.excerpt import shorten

        reason += f": '{shorten(excerpt, 80)}'"
    return Problem(_line(template, key, line - 1), key, reason)


def _error_excerpt(source: str, error: Exception) -> str:
    """The part of a template that an error is about, with the name before a `.` or `[`."""
    start, end = getattr(error, "range", None) or (0, 0)
    data = source.encode("utf-8", "replace")  # the range counts bytes
    excerpt = data[start:end].decode("utf-8", "replace").strip()
    if excerpt[:1] in (".", "["):
        before = data[max(0, start - 200) : start].decode("utf-8", "ignore")
        name = re.search(r"[\w.\[\]'\"]*\Z", before)
        return f"{name.group() if name else ''}{excerpt}"
    return excerpt


def _line(template: Template, key: str, lines_before: int) -> int:
    """The line of the file of a line in a template; the line of the key if the text is not in a `|` block."""
    first = template.blocks.get(key)
    return first + lines_before if first else template.lines.get(key, 1)


def _lines_before_use(environment: minijinja.Environment, source: str, name: str) -> int:
    """The number of lines before the first use of a variable, not of a mere word with the same letters."""
    marker = "here"
    while marker in source:
        marker += "_"
    for match in islice(re.finditer(rf"\b{name}\b", source), 100):
        marked = f"{source[: match.start()]}{marker}{source[match.end() :]}"
        if marker in _variables(environment, marked):
            return source.count("\n", 0, match.start())
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
    """A filter, a test, or a statement that loads another template, at an offset of the template."""

    kind: Literal["load", "filter", "test"]
    name: str
    offset: int


def template_words(source: str) -> Iterator[TemplateWord]:
    """Find filters, tests and loading statements in a template, outside of raw parts, comments and texts."""
    for part in _TAG.finditer(source):
        tag = _TEXT.sub(lambda text: " " * len(text[0]), part["tag"] or "")
        for match in _WORD.finditer(tag):
            kind: Literal["load", "filter", "test"] = match.lastgroup  # type: ignore[assignment]
            yield TemplateWord(kind, match[kind], part.start() + match.start(kind))
