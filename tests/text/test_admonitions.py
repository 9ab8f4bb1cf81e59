"""Admonitions of MkDocs and Docusaurus: the syntax is kept, title and body are text; imports of MDX."""

from __future__ import annotations

import pytest

from gptkit.text.formats.markdown import Markdown
from gptkit.text.pieces import Piece

MARKDOWN = Markdown()


def pieces(text: str) -> list[Piece]:
    found = list(MARKDOWN.pieces(text.splitlines(keepends=True), 1000))
    assert "".join(piece.source for piece in found) == text
    return found


def seen(text: str) -> str:
    return "|".join(piece.text for piece in pieces(text) if piece.text)


CASES = [
    ("!!! note\n    Body.\n\n    More.\n", "Body.\n\n    More."),
    ('!!! tip inline end "A *title*"\n    Body.\n', "⟦0⟧A *title*⟦1⟧\n    Body."),
    ("Text.\n\n!!! note\n\n    Body.\n\n        code\n", "Text.\n\n⟦0⟧\n\n    Body."),
    ("Text.\n\n??? question\n    Body.\n", "Text.\n\n⟦0⟧\n    Body."),
    ('???+ danger ""\n    Body.\n', "Body."),
    ('=== "Tab"\n\n    - one\n    - two\n', "⟦0⟧Tab⟦1⟧\n\n    - one\n    - two"),
    ('!!! a "B"\n    C\n\n    !!! d "E"\n        F\n', "⟦0⟧B⟦1⟧\n    C\n\n    ⟦2⟧E⟦3⟧\n        F"),
    ("1. Step\n\n    !!! note\n        Body.\n", "1. Step\n\n    ⟦0⟧\n        Body."),
    ("Text.\n\n    !!! code\n", "Text."),
    ("Text.\n\n:::tip\nBody.\n:::\n\nText.\n", "Text.\n\n⟦0⟧\nBody.\n⟦1⟧\n\nText."),
    (":::note[Your Title]\n\nBody.\n", "⟦0⟧Your Title⟦1⟧\n\nBody."),
    ("::::info 小心 {#id}\n\n- one\n- two\n", "⟦0⟧小心⟦1⟧\n\n- one\n- two"),
    ("Text.\n\n::: {.pandoc}\nBody.\n:::\n\nText.\n", "Text.\n\n⟦0⟧\nBody.\n⟦1⟧\n\nText."),
    ("Wow !!! note that.\n!!!\nHow???\n", "Wow !!! note that.\n!!!\nHow???"),
]


@pytest.mark.parametrize(("text", "shown"), CASES)
def test_title_and_body_are_text(text: str, shown: str) -> None:
    assert seen(text) == shown
    for piece in pieces(text):
        if piece.text:
            assert MARKDOWN.findings(piece, piece.text.replace("Body", "Inhalt")) == ()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_syntax_must_come_back(end: str) -> None:
    text = f"Text.{end}{end}:::tip{end}Body.{end}:::{end}{end}!!! note{end}    Body.{end}{end}Text.{end}"
    (piece,) = (piece for piece in pieces(text) if piece.text)
    good = piece.text.replace("Body", "Inhalt")
    assert MARKDOWN.findings(piece, good) == ()
    assert MARKDOWN.restore(piece, good) == text.replace("Body", "Inhalt")
    for bad in (good.replace("⟦0⟧\n", "⟦0⟧ "), good.replace("    Inhalt", "Inhalt"), good.replace("⟦1⟧", "")):
        assert any(finding.level == "wrong" for finding in MARKDOWN.findings(piece, bad))


IMPORTS = "import Tabs from '@theme/Tabs';\nimport {\n  A,\n  B as C,\n} from \"x\";\nimport 'a.css'\n"


def test_imports_are_kept_byte_for_byte() -> None:
    assert seen(IMPORTS + "\n# Title\n") == "# Title"
    assert seen("# Title\n\n" + IMPORTS + "\nText.\n") == "# Title\n\n⟦0⟧\n\nText."
    assert seen(IMPORTS + "Text.\n") == "Text."
    assert seen("import duties from China rose.\n") == "import duties from China rose."
