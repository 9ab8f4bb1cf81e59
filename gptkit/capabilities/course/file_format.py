"""The text of a course, as people edit it, as a value; what is wrong is refused by line and key."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import NoReturn, TypeVar

from gptkit.capabilities.course.model import (
    CARDS,
    GOALS,
    LINE,
    LONGEST_STABILITY,
    MISTAKES,
    STAGES,
    TEXT,
    TOPICS,
    WORD,
    Card,
    Learner,
    Memory,
    Mistake,
    Topic,
    identity,
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


def learner(content: str, source: str) -> Learner:
    """The course; raises YamlFileError with everything that is wrong with it."""
    problems: list[Problem] = []
    root = parse_yaml(content, source)
    entries = mapping_entries(root, "", problems.append, KEYS)
    found = Learner(
        subject=_required(entries, "subject", "", root, problems.append, LINE),
        level=_short(entries.get("level"), "level", problems.append, WORD),
        language=_short(entries.get("language"), "language", problems.append, WORD),
        goals=_all(entries, "goals", GOALS, problems.append, _goal),
        topics=_all(entries, "topics", TOPICS, problems.append, _topic),
        mistakes=_all(entries, "mistakes", MISTAKES, problems.append, _mistake),
        cards=_all(entries, "reviews", CARDS, problems.append, _card),
    )
    if not problems:
        topics = [topic.name for topic in found.topics]
        _refuse_doubles(topics, entries.get("topics"), "topics", "name", problems.append)
        fronts = [card.front for card in found.cards]
        _refuse_doubles(fronts, entries.get("reviews"), "reviews", "front", problems.append)
    if problems:
        raise YamlFileError(source, tuple(problems))
    return found


def _all(
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
    found = []
    for index, node in enumerate(nodes, 1):
        problems: list[Problem] = []
        try:
            one = read(node, f"{key}.{index}", problems.append)
        except _UnreadableError:
            pass
        else:
            found.append(one)
        for problem in problems:
            report(problem)
    return tuple(found)


class _UnreadableError(Exception):
    """Said already: there is no value to go on with."""


def _goal(node: YamlNode, key: str, report: ReportProblem) -> str:
    found = _short(node, key, report, LINE)
    if not found:
        _refuse(node, key, "empty", report)
    return found


def _topic(node: YamlNode, key: str, report: ReportProblem) -> Topic:
    entries = mapping_entries(node, key, report, TOPIC_KEYS)
    return Topic(
        name=_required(entries, "name", key, node, report, WORD),
        mastery=_number(entries.get("mastery"), f"{key}.mastery", report, (0.0, 1.0)) or 0.0,
        seen=_day(entries["seen"], f"{key}.seen", report) if _is_given(entries, "seen") else None,
    )


def _mistake(node: YamlNode, key: str, report: ReportProblem) -> Mistake:
    entries = mapping_entries(node, key, report, MISTAKE_KEYS)
    if not _is_given(entries, "date"):
        _refuse(node, f"{key}.date", "missing", report)
    return Mistake(
        date=_day(entries["date"], f"{key}.date", report),
        topic=_short(entries.get("topic"), f"{key}.topic", report, WORD),
        said=_required(entries, "said", key, node, report, LINE),
        wrong=_required(entries, "wrong", key, node, report, TEXT),
    )


def _card(node: YamlNode, key: str, report: ReportProblem) -> Card:
    """Without `due` the card is due at once: who writes a card by hand need not think of FSRS."""
    entries = mapping_entries(node, key, report, CARD_KEYS)
    due = _time(entries["due"], f"{key}.due", report) if _is_given(entries, "due") else None
    return Card(
        front=_required(entries, "front", key, node, report, TEXT),
        back=_required(entries, "back", key, node, report, TEXT),
        due=due or datetime(1970, 1, 1, tzinfo=UTC),
        topic=_short(entries.get("topic"), f"{key}.topic", report, WORD),
        memory=_memory(entries, key, node, report),
    )


def _memory(
    entries: Mapping[str, YamlNode], key: str, node: YamlNode, report: ReportProblem
) -> Memory | None:
    given = [name for name in MEMORY_KEYS if _is_given(entries, name)]
    if not given:
        return None
    stage = text_value(entries.get("stage"), f"{key}.stage", report)
    known = next((each for each in STAGES if each == stage), None)
    if known is None and "stage" in given:
        _refuse(
            entries["stage"], f"{key}.stage", f"unknown stage '{stage}'", report, spelling_hint(stage, STAGES)
        )
    wanted = [name for name in MEMORY_KEYS if name != "step" or known != "review"]
    missing = [name for name in wanted if name not in given]
    if known is None or missing:
        _refuse(node, f"{key}.{missing[0]}", f"missing beside '{given[0]}'", report)
    step = _number(entries.get("step"), f"{key}.step", report, (0, 10))
    if step % 1:
        _refuse(entries["step"], f"{key}.step", "must be a whole number", report)
    limits = {"stability": (0.001, LONGEST_STABILITY), "difficulty": (1.0, 10.0)}
    numbers = [_number(entries[name], f"{key}.{name}", report, limits[name]) for name in limits]
    return Memory(
        stage=known,
        step=None if known == "review" else int(step),
        stability=numbers[0],
        difficulty=numbers[1],
        reviewed=_time(entries["reviewed"], f"{key}.reviewed", report),
    )


def _required(
    entries: Mapping[str, YamlNode], name: str, key: str, parent: YamlNode, report: ReportProblem, cap: int
) -> str:
    """A text that is not empty; long ones may have lines."""
    path = f"{key}.{name}".lstrip(".")
    found = text_value(entries.get(name), path, report)
    if not found.strip() and name not in entries:
        report(Problem(parent.line, path, "missing"))
    elif not found.strip() and isinstance(entries[name].value, str):
        report(Problem(entries[name].line, path, "empty"))
    elif len(found) > cap:
        report(Problem(entries[name].line, path, f"longer than {cap} characters"))
    return found


def _short(node: YamlNode | None, key: str, report: ReportProblem, cap: int) -> str:
    found = text_value(node, key, report)
    if node and len(found) > cap:
        report(Problem(node.line, key, f"longer than {cap} characters"))
    return found


def _is_given(entries: Mapping[str, YamlNode], name: str) -> bool:
    return name in entries and entries[name].kind != "nothing"


def _number(node: YamlNode | None, key: str, report: ReportProblem, limits: tuple[float, float]) -> float:
    if node is None or node.kind == "nothing":
        return 0.0
    low, high = limits
    shown = unicodedata.normalize("NFKC", node.value) if isinstance(node.value, str) else ""
    value = parse_scalar(shown)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        _refuse(node, key, f"must be a number from {low:g} to {high:g}", report)
    return float(value)


def _day(node: YamlNode, key: str, report: ReportProblem) -> date:
    try:
        return date.fromisoformat(str(node.value).strip())
    except ValueError:
        _refuse(node, key, "must be a date such as 2026-11-30", report)


def _time(node: YamlNode, key: str, report: ReportProblem) -> datetime:
    """A date alone is its first moment; without a zone a time is UTC."""
    try:
        found = datetime.fromisoformat(str(node.value).strip())
        aware = found if found.tzinfo else found.replace(tzinfo=UTC)
        return aware.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        _refuse(node, key, "must be a date or a time such as 2026-11-30 08:15:00", report)


def _refuse(node: YamlNode, key: str, message: str, report: ReportProblem, hint: str = "") -> NoReturn:
    report(Problem(node.line, key, message, hint))
    raise _UnreadableError


def _refuse_doubles(
    names: Sequence[str], node: YamlNode | None, key: str, name: str, report: ReportProblem
) -> None:
    seen: dict[str, int] = {}
    for index, (each, item) in enumerate(zip(names, list_items(node, key, report), strict=True), 1):
        if identity(each) in seen:
            message = f"the same as on line {seen[identity(each)]}"
            report(Problem(item.line, f"{key}.{index}.{name}", message))
        seen[identity(each)] = item.line


HEADER = """\
# What gptkit knows of one learner in one subject. Edit it as you like.
# gptkit writes this file anew after a lesson: comments of yours and the order of keys are not kept.
# mastery goes from 0 to 1; times are UTC. A card is known by its front: a new front is a new card.
"""


def course_yaml(learner: Learner) -> str:
    """The whole file, by the library's slow writer: the fast one escapes emoji and rare ideographs."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _: object) -> bool:
            return True  # the reader knows none

        def represent_text(self, value: str) -> yaml.Node:
            value = re.sub("[\ud800-\udfff]", "\ufffd", value)  # half a character cannot be written
            style = '"' if re.search("[\x85\u2028\u2029]", value) else "|" if "\n" in value else None
            return self.represent_scalar("tag:yaml.org,2002:str", value, style)

    Dumper.add_representer(str, Dumper.represent_text)
    lists: dict[str, tuple[Topic | Mistake | Card, ...]]
    lists = {"topics": learner.topics, "mistakes": learner.mistakes, "reviews": learner.cards}
    course = _known(learner._replace(topics=(), mistakes=(), cards=()))
    course |= {key: [_known(one) for one in found] for key, found in lists.items() if found}
    return HEADER + yaml.dump(course, None, Dumper, allow_unicode=True, sort_keys=False, width=math.inf)


def _known(value: Learner | Topic | Mistake | Card | Memory) -> dict[str, object]:
    """The fields that say something, with those of a card's memory beside its own."""
    found: dict[str, object] = {}
    for key, each in value._asdict().items():
        if isinstance(each, Memory):
            found |= _known(each)
        elif each not in (None, "", ()):
            found[key] = each.replace(tzinfo=None) if isinstance(each, datetime) else each
    return found
