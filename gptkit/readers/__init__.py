"""The kinds of documents that can be read, and what is read of them: blocks of text with their places."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import PurePath
from typing import NamedTuple

Decode = Callable[[bytes, str, str | None], str]
"""Decodes bytes, given what messages call them and the encoding that the user named (None: recognise the
encoding). Raises DataError."""


LONGEST_HEADING = 200
ENCRYPTED = "it is encrypted"
UNLOCK = "save a copy without a password"
"""What to do with an encrypted document."""
HEAD = 1 << 16
"""Bytes of a file that tell its kind."""
MARKS = ((b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "workbook"), (b"{\\rtf", "RTF"))
"""Bytes that a kind of documents begins with. Old files of Word and Outlook begin like those of Excel."""
PDF = b"%PDF-"
"""How a PDF begins. Some begin with other bytes; so does source code that knows the mark."""
ZIP = b"PK\x03\x04"
ZIP_ENTRIES = (
    (b"word/", "Word"),
    (b"ppt/", "slides"),
    (b"xl/", "workbook"),
    (b"mimetypeapplication/epub+zip", "EPUB"),
    (b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "workbook"),
)
"""Names of entries that tell the kind of a ZIP archive."""


class DocumentPlace(NamedTuple):
    """Where a block stands in its document.

    Attributes:
        kind: what `start` and `end` count: `line`, `page`, `slide`, `row`, `cell` (of a notebook),
            `paragraph`, `note` (a footnote), or the lines of a `chapter` or of a `message`.
        start: the first one, counted from 1.
        end: the last one, which the block holds too.
        label: what the count belongs to. Of rows the name of their sheet, of chapters and messages their
            number, of pages the number that is printed on the page where that is another one, of paragraphs
            the page on which Word last showed them. None if there is nothing of that kind.
    """

    kind: str
    start: int
    end: int
    label: str | None = None


class Block(NamedTuple):
    """A paragraph, a list, a row of a table, a page: text that belongs together.

    Where the place's kind is `line`, `chapter` or `message` and `text` holds `end - start` line breaks, line
    n of the text is line n of that range; else the text as a whole is somewhere in that range.

    `heading` holds the headings above the block, the outermost first; of a table's row also the table's
    first row.
    """

    text: str
    place: DocumentPlace
    heading: tuple[str, ...] = ()


def place_text(place: DocumentPlace) -> str:
    """The place as people read it after a file's name: `:12-14`, `p.4`, `slide 6`, `Sheet!12`, `par.12`."""
    numbers = f"{place.start}" if place.start == place.end else f"{place.start}-{place.end}"
    label = place.label or ""
    match place.kind:
        case "line":
            return f":{numbers}"
        case "page":
            return f"p.{numbers} ({label})" if label else f"p.{numbers}"
        case "row":
            return f"{label}!{numbers}"
        case "paragraph":
            return f"par.{numbers} (p.{label}~)" if label else f"par.{numbers}"
        case "chapter":
            return f"ch.{label}:{numbers}"
        case "message":
            return f"message {label}:{numbers}"
        case _:
            return f"{place.kind} {numbers}"


def citation(name: str, place: DocumentPlace) -> str:
    """A file's name and a place in the file: `notes.md:12-14`, `lease.pdf p.4`."""
    text = place_text(place)
    return f"{name}{text}" if text.startswith(":") else f"{name} {text}"


def joined_place(first: DocumentPlace, last: DocumentPlace) -> DocumentPlace | None:
    """The range from one place of a file to a later one; None where no range holds both."""
    if first.kind != last.kind:
        return None
    if first.label != last.label and first.kind not in ("page", "paragraph"):
        return None  # another sheet, chapter or message
    label = first.label if first.label == last.label or first.kind == "paragraph" else None
    return DocumentPlace(first.kind, min(first.start, last.start), max(first.end, last.end), label)


def document_text(blocks: Iterable[Block]) -> str:
    """The text of a document: rows on lines of their own below the name of their sheet, all else with a blank
    line between."""
    text, before = [], None
    for block in blocks:
        is_row = block.place.kind == "row"
        if before is not None:
            text.append("\n" if is_row and before.place.label == block.place.label else "\n\n")
        if is_row and (before is None or before.place.label != block.place.label):
            text.append(f"{block.place.label}\n")
        text.append(block.text)
        before = block
    return "".join(text)


