"""What strangers can put into a document: nothing crashes, limits hold, and one bad file costs one file."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from document_files import KINDS, NOTICE, RENT, make_pdf, make_zip

from gptkit.core.errors import CannotReadError, DataError, GptkitError, NoInputError
from gptkit.encodings.decode import decode
from gptkit.readers import Block
from gptkit.readers.child import Limits
from gptkit.readers.process import DocumentReader, open_document

WORD = '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:p><w:r><w:t>'
LAUGHS = "".join(f'<!ENTITY {chr(98 + at)} "{f"&{chr(97 + at)};" * 10}">' for at in range(9))
OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
ONE_PAGE = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj trailer<</Root 1 0 R>>\n2 0 obj<</Type/Pages"
)
LIMITS = Limits(file=8 << 20, text=1 << 20)


@pytest.fixture
def reader() -> Iterator[DocumentReader]:
    with DocumentReader(decode, limits=LIMITS) as made:
        yield made


def fault(reader: DocumentReader, data: bytes, name: str = "a.b") -> str:
    """The message for a document that is not read."""
    with pytest.raises(DataError) as caught:
        list(reader.blocks(BytesIO(data), name))
    return caught.value.message


def text_of(reader: DocumentReader, data: bytes, name: str) -> str:
    return "\n".join(block.text for block in reader.blocks(BytesIO(data), name))


def book(spine: int) -> bytes:
    package = '<p><item id="a" href="a.x"/>' + '<itemref idref="a"/>' * spine + "</p>"
    root = '<c><rootfile full-path="b.opf"/></c>'
    return make_zip(**{"META-INF/container.xml": root, "b.opf": package, "a.x": "<p>" + "a" * 100_000})


def far_workbook() -> bytes:
    """A workbook of two cells, the first and the last there can be."""
    from openpyxl import Workbook

    book, file = Workbook(), BytesIO()
    sheet = book.active
    sheet["A1"], sheet["XFD1048576"] = 1, 1
    book.save(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        (
            "a.docx",
            lambda: make_zip(**{"word/document.xml": WORD + "a" * (65 << 20)}),
            "it unpacks to more than 64",
        ),
        ("a.docx", lambda: make_zip(**{f"word/{at}": "" for at in range(5001)}), "more than 5,000 parts"),
        (
            "a.docx",
            lambda: make_zip(**{"word/document.xml": f"<!DOCTYPE l [{LAUGHS}]>{WORD}&j;"}),
            "it is a damaged",
        ),
        ("a.epub", lambda: book(1000), "more than 1 million characters"),
        ("a.xlsx", far_workbook, "it is damaged, or made to stop its reader"),
        ("a.ipynb", lambda: b"[" * 1_000_000, "it is damaged (RecursionError)"),
        ("a.eml", lambda: b"Content-Type: message/rfc822\n\n" * 3000, "it is damaged (RecursionError)"),
        ("a.mbox", lambda: b"Subject: x", "it is no mailbox: no line begins with 'From '"),
        ("a.rtf", lambda: b"{\\rtf1 " + b"{" * 100_000, "it holds no text"),
        ("a.pdf", lambda: ONE_PAGE + b"/Kids[2 0 R 2 0 R]/Count 1000000>>endobj", "more than 10,000 pages"),
        ("a.pdf", lambda: make_pdf(scanned=True), "its pages are scanned and hold no text"),
        ("a.pdf", lambda: make_pdf(password="secret"), "it is encrypted"),
        ("a.txt", lambda: b"a" * (8 << 20 | 1), "more than 8 MiB"),
        ("a.pdf", lambda: make_pdf() + b" " * (8 << 20), "more than 8 MiB"),
    ],
)
def test_bombs_loops_and_locks_are_refused(
    reader: DocumentReader, name: str, make: Callable[[], bytes], message: str
) -> None:
    assert fault(reader, make(), name).startswith(f"'{name}': {message}")
    assert RENT in text_of(reader, KINDS["lease.docx"][0](), "next.docx")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("WordDocument", "an old document of Word (.doc)"),
        ("PowerPoint Document", "an old presentation (.ppt)"),
        ("__properties_version1.0", "a message of Outlook (.msg)"),
        ("EncryptedPackage", "it is encrypted"),
        ("Workbook", "it is a damaged workbook"),
    ],
)
def test_old_office_files_are_refused_by_their_kind(reader: DocumentReader, entry: str, message: str) -> None:
    assert message in fault(reader, OLD_OFFICE + entry.encode("utf-16-le"), "a.txt")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\xff", "a PNG image"),
        (b"\x1f\x8b\x08\xff", "gzip"),
        (make_zip(a="b"), "a ZIP archive"),
    ],
)
def test_what_is_no_text_is_refused_by_its_kind(reader: DocumentReader, data: bytes, kind: str) -> None:
    for name in ("a.md", "a.png", "a.docx.txt"):
        assert f"'{name}': not text: looks like {kind}" in fault(reader, data, name)


def test_a_document_in_which_a_bit_or_the_end_is_wrong_is_read_or_refused(reader: DocumentReader) -> None:
    choice = random.Random(17)
    for name, (make, _) in KINDS.items():
        data = make()
        for _ in range(8):
            damaged = bytearray(data[: choice.randrange(len(data))] if choice.random() < 0.5 else data)
            for _ in range(choice.choice([0, 1, 20]) if damaged else 0):
                damaged[choice.randrange(len(damaged))] = choice.randrange(256)
            try:
                list(reader.blocks(BytesIO(damaged), name))
            except DataError as error:
                assert error.message.startswith(f"'{name}': ")


@pytest.mark.parametrize(
    ("limits", "name", "data", "message"),
    [
        (
            Limits(memory=150 << 20),
            "a.ipynb",
            b'{"cells":[' + b"[]," * 2_000_000,
            "more than 150 MiB of memory",
        ),
        (Limits(seconds=1), "a.html", b"<a " * 300_000, "longer than 1 s"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_memory_and_time_have_a_limit(limits: Limits, name: str, data: bytes, message: str) -> None:
    with DocumentReader(decode, limits=limits) as reader:
        assert fault(reader, data, name) == f"'{name}': reading it takes {message}"
        assert RENT in text_of(reader, KINDS["lease.docx"][0](), "next.docx")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such signal")
def test_a_reader_that_dies_costs_one_document(reader: DocumentReader) -> None:
    list(reader.blocks(BytesIO(make_pdf()), "first.pdf"))
    child = reader._child
    assert child is not None
    threading.Timer(0.2, os.kill, (child.pid, signal.SIGSEGV)).start()
    assert "'a.html': it is damaged, or made to stop" in fault(reader, b"<a " * 300_000, "a.html")
    assert NOTICE in text_of(reader, make_pdf(), "next.pdf")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_reader_that_dies_before_it_has_the_document_costs_that_one() -> None:
    with DocumentReader(decode, limits=Limits(memory=120 << 20)) as reader:
        assert "it is damaged, or made to stop" in fault(reader, make_pdf() + bytes(150 << 20), "a.pdf")
        assert RENT in text_of(reader, KINDS["lease.docx"][0](), "next.docx")


def test_blocks_that_nobody_wants_do_not_reach_the_next_document(reader: DocumentReader) -> None:
    many = b"a,b\n" * 50_000
    blocks: Iterator[Block] = reader.blocks(BytesIO(many), "a.csv")
    next(blocks)
    del blocks
    assert text_of(reader, b"x,y", "b.csv") == "x | y"


def test_a_large_text_does_not_fill_the_memory_of_the_process(reader: DocumentReader) -> None:
    assert text_of(reader, b"words\n", "a.md") == "words"
    assert reader._child is None
    with DocumentReader(decode) as large:
        assert len(text_of(large, (b"w" * 1000 + b"\n\n") * 17_000, "a.md")) == 17_000 * 1001 - 1
        assert large._child is not None


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc")
def test_the_child_has_no_environment_and_ends_with_its_parent(
    reader: DocumentReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    list(reader.blocks(BytesIO(make_pdf()), "a.pdf"))
    child = reader._child
    assert child is not None
    assert Path(f"/proc/{child.pid}/environ").read_bytes() == b""
    reader.close()
    assert child.returncode is not None


@pytest.mark.parametrize("name", ["a.txt", "a.html"])
def test_a_file_that_cannot_be_read_to_its_end_is_an_error(reader: DocumentReader, name: str) -> None:
    class Broken(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 1000:
                raise OSError(5, "Input/output error")
            return super().read(min(size or 0, 1001))

    with pytest.raises(CannotReadError, match=f"'{name}': input/output error"):
        list(reader.blocks(Broken(b"a" * 5000), name))
    assert text_of(reader, b"<p>words", "b.html") == "words"


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    begin = time.monotonic()
    for name, error in (("fifo", DataError), (".", DataError), ("none", NoInputError), ("a\0b", GptkitError)):
        with pytest.raises(error):
            open_document(str(tmp_path / name))
    assert time.monotonic() - begin < 5
    (tmp_path / "file").write_text("x")
    with open_document(tmp_path / "file") as file:
        assert file.read() == b"x"
