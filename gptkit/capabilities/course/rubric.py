"""Rubrics and grades: read a rubric, make the JSON Schema of a grade, check the marks of a model."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gptkit.core.yaml_tree import (
    Problem,
    ReportProblem,
    YamlFileError,
    YamlNode,
    list_items,
    mapping_entries,
    parse_scalar,
    parse_yaml,
    single_line,
    text_value,
)
from gptkit.text.quotes import is_quoted, strip_quotes


class Criterion(NamedTuple):
    name: str
    points: float
    wants: str = ""


class Rubric(NamedTuple):
    """What an answer is graded by."""

    criteria: tuple[Criterion, ...]
    key: str = ""  # an answer that is known to be right, or empty

    @property
    def points(self) -> float:
        return _sum(criterion.points for criterion in self.criteria)


class Mark(NamedTuple):
    """The points for one criterion."""

    criterion: str
    points: float
    most: float  # points that the criterion is worth
    evidence: str  # quoted from the answer; empty only for 0 points
    reason: str


class Grade(NamedTuple):
    marks: tuple[Mark, ...]
    feedback: str

    @property
    def total(self) -> float:
        """The sum of the points, which the program adds up since models add badly."""
        return _sum(mark.points for mark in self.marks)

    @property
    def most(self) -> float:
        return _sum(mark.most for mark in self.marks)


def grade_schema(rubric: Rubric) -> dict[str, object]:
    """Return the JSON Schema of a grade: one entry for each criterion, and no total."""
    mark = {
        "criterion": {"type": "string", "enum": [criterion.name for criterion in rubric.criteria]},
        "evidence": {
            "type": "string",
            "description": "Words of the answer that earn the points, copied exactly; empty for 0 points.",
        },
        "reason": {"type": "string", "description": "Why so many points, in one sentence."},
        "points": {
            "type": "number",
            "minimum": 0,
            "maximum": max((criterion.points for criterion in rubric.criteria), default=0),
            "description": "; ".join(f"{c.name}: 0 to {c.points:g}" for c in rubric.criteria),
        },
    }
    count = len(rubric.criteria)
    properties: dict[str, object] = {
        "marks": {"type": "array", "minItems": count, "maxItems": count, "items": _object(mark)},
        "feedback": {"type": "string", "description": "What to keep and what to do better, to the learner."},
    }
    return _object(properties)


def check_marks(
    rubric: Rubric, grade: Mapping[str, Any], answer: str
) -> tuple[Grade | None, tuple[str, ...]]:
    """Check a grade that the rubric's schema allows, and return it; or None and its problems.

    The problems are worded so that the model can correct the grade.
    """
    problems: list[str] = []
    marks: dict[str, Mark] = {}
    known = {criterion.name: criterion for criterion in rubric.criteria}
    for entry in grade["marks"]:
        name = entry["criterion"]
        if name in marks:
            problems.append(f"{name}: marked twice")
        else:
            marks[name] = _mark(known[name], entry, answer, problems)
    problems += [f"{name}: not marked" for name in known if name not in marks]
    if problems:
        return None, tuple(problems)
    ordered = tuple(marks[criterion.name] for criterion in rubric.criteria)
    return Grade(ordered, grade["feedback"].strip()), ()


def _mark(criterion: Criterion, entry: Mapping[str, Any], answer: str, problems: list[str]) -> Mark:
    points, quote = entry["points"], strip_quotes(entry["evidence"])
    if points > criterion.points:
        problems.append(f"{criterion.name}: {points:g} points are not between 0 and {criterion.points:g}")
    if quote and not is_quoted(quote, answer):
        problems.append(f"{criterion.name}: the answer does not say '{quote}'")
    elif points > 0 and not quote:
        problems.append(f"{criterion.name}: points without evidence quoted from the answer")
    return Mark(criterion.name, round(float(points), 2), criterion.points, quote, entry["reason"].strip())


def _sum(points: Iterable[float]) -> float:
    return round(math.fsum(points), 2)


def _object(properties: Mapping[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


KEYS = ("criteria", "key")
CRITERION_KEYS = ("name", "points", "wants")
POINTS = 10.0
"""Points that an answer is worth if only a key is given."""
MAX_CRITERIA = 50
_UNIT = "(?: points? | pts? | marks? | Punkte? | 分 | 點 | 点 )"
_LINE = re.compile(
    rf"""\s* (?: [-*•·] \s+ | \d{{1,2}} [.)、．] \s* )?
    (?P<name> \S .*? ) \s*
    (?: [(（\[【] \s* (?P<inside> \d+(?:\.\d+)? ) \s* {_UNIT}? \s* [)）\]】]
      | [:：] \s* (?P<after> \d+(?:\.\d+)? ) \s* {_UNIT} ) [.。]? \s*""",
    re.VERBOSE | re.IGNORECASE,
)


def parse_rubric(content: str, source: str) -> Rubric:
    """Read a rubric; raises YamlFileError with line and key.

    A mapping with `criteria` or `key` is YAML; lines that all end in points, as `Names the rule (3 points)`,
    are criteria; any other text is a key.
    """
    if re.search(r"^(criteria|key)\s*:", content, re.MULTILINE) or source.endswith((".yaml", ".yml")):
        return _parse_yaml_rubric(content, source)
    if not content.strip():
        raise YamlFileError(source, (Problem(1, "", "empty"),))
    lines = [(number, line) for number, line in enumerate(content.splitlines(), 1) if line.strip()]
    matches = [(number, _LINE.fullmatch(line)) for number, line in lines]
    criteria = [
        (number, Criterion(match["name"], float(match["inside"] or match["after"])))
        for number, match in matches
        if match
    ]
    if len(criteria) < len(lines):
        return Rubric((Criterion("answer", POINTS, "agrees with the key"),), content.strip())
    problems: list[Problem] = []
    return _validate(criteria, "", source, problems)


def _parse_yaml_rubric(content: str, source: str) -> Rubric:
    problems: list[Problem] = []
    root = parse_yaml(content, source)
    entries = mapping_entries(root, "", problems.append, KEYS)
    criteria = [
        (node.line, _parse_criterion(node, f"criteria.{index}", problems.append))
        for index, node in enumerate(list_items(entries.get("criteria"), "criteria", problems.append), 1)
    ]
    key = text_value(entries.get("key"), "key", problems.append).strip()
    if not criteria and key:
        criteria = [(entries["key"].line, Criterion("answer", POINTS, "agrees with the key"))]
    return _validate(criteria, key, source, problems)


def _parse_criterion(node: YamlNode, key: str, report: ReportProblem) -> Criterion:
    entries = mapping_entries(node, key, report, CRITERION_KEYS)
    for name in ("name", "points"):
        if name not in entries or entries[name].kind == "nothing":
            report(Problem(node.line, f"{key}.{name}", "missing"))
    points = parse_scalar(str(entries["points"].value)) if "points" in entries else 1
    if isinstance(points, bool) or not isinstance(points, int | float):
        report(Problem(entries["points"].line, f"{key}.points", "must be a number"))
        points = 1
    return Criterion(
        name=single_line(entries.get("name"), f"{key}.name", report),
        points=float(points),
        wants=text_value(entries.get("wants"), f"{key}.wants", report).strip(),
    )


def _validate(
    criteria: list[tuple[int, Criterion]], key: str, source: str, problems: list[Problem]
) -> Rubric:
    names: set[str] = set()
    for line, criterion in criteria[:MAX_CRITERIA]:
        if criterion.name in names:
            problems.append(Problem(line, "criteria", f"'{criterion.name}' stands here twice"))
        if not 0 < criterion.points <= 1000:
            problems.append(Problem(line, "criteria", "points must be more than 0 and at most 1000"))
        names.add(criterion.name)
    if len(criteria) > MAX_CRITERIA:
        problems.append(Problem(criteria[MAX_CRITERIA][0], "criteria", f"more than {MAX_CRITERIA}"))
    if not criteria and not problems:
        problems.append(Problem(1, "criteria", "missing; without a 'key' there is nothing to grade by"))
    if problems:
        raise YamlFileError(source, tuple(problems))
    return Rubric(tuple(criterion for _, criterion in criteria), key)
