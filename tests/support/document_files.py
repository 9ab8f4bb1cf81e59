"""Documents of every kind, most of them made by programs that gptkit does not use, and places in them."""

from __future__ import annotations

import json
import mailbox
import zipfile
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path
from typing import Any

RENT = "The rent is 1,250.50 euros a month."
NOTICE = "三个月的书面通知期。"
SCRIPT = "<script>var rent = 'hidden';</script><style>p { color: red }</style>"
LONG_CELL = "two\nlines"
Places = Mapping[str, str]
"""Words of a document and where they stand, as a citation says it after the file's name."""


def make_pdf(password: str = "", scanned: bool = False) -> bytes:
    """Three pages: i with a title, 1 with the rent in a chapter of the outline, 2 with Chinese; or a scanned
    one."""
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfgen.canvas import Canvas

    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    file = BytesIO()
    canvas = Canvas(file, encrypt=StandardEncryption(password) if password else None)
    if scanned:
        canvas.rect(72, 72, 100, 100)
        canvas.save()
        return file.getvalue()
    canvas.addPageLabel(0, style="ROMAN_LOWER")
    canvas.addPageLabel(1, style="ARABIC", start=1)
    canvas.drawString(72, 720, "A lease")
    canvas.showPage()
    canvas.drawString(72, 720, "before the chapter")
    canvas.drawString(72, 700, "Money")
    canvas.drawString(72, 680, RENT)
    canvas.bookmarkPage("money")
    canvas.addOutlineEntry("Money", "money", 0)
    canvas.showPage()
    canvas.setFont("STSong-Light", 12)
    canvas.drawString(72, 720, NOTICE)
    canvas.showPage()
    canvas.save()
    return file.getvalue()


def make_docx() -> bytes:
    from docx import Document

    document = Document()
    document.add_heading("租约", level=1)
    document.add_paragraph("")
    document.add_paragraph(RENT)
    table = document.add_table(rows=2, cols=2)
    for row, words in zip(table.rows, (("item", "price"), ("garage", "80 euros")), strict=True):
        for cell, word in zip(row.cells, words, strict=True):
            cell.text = word
    document.add_heading("Notice", level=2)
    document.add_paragraph(NOTICE)
    return _saved(document.save)


def make_pptx() -> bytes:
    from pptx import Presentation

    show: Any = Presentation()
    for title, body in (("Money", RENT), ("通知", NOTICE)):
        slide = show.slides.add_slide(show.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = body
    table = show.slides[1].shapes.add_table(1, 2, 0, 0, 5_000_000, 500_000).table
    table.cell(0, 0).text, table.cell(0, 1).text = "garage", "80 euros"
    show.slides[0].notes_slide.notes_text_frame.text = "say it slowly"
    return _saved(show.save)


def make_xlsx() -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    sheet: Any = book.active
    sheet.title = "预算"
    sheet["B2"], sheet["C2"] = "item", "price"
    sheet["B3"], sheet["C3"] = NOTICE, 1250.5
    other = book.create_sheet("May")
    other["A7"] = RENT
    return _saved(book.save)


def make_xls() -> bytes:
    import xlwt

    book = xlwt.Workbook(encoding="utf-8")
    sheet = book.add_sheet("预算")
    for row, words in enumerate((("item", "price"), (NOTICE, 1250.5), (RENT, ""))):
        for column, word in enumerate(words):
            sheet.write(row, column, word)
    return _saved(book.save)


def make_ods() -> bytes:
    def row(*cells: str) -> str:
        inner = "".join(
            f'<table:table-cell office:value-type="string"><text:p>{c}</text:p></table:table-cell>'
            for c in cells
        )
        return f"<table:table-row>{inner}</table:table-row>"

    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text", "manifest")
    )
    rows = row("item", "price") + row(RENT, "x") + row(NOTICE, "y")
    return make_zip(
        mimetype="application/vnd.oasis.opendocument.spreadsheet",
        **{
            "META-INF/manifest.xml": f"<manifest:manifest {names}/>",
            "content.xml": f"<office:document-content {names}><office:body><office:spreadsheet>"
            f'<table:table table:name="预算">{rows}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        },
    )


def make_epub() -> bytes:
    chapter = f"<html><head><title>Lease</title></head>\n<body><h1>Money</h1>\n\n<p>{RENT}</p></body></html>"
    return make_zip(
        mimetype="application/epub+zip",
        **{
            "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
            '<rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
            "OEBPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf"><manifest>'
            '<item id="b" href="text/two.xhtml"/><item id="a" href="text/one%20.xhtml"/></manifest>'
            '<spine><itemref idref="a"/><itemref idref="b"/></spine></package>',
            "OEBPS/text/one .xhtml": chapter,
            "OEBPS/text/two.xhtml": f"<html><body>\n<p>\n{NOTICE}\n</p></body></html>",
        },
    )


def make_zip(**members: str) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text, zipfile.ZIP_STORED if name == "mimetype" else None)
    return file.getvalue()


def make_html() -> bytes:
    text = f"""<!DOCTYPE html>
<html><head><meta charset="gb2312"><title>Lease</title>{SCRIPT}</head><body>
<h1>Money</h1>
<p>{RENT}
<h2
  class="x">通知</h2>
<p>in <b>writing</b>:
<i>{NOTICE}</i>
<table><tr><td>garage</td><td>80 euros</td></tr></table>"""
    return text.encode("gb18030")


