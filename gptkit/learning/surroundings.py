"""Whether the words around an equation belong to it."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from gptkit.learning.expression import Token

Ending = Literal["", "more", "unit", "unclear"]

_BEFORE = frozenset(
    """sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln lg exp sqrt root cube square squared
    lim max min gcd lcm det abs floor ceil factorial choose of per out in to times plus minus over by divided
    multiplied von aus mal geteilt durch wurzel racine de raiz""".split()  # noqa: SIM905
)
"""Words that take part in the expression which follows them."""
_AFTER = frozenset(
    """remainder rem r rest reste resto mod modulo million millions billion billions trillion thousand hundred
    dozen k lakh crore of out times plus minus over divided squared cubed factorial percent per""".split()  # noqa: SIM905
)
"""Words that take part in the expression which they follow."""
_UNITS = frozenset(
    """mm cm dm m km mg g kg t ml cl dl l s ms h min hr hrs sec j kj w kw n pa kpa v ma hz khz ev lb oz ft yd
    mi minute minutes hour hours day days week weeks month months year years second seconds dollars cents
    euros meter meters metre metres gram grams kilo kilos liter liters litre litres inches feet""".split()  # noqa: SIM905
)
"""The number may have been converted into the unit: `500 * 2 = 1 kg`."""
_EAST_BEFORE = (
    "根号",
    "根號",
    "方根",
    "次方",
    "次幂",
    "平方",
    "立方",
    "的",
    "倍",
    "分之",
    "点",
    "點",
    "负",
    "負",
    "第",
)
_EAST_AFTER = "十百千万亿萬億兆余餘点點又分倍成折次"
_EAST_UNITS = "米克天年月周时時小厘毫公吨噸秒升斤元角"
_PRAISE = "✅✓✔🎉👍°℃"


def is_start(side: list[Token], folded: str, begin: int) -> bool:
    """Nothing in front of the claim belongs to it."""
    start = side[0].start
    before = folded[begin:start].rstrip("*")
    head = before.rstrip(" \t")
    if side[0].text == "-":
        return not head or (head[-1] in ":;,.!?。，：；！？(（" and not head[-1:].isalnum())
    if side[0].text == "+":
        return False
    if not head:
        return True
    last = head[-1]
    if head.endswith(_EAST_BEFORE) or unicodedata.category(last) in ("Sm", "So", "No", "Nl"):
        return False
    if last.isalpha():
        word = re.search(r"[^\W\d_]*$", head)
        spoken = (word[0] if word else "").lower()
        if not _is_east(last):
            name = head[: len(head) - len(spoken)][-1:]
            whole = len(spoken) > 1 and spoken not in _BEFORE and name not in ("\\", "_")
            return len(head) < len(before) and whole
        return True
    if last.isdigit() or last in "\\_/#@&'^~{}|%":
        return False
    return not (len(head) == len(before) and len(head) > 1 and head[-2].isdigit())


def ending_of(side: list[Token], folded: str) -> Ending:
    """What follows the claim: nothing of it (empty), `more` digits, a `unit`, or `unclear`."""
    if not side:
        return ""
    end = side[-1].end
    after = folded[end:].lstrip("*_`) ")
    close = folded[end : end + 1]
    if re.match(r"\.\.\.|…|\\(?:l|c)?dots", after):
        return "more" if "." in side[-1].text or "," in side[-1].text else "unclear"
    if not after or after[0] == "\n":
        return ""
    if re.match(r"[.,:;'’]\d|[_^{}&#@/|~±√≤≥<>≠∓=]|\\(?![)\]\\ ])", after):
        return "unit" if after.startswith(("\\text", "\\mathrm")) else "unclear"
    if after[0] == "!" or after[0] in _EAST_UNITS:
        return "unit"
    if after[0] in _EAST_AFTER:
        return "unclear"
    if after[0] in _PRAISE or _is_east(after[0]):
        return ""
    word = re.match(r"[^\W\d_]+", after)
    if word is None:
        return "unclear" if unicodedata.category(after[0]) in ("Sm", "So", "No", "Nl") else ""
    spoken = word[0].lower()
    if spoken in _AFTER or (len(spoken) == 1 and spoken not in _UNITS and spoken not in "ai"):
        return "unclear"
    if spoken in _UNITS:
        return "unit"
    return "unclear" if close == after[0] else ""


def _is_east(character: str) -> bool:
    """Scripts without spaces: their words may touch a number."""
    return character.isalpha() and unicodedata.east_asian_width(character) == "W"
