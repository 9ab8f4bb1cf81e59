"""A repository that somebody else made: git is run in it for the input, and nothing that it names is."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from asking import SAY, failure, prompt
from fake.program import InMemory
from fake.server import FakeServer
from git_repository import begin, change, git

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="programs do not run on Windows yet"),
    pytest.mark.skipif(shutil.which("git") is None, reason="no git"),
]
HOOKS = ("post-index-change", "pre-commit", "post-checkout", "fsmonitor-watchman", "reference-transaction")
CONFIG = """
[core]
    fsmonitor = {fsmonitor}
    pager = {pager}
    editor = {editor}
    sshCommand = {ssh}
    gitProxy = {proxy}
    askPass = {askpass}
    hooksPath = {hooks}
    attributesFile = {attributes}
[pager]
    diff = {pager}
    log = {pager}
    show = {pager}
[color]
    ui = always
    diff = always
[diff]
    external = {external}
    submodule = diff
    ignoreSubmodules = none
[diff "driver"]
    command = {driver}
[diff "text"]
    textconv = {textconv}
[interactive]
    diffFilter = {interactive}
[credential]
    helper = {credential}
[gpg]
    program = {gpg}
[log]
    showSignature = true
[alias]
    diff = !{alias}
    log = !{alias}
[include]
    path = more
"""
INCLUDED = """
[filter "one"]
    clean = {clean}
    smudge = {smudge}
[filter "two.Zwei"]
    process = {process}
    required = true
[filter "three"]
    clean = {required}
    required
"""
ATTRIBUTES = """
*.txt diff=driver filter=one
*.text diff=text
*.two filter=two.Zwei
*.three filter=three
"""
ENVIRONMENT = (
    *("GIT_EXTERNAL_DIFF", "GIT_PAGER", "PAGER", "GIT_EDITOR", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS"),
    *("GIT_PROXY_COMMAND", "SSH_ASKPASS"),
)
COMMANDS = {"log": "[git, log, -p]", "show": "[git, show]"}


class Traps:
    """Programs that tell, by a file of their name, that they were run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "run").mkdir(parents=True)

    def __getitem__(self, name: str) -> str:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\ntouch '{self.folder}/run/{name}'\n")
        path.chmod(0o755)
        return str(path)

    @property
    def sprung(self) -> set[str]:
        return {path.name for path in (self.folder / "run").iterdir()}


@pytest.fixture
def traps(tmp_path: Path) -> Traps:
    return Traps(tmp_path / "traps")


def plant(repository: Path, traps: Traps) -> None:
    """Name the traps in the settings of a repository, in whose work tree all files are changed."""
    place = Path(git(repository, "rev-parse", "--absolute-git-dir").strip())
    for name in HOOKS:
        (place / "hooks").mkdir(exist_ok=True)
        Path(traps[name]).rename(place / "hooks" / name)
    (traps.folder / "attributes").write_text("*.more filter=one\n")
    known = {"hooks": place / "hooks", "attributes": traps.folder / "attributes"}
    names = {part.split("}")[0] for part in (CONFIG + INCLUDED).split("{")[1:]}
    values = {name: known.get(name) or traps[name] for name in names}
    with (place / "config").open("a") as config:
        config.write(CONFIG.format_map(values))
    (place / "more").write_text(INCLUDED.format_map(values))
    (repository / ".gitattributes").write_text(ATTRIBUTES)


@pytest.fixture
def hostile(folder: Path, traps: Traps) -> Path:
    names = ("b.text", "c.two", "d.three", "e.more")
    begin(folder, **dict.fromkeys((*names, "same"), "old\n"))
    plant(folder, traps)
    for name in ("a.txt", *names):
        change(folder, "new\n", name, staged=False)
    os.utime(folder / "same", (1, 1))  # git would write this into its index, and then run a hook
    return folder


