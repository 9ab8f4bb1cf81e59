"""HTML: what is marked as not to be translated, markup that nobody closes, and any other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit_formats import lines_of, pieces_of, shout, translated, units

from gptkit.text.formats.html import Html


@pytest.mark.parametrize(
    "source",
    [
        "<p>Hello there</p><![foo[ bar ]]><p>More text</p>\n",
        "<p>Hello there</p>\n<![endif-->\n<p>More text</p>",
        "<p>Hello there</p><![if !IE]><p>More text</p><![endif]>",
        "<![%zz;[x]]><p>Hello there<p>More text",
        "<p>Hello there</p><![CDATA[ a > b ]]><p>More text</p>",
    ],
)
def test_a_marked_section_is_a_comment(source: str) -> None:
    assert units(Html(), source) == ["Hello there", "More text"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('<p translate="no">Keep</p><p>Say</p>', ["Say"]),
        ("<p translate=NO>Keep<p>Say", ["Say"]),
        ('<p class="brand notranslate">Keep</p><p class="notranslated">Say</p>', ["Say"]),
        ("<div translate=no><div>Keep</div><p>Keep</div><p>Say</p>", ["Say"]),
        ("<div translate=no>Keep<p translate=yes>Say <b>this</b></p>Keep</div>", ["Say ⟦0⟧this⟦1⟧"]),
        ("<div translate=no>Keep<p translate>Say</p>Keep</div>", ["Say"]),
        ("<div translate=no>Keep <b translate=yes>Say</b> Keep</div>", ["Say⟦0⟧"]),
        ("<ul><li translate=no>Keep<ul><li>Keep</ul>Keep<li>Say</ul>", ["Say"]),
        ("<table><tr><td translate=no>Keep<td>Say<tr><td>Say</table>", ["Say", "Say"]),
        ("<p>Buy <b class=notranslate>Our <i>Product</i></b> now</p>", ["Buy ⟦0⟧ now"]),
        ("<p>Buy <b translate=no>A <i translate=yes>fine</i> B</b> now", ["Buy ⟦0⟧fine⟦1⟧ now"]),
        ("<p><span class=notranslate>Keep</span></p><p>Say</p>", ["Say"]),
        ("<span translate=no>Keep<div>Keep</div>Keep</span><p>Say</p>", ["Say"]),
        ("<li>Say <span translate=no>keep<div>Keep</div>Keep</span> more", ["Say ⟦0⟧", "more"]),
        ("<html translate=no><body>Keep<p>Keep", []),
        ("<br translate=no>Say", ["⟦0⟧Say"]),
        ("<p translate=maybe>Say</p>", ["Say"]),
        ("<div translate=no>Keep</b></section></div>Say", ["Say"]),
    ],
)
def test_what_is_not_to_be_translated_stays(source: str, expected: list[str]) -> None:
    assert units(Html(), source) == expected
    answer = translated(Html(), source, shout)
    assert answer == source.replace("Say", "SAY").replace("Buy", "BUY").replace("now", "NOW").replace(
        "more", "MORE"
    ).replace("this", "THIS").replace("fine", "FINE")


def test_what_is_kept_is_not_cut() -> None:
    kept = f"<b class=notranslate>{'Keep this. ' * 40}</b>"
    source = f"<p>{'Say this. ' * 40}{kept}{'Say that. ' * 40}</p>"
    answer = translated(Html(), source, shout, 60)
    assert answer == f"<p>{'SAY THIS. ' * 40}{kept}{'SAY THAT. ' * 40}</p>"


def test_a_heading_is_named_without_what_is_kept() -> None:
    pieces = pieces_of(Html(), "<h1>Use <i translate=no>It</i></h1>" + "<p>Words and words</p>" * 60, 60)
    assert pieces[-1].path == ("Use",)


PARTS = """
< > </ <! <!-- --> -- <![ <![if ]> ]]> <![CDATA[ <!DOCTYPE [ <? ?> </> <p> </p> <p/> <br> <br/> <b> </b>
<b|translate=no> <p|translate="no"> <i|translate=yes> <div|class='a|notranslate'> </div> <li> <ul> </ul>
<td> <tr> <table> </table> <script> </script> <style> <title> </title> <textarea> </textarea> <pre> </pre>
<svg> </svg> <xmp> <plaintext> <a|href="x> "> ' = & &# &#x &amp; &amp &#39; word 你好。 One.|Two. | |
<a/b=c> <A|TRANSLATE=NO> \\ ⟦ ⟧ ⟦0⟧ <é> <3 %zz; - ! / <![%zz;[
"""
SPACES = ["\n", "\r\n", "\r", "\0", " ", "\u00a0"]
MARKUP = st.sampled_from([*(part.replace("|", " ") for part in PARTS.split()), *SPACES])


@settings(max_examples=200)
@given(st.lists(MARKUP, max_size=30).map("".join), st.sampled_from([30, 1000]))
def test_any_markup_is_joined(text: str, most: int) -> None:
    pieces_of(Html(), text, most)


@settings(max_examples=50)
@given(st.lists(MARKUP, max_size=20).map("".join))
def test_nothing_behind_a_mark_is_sent(text: str) -> None:
    source = f"<body translate=no>{text.replace('yes', 'no')}"
    assert not any("word" in unit for unit in units(Html(), source) if "</body" not in text)
    assert "".join(piece.source for piece in Html().pieces(lines_of(source), 100)) == source


DECLARED = [
    ('<html lang="en">', "fr", '<html lang="fr">'),
    ("<HTML class=x LANG=en-GB>", "zh-Hant", '<HTML class=x LANG="zh-Hant">'),
    ("<html xml:lang='en' lang='en'>", "fr", '<html xml:lang="fr" lang="fr">'),
    ('<html lang="en">', "", '<html lang="en">'),
    ("<html>", "fr", "<html>"),
    ('<p lang="la">', "fr", '<p lang="la">'),
    ('<meta charset="gb2312">', "", '<meta charset="utf-8">'),
    ("<meta charset=UTF-8>", "fr", "<meta charset=UTF-8>"),
    (
        '<meta http-equiv="Content-Type" content="text/html; charset=GBK" />',
        "",
        '<meta http-equiv="Content-Type" content="text/html; charset=utf-8" />',
    ),
    ('<?xml version="1.0" encoding="Big5"?>', "", '<?xml version="1.0" encoding="utf-8"?>'),
    ("<p>charset=gbk</p>", "", "<p>charset=gbk</p>"),
]


@pytest.mark.parametrize(("tag", "language", "written"), DECLARED)
def test_what_a_document_says_of_itself_is_true_of_the_result(tag: str, language: str, written: str) -> None:
    known = Html().for_language(language)
    found = list(known.pieces(lines_of(f"{tag}<p>Hello</p>\n"), 1000))
    assert "".join(piece.source for piece in found) == f"{written}<p>Hello</p>\n"
