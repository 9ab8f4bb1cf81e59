"""`gptkit commit` and `gptkit review` in real repositories: what they read, and what they say."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from asking import failure
from fake.program import AsProcess, InMemory, OnTerminal
from fake.server import FakeServer
from git_repository import begin, change, git

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="programs do not run on Windows yet"),
    pytest.mark.skipif(shutil.which("git") is None, reason="no git"),
]
HINT = "pipe text in, or name a file with -f"
DONE = (0, "Take new\n", "")
UNSTAGED = failure("nothing is staged: 'git add' what belongs in the commit", HINT)
UNCHANGED = failure(
    "nothing to review since the last commit or the main branch ('git add' new files first)", HINT
)
OUTSIDE = failure("git: not a git repository (or any of the parent directories): .git", HINT)


@pytest.fixture
def new(folder: Path) -> Path:
    """A repository with a staged change."""
    begin(folder)
    change(folder)
    return folder


def diff(server: FakeServer) -> str:
    """What the last request holds as the diff, and before it."""
    return server.requests[-1].user


@pytest.mark.usefixtures("new")
def test_commit_takes_what_is_staged(run: AsProcess, screen: OnTerminal, server: FakeServer) -> None:
    server.say("Take new", times=3)
    assert run("commit") == DONE
    assert "\ndiff --git a/a.txt b/a.txt\n" in diff(server)
    assert "\n-old\n+new\n" in diff(server)
    assert run("commit", "mention the ticket") == DONE
    assert diff(server).startswith("mention the ticket\n\n<diff ")
    shown = screen("commit")
    assert shown.wait_exit() == 0
    assert "Take new" in shown.text


def test_nothing_is_sent_without_a_change(gptkit: InMemory, server: FakeServer, folder: Path) -> None:
    assert gptkit("commit") == gptkit("review") == (66, "", OUTSIDE)
    begin(folder)
    assert gptkit("commit") == gptkit("commit", "words") == (66, "", UNSTAGED)
    assert gptkit("review") == (66, "", UNCHANGED)
    change(folder, staged=False)
    assert gptkit("commit") == (66, "", UNSTAGED)
    assert server.requests == []


def test_a_text_needs_no_repository(gptkit: InMemory, server: FakeServer, new: Path) -> None:
    server.say("Take new", times=2)
    assert gptkit("commit", stdin="+piped") == DONE
    assert "+piped" in diff(server)
    (new / "a.diff").write_text("+filed")
    assert gptkit("commit", "-f", "a.diff") == DONE
    assert "+new" not in diff(server)


def test_before_the_first_commit(gptkit: InMemory, server: FakeServer, folder: Path) -> None:
    git(folder, "init", "-q")
    assert gptkit("commit") == (66, "", UNSTAGED)
    assert gptkit("review") == (66, "", UNCHANGED)
    change(folder)
    server.say("Take new", times=2)
    assert gptkit("commit") == DONE
    assert "\n+new\n" in diff(server)
    told = "gptkit: the input is the output of 'git diff --staged'\n"
    assert gptkit("review") == (0, "Take new\n", told)


def test_names_and_texts_in_chinese(gptkit: InMemory, server: FakeServer, folder: Path) -> None:
    begin(folder)
    change(folder, "你好\n", "会议 记录.txt")
    server.say("Take new")
    assert gptkit("commit") == DONE
    assert "\ndiff --git a/会议 记录.txt b/会议 记录.txt\n" in diff(server)
    assert "\n+你好\n" in diff(server)


def test_a_binary_file_is_named(gptkit: InMemory, server: FakeServer, folder: Path) -> None:
    begin(folder)
    (folder / "a.png").write_bytes(bytes(range(256)))
    git(folder, "add", ".")
    server.say("Take new")
    assert gptkit("commit") == DONE
    assert "Binary files /dev/null and b/a.png differ" in diff(server)


def test_a_file_in_another_encoding_is_decoded(gptkit: InMemory, server: FakeServer, folder: Path) -> None:
    begin(folder)
    (folder / "a.txt").write_bytes("这是一个用于测试的中文句子，看看编码是否正确。\n".encode("gb18030"))
    git(folder, "add", ".")
    server.say("Take new")
    assert gptkit("commit") == DONE
    assert "+这是一个用于测试的中文句子" in diff(server)


def test_a_diff_above_the_cap(gptkit: InMemory, folder: Path) -> None:
    begin(folder)
    change(folder, "word " * (2 << 20))
    told = failure("'git diff --staged': it printed more than 8 MiB", HINT)
    assert gptkit("commit") == (65, "", told)


def test_review_takes_what_is_not_committed(gptkit: InMemory, server: FakeServer, new: Path) -> None:
    change(new, "newer\n", staged=False)
    server.say("Take new")
    assert gptkit("review") == DONE
    assert "\n-old\n+newer\n" in diff(server)


@pytest.mark.parametrize("main", ["origin/HEAD", "origin/main", "main", "master"])
def test_review_takes_the_branch_where_all_is_committed(
    gptkit: InMemory, server: FakeServer, folder: Path, main: str
) -> None:
    """What the main branch got after the branch began is no part of it."""
    begin(folder)
    git(folder, "checkout", "-q", "-b", "work")
    change(folder)
    git(folder, "commit", "-q", "-m", "Work")
    git(folder, "checkout", "-q", "main")
    change(folder, name="later.txt")
    git(folder, "commit", "-q", "-m", "Later")
    git(folder, "checkout", "-q", "work")
    if main == "master":
        git(folder, "branch", "-q", "-M", "main", "master")
    elif main != "main":
        git(folder, "update-ref", "refs/remotes/origin/main", "main")
        git(folder, "branch", "-q", "-D", "main")
    if main == "origin/HEAD":
        git(folder, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    server.say("Take new")
    told = f"gptkit: the input is the output of 'git diff {main}...HEAD'\n"
    assert gptkit("review") == (0, "Take new\n", told)
    assert "\n-old\n+new\n" in diff(server)
    assert "later" not in diff(server)


@pytest.mark.parametrize("place", ["subfolder", "detached HEAD", "work tree"])
def test_where_a_repository_can_be_used(
    gptkit: InMemory, server: FakeServer, new: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    other = new / "other"
    if place == "subfolder":
        other.mkdir()
    elif place == "detached HEAD":
        git(new, "checkout", "-q", "--detach")
        other = new
    else:
        git(new, "worktree", "add", "-q", str(other), "-b", "work")
        change(other)
    monkeypatch.chdir(other)
    server.say("Take new", times=2)
    for name in ("commit", "review"):
        assert gptkit(name) == DONE
        assert "\n-old\n+new\n" in diff(server)


def test_a_bare_repository(
    gptkit: InMemory, new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(new, "clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    monkeypatch.chdir(tmp_path / "bare")
    told = failure("git: a bare repository has no work tree", HINT)
    assert gptkit("commit") == gptkit("review") == (66, "", told)


def test_in_the_middle_of_a_merge(gptkit: InMemory, server: FakeServer, new: Path) -> None:
    git(new, "commit", "-q", "-m", "New")
    git(new, "checkout", "-q", "-b", "work", "HEAD~1")
    change(new, "other\n")
    git(new, "commit", "-q", "-m", "Other")
    with pytest.raises(subprocess.CalledProcessError):
        git(new, "merge", "main")
    server.say("Take new", times=2)
    assert gptkit("commit") == gptkit("review") == DONE
    assert "* Unmerged path a.txt" in server.requests[0].user
    assert "+<<<<<<< HEAD" in server.requests[1].user


def test_a_submodule_is_shown_by_its_commit(
    gptkit: InMemory, server: FakeServer, new: Path, tmp_path: Path
) -> None:
    begin(tmp_path / "part")
    git(new, "submodule", "add", "-q", str(tmp_path / "part"), "part")
    server.say("Take new")
    assert gptkit("commit") == DONE
    assert "\n+Subproject commit " in diff(server)


def test_a_hook_of_git_says_which_index_counts(gptkit: InMemory, server: FakeServer, new: Path) -> None:
    """`git commit FILE` gives its hooks an index of its own."""
    environ = {"GIT_INDEX_FILE": str(new / ".git" / "index"), "GIT_DIR": str(new / ".git")}
    git(new, "read-tree", f"--index-output={new / '.git' / 'other'}", "HEAD")
    server.say("Take new")
    assert gptkit("commit", env=environ) == DONE
    assert gptkit("commit", env=environ | {"GIT_INDEX_FILE": str(new / ".git" / "other")}) == (
        66,
        "",
        UNSTAGED,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_the_repository_of_another_user(gptkit: InMemory, new: Path) -> None:
    os.chown(new, 1234, 1234)
    told = failure(
        f"git: detected dubious ownership in repository at '{new}'",
        f"git config --global --add safe.directory {new}",
    )
    assert gptkit("commit") == gptkit("review") == (66, "", told)


def test_without_git(gptkit: InMemory, folder: Path) -> None:
    told = failure("no program 'git'", "install it, or name its path")
    assert gptkit("commit", env={"PATH": str(folder)}) == (69, "", told)
