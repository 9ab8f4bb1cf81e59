"""What of Markdown the model sees, and what of its answer is written."""

from __future__ import annotations

import re

import pytest
from document_samples import EVERYTHING

from gptkit.encodings.stream import split_lines
from gptkit.text.formats.markdown import Markdown
from gptkit.text.pieces import Piece

MARKDOWN = Markdown()


def pieces(text: str, most: int = 1000) -> list[Piece]:
    return list(MARKDOWN.pieces(split_lines([text]), most))


def only(text: str) -> Piece:
    (piece,) = [piece for piece in pieces(text) if piece.text]
    return piece


@pytest.mark.parametrize("most", [20, 100, 2000])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_code_addresses_and_placeholders_are_never_sent(most: int, end: str) -> None:
    found = pieces(EVERYTHING.replace("\n", end), most)
    assert not [piece for piece in found if "SECRET" in piece.text]
    seen = " ".join(piece.text for piece in found)
    for words in (
        "A page",
        "heading",
        "a title",
        "an image",
        "bold",
        "Words in HTML",
        "the title of it",
        "More of the note",
    ):
        assert words in seen


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("See `code` and ``a ` b``.", "See ⟦0⟧ and ⟦1⟧."),
        ("An \\`escaped` tick", "An \\`escaped` tick"),
        ('[t](http://a.b/c_(d) "Title")', '[t](⟦0⟧ "Title")'),
        ("[t][ref] and [c][]", "[t][⟦0⟧] and [c]⟦1⟧"),
        ("![alt *x*](a b)", "![alt *x*](a b)"),
        ("It costs $5 and $10 but $x+y$ is free", "It costs $5 and $10 but ⟦0⟧ is free"),
        ("5$或10$，$x$ 3$\\times$ 4", "5$或10$，⟦0⟧ 3⟦1⟧ 4"),
        ("\\(x+y\\) \\(some more words\\)", "⟦0⟧ \\(some more words\\)"),
        ("hard  \nbreak\\\nhere  ", "hard⟦0⟧\nbreak⟦1⟧\nhere"),
        ("<b>bold</b> a < b <code>a b</code> &amp; <x/>", "⟦0⟧bold⟦1⟧ a < b ⟦2⟧ ⟦3⟧ ⟦4⟧"),
        ("{x} {{ y }} %s %(n)s 100% sure 5 %d", "⟦0⟧ ⟦1⟧ ⟦2⟧ ⟦3⟧ 100% sure 5 ⟦4⟧"),
        ("Go to https://a.b/c?d=e. Or 访问https://例.com/路，然后", "Go to ⟦0⟧. Or 访问⟦1⟧，然后"),
        ("Yes :smile: at 10:30:20", "Yes ⟦0⟧ at 10:30:20"),
        ("A mark ⟦0⟧ and ⟦", "A mark ⟦0⟧ and ⟦1⟧"),
        ("| a | b |\n|---|---|\n| c `x` | d |", "| a | b |\n⟦0⟧\n| c ⟦1⟧ | d |"),
        ("- a\n\n  ```\n  x\n  ```\n- b", "- a\n\n  ⟦0⟧\n- b"),
        ("Words\n\n    code\n\n***\n\nwords", "Words\n\n    ⟦0⟧\n\n⟦1⟧\n\nwords"),
        ('<div class="x">\n<p>hi</p>\n</div>', "⟦0⟧hi⟦1⟧"),
        ("Fact[^1].\n\n[^1]: The note.\n\n    More.", "Fact⟦0⟧.\n\n⟦1⟧ The note.\n\n    More."),
        ("> [!NOTE]\n> Mind this.", "> ⟦0⟧\n> Mind this."),
        ("See [Foo].\n\n[Foo]: /x", "See [Foo]⟦0⟧."),
        ("See [Foo Bar] there", "See ⟦0⟧ there"),
    ],
)
def test_what_the_model_sees(source: str, text: str) -> None:
    piece = next(piece for piece in pieces(source) if piece.text)
    assert piece.text == text


