"""How well bytes read as a Western European language in cp1252, and as others in other code pages."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from functools import cache
from math import sqrt
from typing import NamedTuple

from gptkit.documents.encoding_letters import COSTS, LETTERS

WESTERN = ("english_german_dutch", "french", "spanish_catalan", "italian", "portuguese", "nordic", "finnish")
CENTRAL = ("polish", "czech_slovak", "hungarian", "romanian", "croatian_slovene")
# Encodings that cp1252 is mistaken for, with the languages written in them and what makes them less likely.
RIVALS: tuple[tuple[str, tuple[str, ...], float], ...] = (
    ("windows-1250", CENTRAL, 1),
    ("iso-8859-2", CENTRAL, 1),
    ("windows-1254", ("turkish",), 1),
    ("windows-1257", ("lithuanian", "latvian", "estonian"), 1),
    ("cp850", WESTERN, 6),
    ("cp437", WESTERN, 6),
    ("mac-roman", WESTERN, 5),
    ("cp852", CENTRAL, 6),
)
CYRILLIC = ("\u0400-\u04ff", "оеаинтсрвлкмдпу")
# Encodings of other alphabets: the letters, the commonest of them, and what makes the encoding less likely.
ALPHABETS: tuple[tuple[str, str, str, float], ...] = (
    ("windows-1251", *CYRILLIC, 0),
    ("koi8-r", *CYRILLIC, 0),
    ("cp866", *CYRILLIC, 2),
    ("iso-8859-5", *CYRILLIC, 4),
    ("mac-cyrillic", *CYRILLIC, 5),
    ("windows-1253", "\u0370-\u03ff", "αοιετσνηυρπκμλςίάό", 0),
    ("windows-1255", "\u0590-\u05ff", "יוהלאתרבמשנ", 0),
    ("windows-1256", "\u0600-\u06ff", "اليمنوترهبةدعسفكق", 0),
    ("cp874", "\u0e00-\u0eff", "าารนก\u0e31เ่อม้ลวยทสตดงะไ", 0),
)
UNKNOWN_PAIR = 16.0
ODD_SIGN = 16.0
# Signs of cp1252 where they usually stand, and the bits that each costs there.
SIGNS: tuple[tuple[re.Pattern[str], float], ...] = (
    (re.compile(r"(?<=[^\W\d_])’(?=(?:s|t|re|ve|ll|d|m)\b)"), 4),
    (re.compile(r"(?<=\b[ldjmntscLDJMNTSC])’(?=\w)|(?<=[qQ]u)’(?=\w)|(?<=ll)’(?=\w)|(?<=\bun)’(?=\w)"), 4),
    (re.compile(r"(?:^|(?<=[\s(\[—–\xa0]))[“„‘](?=[\w¿¡(‘“][^„]{0,400}[”“’])"), 5),
    (re.compile(r"(?<=[“„])[^“„”]{1,400}[”“](?=[\s.,;:!?)\]—–’”]|$)"), 5),
    (re.compile(r"(?<=\w[\w.,!?…%)])’(?=[\s.,;:!?)\]—–”]|$)"), 9),
    (re.compile(r"«(?=[\xa0 ]?[\w¿¡(][^«]{0,400}»)|(?<=[\w.,!?…%)\xa0 ])»"), 5),
    (re.compile(r"(?<=[\w,.)”’…»] )[–—](?= )|(?<=\d)–(?=\d)|(?<=[a-z])—(?=[\w“])|^[–—](?= )"), 6),
    (re.compile(r"(?<=\w)…(?=[\s”»)\]]|$)|(?<=\w)…(?=\w)|(?<=[\s“])…(?=\w)"), 7),
    (re.compile(r"(?<=\d)[°²³½¼¾€£%¢]|(?<=\d[ \xa0])[€£°±×]|[€£](?=\s?\d)|(?<=[mM])[²³]|§(?=[ \xa0]?\d)"), 6),
    (
        re.compile(
            r"(?<!\w)©(?=[ \xa0]?\w)|(?<=\w)[®™](?!\w)|(?:^|(?<=\s))[•·](?= \w)|±(?=\d)|µ(?=[mgslFVA]\b)"
        ),
        8,
    ),
    (re.compile(r"(?<=\s)×(?=\s)|×(?=\d)|(?<=\d)[ºª]|(?<=\d\.)[ºª]|(?<=\b[nN])º"), 8),
    (re.compile(r"(?<!\w)[¿¡](?=[\w¡¿“][^¿¡]{0,400}[?!])"), 4),
    (re.compile(r"\xa0(?=[:;!?»%€\d–—])|(?<=[«\d.])\xa0"), 5),
)


class Latin(NamedTuple):
    """How well the bytes read as cp1252."""

    bits: float  # what the characters beyond ASCII cost over a flat price for those of ASCII
    letters: int  # how many these are
    lead: float  # bits by which the best other code page that reads differently costs more
    rivals: tuple[str, ...]  # other code pages, the likeliest first
    rival: float  # what the characters beyond ASCII cost in the likeliest of those in Latin letters
    alphabet: float  # what the characters beyond ASCII cost as letters of the likeliest other alphabet

    @property
    def plausible(self) -> bool:
        return self.letters > 0 and self.bits / self.letters <= 8 + 4 / sqrt(self.letters)


def latin(data: bytes) -> Latin:
    """Judge `data`, a short piece in some encoding of one byte a character."""
    text = _read(data, "cp1252")
    whole, beyond = _cheapest(text, WESTERN) if text is not None else (1e9, 1e9)
    rivals: list[tuple[float, float, str]] = []
    for encoding, languages, extra in RIVALS:
        other = _read(data, encoding)
        if other is not None and other != text:
            bits, part = _cheapest(other, languages)
            rivals.append((bits + extra, part + extra, encoding))
    alphabets: list[tuple[float, float, str]] = []
    plain = _cheapest(re.sub("[^\0-\x7f]+", " ", data.decode("latin-1")), WESTERN)[0]
    for encoding, letters, common, extra in ALPHABETS:
        other = _read(data, encoding)
        if other is not None:
            bits = _alphabet_cost(other, letters, common) + extra
            alphabets.append((plain + bits, bits, encoding))
    others = sorted(rivals + alphabets)
    return Latin(
        bits=beyond,
        letters=sum(byte >= 0x80 for byte in data),
        lead=others[0][0] - whole if others else 1e9,
        rivals=tuple(encoding for _, _, encoding in others),
        rival=min((part for _, part, _ in rivals), default=1e9),
        alphabet=min((part for _, part, _ in alphabets), default=1e9),
    )


def _read(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _cheapest(text: str, languages: tuple[str, ...]) -> tuple[float, float]:
    """Bits of the text in the language that explains it best, and of its characters beyond ASCII.

    A pair whose right half is plain has told about that one, too, and is charged less for the left half.
    """
    folded = "_" + re.sub(r"[\W\dªºµ]", "_", text.replace("İ", "i").lower()) + "_"
    pairs = Counter(map("".join, itertools.pairwise(folded)))
    del pairs["__"]
    beyond = {pair: count for pair, count in pairs.items() if pair > "\x7f" or pair[1] > "\x7f"}
    relief = sum(count * (3 if pair[1] == "_" else 6) for pair, count in beyond.items() if pair[1] <= "\x7f")
    extra = _signs(text) + _oddities(text)
    costs = []
    for language in languages:
        table = _pairs(language)
        bits = sum(count * table.get(pair, UNKNOWN_PAIR) for pair, count in pairs.items())
        part = sum(count * table.get(pair, UNKNOWN_PAIR) for pair, count in beyond.items())
        costs.append((bits + extra, part - relief + extra))
    return min(costs)


def _oddities(text: str) -> float:
    """Bits for letters where they hardly ever stand."""
    changes = len(re.findall("[a-z](?=[À-ÞŠŽŒ])", text)) + len(re.findall(r"\bð", text))
    return 8.0 * changes + 6.0 * len(re.findall("(?<=[A-Z])[à-þšžœ](?=[A-Z])", text))


def _signs(text: str) -> float:
    """Bits of the characters beyond ASCII that are no letters."""
    signs = {
        place for place, sign in enumerate(text) if sign > "\x7f" and (not sign.isalpha() or sign in "ªºµ")
    }
    if not signs:
        return 0.0
    cost = 0.0
    for pattern, bits in SIGNS:
        usual = {found.end() - 1 for found in pattern.finditer(text)} & signs
        cost += bits * len(usual)
        signs -= usual
    return cost + ODD_SIGN * len(signs)


def _alphabet_cost(text: str, letters: str, common: str) -> float:
    """Bits of the characters beyond ASCII, if these are letters of another alphabet."""
    plain, others = len(re.findall("[A-Za-z]", text)), re.findall("[^\0-\x7f]", text)
    cost = 0.0 if not plain else 8.0 if plain < 10 * len(others) else 12.0
    for character in others:
        if not re.match(f"[{letters}]", character):
            cost += 14
        elif character in common:
            cost += 4.5
        else:
            cost += 6 if character == character.lower() else 7
    mixed = f"[a-z](?=[{letters}])|[{letters}](?=[a-z])|[{letters}](?<=[^А-ЯΑ-Ω])(?=[А-ЯΑ-Ω])"
    mixed += "|(?<![ก-ฮ\u0e31-\u0e4e])[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]|[เ-ไ](?![ก-ฮ])"  # Thai vowels astray
    turns = f"[A-Za-z][^A-Za-z{letters}]*[{letters}]|[{letters}][^A-Za-z{letters}]*[A-Za-z]"
    return cost + 12 * len(re.findall(mixed, text)) + 3 * len(re.findall(turns, text))


@cache
def _pairs(language: str) -> dict[str, float]:
    letters, digits = LETTERS[language], COSTS[language]
    size = len(letters)
    return {
        left + right: float(int(digits[row * size + column], 16))
        for row, left in enumerate(letters)
        for column, right in enumerate(letters)
    }
