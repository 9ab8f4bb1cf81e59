"""Recognise the encoding of bytes, where it is certain."""

from __future__ import annotations

import re
from math import sqrt
from typing import NamedTuple

from gptkit.encodings.cjk import ASCII, EASTERN, ENCODINGS, HALF_WIDTH, Reading, best_language
from gptkit.encodings.names import codecs_for_encoding, decode_with

LEAST_BYTES = 8
LANGUAGES = (("simplified", 4.0), ("traditional", 4.0), ("japanese", 4.0), ("korean", 4.0))
NEVER_IN_TEXT = re.compile("[\0-\7\x0b\x0e-\x1a\x1c-\x1f\x7f-\x9f\ud800-\udfff\ue000-\uf8ff\ufff0-\uffff]")
LONGEST_LIKE_ASCII = 4096
CONTROL = re.compile(rb"[\x01-\x07\x0e-\x1a\x1c-\x1f]")
WORD_OF_ASCII = re.compile(rb"[!-~]+")
HEXADECIMAL = re.compile(rb"[0-9A-Fa-f]+")


def utf16_with_nul(data: bytes) -> str:
    """The form of UTF-16 that data with NULs is certainly in; empty if it is not certain."""
    return _certain_utf16(data) if len(data) >= LEAST_BYTES else ""


def utf16_like_ascii(data: bytes) -> str:
    """The form of UTF-16 if data in ASCII without NUL makes sense only as UTF-16; else empty.

    All bytes of a few words of kana, hanzi or Cyrillic may be ASCII. Such words look like random letters and
    control characters, without a space or a line feed, since these have a NUL in UTF-16.
    """
    if len(data) < LEAST_BYTES or len(data) > LONGEST_LIKE_ASCII or len(data) % 2:
        return ""
    if CONTROL.search(data):
        return _certain_utf16(data)
    if len(data) < 12 or not WORD_OF_ASCII.fullmatch(data) or HEXADECIMAL.fullmatch(data):
        return ""
    return next((reading.encoding for reading in sorted(utf16_readings(data)) if reading.excess <= 0), "")


def _certain_utf16(data: bytes) -> str:
    readings = sorted(utf16_readings(data))
    if not readings:
        return ""
    best, length = readings[0], len(readings[0].text)
    if best.bits > (11.5 + 5 / sqrt(length)) * length:
        return ""
    return "" if len(readings) > 1 and readings[1].bits - best.bits < LEAD else best.encoding


def utf16_readings(data: bytes) -> list[Reading]:
    """A reading of a sample of `data` for each form of UTF-16 in which the sample is text."""
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
    return "".join(_trim_surrogates(piece.decode(codec, "surrogatepass")) for piece in pieces)


def _trim_surrogates(piece: str) -> str:
    """Remove half a surrogate pair at either end of a text."""
    return piece.strip("".join(map(chr, range(0xD800, 0xE000)))) if piece else piece


CYRILLIC = ("\u0400-\u04ff", "оеаинтсрвлкмдпу")
# Encoding, letters of its alphabet, the commonest letters, bits to add for a rarer encoding.
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
# Punctuation that hardly follows an accented Latin letter, and control characters that no text has.
ODD = re.compile(rb"[\x80-\xff](?=[@\[\\\]^_`{|}~])|[\0-\x08\x0e-\x1f\x7f]")
# Accented letters where Latin text hardly has one: before a capital within a word, or before a digit.
ASTRAY = re.compile(rb"[a-z][\x80-\xff]*(?=[A-Z])|[\x80-\xff](?=[0-9]|[A-Z][a-z])")


def latin_cost(data: bytes) -> float:
    """Bits to encode the bytes beyond ASCII as single letters and punctuation of a Latin script."""
    cost = 14.0 * len(ODD.findall(data)) + 8.0 * len(ASTRAY.findall(data))
    for before, run, after in HIGH_RUN.findall(data):
        cost += 10 if before or after else 13
        cost += 10 * (len(run) > 1) + 12 * max(0, len(run) - 2)
    return cost


def alphabet_costs(data: bytes) -> list[tuple[float, str]]:
    """Bits to encode the bytes beyond ASCII as letters of another alphabet, by encoding; cheapest first."""
    costs: list[tuple[float, str]] = []
    for encoding, letters, common, extra in ALPHABETS:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        costs.append((_alphabet_cost(text, letters, common) + extra, encoding))
    return sorted(costs)


def _alphabet_cost(text: str, letters: str, common: str) -> float:
    latin, others = len(re.findall("[A-Za-z]", text)), re.findall("[^\0-\x7f]", text)
    cost = 0.0 if not latin else 8.0 if latin < 10 * len(others) else 12.0
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


