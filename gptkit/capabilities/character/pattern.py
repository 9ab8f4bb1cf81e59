"""Match regular expressions of JavaScript, as cards hold them, by the library `regex` within a time limit.

Where both have the same notation with different meanings, it is translated: words are ASCII, so that
`\bcat\b` matches between Chinese characters; `$` is the very end; an unknown escape is the character itself.
"""

from __future__ import annotations

import re
from math import prod
from time import thread_time

from gptkit.core.excerpt import shorten

SECONDS_A_TURN = 1.0
SECONDS_A_KEY = 0.25  # a pattern that goes wrong takes some 300 MB a second until the time is over
SIZE_CAP = 5_000  # characters with repetitions written out, as `regex` does without a time limit
_PATTERN_KEY = re.compile(r"/(?P<source>.+)/(?P<flags>[a-z]{0,8})", re.DOTALL)
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
    # Without \u017f and \u212a, long s and the kelvin sign, which are s and k in the other case.
    "W": r"\x00-/:-@\[-\^`{-\u017e\u0180-\u2129\u212b-\U0010ffff",
    "s": r"\t-\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff",
    "S": r"\x00-\x08\x0e-\x1f!-\x9f\xa1-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e\u2030-\u205e"
    r"\u2060-\u2fff\u3001-\ufefe\uff00-\U0010ffff",
}


class PatternError(Exception):
    """A pattern is invalid or not supported."""


class TimeBudget:
    """The computing time left for the keys of a book on one turn.

    `unused_keys` are the keys in the form of patterns that match nothing, and why.
    """

    def __init__(self, seconds: float = SECONDS_A_TURN) -> None:
        self.seconds_left = seconds
        self.unused_keys: list[str] = []

    def spend_since(self, start: float) -> None:
        """Subtract the time that this thread has computed since `start`, a value of `time.thread_time`."""
        self.seconds_left -= thread_time() - start


class Pattern:
    """A compiled pattern; making one raises PatternError."""

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

    def matches(self, text: str, time_budget: TimeBudget) -> bool:
        """Whether the pattern matches somewhere in a text; False also if the search takes too long."""
        if time_budget.seconds_left <= 0 or self._is_slow:
            return False
        start = thread_time()
        try:
            return (
                self._compiled.search(text, timeout=min(SECONDS_A_KEY, time_budget.seconds_left)) is not None
            )
        except TimeoutError:
            self._is_slow = True
            time_budget.unused_keys.append(f"{self._display} takes too long to match")
            return False
        finally:
            time_budget.spend_since(start)


def parse_pattern(key: str, case_sensitive: bool | None) -> Pattern | None:
    """Return the pattern of a key in the form `/.../flags`, None for another key; raises PatternError."""
    match = _PATTERN_KEY.fullmatch(key.strip())
    if not match:
        return None
    flags = match["flags"]
    if any(flag not in _FLAGS for flag in flags):
        raise PatternError(f"'{shorten(key, 60)}' has an unknown flag")
    return Pattern(match["source"], flags + ("i" if case_sensitive is False else ""))


def _translate(source: str, flags: str) -> str:
    """Write a pattern in the notation of `regex`; raises PatternError for what JavaScript does not know."""
    signs = {
        ".": "(?s:.)" if "s" in flags else f"[^{_LINE_ENDS}]",
        "^": f"(?<![^{_LINE_ENDS}])" if "m" in flags else "^",
        "$": f"(?![^{_LINE_ENDS}])" if "m" in flags else r"\Z",
    }

    def translate_token(token: re.Match[str]) -> str:
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

    return _TOKEN.sub(translate_token, source)


def _translate_escape(token: re.Match[str]) -> str:
    """Write an escape as `regex` wants it within a set; empty if the token is no escape."""
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
