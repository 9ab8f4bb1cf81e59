"""Gettext catalogs as documents: what is missing is translated, doubt is removed, all else stays."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit_formats import found, lines_of, pieces_of, shout, translated, units

from gptkit.core.errors import DataError
from gptkit.text.formats.po import Po
from gptkit.text.formats.po_catalog import encode_field, read_entries

RUSSIAN = (
    "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2);"
)
HEADER = f"""# Translators
#, fuzzy
msgid ""
msgstr ""
"Language: ru\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: {RUSSIAN}\\n"

"""
DOUBTFUL = """#. Shown in the title bar
#: a.c:12
#, fuzzy, c-format
#| msgctxt "menu"
#| msgid "Opne %s\\n"
msgctxt "menu"
msgid "Open %s\\n"
msgstr "Открой %s\\n"

"""
DONE = """msgid "Kept"
msgstr "Как есть"

#~ msgid "gone"
#~ msgstr "нет"
"""
PLURAL = """#, c-format
msgid "One file"
msgid_plural "%d files"
msgstr[0] ""
msgstr[1] ""

"""


def test_a_translated_catalog_holds_nothing_to_do() -> None:
    assert [piece.text for piece in pieces_of(Po(), HEADER + DONE)] == [""]


def test_doubt_is_removed_from_what_is_translated_anew() -> None:
    expected = """#. Shown in the title bar
#: a.c:12
#, c-format
msgctxt "menu"
msgid "Open %s\\n"
msgstr "OPEN %s\\n"

