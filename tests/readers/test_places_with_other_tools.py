"""Words are where their place says: each document is opened there by a tool that gptkit does not use."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from document_files import KINDS

from gptkit.encodings.decode import decode
from gptkit.readers import Block
from gptkit.readers.process import DocumentReader

PAGES = Path(__file__).parents[2]


def letters(text: str) -> str:
    """Letters and digits alone: tools differ in what they put between words."""
    return "".join(re.findall(r"\w+", text))


def printed(*command: str) -> str:
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode()


def page_by_pdftotext(file: Path, block: Block) -> str:
    page = str(block.place.start)
    return printed("pdftotext", "-enc", "UTF-8", "-f", page, "-l", page, str(file), "-")


def lines_by_sed(file: Path, block: Block) -> str:
    return printed("sed", "-n", f"{block.place.start},{block.place.end}p", str(file))


def rows_by_openpyxl(file: Path, block: Block) -> str:
    from openpyxl import load_workbook

    sheet = load_workbook(file)[str(block.place.label)]
    return "".join(str(cell.value or "") for cell in sheet[block.place.start])


def paragraphs_by_lxml(file: Path, block: Block) -> str:
    from docx import Document

    found = Document(str(file)).element.body.xpath("//w:p")[block.place.start - 1 : block.place.end]
    return "".join(paragraph.xpath("string()") for paragraph in found)


def slide_by_python_pptx(file: Path, block: Block) -> str:
    from pptx import Presentation

    slide = Presentation(str(file)).slides[block.place.start - 1]
    texts = [
        one for shape in slide.element.iter() for one in [shape.text] if shape.tag.endswith("}t") and one
    ]
    notes = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    return "".join([*texts, notes.text if notes else ""])


TOOLS: dict[str, tuple[str, Callable[[Path, Block], str]]] = {
    ".pdf": ("pdftotext", page_by_pdftotext),
    ".docx": ("", paragraphs_by_lxml),
    ".pptx": ("", slide_by_python_pptx),
    ".xlsx": ("", rows_by_openpyxl),
    ".md": ("sed", lines_by_sed),
    ".py": ("sed", lines_by_sed),
}
FILES = [
    *(PAGES / name for name in ("README.md", "README.zh.md", "CHANGELOG.md", "gptkit/core/files.py")),
    *(Path(name) for name in KINDS if Path(name).suffix in TOOLS),
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_random_words_are_there_in_another_tool(file: Path, tmp_path: Path) -> None:
    program, opened = TOOLS[file.suffix]
    if program and not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    if not file.is_absolute():
        file = tmp_path / file
        file.write_bytes(KINDS[file.name][0]())
    with DocumentReader(decode) as reader:
        blocks = list(reader.blocks(BytesIO(file.read_bytes()), file.name))
    choice = random.Random(17)
    for block in choice.sample(blocks, min(20, len(blocks))):
        there = letters(opened(file, block))
        words = block.text.split()
        at = choice.randrange(len(words))
        assert letters(" ".join(words[at : at + 5])) in there, block.place
