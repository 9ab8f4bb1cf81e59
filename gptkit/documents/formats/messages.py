"""Placeholders of message formats in data files: ICU plurals and choices, i18next, vue-i18n."""

from __future__ import annotations

import re

from gptkit.documents.formats.masking import PLAIN, Context, Rule, Rules, Span

ICU_OPEN = re.compile(
    r"\{\s*\w+\s*,\s*(?:plural|select|selectordinal)\s*,\s*(?:offset:[0-9]+\s*)?(?:=[0-9]+|\w+)\s*\{"
)
ICU_NEXT = re.compile(r"\}\s*(?:\}|(?:=[0-9]+|\w+)\s*\{)")
ICU_TYPED = re.compile(r"\{\s*\w+\s*,\s*(?:number|date|time|spellout|ordinal|duration)\b[^{}]*\}")
CALL = re.compile(r"\$t\([^()]*\)|@:(?:\([^()]*\)|[\w.]+)")


def _brace(text: str, start: int, context: Context) -> Span | None:
    found = ICU_OPEN.match(text, start) or ICU_TYPED.match(text, start)
    return found.span() if found else PLAIN["{"](text, start, context)


def _closing(text: str, start: int, _context: Context) -> Span | None:
    found = ICU_NEXT.match(text, start)
    return found.span() if found else None


def _call(sign: str) -> Rule:
    def rule(text: str, start: int, context: Context) -> Span | None:
        found = CALL.match(text, start)
        return found.span() if found else PLAIN[sign](text, start, context)

    return rule


RULES: Rules = {**PLAIN, "{": _brace, "}": _closing, "$": _call("$"), "@": _call("@")}
