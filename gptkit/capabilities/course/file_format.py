"""Read and write the YAML file of a course, which people may edit; problems are reported by line and key."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import NoReturn, TypeVar

from gptkit.capabilities.course.model import (
    LINE_LENGTH,
    LONGEST_STABILITY,
    MAX_CARDS,
    MAX_GOALS,
    MAX_MISTAKES,
    MAX_TOPICS,
    NAME_LENGTH,
    STAGES,
    TEXT_LENGTH,
    Flashcard,
    Learner,
    MemoryState,
    Mistake,
    Topic,
    normalize_name,
)
from gptkit.core.yaml_tree import (
    Problem,
    ReportProblem,
    YamlFileError,
    YamlNode,
    list_items,
    mapping_entries,
    parse_scalar,
    parse_yaml,
    spelling_hint,
    text_value,
)

KEYS = ("subject", "level", "language", "goals", "topics", "mistakes", "reviews")
TOPIC_KEYS = ("name", "mastery", "seen")
MISTAKE_KEYS = ("date", "topic", "said", "wrong")
MEMORY_KEYS = ("stage", "step", "stability", "difficulty", "reviewed")
CARD_KEYS = ("front", "back", "topic", "due", *MEMORY_KEYS)
_T = TypeVar("_T")


def parse_course(content: str, source: str) -> Learner:
    """Read the content of a course file; raises YamlFileError with all its problems."""
    problems: list[Problem] = []
    root = parse_yaml(content, source)
    entries = mapping_entries(root, "", problems.append, KEYS)
    course = Learner(
        subject=_required_text(entries, "subject", "", root, problems.append, LINE_LENGTH),
        level=_short_text(entries.get("level"), "level", problems.append, NAME_LENGTH),
        language=_short_text(entries.get("language"), "language", problems.append, NAME_LENGTH),
        goals=_parse_list(entries, "goals", MAX_GOALS, problems.append, _parse_goal),
        topics=_parse_list(entries, "topics", MAX_TOPICS, problems.append, _parse_topic),
        mistakes=_parse_list(entries, "mistakes", MAX_MISTAKES, problems.append, _parse_mistake),
        cards=_parse_list(entries, "reviews", MAX_CARDS, problems.append, _parse_card),
    )
    if not problems:
        topics = [topic.name for topic in course.topics]
        _refuse_duplicates(topics, entries.get("topics"), "topics", "name", problems.append)
        fronts = [card.front for card in course.cards]
        _refuse_duplicates(fronts, entries.get("reviews"), "reviews", "front", problems.append)
    if problems:
        raise YamlFileError(source, tuple(problems))
    return course


def _parse_list(
    entries: Mapping[str, YamlNode],
    key: str,
    cap: int,
    report: ReportProblem,
    read: Callable[[YamlNode, str, ReportProblem], _T],
) -> tuple[_T, ...]:
    nodes = list_items(entries.get(key), key, report)
    if len(nodes) > cap:
        report(Problem(nodes[cap].line, key, f"more than {cap} entries"))
        return ()
    values = []
    for index, node in enumerate(nodes, 1):
        with suppress(_UnreadableError):
            values.append(read(node, f"{key}.{index}", report))
    return tuple(values)


class _UnreadableError(Exception):
    """A value cannot be read; its problem is reported already."""


def _parse_goal(node: YamlNode, key: str, report: ReportProblem) -> str:
    goal = _short_text(node, key, report, LINE_LENGTH)
    if not goal:
        _refuse(node, key, "empty", report)
    return goal


def _parse_topic(node: YamlNode, key: str, report: ReportProblem) -> Topic:
    entries = mapping_entries(node, key, report, TOPIC_KEYS)
    return Topic(
        name=_required_text(entries, "name", key, node, report, NAME_LENGTH),
        mastery=_parse_number(entries.get("mastery"), f"{key}.mastery", report, (0.0, 1.0)) or 0.0,
        seen=_parse_day(entries["seen"], f"{key}.seen", report) if _is_given(entries, "seen") else None,
    )


def _parse_mistake(node: YamlNode, key: str, report: ReportProblem) -> Mistake:
    entries = mapping_entries(node, key, report, MISTAKE_KEYS)
    if not _is_given(entries, "date"):
        _refuse(node, f"{key}.date", "missing", report)
    return Mistake(
        date=_parse_day(entries["date"], f"{key}.date", report),
        topic=_short_text(entries.get("topic"), f"{key}.topic", report, NAME_LENGTH),
        said=_required_text(entries, "said", key, node, report, LINE_LENGTH),
        wrong=_required_text(entries, "wrong", key, node, report, TEXT_LENGTH),
    )


def _parse_card(node: YamlNode, key: str, report: ReportProblem) -> Flashcard:
    """Read a card; one without `due`, as people write it by hand, is due at once."""
    entries = mapping_entries(node, key, report, CARD_KEYS)
    due = _parse_time(entries["due"], f"{key}.due", report) if _is_given(entries, "due") else None
    return Flashcard(
        front=_required_text(entries, "front", key, node, report, TEXT_LENGTH),
        back=_required_text(entries, "back", key, node, report, TEXT_LENGTH),
        due=due or datetime(1970, 1, 1, tzinfo=UTC),
        topic=_short_text(entries.get("topic"), f"{key}.topic", report, NAME_LENGTH),
        memory=_parse_memory(entries, key, node, report),
    )


def _parse_memory(
    entries: Mapping[str, YamlNode], key: str, node: YamlNode, report: ReportProblem
) -> MemoryState | None:
    given = [name for name in MEMORY_KEYS if _is_given(entries, name)]
    if not given:
        return None
    stage = text_value(entries.get("stage"), f"{key}.stage", report)
    known = next((name for name in STAGES if name == stage), None)
    if known is None and "stage" in given:
        _refuse(
            entries["stage"], f"{key}.stage", f"unknown stage '{stage}'", report, spelling_hint(stage, STAGES)
        )
    wanted = [name for name in MEMORY_KEYS if name != "step" or known != "review"]
    missing = [name for name in wanted if name not in given]
    if known is None or missing:
        _refuse(node, f"{key}.{missing[0]}", f"missing beside '{given[0]}'", report)
    step = _parse_number(entries.get("step"), f"{key}.step", report, (0, 10))
    if step % 1:
        _refuse(entries["step"], f"{key}.step", "must be a whole number", report)
    limits = {"stability": (0.001, LONGEST_STABILITY), "difficulty": (1.0, 10.0)}
    numbers = [_parse_number(entries[name], f"{key}.{name}", report, limits[name]) for name in limits]
    return MemoryState(
        stage=known,
        step=None if known == "review" else int(step),
        stability=numbers[0],
        difficulty=numbers[1],
        reviewed=_parse_time(entries["reviewed"], f"{key}.reviewed", report),
    )


def _required_text(
    entries: Mapping[str, YamlNode], name: str, key: str, parent: YamlNode, report: ReportProblem, cap: int
) -> str:
    """Read a text and report an empty or missing one."""
    path = f"{key}.{name}".lstrip(".")
    text = text_value(entries.get(name), path, report)
    if not text.strip() and name not in entries:
        report(Problem(parent.line, path, "missing"))
    elif not text.strip() and isinstance(entries[name].value, str):
        report(Problem(entries[name].line, path, "empty"))
    elif len(text) > cap:
        report(Problem(entries[name].line, path, f"longer than {cap} characters"))
    return text


def _short_text(node: YamlNode | None, key: str, report: ReportProblem, cap: int) -> str:
    text = text_value(node, key, report)
    if node and len(text) > cap:
        report(Problem(node.line, key, f"longer than {cap} characters"))
    return text


def _is_given(entries: Mapping[str, YamlNode], name: str) -> bool:
    return name in entries and entries[name].kind != "nothing"


def _parse_number(
    node: YamlNode | None, key: str, report: ReportProblem, limits: tuple[float, float]
) -> float:
    if node is None or node.kind == "nothing":
        return 0.0
    low, high = limits
    text = unicodedata.normalize("NFKC", node.value) if isinstance(node.value, str) else ""
    value = parse_scalar(text)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        _refuse(node, key, f"must be a number from {low:g} to {high:g}", report)
    return float(value)


def _parse_day(node: YamlNode, key: str, report: ReportProblem) -> date:
    try:
        return date.fromisoformat(str(node.value).strip())
    except ValueError:
        _refuse(node, key, "must be a date such as 2026-11-30", report)


def _parse_time(node: YamlNode, key: str, report: ReportProblem) -> datetime:
    """Read a time as UTC; a date alone is its midnight, a time without a zone is in UTC."""
    try:
        time = datetime.fromisoformat(str(node.value).strip())
        aware = time if time.tzinfo else time.replace(tzinfo=UTC)
        return aware.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        _refuse(node, key, "must be a date or a time such as 2026-11-30 08:15:00", report)


def _refuse(node: YamlNode, key: str, message: str, report: ReportProblem, hint: str = "") -> NoReturn:
    report(Problem(node.line, key, message, hint))
    raise _UnreadableError


def _refuse_duplicates(
    names: Sequence[str], node: YamlNode | None, key: str, name: str, report: ReportProblem
) -> None:
    seen: dict[str, int] = {}
    for index, (text, item) in enumerate(zip(names, list_items(node, key, report), strict=True), 1):
        normalized = normalize_name(text)
        if normalized in seen:
            report(Problem(item.line, f"{key}.{index}.{name}", f"the same as on line {seen[normalized]}"))
        seen[normalized] = item.line


HEADER = """\
# What gptkit knows of one learner in one subject. Edit it as you like.
# gptkit writes this file anew after a lesson: comments of yours and the order of keys are not kept.
# mastery goes from 0 to 1; times are UTC. A card is known by its front: a new front is a new card.
"""


def course_yaml(learner: Learner) -> str:
    """Write a course as YAML, by the library's slow writer: the fast one escapes emoji and rare Chinese."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _: object) -> bool:
            return True  # parse_yaml refuses aliases

        def represent_text(self, value: str) -> yaml.Node:
            value = re.sub("[\ud800-\udfff]", "\ufffd", value)  # a lone surrogate cannot be written
            style = '"' if re.search("[\x85\u2028\u2029]", value) else "|" if "\n" in value else None
            return self.represent_scalar("tag:yaml.org,2002:str", value, style)

    Dumper.add_representer(str, Dumper.represent_text)
    lists: dict[str, tuple[Topic | Mistake | Flashcard, ...]]
    lists = {"topics": learner.topics, "mistakes": learner.mistakes, "reviews": learner.cards}
    course = _to_dict(learner._replace(topics=(), mistakes=(), cards=()))
    course |= {key: [_to_dict(value) for value in values] for key, values in lists.items() if values}
    return HEADER + yaml.dump(course, None, Dumper, allow_unicode=True, sort_keys=False, width=math.inf)


def _to_dict(value: Learner | Topic | Mistake | Flashcard | MemoryState) -> dict[str, object]:
    """Return the fields that are not empty; those of a card's memory stand beside the card's own."""
    fields: dict[str, object] = {}
    for key, field in value._asdict().items():
        if isinstance(field, MemoryState):
            fields |= _to_dict(field)
        elif field not in (None, "", ()):
            fields[key] = field.replace(tzinfo=None) if isinstance(field, datetime) else field
    return fields
