"""Recognises UTF-16 that has no byte order mark."""

from __future__ import annotations

import re
from math import sqrt

from gptkit.documents.encoding_east import Reading, best_language

UTF16_SAMPLE = 16384
UTF16_LEAD = 14.0
LEAST_BYTES = 8
LANGUAGES = (("simplified", 4.0), ("traditional", 4.0), ("japanese", 4.0), ("korean", 4.0))
NEVER_IN_TEXT = re.compile("[\0-\7\x0b\x0e-\x1a\x1c-\x1f\x7f-\x9f\ud800-\udfff\ue000-\uf8ff\ufff0-\uffff]")
LONGEST_LIKE_ASCII = 4096
CONTROL = re.compile(rb"[\x01-\x07\x0e-\x1a\x1c-\x1f]")
WORD_OF_ASCII = re.compile(rb"[!-~]+")
HEXADECIMAL = re.compile(rb"[0-9A-Fa-f]+")


def utf16_with_nul(data: bytes) -> str:
    """The form of UTF-16 that `data`, which holds NULs, is certainly in; empty if it is other data."""
    return _certain(data) if len(data) >= LEAST_BYTES else ""


def utf16_like_ascii(data: bytes) -> str:
    """The form of UTF-16 if `data`, which is all ASCII without a NUL, makes sense only as such.

    A few words of kana, hanzi or Cyrillic may have no byte that is not ASCII. They look like random letters
    and control characters, without a space or a line feed, which would have brought a NUL.
    """
    if len(data) < LEAST_BYTES or len(data) > LONGEST_LIKE_ASCII or len(data) % 2:
        return ""
    if CONTROL.search(data):
        return _certain(data)
    if len(data) < 12 or not WORD_OF_ASCII.fullmatch(data) or HEXADECIMAL.fullmatch(data):
        return ""
    return next((found.encoding for found in sorted(utf16_readings(data)) if found.excess <= 0), "")


def _certain(data: bytes) -> str:
    readings = sorted(utf16_readings(data))
    if not readings:
        return ""
    best, length = readings[0], len(readings[0].text)
    if best.bits > (11.5 + 5 / sqrt(length)) * length:
        return ""
    return "" if len(readings) > 1 and readings[1].bits - best.bits < UTF16_LEAD else best.encoding


def utf16_readings(data: bytes) -> list[Reading]:
    """What a sample of `data` costs in both forms of UTF-16, where it is text at all."""
    if len(data) % 2:
        return []
    readings = []
    for codec in ("utf-16-le", "utf-16-be"):
        try:
            text = _sample(data, codec)
        except UnicodeDecodeError:
            continue
        if not NEVER_IN_TEXT.search(text):
            readings.append(best_language(text, codec, LANGUAGES))
    return readings


def _sample(data: bytes, codec: str) -> str:
    if len(data) <= UTF16_SAMPLE:
        return data.decode(codec)
    middle = len(data) // 4 * 2
    pieces = (
        data[: UTF16_SAMPLE // 2],
        data[middle : middle + UTF16_SAMPLE // 4],
        data[-UTF16_SAMPLE // 4 :],
    )
    return "".join(_whole(piece.decode(codec, "surrogatepass")) for piece in pieces)


def _whole(piece: str) -> str:
    """The piece without half a surrogate pair at either end."""
    return piece.strip("".join(map(chr, range(0xD800, 0xE000)))) if piece else piece
