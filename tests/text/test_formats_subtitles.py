"""SubRip and WebVTT as documents: what is said is translated, and when and how it is shown stays."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit_formats import found, pieces_of, shout, translated, units

from gptkit.text.formats.subtitles import SubRip, WebVtt
from gptkit.text.formats.units import UnitFormat

FILM = (
    "1\r\n00:00:06,500 --> 00:00:09,000\r\n<i>About 2 months ago</i>\r\nI found myself here\r\n\r\n"
    "2\r\n00:00:11,000 --> 00:00:17,000 X1:40 X2:600\r\n{\\an8}- And then?\r\n- Nothing.\r\n\r\n\r\n"
    "3\r\n00:00:19,000 --> 00:00:24,000\r\n♪\r\n\r\n4\r\n00:00:25,000 --> 00:00:31,000\r\nThe end"
)
TALK = """WEBVTT - A talk

STYLE
::cue(b) { color: red }

NOTE
To be checked by Ann

REGION
id:fred

intro
00:01.000 --> 00:02.000 align:start
<v Fred Smith>Hello <00:01.500><c.loud>dear</c> friends &amp; foes

00:03.000 --> 01:00:04.000
世界你好
"""


def test_a_film() -> None:
    assert units(SubRip(), FILM) == [
        "⟦0⟧About 2 months ago⟦1⟧\nI found myself here",
        "⟦2⟧- And then?\n- Nothing.",
        "The end",
    ]
    expected = FILM
    for said in ("About 2 months ago", "I found myself here", "And then?", "Nothing.", "The end"):
        expected = expected.replace(said, said.upper())
    assert translated(SubRip(), FILM, shout) == expected


def test_a_talk() -> None:
    (piece,) = pieces_of(WebVtt(), TALK)
    assert piece.masks == ("<v Fred Smith>", "<00:01.500>", "<c.loud>", "</c>", "&amp;")
    assert piece.units == ("⟦0⟧Hello ⟦1⟧⟦2⟧dear⟦3⟧ friends ⟦4⟧ foes", "世界你好")
    expected = TALK.replace("Hello", "HELLO").replace("dear", "DEAR").replace("friends", "FRIENDS")
    assert translated(WebVtt(), TALK, shout) == expected.replace("foes", "FOES")


def test_a_cue_never_ends_early_nor_gets_a_second_time() -> None:
    source = "1\n00:00:01,000 --> 00:00:02,000\nOne two\n\n"
    assert translated(SubRip(), source, lambda _: "Un\n\n\ndeux --> trois") == source.replace(
        "One two", "Un\ndeux -> trois"
    )
    assert translated(SubRip(), source.replace("\n", "\r\n"), lambda _: "Un\ndeux").endswith(
        "Un\r\ndeux\r\n\r\n"
    )


def test_what_stands_behind_an_empty_line_is_said_in_subrip_only() -> None:
    cue = "00:00:01.000 --> 00:00:02.000\nOne\n\nTwo\n\n2\n00:00:03.000 --> 00:00:04.000\nThree\n"
    assert units(SubRip(), "1\n" + cue) == ["One", "Two", "Three"]
    assert units(WebVtt(), "WEBVTT\n\n" + cue) == ["One", "Three"]


def test_cues_need_no_empty_line_between_them() -> None:
    source = "1\n00:00:01,000 --> 00:00:02,000\nOne\n2\n00:00:03,000 --> 00:00:04,000\nTwo\n"
    assert translated(SubRip(), source, shout) == source.replace("One", "ONE").replace("Two", "TWO")


def test_findings_name_the_line_of_the_cue() -> None:
    answers = ["⟦0⟧Il y a 2 mois\nje me suis trouvé ici", "⟦2⟧- Et alors ?\n- Rien.", "Fin"]
    assert found(SubRip(), FILM, answers) == ["line 3: tag '</i>' missing"]


@pytest.mark.parametrize(
    ("known", "head", "expected"),
    [
        (SubRip(), "1\n00:00:01,000 --> 00:00:02,000\nx", True),
        (SubRip(), "\ufeff1\r\n0:00:01.0 --> 0:00:02.0\r\n", True),
        (SubRip(), "1\nOne", False),
        (SubRip(), "", False),
        (WebVtt(), "WEBVTT", True),
        (WebVtt(), "\ufeffWEBVTT - title\n", True),
        (WebVtt(), "WEBVTTX", False),
    ],
)
def test_recognised_by_content(known: UnitFormat, head: str, expected: bool) -> None:
    assert known.recognises(head) is expected


def test_an_edit_changes_the_piece_that_holds_it_and_no_other() -> None:
    cues = [
        f"{n}\n00:{n // 60:02}:{n % 60:02},000 --> 01:00:00,000\nThis is line {n * n} of it\n\n"
        for n in range(600)
    ]
    before = {piece.text for piece in pieces_of(SubRip(), "".join(cues), 400)}
    for at in (0, 57, 300, 599):
        edited = [cue.replace("of it", "of them all") if n == at else cue for n, cue in enumerate(cues)]
        after = {piece.text for piece in pieces_of(SubRip(), "".join(edited), 400)}
        assert len(before) > 10
        assert len(after - before) <= 2


@settings(max_examples=150)
@given(
    st.lists(
        st.sampled_from(
            ["1\n", "2\n", "\n", "\r\n", "00:00:01,000 --> 00:00:02,000\n", "WEBVTT\n", "NOTE x\n"]
        )
        | st.text(st.sampled_from("ab 世。⟦⟧#1<i>{\\}\r\u2028é"), max_size=30).map(lambda text: text + "\n"),
        max_size=30,
    ).map("".join),
    st.sampled_from([SubRip(), WebVtt()]),
    st.sampled_from([30, 1000]),
)
def test_any_lines_join(text: str, known: UnitFormat, most: int) -> None:
    pieces_of(known, text, most)
