"""Pages of PDF documents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from gptkit.core.errors import DataError
from gptkit.readers import ENCRYPTED, UNLOCK, Block, DocumentData, DocumentPlace, HeadingPath

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

MOST_PAGES, MOST_TITLES = 10_000, 5_000
SAVE_ANEW = "save a new copy of it with a program that opens it"
SCANNED = 0.9
"""The share of pages without text of a document that was scanned."""
BROKEN_WORD = re.compile("[\ufffe\x02](?:\r\n)?")
"""What PDFium writes for a hyphen at the end of a line."""
CONTROL = re.compile("[\0-\x08\x0b-\x1f]")


def read_pdf(source: DocumentData) -> Iterator[Block]:
    """The text of each page. A right-to-left script comes in the order in which it is drawn."""
    import pypdfium2

    try:
        yield from _pages(_open(source), source.name)
    except pypdfium2.PdfiumError:
        raise DataError(f"{source.name}: it is a damaged PDF", hint=SAVE_ANEW) from None


def _open(source: DocumentData) -> PdfDocument:
    import pypdfium2

    for password in (None, *source.passwords):
        try:
            return pypdfium2.PdfDocument(source.data, password)
        except pypdfium2.PdfiumError as error:
            if "password" not in str(error).lower():
                raise
    raise DataError(f"{source.name}: {ENCRYPTED}", hint=UNLOCK)


def _pages(document: PdfDocument, name: str) -> Iterator[Block]:
    count, without_text = len(document), 0
    if count > MOST_PAGES:
        raise DataError(f"{name}: more than {MOST_PAGES:,} pages")
    titles, headings = _titles(document), HeadingPath()
    for at in range(count):
        text = _text(document, at)
        without_text += not text
        label = document.get_page_label(at)
        place = DocumentPlace("page", at + 1, at + 1, None if label in ("", str(at + 1)) else label)
        yield from _parts(text, place, titles.get(at, ()), headings)
    if without_text > SCANNED * count:
        raise DataError(
            f"{name}: its pages are scanned and hold no text", hint="recognise its text first (OCR)"
        )


def _parts(
    text: str, place: DocumentPlace, titles: Sequence[tuple[int, str]], headings: HeadingPath
) -> Iterator[Block]:
    """A page, cut before the lines that are titles of the outline."""
    start = 0
    for level, title in titles:
        found = text.find(title, start)
        begin = max(text.rfind("\n", 0, found) + 1, start) if found >= 0 else start
        if text[start:begin].strip():
            yield Block(text[start:begin].rstrip(), place, headings.path)
        start = begin
        headings.enter(level, title)
    if text[start:]:
        yield Block(text[start:], place, headings.path)


def _text(document: PdfDocument, at: int) -> str:
    page = document[at]
    text_page = page.get_textpage()
    text = BROKEN_WORD.sub("", text_page.get_text_bounded()).replace("\r\n", "\n")
    text_page.close()
    page.close()
    return CONTROL.sub(" ", text).strip()


def _titles(document: PdfDocument) -> Mapping[int, list[tuple[int, str]]]:
    """The outline: level and title of what begins on a page, by the page's index."""
    found: dict[int, list[tuple[int, str]]] = {}
    for number, bookmark in enumerate(document.get_toc()):
        if number == MOST_TITLES:
            break
        destination = bookmark.get_dest()
        at = destination.get_index() if destination else None
        if at is not None:
            found.setdefault(at, []).append((bookmark.level, bookmark.get_title()))
    return found