@pytest.mark.parametrize(
    "source",
    [
        "```\ncode\n```\n",
        "    code\n",
        "---\nlayout: words\n---\n",
        "<!-- words\n\nwords -->\n",
        "***\n",
        "\n\n",
        "[a]: http://x\n",
        "<https://a.b>\n",
        "$$\nwords\n\nwords\n$$\n",
        "<script>\nwords()\n\nwords()\n</script>\n",
        "1986\n",
        "~~~\nnever closed\n\n# no heading\n",
        "![](x.png)\n",
    ],
)
def test_what_has_no_words_is_not_sent(source: str) -> None:
    assert {piece.text for piece in pieces(source)} == {""}


def test_code_at_the_ends_of_a_piece_is_a_piece_of_its_own() -> None:
    found = pieces("```\na\n```\n\nWords.\n\n```\nb\n```\n")
    assert [piece.text for piece in found] == ["", "Words.", ""]


@pytest.mark.parametrize(
    ("source", "answer", "expected"),
    [
        (" Hello\n\n", "Bonjour", " Bonjour\n\n"),
        ("One\r\ntwo\r\n\r\nThree\r\n", "Un\ndeux\n\nTrois\n", "Un\r\ndeux\r\n\r\nTrois\r\n"),
        ("One\r\ntwo\r\n", "Un deux\ntrois\nquatre", "Un deux\r\ntrois\r\nquatre\r\n"),
        ("One\n\n\n \nTwo", "Un\n\nDeux", "Un\n\n\n \nDeux"),
        ("Go `x` on", "⟦0⟧ va", "`x` va"),
        ("A mark ⟦0⟧", "Une marque ⟦0⟧", "Une marque ⟦0⟧"),
        ("a  \nb", "un⟦0⟧\ndeux", "un  \ndeux"),
    ],
)
def test_what_is_written(source: str, answer: str, expected: str) -> None:
    assert MARKDOWN.restore(only(source), answer) == expected


@pytest.mark.parametrize("link", ["[the guide]", "[the guide][]"])
def test_a_link_by_its_own_name_still_leads_there_in_another_language(link: str) -> None:
    found = pieces(f"Read {link} now.\n\n[The Guide]: https://a.b\n")
    piece = next(piece for piece in found if piece.text)
    answer = piece.text.replace("the guide", "le guide").replace("Read", "Lisez")
    assert MARKDOWN.restore(piece, answer).startswith("Lisez [le guide][the guide] now.")
    assert MARKDOWN.findings(piece, answer) == ()


def test_headings_above_a_piece_are_its_path() -> None:
    text = "# Book\n\n" + "".join(f"## Part `{n}`\n\n" + f"Words {n}. " * 60 + "\n\n" for n in range(5))
    found = pieces(text, 300)
    assert all(path == () or path[0] == "Book" for path in (piece.path for piece in found))
    assert found[-1].path in {("Book",), ("Book", "Part `4`")}
    assert [re.findall(r"Part ⟦", piece.text) != [] for piece in found].count(True) >= 2


def test_the_definition_may_come_much_later() -> None:
    text = "See [the long name of it].\n\n" + "Words. " * 20_000 + "\n\n[the long name of it]: /x\n"
    assert pieces(text)[0].text.startswith("See [the long name of it]⟦0⟧.")


def test_a_list_that_is_cut_inside_is_still_a_list() -> None:
    text = "- top\n\n" + "".join(
        f"  - item {n} of a nested list, with words\n\n    and more of it\n\n" for n in range(600)
    )
    found = pieces(text, 300)
    assert "".join(piece.source for piece in found) == text
    assert all(f"item {n} of" in " ".join(piece.text for piece in found) for n in range(600))


def test_the_rows_of_a_long_table_stay_whole() -> None:
    """Also of one that is longer than what is read at once, of which the later rows have no head."""
    text = "| a | b |\n|---|---|\n" + "| some words and more | Other `x` words. And more |\n" * 1000
    assert all(piece.source.startswith("|") and piece.source.endswith("|\n") for piece in pieces(text, 200))
