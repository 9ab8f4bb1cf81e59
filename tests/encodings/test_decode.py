"""Decoding what is certain by rule: UTF-8, byte order marks, a named encoding; and refusing binary data."""

from __future__ import annotations

import gzip
import io
import zipfile

import pytest

from gptkit.core.errors import DataError, UsageError
from gptkit.encodings.decode import decode

CHINESE = "退货须在三十天内提出。\r\n\t第二行,有制表符和行尾空格  \n\n"


def refused(data: bytes, encoding: str | None = None, source: str = "standard input") -> DataError:
    with pytest.raises(DataError) as caught:
        decode(data, source, encoding)
    assert caught.value.code == 65
    assert caught.value.message.startswith(f"{source}: ")
    assert "\n" not in caught.value.message + caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    "text", ["", "a", "caf\u00e9", CHINESE, "\U0001f600 emoji\r", "a\ufeffb", "\x1b[1mbold\x1b[0m\f"]
)
def test_utf8_is_exact(text: str) -> None:
    assert decode(text.encode(), "standard input") == text


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "gb18030"])
@pytest.mark.parametrize("text", ["", "a", CHINESE, "\U0001f600\ufeff"])
def test_mark_is_honoured_and_removed_once(codec: str, text: str) -> None:
    assert decode(("\ufeff" + text).encode(codec), "notes.txt") == text


@pytest.mark.parametrize("named", ["utf-8", "utf8", "UTF-16", "utf-16-be", "gb18030", "cp1252"])
def test_mark_wins_over_a_name(named: str) -> None:
    assert decode(b"\xef\xbb\xbf" + CHINESE.encode(), "notes.txt", named) == CHINESE


def test_named_encoding_may_begin_like_a_mark() -> None:
    assert decode("ÿþx".encode("cp1252"), "notes.txt", "cp1252") == "ÿþx"
    assert decode("ÿþxy".encode("cp1252"), "notes.txt") == "祸"  # without a name the mark counts


@pytest.mark.parametrize(
    ("named", "codec"),
    [
        *(("gbk", "gb18030"), ("GB2312", "gbk"), ("gb_2312", "gbk"), ("cp936", "gb18030")),
        *(("utf-16-le", "utf-16-le"), ("UTF16BE", "utf-16-be"), ("utf 16 le", "utf-16-le")),
    ],
)
def test_named_encoding_and_its_labels(named: str, codec: str) -> None:
    assert decode(CHINESE.encode(codec), "notes.txt", named) == CHINESE


@pytest.mark.parametrize(
    ("named", "codec", "text"),
    [
        ("shift_jis", "cp932", "①㈱髙橋～"),
        ("Shift-JIS", "shift_jis", "波〜線"),
        ("windows-31j", "cp932", "波～線"),
        ("euc-jp", "euc_jis_2004", "①㈱"),
        ("euc-kr", "cp949", "똠방각하"),
        ("latin1", "cp1252", "“quoted” – 5 €"),
        ("latin1", "iso8859-1", "\x81"),
        ("big5", "big5hkscs", "佢哋喺嗰度食嘢の"),
        ("big5", "cp950", "恒生銀行‧～"),
        ("koi8-r", "koi8-r", "Привет"),
    ],
)
def test_label_reads_what_files_of_that_label_hold(named: str, codec: str, text: str) -> None:
    assert decode(text.encode(codec), "notes.txt", named) == text


@pytest.mark.parametrize(
    ("named", "nearest"),
    [("gb18031", "gb18030"), ("utf9", "utf-8"), ("shiftjs", "shift_jis"), ("windows-1253x", "windows-125")],
)
def test_unknown_name_brings_the_nearest(named: str, nearest: str) -> None:
    with pytest.raises(UsageError) as caught:
        decode(b"x", "standard input", named)
    assert f"'{named}'" in caught.value.message
    assert nearest in caught.value.hint


@pytest.mark.parametrize(
    "named",
    ["", "rot13", "base64", "zlib", "hex", "idna", "unicode_escape", "a\0b", "../x", "ü", "undefined"],
)
def test_what_is_no_text_encoding_is_unknown(named: str) -> None:
    with pytest.raises(UsageError):
        decode(b"\xef\xbb\xbfx", "standard input", named)


@pytest.mark.parametrize(
    ("data", "named", "where"),
    [(b"ab\xffcd", "utf-8", "byte 2 is 0xff"), ("中文".encode("gbk") + b"\x80", "gbk", "byte 4 is 0x80")],
)
def test_wrong_name_says_where(data: bytes, named: str, where: str) -> None:
    fault = refused(data, named, "notes.txt")
    assert where in fault.message
    assert named in fault.message
    assert "--encoding" in fault.hint


def zipped(name: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(name, "caf\u00e9 " * 100)
    return target.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PNG"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG"),
        (b"%PDF-1.7\n%plain ASCII\n", "PDF"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
        (gzip.compress(b"text", mtime=0), "gzip"),
        (zipped("a.txt"), "ZIP"),
        (zipped("word/document.xml"), "Word"),
        (b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\0>\0", "executable"),
        (b"MZ\x90\0" + bytes(60) + b"PE\0\0", "executable"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Office"),
        (b"SQLite format 3\0\x10", "SQLite"),
        (b"\xff\xfb\x90\x44" + bytes(20), "MP3"),
    ],
)
@pytest.mark.parametrize("named", [None, "cp1252"])
def test_binary_data_is_refused_by_its_kind(data: bytes, kind: str, named: str | None) -> None:
    if named and b"\0" not in data:
        return
    assert kind in refused(data, named).message


@pytest.mark.parametrize(
    "data", [b"a\0b", b"plain text with one \0", "中\0文".encode(), b"\0" * 100, bytes(range(256))]
)
def test_nul_is_no_text(data: bytes) -> None:
    fault = refused(data)
    assert "NUL" in fault.message
    assert "--encoding" in fault.hint


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_broken_utf16_is_refused_with_its_place(mark: bytes) -> None:
    fault = refused(mark + b"\0a\0b\0"[:5])
    assert "UTF-16" in fault.message
    assert "--encoding" in fault.hint


def test_unknown_bytes_name_the_option() -> None:
    assert "--encoding" in refused(b"\xe9", source="notes.txt").hint
