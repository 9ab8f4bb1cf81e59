"""Grades: the rubric, the JSON Schema that a model grades by, and what of a grade is accepted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gptkit.text.quotes import is_quoted, unwrapped


class Criterion(NamedTuple):
    name: str
    points: float
    wants: str = ""


class Rubric(NamedTuple):
    """What an answer is graded by; `key` is an answer that is known to be right, or empty."""

    criteria: tuple[Criterion, ...]
    key: str = ""

    @property
    def points(self) -> float:
        return _sum(criterion.points for criterion in self.criteria)


class Mark(NamedTuple):
    """Points for one criterion; `evidence` is quoted from the answer, empty only where nothing earned any."""

    criterion: str
    points: float
    most: float
    evidence: str
    reason: str


class Grade(NamedTuple):
    marks: tuple[Mark, ...]
    feedback: str

    @property
    def total(self) -> float:
        """Added up here: models add badly."""
        return _sum(mark.points for mark in self.marks)

    @property
    def most(self) -> float:
        return _sum(mark.most for mark in self.marks)


def schema(rubric: Rubric) -> dict[str, object]:
    """What the model is asked for: one entry for each criterion, and no total."""
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


def graded(rubric: Rubric, grade: Mapping[str, Any], answer: str) -> tuple[Grade | None, tuple[str, ...]]:
    """The grade, or None and all that is wrong with it, in words that the model can be asked again with.

    The schema of the rubric allows what the model gave.
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
    points, quote = entry["points"], unwrapped(entry["evidence"])
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
