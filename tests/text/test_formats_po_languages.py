"""Catalogs that do not say which plural forms they have: they get those of the target language."""

from __future__ import annotations

import re
import shutil
import subprocess
from gettext import c2py
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit_formats import lines_of, shout

from gptkit.core.errors import DataError
from gptkit.text.formats.po import Po
from gptkit.text.formats.po_catalog import LANGUAGES, locale_name, read_entries
from gptkit.text.pieces import join_units

TEMPLATE = """# SOME DESCRIPTIVE TITLE.
#, fuzzy
msgid ""
msgstr ""
"Project-Id-Version: PACKAGE VERSION\\n"
"PO-Revision-Date: YEAR-MO-DA HO:MI+ZONE\\n"
"Language: \\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=CHARSET\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=INTEGER; plural=EXPRESSION;\\n"

"""
ENTRIES = """#: a.c:1
msgid "Open"
msgstr ""

#, c-format
msgid "One file"
msgid_plural "%d files"
msgstr[0] ""
msgstr[1] ""
"""
ENGLISH = TEMPLATE.replace("Language: ", "Language: en").replace(
    "nplurals=INTEGER; plural=EXPRESSION;", "nplurals=2; plural=(n != 1);"
)
RUSSIAN = TEMPLATE.replace("Language: ", "Language: ru").replace(
    "nplurals=INTEGER; plural=EXPRESSION;", "nplurals=3; plural=(n%3);"
)


def done(source: str, language: str, most: int = 1000) -> str:
    known = Po().for_language(language)
    pieces = known.pieces(lines_of(source), most)
    return "".join(
        known.restore(piece, join_units([shout(unit) for unit in piece.units])) for piece in pieces
    )


def forms(text: str) -> int:
    return len(re.findall(r"^msgstr\[\d\] \".+\"$", text, re.M))


