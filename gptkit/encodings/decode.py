"""Decode bytes of a known or unknown encoding, or refuse them where the encoding is not certain."""

from __future__ import annotations

import re
from contextlib import suppress

from gptkit.core.errors import DataError
from gptkit.encodings.magic import MEDIA_TYPES, binary_kind
from gptkit.encodings.names import codecs_for_encoding, codecs_for_name, decode_with

# Byte order marks. UTF-32 comes before UTF-16: its little-endian mark begins with that of UTF-16.
MARKS = (
    (b"\xef\xbb\xbf", "utf-8", "UTF-8"),
    (b"\xff\xfe\0\0", "utf-32-le", "UTF-32"),
    (b"\0\0\xfe\xff", "utf-32-be", "UTF-32"),
    (b"\xff\xfe", "utf-16-le", "UTF-16"),
    (b"\xfe\xff", "utf-16-be", "UTF-16"),
    (b"\x84\x31\x95\x33", "gb18030", "GB18030"),
)
# Escape sequences that switch the character set in encodings of seven bits.
ESCAPES = (
    (b"\x1b$)C", "iso2022_kr"),
    (b"\x1b$B", "iso2022_jp_2"),
    (b"\x1b$@", "iso2022_jp_2"),
)
# Control characters, or one long word: UTF-16 can look like this, see `utf16_like_ascii`.
ODD_ASCII = re.compile(rb"[\x01-\x07\x0e-\x1a\x1c-\x1f]|^[!-~]{12,}$")
NAME_IT = "name the encoding with --encoding, for example --encoding gb18030"


def decode(data: bytes, source: str, encoding: str | None = None) -> str:
    """The text in `data`, without a byte order mark and otherwise unchanged.

    Raises DataError for binary data, for bytes that are not valid in the encoding, and, without a named
    encoding, for data whose encoding is not certain; UsageError for an unknown name of an encoding.

    Args:
        source: what a message calls the data, such as `standard input` or a file's name.
        encoding: the encoding that the user named; None to recognise it.
    """
    codecs = codecs_for_name(encoding) if encoding is not None else ()
    text = _decode_after_mark(data, source, encoding)
    if text is None:
        text = (
            _decode_as(data, source, encoding, codecs)
            if encoding is not None
            else _recognise_and_decode(data, source)
        )
    if "\0" in text:
        raise _binary_error(data, source)
    return text


def _decode_after_mark(data: bytes, source: str, encoding: str | None) -> str | None:
    """The text after a byte order mark, whatever encoding is named; None if there is no usable mark."""
    for mark, codec, name in MARKS:
        if not data.startswith(mark):
            continue
        try:
            return str(memoryview(data)[len(mark) :], codec)
        except UnicodeDecodeError as error:
            if name == "UTF-32" or encoding is not None:
                continue
            if binary_kind(data):
                raise _binary_error(data, source) from None
            position = len(mark) + error.start
            raise DataError(
                f"{source}: begins with the mark of {name} but is not valid {name} at byte {position}",
                hint=NAME_IT,
            ) from None
    return None


def _decode_as(data: bytes, source: str, encoding: str, codecs: tuple[str, ...]) -> str:
    name = encoding.strip()
    if codecs == ("utf-16",):  # there is no mark: it would have been found before
        codecs = (_utf16_codec(data),)
    try:
        return decode_with(data, codecs)
    except UnicodeDecodeError as error:
        if binary_kind(data):
            raise _binary_error(data, source) from None
        raise DataError(
            f"{source}: not valid {name}: byte {error.start} is 0x{data[error.start]:02x}",
            hint="leave --encoding out to have the encoding recognised, or name another",
        ) from None
    except UnicodeError:  # some codecs tell no position
        raise DataError(f"{source}: not valid {name} from byte 0 on", hint=NAME_IT) from None


def _utf16_codec(data: bytes) -> str:
    """The likelier byte order of UTF-16 without a mark."""
    from gptkit.encodings.detect import utf16_readings

    return min(utf16_readings(data)).encoding if utf16_readings(data) else "utf-16-le"


def _recognise_and_decode(data: bytes, source: str) -> str:
    if data.startswith(b"%PDF-"):  # a PDF may be plain ASCII, and still is no text
        raise _binary_error(data, source)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _decode_other_than_utf8(data, source, error.start)
    suspicious = b"\0" in data or b"\x1b$" in data or (len(data) <= 4096 and ODD_ASCII.search(data))
    return _decode_like_ascii(data, text) if suspicious else text


def _decode_like_ascii(data: bytes, text: str) -> str:
    """The text in an encoding of which all bytes are ASCII as well, such as ISO-2022-JP; else `text`."""
    from gptkit.encodings.detect import utf16_like_ascii, utf16_with_nul

    for escape, codec in ESCAPES:
        if escape in data:
            with suppress(UnicodeDecodeError):
                return data.decode(codec)
    name = utf16_with_nul(data) if b"\0" in data else utf16_like_ascii(data)
    return data.decode(name) if name else text


def _decode_other_than_utf8(data: bytes, source: str, position: int) -> str:
    from gptkit.encodings.detect import guess_encoding, utf16_with_nul

    if binary_kind(data):
        raise _binary_error(data, source)
    if b"\0" in data:
        name = utf16_with_nul(data)
        if not name:
            raise _binary_error(data, source)
        return data.decode(name)
    guess = guess_encoding(data)
    if not guess.encoding:
        raise _uncertain_error(guess.likely, guess.damaged, data, source, position)
    try:
        return decode_with(data, codecs_for_encoding(guess.encoding))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{source}: looks like {guess.encoding} but byte {error.start} is 0x{data[error.start]:02x}",
            hint=NAME_IT,
        ) from None


def _uncertain_error(
    likely: tuple[str, ...], damaged: bool, data: bytes, source: str, position: int
) -> DataError:
    cause = f"byte {position} is 0x{data[position]:02x}"
    if damaged:
        return DataError(
            f"{source}: damaged or cut UTF-8: {cause}",
            hint="repair it, or name another encoding with --encoding",
        )
    *others, last = likely
    names = f"{', '.join(others)} or {last}" if others else last
    return DataError(
        f"{source}: not UTF-8, and its encoding is not certain: {cause}",
        hint=f"name it, for example with --encoding {names}",
    )


def _binary_error(data: bytes, source: str) -> DataError:
    kind = binary_kind(data)
    if kind:
        hint = "'-a FILE' attaches an image; in a conversation '/attach FILE' does"
        return DataError(
            f"{source}: not text: looks like {kind}",
            hint=hint if MEDIA_TYPES.get(kind, "").startswith("image") else "extract its text first",
        )
    return DataError(
        f"{source}: not text: NUL at byte {max(data.find(0), 0)}",
        hint="if it is text, name the encoding with --encoding, for example --encoding utf-16-le",
    )
