"""The names that a user may give an encoding, and the codecs that decode it."""

from __future__ import annotations

from codecs import lookup, register_error
from contextlib import suppress

from gptkit.core.errors import UsageError

# The codecs that decode an encoding in practice. Files often hold a superset of the encoding that they name:
# those named GB2312 hold GBK, those named Latin-1 hold cp1252. If the two decode some bytes differently, the
# stricter codec comes first.
CODECS: dict[str, tuple[str, ...]] = {
    "gb2312": ("gb18030",),
    "gbk": ("gb18030",),
    "big5": ("big5hkscs",),
    "cp950": ("big5hkscs",),
    "shift_jis": ("shift_jis", "cp932"),
    "euc_jp": ("euc_jp", "euc_jis_2004"),
    "euc_kr": ("euc_kr", "cp949"),
    "utf-16": ("utf-16",),
    "iso8859-1": ("cp1252", "iso8859-1"),
    "cp1252": ("cp1252",),
    "utf-8": ("utf-8",),
}
# Python's codec big5hkscs decodes some punctuation to other characters than most programs write, and lacks
# some characters. Its cp950 is no alternative: it decodes `〇`, circled numbers and kana to other kana.
BIG5_PUNCTUATION = str.maketrans("•､‾∼♁☉¥¢£￭", "‧﹑¯～⊕⊙￥￠￡▓")
BIG5_MISSING = dict(
    zip(("a3e1", "c6cf", "c6d3", "c6d5", "c6d7", "c6de", "c6df"), "€廴无癶隶〃仝", strict=True)
)
# Names in use that Python does not know.
ALIASES = {
    "ansi": "cp1252",
    "gb18030-2000": "gb18030",
    "cp54936": "gb18030",
    "x-gbk": "gbk",
    "gb-2312": "gb2312",
    "gb": "gb18030",
    "cn-big5": "big5",
    "x-x-big5": "big5",
    "big-5": "big5",
    "x-sjis": "shift_jis",
    "sjis-win": "cp932",
    "x-ms-cp932": "cp932",
    "x-euc": "euc_jp",
    "x-euc-jp": "euc_jp",
    "eucjp-win": "euc_jp",
    "x-windows-949": "cp949",
    "windows-949": "cp949",
    "windows-31j": "cp932",
    "ucs-2": "utf-16",
    "ucs2": "utf-16",
    "utf16le": "utf-16-le",
    "utf16be": "utf-16-be",
    "windows-936": "gbk",
    "windows-950": "cp950",
    "windows-932": "cp932",
    "utf-8-bom": "utf-8",
    "unicode": "utf-16",
    "x-mac-roman": "mac_roman",
    "x-user-defined": "cp1252",
}
COMMON = (
    *("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030", "gbk", "gb2312", "big5", "big5hkscs"),
    *(
        "shift_jis",
        "cp932",
        "euc-jp",
        "iso-2022-jp",
        "euc-kr",
        "cp949",
        "johab",
        "ascii",
        "latin-1",
        "cp1252",
    ),
    *("windows-1250", "windows-1251", "windows-1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255"),
    *("cp1256", "cp1257", "cp1258", "koi8-r", "koi8-u", "iso-8859-1", "iso-8859-2", "iso-8859-15"),
    *("cp437", "cp850", "cp852", "cp866", "mac-roman", "cp874"),
)
# Python calls these codecs too, but their input is not text in an encoding.
NOT_TEXT = {"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape"}


def codecs_for_name(encoding: str) -> tuple[str, ...]:
    """The codecs to try in order for the encoding that a user named; UsageError for an unknown name."""
    normalized = encoding.strip().lower().replace(" ", "-")
    name = _codec_name(ALIASES.get(normalized.replace("_", "-"), normalized))
    if not name or name in NOT_TEXT:
        raise UsageError(f"unknown encoding '{encoding}'", hint=_hint(normalized))
    return CODECS.get(name, (name,))


def codecs_for_encoding(name: str) -> tuple[str, ...]:
    """The codecs to try in order for an encoding that was recognised, given as `guess_encoding` names it."""
    return CODECS.get(name.replace("-", "_"), (name,))


def decode_with(data: bytes, codecs: tuple[str, ...]) -> str:
    """Decode data with the first of `codecs` that can; raises the UnicodeError of the last if none can."""
    if codecs == ("big5hkscs",):
        register_error("gptkit.big5", _decode_missing_big5)
        return data.decode("big5hkscs", "gptkit.big5").translate(BIG5_PUNCTUATION)
    for codec in codecs[:-1]:
        with suppress(UnicodeDecodeError):
            return data.decode(codec)
    return data.decode(codecs[-1])


def _decode_missing_big5(error: UnicodeError) -> tuple[str, int]:
    if isinstance(error, UnicodeDecodeError):
        character = BIG5_MISSING.get(error.object[error.start : error.start + 2].hex())
        if character:
            return character, error.start + 2
    raise error


def _codec_name(name: str) -> str:
    """Python's name of the text codec that `name` means; empty if there is none."""
    try:
        name = lookup(name).name
        b"\0\0\0\0".decode(name, "ignore")  # refuses what turns bytes into bytes: base64, zlib, rot13
    except (LookupError, ValueError):
        return ""
    return name


def _hint(encoding: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(encoding.replace("_", "-"), COMMON, n=1, cutoff=0.6)
    return (
        f"did you mean {close[0]}?"
        if close
        else f"known are {', '.join(COMMON[:4])}, gb18030, big5 and others"
    )
