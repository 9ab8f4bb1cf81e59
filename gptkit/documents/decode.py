"""Bytes of known or unknown encoding become text, or are refused; never silently wrong."""

from __future__ import annotations

from gptkit.documents.encoding_names import codec_for
from gptkit.documents.encoding_signs import binary_kind
from gptkit.errors import DataFault

# UTF-32 before UTF-16: the little-endian mark of the one begins with that of the other.
MARKS = (
    (b"\xef\xbb\xbf", "utf-8", "UTF-8"),
    (b"\xff\xfe\0\0", "utf-32-le", "UTF-32"),
    (b"\0\0\xfe\xff", "utf-32-be", "UTF-32"),
    (b"\xff\xfe", "utf-16-le", "UTF-16"),
    (b"\xfe\xff", "utf-16-be", "UTF-16"),
    (b"\x84\x31\x95\x33", "gb18030", "GB18030"),
)
NAME_IT = "name the encoding with --encoding, for example --encoding gb18030"


def decode(data: bytes, source: str, encoding: str | None = None) -> str:
    """The text in `data`, without a byte order mark and otherwise unchanged.

    Args:
        source: what a message calls the data, such as `standard input` or a file's name.
        encoding: the encoding that the user named; without it only what is certain is decoded.
    """
    codecs = codec_for(encoding) if encoding is not None else ()
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
            raise DataFault(
                f"{source}: begins with the mark of {name} but is not valid {name} at byte {where}",
                hint=NAME_IT,
            ) from None
    return None


def _named(data: bytes, source: str, encoding: str, codecs: tuple[str, ...]) -> str:
    for codec in codecs[:-1]:
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            continue
    try:
        return data.decode(codecs[-1])
    except UnicodeDecodeError as fault:
        if binary_kind(data):
            raise _binary(data, source) from None
        raise DataFault(
            f"{source}: not valid {encoding.strip()}: byte {fault.start} is 0x{data[fault.start]:02x}",
            hint="leave --encoding out to have the encoding recognised, or name another",
        ) from None
    except UnicodeError:  # some codecs know no position
        raise DataFault(f"{source}: not valid {encoding.strip()} from byte 0 on") from None


def _recognised(data: bytes, source: str) -> str:
    if data.startswith(b"%PDF-"):  # may be plain ASCII, and still nothing to read as text
        raise _binary(data, source)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as fault:
        if b"\0" in data or binary_kind(data):
            raise _binary(data, source) from None
        raise DataFault(
            f"{source}: not UTF-8 (byte {fault.start} is 0x{data[fault.start]:02x}), encoding not certain",
            hint=NAME_IT,
        ) from None


def _binary(data: bytes, source: str) -> DataFault:
    kind = binary_kind(data)
    if kind:
        return DataFault(f"{source}: not text: looks like {kind}", hint="extract its text first")
    return DataFault(
        f"{source}: not text: NUL at byte {max(data.find(0), 0)}",
        hint="if it is text, name the encoding with --encoding, for example --encoding utf-16-le",
    )
