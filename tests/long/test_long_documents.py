"""What is said of a document that is not what it seems."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from delimiters import between
from fake.program import InMemory
from fake.server import FakeServer


@pytest.mark.parametrize("prompt", ["translate", "summarize"])
def test_a_broken_document_is_named(gptkit: InMemory, folder: Path, prompt: str) -> None:
    (folder / "a.json").write_text('{"a": "x",\n')
    found = gptkit(prompt, "-f", "a.json", "--as", "json")
    assert found == (65, "", "gptkit: 'a.json': json, line 2: ends where 'key' was expected\n")


def test_keys_that_lead_nowhere_are_told(gptkit: InMemory, folder: Path) -> None:
    (folder / "a.json").write_text('{"title": "One", "n": 1}')
    told = "gptkit: --keys 'titel': no text matches in 'a.json'\n"
    found = gptkit("translate", "-f", "a.json", "--keys", "titel")
    assert found == (0, '{"title": "One", "n": 1}', told)
    assert gptkit("translate", "-f", "a.json", "--keys", "titel", "-q").stderr == ""


UNSUPPORTED = {
    "app_zh.arb": ('{"@@locale": "zh", "hello": "你好"}', "ARB"),
    "a.xlf": ("<?xml version='1.0'?>\n<!-- > -->\n<xliff version='1.2'></xliff>", "XLIFF"),
    "a.xliff": ("<xliff version='2.0'></xliff>", "XLIFF"),
    "a.ipynb": ('{"cells": [], "nbformat": 4}', "a Jupyter notebook"),
    "strings.xml": ('<resources>\n<string name="a">Hi</string></resources>', "Android strings"),
    "a.ttml": ('<tt xml:lang="en" xmlns="http://www.w3.org/ns/ttml"></tt>', "TTML subtitles"),
    "a.ass": ("[Script Info]\n", "ASS subtitles"),
    "a.tex": ("% comment\n\\documentclass{article}\n", "LaTeX"),
    "messages.properties": ("hello = Hello\n", "Java properties"),
    "Localizable.strings": ('"hello" = "Hello";\n', "Apple strings"),
    "en.toml": ('hello = "Hello"\n', "TOML"),
    "a.csv": ("id,text\n1,Hello\n", "CSV"),
    "a.rst": ("Title\n=====\n", "reStructuredText"),
    "a.adoc": ("= Title\n", "AsciiDoc"),
    "a.sbv": ("0:00:01.000,0:00:02.000\nHello\n", "SBV subtitles"),
}
SHOWN_BY_CONTENT = ("app_zh.arb", "a.xlf", "a.ipynb", "strings.xml", "a.ttml", "a.ass", "a.tex")


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_a_format_that_is_not_supported_is_named_and_nothing_is_sent(
    gptkit: InMemory, folder: Path, name: str
) -> None:
    text, title = UNSUPPORTED[name]
    (folder / name).write_text(text, "utf-8")
    hint = "hint: --as text works on the whole file as plain text, syntax and all\n"
    told = (65, "", f"gptkit: '{name}': {title}, which is not supported\n{hint}")
    assert gptkit("translate", "-f", name) == told
    assert gptkit("translate", "-f", name, tty=True)[:2] == told[:2]
    (folder / "b.md").write_text("# Hi\n")
    assert gptkit("translate", "-f", "b.md", "-f", name) == told
    code, _, errors = gptkit("proofread", "-f", name, "--output-dir", "out")
    assert (code, f"'{name}': {title}, which is not supported" in errors) == (80, True)


@pytest.mark.parametrize("name", SHOWN_BY_CONTENT)
def test_such_a_format_is_known_by_its_beginning_too(gptkit: InMemory, name: str) -> None:
    text, title = UNSUPPORTED[name]
    code, _, errors = gptkit("translate", stdin=text)
    assert (code, f"'standard input': {title}, which is not supported" in errors) == (65, True)


def test_a_text_about_such_a_format_is_not_taken_for_it(gptkit: InMemory, server: FakeServer) -> None:
    server.answer(lambda request: between(request.json["messages"][1]["content"]).replace("Of", "Von"))
    text = '# Of XLIFF\n\nOf `<xliff>` and `<resources><string>`, {"@@locale": 1} and \\documentclass.\n'
    assert gptkit("translate", "--to", "German", stdin=text) == (0, text.replace("Of", "Von"), "")


def test_such_a_format_is_read_as_text_where_that_is_said_or_harmless(
    gptkit: InMemory, server: FakeServer, folder: Path
) -> None:
    (folder / "a.rst").write_text("Title\n=====\n")
    server.say("Titel\n=====")
    assert gptkit("translate", "--to", "German", "-f", "a.rst", "--as", "text") == (0, "Titel\n=====\n", "")
    server.say("A title.")
    assert gptkit("summarize", "-f", "a.rst") == (0, "A title.\n", "")
    server.say("Yes.")
    assert gptkit("ask", "is it a title?", "-f", "a.rst") == (0, "Yes.\n", "")
    assert len(server.requests) == 3


def test_front_matter_takes_one_request_of_its_own(
    gptkit: InMemory, server: FakeServer, folder: Path
) -> None:
    (folder / "a.md").write_text("---\ntitle: Of tea\nicon: of-leaf\n---\n\n# Of tea\n")
    server.answer(lambda request: between(request.json["messages"][1]["content"]).replace("Of", "Von"))
    run = ["translate", "--to", "German", "-f", "a.md"]
    assert gptkit(*run) == (0, "---\ntitle: Von tea\nicon: of-leaf\n---\n\n# Von tea\n", "")
    assert len(server.requests) == 2
    assert gptkit(*run).code == 0
    assert len(server.requests) == 2


PAGE = '<html lang="en"><meta charset="gb2312"><p>an 你好，世界。这是一个很长的句子。</p></html>\n'
SHOUTED = '<html lang="zh"><meta charset="utf-8"><p>AN 你好，世界。这是一个很长的句子。</p></html>\n'


@pytest.fixture
def shout(home: Path, server: FakeServer) -> str:
    """A prompt whose user message is the piece alone, which the model gives back in capitals."""
    prompts = home / "config" / "prompts"
    prompts.mkdir(parents=True)
    options = "options: {to: {default: Chinese, help: Language.}}"
    (prompts / "shout.yaml").write_text(
        f"description: Shouts.\nsystem: To {{{{ to }}}}.\nlong: {{mode: map, target: to}}\n{options}\n"
    )
    server.answer(lambda request: request.json["messages"][1]["content"].upper())
    return "shout"


@pytest.mark.parametrize(
    ("encoding", "name", "text", "wanted"),
    [
        ("utf-8-sig", "a.md", "# of 茶\n", "\ufeff# OF 茶\n"),
        ("utf-16", "a.md", "# of 茶\n", "\ufeff# OF 茶\n"),
        ("utf-8", "a.md", "# of 茶\n", "# OF 茶\n"),
        ("utf-8-sig", "a.json", '{"a": "of 茶"}\n', '\ufeff{"a": "OF 茶"}\n'),
        ("utf-8-sig", "a.txt", "of 茶\n\n" * 9000, "\ufeff" + "OF 茶\n\n" * 9000),
        ("gb18030", "a.html", PAGE, SHOUTED),
    ],
)
def test_mark_charset_and_language_of_a_file_stay_true(
    gptkit: InMemory, folder: Path, shout: str, encoding: str, name: str, text: str, wanted: str
) -> None:
    (folder / name).write_bytes(text.encode(encoding))
    assert gptkit(shout, "-f", name, "-o", "out") == (0, "", "")
    assert (folder / "out").read_bytes().decode() == wanted
    assert gptkit(shout, "-f", name) == (0, wanted, "")
    assert gptkit(shout, "-f", name, "--output-dir", "all") == (0, "", "")
    assert (folder / "all" / name).read_bytes().decode() == wanted
    assert json.loads(gptkit(shout, "-f", name, "--json").stdout)["answer"] == wanted.removeprefix("\ufeff")


def test_half_a_character_in_a_value_is_named_and_the_rest_is_done(
    gptkit: InMemory, folder: Path, shout: str
) -> None:
    text = '{"a": "of 茶",\n "\\udc00": {"b": ["of \\ud83d 茶"]},\n "c": "of \\ud83d\\ude00"}\n'
    (folder / "a.json").write_text(text)
    half = "half a character (a lone surrogate) in '\ufffd.b.0' left as it is"
    told = f"gptkit: doubtful: 'a.json': line 2: {half}\n"
    assert gptkit(shout, "-f", "a.json") == (0, text.replace("of", "OF"), told)
    assert gptkit(shout, "-f", "a.json") == (0, text.replace("of", "OF"), told)
