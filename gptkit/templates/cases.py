"""The `tests:` of a prompt file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gptkit.core.excerpt import unexpected
from gptkit.core.yaml_tree import Problem, Report, listed, literal, mapping, nearest
from gptkit.templates.declare import INPUT_ARGUMENTS, value
from gptkit.templates.model import Case, Parameter, Value

if TYPE_CHECKING:
    from gptkit.core.yaml_tree import Node

CASE_KEYS = ("text", "request", "arguments", "options", "reply", "expect")
EXPECTATIONS = (
    "contains",
    "not_contains",
    "equals",
    "matches",
    "system_contains",
    "system_not_contains",
    "user_contains",
    "user_not_contains",
)


def cases(
    node: Node | None, options: Sequence[Parameter], arguments: Sequence[Parameter], report: Report
) -> tuple[Case, ...]:
    known = {"options": options, "arguments": arguments}
    return tuple(
        _case(item, f"tests.{index + 1}", known, report)
        for index, item in enumerate(listed(node, "tests", report))
    )


def _case(node: Node, key: str, known: Mapping[str, Sequence[Parameter]], report: Report) -> Case:
    entries = mapping(node, key, report, CASE_KEYS)
    expect = mapping(entries.get("expect"), f"{key}.expect", report, EXPECTATIONS)
    if isinstance(node.value, dict) and ("expect" not in entries or entries["expect"].value in ("", {})):
        report(Problem(node.line, f"{key}.expect", "missing; a test without it cannot fail"))
    values: dict[str, Value] = {}
    for part, declared in known.items():
        values |= _values(entries.get(part), f"{key}.{part}", declared, report)
    said = {
        name: literal(entries[name], f"{key}.{name}", report) if name in entries else ""
        for name in ("text", "request", "reply")
    }
    return Case(
        line=node.line,
        text=said["text"],
        request=said["request"],
        values=values,
        reply=said["reply"],
        expect={
            name: _expected(name, entry, f"{key}.expect.{name}", report) for name, entry in expect.items()
        },
    )


def _values(
    node: Node | None, key: str, declared: Sequence[Parameter], report: Report
) -> Mapping[str, Value]:
    known = {parameter.name: parameter for parameter in declared}
    found: dict[str, Value] = {}
    for name, entry in mapping(node, key, report).items():
        path = f"{key}.{name}"
        if name in INPUT_ARGUMENTS:
            report(Problem(entry.line, path, f"this is the test's own key '{name}'"))
        elif name not in known:
            hint = nearest(name, [one for one in known if one not in INPUT_ARGUMENTS])
            report(Problem(entry.line, path, "not declared", hint))
        elif (read := value(entry, known[name], path, report)) is not None:
            found[known[name].variable] = read
    return found


def _expected(name: str, node: Node, key: str, report: Report) -> tuple[str, ...]:
    items = listed(node, key, report) if isinstance(node.value, list) else (node,)
    found = tuple(literal(item, key, report) for item in items)
    if not items or (name != "equals" and any(item.value == "" for item in items)):
        report(Problem(node.line, key, "empty; such a test proves nothing"))
    if name == "matches":
        for pattern in found:
            try:
                re.compile(pattern)
            except re.error as error:
                what = "" if error.pos is None else f": {unexpected(pattern, error.pos)}"
                report(Problem(node.line, key, f"not a regular expression{what}"))
    return found
