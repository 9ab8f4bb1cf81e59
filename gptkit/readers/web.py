"""Blocks of HTML pages and of EPUB books."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import unquote

from gptkit.core.errors import DataError, GptkitError
from gptkit.readers import Block, DocumentData, DocumentPlace, HeadingPath
from gptkit.readers.archive import Archive, attribute, local_name

DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)
BLOCKS = """
    address article aside blockquote body caption dd details div dl dt fieldset figcaption figure footer form
    h1 h2 h3 h4 h5 h6 head header hr html li main nav ol option p pre section summary table tbody tfoot thead
    title tr ul
""".split()  # noqa: SIM905 - forty quotation marks say no more
"""Elements that begin and end a block of text."""
HIDDEN = frozenset(("script", "style", "template", "svg"))
SPACES = re.compile(r"[^\S\n]+")
LINE_SPACES = re.compile(r" ?\n ?")


def read_html(source: DocumentData) -> Iterator[Block]:
    page = _Page()
    page.feed(page_text(source))
    page.close()
    return iter(page.blocks)


def read_page(source: DocumentData) -> Iterator[Block]:
    """The main text of a page, below its title; places are its paragraphs."""
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    tree = HTMLTree.parse(page_text(source))
    page = _Page()
    page.feed(extract_plain_text(tree, preserve_formatting="minimal_html", main_content=True))
    page.close()
    if not page.blocks:
        raise DataError(f"{source.name}: no text in the page", hint="it may want a login, or JavaScript")
    title = " ".join((tree.title or "").split())
    for number, block in enumerate(page.blocks, 1):
        headings = (title, *block.heading) if title else block.heading
        yield block._replace(place=DocumentPlace("paragraph", number, number), heading=headings)


def page_text(source: DocumentData) -> str:
    """An HTML page decoded as the user says, else as UTF-8, else as the page says, else as is likely."""
    declared = DECLARED.search(source.data[:4096])
    if source.encoding is None and declared and not _is_utf8(source.data):
        try:
            return source.decode(source.data, source.name, declared[1].decode())
        except GptkitError:  # wrong, or unknown
            pass
    return source.text()


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[Block] = []
        self._headings = HeadingPath()
        self._texts: list[str] = []
        self._first = self._last = 0
        self._hidden: list[str] = []
        self._as_is = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag in HIDDEN:
            self._hidden.append(tag)
        elif tag in BLOCKS:
            self._end_block(None)
            self._as_is = tag == "pre"
        elif tag in ("td", "th") and self._texts:
            self._texts.append(" | ")
        elif tag == "br":
            self._texts.append(" ")

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        if tag not in HIDDEN:  # an empty one holds nothing
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:
            del self._hidden[self._hidden.index(tag) :]
        elif tag in BLOCKS:
            self._end_block(tag)
            self._as_is = False

    def handle_data(self, data: str) -> None:
        if self._hidden or not (data.strip() or self._texts):
            return
        first = self.getpos()[0]
        if not self._texts:
            first += data[: len(data) - len(data.lstrip())].count("\n")
            self._first = first
            data = data.lstrip() if not self._as_is else data.lstrip("\r\n")
        if data.strip():
            self._last = first + data.rstrip().count("\n")
        self._texts.append(data if self._as_is else LINE_SPACES.sub("\n", SPACES.sub(" ", data)))

    def close(self) -> None:
        super().close()
        self._end_block(None)

    def _end_block(self, tag: str | None) -> None:
        text = "".join(self._texts).strip(" |\n") if not self._as_is else "".join(self._texts).rstrip()
        self._texts = []
        if not text.strip():
            return
        if tag == "title":
            self._headings.enter(0, text)
            return
        if tag and re.fullmatch("h[1-6]", tag):
            self._headings.enter(int(tag[1]), text)
        self.blocks.append(Block(text, DocumentPlace("line", self._first, self._last), self._headings.path))


def read_book(source: DocumentData) -> Iterator[Block]:
    """The chapters of an EPUB book in their order; lines are those of the file of a chapter."""
    archive = Archive(source)
    root = archive.xml("META-INF/container.xml")
    package = next((attribute(one, "full-path") for one in root.iter() if attribute(one, "full-path")), "")
    book = archive.xml(package)
    files = {
        attribute(one, "id"): posixpath.normpath(
            posixpath.join(posixpath.dirname(package), unquote(attribute(one, "href")))
        )
        for one in book.iter()
        if local_name(one.tag) == "item"
    }
    spine = [attribute(one, "idref") for one in book.iter() if local_name(one.tag) == "itemref"]
    locked = archive.read("META-INF/encryption.xml") if "META-INF/encryption.xml" in archive else b""
    for number, identifier in enumerate(spine, 1):
        name = files.get(identifier, "")
        if name.encode() in locked and name:
            raise DataError(f"{source.name}: it is encrypted")
        if name not in archive:
            continue
        chapter = source._replace(data=archive.read(name), name=f"{source.name}: chapter {number}")
        for block in read_html(chapter):
            yield block._replace(place=block.place._replace(kind="chapter", label=str(number)))
