"""The short form of the sweep in `tests/torture`, and homes and names that are made to go wrong."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from disk_sweeps import KEPT, WRITINGS, Runner, Writing, swept, tree_of, written
from fake.server import FakeServer
from long_disk_sweeps import swept_long

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks, kills and POSIX modes")
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
FIRST = ("config set, first", "keys set, first", "prompts new")
SHORT = {
    "config set": ("full", "kill"),
    "keys set, first": ("full",),
    "-o": ("full", "broken", "kill", "torn", "short"),
    "FILE.partial, again": ("broken",),
    "what a model rejects": ("broken",),
}


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """Starting it costs more than its runs."""
    with FakeServer() as server, Runner(tmp_path_factory.mktemp("disk"), server) as running:
        yield running


def test_a_file_is_the_old_or_the_new_one_whatever_happens(runner: Runner) -> None:
    for name, faults in SHORT.items():
        seen = swept(runner, WRITINGS[name], faults)
        assert all(seen[f"{fault}: old"] for fault in faults if fault != "short"), (name, seen)
        assert seen.total() >= 6 * len(faults) - 6, (name, seen)


def test_a_long_job_is_done_by_the_same_command_whatever_happened(tmp_path: Path, server: FakeServer) -> None:
    """No file is missed that a broken disk keeps from being closed: what was wanted of it is there."""
    with Runner(tmp_path, server) as runner:
        seen = swept_long(runner, server, ("broken",), names=("close",))
        assert seen["broken: new"] >= 8, seen
        seen = swept_long(runner, server, ("kill",), ("--no-log",), ("ftruncate", "fsync"))
        assert seen["kill: old"] >= 2, seen


@pytest.mark.parametrize("fault", ["full", "frozen"])
def test_no_disk_costs_an_answer_of_a_session(runner: Runner, fault: str) -> None:
    """The disk is full, or read-only, from each call on that changes a file."""
    asked = Writing(("ask", "hi", "--model", "echo", "-s", "n"), "home/data/history.db")
    runner.lay_out({})
    calls = runner.run(asked).calls
    assert len(calls) > 10
    for at in range(len(calls)):
        runner.lay_out({})
        ran = runner.run(asked, fault, at)
        place = f"{fault} at {at} of {' '.join(calls)}: {ran.errors}"
        assert (ran.code, ran.output) == (0, "hi\n"), place
        assert ran.errors.count("\n") <= 1, place
        assert "not recorded" in ran.errors or not ran.errors, place


@pytest.mark.parametrize("name", WRITINGS)
def test_every_file_is_as_private_as_it_should_be_and_no_disk_is_no_crash(runner: Runner, name: str) -> None:
    """Umask is 0 in the first run; the second one finds all file systems read-only."""
    writing = WRITINGS[name]
    runner.lay_out(writing.before)
    before = tree_of(runner.root)
    whole = written(runner, writing)
    for path in {path for path in whole.after if path.startswith("home/")} - set(before):
        assert stat.S_IMODE(whole.after[path][0]) & 0o077 == 0, path
    runner.lay_out(writing.before)
    ran = runner.run(writing, "frozen")
    assert (ran.code, dict(ran.after)) == (writing.fails, dict(before)), ran
    assert "read-only file system" in ran.errors or ran.code == 0
    assert len(ran.errors.splitlines()) <= 2


@pytest.mark.parametrize("name", [*FIRST, "-o, a new file"])
@pytest.mark.parametrize(
    ("where", "code", "says"),
    [
        ("missing", 0, ""),
        ("a home\nof two lines", 0, ""),
        ("", 78, "gptkit: no home folder: HOME is not set\n"),
        ("relative", 78, "gptkit: no home folder: HOME is not an absolute path\n"),
        ("a file", 73, "gptkit: cannot write"),
    ],
)
def test_any_home(runner: Runner, name: str, where: str, code: int, says: str) -> None:
    """It works, or is refused in one line and a hint; nothing is written elsewhere."""
    writing = WRITINGS[name]
    runner.lay_out({"a file": (stat.S_IFREG | 0o644, b"")} if where == "a file" else {})
    value = str(runner.root / where) if where not in ("", "relative") else where
    before = tree_of(runner.root)
    ran = runner.run(writing, environ={"GPTKIT_HOME": "", "HOME": value})
    assert len(ran.errors.splitlines()) <= 2, ran.errors
    new = {path for path in ran.after if path not in before}
    if name.startswith("-o"):
        assert (ran.code, ran.errors, "folder/out" in new) == (0, "", True)
        assert all(path == where or path.startswith(f"{where}/.c") for path in new - {"folder/out"}), new
        return
    assert (ran.code, ran.errors[: len(says)]) == (code, says), ran
    assert bool(new) is (code == 0)
    assert all(path == where or path.startswith(f"{where}/.config") for path in new), new


@pytest.mark.parametrize(
    "name", ["config set, first", "keys set, first", "prompts new", "prompts trust, first"]
)
def test_a_link_in_place_of_a_private_file(runner: Runner, name: str) -> None:
    """Only config.yaml may be a link, as people who keep their settings elsewhere have it."""
    writing = WRITINGS[name]
    link = (stat.S_IFLNK | 0o777, os.fsencode(runner.root / "user/victim"))
    victim = (stat.S_IFREG | 0o644, b"{}\n" if "trust" in name else KEPT)
    runner.lay_out({**writing.before, writing.target: link, "user/victim": victim})
    ran = runner.run(writing)
    if name == "config set, first":
        assert (ran.code, ran.after["user/victim"][0]) == (0, victim[0])
        return
    assert ran.code in {2, 65, 73, 74, 77, 78}, ran
    assert len(ran.errors.splitlines()) <= 2
    assert ran.after["user/victim"] == victim
    assert ran.after[writing.target] == link


def test_a_link_in_place_of_what_came_is_replaced_not_followed(runner: Runner) -> None:
    writing = WRITINGS["FILE.partial"]
    victim = (stat.S_IFREG | 0o644, b"mine\n")
    link = (stat.S_IFLNK | 0o777, os.fsencode(runner.root / "user/victim"))
    runner.lay_out({**writing.before, "user/victim": victim, writing.target: link})
    ran = runner.run(writing)
    assert (ran.code, ran.after["user/victim"]) == (80, victim)
    assert ran.after[writing.target] == (stat.S_IFREG | 0o600, b"half an answer")


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.skipif(not ROOT, reason="only root can be another user")
def test_another_user_s_link_in_a_folder_for_everyone(runner: Runner, exists: bool) -> None:
    writing = WRITINGS["-o, a new file"]
    victim = {"user/victim": (stat.S_IFREG | 0o644, b"mine\n")} if exists else {}
    link = (stat.S_IFLNK | 0o777, os.fsencode(runner.root / "user/victim"))
    runner.lay_out({**victim, "folder/out": link})
    (runner.root / "folder").chmod(0o1777)
    os.chown(runner.root / "folder/out", 12345, 12345, follow_symlinks=False)
    ran = runner.run(writing)
    assert (ran.code, ran.output) == (73, "")
    assert ran.errors == "gptkit: 'out': it is another user's symbolic link\n"
    assert [ran.after.get("user/victim")] == [*victim.values(), None][:1]
    (runner.root / "folder").chmod(0o755)
    assert runner.run(writing).code == 0
