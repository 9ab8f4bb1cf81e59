"""Every file that gptkit writes, and what becomes of it when the disk fails or the run is killed."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from disk_runner import UNSEEN
from fake.received import Received
from fake.replies import Reply, failed, said
from fake.server import FakeServer
from fake.signals import unblocked

Tree = Mapping[str, tuple[int, bytes]]
"""What is in a folder: mode and content (of a link, where it leads) by path."""
FAULTS = ("full", "broken", "dead", "kill", "torn", "short")
KILLED = -9
TEMPORARY = ".gptkit-"
CUT, REJECTING = "cut", "rejecting"
"""Models of the sweep's server: one breaks off, one takes no temperature."""
MINE = "description: Mine.\nsystem: Be brief. {{ text }}\n"
KEPT = b"# mine\nmodel: gpt-old  # a comment\nprofiles:\n  fast: {model: gpt-fast}\n"
KEYS = b'"a.example": "sk-00000000000000000000"\n'


class Writing(NamedTuple):
    """A command and the file that it writes; `before` is what there is already.

    `fails` is its exit code where the file could not be written, `tells` what is on standard output
    whatever happens to the file.
    """

    args: tuple[str, ...]
    target: str
    before: Tree = {}  # noqa: RUF012
    stdin: bytes = b""
    code: int = 0
    fails: int = 73
    tells: str | None = None
    private: bool = True


def _file(path: str, content: bytes | str, mode: int = 0o600) -> Tree:
    data = content.encode() if isinstance(content, str) else content
    return {path: (stat.S_IFREG | mode, data)}


def _link(path: str, to: str) -> Tree:
    return {path: (stat.S_IFLNK | 0o777, to.encode())}


CONFIG, KEY_FILE, TRUST = "home/config/config.yaml", "home/config/keys.yaml", "home/data/trusted.json"
PROJECT = _file("folder/.gptkit/prompts/mine.yaml", MINE, 0o644)
TRUSTED = _file(TRUST, '{"/elsewhere": {"x.yaml": "00"}}')
REJECTIONS = "home/data/rejected.json"
WARM = _file(CONFIG, "temperature: 0.5\n")
SECRET = b"sk-11111111111111111111"
SAY_HI = ("ask", "hi", "--model", "echo", "--no-log", "-o", "out")
BREAK_OFF = ("ask", "hi", "--model", CUT, "--no-log", "-o", "out")
REJECTED = ("ask", "hi", "--model", REJECTING, "--no-log")

WRITINGS: dict[str, Writing] = {
    "config set, first": Writing(("config", "set", "model", "gpt-new"), CONFIG),
    "config set": Writing(("config", "set", "model", "gpt-new"), CONFIG, _file(CONFIG, KEPT, 0o640)),
    "config set, a link": Writing(
        ("config", "set", "model", "gpt-new"),
        "user/mine.yaml",
        {
            **_file("user/mine.yaml", KEPT, 0o644),
            **_link(CONFIG, "../../user/mine.yaml"),
        },
    ),
    "config unset": Writing(("config", "unset", "model"), CONFIG, _file(CONFIG, KEPT, 0o640)),
    "config edit": Writing(("config", "edit"), CONFIG),
    "profiles new": Writing(("profiles", "new", "slow", "model=gpt-slow"), CONFIG, _file(CONFIG, KEPT)),
    "profiles use": Writing(("profiles", "use", "fast"), CONFIG, _file(CONFIG, KEPT)),
    "profiles remove": Writing(("profiles", "remove", "fast"), CONFIG, _file(CONFIG, KEPT)),
    "keys set, first": Writing(("keys", "set", "--host", "b.example"), KEY_FILE, stdin=SECRET),
    "keys set": Writing(("keys", "set", "--host", "b.example"), KEY_FILE, _file(KEY_FILE, KEYS), SECRET),
    "keys remove": Writing(("keys", "remove", "a.example"), KEY_FILE, _file(KEY_FILE, KEYS)),
    "prompts new": Writing(("prompts", "new", "mine"), "home/config/prompts/mine.yaml"),
    "prompts edit": Writing(("prompts", "edit", "ask"), "home/config/prompts/ask.yaml"),
    "prompts trust, first": Writing(("prompts", "trust"), TRUST, PROJECT),
    "prompts trust": Writing(("prompts", "trust"), TRUST, {**PROJECT, **TRUSTED}),
    "-o, a new file": Writing(SAY_HI, "folder/out", tells="hi\n", private=False),
    "-o": Writing(SAY_HI, "folder/out", _file("folder/out", "old\n", 0o751), tells="hi\n", private=False),
    "-o, a link": Writing(
        SAY_HI,
        "folder/real",
        {**_file("folder/real", "old\n", 0o640), **_link("folder/out", "real")},
        tells="hi\n",
        private=False,
    ),
    "FILE.partial": Writing(
        BREAK_OFF, "folder/out.partial", _file("folder/out", "old\n"), code=80, fails=80, private=False
    ),
    "FILE.partial, again": Writing(
        BREAK_OFF,
        "folder/out.partial",
        _file("folder/out.partial", "older\n", 0o640),
        code=80,
        fails=80,
        private=False,
    ),
    "what a model rejects, first": Writing(REJECTED, REJECTIONS, WARM, fails=0, tells="hello\n"),
    "what a model rejects": Writing(
        REJECTED,
        REJECTIONS,
        {**WARM, **_file(REJECTIONS, '{"h m": ["n"]}')},
        fails=0,
        tells="hello\n",
    ),
}


