"""PDF, Office, EPUB and RTF files as the input of a prompt."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import pytest
from asking import body, failure, prompt
from document_files import CSV, KINDS, NOTICE, RENT, make_docx, make_pdf
from fake.program import InMemory
from fake.server import FakeServer

PDF_TEXT = f"A lease\n\nbefore the chapter\n\nMoney\n{RENT}\n\n{NOTICE}"
AS_IT_IS = "not text: looks like a PDF document"


@pytest.fixture(autouse=True)
def say(home: Path) -> None:
    prompt(home)
    prompt(home, "description: Say it.\nlong: map\n", "put")
    prompt(home, "description: Say it.\nsystem: Sum it up.\nlong: reduce\n", "sum")


def test_a_file_is_read_as_text_and_so_is_standard_input(
    gptkit: InMemory, server: FakeServer, tmp_path: Path
) -> None:
    (tmp_path / "lease.pdf").write_bytes(make_pdf())
    for args, stdin in ((["-f", str(tmp_path / "lease.pdf")], None), ([], make_pdf())):
        server.say("Hi")
        assert gptkit("say", *args, stdin=stdin) == (0, "Hi\n", "")
        assert server.requests[-1].json == body(PDF_TEXT)


@pytest.mark.parametrize(
    "name", ["lease.docx", "lease.pptx", "lease.xlsx", "lease.xls", "lease.ods", "lease.rtf"]
)
def test_words_of_each_kind_arrive(gptkit: InMemory, server: FakeServer, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(KINDS[name][0]())
    server.say("Hi")
    assert gptkit("say", "-f", str(tmp_path / name)).code == 0
    text = server.requests[-1].json["messages"][-1]["content"]
    assert (RENT in text, NOTICE in text) == (True, True)


def test_what_is_text_stays_as_it_is(gptkit: InMemory, server: FakeServer, tmp_path: Path) -> None:
    for name, text in (
        ("a.csv", CSV),
        ("a.html", "<p>a&amp;b</p>\n"),
        ("a.ipynb", '{"cells": []}'),
        ("a.py", 'b"%PDF-"'),
    ):
        (tmp_path / name).write_text(text, "utf-8")
        server.say("Hi")
        assert gptkit("say", "-f", str(tmp_path / name)).code == 0
        assert server.requests[-1].json == body(text)


def test_a_document_stands_beside_a_text(gptkit: InMemory, server: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "lease.pdf").write_bytes(make_pdf())
    (tmp_path / "note").write_text("a note", "utf-8")
    server.say("Hi")
    assert gptkit("say", "-f", str(tmp_path / "note"), "-f", str(tmp_path / "lease.pdf")).code == 0
    assert server.requests[-1].json == body(f"a note\n{PDF_TEXT}")


def test_the_answer_cannot_take_the_place_of_a_document(gptkit: InMemory, tmp_path: Path) -> None:
    file = tmp_path / "lease.pdf"
    file.write_bytes(make_pdf())
    expected = (65, "", failure(f"'{file}': {AS_IT_IS}", "extract its text first"))
    assert gptkit("put", "-f", str(file)) == expected


def test_a_long_document_is_merged_like_a_long_text(
    gptkit: InMemory, server: FakeServer, tmp_path: Path
) -> None:
    from docx import Document

    document, file = Document(), BytesIO()
    for number in range(3000):
        document.add_paragraph(f"Sentence {number} tells us something that no other sentence does.")
    document.save(file)
    (tmp_path / "long.docx").write_bytes(file.getvalue())
    result = gptkit("sum", "-f", str(tmp_path / "long.docx"), "--dry-run")
    assert result.code == 0
    assert json.loads(result.stdout)["pieces"] > 3
    (tmp_path / "short.docx").write_bytes(make_docx())
    server.say("Hi")
    assert gptkit("sum", "-f", str(tmp_path / "short.docx")) == (0, "Hi\n", "")
    assert RENT in server.requests[-1].json["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        (make_pdf(password="x"), "it is encrypted", "save a copy without a password"),
        (make_pdf(scanned=True), "its pages are scanned and hold no text", "recognise its text first (OCR)"),
        (make_docx()[:5000], "it is damaged, or not of the kind that its name says", ""),
    ],
)
def test_what_cannot_be_read_is_not_sent(
    gptkit: InMemory, server: FakeServer, tmp_path: Path, data: bytes, message: str, hint: str
) -> None:
    (tmp_path / "a\x1b[2J.pdf").write_bytes(data)
    result = gptkit("say", "-f", str(tmp_path / "a\x1b[2J.pdf"))
    assert result == (65, "", failure(f"'{tmp_path}/a␛[2J.pdf': {message}", hint))