"""
    assert translated(Po(), HEADER + DOUBTFUL + DONE, shout) == HEADER + expected + DONE
    alone = '#, fuzzy\n#| msgid "a"\nmsgid "b"\nmsgstr "c"\n'
    assert translated(Po(), alone, shout) == 'msgid "b"\nmsgstr "B"\n'


def test_the_model_is_told_of_contexts_comments_and_numbers() -> None:
    (piece,) = pieces_of(Po(), HEADER + DOUBTFUL + PLURAL)
    assert piece.units == ("Open ⟦0⟧", "⟦1⟧ files", "⟦2⟧ files", "⟦3⟧ files")
    assert piece.path == (
        "#1: context 'menu'; Shown in the title bar",
        "#2: plural form 1 of 3, for 1, 21, 31, 41, 51, 61 and so on",
        "#3: plural form 2 of 3, for 2, 3, 4, 22, 23, 24 and so on",
        "#4: plural form 3 of 3, for 5, 6, 7, 8, 9, 10 and so on",
    )
    halves = Po().halves(piece)
    assert halves
    assert halves[1].path[0].startswith("#1: plural form 2 of 3")


def test_as_many_forms_as_the_header_tells() -> None:
    numbered = iter(["один", "два", "три"])
    answer = translated(Po(), HEADER + PLURAL + DONE, lambda unit: unit.replace("files", next(numbered)))
    assert 'msgstr[0] "%d один"\nmsgstr[1] "%d два"\nmsgstr[2] "%d три"\n\nmsgid "Kept"' in answer


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("nplurals=1; plural=0;", ["⟦0⟧ files"]),
        ("nplurals=2; plural=(n != 1);", ["One file", "⟦0⟧ files"]),
        ("nplurals=2; plural=n>1;", ["⟦0⟧ files", "⟦1⟧ files"]),
        ("nplurals=INTEGER; plural=EXPRESSION;", ["One file", "⟦0⟧ files"]),
        ("nplurals=2; plural=__import__;", ["⟦0⟧ files", "⟦1⟧ files"]),
    ],
)
def test_the_singular_is_only_for_the_number_one(rule: str, expected: list[str]) -> None:
    assert units(Po(), HEADER.replace(RUSSIAN, rule) + PLURAL) == expected


def test_without_a_rule_the_forms_are_those_that_the_entry_has() -> None:
    assert units(Po(), PLURAL) == ["One file", "⟦0⟧ files"]
    assert units(Po(), PLURAL.replace('msgstr[1] ""\n', "")) == ["⟦0⟧ files"]


def test_forms_that_are_there_are_kept_and_those_too_many_dropped() -> None:
    some = PLURAL.replace('msgstr[1] ""', 'msgstr[1] "%d да"')
    assert units(Po(), HEADER + some) == ["⟦0⟧ files", "⟦1⟧ files"]
    assert 'msgstr[1] "%d да"' in translated(Po(), HEADER + some, shout)
    german = HEADER.replace(RUSSIAN, "nplurals=2; plural=(n != 1);")
    answer = translated(Po(), german + PLURAL.replace('[1] ""', '[1] ""\nmsgstr[2] "x"'), shout)
    assert "msgstr[2]" not in answer


def test_escapes_are_read_and_written() -> None:
    source = 'msgid "\\tSay \\"hi\\"\\\\\\n"\n"or \\\'bye\\\'"\nmsgstr ""\n'
    assert units(Po(), source) == ["Say \"hi\"\\\nor \\'bye\\'"]
    answer = translated(Po(), source, lambda _: 'Dis "salut"\\\nou "adieu"')
    assert answer.endswith('msgstr ""\n"\\tDis \\"salut\\"\\\\\\n"\n"ou \\"adieu\\""\n')


def test_line_ends_are_those_of_the_file() -> None:
    source = (HEADER + DOUBTFUL + PLURAL).replace("\n", "\r\n").rstrip("\r\n")
    answer = translated(Po(), source, shout)
    assert answer.count("\n") == answer.count("\r\n")
    assert answer.endswith('msgstr[1] "%d FILES"\r\nmsgstr[2] "%d FILES"')


def test_lines_are_wrapped_as_the_file_does() -> None:
    words = "word " * 30 + "end"
    wrapped = encode_field("msgid", words, "\n", wraps=True)
    assert max(map(len, wrapped.splitlines())) <= 79
    assert translated(Po(), wrapped + 'msgstr ""\n', shout) == wrapped + wrapped.replace(
        "word", "WORD"
    ).replace("end", "END").replace("msgid", "msgstr")
    source = f'msgid "{words}"\nmsgstr ""\n'
    assert translated(Po(), source, shout) == source.replace('msgstr ""', f'msgstr "{words.upper()}"')
    chinese = encode_field("msgstr", "很长的一段话，需要换行。" * 8, "\n", wraps=True).splitlines()
    assert len(chinese) > 2
    assert all(len(line) <= 40 and line[1] not in "，。" for line in chinese[1:])


@pytest.mark.skipif(shutil.which("msgcat") is None, reason="gettext is not installed")
def test_gettext_writes_the_same_and_takes_the_result(tmp_path: Path) -> None:
    texts = [
        "Short",
        "Two\nlines",
        "Ends\n",
        "a" * 100,
        "A sentence that is somewhat longer than a line. " * 3,
        "很长" * 60,
    ]
    source = HEADER.replace("#, fuzzy\n", "") + "".join(
        encode_field("msgid", text, "\n", wraps=True) + 'msgstr ""\n\n' for text in texts
    )
    file = tmp_path / "a.po"
    file.write_text(
        translated(Po(), source + DOUBTFUL + PLURAL, lambda unit: unit.replace("s", "S")), "utf-8"
    )
    said = subprocess.run(["msgcat", str(file)], capture_output=True, check=True).stdout.decode()
    assert said.split("\n\n", 1)[1].strip() == file.read_text("utf-8").split("\n\n", 1)[1].strip()
    subprocess.run(["msgfmt", "-c", "-o", str(tmp_path / "a.mo"), str(file)], check=True)


def test_an_answer_like_the_piece_changes_nothing_but_one_like_a_text_is_written() -> None:
    source = 'msgid "PDF"\nmsgstr ""\n\nmsgid "Open"\nmsgstr ""\n'
    assert translated(Po(), source, lambda unit: unit) == source
    answer = translated(Po(), source, lambda unit: "Ouvrir" if unit == "Open" else unit)
    assert answer == 'msgid "PDF"\nmsgstr "PDF"\n\nmsgid "Open"\nmsgstr "Ouvrir"\n'


def test_a_long_text_goes_on_in_the_same_string() -> None:
    text = "This is a sentence, number one. " * 30
    source = encode_field("msgid", text, "\n", wraps=True) + 'msgstr ""\n\n' + DONE
    assert len(pieces_of(Po(), source, 100)) > 3
    entry = next(
        entry for entry in read_entries(lines_of(translated(Po(), source, shout, 100))) if entry.fields
    )
    assert entry.text("msgstr") == text.upper()


def test_findings() -> None:
    source = '#, c-format\nmsgid "%s of %d"\nmsgstr ""\n'
    assert found(Po(), source, ["⟦0⟧ von ⟦1⟧"]) == []
    assert found(Po(), source, ["⟦1⟧ von ⟦0⟧"]) == ["line 3: placeholders '%s %d' are in another order"]
    assert found(Po(), source, ["⟦0⟧ von"]) == ["line 3: placeholder '%d' missing"]
    assert found(Po(), source.replace("c-format", "python-brace-format"), ["⟦1⟧ von ⟦0⟧"]) == []
    python = source.replace("c-format", "python-format")
    assert found(Po(), python, ["⟦1⟧ von ⟦0⟧"]) == ["line 3: placeholders '%s %d' are in another order"]
    named = python.replace("%s", "%(one)s").replace("%d", "%(two)d")
    assert found(Po(), named, ["⟦1⟧ von ⟦0⟧"]) == []


def test_a_percent_sign_that_is_written_twice_stays_so() -> None:
    source = '#, c-format\nmsgid "%d%% done"\nmsgstr ""\n'
    assert found(Po(), source, ["fertig zu ⟦0⟧%%"]) == []
    assert found(Po(), source, ["⟦0⟧% fertig"]) == ["line 3: placeholder '%%' missing"]
    assert found(Po(), source.replace("%%", ""), ["⟦0⟧ zu 100%%"]) == [
        "line 3: number '100' added",
        "line 3: placeholder '%%' added",
    ]
    assert found(Po(), source.replace("#, c-format\n", ""), ["⟦0⟧% fertig"]) == []


@pytest.mark.parametrize(
    "source",
    [
        'msgid "a\nmsgstr "b"\n',
        'msgid "a"b"\nmsgstr ""\n',
        'msgid "a"\n',
        'msgstr "a"\n',
        "hello\n",
        'msgid "a"\nmsgid "b"\nmsgstr ""\n',
        'msgid "a"\nmsgstr[0] ""\n',
        'msgid "a"\nmsgid_plural "b"\nmsgstr ""\n',
        'msgid "a"\nmsgid_plural "b"\nmsgstr[1] ""\n',
    ],
)
def test_what_is_no_catalog_is_refused_by_line(source: str) -> None:
    with pytest.raises(DataError, match=r"^po, line [12]: "):
        list(Po().pieces(lines_of(source), 100))


def test_recognised_by_content() -> None:
    assert Po().recognises(HEADER)
    assert not Po().recognises("In PO files, msgid and msgstr are keywords.\n")


LINES = st.sampled_from(
    """
# c
#, fuzzy
#~ msgid "x"
#| msgid "p"
msgctxt "c"
msgid ""
msgid "one"
msgid_plural "many"
msgstr ""
msgstr[0] ""
msgstr[1] "x"
"more ⟦0⟧ %s"
domain d
bad
""".splitlines(keepends=True)
)


@settings(max_examples=300)
@given(st.lists(LINES, max_size=20).map("".join), st.sampled_from([30, 1000]))
def test_any_lines_join_or_are_refused(text: str, most: int) -> None:
    try:
        translated(Po(), text, shout, most)
    except DataError:
        return


@settings(max_examples=150)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=200), min_size=1, max_size=4))
def test_any_text_is_read_back(texts: list[str]) -> None:
    source = "".join(encode_field("msgid", text or "x", "\n", wraps=True) + 'msgstr "y"\n' for text in texts)
    assert [entry.text("msgid") for entry in read_entries(_lines(source)) if entry.fields] == [
        text or "x" for text in texts
    ]


def _lines(text: str) -> list[str]:
    return [line + "\n" for line in text.split("\n")[:-1]]
