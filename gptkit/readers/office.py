"""Paragraphs of Word and RTF documents, slides of presentations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import BytesIO
from xml.etree import ElementTree

from gptkit.core.errors import DataError
from gptkit.readers import Block, DocumentData, DocumentPlace, HeadingPath
from gptkit.readers.archive import Archive, attribute, local_name

WORD = "wordprocessingml"
SEPARATOR = " | "
"""Between the cells of a table's row."""
SIGNS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
NOT_OF_A_SLIDE = ("dt", "ftr", "hdr", "sldNum", "sldImg")
"""Fields of a slide that hold its date, number and the like."""


def read_word(source: DocumentData) -> Iterator[Block]:
    """The paragraphs and rows of tables in their order, then the notes.

    All paragraphs are counted, those of tables and empty ones too.
    """
    archive = Archive(source)
    part = archive.related("officeDocument") or "word/document.xml"
    data = archive.read(part)
    levels = _heading_levels(archive, archive.related("styles", part))
    yield from _Paragraphs(data, levels, "paragraph").blocks(source.name)
    for kind in ("footnotes", "endnotes"):
        if notes := archive.related(kind, part):
            yield from _Paragraphs(archive.read(notes), {}, "note").blocks(source.name)


def _heading_levels(archive: Archive, part: str | None) -> Mapping[str, int]:
    """The level of each style that is one of headings, by the style's identifier."""
    levels: dict[str, int] = {}
    based_on: dict[str, str] = {}
    for style in archive.xml(part) if part else ():
        if local_name(style.tag) != "style":
            continue
        own = attribute(style, "styleId")
        for one in style.iter():
            name, value = local_name(one.tag), attribute(one, "val")
            if name == "outlineLvl" and value.isdecimal():
                levels[own] = int(value) + 1
            elif name == "name" and value.lower().startswith("heading ") and value[8:].isdecimal():
                levels[own] = int(value[8:])
            elif name == "name" and value.lower() == "title":
                levels[own] = 0
            elif name == "basedOn":
                based_on[own] = value
    for style_id in based_on:
        parent, steps = style_id, 0
        while parent not in levels and parent in based_on and steps < 10:
            parent, steps = based_on[parent], steps + 1
        if parent in levels:
            levels[style_id] = levels[parent]
    return {name: level for name, level in levels.items() if level < 10}


class _Paragraph:
    def __init__(self, number: int) -> None:
        self.number = number
        self.texts: list[str] = []
        self.level: int | None = None
        self.page: int | None = None

    @property
    def text(self) -> str:
        return "".join(self.texts).strip()


class _Paragraphs:
    """The paragraphs of one part of a Word document, while its XML is parsed."""

    def __init__(self, data: bytes, levels: Mapping[str, int], kind: str) -> None:
        """`levels` are those of headings by style; `kind` is what a place counts, paragraphs or notes."""
        self._data = data
        self._levels = levels
        self._kind = kind
        self._headings = HeadingPath()
        self._open: list[_Paragraph] = []
        self._row: list[_Paragraph] = []
        self._rows = self._fallbacks = self._count = 0
        self._page = 1 if b"lastRenderedPageBreak" in data else None

    def blocks(self, name: str) -> Iterator[Block]:
        try:
            for event, element in ElementTree.iterparse(BytesIO(self._data), ("start", "end")):  # noqa: S314
                if local_name(element.tag) == "Fallback":  # a second form of a drawing, for old programs
                    self._fallbacks += 1 if event == "start" else -1
                elif WORD in element.tag and not self._fallbacks:
                    if event == "start":
                        self._begin(local_name(element.tag), element)
                    else:
                        yield from self._end(local_name(element.tag), element)
        except ElementTree.ParseError:
            raise DataError(f"{name}: it is a damaged Word document") from None

    def _begin(self, tag: str, element: ElementTree.Element) -> None:
        if self._kind == "paragraph":
            self._count += tag == "p"
        else:  # a note with a type is a line between text and notes
            self._count += tag in ("footnote", "endnote") and not attribute(element, "type")
        if tag == "p":
            self._open.append(_Paragraph(self._count))
        elif tag == "tr":
            self._rows += 1

    def _end(self, tag: str, element: ElementTree.Element) -> Iterator[Block]:
        if tag == "p":
            yield from self._ended(self._open.pop())
            element.clear()
        elif tag == "tr":
            self._rows -= 1
            if not self._rows:
                yield from self._block(self._row)
                self._row = []
            element.clear()
        elif tag == "lastRenderedPageBreak" and self._page:
            self._page += 1
        elif self._open:
            self._add(self._open[-1], tag, element)

    def _add(self, paragraph: _Paragraph, tag: str, element: ElementTree.Element) -> None:
        if tag == "t" and element.text:
            paragraph.page = paragraph.page or self._page
            paragraph.texts.append(element.text)
        elif tag in SIGNS:
            paragraph.texts.append(SIGNS[tag])
        elif tag == "pStyle" and attribute(element, "val") in self._levels:
            paragraph.level = self._levels[attribute(element, "val")]
        elif tag == "outlineLvl" and attribute(element, "val") in set("012345678"):
            paragraph.level = int(attribute(element, "val")) + 1

    def _ended(self, paragraph: _Paragraph) -> Iterator[Block]:
        if not paragraph.text:
            return
        if self._rows:
            self._row.append(paragraph)
            return
        if paragraph.level is not None:
            self._headings.enter(paragraph.level, paragraph.text)
        yield from self._block([paragraph])

    def _block(self, paragraphs: list[_Paragraph]) -> Iterator[Block]:
        if not paragraphs:
            return
        numbers = [one.number for one in paragraphs]
        page = paragraphs[0].page
        place = DocumentPlace(self._kind, min(numbers), max(numbers), str(page) if page else None)
        yield Block(SEPARATOR.join(one.text for one in paragraphs), place, self._headings.path)