LEAD = 14.0  # bits by which the best East Asian reading must be cheaper than any other
ALPHABET_EXTRA = 10.0  # bits to add for an encoding of one byte in another alphabet: these are rarer
EXCESS_CAP = 2.4
SAMPLE = 16384
ALPHABET_SAMPLE = 4096
UTF8_SEQUENCE = re.compile(rb"[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
# Bytes by their place in a UTF-8 character of three bytes (L first, c next), and five such characters.
UTF8_PARTS = bytes(76 if 0xE3 <= byte <= 0xED else 99 if 0x80 <= byte <= 0xBF else 46 for byte in range(256))
UTF8_RUN = b"Lcc" * 5
HIGH = re.compile(rb"[\x80-\xff]")


class Guess(NamedTuple):
    """The result of `guess_encoding`."""

    encoding: str  # empty where it is not certain
    likely: tuple[str, ...]  # the encodings that it may be in, likeliest first
    damaged: bool = False  # it is UTF-8 with some invalid bytes


def guess_encoding(data: bytes) -> Guess:
    """Guess the encoding of data that holds no NUL and is not valid UTF-8."""
    sample = sample_bytes(data, SAMPLE)
    if _is_mostly_utf8(sample):
        return Guess("", ("utf-8",), damaged=True)
    readings = list(filter(None, (_reading(sample, name, languages) for name, languages in ENCODINGS)))
    readings = sorted(readings + utf16_readings(data))
    single_bytes = _single_byte_costs(sample, data)
    likely = _likely(readings, single_bytes)
    if not readings or not _is_certain(readings, single_bytes) or UTF8_RUN in data.translate(UTF8_PARTS):
        return Guess("", likely)
    return Guess(readings[0].encoding, likely)


def sample_bytes(data: bytes, size: int) -> bytes:
    """Pieces of `data` around bytes beyond ASCII, together at most `size` bytes; all of it if it is short.

    A piece begins and ends after a byte below 0x30, which in no encoding is part of a longer character.
    """
    if len(data) <= size:
        return data
    pieces, step, length, done = [], len(data) // 8, size // 8, 0
    for number in range(8):
        high_byte = HIGH.search(data, max(done, number * step))
        if not high_byte:
            break
        start = _boundary(data, high_byte.start(), done)
        end = min(len(data), start + length)
        stop = end if end == len(data) else max(_boundary(data, end, start), start)
        if stop > start and (start == done or data[start - 1] < 0x30):
            pieces.append(data[start:stop])
        done = end
    return b"\n".join(pieces) if pieces else data[:size]


def _boundary(data: bytes, position: int, lowest: int) -> int:
    """The last position up to `position` that follows a byte below 0x30; `lowest` if there is none."""
    for index in range(position, lowest, -1):
        if data[index - 1] < 0x30:
            return index
    return lowest


def _is_mostly_utf8(sample: bytes) -> bool:
    high = len(HIGH.findall(sample))
    sequences = UTF8_SEQUENCE.findall(sample)
    covered = sum(map(len, sequences))
    return len(sequences) >= 3 and high - covered <= max(2, 0.1 * high) and covered >= 0.75 * high


def _reading(sample: bytes, name: str, languages: tuple[tuple[str, float], ...]) -> Reading | None:
    for cut in range(4 if len(sample) >= SAMPLE - 8 else 1):  # a sample may end inside a character
        try:
            text = decode_with(sample[: len(sample) - cut], codecs_for_encoding(name))
        except UnicodeDecodeError:
            continue
        return best_language(text, name, languages)
    return None


def _single_byte_costs(sample: bytes, data: bytes) -> list[tuple[float, str]]:
    """Bits to encode the sample with one byte a letter: first Latin, then alphabets, cheapest first."""
    high, piece = len(HIGH.findall(sample)), sample_bytes(data, ALPHABET_SAMPLE)
    plain, scale = ASCII * (len(sample) - high), high / max(1, len(HIGH.findall(piece)))
    alphabets = [(plain + scale * bits, encoding) for bits, encoding in alphabet_costs(piece)]
    return [(plain + latin_cost(sample), "cp1252"), *alphabets]


def _is_certain(readings: list[Reading], single_bytes: list[tuple[float, str]]) -> bool:
    best, (latin, *alphabets) = readings[0], [bits for bits, _ in single_bytes]
    rivals = [latin, *(reading.bits for reading in readings[1:] if reading.text != best.text)]
    # Half-width katakana are single bytes, like the letters of other alphabets.
    extra = 0 if HALF_WIDTH.search(best.text) else ALPHABET_EXTRA
    rivals += [bits + extra for bits in alphabets]
    # Symbols and accented letters alone are no East Asian text: a few bytes of anything may look like them.
    if best.excess > EXCESS_CAP or not (EASTERN.search(best.text) or HALF_WIDTH.search(best.text)):
        return False
    return all(bits - best.bits >= LEAD for bits in rivals)


def _likely(readings: list[Reading], single_bytes: list[tuple[float, str]]) -> tuple[str, ...]:
    """At most two encodings that are cheaper than Latin letters, and the commonest encoding of these."""
    (latin, western), *alphabets = single_bytes
    eastern = [(reading.bits, reading.encoding) for reading in readings if reading.excess <= 3 * EXCESS_CAP]
    better = [encoding for bits, encoding in sorted([*eastern, *alphabets]) if bits < latin]
    return (*better[:2], western)
