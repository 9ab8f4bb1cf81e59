"""Takes TMX into the memory: its texts are found by what they say, for one prompt and each language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from gptkit.core.errors import UsageFault
from gptkit.memory import rows
from gptkit.memory.foreign import aligned, foreign_key
from gptkit.memory.json_lines import Taken
from gptkit.memory.languages import tag
from gptkit.memory.tmx_read import Text, Unit, units
from gptkit.text.pieces import MARK, Held

if TYPE_CHECKING:
    import sqlite3

    from gptkit.memory.store import Memory


def take_tmx(memory: Memory, file: BinaryIO, prompt: str | None, now: float) -> Taken:
    """Into the memory of a prompt, else of those that the file names, as gptkit's own do.

    A text that is there already gets the new translation. Raises DataFault with the line, UsageFault
    for a file that leaves open which prompt is meant; then nothing is taken."""
    added = known = left_out = 0
    with memory.writing() as connection:
        for unit in units(file):
            meant = prompt or unit.prompt
            if not meant:
                raise UsageFault(
                    "the TMX does not say which prompt its texts are for", hint="name it with --prompt"
                )
            pairs = list(_unit_pairs(unit))
            left_out += not pairs
            for source, target in pairs:
                if _take(connection, source, target, meant, now):
                    added += 1
                else:
                    known += 1
    return Taken(added, known, left_out)


def _unit_pairs(unit: Unit) -> Iterator[tuple[Text, Text]]:
    """The original with each translation whose codes are those of the original."""
    original = _original(unit)
    if original is None or not original.text.strip():
        return
    codes = Counter(MARK.findall(original.text))
    for each in unit.texts:
        usable = each.text.strip() and Counter(MARK.findall(each.text)) == codes
        if each is not original and usable and tag(each.language):
            yield original, each


def _original(unit: Unit) -> Text | None:
    """The text in the language that the unit names as its source; by custom the first one."""
    wanted = tag(unit.source)
    named = (each for each in unit.texts if wanted and tag(each.language) == wanted)
    return next(named, unit.texts[0] if unit.texts else None)


def _take(connection: sqlite3.Connection, source: Text, target: Text, prompt: str, now: float) -> bool:
    language = tag(target.language)
    key = foreign_key(source.text, prompt, language)
    old = rows.held(connection, key)
    text, answer = aligned(source.text, target.text)
    if old is not None and old[1].answer == answer:
        return False
    about = {"prompt": prompt, "to": language}
    if tag(source.language):
        about["from"] = tag(source.language)
    held = Held(answer, foreign=True)
    rows.insert(connection, rows.entry(key, text, held, about, now))
    return True
