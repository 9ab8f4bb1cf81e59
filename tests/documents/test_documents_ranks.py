"""The right paragraph of an excerpt of Chinese questions comes first; what is no document is named."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

Gptkit = Callable[..., tuple[int, str, str]]
EXCERPT = Path(__file__).parents[1] / "data" / "cmrc2018" / "cmrc2018_dev.json"
EVERY = 5
"""Of so many questions one is asked."""


def test_chinese_questions_find_their_paragraph(gptkit: Gptkit, folder: Path) -> None:
    asked: list[tuple[str, str]] = []
    for article in json.loads(EXCERPT.read_text("utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            (folder / f"{paragraph['id']}.txt").write_text(paragraph["context"], "utf-8")
            asked += [(one["question"], paragraph["id"]) for one in paragraph["qas"]]
    ranks = []
    for question, right in asked[::EVERY]:
        code, output, errors = gptkit("qa", question, ".", "--retrieve-only", "--json")
        assert (code, errors) == (0, "")
        files = list(dict.fromkeys(Path(one["file"]).stem for one in json.loads(output)))
        ranks.append(files.index(right) if right in files else len(files))
    assert len(ranks) > 80
    assert sum(rank == 0 for rank in ranks) >= 0.96 * len(ranks)
    assert sum(rank < 5 for rank in ranks) >= 0.99 * len(ranks)


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
def test_a_hostile_folder(gptkit: Gptkit, folder: Path) -> None:
    """What is no document is passed over by name; what is named ends with 65."""
    docs = folder / "docs"
    docs.mkdir()
    (docs / "good.txt").write_text("The rent is 5 euros.")
    os.mkfifo(docs / "pipe.txt")
    (folder / "secret.txt").write_text("rent secret")
    (docs / "out.txt").symlink_to(folder / "secret.txt")
    (docs / "loop").symlink_to(docs)
    (docs / "mail.txt").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)
    (docs / "bad\x1b]0;x\x07\n.txt").write_text("rent of escapes")
    (docs / "empty.txt").write_text("")
    (docs / "cut.pdf").write_bytes(b"%PDF-1.7\n1 0 obj\n<<")
    (docs / "cut.docx").write_bytes(b"PK\x03\x04word/document.xml")
    code, output, errors = gptkit("qa", "rent", "docs", "--retrieve-only", "--json")
    assert (code, {Path(one["file"]).name for one in json.loads(output)}) == (
        0,
        {"good.txt", "bad\x1b]0;x\x07\n.txt"},
    )
    assert errors.startswith("gptkit: skipped ")
    for name in ("pipe.txt", "mail.txt", "cut.pdf", "cut.docx"):
        code, output, errors = gptkit("qa", "rent", f"docs/{name}", "--retrieve-only")
        assert (code, output) == (65, ""), name
        assert errors.startswith(f"gptkit: 'docs/{name}': "), name
