"""Catalogs through the whole program: plural forms of the language that is asked for, and the memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from delimiters import between
from fake.received import Received
from fake.server import FakeServer

Gptkit = Callable[..., tuple[int, str, str]]

TEMPLATE = """msgid ""
msgstr ""
"Language: \\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: nplurals=INTEGER; plural=EXPRESSION;\\n"

#, c-format
msgid "One file"
msgid_plural "%d files"
msgstr[0] ""
msgstr[1] ""
"""
CONTEXT = """msgctxt "{}"
msgid "Open"
msgstr ""
"""


def shouted(request: Received) -> str:
    return text_of(request).upper()


def text_of(request: Received) -> str:
    return between(request.json["messages"][-1]["content"])


@pytest.mark.parametrize(
    ("language", "name", "count"),
    [
        ("Russian", "ru", 3),
        ("русский", "ru", 3),
        ("ja", "ja", 1),
        ("pt-BR", "pt_BR", 2),
        ("繁體中文", "zh_TW", 1),
    ],
)
def test_a_template_is_filled_for_the_language(
    gptkit: Gptkit, server: FakeServer, folder: Path, language: str, name: str, count: int
) -> None:
    server.answer(shouted)
    (folder / "a.pot").write_text(TEMPLATE, "utf-8")
    code, answer, errors = gptkit("translate", "--to", language, "-f", "a.pot")
    assert (code, errors) == (0, "")
    assert (answer.count("\nmsgstr["), answer.count(" FILES")) == (count, count)
    assert f'"Language: {name}\\n"' in answer
    assert f'"Plural-Forms: nplurals={count}; ' in answer
    asked = len(server.requests)
    assert gptkit("translate", "--to", language, "-f", "a.pot") == (0, answer, "")
    assert len(server.requests) == asked


def test_an_unknown_language_has_the_forms_that_are_there(
    gptkit: Gptkit, server: FakeServer, folder: Path
) -> None:
    server.answer(shouted)
    (folder / "a.pot").write_text(TEMPLATE, "utf-8")
    code, answer, _ = gptkit("translate", "--to", "Klingon", "-f", "a.pot")
    assert (code, answer.count("\nmsgstr["), "nplurals=INTEGER" in answer) == (0, 2, True)


def test_a_text_in_another_context_is_asked_anew(gptkit: Gptkit, server: FakeServer, folder: Path) -> None:
    server.answer(shouted)
    for number, context in enumerate(("menu", "shop sign", "menu")):
        (folder / f"{number}.po").write_text(CONTEXT.format(context), "utf-8")
        assert gptkit("translate", "--to", "German", "-f", f"{number}.po")[0] == 0
    sent = [request.json["messages"][0]["content"] for request in server.requests]
    assert len(sent) == 2
    assert "context 'menu'" in sent[0]
    assert "context 'shop sign'" in sent[1]
