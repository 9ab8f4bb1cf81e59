"""The statements of an answer, the numbers of each, and the names in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple
from unicodedata import normalize

from gptkit.capabilities.documents.words import STOP_WORDS
from gptkit.core.patterns import lazy_pattern
from gptkit.text.checks.numbers import number_values

MARK = lazy_pattern(r"\s*[\[【［](\d{1,3}(?:\s*[,，、;]\s*\d{1,3})*)[\]】］]")
"""A citation such as `[1]` or `[1, 2]`."""
_MARKS = r"(?:\s*[\[【［]\d{1,3}(?:\s*[,，、;]\s*\d{1,3})*[\]】］])*"
MARKS = lazy_pattern(rf"{_MARKS}\s*")
BEGUN_MARK = lazy_pattern(r"\s*(?:[\[【［][\d\s,，、;]*)?")
"""What may become a citation when more text comes."""
_ABBREVIATION = lazy_pattern(
    r"(?:\b\w|\b\d\d|\b(?:art|abs|nr|no|st|dr|mr|mrs|ms|prof|vs|ca|bzw|usw|etc|cf|fig|sec|par|pp|vol|inc|ltd|co"
    r"|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec))\.\Z",
    re.IGNORECASE,
)
"""What ends in a full stop that is not the end of a sentence: letters, ordinals, short words."""
END = lazy_pattern(rf"(?:(?:[.!?]+[\"'”’»)*_]*{_MARKS}(?=\s|\Z))|(?:[。！？；]+[”’」』）*_]*{_MARKS})|\n)\s*")
LIST_SIGN = lazy_pattern(r"\s*(?:[-*+•>|]|#{1,6}|\d{1,3}[.)、])\s+")

NUMBER_WORDS = {
    word: value
    for words in (
        "one two three four five six seven eight nine ten eleven twelve",
        "eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
        "- deux trois quatre cinq six sept huit neuf dix onze douze",
        "uno dos tres cuatro cinco seis siete ocho nueve diez once doce",
    )
    for value, word in enumerate(words.split(), 1)
}
_ONE_CHINESE = lazy_pattern("一(?=个?(?:月|年|天|日|周|星期|小时|元|次|倍|欧|美))")
_CHINESE = lazy_pattern(r"(?<![\d.])[〇零一二两兩三四五六七八九十百千万萬亿億]+")
_CHINESE_DIGITS = dict(
    zip("〇零一二两兩三四五六七八九", (0, 0, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8, 9), strict=True)
)
_CHINESE_TENS = {"十": 10, "百": 100, "千": 1000}
_CHINESE_UNITS = frozenset("万萬亿億")
_WORD = lazy_pattern(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")


class Statement(NamedTuple):
    """A sentence, an item of a list or a heading; `text` has no marks, `end` is the white space behind."""

    text: str
    marks: tuple[int, ...]
    end: str

    @property
    def content(self) -> str:
        """The text without the sign of a list item or a heading."""
        sign = LIST_SIGN.match(self.text)
        return self.text[sign.end() :] if sign else self.text


def statements_of(text: str) -> Iterator[Statement]:
    """Split a whole answer."""
    while text:
        end = statement_end(text, True)
        yield statement(text[:end])
        text = text[end:]


def statement_end(text: str, is_whole: bool) -> int:
    """Where the first statement of a text ends, its marks and the white space behind included.

    0 while more text may still belong to it, which nothing does when the text `is_whole`.
    """
    for match in END.finditer(text):
        head = text[: match.end()].rstrip()
        if not head:
            continue
        is_plain = match[0].strip() == "." and "\n" not in match[0]
        if is_plain and _ABBREVIATION.search(text[: match.start() + 1]):
            continue
        end = _with_marks(text, match.end())
        return end if is_whole or not BEGUN_MARK.fullmatch(text, end) else 0
    return len(text) if is_whole else 0


def _with_marks(text: str, end: int) -> int:
    """Marks that stand behind the white space belong to the sentence before them."""
    marks = MARKS.match(text, end)
    return marks.end() if marks and marks[0].strip() else end


def statement(text: str) -> Statement:
    numbers = [int(number) for mark in MARK.finditer(text) for number in re.findall(r"\d+", mark[1])]
    bare = MARK.sub("", text)
    stripped = bare.rstrip()
    return Statement(stripped, tuple(dict.fromkeys(numbers)), bare[len(stripped) :])


def numbers_of(text: str) -> frozenset[Decimal]:
    """The values of all numbers, in digits and, up to twelve, in words; Chinese numerals of any size."""
    folded = normalize("NFC", text)
    found = {value for _, value in number_values(folded)}
    found |= {
        Decimal(NUMBER_WORDS[word]) for word in map(str.lower, _WORD.findall(folded)) if word in NUMBER_WORDS
    }
    for match in _CHINESE.finditer(folded):
        if match[0] != "一" or _ONE_CHINESE.match(folded, match.start()):
            found.add(Decimal(_chinese_value(match[0])))
    return frozenset(found)


def _chinese_value(numeral: str) -> int:
    """The value of a numeral; one without 十, 百 or 千 is read digit by digit, as years are."""
    if not set(numeral) & (_CHINESE_TENS.keys() | _CHINESE_UNITS):
        return int("".join(str(_CHINESE_DIGITS[sign]) for sign in numeral))
    total = part = digit = 0
    for sign in numeral:
        if sign in _CHINESE_DIGITS:
            digit = _CHINESE_DIGITS[sign]
        elif sign in _CHINESE_TENS:
            part += (digit or 1) * _CHINESE_TENS[sign]
            digit = 0
        elif sign in "亿億":
            total, part, digit = (total + part + digit or 1) * 10**8, 0, 0
        else:
            total, part, digit = total + (part + digit or 1) * 10**4, 0, 0
    return total + part + digit


def names_of(text: str) -> list[str]:
    """The words that are written like names: with a capital letter, and not only as the first word."""
    words = list(_WORD.finditer(text))
    found = []
    for at, match in enumerate(words):
        word = match[0]
        begins = at == 0 or re.search(r"[.!?:\"“„(]\s*\Z", text[: match.start()]) is not None
        is_name = word[0].isupper() and word.lower() not in STOP_WORDS and len(word) > 1
        if is_name and (not begins or len(words) <= 3 or word[1:] != word[1:].lower()):
            found.append(word)
    return found
