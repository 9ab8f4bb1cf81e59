"""A course as YAML that people can read and edit; what is written reads back as the same course."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from gptkit.learning.model import Card, Learner

HEADER = """\
# What gptkit knows of one learner in one subject. Edit it as you like.
# gptkit writes this file anew after a lesson: comments of yours and the order of keys are not kept.
# mastery goes from 0 to 1; times are UTC. A card is known by its front: a new front is a new card.
"""
_WORDS = frozenset("null true false yes no on off y n".split())  # noqa: SIM905 - YAML 1.1 types them
_JOINERS = "\u200c\u200d"  # parts of emoji and of Persian words
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def text(learner: Learner) -> str:
    """The whole file. The library is not used: its fast writer escapes rare ideographs and emoji."""
    return HEADER + "".join(_lines(learner))


def _lines(learner: Learner) -> Iterator[str]:
    yield f"subject: {_scalar(learner.subject, 2)}\n"
    for key, value in (("level", learner.level), ("language", learner.language)):
        if value:
            yield f"{key}: {_scalar(value, 2)}\n"
    if learner.goals:
        yield "goals:\n"
        yield from (f"  - {_scalar(goal, 4)}\n" for goal in learner.goals)
    for key, entries in (
        ("topics", ((("name", t.name), ("mastery", t.mastery), ("seen", t.seen)) for t in learner.topics)),
        ("mistakes", (zip(mistake._fields, mistake, strict=True) for mistake in learner.mistakes)),
        ("reviews", (_card(card) for card in learner.cards)),
    ):
        yield from _entries(key, entries)


def _card(card: Card) -> Iterator[tuple[str, object]]:
    yield from (("front", card.front), ("back", card.back), ("topic", card.topic), ("due", _time(card.due)))
    if card.memory:
        yield from card.memory._replace(reviewed=_time(card.memory.reviewed))._asdict().items()


def _time(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)  # the header says that it is UTC


def _entries(key: str, entries: Iterable[Iterable[tuple[str, object]]]) -> Iterator[str]:
    """A list of mappings; what is not known is left out."""
    first = True
    for entry in entries:
        if first:
            yield f"\n{key}:\n"
        first = False
        mark = "-"
        for name, value in entry:
            if value is None or (value == "" and name == "topic"):
                continue
            shown = _scalar(value, 6) if isinstance(value, str) else str(value)
            yield f"  {mark} {name}: {shown}\n"
            mark = " "


def _scalar(value: str, indent: int) -> str:
    if _is_plain(value):
        return value
    if "\n" in value and _is_block(value):
        margin = "\n" + " " * indent
        lines = value.removesuffix("\n").split("\n")
        return ("|" if value.endswith("\n") else "|-") + "".join(
            margin + line if line else "\n" for line in lines
        )
    return '"' + "".join(_ESCAPES.get(character) or _escaped(character) for character in value) + '"'


def _is_plain(value: str) -> bool:
    return (
        value[:1].isalpha()
        and value.isprintable()
        and not value.endswith((" ", ":"))
        and ": " not in value
        and " #" not in value
        and value.lower() not in _WORDS
    )


def _is_block(value: str) -> bool:
    """Only what no reader of YAML can take for anything else: its indentation and end are certain."""
    lines = value.removesuffix("\n").split("\n")
    return (
        bool(lines[-1])
        and bool(lines[0])
        and not lines[0].startswith(" ")
        and not any(line.endswith(" ") for line in lines)
        and all(line.isprintable() for line in lines)
    )


def _escaped(character: str) -> str:
    if character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs":
        return character
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"  # half a character cannot be written
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
