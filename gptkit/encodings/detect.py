"""Recognises the encoding of bytes that nobody has named, where it is certain."""

from __future__ import annotations

import re
from math import sqrt
from typing import NamedTuple

from gptkit.encodings.cjk import ASCII, EASTERN, ENCODINGS, HALF_WIDTH, Reading, best_language
from gptkit.encodings.names import codecs_of, decode_with

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
    return "" if len(readings) > 1 and readings[1].bits - best.bits < LEAD else best.encoding


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
    if len(data) <= SAMPLE:
        return data.decode(codec)
    middle = len(data) // 4 * 2
    pieces = (
        data[: SAMPLE // 2],
        data[middle : middle + SAMPLE // 4],
        data[-SAMPLE // 4 :],
    )
    return "".join(_whole(piece.decode(codec, "surrogatepass")) for piece in pieces)


def _whole(piece: str) -> str:
    """The piece without half a surrogate pair at either end."""
    return piece.strip("".join(map(chr, range(0xD800, 0xE000)))) if piece else piece


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


LEAD = 14.0  # bits by which the best Eastern reading must beat every other
ALPHABET_EXTRA = 10.0  # other alphabets in encodings of one byte are rare beside these
MOST_EXCESS = 2.4
SAMPLE = 16384
ALPHABET_SAMPLE = 4096
UTF8_SEQUENCE = re.compile(rb"[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
# Bytes by their part in a UTF-8 character of three, and five such characters in a row.
PARTS = bytes(76 if 0xE3 <= byte <= 0xED else 99 if 0x80 <= byte <= 0xBF else 46 for byte in range(256))
UTF8_RUN = b"Lcc" * 5
HIGH = re.compile(rb"[\x80-\xff]")


class Guess(NamedTuple):
    encoding: str  # empty where it is not certain
    likely: tuple[str, ...]  # what it may be, the likeliest first
    damaged: bool = False  # UTF-8 with some bytes that do not belong


def guess_encoding(data: bytes) -> Guess:
    """The encoding of `data`, which holds no NUL and is not UTF-8."""
    sample = excerpt(data, SAMPLE)
    if _mostly_utf8(sample):
        return Guess("", ("utf-8",), damaged=True)
    readings = list(filter(None, (_reading(sample, name, languages) for name, languages in ENCODINGS)))
    readings = sorted(readings + utf16_readings(data))
    singles = _singles(sample, data)
    likely = _likely(readings, singles)
    if not readings or not _is_certain(readings, singles) or UTF8_RUN in data.translate(PARTS):
        return Guess("", likely)
    return Guess(readings[0].encoding, likely)


def excerpt(data: bytes, size: int) -> bytes:
    """Pieces of `data`, at most `size` bytes together, around bytes that are not ASCII; all of it if short.

    A piece begins and ends beside a byte below 0x30, which in no encoding is part of a longer character.
    """
    if len(data) <= size:
        return data
    pieces, step, length, done = [], len(data) // 8, size // 8, 0
    for number in range(8):
        found = HIGH.search(data, max(done, number * step))
        if not found:
            break
        start = _boundary(data, found.start(), done)
        end = min(len(data), start + length)
        stop = end if end == len(data) else max(_boundary(data, end, start), start)
        if stop > start and (start == done or data[start - 1] < 0x30):
            pieces.append(data[start:stop])
        done = end
    return b"\n".join(pieces) if pieces else data[:size]


def _boundary(data: bytes, place: int, lowest: int) -> int:
    """The last place up to `place` that follows a byte below 0x30; `lowest` if there is none."""
    for index in range(place, lowest, -1):
        if data[index - 1] < 0x30:
            return index
    return lowest


def _mostly_utf8(sample: bytes) -> bool:
    high = len(HIGH.findall(sample))
    sequences = UTF8_SEQUENCE.findall(sample)
    covered = sum(map(len, sequences))
    return len(sequences) >= 3 and high - covered <= max(2, 0.1 * high) and covered >= 0.75 * high


def _reading(sample: bytes, name: str, languages: tuple[tuple[str, float], ...]) -> Reading | None:
    for cut in range(4 if len(sample) >= SAMPLE - 8 else 1):  # an excerpt may end inside a character
        try:
            text = decode_with(sample[: len(sample) - cut], codecs_of(name))
        except UnicodeDecodeError:
            continue
        return best_language(text, name, languages)
    return None


def _singles(sample: bytes, data: bytes) -> list[tuple[float, str]]:
    """Bits of the sample read as one byte a letter: as Latin ones first, then as the likeliest alphabets."""
    high, piece = len(HIGH.findall(sample)), excerpt(data, ALPHABET_SAMPLE)
    plain, scale = ASCII * (len(sample) - high), high / max(1, len(HIGH.findall(piece)))
    alphabets = [(plain + scale * bits, encoding) for bits, encoding in alphabet_costs(piece)]
    return [(plain + latin_cost(sample), "cp1252"), *alphabets]


def _is_certain(readings: list[Reading], singles: list[tuple[float, str]]) -> bool:
    best, (latin, *alphabets) = readings[0], [bits for bits, _ in singles]
    rivals = [latin, *(reading.bits for reading in readings[1:] if reading.text != best.text)]
    # Half-width katakana are single bytes, as the letters of other alphabets are.
    extra = 0 if HALF_WIDTH.search(best.text) else ALPHABET_EXTRA
    rivals += [bits + extra for bits in alphabets]
    # Symbols and accented letters alone, as a few bytes of anything may read, are no Eastern text.
    if best.excess > MOST_EXCESS or not (EASTERN.search(best.text) or HALF_WIDTH.search(best.text)):
        return False
    return all(bits - best.bits >= LEAD for bits in rivals)


def _likely(readings: list[Reading], singles: list[tuple[float, str]]) -> tuple[str, ...]:
    """What reads better than Latin letters, at most two, and the commonest encoding of these."""
    (latin, western), *alphabets = singles
    eastern = [(one.bits, one.encoding) for one in readings if one.excess <= 3 * MOST_EXCESS]
    better = [encoding for bits, encoding in sorted([*eastern, *alphabets]) if bits < latin]
    return (*better[:2], western)
