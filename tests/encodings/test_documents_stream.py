"""Long text as it arrives: decoded block by block, handed on line by line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptkit.core.errors import DataError
from gptkit.encodings.stream import LINE_CAP, LINE_END, decode_stream, split_lines

TEXTS = st.lists(st.text(alphabet="a中\r\n\u2028\x85é😀", max_size=6), max_size=12)


@given(TEXTS)
def test_lines_are_the_text_to_the_letter_however_it_comes(texts: list[str]) -> None:
    whole = "".join(texts)
    found = list(split_lines(texts))
    assert "".join(found) == whole
    assert found == list(split_lines([whole]))
    assert all(LINE_END.split(line)[-1] == "" for line in found[:-1])
    assert all(len(LINE_END.findall(line)) == 1 for line in found[:-1])


def test_an_endless_line_comes_in_parts() -> None:
    held = 0

    def texts() -> Iterator[str]:
        nonlocal held
        for _ in range(100):
            held += 1
            yield "x" * (LINE_CAP // 4)

    first = next(split_lines(texts()))
    assert held < 10
    assert len(first) <= LINE_CAP * 2


@given(st.text(), st.lists(st.integers(1, 7)))
def test_utf_8_is_decoded_wherever_it_is_cut(text: str, sizes: list[int]) -> None:
    text = text.replace("\0", "").replace("\x1b", "").lstrip("\ufeff")
    data, blocks = text.encode(), []
    for size in sizes:
        blocks.append(data[:size])
        data = data[size:]
    blocks.append(data)
    assert "".join(decode_stream(b"", blocks, "it")) == text


def test_a_mark_is_no_text() -> None:
    assert "".join(decode_stream(b"\xef\xbb\xbfabc", [b"def"], "it")) == "abcdef"


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([b"abc", b"de\xff"], "it: not valid UTF-8 at byte 5"),
        ([b"abc", b"\xe4\xb8"], "it: not valid UTF-8 at byte 5"),
        ([b"abc", b"d\0e"], "it: binary data, not text"),
    ],
)
def test_what_is_no_utf_8_after_all_is_refused(blocks: list[bytes], message: str) -> None:
    with pytest.raises(DataError) as caught:
        list(decode_stream(blocks[0], blocks[1:], "it"))
    assert caught.value.message == message


def test_another_encoding_is_recognised_from_all_of_it() -> None:
    text = "这是一段用来测试编码识别的文字，长度足够。" * 5
    data = text.encode("gb18030")
    assert "".join(decode_stream(data[:50], [data[50:]], "it")) == text
    assert "".join(decode_stream(data[:50], [data[50:]], "it", "gb18030")) == text
