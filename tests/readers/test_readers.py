"""Every kind of document is read as blocks of text with their places and headings."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from document_files import KINDS, NOTICE, RENT, make_mail, make_zip

from gptkit.encodings.decode import decode
from gptkit.readers import (
    READERS,
    Block,
    DocumentPlace,
    HeadingPath,
    citation,
    document_text,
    joined_place,
    place_text,
)
from gptkit.readers.process import DocumentReader


def blocks_of(data: bytes, name: str, encoding: str | None = None) -> list[Block]:
    with DocumentReader(decode, encoding) as reader:
        return list(reader.blocks(BytesIO(data), name))


@pytest.mark.parametrize("name", KINDS)
def test_words_are_found_where_the_place_says(name: str) -> None:
    make, places = KINDS[name]
    blocks = blocks_of(make(), name)
    for words, place in places.items():
        assert [place_text(block.place) for block in blocks if words in block.text][:1] == [place], words


def test_there_is_a_sample_of_every_reader() -> None:
    endings = {Path(name).suffix for name in KINDS}
    assert [reader.name for reader in READERS if not endings & set(reader.endings)] == []


@pytest.mark.parametrize(
    ("name", "words", "heading"),
    [
        ("lease.pdf", "before the chapter", ()),
        ("lease.pdf", RENT, ("Money",)),
        ("lease.docx", RENT, ("租约",)),
        ("lease.docx", NOTICE, ("租约", "Notice")),
        ("lease.pptx", NOTICE, ("通知",)),
        ("lease.xlsx", "item | price", ("预算",)),
        ("lease.xlsx", NOTICE, ("预算", "item | price")),
        ("lease.epub", RENT, ("Lease", "Money")),
        ("lease.html", NOTICE, ("Lease", "Money", "通知")),
        ("lease.ipynb", NOTICE, ("Money",)),
        ("lease.mbox", NOTICE, ("first",)),
        ("lease.csv", NOTICE, ("item | price | note",)),
        ("lease.md", RENT, ("Money",)),
        ("lease.md", "# no heading", ("Money",)),
        ("lease.md", NOTICE, ("Money", "Notice")),
        ("lease.py", NOTICE, ("class Lease:", "def notice(self):")),
    ],
)
def test_a_block_knows_the_headings_above_it(name: str, words: str, heading: tuple[str, ...]) -> None:
    found = next(block for block in blocks_of(KINDS[name][0](), name) if words in block.text)
    assert found.heading == heading


def test_lines_of_a_block_are_lines_of_the_file() -> None:
    for name in ("lease.md", "lease.py", "lease.txt"):
        lines = decode(KINDS[name][0](), name).replace("\r\n", "\n").split("\n")
        for block in blocks_of(KINDS[name][0](), name):
            assert block.text.split("\n") == lines[block.place.start - 1 : block.place.end]


def test_what_a_page_hides_is_not_read() -> None:
    text = "".join(block.text for block in blocks_of(KINDS["lease.html"][0](), "lease.html"))
    assert "hidden" not in text
    assert "color" not in text


@pytest.mark.parametrize(
    ("data", "encoding", "text"),
    [
        ('<meta charset="gb2312"><p>租约'.encode("gb18030"), None, "租约"),
        ('<meta charset="big5"><p>租約'.encode("big5"), None, "租約"),
        ('<meta charset="gb2312"><p>租约'.encode(), None, "租约"),
        ('<meta charset="klingon"><p>租约'.encode("utf-16"), None, "租约"),
        ('<meta charset="big5"><p>租约'.encode("gb18030"), "gb18030", "租约"),
        ('<meta charset="iso-8859-1"><p>für'.encode("latin-1"), None, "für"),
    ],
)
def test_a_page_is_decoded_as_it_says(data: bytes, encoding: str | None, text: str) -> None:
    assert [block.text for block in blocks_of(data, "a.html", encoding)] == [text]


@pytest.mark.parametrize("charset", ["gb2312", "utf-8", "big5", "unknown-8bit", None])
def test_a_message_is_decoded_as_it_says_else_as_is_likely(charset: str | None) -> None:
    text = "房租每月一千二百五十元，提前三个月书面通知。" if charset != "big5" else "房租每月一千二百五十元。"
    body = text.encode(charset if charset in ("utf-8", "big5") else "gb18030")
    kind = f"Content-Type: text/plain; charset={charset}\n" if charset else ""
    data = f"Subject: =?gb2312?B?1+LUvA==?=\n{kind}Content-Transfer-Encoding: 8bit\n\n".encode() + body
    assert [block.text for block in blocks_of(data, "a.eml")] == ["Subject: 租约", text]


def test_a_message_is_read_with_what_it_forwards_and_its_text_attachments() -> None:
    outer = make_mail("outer")
    outer.add_attachment(make_mail("inner"))
    outer.add_attachment(b"%PDF-1.7", "application", "pdf", filename="a.pdf")
    texts = [block.text for block in blocks_of(bytes(outer), "a.eml")]
    assert [text for text in texts if "Subject" in text or NOTICE in text] == [
        "From: 李雷 <li@example.com>\nTo: a@example.com\nSubject: outer",
        NOTICE,
        "From: 李雷 <li@example.com>\nTo: a@example.com\nSubject: inner",
        NOTICE,
    ]
    assert sum(RENT in text for text in texts) == 2  # the HTML says nothing new


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("a.json", rb'{"a": "\u4e2d\u6587 \ud83d\ude00 \\u4e2d"}', '{"a": "中文 😀 \\\\u4e2d"}'),
        ("a.md", b"Title\n=====\ntext", "Title\n====="),
        ("a.md", b"- a\n- b\n---\n", "- a\n- b\n---"),
        ("a.csv", b"a;b;c,d\n1;2;3", "a | b | c,d"),
        ("a.txt", b"\xef\xbb\xbfwords", "words"),
    ],
)
def test_first_blocks_of_text(name: str, data: bytes, text: str) -> None:
    assert blocks_of(data, name)[0].text == text


def test_the_bytes_decide_what_a_file_is_before_its_name() -> None:
    for name in (
        "lease.pdf",
        "lease.docx",
        "lease.pptx",
        "lease.xlsx",
        "lease.xls",
        "lease.epub",
        "lease.rtf",
    ):
        data = KINDS[name][0]()
        assert blocks_of(data, "x.txt") == blocks_of(data, name)
    assert blocks_of(b"junk\n" + KINDS["lease.pdf"][0](), "x.pdf") == blocks_of(KINDS["lease.pdf"][0](), "x")
    assert blocks_of(b'mark = b"%PDF-1.4"', "x.py")[0].text == 'mark = b"%PDF-1.4"'
    assert blocks_of(b"plain words", "x.docx")[0].text == "plain words"


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (DocumentPlace("line", 12, 14), "a.md:12-14"),
        (DocumentPlace("page", 4, 4), "a.md p.4"),
        (DocumentPlace("page", 4, 4, "iv"), "a.md p.4 (iv)"),
        (DocumentPlace("row", 12, 12, "Sheet"), "a.md Sheet!12"),
        (DocumentPlace("paragraph", 12, 12, "3"), "a.md par.12 (p.3~)"),
        (DocumentPlace("chapter", 10, 10, "3"), "a.md ch.3:10"),
        (DocumentPlace("message", 3, 3, "12"), "a.md message 12:3"),
        (DocumentPlace("note", 2, 2), "a.md note 2"),
    ],
)
def test_a_citation(place: DocumentPlace, text: str) -> None:
    assert citation("a.md", place) == text


@pytest.mark.parametrize(
    ("first", "last", "both"),
    [
        (("page", 4, 4, "iv"), ("page", 5, 5, "v"), ("page", 4, 5, None)),
        (("page", 4, 4, "iv"), ("page", 4, 4, "iv"), ("page", 4, 4, "iv")),
        (("paragraph", 5, 5, "1"), ("paragraph", 4, 4, "2"), ("paragraph", 4, 5, "1")),
        (("row", 1, 1, "A"), ("row", 2, 2, "B"), None),
        (("line", 1, 2, None), ("line", 3, 9, None), ("line", 1, 9, None)),
        (("paragraph", 5, 5, None), ("note", 1, 1, None), None),
    ],
)
def test_two_places_as_one(
    first: tuple[str, int, int, str | None],
    last: tuple[str, int, int, str | None],
    both: tuple[str, int, int, str | None] | None,
) -> None:
    assert joined_place(DocumentPlace(*first), DocumentPlace(*last)) == both


def test_headings_end_those_of_their_level_and_below() -> None:
    path = HeadingPath()
    for level, title in ((1, "a"), (2, "b"), (3, " c\nd "), (2, "e"), (2, "")):
        path.enter(level, title)
    assert path.path == ("a",)


def test_the_text_of_a_workbook_names_its_sheets() -> None:
    text = document_text(blocks_of(KINDS["lease.xlsx"][0](), "lease.xlsx"))
    assert text == f"预算\nitem | price\n{NOTICE} | 1250.5\n\nMay\n{RENT}"


def word(body: str, **members: str) -> bytes:
    """A Word document of which Word has shown the pages."""
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:mc="mc"'
    relation = '<Relationship Id="{0}" Type="x/{0}" Target="{1}"/>'
    root = f"<Relationships>{relation.format('officeDocument', 'word/document2.xml')}</Relationships>"
    own = "".join(relation.format(name, f"{name}.xml") for name in members)
    parts = {f"word/{name}.xml": text.replace(">", f" {space}>", 1) for name, text in members.items()}
    return make_zip(
        **{"_rels/.rels": root, "word/_rels/document2.xml.rels": f"<Relationships>{own}</Relationships>"},
        **{"word/document2.xml": f"<w:document {space}><w:body>{body}</w:body></w:document>"},
        **parts,
    )


def test_a_word_document_with_styles_notes_boxes_and_pages() -> None:
    box = "<w:p><w:r><w:t>in a box</w:t></w:r></w:p>"
    blocks = blocks_of(
        word(
            '<w:p><w:pPr><w:pStyle w:val="Own"/></w:pPr><w:r><w:t>标题</w:t></w:r></w:p>'
            "<w:p><w:r><w:t>one</w:t><w:tab/><w:t>two</w:t><w:br/></w:r><w:del><w:r><w:delText>gone</w:delText></w:r>"
            "</w:del><w:r><w:t>three</w:t></w:r></w:p>"
            f"<w:p><mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>"
            "</mc:AlternateContent><w:r><w:lastRenderedPageBreak/><w:t>around it</w:t></w:r></w:p>"
            f"<w:tbl><w:tr><w:tc>{box}</w:tc><w:tc><w:tbl><w:tr><w:tc>{box}</w:tc></w:tr></w:tbl></w:tc></w:tr></w:tbl>",
            styles='<w:styles><w:style w:styleId="1"><w:name w:val="heading 1"/></w:style>'
            '<w:style w:styleId="Own"><w:name w:val="Own"/><w:basedOn w:val="1"/></w:style></w:styles>',
            footnotes='<w:footnotes><w:footnote w:type="separator"/>'
            f"<w:footnote>{box.replace('in a box', NOTICE)}</w:footnote></w:footnotes>",
        ),
        "a.docx",
    )
    assert [(block.text, place_text(block.place)) for block in blocks] == [
        ("标题", "par.1 (p.1~)"),
        ("one\ttwo\nthree", "par.2 (p.1~)"),
        ("in a box", "par.4 (p.1~)"),
        ("around it", "par.3 (p.2~)"),
        ("in a box | in a box", "par.5-6 (p.2~)"),
        (NOTICE, "note 1"),
    ]
    assert {block.heading for block in blocks[:-1]} == {("标题",)}
