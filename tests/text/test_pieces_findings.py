"""The proof of an answer: defects that must be found, and differences between languages that must not."""

from __future__ import annotations

import pytest

from gptkit.encodings.stream import split_lines
from gptkit.text.formats.html import Html
from gptkit.text.formats.markdown import Markdown
from gptkit.text.formats.plain import PlainText
from gptkit.text.pieces import Finding, Format

MARKDOWN = Markdown()
DEFECTS: list[tuple[str, str, str, Finding]] = [
    (
        "placeholder lost",
        "a\n\nHi {count} b",
        "a\n\nHi b",
        Finding(3, "placeholder", "placeholder '{count}' missing"),
    ),
    ("placeholder doubled", "Hi {n}", "Hi ⟦0⟧ ⟦0⟧", Finding(1, "placeholder", "placeholder '{n}' doubled")),
    (
        "placeholder invented",
        "Hi there",
        "Hi {name}",
        Finding(1, "placeholder", "placeholder '{name}' added"),
    ),
    ("mark invented", "Hi `x`", "Hi ⟦0⟧ ⟦7⟧", Finding(1, "mark", "mark ⟦7⟧ invented")),
    ("code lost", "Hi\nthe `x` b", "Hi\nthe b", Finding(2, "code", "code '`x`' missing")),
    ("code invented", "Hi there", "Hi `there`", Finding(1, "code", "code '`there`' added")),
    ("link lost", "See [a](http://b) c", "See a c", Finding(1, "link", "link 'http://b' missing")),
    ("link broken", "See [a](http://b) c", "See a (⟦0⟧) c", Finding(1, "link", "link 'http://b' broken")),
    ("link spaced", "See [a](http://b) c", "See [a] (⟦0⟧) c", Finding(1, "link", "link 'http://b' broken")),
    ("image a link", "See ![a](b.png) c", "See [a](⟦0⟧) c", Finding(1, "link", "image 'b.png' broken")),
    ("link invented", "See it", "See http://evil.com", Finding(1, "link", "link 'http://evil.com' added")),
    ("tag lost", "A <b>c</b>", "A ⟦0⟧c", Finding(1, "tag", "tag '</b>' missing")),
    ("tag invented", "A c", "A <i>c</i>", Finding(1, "tag", "tag '<i>' added")),
    (
        "heading deeper",
        "# A\n\nb",
        "## A\n\nb",
        Finding(1, "heading", "heading of level 1 became heading of level 2"),
    ),
    (
        "heading lost",
        "b\n\n# A\n\nc",
        "b\n\nA\n\nc",
        Finding(3, "heading", "heading of level 1 became paragraph"),
    ),
    ("item lost", "- a\n- b\n- c", "- a\n- b", Finding(3, "list", "list item of level 1 missing")),
    (
        "nesting lost",
        "- a\n  - b",
        "- a\n- b",
        Finding(2, "list", "list item of level 2 became list item of level 1"),
    ),
    (
        "task done",
        "- [ ] a",
        "- [x] a",
        Finding(1, "list", "list item of level 1 [ ] became list item of level 1 [x]"),
    ),
    ("numbered", "- a", "1. a", Finding(1, "list", "list item of level 1 stands in '1', not in '-'")),
    ("quote lost", "> a", "a", Finding(1, "blocks", "paragraph stands in '', not in '>'")),
    ("paragraphs joined", "a\n\nb\n\nc", "a\n\nb c", Finding(5, "blocks", "paragraph missing")),
    ("paragraph added", "a", "Sure!\n\na", Finding(1, "blocks", "paragraph added")),
    ("number changed", "In 1914 b", "En 1941 b", Finding(1, "number", "number '1914' missing")),
    (
        "number elsewhere",
        "- a\n- 15 b\n- 16 c",
        "- a\n- 16 b\n- 15 c",
        Finding(2, "number", "number '15' missing"),
    ),
    ("small number changed", "It has\n3 b", "En\n4 b", Finding(2, "digits", "number '3' missing")),
    ("path invented", "See it", "Voir [ça](other.md)", Finding(1, "link", "link 'other.md' added")),
    ("image invented", "See it", "Voir ![ça](x.png)", Finding(1, "link", "link 'x.png' added")),
    ("footnote invented", "See it", "Voir ça[^2]", Finding(1, "link", "link '[^2]' added")),
    (
        "text of a link lost",
        "See [a](http://b)",
        "Voir [](⟦0⟧)",
        Finding(1, "link", "link 'http://b' broken"),
    ),
    ("full-width link", "[a](b.md) c", "[甲]（⟦0⟧）乙", Finding(1, "link", "link 'b.md' broken")),
    ("full-width image", "![a](b.png) c", "！[甲](⟦0⟧)乙", Finding(1, "link", "image 'b.png' broken")),
    (
        "full-width heading",
        "# A\n\nb",
        "＃ 甲\n\n乙",
        Finding(1, "heading", "heading of level 1 became paragraph"),
    ),
    ("full-width mark", "Hi {n}", "你好⟦０⟧", Finding(1, "placeholder", "placeholder '{n}' missing")),
    (
        "tags the wrong way",
        "A <b>c</b> d",
        "A ⟦1⟧c⟦0⟧ d",
        Finding(1, "tag", "tag '</b>' closes nothing there"),
    ),
    (
        "tags that cross",
        "A <b>c</b> <i>d</i>",
        "A ⟦0⟧c⟦2⟧ d⟦1⟧⟦3⟧",
        Finding(1, "tag", "tag '</b>' closes nothing there"),
    ),
    ("template lost", "A <%= n %> b", "A b", Finding(1, "tag", "tag '<%= n %>' missing")),
    ("code entity lost", "a &lt;x&gt; b", "a x b", Finding(1, "mark", "mark '&lt;' missing")),
    (
        "heading emptied",
        "# A\n\nb",
        "#\n\nb",
        Finding(1, "heading", "heading of level 1 became heading of level 1 without words"),
    ),
    ("empty", "a", " \n", Finding(1, "empty", "answer is empty")),
]
TABLE = "| a | b |\n|---|---|\n| c | d |\n| e | f |"
TABLES = [
    ("| a | b |\n⟦0⟧\n| c | d |", "table of 4 rows by 2 columns became table of 3 rows by 2 columns"),
    (
        "| a | b |\n⟦0⟧\n| c |\n| e | f |",
        "table of 4 rows by 2 columns became table of 4 rows by 2/2/1/2 columns",
    ),
    (
        "| a | b |\n⟦0⟧\n| c | |\n| e | f |",
        "table of 4 rows by 2 columns became table of 4 rows by 2 columns with 1 empty",
    ),
]
HARMLESS = [
    ("words", "The cats of Mary", "Les chats de Marie"),
    ("order of marks", "Use `a` with {b}.", "Avec ⟦1⟧, utilisez ⟦0⟧."),
    ("quotes", 'He said "no".', "Il dit « non »."),
    ("full width", "Wait, {n}!", "等等，⟦0⟧！"),
    ("wrapped", "One two\nthree four", "Un deux trois quatre"),
    ("wrapped otherwise", "One two three", "Un deux\ntrois"),
    ("final newline", "One", "Un\n"),
    ("CRLF", "One\ntwo\n\nthree", "Un\r\ndeux\r\n\r\ntrois"),
    ("separators of numbers", "1,000 b, 3.5", "1.000 b, 3,5"),
    ("number in another script", "In 1914 b", "在１９１４年"),
    ("tags in another order", "A <b>c</b> <i>d</i>", "A ⟦2⟧d⟦3⟧ ⟦0⟧c⟦1⟧"),
    ("void tags", "A<br>b <i>c</i><br>d", "A⟦0⟧⟦1⟧b⟦2⟧ c⟦3⟧d"),
    ("typography", "It&rsquo;s a caf&eacute; &amp; bar", "Das ist ein Lokal mit Bar"),
    ("spaces", "a&nbsp;b", "甲乙"),
    ("prices", "costs $5 or $10", "coûte 5$, ou 10$"),
    ("prices in Chinese", "costs $5 or $10", "价格为5$或10$"),
    ("price range", "costs $5 to $10", "coûte 5$–10$"),
    ("a footnote of its own", "a[^1] b\n\n[^1]: c", "un⟦0⟧ deux\n\n⟦1⟧ trois"),
    ("indentation of lists", "- a\n    - b", "- a\n  - b"),
    ("bullets", "* a\n* b", "- a\n- b"),
    ("ordinals", "1. a\n1. b", "1. a\n2. b"),
    ("setext", "Title\n=====\n\na", "# Titre\n\na"),
    ("emphasis", "A **b** c", "A *b* c"),
    ("entity", "a & b", "a &amp; b"),
    ("link by reference", "See [a][b] c", "Voir [un autre][⟦0⟧] c"),
    ("badge", "[![a](b.png)](http://c) words", "[![été](⟦0⟧)](⟦1⟧) mots"),
    ("titled link", '[a](b "Title")', '[a](⟦0⟧ "Titre")'),
]