class HeadingPath:
    """The headings above the place that is read."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    def enter(self, level: int, title: str) -> None:
        """Begin the part below a heading, which ends what stands below one of its level or a deeper one."""
        self._open = [one for one in self._open if one[0] < level]
        if title:
            self._open.append((level, " ".join(title.split())[:LONGEST_HEADING]))

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(title for _, title in self._open)


def whole_letters(text: str) -> str:
    """A text of which the halves of letters that UTF-16 writes in two are joined; a lone half is U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class DocumentData(NamedTuple):
    """A document as its reader gets it.

    Attributes:
        name: what messages call the document, such as `'report.pdf'`.
        encoding: the encoding that the user named; None to recognise it.
        passwords: those that may open an encrypted PDF.
    """

    data: bytes
    name: str
    decode: Decode
    encoding: str | None = None
    passwords: Sequence[str] = ()

    def text(self) -> str:
        """The whole document as text. Raises DataError."""
        return self.decode(self.data, self.name, self.encoding)


class Reader(NamedTuple):
    """What is known of a kind of documents without the reader's module.

    Attributes:
        endings: extensions of file names, with the dot, in lower case.
        place: `module:function` of a function from DocumentData to Iterator[Block], which raises DataError.
        is_text: a program or a person can read the file as it is.
        is_zip: the file is a ZIP archive, as Word, Excel and EPUB write them.
        runs_here: read in the process itself unless it is large; any other in a child process with limits.
    """

    name: str
    endings: tuple[str, ...]
    place: str
    is_text: bool = True
    is_zip: bool = False
    runs_here: bool = False

    def load(self) -> Callable[[DocumentData], Iterator[Block]]:
        module, _, name = self.place.partition(":")
        function: Callable[[DocumentData], Iterator[Block]] = getattr(
            import_module(f"{__name__}.{module}"), name
        )
        return function


def reader_of(name: str, head: bytes) -> Reader:
    """The reader of a document by the `head` of its bytes, else by the ending of its name, else for text.

    Also a document that is refused has a reader, which says why.
    """
    ending = PurePath(name).suffix.lower()
    by_ending = next((reader for reader in READERS if ending in reader.endings), READERS[-1])
    if head.startswith(ZIP):
        if by_ending.is_zip:
            return by_ending
        return next((_named(kind) for entry, kind in ZIP_ENTRIES if entry in head), READERS[-1])
    if head.lstrip().startswith(PDF) or (by_ending.name == "PDF" and PDF in head[:1024]):
        return _named("PDF")
    by_mark = next((_named(kind) for mark, kind in MARKS if head.startswith(mark)), None)
    if by_mark:
        return by_mark
    return by_ending if by_ending.is_text else READERS[-1]


def _named(name: str) -> Reader:
    return next(reader for reader in READERS if reader.name == name)


PAGE = ".web-page"
"""The ending by which a page of the web gets the reader that leaves out what stands around its text."""
PROGRAMS = """
    .py .pyi .js .mjs .cjs .ts .tsx .jsx .java .kt .kts .scala .go .rs .c .h .cc .cpp .cxx .hpp .cs .swift .rb
    .php .pl .pm .lua .r .jl .sh .bash .zsh .fish .ps1 .sql .m .mm .dart .ex .exs .erl .hs .ml .fs .clj .vue
    .svelte
"""
READERS = (
    Reader("PDF", (".pdf",), "pdf:read_pdf", is_text=False),
    Reader("Word", (".docx", ".docm", ".dotx"), "office:read_word", is_text=False, is_zip=True),
    Reader("slides", (".pptx", ".pptm", ".ppsx"), "office:read_slides", is_text=False, is_zip=True),
    Reader(
        "workbook",
        (".xlsx", ".xlsm", ".xlsb", ".ods", ".xls"),
        "sheet:read_workbook",
        is_text=False,
        is_zip=True,
    ),
    Reader("EPUB", (".epub",), "web:read_book", is_text=False, is_zip=True),
    Reader("RTF", (".rtf",), "office:read_rtf", is_text=False),
    Reader("HTML", (".html", ".htm", ".xhtml"), "web:read_html"),
    Reader("page", (PAGE,), "web:read_page"),
    Reader("notebook", (".ipynb",), "text:read_notebook"),
    Reader("mail", (".eml",), "mail:read_mail"),
    Reader("mailbox", (".mbox", ".mbx"), "mail:read_mailbox"),
    Reader("table", (".csv", ".tsv"), "sheet:read_csv"),
    Reader("JSON", (".json", ".jsonl", ".ndjson", ".geojson"), "text:read_json", runs_here=True),
    Reader(
        "Markdown",
        (".md", ".markdown", ".mdown", ".mkd", ".mdx", ".qmd", ".rmd"),
        "text:read_markdown",
        runs_here=True,
    ),
    Reader("source", tuple(PROGRAMS.split()), "text:read_source", runs_here=True),
    Reader("text", (".txt", ".text"), "text:read_text", runs_here=True),
)
"""All readers; the last takes any text, and refuses by name what is no text."""
