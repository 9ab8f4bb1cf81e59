"""Folders: which files are taken, where their results go, what is left alone, and what goes wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from delimiters import delimited
from fake.program import AsProcess, InMemory
from fake.received import Received
from fake.replies import Reply, failed, held, said
from fake.server import FakeServer
from fake.waiting import SOON, wait_true
from long_trees import texts, tree

from gptkit.core.errors import NoInputError, UsageError
from gptkit.jobs.folder_plan import plan_folders
from gptkit.jobs.output import FileOutput

on_posix = pytest.mark.skipif(os.name != "posix", reason="links and permissions")


def planned(root: str = "docs", output: str = "out") -> list[str]:
    found = plan_folders([Path(root)], Path(output))
    return [one.path.relative_to(root).as_posix() for one in found.tasks]


def text_of(request: Received) -> str:
    return str(request.json["messages"][1]["content"])


def shout(request: Received) -> str:
    return text_of(request).upper()


@pytest.fixture
def same(home: Path) -> str:
    """A prompt whose user message is the piece and nothing else."""
    folder = home / "config" / "prompts"
    folder.mkdir(parents=True)
    (folder / "same.yaml").write_text(
        "description: Works on it.\nsystem: Work.\nlong: {mode: map, piece: 60}\n"
    )
    return "same"


@pytest.fixture
def digest(home: Path, same: str) -> str:
    (home / "config" / "prompts" / "digest.yaml").write_text(
        "description: Shortens.\nsystem: Shorten.\nlong: {mode: reduce, piece: 60}\n"
    )
    return "digest"


IGNORES: list[tuple[dict[str, str], list[str]]] = [
    ({}, ["a.md", "build/b.md", "keep.md", "sub/a.md", "sub/build/c.md", "sub/deep/d.md"]),
    ({".gitignore": "*.md\n!keep.md\n"}, ["keep.md"]),
    ({".gitignore": "build/\n"}, ["a.md", "keep.md", "sub/a.md", "sub/deep/d.md"]),
    ({".gitignore": "/build\n"}, ["a.md", "keep.md", "sub/a.md", "sub/build/c.md", "sub/deep/d.md"]),
    ({".gitignore": "/a.md\n"}, ["build/b.md", "keep.md", "sub/a.md", "sub/build/c.md", "sub/deep/d.md"]),
    (
        {".gitignore": "sub/**/d.md\n# a.md\n\n"},
        ["a.md", "build/b.md", "keep.md", "sub/a.md", "sub/build/c.md"],
    ),
    (
        {".gitignore": "a.md\n", "sub/.gitignore": "!a.md\n"},
        ["build/b.md", "keep.md", "sub/a.md", "sub/build/c.md", "sub/deep/d.md"],
    ),
    ({".gitignore": "sub/\n", "sub/.gitignore": "!a.md\n"}, ["a.md", "build/b.md", "keep.md"]),
    ({"sub/.gitignore": "/deep\na.*\n"}, ["a.md", "build/b.md", "keep.md", "sub/build/c.md"]),
]


@pytest.mark.parametrize(("rules", "names"), IGNORES)
@pytest.mark.parametrize("judge", ["gptkit", "git"])
def test_what_git_ignores_is_not_worked_on(
    folder: Path, rules: dict[str, str], names: list[str], judge: str
) -> None:
    """Git itself says the same of each case."""
    every = ("a.md", "keep.md", "build/b.md", "sub/a.md", "sub/build/c.md", "sub/deep/d.md")
    tree(folder / "docs", dict.fromkeys(every, "x\n") | rules)
    if judge == "gptkit":
        assert planned() == names
        return
    git = shutil.which("git")
    if git is None:
        pytest.skip("no git")
    subprocess.run([git, "init", "-q", "docs"], check=True)
    arguments = [git, "-C", "docs", "ls-files", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    assert sorted(listed.split()) == names


def test_the_rules_of_the_repository_above_hold_too(folder: Path) -> None:
    tree(folder, {"repo/.gitignore": "docs/drafts/\n", "repo/.git/HEAD": "x", ".gitignore": "*.md\n"})
    tree(folder / "repo/docs", {"a.md": "x", "drafts/b.md": "x", "sub/.git/c.md": "x"})
    assert planned("repo/docs") == ["a.md"]


def test_only_texts_in_known_formats_are_taken(folder: Path) -> None:
    tree(
        folder / "docs",
        {
            "a.md": "x",
            "b.PO": "x",
            "c.txt": "x",
            "logo.png": b"\x89PNG\0",
            "main.py": "# x\n```\n",
            "NOTES": "# Title\n\n- a [link](x)\n\n```\ncode\n```\n",
            "LICENSE": "You may do this.",
            "tool": b"\x7fELF\0\0",
        },
    )
    found = plan_folders([Path("docs")], Path("out"))
    assert [one.path.name for one in found.tasks] == ["NOTES", "a.md", "b.PO", "c.txt"]
    assert [(one.path.name, one.why) for one in found.skipped] == [
        ("LICENSE", "not in a known format"),
        ("logo.png", "binary"),
        ("main.py", "not in a known format"),
        ("tool", "binary"),
    ]
    every = plan_folders([Path("docs")], Path("out"), any_format=True)
    assert [one.path.name for one in every.skipped] == ["logo.png", "tool"]
    assert [one.path.name for one in plan_folders([Path("docs/main.py")], Path("out")).tasks] == ["main.py"]


@on_posix
def test_links_lead_nowhere_else(folder: Path) -> None:
    tree(folder, {"docs/a.md": "x", "docs/sub/b.md": "x", "secret.md": "x", "far/c.md": "x"})
    (folder / "docs/out.md").symlink_to(folder / "secret.md")
    (folder / "docs/far").symlink_to(folder / "far")
    (folder / "docs/sub/round").symlink_to(folder / "docs")
    (folder / "docs/in.md").symlink_to("sub/b.md")
    (folder / "docs/broken.md").symlink_to("nothing.md")
    found = plan_folders([Path("docs")], Path("results"))
    assert [one.path.as_posix() for one in found.tasks] == ["docs/a.md", "docs/in.md", "docs/sub/b.md"]
    assert {one.path.name: one.why for one in found.skipped} == {
        "broken.md": "not a file",
        "far": "a link out of the folder",
        "out.md": "a link out of the folder",
        "round": "a link to a folder",
    }


def test_the_output_inside_the_input_is_not_walked(folder: Path) -> None:
    tree(folder / "docs", {"a.md": "x", "fr/a.md": "x"})
    assert planned(output="docs/fr") == ["a.md"]
    found = plan_folders([Path("docs")], Path("docs/fr"))
    assert [one.target for one in found.tasks] == [Path("docs/fr/a.md")]


def test_several_inputs_keep_their_names(folder: Path) -> None:
    tree(folder, {"docs/a.md": "x", "guide/a.md": "x", "read.md": "x"})
    found = plan_folders([Path("docs"), Path("guide"), Path("read.md")], Path("out"))
    assert [one.target.as_posix() for one in found.tasks] == [
        "out/docs/a.md",
        "out/guide/a.md",
        "out/read.md",
    ]


@pytest.mark.parametrize(
    ("inputs", "output", "message"),
    [
        (["docs"], "docs", "'docs/a.md': the output would overwrite the input"),
        (["docs/a.md"], "docs", "'docs/a.md': the output would overwrite the input"),
        (
            ["docs/a.md", "docs/sub/a.md"],
            "out",
            "'docs/a.md' and 'docs/sub/a.md' would both be written to 'out/a.md'",
        ),
        (["docs/sub", "docs/a.md"], "docs/a.md", "'docs/a.md': it is not a folder"),
    ],
)
def test_no_result_takes_the_place_of_an_input(
    folder: Path, inputs: list[str], output: str, message: str
) -> None:
    tree(folder / "docs", {"a.md": "x", "sub/a.md": "x"})
    with pytest.raises(UsageError) as caught:
        plan_folders([Path(path) for path in inputs], Path(output))
    assert caught.value.message == message


@on_posix
def test_an_input_is_known_under_another_name(folder: Path) -> None:
    tree(folder, {"docs/a.md": "x", "out/b.md": "x"})
    os.link("docs/a.md", "out/a.md")
    with pytest.raises(UsageError, match="would overwrite"):
        plan_folders([Path("docs")], Path("out"))


def test_nothing_to_work_on_is_no_input(folder: Path) -> None:
    tree(folder, {"docs/a.png": b"\0"})
    for path in ("docs", "nowhere"):
        with pytest.raises(NoInputError):
            plan_folders([Path(path)], Path("out"))


FILES: dict[str, str | bytes] = {
    "index.md": "# title\n\nsome text\n",
    "guide/one.md": "first page\n\nsecond paragraph\n",
    "guide/deep/two.txt": "last words\r\n",
    "empty.md": "",
    "logo.png": b"\0",
}
SHOUTED = {
    "empty.md": "",
    "guide/deep/two.txt": "LAST WORDS\n",
    "guide/one.md": "FIRST PAGE\n\nSECOND PARAGRAPH\n",
    "index.md": "# TITLE\n\nSOME TEXT\n",
}
SKIPPED = "gptkit: 1 file skipped: 'docs/logo.png': binary\n"


def test_the_tree_is_mirrored(gptkit: InMemory, server: FakeServer, same: str, folder: Path) -> None:
    tree(folder / "docs", FILES)
    server.answer(shout)
    assert gptkit(same, "-f", "docs", "--output-dir", "docs.fr") == (0, "", SKIPPED)
    assert texts(folder / "docs.fr") == SHOUTED
    assert (folder / "docs.fr/guide/deep/two.txt").read_bytes() == b"LAST WORDS\r\n"


def test_what_is_unchanged_is_not_written_again(
    gptkit: InMemory, server: FakeServer, same: str, folder: Path
) -> None:
    tree(folder / "docs", FILES)
    server.answer(shout)
    gptkit(same, "-q", "-f", "docs", "--output-dir", "out")
    sent = len(server.requests)
    for path in (folder / "out").rglob("*.*"):
        os.utime(path, (1000, 1000))
    (folder / "docs/index.md").write_text("# title\n\nother text\n")
    assert gptkit(same, "-q", "-f", "docs", "--output-dir", "out", "--report", "r.json") == (0, "", "")
    assert len(server.requests) == sent + 1
    changed = [path.name for path in (folder / "out").rglob("*.*") if path.stat().st_mtime != 1000]
    assert changed == ["index.md"]
    files = json.loads((folder / "r.json").read_text())["files"]
    assert {one["file"]: one["state"] for one in files} == {
        "docs/empty.md": "unchanged",
        "docs/guide/deep/two.txt": "unchanged",
        "docs/guide/one.md": "unchanged",
        "docs/index.md": "written",
        "docs/logo.png": "skipped",
    }
    assert (folder / "out/index.md").read_text() == "# TITLE\n\nOTHER TEXT\n"


def test_what_is_doubtful_of_all_files_is_one_line(
    gptkit: InMemory, server: FakeServer, same: str, folder: Path
) -> None:
    tree(folder / "docs", {"a.md": "good\n", "b.md": "at 3 pm\n", "c.md": "15 and 5\n"})
    server.answer(lambda request: text_of(request).replace("3", "15").replace("and 5", "und fünf"))
    code, output, errors = gptkit(same, "-f", "docs", "--output-dir", "out", "--report", "r.json")
    assert (code, output) == (0, "")
    told = "'docs/b.md': line 1: number '3' missing (and 2 more; --report FILE lists all)"
    assert errors == f"gptkit: doubtful: {told}\n"
    files = json.loads((folder / "r.json").read_text())["files"]
    assert [len(one["doubtful"]) for one in files] == [0, 2, 1]


def test_files_that_could_not_be_done_are_named_and_the_rest_goes_on(
    gptkit: InMemory, server: FakeServer, same: str, folder: Path
) -> None:
    tree(
        folder / "docs",
        {"a.md": "good\n", "b.md": "bad\n", "c.json": "{", "d.md": "fine\n", "e.txt": b"\xff\xfe\xff"},
    )
    server.answer(lambda request: said(refusal="no") if "bad" in text_of(request) else shout(request))
    code, output, errors = gptkit(same, "-f", "docs", "--output-dir", "out", "--report", "r.json")
    assert (code, output) == (80, "")
    first, hint = errors.splitlines()
    assert first.startswith(
        "gptkit: 3 of 5 files failed: 'docs/b.md': 1 of 1 pieces left unchanged: line 1: "
    )
    assert first.endswith(" (and 2 more)")
    assert hint == "hint: --report FILE lists all; run the same command to try these again"
    assert texts(folder / "out") == {"a.md": "GOOD\n", "b.md.partial": "bad\n", "d.md": "FINE\n"}
    files = json.loads((folder / "r.json").read_text())["files"]
    assert [one["state"] for one in files] == ["written", "not done", "not done", "written", "not done"]
    assert all(one["why"] for one in files if one["state"] == "not done")
    server.answer(shout)
    tree(folder / "docs", {"c.json": '{"a": "b"}\n', "e.txt": "text"})
    assert gptkit(same, "-f", "docs", "--output-dir", "out") == (0, "", "")
    assert texts(folder / "out")["b.md"] == "BAD\n"
    assert not list((folder / "out").glob("*.partial"))


@on_posix
def test_a_result_that_cannot_be_written_is_named(
    gptkit: InMemory, server: FakeServer, same: str, folder: Path
) -> None:
    tree(folder, {"docs/a.md": "good\n", "docs/sub/b.md": "fine\n", "out/sub": "in the way"})
    server.answer(shout)
    code, _, errors = gptkit(same, "-f", "docs", "--output-dir", "out")
    assert code == 80
    assert "1 of 2 files failed: 'docs/sub/b.md': cannot write 'out/sub/b.md': " in errors
    assert (folder / "out/a.md").read_text() == "GOOD\n"


@on_posix
def test_a_result_that_another_run_is_writing_is_left_to_it(
    gptkit: InMemory, server: FakeServer, same: str, folder: Path
) -> None:
    tree(folder, {"docs/a.md": "good\n", "docs/b.md": "fine\n", "out/a.md": "older\n"})
    server.answer(shout)
    other = FileOutput(Path("out/a.md"))
    code, _, errors = gptkit(same, "-f", "docs", "--output-dir", "out")
    other.abandon(None)
    assert code == 75
    assert "1 of 2 files failed: 'docs/a.md': 'out/a.md' is being written by another gptkit" in errors
    assert texts(folder / "out") == {"a.md": "older\n", "b.md": "FINE\n"}


@pytest.mark.parametrize(
    ("reply", "args", "code"),
    [
        (failed(401), [], 77),
        (failed(429, code="insufficient_quota"), [], 69),
        (None, ["--max-requests", "2"], 82),
    ],
)
def test_what_ends_the_job_ends_it_for_all_files(
    gptkit: InMemory,
    server: FakeServer,
    same: str,
    folder: Path,
    reply: Reply | None,
    args: list[str],
    code: int,
) -> None:
    tree(folder / "docs", {f"{number}.md": f"text {number}\n" for number in range(9)})
    server.answer(lambda request: reply or shout(request))
    found = gptkit(same, "-f", "docs", "--output-dir", "out", "--jobs", "1", *args)
    assert found.code == code
    assert len(server.requests) == (2 if reply is None else 1)
    if reply is None:
        assert texts(folder / "out") == {"0.md": "TEXT 0\n", "1.md": "TEXT 1\n"}
        assert "run the same command to go on where this one stopped" in found.stderr


def test_pieces_of_several_files_are_worked_on_at_once(
    gptkit: InMemory, server: FakeServer, same: str, folder: Path
) -> None:
    """The first file is answered only once the others are asked for."""
    tree(folder / "docs", {f"{number}.md": f"text {number}\n" for number in range(4)})

    def last_first(request: Received) -> str:
        if text_of(request) == "text 0":
            server.wait_requests(4)
        return shout(request)

    server.answer(last_first)
    assert gptkit(same, "-f", "docs", "--output-dir", "out", "--jobs", "4").code == 0
    assert texts(folder / "out") == {f"{number}.md": f"TEXT {number}\n" for number in range(4)}


@on_posix
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_the_same_command_goes_on_after_a_signal(
    run: AsProcess, server: FakeServer, same: str, folder: Path, number: signal.Signals, code: int
) -> None:
    files = {f"{name}.md": f"text {name}\n\nmore\n" for name in range(30)}
    tree(folder / "docs", files)
    sent = threading.Event()

    def answer(request: Received) -> str | Reply:
        return held(said(shout(request)), sent) if request.number > 10 else shout(request)

    server.answer(answer)
    process = run.start(same, "-f", "docs", "--output-dir", "out", "--jobs", "2")
    server.wait_requests(12)
    wait_true(lambda: any((folder / "out").glob("*.md")), "no file is written")
    process.send_signal(number)
    assert process.wait(SOON) == code
    sent.set()
    there = texts(folder / "out")
    assert 0 < len(there) < 30
    whole = {name: text.upper() for name, text in files.items()}
    assert all(whole[name] == text for name, text in there.items() if not name.endswith(".partial"))
    assert run(same, "-f", "docs", "--output-dir", "out") == (0, "", "")
    assert texts(folder / "out") == whole
    asked = [text_of(request) for request in server.requests]
    assert len(asked) - len(set(asked)) <= 2, "those that were under way"


@on_posix
def test_a_kill_costs_at_most_as_many_answers_as_there_are_jobs(
    run: AsProcess, server: FakeServer, same: str, folder: Path, home: Path
) -> None:
    """While answers cannot be kept, no other piece is paid for."""
    tree(folder / "docs", {f"{name}.md": f"text {name}\n" for name in range(60)})
    path = home / "data" / "memory.db"
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as other:
        locked = threading.Lock()

        def lock(request: Received) -> str:
            with locked:
                if not other.in_transaction and len(server.requests) >= 20:
                    other.execute("ATTACH ? AS memory", (str(path),))
                    other.execute("BEGIN IMMEDIATE")
            return shout(request)

        server.answer(lock)
        process = run.start(same, "-f", "docs", "--output-dir", "out", "--jobs", "4")
        server.wait_requests(20)
        while not other.in_transaction:
            time.sleep(0.001)
        known = len(other.execute("SELECT key FROM memory.entries").fetchall())
        server.wait_requests(known + 4)
        time.sleep(0.3)
        process.kill()
        process.communicate()
        assert len(server.requests) == known + 4
    server.answer(shout)
    assert run(same, "-f", "docs", "--output-dir", "out") == (0, "", "")
    assert len(server.requests) == 60 + 4


def test_words_say_what_is_wanted_and_options_hold(
    gptkit: InMemory, server: FakeServer, folder: Path
) -> None:
    tree(folder / "docs", {"a.md": "hello\n"})
    server.say("bonjour")
    assert gptkit("translate", "--to", "French", "be kind", "-f", "docs", "--output-dir", "out").code == 0
    system, user = server.request.json["messages"]
    assert "into French" in system["content"]
    assert user["content"] == f"be kind\n\n{delimited('text', 'hello')}\n"
    assert texts(folder / "out") == {"a.md": "bonjour\n"}


def test_the_forecast_counts_all_files(gptkit: InMemory, server: FakeServer, same: str, folder: Path) -> None:
    tree(folder / "docs", FILES)
    found = json.loads(gptkit(same, "-f", "docs", "--output-dir", "out", "--dry-run").stdout)
    assert (found["files"], found["skipped"], found["requests"]) == (4, 1, 3)
    assert found["format"] == ["markdown", "text"]
    assert not (folder / "out").exists()
    assert server.requests == []


def test_the_account_as_json(gptkit: InMemory, server: FakeServer, same: str, folder: Path) -> None:
    tree(folder / "docs", {"a.md": "good\n"})
    server.answer(shout)
    code, output, _ = gptkit(same, "-f", "docs", "--output-dir", "out", "--json")
    (one,) = json.loads(output)["files"]
    assert (code, one["file"], one["output"], one["state"]) == (0, "docs/a.md", "out/a.md", "written")


@pytest.mark.parametrize("args", [["-o", "x"], ["--stdin"], []])
def test_what_does_not_go_with_an_output_folder(
    gptkit: InMemory, same: str, folder: Path, args: list[str]
) -> None:
    tree(folder / "docs", {"a.md": "x"})
    files = ["-f", "docs"] if args else []
    assert gptkit(same, *files, "--output-dir", "out", *args).code == 2


def test_each_file_gets_its_own_result(
    gptkit: InMemory, server: FakeServer, digest: str, folder: Path
) -> None:
    long = "".join(f"paragraph {number} of a text that goes on and on\n\n" for number in range(30))
    tree(folder / "docs", {"a.md": long, "sub/b.md": "short\n", "bad.md": "bad\n"})

    def answer(request: Received) -> str | Reply:
        text = text_of(request)
        return said(refusal="no") if "bad" in text else f"{len(text)} characters"

    server.answer(answer)
    code, output, errors = gptkit(digest, "-f", "docs", "--output-dir", "out", "--report", "r.json")
    assert (code, output) == (80, "")
    assert errors.startswith("gptkit: 1 of 3 files failed: 'docs/bad.md': ")
    found = texts(folder / "out")
    assert sorted(found) == ["a.md", "sub/b.md"]
    assert found["sub/b.md"] == "6 characters\n"
    sent = len(server.requests)
    before = (folder / "out/a.md").stat().st_mtime_ns
    gptkit(digest, "-f", "docs", "--output-dir", "out")
    assert len(server.requests) - sent == sum("bad" in text_of(one) for one in server.requests[sent:])
    assert (folder / "out/a.md").stat().st_mtime_ns == before