@pytest.mark.parametrize(
    ("source", "answer", "finding"), [case[1:] for case in DEFECTS], ids=[c[0] for c in DEFECTS]
)
def test_defects_are_found(source: str, answer: str, finding: Finding) -> None:
    assert finding in findings(MARKDOWN, source, answer)


@pytest.mark.parametrize(("answer", "message"), TABLES)
def test_tables_keep_their_shape(answer: str, message: str) -> None:
    assert findings(MARKDOWN, TABLE, answer) == (Finding(1, "table", message),)


@pytest.mark.parametrize(("source", "answer"), [case[1:] for case in HARMLESS], ids=[c[0] for c in HARMLESS])
def test_what_languages_do_differently_is_no_defect(source: str, answer: str) -> None:
    assert findings(MARKDOWN, source, answer) == ()


def test_a_finding_names_the_line_of_the_input() -> None:
    source = "```\n" + "code\n" * 8 + "```\n\nText\n\n```\na\nb\n```\n\nand {count} here\n"
    (finding,) = findings(MARKDOWN, source, "Text\n\n⟦0⟧\n\nand here")
    assert str(finding) == "line 19: placeholder '{count}' missing"


@pytest.mark.parametrize(
    ("how", "source", "answer", "kinds"),
    [
        (PlainText(), "One {n}.\n\nTwo.", "Un ⟦0⟧. Deux.", ["blocks"]),
        (PlainText(), "One {n}.\n\nTwo.", "Un ⟦0⟧.\n\nDeux.", []),
        (PlainText(), "One {n}.\n\nTwo.", "Un.\n\nDeux.", ["placeholder"]),
        (PlainText(), "  # One\n  - two\n", "# Un\n  - deux", []),
        (PlainText(), "字" * 60 + "\n" + "字" * 60, "word " * 90, ["blocks"]),
        (Html(), "<p>One <b>two</b></p><p>x</p>", "⟦#1⟧\nUn ⟦0⟧deux⟦1⟧\n⟦#2⟧\ny", []),
        (Html(), "<p>One <b>two</b></p><p>x</p>", "⟦#1⟧\nUn ⟦0⟧deux\n⟦#2⟧\ny", ["tag"]),
        (Html(), "<p>One <b>two</b></p><p>x</p>", "⟦#1⟧\nUn ⟦0⟧deux⟦1⟧", ["unit"]),
        (Html(), "<p>One</p>", "Un <i>", ["tag"]),
        (Html(), "<p>One</p>", "si a<b alors", ["tag"]),
        (Html(), "<p>One</p>", "Un <!-- ici", ["tag"]),
        (Html(), "<p>One</p>", "Un < deux", []),
        (Html(), "<p>a <b>c</b> d</p>", "a ⟦1⟧c⟦0⟧ d", ["tag"]),
    ],
)
def test_other_formats(how: Format, source: str, answer: str, kinds: list[str]) -> None:
    assert [finding.kind for finding in findings(how, source, answer)] == kinds


