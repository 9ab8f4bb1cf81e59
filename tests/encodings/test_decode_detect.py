"""Recognising encodings: right or refused, never silently wrong."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptkit.core.errors import DataError
from gptkit.encodings.decode import decode


def benchmark() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "decode.py"
    spec = importlib.util.spec_from_file_location("decode_benchmark", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BENCHMARK = benchmark()
SHORT = {
    "zh-hans": "gb18030 gbk gb2312 utf-16-le utf-16-be",
    "zh-hant": "big5hkscs cp950 gb18030 utf-16-le utf-16-be",
    "ja": "shift_jis cp932 euc_jp euc_jis_2004 iso2022_jp gb18030 utf-16-le utf-16-be",
    "ko": "euc_kr cp949 johab iso2022_kr utf-16-le utf-16-be",
}
CHINESE = "退货须在收到商品后三十天内提出，逾期不予受理。\n"


def refused(data: bytes) -> DataError:
    with pytest.raises(DataError) as caught:
        decode(data, "notes.txt")
    assert caught.value.code == 65
    assert "\n" not in caught.value.message + caught.value.hint
    return caught.value


@pytest.mark.parametrize(("language", "codec"), BENCHMARK.CASES)
@pytest.mark.parametrize("length", [8, 40])
def test_right_or_refused(language: str, codec: str, length: int) -> None:
    right, wrong, undecided = BENCHMARK.tally(BENCHMARK.ours, language, codec, length)
    assert wrong == 0
    if codec in BENCHMARK.WESTERN:
        assert right == 0
    else:
        assert right >= {8: 0.7, 40: 0.95}[length] * (right + undecided)


@pytest.mark.parametrize("language", SHORT)
def test_short_texts_are_right_or_refused(language: str) -> None:
    right = asked = 0
    for text in (BENCHMARK.TEXTS / "short" / f"{language}.txt").read_text("utf-8").splitlines():
        for codec in {*" ".join(SHORT.values()).split()} - ({"cp950"} if language == "ja" else set()):
            with suppress(UnicodeEncodeError):
                found = BENCHMARK.ours(text.encode(codec))
                assert found in (text, None), codec
                right += found == text and codec in SHORT[language]
                asked += codec in SHORT[language]
    assert right >= 0.85 * asked


@pytest.mark.parametrize("codec", ["gb18030", "gbk", "utf-16-le", "utf-16-be", "utf-8", "utf-8-sig"])
def test_line_ends_tabs_and_trailing_spaces_survive(codec: str) -> None:
    text = "姓名\t部门\r\n张伟\t市场部  \r\n\r\n  李秀英\t人力资源部\t\n"
    assert decode(text.encode(codec), "notes.txt") == text


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("会議は①三時から㈱山田商会で行います。", "cp932"),
        ("会議は①三時から㈱山田商会で行います。", "euc_jis_2004"),
        ("佢哋喺嗰度食咗飯，跟住就返屋企瞓覺。", "big5hkscs"),
        ("二〇二三年", "big5hkscs"),
        ("她在二〇二三年說：①好の歌", "big5hkscs"),
        ("約翰‧史密斯～￥100，€5／天", "cp950"),
        ("똠방각하 펲시콜라 그 영화를 어제 봤다", "cp949"),
        ("𠀀这个字不常见，但是这句话很普通。", "gb18030"),
        ("これはテストの文章です", "iso2022_jp"),
        ("안녕하세요 여러분", "iso2022_kr"),
        ("おねがいします", "utf-16-le"),  # not one byte that is not ASCII
        ("привіт", "utf-16-be"),
    ],
)
def test_corners_of_encodings(text: str, codec: str) -> None:
    assert decode(text.encode(codec), "notes.txt") == text


@pytest.mark.parametrize(
    ("text", "codec", "named"),
    [
        ("Скажите, пожалуйста, где ближайшая аптека?", "cp1251", "windows-1251"),
        ("Скажите, пожалуйста, где ближайшая аптека?", "koi8-r", "koi8-r"),
        ("Καλημέρα κόσμε", "cp1253", "windows-1253"),
        ("中文", "gb18030", "gb18030"),
        ("日本", "cp932", "shift_jis"),
    ],
)
def test_hint_names_the_likely_encoding(text: str, codec: str, named: str) -> None:
    hint = refused(text.encode(codec)).hint
    assert hint.startswith(f"name it, for example with --encoding {named}")
    assert hint.endswith(" or cp1252")
    assert decode(text.encode(codec), "notes.txt", named) == text


@pytest.mark.parametrize(
    "text",
    [
        "Größe",
        "Die Bücherei öffnet früher.\n",
        "“Don’t,” she said – it’s the café’s.",
        "Où était l’hôtel ? À Orléans, où naît l’été.",
        "El niño cumplió 7 años: ¡enhorabuena!",
        "NAÏVE ÉCOLE",
    ],
)
def test_what_is_western_is_for_the_user_to_name(text: str) -> None:
    fault = refused(text.encode("cp1252"))
    assert fault.message.startswith("notes.txt: not UTF-8, and its encoding is not certain: byte ")
    assert fault.hint == "name it, for example with --encoding cp1252"
    assert decode(text.encode("cp1252"), "notes.txt", "cp1252") == text


@pytest.mark.parametrize("language", ["zh-hans", "ja", "ko", "ru", "fr"])
@pytest.mark.parametrize("seed", range(8))
def test_damaged_utf8_is_not_taken_for_something_else(language: str, seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray((BENCHMARK.TEXTS / f"{language}.txt").read_bytes()[: 60 + 40 * seed])
    places = [place for place, byte in enumerate(data[:-4]) if byte >= 0xC0]
    del data[chance.choice(places)]
    assert "byte" in refused(bytes(data)).message


def test_cut_utf8_is_called_so() -> None:
    fault = refused((CHINESE * 3).encode()[:-2])
    assert "UTF-8" in fault.message
    assert "--encoding" in fault.hint


@pytest.mark.parametrize("size", [8, 20, 100, 1000, 40000])
def test_noise_is_refused(size: int) -> None:
    chance = random.Random(size)
    for _ in range(10):
        data = b"\xff" + chance.randbytes(size)
        refused(data)
        refused(data.replace(b"\0", b"\1"))
        refused(zlib.compress(data))


@pytest.mark.parametrize(
    ("text", "codec"),
    [(CHINESE, "gb18030"), ("二〇二三年\n", "big5hkscs"), ("お客様のご注文\n", "shift_jis")],
)
def test_few_characters_in_a_large_plain_file(text: str, codec: str) -> None:
    whole = "plain line of a log\n" * 20000 + text * 4 + "plain line of a log\n" * 20000
    assert decode(whole.encode(codec), "notes.txt") == whole


def test_large_text_without_a_line_end() -> None:
    whole = CHINESE.strip() * 3000
    assert decode(whole.encode("gb18030"), "notes.txt") == whole


@pytest.mark.parametrize("order", [1, -1])
def test_two_encodings_in_one_file_are_refused(order: int) -> None:
    parts = [(CHINESE * 2000).encode("gb18030"), (CHINESE * 20).encode("utf-8")]
    refused(b"".join(parts[::order]))


def test_one_broken_byte_far_behind_is_refused_with_its_place() -> None:
    before, after = (CHINESE * 2000).encode("gb18030"), (CHINESE * 4000).encode("gb18030")
    fault = refused(before + b"\xff\n" + after)
    assert str(len(before)) in fault.message
    assert "gb18030" in fault.message


@pytest.mark.parametrize(
    "text",
    [
        "A0B0C0D0E0F0A0B0",
        "3046304a304b3057",
        "aGVsbG8gd29ybGQhIQ==",
        "Donaudampfschiffahrtsgesellschaft",
        "https://example.org/a/b/c?d=e&f=g",
        "Bush hid the facts",
        "\x1b[31mred\x1b[0m",
        "bell\x07 and \x01 control",
        "$B$3$l$O",
    ],
)
def test_ascii_stays_ascii(text: str) -> None:
    assert decode(text.encode(), "notes.txt") == text


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_order_of_named_utf16_without_a_mark(codec: str) -> None:
    assert decode(CHINESE.encode(codec), "notes.txt", "utf-16") == CHINESE
    assert decode(b"", "notes.txt", "utf-16") == ""


@given(
    data=st.one_of(
        st.binary(max_size=300), st.text(max_size=100).map(lambda text: text.encode("gb18030", "ignore"))
    )
)
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    try:
        assert isinstance(decode(data, "notes.txt"), str)
    except DataError as fault:
        assert fault.hint


def test_utf8_loads_no_detector() -> None:
    code = (
        "import sys; from gptkit.encodings.decode import decode; decode('中文 plain'.encode(), 'x');"
        "print([name for name in sys.modules if 'encoding_' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "guess" not in done.stdout
    assert "characters" not in done.stdout