def stage(folder: Path) -> None:
    """Change the index without git's own filters."""
    off = [word for name in ("one", "two.Zwei", "three") for word in _filter_off(name)]
    git(folder, "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *off, "add", ".")


def _filter_off(name: str) -> list[str]:
    keys = ("clean=", "process=", "required=false")
    return [word for key in keys for word in ("-c", f"filter.{name}.{key}")]


@pytest.mark.parametrize("command", ["commit", "review", "log", "show"])
def test_no_program_of_the_repository_runs(
    gptkit: InMemory, server: FakeServer, home: Path, hostile: Path, traps: Traps, command: str
) -> None:
    if command in COMMANDS:
        prompt(home, f"{SAY}input: {{when: no text, command: {COMMANDS[command]}}}\n", command)
    if command == "commit":
        stage(hostile)
    config = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "diff.external"}
    environ = {name: traps[f"variable {name}"] for name in (*ENVIRONMENT, "GIT_CONFIG_VALUE_0")}
    server.say("Done")
    assert gptkit(command, env=config | environ) == (0, "Done\n", "")
    assert "\n+new\n" in server.request.user or command in COMMANDS
    assert "\n+old\n" in server.request.user or command not in COMMANDS
    assert "\x1b" not in server.request.user
    assert traps.sprung == set()


def test_the_traps_are_real(hostile: Path, traps: Traps) -> None:
    """Else the test above could not fail."""
    off = _filter_off("two.Zwei") + _filter_off("three")
    for command in (["diff", "--no-ext-diff"], ["diff"], ["-c", "diff.external=", "diff", "--", "b.text"]):
        for filters in ([], off):
            subprocess.run(["git", *filters, *command], cwd=hostile, capture_output=True, check=False)
    assert traps.sprung >= {"fsmonitor", "external", "textconv", "clean", "process", "post-index-change"}


def test_a_filter_whose_name_cannot_be_given_is_refused(
    gptkit: InMemory, hostile: Path, traps: Traps
) -> None:
    with (hostile / ".git" / "more").open("a") as config:
        config.write(f'[filter "a=b"]\n    clean = {traps["equal"]}\n')
    (hostile / ".gitattributes").write_text("* filter=a=b\n")
    told = failure(
        "git: the filter 'filter.a=b.clean' cannot be switched off", "pipe text in, or name a file with -f"
    )
    assert gptkit("review") == (66, "", told)
    assert traps.sprung == set()


def test_no_program_of_a_submodule_runs(
    gptkit: InMemory, server: FakeServer, folder: Path, tmp_path: Path, traps: Traps
) -> None:
    begin(tmp_path / "part")
    begin(folder)
    git(folder, "submodule", "add", "-q", str(tmp_path / "part"), "part")
    git(folder, "config", "submodule.part.ignore", "none")
    git(folder, "config", "diff.submodule", "diff")
    git(folder / "part", "-c", "user.name=a", "commit", "-q", "--allow-empty", "-m", "More")
    plant(folder / "part", traps)
    change(folder / "part", "changed\n", staged=False)
    server.say("Done")
    assert gptkit("review") == (0, "Done\n", "")
    assert "\n+Subproject commit " in server.request.user
    assert traps.sprung == set()
    subprocess.run(["git", "diff"], cwd=folder, capture_output=True, check=False)
    assert traps.sprung


@pytest.mark.parametrize("url", ["ssh://x/y", "ext::{trap} %S", "{folder}"])
def test_nothing_is_fetched(gptkit: InMemory, folder: Path, tmp_path: Path, traps: Traps, url: str) -> None:
    """Of a partial clone git fetches what is missing, by programs that the repository names."""
    begin(tmp_path / "whole")
    change(tmp_path / "whole")
    git(tmp_path / "whole", "commit", "-q", "-m", "New")
    git(tmp_path / "whole", "config", "uploadpack.allowFilter", "true")
    git(folder, "clone", "-q", "--filter=blob:none", f"file://{tmp_path / 'whole'}", ".")
    git(folder, "reset", "-q", "--soft", "HEAD~1")
    settings = {
        "remote.origin.url": url.format(trap=traps["ext"], folder=tmp_path / "whole"),
        "remote.origin.uploadpack": traps["uploadpack"],
        "core.sshCommand": traps["ssh"],
        "protocol.allow": "always",
    }
    for name, value in settings.items():
        git(folder, "config", name, value)
    code, _, errors = gptkit("commit")
    assert (code, errors.partition("':")[0]) == (66, "gptkit: 'git diff --staged")
    assert traps.sprung == set()
    subprocess.run(["git", "diff", "--staged"], cwd=folder, capture_output=True, check=False)
    assert traps.sprung
