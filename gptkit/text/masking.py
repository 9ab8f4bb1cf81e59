"""Mask what the model must not change in a text: addresses, tags, entities and placeholders become holes."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping

from gptkit.core.patterns import lazy_pattern
from gptkit.text.chunk import HOLE
from gptkit.text.pieces import MARK, Piece

REACH = 4096
"""Characters within which a construct must end, so that constructs without an end cost linear time."""
Span = tuple[int, int]


class Context:
    """What rules know about the text that is searched: `link_labels` are those that the document defines."""

    __slots__ = ("_runs", "link_labels")

    def __init__(self, link_labels: Collection[str] = ()) -> None:
        self.link_labels = link_labels
        self._runs: dict[int, list[int]] | None = None

    def code_end(self, text: str, start: int, length: int) -> int | None:
        """Return the end of the next run of exactly `length` backticks behind `start`; None without one."""
        if self._runs is None:
            self._runs = {}
            for match in BACKTICKS.finditer(text):
                self._runs.setdefault(len(match[0]), []).append(match.start())
        runs = self._runs.get(length, [])
        after = bisect_right(runs, start)
        return runs[after] + length if after < len(runs) else None


Rule = Callable[[str, int, Context], Span | None]
"""A function of a text, a position and the context; returns what to mask there, or None."""
Rules = Mapping[str, Rule]
"""Rules by the character at which each is asked."""


def mask_text(text: str, rules: Rules, link_labels: Collection[str] = ()) -> tuple[str, list[str]]:
    """Return the text with holes, and what stood in each of them."""
    trigger = MORE_TRIGGER if "www." in text or "  \n" in text or "  \r" in text else TRIGGER
    match = trigger.search(text)
    if match is None:
        return text, []
    context = Context(link_labels)
    literals, masks, done = [], [], 0
    while match:
        start = match.start()
        rule = rules.get(text[start])
        span = rule(text, start, context) if rule else None
        if span is None or span[0] < done:
            escapes = text[start] == "\\" and "\\" in rules and text[start + 1 : start + 2] not in OWN_SIGNS
            place = start + (2 if escapes else 1)
        else:
            literals.append(text[done : span[0]])
            masks.append(text[span[0] : span[1]])
            done = span[1]
            place = max(done, start + 1)
        match = trigger.search(text, place)
    return HOLE.join([*literals, text[done:]]), masks


def merge_holes(text: str, masks: list[str]) -> tuple[str, list[str]]:
    """Merge holes with only white space between them into one."""
    if not masks:
        return text, masks
    literals = text.split(HOLE)
    merged_literals, merged_masks = [literals[0]], masks[:1]
    for literal, mask in zip(literals[1:], [*masks[1:], None], strict=True):
        if mask is not None and not literal.strip():
            merged_masks[-1] += literal + mask
            continue
        merged_literals.append(literal)
        merged_masks += [mask] if mask is not None else []
    return HOLE.join(merged_literals), merged_masks


def pattern_rule(*patterns: str) -> Rule:
    """Return a rule that masks the group `it`, or else all, of the first pattern that matches."""
    compiled = [lazy_pattern(pattern, re.DOTALL) for pattern in patterns]

    def rule(text: str, start: int, _context: Context) -> Span | None:
        for pattern in compiled:
            if match := pattern.match(text, start, start + REACH):
                return match.span("it" if "it" in pattern.groupindex else 0)
        return None

    return rule


def address_rule(text: str, start: int, _context: Context) -> Span | None:
    """At the colon behind a scheme, mask the whole address."""
    before = SCHEME.search(text, max(0, start - 16), start)
    if before is None:
        return None
    has_host = text.startswith("//", start + 1)
    match = (ADDRESS if has_host else MAIL_TO).match(text, start)
    if match is None or not (has_host or before[0].lower() in {"mailto", "tel"}):
        return None
    return before.start(), _without_punctuation(text, start + 1, match.end())


def own_mark_rule(text: str, start: int, _context: Context) -> Span:
    match = OWN_MARK.match(text, start)
    return match.span() if match else (start, start + 1)


def tag_rule(text: str, start: int, context: Context) -> Span | None:
    """Mask a tag, a comment or an address in angle brackets, and an element that holds code as a whole."""
    if opening := OPAQUE.match(text, start, start + REACH):
        close = text.find("</" + opening[1], opening.end())
        end = text.find(">", close) if close >= 0 else -1
        if end >= 0:
            return start, end + 1
    if text.startswith("<!--", start) and (end := text.find("-->", start + 2)) >= 0:
        return start, end + 3
    return _single_tag_rule(text, start, context)


def _www_rule(text: str, start: int, _context: Context) -> Span | None:
    if start and text[start - 1].isascii() and text[start - 1].isalnum():
        return None
    match = WORLD_WIDE.match(text, start)
    return (start, _without_punctuation(text, start + 4, match.end())) if match else None


def _mail_rule(text: str, start: int, _context: Context) -> Span | None:
    before = LOCAL_PART.search(text, max(0, start - 64), start)
    after = DOMAIN.match(text, start)
    return (before.start(), after.end()) if before and after else None


def _without_punctuation(text: str, least: int, end: int) -> int:
    match = URL_END.search(text, least, end)
    return match.start() if match else end


UNBREAKABLE = (
    r"\{\{[^{}\n]{1,80}\}\}|[$%]?\{[^{}\n]{1,80}\}|<[A-Za-z/!][^<>\n]{0,400}>|%\([^()\n]{1,60}\)[A-Za-z]"
)
"""Tags and placeholders, inside which a long text must not be cut."""
ATOM = lazy_pattern(rf"{UNBREAKABLE}|.", re.DOTALL)
BACKTICKS = lazy_pattern("`+")
TRIGGER = lazy_pattern(r"[`$\\<&\[\]{}%:@⟦⟧]|__")
MORE_TRIGGER = lazy_pattern(r"[`$\\<&\[\]{}%:@⟦⟧]|__|www\.|  (?= *[\n\r])")
OWN_SIGNS = ("⟦", "⟧")
"""Masked everywhere, even when escaped: in a text for the model they always belong to a mark."""
OWN_MARK = lazy_pattern(r"⟦#?[0-9]*⟧|[⟦⟧]")
NOT_IN_URL = r"\s<>()\[\]{}\"`|\\^⟦⟧，。！？；：、（）「」『』《》【】“”‘’"
URL_REST = rf"(?:[^{NOT_IN_URL}]|\([^{NOT_IN_URL}]*\)|\{{[^{NOT_IN_URL}]*\}})++"
URL_END = lazy_pattern(r"[.,:;!?*_~']+$")
ADDRESS, MAIL_TO = lazy_pattern(rf"://{URL_REST}"), lazy_pattern(rf":[^{NOT_IN_URL}]+")
WORLD_WIDE = lazy_pattern(rf"www\.{URL_REST}")
SCHEME = lazy_pattern(r"[A-Za-z][A-Za-z0-9+.-]{1,15}$")
LOCAL_PART = lazy_pattern(r"[A-Za-z0-9.!#%&'*+/=?^_~-]+$")
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
DOMAIN = lazy_pattern(rf"@{LABEL}(?:\.{LABEL})+")
OPAQUE = lazy_pattern(
    r"<(script|style|pre|code|kbd|samp|tt|textarea|math|svg)\b[^<>]*>", re.IGNORECASE
)  # elements whose content the model must not see
_single_tag_rule = pattern_rule(
    r"<[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*>",
    r"<[^\s<>@]+@[^\s<>]+>",
    r"""</?[A-Za-z][A-Za-z0-9:._-]*(?:\s(?:[^<>"']|"[^"]*+"|'[^']*+')*+)?/?>""",
    r"</?[0-9]{1,2}\s?/?>",
    r"<[?!][A-Za-z].*?>",
    r"<%.*?%>",
)
entity_rule = pattern_rule(r"&(?:[A-Za-z][A-Za-z0-9]{1,31}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});")
VARIABLES = (r"\$\{[^{}\n]{1,80}\}", r"\$[A-Za-z_][A-Za-z0-9_]*")
_printf_rule = pattern_rule(
    r"%\([\w. -]+\)[-#0+ ]*[0-9]*(?:\.[0-9]+)?[A-Za-z]",
    r"%(?:[0-9]+\$)?[-+#0]*(?:[0-9]+|\*)?(?:\.(?:[0-9]+|\*))?(?:hh?|ll?|[Lzjtq])?"
    r"[sdiufFeEgGxXoc@](?![A-Za-z])(?!(?<=[0-9]%.)['’][^\W\d_])",  # as in `50%d'eau`
    r"%\{[\w.]+\}",
    r"(?<![0-9%])%[A-Za-z_][A-Za-z0-9_.]+%(?![\w%])",
)
QT = lazy_pattern(r"(?<![0-9%])%(?:L?[1-9]|n)(?![\w.$%])", re.ASCII)


def _percent_rule(text: str, start: int, context: Context) -> Span | None:
    """Mask a placeholder after a percent sign; `%1` of Qt only if others stand near.

    In Turkish a percent sign stands before its number.
    """
    if span := _printf_rule(text, start, context):
        return span
    match = QT.match(text, start)
    near = max(0, start - REACH), start + REACH
    is_counted = text.find("%1", *near) >= 0 or text.find("%L1", *near) >= 0
    return match.span() if match and (is_counted or match[0] == "%n") else None


COMMON_RULES: dict[str, Rule] = {
    "<": tag_rule,
    "&": entity_rule,
    "{": pattern_rule(
        *(r"\{\{.*?\}\}", r"\{%.*?%\}", r"\{[:#.][^{}\n]*\}", r"\{\}"),
        r"\{ ?[\w$][\w.\[\]:!%,#+<>^-]{0,60} ?\}",
    ),
    "%": _percent_rule,
    "$": pattern_rule(*VARIABLES),
    ":": address_rule,
    "w": _www_rule,
    "@": _mail_rule,
    "⟦": own_mark_rule,
    "⟧": own_mark_rule,
}
"""The rules for any text. Placeholders are those of Python, C, shells, templates, Symfony and Qt."""


ICU_OPEN = lazy_pattern(
    r"\{\s*\w+\s*,\s*(?:plural|select|selectordinal)\s*,\s*(?:offset:[0-9]+\s*)?(?:=[0-9]+|\w+)\s*\{"
)
ICU_NEXT = lazy_pattern(r"\}\s*(?:\}|(?:=[0-9]+|\w+)\s*\{)")
ICU_TYPED = lazy_pattern(r"\{\s*\w+\s*,\s*(?:number|date|time|spellout|ordinal|duration)\b[^{}]*\}")
CALL = lazy_pattern(r"\$t\([^()]*\)|@:(?:\([^()]*\)|[\w.]+)")


def _icu_open_rule(text: str, start: int, context: Context) -> Span | None:
    match = ICU_OPEN.match(text, start) or ICU_TYPED.match(text, start)
    return match.span() if match else COMMON_RULES["{"](text, start, context)


def _icu_next_rule(text: str, start: int, _context: Context) -> Span | None:
    match = ICU_NEXT.match(text, start)
    return match.span() if match else None


def _call_rule(sign: str) -> Rule:
    def rule(text: str, start: int, context: Context) -> Span | None:
        match = CALL.match(text, start)
        return match.span() if match else COMMON_RULES[sign](text, start, context)

    return rule


LARAVEL = lazy_pattern(r"(?<![^\s(\[{\"'“‘「（>]):[A-Za-z][A-Za-z0-9_]+(?![\w:/-])", re.ASCII)


def _colon_rule(text: str, start: int, context: Context) -> Span | None:
    match = LARAVEL.match(text, start)
    return match.span() if match else address_rule(text, start, context)


MESSAGE_RULES: Rules = {
    **COMMON_RULES,
    "{": _icu_open_rule,
    "}": _icu_next_rule,
    "$": _call_rule("$"),
    "@": _call_rule("@"),
    ":": _colon_rule,
    "_": pattern_rule(r"__[A-Za-z][A-Za-z0-9_]*?__(?![A-Za-z0-9_])"),
    "[": pattern_rule(r"\[\[[A-Za-z_][\w.-]{0,60}\]\]"),
}
"""The rules for messages of a program, also with the placeholders of ICU, i18next and Laravel."""
PLURAL = lazy_pattern(r"\{\s*\w+\s*,\s*(?:plural|selectordinal)\s*,")
BRANCH = lazy_pattern(r"(?:=[0-9]+|\w+)\s*\{$")
OF_ONE_NUMBER = lazy_pattern(r"(?:=[0-9]+|\b(?:zero|one|two))\s*\{$")
"""Branches for one number only, which may write that number in words."""


def missing_signs(unit: Piece, answer: str) -> Iterator[tuple[str, bool]]:
    """Yield what the answer lacks of the `%%` of formats and the `#` of plurals, and whether that is wrong.

    A branch of a plural that is for one number may do without `#`.
    """
    masks = [unit.masks[int(match)] for match in MARK.findall(unit.text)]
    if any(mask[:1] == "%" for mask in masks) and answer.count("%%") < unit.text.count("%%"):
        yield "%%", True
    if "#" not in unit.text or not any(PLURAL.match(mask) for mask in masks):
        return
    after = dict(_branches(answer, unit.masks))
    for number, branch in _branches(unit.text, unit.masks):
        translated = after.get(number)
        if translated is not None and translated.count("#") < branch.count("#"):
            yield "#", not OF_ONE_NUMBER.search(unit.masks[number])


def _branches(text: str, masks: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Yield each branch of a plural as the number of the mark that opens it, and its text."""
    number, branch = None, ""
    parts = MARK.split(text)
    for mark, behind in zip(map(int, parts[1::2]), parts[2::2], strict=True):
        mask = masks[mark] if mark < len(masks) else ""
        if BRANCH.search(mask) or mask[:1] == "}":
            if number is not None:
                yield number, branch
            number, branch = (mark if BRANCH.search(mask) else None), ""
        branch += behind
    if number is not None:
        yield number, branch
