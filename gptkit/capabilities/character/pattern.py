"""Regular expressions of strangers, as JavaScript writes them, run by `regex` within a limit of time.

What both spell alike and mean differently is spelled out: words are ASCII, so that `\bcat\b` is found
between Chinese characters; `$` is the very end; an escape that means nothing is the character itself.
"""

from __future__ import annotations

import re
from math import prod
from time import thread_time

from gptkit.core.excerpt import shorten

SECONDS_A_TURN = 1.0
SECONDS_A_KEY = 0.25  # of computing; what goes wrong takes some 300 MB a second until it is stopped
SIZE_CAP = 5_000  # characters with repetitions written out, as `regex` does it before any time is limited
_WRITTEN = re.compile(r"/(?P<source>.+)/(?P<flags>[a-z]{0,8})", re.DOTALL)
_FLAGS = "dgimsuvy"
_COUNT = re.compile(r"\{([0-9]+)(?:,[0-9]*)?\}")
_ESCAPE = (
    r"\\(?P<kept>[nrtfv]|[1-9][0-9]*|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|[pP]\{[^}]*\})"
    r"|\\u\{(?P<code>[0-9A-Fa-f]+)\}|\\k<(?P<group>[^>]*)>|\\(?P<escaped>.)"
)
_TOKEN = re.compile(
    rf"{_ESCAPE}|\[(?P<negated>\^?)(?P<set>(?:\\.|[^\]\\])*)\]"
    r"|(?P<foreign>\((?:\?(?![:=!<])|\*))|(?P<brace>\{(?![0-9]+(?:,[0-9]*)?\}))|(?P<sign>[.^$])",
    re.DOTALL,
)
_IN_SET = re.compile(rf"{_ESCAPE}|(?P<bracket>\[)", re.DOTALL)
_LINE_ENDS = r"\n\r\u2028\u2029"
_SETS = {
    "d": "0-9",
    "D": r"\x00-/:-\U0010ffff",
    "w": "0-9A-Z_a-z",
    # Not \u017f and \u212a, long s and the sign of the kelvin: in the other case they are s and k.
    "W": r"\x00-/:-@\[-\^`{-\u017e\u0180-\u2129\u212b-\U0010ffff",
    "s": r"\t-\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff",
    "S": r"\x00-\x08\x0e-\x1f!-\x9f\xa1-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e\u2030-\u205e"
    r"\u2060-\u2fff\u3001-\ufefe\uff00-\U0010ffff",
}


class PatternError(Exception):
    """Why a pattern is not one, or not one that is matched here."""


class TimeBudget:
    """The seconds of computing that a turn still grants to the keys of a book.

    `unread` says which keys are written as patterns and match nothing, and why.
    """

    def __init__(self, seconds: float = SECONDS_A_TURN) -> None:
        self.seconds_left = seconds
        self.unused_keys: list[str] = []

    def spend_since(self, start: float) -> None:
        """Take what this thread has computed since then, by `time.thread_time`."""
        self.seconds_left -= thread_time() - start


class Pattern:
    """A compiled pattern; raises PatternError."""

    def __init__(self, source: str, flags: str = "") -> None:
        import regex

        self._display = f"'{shorten(f'/{source}/', 60)}'"
        self._is_slow = False
        repeated = prod(max(1, int(count)) for count in _COUNT.findall(source[:SIZE_CAP]))
        if len(source) * repeated > SIZE_CAP:
            raise PatternError(f"{self._display} is too long a pattern")
        options = regex.VERSION0 | (regex.IGNORECASE if "i" in flags else 0)
        try:
            self._compiled = regex.compile(_translate(source, flags), options)
        except (PatternError, regex.error, RecursionError):
            raise PatternError(f"{self._display} is not a regular expression") from None

    def matches(self, text: str, effort: TimeBudget) -> bool:
        """Whether the text has it somewhere; False as well when that takes too long to find out."""
        if effort.seconds_left <= 0 or self._is_slow:
            return False
        start = thread_time()
        try:
            return self._compiled.search(text, timeout=min(SECONDS_A_KEY, effort.seconds_left)) is not None
        except TimeoutError:
            self._is_slow = True
            effort.unused_keys.append(f"{self._display} takes too long to match")
            return False
        finally:
            effort.spend_since(start)


def parse_pattern(key: str, case_sensitive: bool | None) -> Pattern | None:
    """The pattern of a key that is written as one, `/.../flags`; raises PatternError."""
    written = _WRITTEN.fullmatch(key.strip())
    if not written:
        return None
    flags = written["flags"]
    if any(flag not in _FLAGS for flag in flags):
        raise PatternError(f"'{shorten(key, 60)}' has an unknown flag")
    return Pattern(written["source"], flags + ("i" if case_sensitive is False else ""))


def _translate(source: str, flags: str) -> str:
    """The pattern as `regex` spells it; raises PatternError with what JavaScript does not know."""
    signs = {
        ".": "(?s:.)" if "s" in flags else f"[^{_LINE_ENDS}]",
        "^": f"(?<![^{_LINE_ENDS}])" if "m" in flags else "^",
        "$": f"(?![^{_LINE_ENDS}])" if "m" in flags else r"\Z",
    }

    def spelled(token: re.Match[str]) -> str:
        if token["set"] is not None:
            inside = _IN_SET.sub(lambda part: _translate_escape(part) or r"\[", token["set"])
            nothing = "(?s:.)" if token["negated"] else "(?!)"
            return f"[{token['negated']}{inside}]" if inside else nothing
        if token["foreign"]:
            raise PatternError(token[0])
        if token["escaped"] in ("b", "B"):
            return rf"(?a:\{token['escaped']})"
        if token["escaped"] in _SETS:
            return f"[{_translate_escape(token)}]"
        return _translate_escape(token) or signs.get(token[0]) or r"\{"

    return _TOKEN.sub(spelled, source)


def _translate_escape(token: re.Match[str]) -> str:
    """An escape as it is spelled within a set; empty where the token is none."""
    if token["kept"] or token["group"]:
        return token[0] if token["kept"] else f"(?P={token['group']})"
    if token["code"]:
        code = int(token["code"], 16)
        if code > 0x10FFFF:
            raise PatternError(token[0])
        return rf"\U{code:08x}"
    character = token["escaped"] or ""
    if character in _SETS:
        return _SETS[character]
    return {"0": r"\x00", "b": r"\x08"}.get(character, re.escape(character))
