"""Front matter of Markdown: what people read of it is translated, the rest is kept byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from gptkit.core.errors import UsageError
from gptkit.text.formats.markdown import Markdown

BODY = "\n# Hi\n"


def upper(text: str) -> str:
    return text.upper()


def translated(front: str, keys: Sequence[str] = (), say: Callable[[str], str] = upper) -> str:
    """The front matter after a translation that is proved; the body behind it has to be translated, too."""
    known = Markdown().with_keys(keys)
    pieces = list(known.pieces((front + BODY).splitlines(keepends=True), 1000))
    assert "".join(piece.source for piece in pieces) == front + BODY
    assert pieces[-1].line == front.count("\n") + 2
    result = ""
    for piece in pieces:
        assert [one for one in known.findings(piece, say(piece.text)) if one.level == "wrong"] == []
        result += known.restore(piece, say(piece.text)) if piece.text else piece.source
    assert result.endswith(say(BODY))
    return result.removesuffix(say(BODY))


CASES = [
    ("---\ntitle: Hello\ntags: [one]\n---\n", "---\ntitle: HELLO\ntags: [one]\n---\n"),
    ('---\ndescription: "A: b" # c\n---\n', '---\ndescription: "A: B" # c\n---\n'),
    ("---\r\nsummary: |\r\n  One\r\n  two\r\n...\r\n", "---\r\nsummary: |\r\n  ONE\r\n  TWO\r\n...\r\n"),
    ("---\ntitle: 你好 world\ndate: 2026-01-01\n---\n", "---\ntitle: 你好 WORLD\ndate: 2026-01-01\n---\n"),
    ('+++\ntitle = "Hi" # c\ndraft = true\n+++\n', '+++\ntitle = "HI" # c\ndraft = true\n+++\n'),
    ("+++\ntitle = 'It'\n[a]\ntitle = 'other'\n+++\n", "+++\ntitle = \"IT\"\n[a]\ntitle = 'other'\n+++\n"),
    ('+++\nx = """\ntitle = "no"\n"""\n+++\n', '+++\nx = """\ntitle = "no"\n"""\n+++\n'),
    ("---\ntitle: {{ page }}: x\n---\n", "---\ntitle: {{ page }}: x\n---\n"),
    ("---\ndate: 2026-01-01\n---\n", "---\ndate: 2026-01-01\n---\n"),
]


@pytest.mark.parametrize(("front", "wanted"), CASES)
def test_what_people_read_is_translated(front: str, wanted: str) -> None:
    assert translated(front) == wanted


def test_front_matter_tells_markdown() -> None:
    assert Markdown().recognises("---\ntitle: 你好\n---\n\nText.\n")
    assert Markdown().recognises('+++\r\ntitle = "One"\r\n+++\r\nText.\r\n')
    assert not Markdown().recognises("---\n\nText.\n\n---\n")
    assert not Markdown().recognises("title: one\n---\n")


def test_keys_choose_more() -> None:
    yaml = "---\ntitle: one\nhero: {text: two, link: three}\n---\n"
    assert translated(yaml, ["hero.text"]) == "---\ntitle: ONE\nhero: {text: TWO, link: three}\n---\n"
    toml = '+++\n[hero]\ntext = "two"\n+++\n'
    assert translated(toml, ["hero.text"]) == '+++\n[hero]\ntext = "TWO"\n+++\n'
    with pytest.raises(UsageError, match="an empty key"):
        Markdown().with_keys(["a..b"])


def test_a_value_is_written_so_that_it_stays_one() -> None:
    def colon(text: str) -> str:
        return text.replace("one", 'eins: "1"')

    assert translated("---\ntitle: one\n---\n", say=colon) == "---\ntitle: 'eins: \"1\"'\n---\n"
    assert translated('+++\ntitle = "one"\n+++\n', say=colon) == '+++\ntitle = "eins: \\"1\\""\n+++\n'
