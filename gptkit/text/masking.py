"""What in a text is not the model's to change: addresses, tags, entities and placeholders become holes."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping

from gptkit.text.chunk import HOLE
from gptkit.text.pieces import MARK, Piece

REACH = 4096
"""Characters in which a construct has to end: text that opens and never closes takes linear time as well."""
Span = tuple[int, int]


class Context:
    """One text while it is searched; `known` are the labels of links that are defined somewhere."""

    __slots__ = ("_runs", "known")

    def __init__(self, known: Collection[str] = ()) -> None:
        self.known = known
        self._runs: dict[int, list[int]] | None = None

    def code_end(self, text: str, start: int, length: int) -> int | None:
        """Behind the next run of as many backticks."""
        if self._runs is None:
            self._runs = {}
            for found in BACKTICKS.finditer(text):
                self._runs.setdefault(len(found[0]), []).append(found.start())
        runs = self._runs.get(length, [])
        after = bisect_right(runs, start)
        return runs[after] + length if after < len(runs) else None


Rule = Callable[[str, int, Context], Span | None]
Rules = Mapping[str, Rule]


def mask_text(text: str, rules: Rules, known: Collection[str] = ()) -> tuple[str, list[str]]:
    """The text with holes, and what was there."""
    trigger = MORE_TRIGGER if "www." in text or "  \n" in text or "  \r" in text else TRIGGER
    found = trigger.search(text)
    if found is None:
        return text, []
    context = Context(known)
    literals, masks, done = [], [], 0
    while found:
        start = found.start()
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
        found = trigger.search(text, place)
    return HOLE.join([*literals, text[done:]]), masks


def merge_holes(text: str, masks: list[str]) -> tuple[str, list[str]]:
    """With one hole in place of those that only white space parts."""
    if not masks:
        return text, masks
    literals = text.split(HOLE)
    kept, joined = [literals[0]], masks[:1]
    for literal, mask in zip(literals[1:], [*masks[1:], None], strict=True):
        if mask is not None and not literal.strip():
            joined[-1] += literal + mask
            continue
        kept.append(literal)
        joined += [mask] if mask is not None else []
    return HOLE.join(kept), joined


def pattern_rule(*patterns: str) -> Rule:
    """Masks what the group `it`, or else the whole, of the first pattern that matches here holds."""
    compiled = [re.compile(pattern, re.DOTALL) for pattern in patterns]

    def rule(text: str, start: int, _context: Context) -> Span | None:
        for pattern in compiled:
            if found := pattern.match(text, start, start + REACH):
                return found.span("it" if "it" in pattern.groupindex else 0)
        return None

    return rule


def address_rule(text: str, start: int, _context: Context) -> Span | None:
    """At a colon: the address whose scheme it ends."""
    before = SCHEME.search(text, max(0, start - 16), start)
    if before is None:
        return None
    found = (ADDRESS if text.startswith("//", start + 1) else MAIL_TO).match(text, start)
    if found is None or (found.re is MAIL_TO and before[0].lower() not in {"mailto", "tel"}):
        return None
    return before.start(), _without_punctuation(text, start + 1, found.end())


def own_mark_rule(text: str, start: int, _context: Context) -> Span:
    found = OWN_MARK.match(text, start)
    return found.span() if found else (start, start + 1)


def tag_rule(text: str, start: int, context: Context) -> Span | None:
    """A tag, a comment, an address in angle brackets; elements whose content is code are one span."""
    if opening := OPAQUE.match(text, start, start + REACH):
        close = text.find("</" + opening[1], opening.end())
        end = text.find(">", close) if close >= 0 else -1
        if end >= 0:
            return start, end + 1
    if text.startswith("<!--", start) and (end := text.find("-->", start + 2)) >= 0:
        return start, end + 3
    return _tag(text, start, context)


def _world_wide(text: str, start: int, _context: Context) -> Span | None:
    if start and text[start - 1].isascii() and text[start - 1].isalnum():
        return None
    found = WORLD_WIDE.match(text, start)
    return (start, _without_punctuation(text, start + 4, found.end())) if found else None


def _mail(text: str, start: int, _context: Context) -> Span | None:
    before = LOCAL_PART.search(text, max(0, start - 64), start)
    after = DOMAIN.match(text, start)
    return (before.start(), after.end()) if before and after else None


def _without_punctuation(text: str, least: int, end: int) -> int:
    found = URL_END.search(text, least, end)
    return found.start() if found else end


UNBREAKABLE = (
    r"\{\{[^{}\n]{1,80}\}\}|[$%]?\{[^{}\n]{1,80}\}|<[A-Za-z/!][^<>\n]{0,400}>|%\([^()\n]{1,60}\)[A-Za-z]"
)
"""Tags and placeholders, which the cut of a long text must not part."""
ATOM = re.compile(rf"{UNBREAKABLE}|.", re.DOTALL)
BACKTICKS = re.compile("`+")
TRIGGER = re.compile(r"[`$\\<&\[\]{}%:@⟦⟧]")
MORE_TRIGGER = re.compile(r"[`$\\<&\[\]{}%:@⟦⟧]|www\.|  (?= *[\n\r])")
OWN_SIGNS = ("⟦", "⟧")
"""Never left in a text, not even escaped: whatever takes it apart counts them as its own."""
OWN_MARK = re.compile(r"⟦#?[0-9]*⟧|[⟦⟧]")
NOT_IN_URL = r"\s<>()\[\]{}\"`|\\^⟦⟧，。！？；：、（）「」『』《》【】“”‘’"
URL_REST = rf"(?:[^{NOT_IN_URL}]|\([^{NOT_IN_URL}]*\)|\{{[^{NOT_IN_URL}]*\}})++"
URL_END = re.compile(r"[.,:;!?*_~']+$")
ADDRESS, MAIL_TO = re.compile(rf"://{URL_REST}"), re.compile(rf":[^{NOT_IN_URL}]+")
WORLD_WIDE = re.compile(rf"www\.{URL_REST}")
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,15}$")
LOCAL_PART = re.compile(r"[A-Za-z0-9.!#%&'*+/=?^_~-]+$")
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
DOMAIN = re.compile(rf"@{LABEL}(?:\.{LABEL})+")
OPAQUE = re.compile(
    r"<(script|style|pre|code|kbd|samp|tt|textarea|math|svg)\b[^<>]*>", re.IGNORECASE
)  # the model must see none of what they hold
_tag = pattern_rule(
    r"<[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*>",
    r"<[^\s<>@]+@[^\s<>]+>",
    r"""</?[A-Za-z][A-Za-z0-9:._-]*(?:\s(?:[^<>"']|"[^"]*+"|'[^']*+')*+)?/?>""",
    r"<[?!][A-Za-z].*?>",
    r"<%.*?%>",
)
entity_rule = pattern_rule(r"&(?:[A-Za-z][A-Za-z0-9]{1,31}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});")
VARIABLES = (r"\$\{[^{}\n]{1,80}\}", r"\$[A-Za-z_][A-Za-z0-9_]*")
COMMON_RULES: dict[str, Rule] = {
    "<": tag_rule,
    "&": entity_rule,
    "{": pattern_rule(
        *(r"\{\{.*?\}\}", r"\{%.*?%\}", r"\{[:#.][^{}\n]*\}", r"\{\}"),
        r"\{ ?[\w$][\w.\[\]:!%,#+<>^-]{0,60} ?\}",
    ),
    "%": pattern_rule(
        r"%\([\w. -]+\)[-#0+ ]*[0-9]*(?:\.[0-9]+)?[A-Za-z]",
        r"%(?:[0-9]+\$)?[-+#0]*(?:[0-9]+|\*)?(?:\.(?:[0-9]+|\*))?(?:hh?|ll?|[Lzjtq])?"
        r"[sdiufFeEgGxXoc@](?![A-Za-z])(?!(?<=[0-9]%.)['’][^\W\d_])",  # as in `50%d'eau`
        r"%\{[\w.]+\}",
    ),
    "$": pattern_rule(*VARIABLES),
    ":": address_rule,
    "w": _world_wide,
    "@": _mail,
    "⟦": own_mark_rule,
    "⟧": own_mark_rule,
}
"""By the character at which a rule is asked. Placeholders are those of Python, C, shells and templates."""


ICU_OPEN = re.compile(
    r"\{\s*\w+\s*,\s*(?:plural|select|selectordinal)\s*,\s*(?:offset:[0-9]+\s*)?(?:=[0-9]+|\w+)\s*\{"
)
ICU_NEXT = re.compile(r"\}\s*(?:\}|(?:=[0-9]+|\w+)\s*\{)")
ICU_TYPED = re.compile(r"\{\s*\w+\s*,\s*(?:number|date|time|spellout|ordinal|duration)\b[^{}]*\}")
CALL = re.compile(r"\$t\([^()]*\)|@:(?:\([^()]*\)|[\w.]+)")


def _brace(text: str, start: int, context: Context) -> Span | None:
    found = ICU_OPEN.match(text, start) or ICU_TYPED.match(text, start)
    return found.span() if found else COMMON_RULES["{"](text, start, context)


def _closing(text: str, start: int, _context: Context) -> Span | None:
    found = ICU_NEXT.match(text, start)
    return found.span() if found else None


def _call(sign: str) -> Rule:
    def rule(text: str, start: int, context: Context) -> Span | None:
        found = CALL.match(text, start)
        return found.span() if found else COMMON_RULES[sign](text, start, context)

    return rule


MESSAGE_RULES: Rules = {**COMMON_RULES, "{": _brace, "}": _closing, "$": _call("$"), "@": _call("@")}
PLURAL = re.compile(r"\{\s*\w+\s*,\s*(?:plural|selectordinal)\s*,")
BRANCH = re.compile(r"(?:=[0-9]+|\w+)\s*\{$")
OF_ONE_NUMBER = re.compile(r"(?:=[0-9]+|\b(?:zero|one|two))\s*\{$")
"""Branches that may say their number in words."""


def missing_signs(unit: Piece, answer: str) -> Iterator[tuple[str, bool]]:
    """What is not there of percent signs in formats, and of what stands for the number in plurals; and
    whether that is wrong in any language."""
    masks = [unit.masks[int(found)] for found in MARK.findall(unit.text)]
    if any(mask[:1] == "%" for mask in masks) and answer.count("%%") < unit.text.count("%%"):
        yield "%%", True
    if "#" not in unit.text or not any(PLURAL.match(mask) for mask in masks):
        return
    after = dict(_branches(answer, unit.masks))
    for number, branch in _branches(unit.text, unit.masks):
        there = after.get(number)
        if there is not None and there.count("#") < branch.count("#"):
            yield "#", not OF_ONE_NUMBER.search(unit.masks[number])


def _branches(text: str, masks: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """By the mark that opens it, what is said in each branch."""
    number, said = None, ""
    parts = MARK.split(text)
    for mark, behind in zip(map(int, parts[1::2]), parts[2::2], strict=True):
        mask = masks[mark] if mark < len(masks) else ""
        if BRANCH.search(mask) or mask[:1] == "}":
            if number is not None:
                yield number, said
            number, said = (mark if BRANCH.search(mask) else None), ""
        said += behind
    if number is not None:
        yield number, said