@pytest.mark.parametrize(
    ("language", "count", "rule"),
    [
        ("ru", 3, r"nplurals=3; plural=(n%10==1"),
        ("ja", 1, "nplurals=1; plural=0;"),
        ("de", 2, "nplurals=2; plural=(n != 1);"),
        ("fr", 2, "nplurals=2; plural=(n > 1);"),
        ("ar", 6, "nplurals=6; plural=(n==0"),
        ("sr-Latn", 3, r"nplurals=3; plural=(n%10==1"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_template_gets_the_forms_of_the_language(language: str, count: int, rule: str, end: str) -> None:
    answer = done((TEMPLATE + ENTRIES).replace("\n", end), language)
    assert answer.count("\n") == answer.count(end)
    answer = answer.replace("\r\n", "\n")
    assert forms(answer) == count
    assert f'"Plural-Forms: {rule}' in answer
    assert f'"Language: {locale_name(language)}\\n"\n' in answer
    assert "charset=UTF-8" in answer
    assert (
        '"Project-Id-Version: PACKAGE VERSION\\n"\n"PO-Revision-Date: YEAR-MO-DA HO:MI+ZONE\\n"\n' in answer
    )


@pytest.mark.parametrize(("language", "count"), [("ru", 3), ("ja", 1), ("zh-TW", 1), ("sl", 4)])
def test_the_rule_of_the_source_is_not_that_of_the_target(language: str, count: int) -> None:
    for header in (
        ENGLISH,
        ENGLISH.replace("Language: en", "Language: "),
        ENGLISH.replace("en\\n", "en_GB\\n"),
    ):
        answer = done(header + ENTRIES, language)
        assert (forms(answer), f"nplurals={count};" in answer) == (count, True)
        assert f'"Language: {locale_name(language)}\\n"' in answer


def test_what_the_header_has_no_line_for_is_added() -> None:
    bare = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
    assert done(bare + ENTRIES, "pt").startswith(
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n"Language: pt_BR\\n"\n'
        '"Plural-Forms: nplurals=2; plural=(n > 1);\\n"\n\n#: a.c:1\n'
    )


def test_a_catalog_without_a_header_gets_one_before_its_first_plural() -> None:
    answer = done(ENTRIES, "ja")
    assert answer.startswith('#: a.c:1\nmsgid "Open"\nmsgstr "OPEN"\n')
    assert answer.count('msgid ""\nmsgstr ""\n') == 1
    assert answer.index("nplurals=1") < answer.index("msgid_plural")
    assert forms(answer) == 1
    assert done('msgid "Open"\nmsgstr ""\n', "ja") == 'msgid "Open"\nmsgstr "OPEN"\n'


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (RUSSIAN, "ru"),
        (RUSSIAN, "en"),
        (RUSSIAN, "ja"),
        (RUSSIAN.replace("Language: ru", "Language: "), "en"),
        (RUSSIAN.replace("Language: ru", "Language: ru_RU.UTF-8"), "ru"),
        (RUSSIAN.replace("Language: ru", "Language: "), "uk"),
        (ENGLISH, "en"),
        (ENGLISH, "de"),
        (ENGLISH, "tlh"),
        (TEMPLATE, ""),
        (TEMPLATE, "tlh"),
    ],
)
def test_what_a_header_says_of_its_own_stays(header: str, language: str) -> None:
    source = header + ENTRIES
    assert done(source, language).startswith(header)
    known = Po().for_language(language)
    pieces = list(known.pieces(lines_of(source), 1000))
    assert "".join(known.restore(piece, piece.text) for piece in pieces) == source


PARTS = [
    *(
        'msgid ""\n',
        'msgstr ""\n',
        'msgstr[0] ""\n',
        'msgstr[1] "x"',
        'msgid_plural "many"\n',
        'msgid "one"\r\n',
    ),
    *(
        '"Language: \\n"\n',
        '"Language: en\\n"\n',
        '"Plural-Forms: nplurals=2; plural=n;\\n"\n',
        '"x"',
        "\n",
        "#\n",
    ),
    *("#, fuzzy\n", 'msgctxt "c"\n', '#~ msgid ""\n'),
]


@settings(max_examples=200)
@given(st.lists(st.sampled_from(PARTS), max_size=20).map("".join), st.sampled_from([30, 1000]))
def test_any_lines_are_a_catalog_again_or_refused(text: str, most: int) -> None:
    try:
        before = list(read_entries(lines_of(text)))
    except DataError:
        return
    after = list(read_entries(lines_of("".join(one.source for one in Po("ru").pieces(lines_of(text), most)))))
    texts = [entry.text("msgid") for entry in before if entry.text("msgid")]
    assert [entry.text("msgid") for entry in after if entry.text("msgid")] == texts


def test_another_source_is_known_by_its_name() -> None:
    header = ENGLISH.replace("Language: en", "Language: de")
    kept = "".join(piece.source for piece in Po().for_language("ru").pieces(lines_of(header), 1000))
    assert kept == header
    assert "nplurals=3" in "".join(
        piece.source for piece in Po().for_language("ru", "de").pieces(lines_of(header), 1000)
    )


def test_lines_are_those_of_the_input() -> None:
    known = Po().for_language("ru")
    source = TEMPLATE.replace('"Language: \\n"\n', "") + ENTRIES + '\nmsgid "Close"\nmsgstr ""\n'
    for most in (20, 1000):
        pieces = [piece for piece in known.pieces(lines_of(source), most) if piece.text]
        for piece, word in ((pieces[0], "Open"), (pieces[-1], "Close")):
            answer = join_units(["" if unit == word else unit for unit in piece.units])
            line = known.findings(piece, answer)[-1].line
            assert source.split("\n")[line - 2 : line] == [f'msgid "{word}"', 'msgstr ""'], most


def test_the_model_is_told_for_which_numbers() -> None:
    (piece,) = Po().for_language("ru").pieces(lines_of(TEMPLATE + ENTRIES), 1000)
    assert piece.path == (
        "#2: plural form 1 of 3, for 1, 21, 31, 41, 51, 61 and so on",
        "#3: plural form 2 of 3, for 2, 3, 4, 22, 23, 24 and so on",
        "#4: plural form 3 of 3, for 5, 6, 7, 8, 9, 10 and so on",
    )
    assert piece.units[1:] == ("⟦0⟧ files", "⟦1⟧ files", "⟦2⟧ files")


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_form_of_a_rule_is_for_some_number(language: str) -> None:
    count, rule = LANGUAGES[language]
    form_of = c2py(rule)
    assert {form_of(number) for number in range(300)} == set(range(count))


@pytest.mark.skipif(shutil.which("msgfmt") is None, reason="gettext is not installed")
@pytest.mark.parametrize("language", ["ru", "ja", "de", "ar", "pt", "zh-TW"])
@pytest.mark.parametrize("header", [TEMPLATE, ENGLISH, ""])
def test_gettext_takes_the_result(tmp_path: Path, header: str, language: str) -> None:
    file = tmp_path / "a.po"
    file.write_text(done(header + ENTRIES, language).replace("OPEN", "Открыть"), "utf-8")
    said = subprocess.run(
        ["msgfmt", "-c", "-o", str(tmp_path / "a.mo"), str(file)], capture_output=True, check=False
    )
    assert (said.returncode, b"error" in said.stderr) == (0, False), said.stderr.decode()