def read_slides(source: DocumentData) -> Iterator[Block]:
    """The texts of each slide, rows of tables one by one, then the slide's notes."""
    archive = Archive(source)
    presentation = archive.related("officeDocument") or "ppt/presentation.xml"
    relations = archive.relations(presentation)
    names = [
        relations[identifier].target
        for one in archive.xml(presentation).iter()
        if local_name(one.tag) == "sldId" and (identifier := _relation(one)) in relations
    ]
    for number, name in enumerate(names, 1):
        slide = list(_shapes(archive.xml(name)))
        heading = next((" ".join(text.split()) for kind, text in slide if kind in ("title", "ctrTitle")), "")
        notes = archive.related("notesSlide", name)
        for _, text in [*slide, *(_shapes(archive.xml(notes)) if notes else ())]:
            yield Block(text, DocumentPlace("slide", number, number), (heading,) if heading else ())


def _relation(element: ElementTree.Element) -> str:
    """The value of `r:id`, beside which stands an `id` without a namespace."""
    return next((v for k, v in element.attrib.items() if k.startswith("{") and k.endswith("}id")), "")


def _shapes(root: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """The kind of each field of a slide, empty for a free one, and its text."""
    for element in root.iter():
        tag = local_name(element.tag)
        if tag == "tr":
            cells = (_text(cell) for cell in element if local_name(cell.tag) == "tc")
            kind, text = "", SEPARATOR.join(cell for cell in cells if cell)
        elif tag == "sp":
            kind = next((attribute(one, "type") for one in element.iter() if local_name(one.tag) == "ph"), "")
            text = _text(element)
        else:
            continue
        if text and kind not in NOT_OF_A_SLIDE:
            yield kind, text


def _text(element: ElementTree.Element) -> str:
    paragraphs = (one for one in element.iter() if local_name(one.tag) == "p")
    lines = ("".join(_pieces(paragraph)).strip() for paragraph in paragraphs)
    return "\n".join(line for line in lines if line)


def _pieces(paragraph: ElementTree.Element) -> Iterator[str]:
    for one in paragraph.iter():
        tag = local_name(one.tag)
        yield (one.text or "") if tag == "t" else SIGNS.get(tag, "")


def read_rtf(source: DocumentData) -> Iterator[Block]:
    """The paragraphs of an RTF document, of which empty ones are counted too."""
    from striprtf.striprtf import rtf_to_text

    text: str = rtf_to_text(source.data.decode("latin-1"), errors="replace")  # type: ignore[no-untyped-call]
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield Block(line.strip(), DocumentPlace("paragraph", number, number))
