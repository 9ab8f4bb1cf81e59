"""Reads what answers are graded by: a rubric as YAML or as lines of text, or a key."""

from __future__ import annotations

import re

from gptkit.core.yaml_tree import (
    BrokenPrompt,
    Node,
    Problem,
    Report,
    listed,
    mapping,
    scalar,
    text,
    tree,
    word,
)
from gptkit.learning.grading import Criterion, Rubric

KEYS = ("criteria", "key")
CRITERION_KEYS = ("name", "points", "wants")
POINTS = 10.0
"""What an answer can earn where only the key is given."""
MOST_CRITERIA = 50
_UNIT = "(?: points? | pts? | marks? | Punkte? | 分 | 點 | 点 )"
_LINE = re.compile(
    rf"""\s* (?: [-*•·] \s+ | \d{{1,2}} [.)、．] \s* )?
    (?P<name> \S .*? ) \s*
    (?: [(（\[【] \s* (?P<inside> \d+(?:\.\d+)? ) \s* {_UNIT}? \s* [)）\]】]
      | [:：] \s* (?P<after> \d+(?:\.\d+)? ) \s* {_UNIT} ) [.。]? \s*""",
    re.VERBOSE | re.IGNORECASE,
)


def rubric(content: str, source: str) -> Rubric:
    """Raises BrokenPrompt by line and key.

    A mapping with `criteria` or `key` is YAML; lines that all end in points, as in `Names the rule
    (3 points)`, are criteria; anything else is a key.
    """
    if re.search(r"^(criteria|key)\s*:", content, re.MULTILINE) or source.endswith((".yaml", ".yml")):
        return _from_yaml(content, source)
    if not content.strip():
        raise BrokenPrompt(source, (Problem(1, "", "empty"),))
    lines = [(number, line) for number, line in enumerate(content.splitlines(), 1) if line.strip()]
    matches = [(number, _LINE.fullmatch(line)) for number, line in lines]
    found = [
        (number, Criterion(match["name"], float(match["inside"] or match["after"])))
        for number, match in matches
        if match
    ]
    if len(found) < len(lines):
        return Rubric((Criterion("answer", POINTS, "agrees with the key"),), content.strip())
    problems: list[Problem] = []
    return _checked(found, "", source, problems)


def _from_yaml(content: str, source: str) -> Rubric:
    problems: list[Problem] = []
    root = tree(content, source)
    entries = mapping(root, "", problems.append, KEYS)
    found = [
        (node.line, _criterion(node, f"criteria.{index}", problems.append))
        for index, node in enumerate(listed(entries.get("criteria"), "criteria", problems.append), 1)
    ]
    key = text(entries.get("key"), "key", problems.append).strip()
    if not found and key:
        found = [(entries["key"].line, Criterion("answer", POINTS, "agrees with the key"))]
    return _checked(found, key, source, problems)


def _criterion(node: Node, key: str, report: Report) -> Criterion:
    entries = mapping(node, key, report, CRITERION_KEYS)
    for name in ("name", "points"):
        if name not in entries or entries[name].kind == "nothing":
            report(Problem(node.line, f"{key}.{name}", "missing"))
    points = scalar(str(entries["points"].value)) if "points" in entries else 1
    if isinstance(points, bool) or not isinstance(points, int | float):
        report(Problem(entries["points"].line, f"{key}.points", "must be a number"))
        points = 1
    return Criterion(
        name=word(entries.get("name"), f"{key}.name", report),
        points=float(points),
        wants=text(entries.get("wants"), f"{key}.wants", report).strip(),
    )


def _checked(found: list[tuple[int, Criterion]], key: str, source: str, problems: list[Problem]) -> Rubric:
    names: set[str] = set()
    for line, criterion in found[:MOST_CRITERIA]:
        if criterion.name in names:
            problems.append(Problem(line, "criteria", f"'{criterion.name}' stands here twice"))
        if not 0 < criterion.points <= 1000:
            problems.append(Problem(line, "criteria", "points must be more than 0 and at most 1000"))
        names.add(criterion.name)
    if len(found) > MOST_CRITERIA:
        problems.append(Problem(found[MOST_CRITERIA][0], "criteria", f"more than {MOST_CRITERIA}"))
    if not found and not problems:
        problems.append(Problem(1, "criteria", "missing; without a 'key' there is nothing to grade by"))
    if problems:
        raise BrokenPrompt(source, tuple(problems))
    return Rubric(tuple(criterion for _, criterion in found), key)