class Ran(NamedTuple):
    """One run, what it left in the folders, and the calls that it made."""

    code: int
    output: str
    errors: str
    after: Tree
    calls: tuple[str, ...]


class Runner:
    """gptkit, loaded once, in a folder of its own that is laid out anew for every run."""

    def __init__(self, folder: Path, server: FakeServer) -> None:
        self.root = folder / "run"
        self._outside = folder / "outside"
        self._outside.mkdir()
        self._server = server
        server.answer(_answer)
        with unblocked():
            self._process = subprocess.Popen(
                [sys.executable, "-B", str(Path(__file__).with_name("disk_runner.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def lay_out(self, tree: Tree) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        for name in ("home", "user", "folder"):
            (self.root / name).mkdir(parents=True)
        for name, (mode, data) in tree.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if stat.S_ISLNK(mode):
                path.symlink_to(data.decode())
            else:
                path.write_bytes(data)
                path.chmod(stat.S_IMODE(mode))

    def run(
        self,
        writing: Writing,
        fault: str = "none",
        at: int = 0,
        umask: int = 0,
        environ: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run in the folders as they are."""
        files = {name: self._outside / name for name in ("stdin", "stdout", "stderr", "log")}
        files["stdin"].write_bytes(writing.stdin)
        files["log"].unlink(missing_ok=True)
        job = {
            "args": writing.args,
            "folder": str(self.root / "folder"),
            "environ": self._environ(environ or {}),
            "umask": umask,
            "fault": fault,
            "at": at,
            **{name: str(path) for name, path in files.items()},
            **({} if writing.stdin else {"stdin": os.devnull}),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        output, errors, calls = (files[name].read_text() for name in ("stdout", "stderr", "log"))
        assert code != UNSEEN, errors
        return Ran(code, output, errors, tree_of(self.root), tuple(calls.splitlines()))

    def age(self, names: Iterable[str]) -> None:
        """As if they had been left behind long ago."""
        long_ago = time.time() - 48 * 3600
        for name in names:
            os.utime(self.root / name, (long_ago, long_ago))

    def _environ(self, changes: Mapping[str, str]) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "GPTKIT_HOME": str(self.root / "home"),
            "HOME": str(self.root / "user"),
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": self._server.url,
            "EDITOR": "sh -c 'echo >> \"$0\"'",
            **changes,
        }


def swept(runner: Runner, writing: Writing, faults: tuple[str, ...] = FAULTS) -> Counter[str]:
    """Every fault at every call that changes a file; how often what came of it."""
    runner.lay_out(writing.before)
    before = tree_of(runner.root)
    whole = written(runner, writing)
    seen: Counter[str] = Counter()
    for fault, at in _places(faults, whole.calls):
        place = f"{fault} at {at} of {' '.join(whole.calls)}"
        runner.lay_out(writing.before)
        ran = runner.run(writing, fault, at)
        _check_files(place, writing, ran, before, whole.after)
        new = ran.after.get(writing.target) == whole.after[writing.target]
        if fault in ("kill", "torn"):
            assert ran.code == KILLED, place
            _check_next(place, runner, writing, whole, new)
        else:
            _check_failure(place, fault, writing, ran, new)
        seen[f"{fault}: {'new' if new else 'old'}"] += 1
    return seen


def written(runner: Runner, writing: Writing) -> Ran:
    """The run without any fault: its file is there, private where it must be although umask is 0."""
    runner.lay_out(writing.before)
    ran = runner.run(writing)
    assert (ran.code, writing.target in ran.after) == (writing.code, True), ran
    assert ran.after[writing.target] != writing.before.get(writing.target)
    at = ran.calls.index(f"rename {Path(writing.target).name}")
    assert (ran.calls[at - 2 : at], ran.calls[at + 1]) == (("fsync", "close"), "fsync")
    assert strays(ran.after) == []
    old = writing.before.get(writing.target)
    mode = ran.after[writing.target][0]
    assert mode == (old[0] if old else stat.S_IFREG | (0o600 if writing.private else _open(writing)))
    return ran


def _open(writing: Writing) -> int:
    """The mode of a file that is not private: that of the file it stands beside, or as umask has it."""
    beside = writing.before.get(writing.target.removesuffix(".partial"))
    return stat.S_IMODE(beside[0]) if beside else 0o666


def tree_of(root: Path) -> Tree:
    found: dict[str, tuple[int, bytes]] = {}
    for path in root.rglob("*"):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            data = os.fsencode(path.readlink())
        else:
            data = path.read_bytes() if stat.S_ISREG(mode) else b""
        found[str(path.relative_to(root))] = (mode, data)
    return found


def strays(tree: Tree) -> list[str]:
    return [name for name in tree if Path(name).name.startswith(TEMPORARY)]


def _answer(request: Received) -> Reply:
    if request.json["model"] == CUT:
        return said("half an answer", finish=None)
    if request.json["model"] == REJECTING and "temperature" in request.json:
        message = "Unsupported parameter: 'temperature' is not supported with this model."
        error = {"message": message, "param": "temperature", "code": "unsupported_parameter"}
        return failed(400, {"error": error})
    return said("hello")


def _places(faults: tuple[str, ...], calls: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    for fault in faults:
        for at, name in enumerate(calls):
            if fault not in ("torn", "short") or name == "write":
                yield fault, at


def _check_files(place: str, writing: Writing, ran: Ran, before: Tree, after: Tree) -> None:
    """The file is the old or the new one, everything else as it was or will be."""
    target = writing.target
    states = [before.get(target), after[target]]
    if "edit" in writing.args:  # what the editor is given; it adds a line
        mode, edited = after[target]
        states.append((mode, edited.removesuffix(b"\n")))
    assert ran.after.get(target) in states, f"{place}: {ran.after.get(target)}"
    for name, content in ran.after.items():
        if name != target and name not in strays(ran.after):
            assert content in (before.get(name), after.get(name)), f"{place}: {name} is {content}"
    assert set(before) <= {*ran.after}, place


def _check_failure(place: str, fault: str, writing: Writing, ran: Ran, new: bool) -> None:
    told = f"{place}: {ran.code} {ran.output!r} {ran.errors!r}"
    assert ran.code == writing.fails or (ran.code == writing.code and new), told
    assert bool(ran.errors) == bool(ran.code) or ran.code == writing.code == 0, told
    assert len(ran.errors.splitlines()) <= 2, told
    assert "Traceback" not in ran.errors, told
    if ran.code == 73:
        assert ran.errors.startswith("gptkit: cannot write"), told
    if writing.tells is not None and ran.code == writing.fails:
        assert ran.output == writing.tells, told
    assert fault != "short" or new, told
    assert fault == "dead" or strays(ran.after) == [], told


def _check_next(place: str, runner: Runner, writing: Writing, whole: Ran, new: bool) -> None:
    """After a kill the next run works, and takes away what the killed one left, once that is old."""
    runner.age(strays(tree_of(runner.root)))
    ran = runner.run(writing)
    assert ran.code == writing.code or new, f"{place}: then {ran}"
    assert dict(ran.after) == dict(whole.after), f"{place}: then {ran.after.keys() ^ whole.after.keys()}"
