"""Which documents a question is asked of: paths, folders, patterns, standard input; and what is not there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from document_files import make_pdf

PAGE = 4096
"""Bytes of a page of SQLite."""
Gptkit = Callable[..., tuple[int, str, str]]


def found(gptkit: Gptkit, *words: str, **options: object) -> list[str]:
    code, output, errors = gptkit("qa", *words, "--retrieve-only", "--json", **options)
    assert code in (0, 85), errors
    return [one["place"] for one in json.loads(output)]


@pytest.fixture
def tree(folder: Path) -> Path:
    (folder / "docs" / "deep").mkdir(parents=True)
    (folder / "docs" / "a.md").write_text("# Alpha\n\nThe rent is 100.\n")
    (folder / "docs" / "deep" / "b.txt").write_text("rent of 200\n\n租金三百元\n")
    (folder / "docs" / ".hidden.md").write_text("rent hidden")
    (folder / "docs" / "id_rsa").write_text("rent secret")
    (folder / "docs" / "c.log").write_text("rent log")
    (folder / "docs" / ".gitignore").write_text("*.log\n")
    return folder


def test_files_folders_and_patterns(gptkit: Gptkit, tree: Path) -> None:
    both = {"docs/a.md:1-3", "docs/deep/b.txt:1-3"}
    assert set(found(gptkit, "rent", "docs")) == both
    assert set(found(gptkit, "rent", "docs/**/*.md", "docs/deep/b.txt")) == both
    assert found(gptkit, "rent", "-f", "docs/a.md") == ["docs/a.md:1-3"]
    assert found(gptkit, "租金多少", "docs") == ["docs/deep/b.txt:1-3"]
    assert found(gptkit, "rent", "docs", "--include", "*.txt") == ["docs/deep/b.txt:1-3"]
    assert found(gptkit, "rent", "docs", "--exclude", "deep/*") == ["docs/a.md:1-3"]
    assert found(gptkit, "rent", "docs/id_rsa") == ["docs/id_rsa:1"], "named by the user"


def test_standard_input_is_the_document_without_paths(gptkit: Gptkit, tree: Path) -> None:
    assert found(gptkit, "租金", stdin="第一条\n\n租金三百元") == ["standard input:1-3"]
    both = {"standard input:1", "docs/a.md:1-3"}
    assert set(found(gptkit, "rent", "-", "docs/a.md", stdin="my rent")) == both
    assert found(gptkit, "rent", "docs/a.md", stdin="my rent") == ["docs/a.md:1-3"]


def test_what_is_not_there(gptkit: Gptkit, tree: Path) -> None:
    assert gptkit("qa", "how", "high", "--retrieve-only") == (
        66,
        "",
        "gptkit: 'high': no such file\nhint: a question of several words stands in quotation marks\n",
    )
    assert gptkit("qa", "how high?") == (
        66,
        "",
        "gptkit: no documents\nhint: name files and folders after the question, or pipe a document in\n",
    )
    (tree / "empty").mkdir()
    assert gptkit("qa", "rent?", "empty", "--retrieve-only")[0] == 66


def test_a_named_file_that_cannot_be_read_and_one_of_a_folder(gptkit: Gptkit, tree: Path) -> None:
    (tree / "docs" / "x.bin").write_bytes(b"\0\1\2" * 100)
    code, output, errors = gptkit("qa", "rent", "docs/x.bin", "--retrieve-only")
    assert (code, output) == (65, "")
    assert errors.startswith("gptkit: 'docs/x.bin': ")
    code, output, errors = gptkit("qa", "rent", "docs", "--retrieve-only")
    assert code == 0
    assert errors.startswith("gptkit: skipped 'docs/x.bin': ")


def test_an_encrypted_pdf_is_opened_by_a_line_of_the_password_file(
    gptkit: Gptkit, tree: Path, home: Path
) -> None:
    (tree / "docs" / "locked.pdf").write_bytes(make_pdf(password="秘密word"))
    refused = "gptkit: 'docs/locked.pdf': it is encrypted\nhint: "
    ask = ("qa", "rent", "docs/locked.pdf", "--retrieve-only")
    code, _, errors = gptkit(*ask)
    assert (code, errors) == (
        65,
        f"{refused}a question with --password-file FILE opens it, if its password is a line of FILE\n",
    )
    assert gptkit("index", "refresh", "docs/locked.pdf") == (65, "", errors)
    (tree / "docs" / "words.txt").write_text("rent\n")
    code, _, errors = gptkit(*ask, "--password-file", "docs/words.txt")
    assert (code, errors) == (65, f"{refused}no line of the password file opens it\n")
    (tree / "docs" / "words.txt").write_text("rent\n秘密word\n", "utf-8")
    assert gptkit(*ask, "--password-file", "docs/words.txt")[0] == 0
    places = found(gptkit, "rent", "docs", "--password-file", "docs/words.txt")
    assert (any("locked" in place for place in places), len(places)) == (True, 3), (
        "a file of passwords is no document"
    )
    assert "秘密word".encode() not in b"".join(one.read_bytes() for one in home.rglob("*") if one.is_file())
    assert gptkit("index", "refresh", "docs/locked.pdf")[0] == 0
    piped = ("qa", "rent", "-", "--password-file", "docs/words.txt", "--retrieve-only")
    assert gptkit(*piped, stdin=(tree / "docs" / "locked.pdf").read_bytes())[0] == 0


def test_a_deleted_or_edited_file_is_never_answered_from(gptkit: Gptkit, tree: Path) -> None:
    """Though size and time stamp stay as they were."""
    assert len(found(gptkit, "rent", "docs")) == 2
    file = tree / "docs" / "a.md"
    status = file.stat()
    file.write_text("# Alpha\n\nThe cost is 100.\n")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file.stat().st_size == status.st_size
    assert found(gptkit, "rent", "docs") == ["docs/deep/b.txt:1-3"]
    (tree / "docs" / "deep" / "b.txt").unlink()
    assert found(gptkit, "rent", "docs") == []
    assert found(gptkit, "cost", "docs") == ["docs/a.md:1-3"]


def test_other_folders_in_the_index_change_no_score(gptkit: Gptkit, tree: Path) -> None:
    before = gptkit("qa", "rent of 200", "docs", "--retrieve-only", "--json")
    (tree / "other").mkdir()
    for number in range(30):
        (tree / "other" / f"{number}.txt").write_text(f"rent of things {number}")
    assert len(found(gptkit, "rent", "other")) == 12
    assert gptkit("qa", "rent of 200", "docs", "--retrieve-only", "--json") == before


def test_the_index_command(gptkit: Gptkit, tree: Path) -> None:
    assert gptkit("index", "refresh", "docs") == (0, "2 files up to date\n", "")
    code, output, _ = gptkit("index", "status", "--json")
    assert (code, json.loads(output)["files"]) == (0, 2)
    assert gptkit("index", "forget", "docs/deep") == (0, "removed 1 file\n", "")
    assert gptkit("index", "forget", "docs/deep")[0] == 66
    assert gptkit("index", "clear", "--yes") == (0, "removed 1 file\n", "")
    assert b"rent" not in b"".join(
        file.read_bytes() for file in (tree.parent / "home" / "cache").glob("documents.db*")
    )


def test_no_index_keeps_nothing(gptkit: Gptkit, tree: Path, home: Path) -> None:
    assert len(found(gptkit, "rent", "docs", "--no-index")) == 2
    assert len(found(gptkit, "rent", "docs", "--no-log")) == 2
    assert not list(home.rglob("documents.db"))


def test_a_damaged_page_of_the_index_costs_no_answer(gptkit: Gptkit, tree: Path, home: Path) -> None:
    """Whichever page it is: the index is made anew, and cleared with what was moved aside."""
    for number in range(30):
        (tree / "docs" / f"{number}.md").write_text(f"# Rent {number}\n\n{f'rent of flat {number}. ' * 60}\n")
    right = found(gptkit, "rent of flat 7", "docs")
    file = home / "cache" / "documents.db"
    sound, told = file.read_bytes(), 0
    assert len(sound) > 10 * PAGE
    for begin in range(PAGE, len(sound), PAGE):
        file.write_bytes(sound[:begin] + b"\xff" * PAGE + sound[begin + PAGE :])
        code, output, errors = gptkit("qa", "rent of flat 7", "docs", "--retrieve-only", "--json")
        assert (code, [one["place"] for one in json.loads(output)]) == (0, right)
        assert errors == "" or (errors.endswith("the index is made anew\n") and errors.count("\n") == 1)
        told += bool(errors)
    assert told > 5
    assert gptkit("index", "clear", "--yes")[0] == 0
    assert list(file.parent.glob("*damaged*")) == []


@pytest.mark.parametrize("damage", ["garbage", "empty", "foreign", "newer"])
def test_an_index_that_is_of_no_use_is_made_anew(gptkit: Gptkit, tree: Path, home: Path, damage: str) -> None:
    import sqlite3
    from contextlib import closing

    found(gptkit, "rent", "docs")
    file = home / "cache" / "documents.db"
    if damage == "garbage":
        file.write_bytes(b"no database" * 1000)
    elif damage == "empty":
        file.write_bytes(b"")
    else:
        with closing(sqlite3.connect(file)) as connection:
            name, value = {"foreign": ("application_id", 7), "newer": ("user_version", 99)}[damage]
            connection.execute(f"PRAGMA {name} = {value}")
            connection.commit()
    code, output, errors = gptkit("qa", "rent", "docs", "--retrieve-only")
    assert code == 0
    assert "docs/a.md:1-3" in output
    assert errors.endswith("the index is made anew\n")
    assert errors.count("\n") == 1
    assert gptkit("qa", "rent", "docs", "--retrieve-only")[2] == ""
