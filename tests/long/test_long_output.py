"""Files that are written by one process at a time, and what stands beside them."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest
from fake.program import AsProcess, InMemory
from fake.received import Received
from fake.replies import Reply, held, said
from fake.server import FakeServer
from long_reductions import book, is_last, numbers
from long_trees import texts, tree

from gptkit.jobs.output import FileInUseError, FileOutput, OutputReservation

BOOK = book(90)
BUSY = "is being written by another gptkit"


def answer(request: Received) -> str:
    return numbers(str(request.json["messages"][1]["content"]))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_two_runs_that_make_one_result(run: AsProcess, server: FakeServer, digest: str, folder: Path) -> None:
    others = threading.Event()

    def answered(request: Received) -> str | Reply:
        return held(said(answer(request)), others) if request.number == 1 else answer(request)

    server.answer(answered)
    (folder / "in.txt").write_text(BOOK)
    first = run.start(digest, "-f", "in.txt", "-o", "out.txt", "--jobs", "1")
    server.wait_requests(1)
    sent = len(server.requests)
    assert run(digest, "-f", "in.txt", "-o", "out.txt") == (75, "", f"gptkit: 'out.txt' {BUSY}\n")
    assert run(digest, "-f", "in.txt", "-o", "other.txt", "--max-requests", str(sent + 9)).code == 82
    assert names(folder) == ["in.txt", "out.txt.partial"]
    others.set()
    first.communicate()
    assert first.returncode == 0
    assert (folder / "out.txt").read_text() == numbers(BOOK) + "\n"
    assert names(folder) == ["in.txt", "out.txt"]


@pytest.mark.parametrize("trouble", ["budget", "key"])
def test_a_result_that_failed_leaves_nothing_beside_it(
    gptkit: InMemory, server: FakeServer, digest: str, folder: Path, trouble: str
) -> None:
    server.answer(answer)
    if trouble == "budget":
        assert gptkit(digest, "-o", "out.txt", "--max-requests", "3", stdin=BOOK).code == 82
    else:
        server.fail(401)
        assert gptkit(digest, "-o", "out.txt", stdin=BOOK).code == 77
    assert names(folder) == []


def test_a_whole_result_takes_the_place_of_what_there_was_of_it(
    gptkit: InMemory, server: FakeServer, digest: str, folder: Path
) -> None:
    def cut(request: Received) -> str | Reply:
        return said("m0m and", finish="length") if is_last(request) else answer(request)

    server.answer(cut)
    assert gptkit(digest, "-o", "out.txt", stdin=BOOK).code == 80
    assert texts(folder) == {"out.txt.partial": "m0m and"}
    server.answer(answer)
    assert gptkit(digest, "-o", "out.txt", "--max-requests", "1", stdin=book(60)).code == 82
    assert texts(folder) == {"out.txt.partial": "m0m and"}, "still all that there is"
    assert gptkit(digest, "-o", "out.txt", stdin=BOOK).code == 0
    assert names(folder) == ["out.txt"]


@pytest.mark.skipif(os.name != "posix", reason="devices")
def test_a_device_has_nothing_beside_it(
    gptkit: InMemory, server: FakeServer, digest: str, folder: Path
) -> None:
    server.answer(answer)
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert gptkit(digest, "-o", "pipe", stdin=BOOK).code == 0
    assert os.read(reader, 10_000).decode() == numbers(BOOK) + "\n"
    os.close(reader)
    assert names(folder) == ["pipe"]


def test_in_a_folder_the_file_is_left_to_who_has_it(
    gptkit: InMemory, server: FakeServer, digest: str, folder: Path
) -> None:
    server.answer(answer)
    tree(folder, {"docs/a.txt": "m1m\n", "docs/b.txt": "m2m\n"})
    (folder / "out").mkdir()
    with OutputReservation(Path("out/a.txt")):
        code, _, errors = gptkit(digest, "-f", "docs", "--output-dir", "out")
    assert code == 75
    assert f"1 of 2 files failed: 'docs/a.txt': 'out/a.txt' {BUSY}" in errors
    assert texts(folder / "out") == {"b.txt": "m2m\n"}


def test_a_place_is_free_again(folder: Path) -> None:
    path = folder / "a.txt"
    with OutputReservation(path), pytest.raises(FileInUseError), OutputReservation(path):
        pass
    with OutputReservation(path):
        assert names(folder) == ["a.txt.partial"]
    with pytest.raises(FileInUseError), OutputReservation(path):
        FileOutput(path)
    assert names(folder) == []


def test_who_comes_while_a_file_is_being_finished_does_not_empty_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name it opened was that of what is now the result of another."""
    first = FileOutput(folder / "a.txt")
    first.write("the first\n")
    real = os.open

    def opened(path: Path, *arguments: int) -> int:
        descriptor = real(path, *arguments)
        monkeypatch.setattr(os, "open", real)
        first.finish()
        return descriptor

    monkeypatch.setattr(os, "open", opened)
    second = FileOutput(folder / "a.txt")
    assert (folder / "a.txt").read_text() == "the first\n"
    second.write("the second\n")
    second.finish()
    assert texts(folder) == {"a.txt": "the second\n"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_a_file_keeps_its_owner_and_mode(folder: Path) -> None:
    path = folder / "a.txt"
    path.write_text("old\n")
    os.chown(path, 12345, 54321)
    path.chmod(0o640)
    file = FileOutput(path)
    file.write("new\n")
    file.finish()
    found = path.stat()
    assert (path.read_text(), found.st_uid, found.st_gid, found.st_mode & 0o777) == (
        "new\n",
        12345,
        54321,
        0o640,
    )


@pytest.mark.skipif(os.name == "nt", reason="POSIX folders")
def test_a_name_is_on_the_disk_before_the_job_is_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settled: list[tuple[bool, list[str]]] = []
    real = os.fsync

    def synced(descriptor: int) -> None:
        settled.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), names(folder)))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", synced)
    file = FileOutput(folder / "a.txt")
    file.write("new\n")
    file.finish()
    assert settled == [(False, ["a.txt.partial"]), (True, ["a.txt"])]
