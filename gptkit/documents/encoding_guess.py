"""Recognises the encoding of bytes that are not UTF-8, where it is certainly an Eastern one.

Every encoding in question reads the same bytes; each reading costs as many bits as a plain model of the
language needs for it. The cheapest is right if the language itself is usual text (random bytes and encodings
that are not known here read as rare characters) and no other reading comes near it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gptkit.documents.encoding_east import ASCII, EASTERN, ENCODINGS, HALF_WIDTH, Reading, best_language
from gptkit.documents.encoding_names import codecs_of, read
from gptkit.documents.encoding_single import alphabet_costs, latin_cost
from gptkit.documents.encoding_utf16 import utf16_readings

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


def guess(data: bytes) -> Guess:
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
            text = read(sample[: len(sample) - cut], codecs_of(name))
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