def make_rtf() -> bytes:
    chinese = "".join(f"\\'{byte:02x}" for byte in NOTICE.encode("gbk"))
    smile = r"\u-10179?\u-8704?"
    return rf"{{\rtf1\ansi\ansicpg936 first\par {RENT}\par\par {chinese} {smile}\par}}".encode()


def make_notebook() -> bytes:
    cells: list[dict[str, object]] = [
        {"cell_type": "markdown", "source": ["# Money\n", "\n", RENT]},
        {
            "cell_type": "code",
            "source": "print(notice)",
            "outputs": [{"output_type": "stream", "text": [NOTICE + "\n"]}],
        },
    ]
    return json.dumps({"cells": cells, "nbformat": 4}).encode()


def make_mail(subject: str = "Your lease") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "李雷 <li@example.com>", "a@example.com", subject
    message.set_content(f"Hello,\n\n{RENT}\n")
    message.add_alternative(f"<p>{RENT}</p>", subtype="html")
    message.add_attachment(NOTICE.encode("gb18030"), "text", "plain", filename="notice.txt")
    return message


def make_mail_file() -> bytes:
    return bytes(make_mail())


def make_mailbox() -> bytes:
    file = BytesIO()
    for subject in ("first", "租约"):
        message = mailbox.mboxMessage(make_mail(subject))
        file.write(b"From MAILER-DAEMON Thu Jan  1 00:00:00 2026\n" + bytes(message) + b"\n")
    return file.getvalue()


CSV = f'item,price,note\nrent,"1,250.50","{LONG_CELL}"\n通知,x,{NOTICE}\n'
MARKDOWN = (
    f"---\ntitle: x\n---\n\n# Money\n{RENT}\n\n```\n# no heading\n```\n\nNotice\n------\n\n- {NOTICE}\n"
)
CODE = f'"""A lease."""\n\n\nclass Lease:\n    rent = 1\n\n    def notice(self):\n        return "{NOTICE}"\n'
KINDS: Mapping[str, tuple[Callable[[], bytes], Places]] = {
    "lease.pdf": (make_pdf, {"A lease": "p.1 (i)", RENT: "p.2 (1)", NOTICE: "p.3 (2)"}),
    "lease.docx": (
        make_docx,
        {"租约": "par.1", RENT: "par.3", "garage | 80 euros": "par.6-7", NOTICE: "par.9"},
    ),
    "lease.pptx": (
        make_pptx,
        {RENT: "slide 1", "say it slowly": "slide 1", NOTICE: "slide 2", "garage | 80 euros": "slide 2"},
    ),
    "lease.xlsx": (make_xlsx, {f"{NOTICE} | 1250.5": "预算!3", RENT: "May!7"}),
    "lease.xls": (make_xls, {f"{NOTICE} | 1250.5": "预算!2", RENT: "预算!3"}),
    "lease.ods": (make_ods, {RENT: "预算!2", NOTICE: "预算!3"}),
    "lease.epub": (make_epub, {"Money": "ch.1:2", RENT: "ch.1:4", NOTICE: "ch.2:3"}),
    "lease.html": (
        make_html,
        {RENT: ":4", "通知": ":6", f"in writing:\n{NOTICE}": ":7-8", "garage | 80 euros": ":9"},
    ),
    "lease.web-page": (make_html, {RENT: "par.2", NOTICE: "par.4"}),
    "lease.rtf": (make_rtf, {RENT: "par.2", NOTICE: "par.4"}),
    "lease.ipynb": (make_notebook, {RENT: "cell 1", NOTICE: "cell 2"}),
    "lease.eml": (make_mail_file, {"李雷": "message 1:1-3", RENT: "message 1:7", NOTICE: "message 1:10"}),
    "lease.mbox": (make_mailbox, {"租约": "message 2:1-3", RENT: "message 1:7"}),
    "lease.csv": (lambda: CSV.encode("gb18030"), {"rent | 1,250.50": ":2-3", NOTICE: ":4"}),
    "lease.tsv": (lambda: f"a\tb\n{RENT}\t{NOTICE}".encode("utf-16"), {f"{RENT} | {NOTICE}": ":2"}),
    "lease.json": (
        lambda: json.dumps({"a": RENT, "b": NOTICE}, indent=1).encode(),
        {RENT: ":1-4", NOTICE: ":1-4"},
    ),
    "lease.md": (lambda: MARKDOWN.encode(), {RENT: ":6", NOTICE: ":15"}),
    "lease.py": (lambda: CODE.encode(), {"class Lease:": ":4-5", NOTICE: ":7-8"}),
    "lease.txt": (
        lambda: f"A lease.\r\n\r\n{RENT}\r\n{NOTICE}\r\n".encode("gb18030"),
        {RENT: ":3-4", NOTICE: ":3-4"},
    ),
}
"""How a document of each kind is made, and where its words stand."""


def write_documents(folder: Path) -> None:
    for name, (make, _) in KINDS.items():
        (folder / name).write_bytes(make())


def _saved(save: Callable[[BytesIO], object]) -> bytes:
    file = BytesIO()
    save(file)
    return file.getvalue()