@pytest.mark.parametrize(
    ("source", "answer", "expected"),
    [
        ("　　One\n　　Two\n", "Un\nDeux", "　　Un\n　　Deux\n"),
        ("  One\n\n\n  Two\n", "Un\n\nDeux", "  Un\n\n\n  Deux\n"),
    ],
)
def test_plain_text_keeps_its_indentation(source: str, answer: str, expected: str) -> None:
    (piece,) = PlainText().pieces(split_lines([source]), 500)
    assert PlainText().restore(piece, answer) == expected


def test_html_is_written_back_between_its_tags() -> None:
    source = "<html><title>One</title>\r\n<p class='c'>Two <b>three</b>,\r\nfour &amp; x</p></html>"
    (piece,) = Html().pieces(split_lines([source]), 500)
    assert piece.text == "⟦#1⟧\nOne\n⟦#2⟧\nTwo ⟦0⟧three⟦1⟧,\nfour ⟦2⟧ x"
    answer = "⟦#1⟧\nUn\n⟦#2⟧\nDeux ⟦0⟧trois⟦1⟧,\nquatre ⟦2⟧ y"
    assert Html().restore(piece, answer) == (
        "<html><title>Un</title>\r\n<p class='c'>Deux <b>trois</b>,\r\nquatre &amp; y</p></html>"
    )


@pytest.mark.parametrize(
    "source",
    [
        "<script>var words</script>",
        "<style>words</style>",
        "<pre>words</pre>",
        "<!-- words -->",
        "<a title='words'>",
        "<p>&nbsp; 12 <br></p>",
        "<code>words</code>",
        "<svg><text>words</text></svg>",
        "<a words",
        "<!-- words",
    ],
)
def test_html_without_words_is_not_sent(source: str) -> None:
    assert [piece.text for piece in Html().pieces(split_lines([source]), 500)] == [""]


def findings(how: Format, source: str, answer: str) -> tuple[Finding, ...]:
    (piece,) = [piece for piece in how.pieces(split_lines([source]), 1000) if piece.text]
    return how.findings(piece, answer)
