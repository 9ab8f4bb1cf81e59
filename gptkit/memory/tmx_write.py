"""The memory as TMX 1.4b, for tools of translators: texts with their answers, without the keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from time import gmtime, strftime
from typing import TYPE_CHECKING

from gptkit.memory import rows
from gptkit.memory.languages import tag
from gptkit.text.pieces import MARK, units_of

if TYPE_CHECKING:
    from gptkit.memory.store import Memory

PROMPT = "x-prompt"
CONTROL = "x-control"
"""Type of the element that stands for a character which XML cannot have."""
_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4">
<header creationtool="gptkit" creationtoolversion="1" segtype="block" o-tmf="gptkit" adminlang="en" \
srclang="*all*" datatype="unknown"/>
<body>
"""
_TAIL = "</body>\n</tmx>\n"
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
_SPECIAL = re.compile('[&<>"\r]')
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML 1.0 has no way to write, https://www.w3.org/TR/xml/#charsets."""
_UNITS = "⟦#1⟧\n"


def tmx(memory: Memory) -> Iterator[bytes]:
    """Pieces that are made of several texts become as many units; those asked for in halves have none."""
    yield _HEAD.encode()
    with memory.reading() as connection:
        for each in rows.entries(connection):
            if each.in_halves:
                continue
            for text, answer in _pairs(each):
                yield _unit(each, text, answer).encode()
    yield _TAIL.encode()


def _pairs(each: rows.Entry) -> Iterator[tuple[str, str]]:
    if not each.text.startswith(_UNITS):
        yield each.text, each.answer
        return
    texts, answers = units_of(each.text), units_of(each.answer)
    for number, text in texts.items():
        if text and number in answers:
            yield text, answers[number]


def _unit(each: rows.Entry, text: str, answer: str) -> str:
    options: dict[str, str] = json.loads(each.options)
    source = tag(options.get("from", "")) or "und"
    target = tag(options.get("to", "")) or "und"
    named = {PROMPT: each.prompt, "x-model": each.model}
    named |= {f"x-option-{name}": value for name, value in options.items() if len(value) <= 200}
    properties = [
        f'<prop type="{_plain(name)}">{_plain(value)}</prop>\n' for name, value in named.items() if value
    ]
    return (
        f'<tu creationdate="{_date(each.created)}" lastusagedate="{_date(each.used)}"'
        f' usagecount="{each.hits}">\n'
        f"{''.join(properties)}"
        f'<tuv xml:lang="{source}"><seg>{_segment(text)}</seg></tuv>\n'
        f'<tuv xml:lang="{target}"><seg>{_segment(answer)}</seg></tuv>\n'
        "</tu>\n"
    )


def _segment(text: str) -> str:
    shown = MARK.sub(r'<ph x="\1"/>', _escaped(text))
    return _FORBIDDEN.sub(lambda found: f'<ph type="{CONTROL}">U+{ord(found[0]):04X}</ph>', shown)


def _plain(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", _escaped(text))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: _ESCAPED[found[0]], text)


def _date(moment: float) -> str:
    return strftime("%Y%m%dT%H%M%SZ", gmtime(moment))
