"""Bytes of known or unknown encoding become text, or are refused; never silently wrong."""

from __future__ import annotations

import re
from contextlib import suppress

from gptkit.core.errors import DataError
from gptkit.encodings.magic import binary_kind
from gptkit.encodings.names import codecs_named, codecs_of, decode_with

# UTF-32 before UTF-16: the little-endian mark of the one begins with that of the other.
MARKS = (
    (b"\xef\xbb\xbf", "utf-8", "UTF-8"),
    (b"\xff\xfe\0\0", "utf-32-le", "UTF-32"),
    (b"\0\0\xfe\xff", "utf-32-be", "UTF-32"),
    (b"\xff\xfe", "utf-16-le", "UTF-16"),
    (b"\xfe\xff", "utf-16-be", "UTF-16"),
    (b"\x84\x31\x95\x33", "gb18030", "GB18030"),
)
# What switches the character set in encodings of seven bits.
ESCAPES = (
    (b"\x1b$)C", "iso2022_kr"),
    (b"\x1b$B", "iso2022_jp_2"),
    (b"\x1b$@", "iso2022_jp_2"),
)
# Control characters, or one long word: see utf16_like_ascii.
ODD_ASCII = re.compile(rb"[\x01-\x07\x0e-\x1a\x1c-\x1f]|^[!-~]{12,}$")
NAME_IT = "name the encoding with --encoding, for example --encoding gb18030"


def decode(data: bytes, source: str, encoding: str | None = None) -> str:
    """The text in `data`, without a byte order mark and otherwise unchanged.

    Args:
        source: what a message calls the data, such as `standard input` or a file's name.
        encoding: the encoding that the user named; without it only what is certain is decoded.
    """
    codecs = codecs_named(encoding) if encoding is not None else ()
    text = _marked(data, source, encoding)
    if text is None:
        text = _named(data, source, encoding, codecs) if encoding is not None else _recognised(data, source)
    if "\0" in text:
        raise _binary(data, source)
    return text


def _marked(data: bytes, source: str, encoding: str | None) -> str | None:
    """The text after a byte order mark, which counts for more than the name of another encoding."""
    for mark, codec, name in MARKS:
        if not data.startswith(mark):
            continue
        try:
            return str(memoryview(data)[len(mark) :], codec)
        except UnicodeDecodeError as fault:
            if name == "UTF-32" or encoding is not None:
                continue
            if binary_kind(data):
                raise _binary(data, source) from None
            where = len(mark) + fault.start
            raise DataError(
                f"{source}: begins with the mark of {name} but is not valid {name} at byte {where}",
                hint=NAME_IT,
            ) from None
    return None


def _named(data: bytes, source: str, encoding: str, codecs: tuple[str, ...]) -> str:
    name = encoding.strip()
    if codecs == ("utf-16",):  # without a mark, which came first of all
        codecs = (_order_of_utf16(data),)
    try:
        return decode_with(data, codecs)
    except UnicodeDecodeError as fault:
        if binary_kind(data):
            raise _binary(data, source) from None
        raise DataError(
            f"{source}: not valid {name}: byte {fault.start} is 0x{data[fault.start]:02x}",
            hint="leave --encoding out to have the encoding recognised, or name another",
        ) from None
    except UnicodeError:  # some codecs know no position
        raise DataError(f"{source}: not valid {name} from byte 0 on", hint=NAME_IT) from None


def _order_of_utf16(data: bytes) -> str:
    from gptkit.encodings.detect import utf16_readings

    return min(utf16_readings(data)).encoding if utf16_readings(data) else "utf-16-le"


def _recognised(data: bytes, source: str) -> str:
    if data.startswith(b"%PDF-"):  # may be plain ASCII, and still nothing to read as text
        raise _binary(data, source)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as fault:
        return _not_utf8(data, source, fault.start)
    suspicious = b"\0" in data or b"\x1b$" in data or (len(data) <= 4096 and ODD_ASCII.search(data))
    return _other_than_ascii(data, text) if suspicious else text


def _other_than_ascii(data: bytes, text: str) -> str:
    """The text of encodings whose bytes are all ASCII, too; else `text`."""
    from gptkit.encodings.detect import utf16_like_ascii, utf16_with_nul

    for escape, codec in ESCAPES:
        if escape in data:
            with suppress(UnicodeDecodeError):
                return data.decode(codec)
    name = utf16_with_nul(data) if b"\0" in data else utf16_like_ascii(data)
    return data.decode(name) if name else text


def _not_utf8(data: bytes, source: str, place: int) -> str:
    from gptkit.encodings.detect import guess_encoding, utf16_with_nul

    if binary_kind(data):
        raise _binary(data, source)
    if b"\0" in data:
        name = utf16_with_nul(data)
        if not name:
            raise _binary(data, source)
        return data.decode(name)
    found = guess_encoding(data)
    if not found.encoding:
        raise _uncertain(found.likely, found.damaged, data, source, place)
    try:
        return decode_with(data, codecs_of(found.encoding))
    except UnicodeDecodeError as fault:
        raise DataError(
            f"{source}: looks like {found.encoding} but byte {fault.start} is 0x{data[fault.start]:02x}",
            hint=NAME_IT,
        ) from None


def _uncertain(likely: tuple[str, ...], damaged: bool, data: bytes, source: str, place: int) -> DataError:
    where = f"byte {place} is 0x{data[place]:02x}"
    if damaged:
        return DataError(
            f"{source}: damaged or cut UTF-8: {where}",
            hint="repair it, or name another encoding with --encoding",
        )
    *others, last = likely
    choice = f"{', '.join(others)} or {last}" if others else last
    return DataError(
        f"{source}: not UTF-8, and its encoding is not certain: {where}",
        hint=f"name it, for example with --encoding {choice}",
    )


def _binary(data: bytes, source: str) -> DataError:
    kind = binary_kind(data)
    if kind:
        return DataError(f"{source}: not text: looks like {kind}", hint="extract its text first")
    return DataError(
        f"{source}: not text: NUL at byte {max(data.find(0), 0)}",
        hint="if it is text, name the encoding with --encoding, for example --encoding utf-16-le",
    )
