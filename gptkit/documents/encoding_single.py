"""How well bytes read as letters of one byte each: Latin ones of whatever code page, or another alphabet's.

None of this is decoded without being named. It says what else the bytes of an Eastern encoding may be.
"""

from __future__ import annotations

import re

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
HIGH_RUN = re.compile(rb"([A-Za-z]?)([\x80-\xff]+)([A-Za-z]?)")
# What hardly stands beside a Latin letter that is not ASCII, and what no text has.
ODD = re.compile(rb"[\x80-\xff](?=[@\[\\\]^_`{|}~])|[\0-\x08\x0e-\x1f\x7f]")
ASTRAY = re.compile(rb"[a-z][\x80-\xff]*(?=[A-Z])|[\x80-\xff](?=[0-9]|[A-Z][a-z])")


def latin_cost(data: bytes) -> float:
    """Bits of the bytes beyond ASCII, if these are single letters and signs of a Latin script."""
    cost = 14.0 * len(ODD.findall(data)) + 8.0 * len(ASTRAY.findall(data))
    for before, run, after in HIGH_RUN.findall(data):
        cost += 10 if before or after else 13
        cost += 10 * (len(run) > 1) + 12 * max(0, len(run) - 2)
    return cost


def alphabet_costs(data: bytes) -> list[tuple[float, str]]:
    """Bits of the bytes beyond ASCII as letters of other alphabets, with their encodings; cheapest first."""
    found: list[tuple[float, str]] = []
    for encoding, letters, common, extra in ALPHABETS:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        found.append((_alphabet_cost(text, letters, common) + extra, encoding))
    return sorted(found)


def _alphabet_cost(text: str, letters: str, common: str) -> float:
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
