"""Make visible in foreign text what a terminal would obey, reorder or hide.

Control characters become their pictures (`␛`), other invisible characters their code point (`<U+202E>`).
Three kinds are left alone where writing needs them: a joiner (ZWJ, ZWNJ) after a letter of a joining
script or an emoji, one variation selector after a visible character, and the tag characters of the three
flags that Unicode spells with tags. Of many combining marks on one letter only the first are left alone.
"""

from __future__ import annotations

import re
from functools import cache

_ASCII = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_SELECTORS = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
_JOINERS = "\u180e\u200c\u200d"
_CONTEXTUAL = f"[{_SELECTORS}{_JOINERS}]"
_HIDDEN = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
_SHOWN = f"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff{_HIDDEN}]"
_SUSPECT = f"{_SHOWN[:-1]}{_SELECTORS}{_JOINERS}]"
_JOINING = (
    "[\u0600-\u0dff\u0f00-\u109f\u1780-\u18af\u1900-\u1cff\ua800-\uabff\ufb50-\ufdff\ufe70-\ufefc"
    "\U00010a00-\U00011fff\U0001e900-\U0001e95f"  # Arabic to Malayalam, and the other joining scripts
    "\u2190-\u2bff\u3030\u303d\u3297\u3299\ufe0f\U0001f000-\U0001faff]"  # emoji
)
_FLAG = "\U0001f3f4"
_FLAGS = (
    f"({_FLAG}\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074"
    "|\U000e0077\U000e006c\U000e0073)\U000e007f)"  # gb, then eng, sct or wls
)
_UNDECIDED = f"(?:\r|{_FLAG}[\U000e0020-\U000e007e]{{0,5}})\\Z"
_FOLDED = r"[ \t]*\n[ \t\n]*|\t"


MOST_MARKS = 30
"""Combining marks that one letter may carry, as in the stream-safe text format of Unicode (UAX #15)."""
_RUN_WITH_MARKS = (
    "[^\x00-\u02ff\u0370-\u0482\u048a-\u0590\u2010-\u20cf\u2100-\u2cee\u3000-\u3029\u3030-\u3098\u309b-\ua66e"
    "\uac00-\ud7ff\uf900-\ufb1d\uff00-\uffff\U0001f000-\U0001faff\U00020000-\U0003ffff]+"
)
"""Characters of which some are combining marks; none of the others is."""


def visible(text: str) -> str:
    """Make invisible characters but LF and TAB visible; CRLF becomes LF, a lone surrogate U+FFFD."""
    return VisibleStream().show(text)


def visible_line(text: str) -> str:
    """Make a whole foreign text visible on one line: ends of lines and tabs are shown as characters."""
    return visible(text).replace("\n", "␊").replace("\t", "␉")


def one_line(text: str, limit: int = 300) -> str:
    """Make a foreign text visible on one line of at most `limit` characters, the last one `…` if cut."""
    text = text.strip(" \t\r\n")
    line = _pattern(_FOLDED).sub(" ", visible(text[: 4 * limit])).strip(" ")
    if len(line) <= limit and len(text) <= 4 * limit:
        return line
    return line[: limit - 1].rstrip() + "…"


class VisibleStream:
    """Apply `visible` to a text that arrives in pieces: the results joined equal that of the whole text."""

    def __init__(self) -> None:
        self._previous = ""
        self._undecided = ""
        self._marks = 0  # combining marks on the last letter

    def feed(self, piece: str) -> str:
        """The next visible text; the end of `piece` is held back if it depends on what follows."""
        text = self._undecided + piece
        undecided = _pattern(_UNDECIDED).search(text, max(0, len(text) - 6))
        self._undecided = undecided.group() if undecided else ""
        return self.show(text[: len(text) - len(self._undecided)])

    def close(self) -> str:
        """The visible text that `feed` held back."""
        text, self._undecided = self._undecided, ""
        return self.show(text)

    def show(self, text: str) -> str:
        """Make a piece visible that does not depend on what follows."""
        parts = []
        done = 0
        for place in self._surplus_marks(text):
            parts += [_make_visible(text[done:place], self._previous), _code_point(text[place])]
            self._previous, done = text[place], place + 1
        parts.append(_make_visible(text[done:], self._previous))
        self._previous = text[-1:] or self._previous
        return "".join(parts)

    def _surplus_marks(self, text: str) -> list[int]:
        """Return the places of combining marks, and joiners between them, above MOST_MARKS on one letter."""
        if text.isascii():
            self._marks = 0 if text else self._marks
            return []
        import unicodedata

        surplus, end = [], 0
        for run in _pattern(_RUN_WITH_MARKS).finditer(text):
            marks = 0 if run.start() else self._marks
            end = run.end()
            if end < len(text) and marks + end - run.start() <= MOST_MARKS:
                continue
            for place in range(run.start(), end):
                if text[place] not in _JOINERS:
                    marks = marks + 1 if unicodedata.category(text[place]) in {"Mn", "Me"} else 0
                if marks > MOST_MARKS:
                    surplus.append(place)
            self._marks = marks
        self._marks = self._marks if end == len(text) else 0
        return surplus


def _make_visible(text: str, previous: str) -> str:
    """Make a text visible that follows the character `previous`."""
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    if not (_ASCII if text.isascii() else _pattern(_SUSPECT)).search(text):
        return text
    parts = []
    for part in _pattern(_FLAGS).split(text) if _FLAG in text else (text,):
        whole_flag = part.startswith(_FLAG) and _pattern(_FLAGS).fullmatch(part)
        parts.append(part if whole_flag else _show_misplaced(part, previous).translate(_PICTURES))
        previous = part[-1:] or previous
    return "".join(parts)


def _show_misplaced(text: str, previous: str) -> str:
    """Replace joiners and variation selectors where writing does not need them by their code points."""

    def show_unless_needed(match: re.Match[str]) -> str:
        character = match.group()
        before = text[match.start() - 1 : match.start()] or previous
        return character if _is_needed(character, before) else _code_point(character)

    return _pattern(_CONTEXTUAL).sub(show_unless_needed, text)


def _is_needed(character: str, before: str) -> bool:
    """Whether writing needs an invisible character after the character `before`."""
    if character in _JOINERS:
        return _pattern(_JOINING).match(before) is not None
    return bool(before) and not before.isspace() and not _pattern(_SUSPECT).match(before)


def _code_point(character: str) -> str:
    return f"<U+{ord(character):04X}>"


@cache
def _pattern(source: str) -> re.Pattern[str]:
    """Compile a pattern on its first use: the patterns take 10 ms, and plain ASCII needs none."""
    return re.compile(source)


class _Pictures(dict[int, str]):
    """A table for `str.translate` from code points to what shows them, filled as they are looked up."""

    def __missing__(self, number: int) -> str:
        character = chr(number)
        if not _pattern(_SHOWN).match(character):
            picture = character
        elif number < 0x20:
            picture = chr(0x2400 + number)
        elif 0xD800 <= number <= 0xDFFF:
            picture = "\ufffd"
        else:
            picture = _code_point(character)
        self[number] = picture
        return picture


_PICTURES = _Pictures({0x7F: "␡"})
