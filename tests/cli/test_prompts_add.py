"""`gptkit prompts add`: prompt files of a folder or a repository, checked, shown and asked for."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from asking import failure
from fake.program import InMemory, OnTerminal

HAIKU = "description: Write a haiku.\nsystem: 写俳句。\n"
BRANCHES = """\
description: Look after branches.
tools:
  commands:
    merged: {description: List., run: [git, branch, --merged], risk: read}
  mcp:
    time: {run: [mcp-server-time], select: [get_current_time], risk: {get_current_time: read}}
"""
NOBODY = failure("nothing was added: there is no terminal to ask at", "--yes adds without asking")


@pytest.fixture
def shared(folder: Path) -> Path:
    prompts = folder / "shared" / "prompts"
    prompts.mkdir(parents=True)
    (prompts / "haiku.yaml").write_text(HAIKU, "utf-8")
    (prompts / "ask.yaml").write_text("description: Mine.\n")
    (folder / "shared" / "mkdocs.yml").write_text("site_name: x\n")
    return folder / "shared"


def commit(folder: Path) -> str:
    """Commit all of a folder to a repository there; return the commit."""
    who = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    environ = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull}
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", *words], cwd=folder, env=environ, check=True)
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, env=environ, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_repository_is_pinned_shown_and_added(gptkit: InMemory, shared: Path, home: Path) -> None:
    digest, url = commit(shared), f"file://{shared}"
    built_in = gptkit("prompts", "path", "ask").stdout.strip()
    shown = (
        f"{url}, commit {digest[:12]}: 2 prompts, 2 to add or change\n"
        f"ask: Mine.\n  replaces {built_in}\nhaiku: Write a haiku.\n"
    )
    assert gptkit("prompts", "add", url) == (83, shown, NOBODY)
    assert not (home / "config" / "prompts").exists()
    code, output, errors = gptkit("prompts", "add", url, "--yes")
    assert (code, errors) == (0, "")
    assert output == f"{shown}added 2; 'gptkit prompts rm NAME' removes one\n"
    assert (home / "config" / "prompts" / "haiku.yaml").read_text("utf-8") == HAIKU
    source = f"{url}, commit {digest[:12]}"
    assert f"haiku\tuser\tWrite a haiku. (from {source})\n" in gptkit("prompts", "list").stdout
    rows = json.loads(gptkit("prompts", "list", "--json").stdout)["prompts"]
    assert {row["name"]: row["source"] for row in rows if "source" in row} == {"ask": source, "haiku": source}


def test_a_person_is_asked(screen: OnTerminal, shared: Path, home: Path) -> None:
    for answer, code in (("n", 83), ("是", 0)):
        running = screen("prompts", "add", str(shared / "prompts"))
        running.wait_for("Add ask, haiku? [y/N]")
        running.send(f"{answer}\r")
        assert running.wait_exit() == code
        assert (home / "config" / "prompts" / "haiku.yaml").exists() == (code == 0)


def test_adding_again_shows_the_difference(gptkit: InMemory, shared: Path, home: Path) -> None:
    place = str(shared / "prompts")
    assert gptkit("prompts", "add", place, "--yes").code == 0
    told = f"{place}: 2 prompts, 0 to add or change\n"
    assert gptkit("prompts", "add", place) == (0, told, "")
    (shared / "prompts" / "haiku.yaml").write_text(HAIKU + "output: text\n", "utf-8")
    code, output, errors = gptkit("prompts", "add", place)
    assert (code, errors) == (83, NOBODY)
    assert output.splitlines()[1:] == [
        "haiku: Write a haiku.",
        "  @@ -2 +2,2 @@",
        "   system: 写俳句。",
        "  +output: text",
    ]
    assert gptkit("prompts", "add", place, "--yes").code == 0
    mine = home / "config" / "prompts" / "haiku.yaml"
    assert mine.read_text("utf-8").endswith("output: text\n")
    mine.write_text(HAIKU, "utf-8")
    assert f"(from {place}, changed since)" in gptkit("prompts", "list").stdout
    mine.write_bytes(b"x" * (2 << 20))
    assert f"1024 KiB (from {place}, changed since)" in gptkit("prompts", "list").stdout
    assert gptkit("prompts", "rm", "haiku").code == 0
    assert "haiku" not in gptkit("prompts", "list").stdout
    mine.write_text(HAIKU, "utf-8")
    assert "\nhaiku\tuser\tWrite a haiku.\n" in gptkit("prompts", "list").stdout


@pytest.mark.parametrize(
    "damage", ['{"haiku": ', '{"haiku": 1}', '{"haiku": {"place": "x", "commit": 7}}', "[]"]
)
def test_a_damaged_record_names_no_source(gptkit: InMemory, shared: Path, home: Path, damage: str) -> None:
    assert gptkit("prompts", "add", str(shared / "prompts"), "--yes").code == 0
    (home / "data" / "added.json").write_text(damage)
    assert "\nhaiku\tuser\tWrite a haiku.\n" in gptkit("prompts", "list").stdout


def test_tools_and_commands_are_shown_whole(gptkit: InMemory, folder: Path) -> None:
    (folder / "branches.yaml").write_text(BRANCHES)
    (folder / "log.yaml").write_text(
        "description: Tell the log.\ninput: {when: no text, command: [git, log, a b]}\n"
    )
    output = gptkit("prompts", "add", ".").stdout
    for line in BRANCHES.splitlines():
        assert f"  +{line}\n" in output
    assert "  lets the model use tools; this is the file:\n" in output
    assert gptkit("prompts", "add", "branches.yaml", "--yes").code == 0
    (folder / "branches.yaml").write_text(BRANCHES.replace("--merged", "-D, main"))
    again = gptkit("prompts", "add", "branches.yaml").stdout
    assert "  lets the model use tools; this is what changes:\n  @@" in again
    assert "  +    merged: {description: List., run: [git, branch, -D, main], risk: read}\n" in again
    assert "  runs where it gets no text: git log 'a b'\n" in output


def test_a_broken_file_is_named_and_nothing_added(gptkit: InMemory, shared: Path, home: Path) -> None:
    (shared / "prompts" / "broken.yaml").write_text("description: x\nsytem: y\n")
    (shared / "prompts" / "config.yaml").write_text("description: x\n")
    code, output, errors = gptkit("prompts", "add", str(shared / "prompts"), "--yes")
    assert (code, errors) == (65, failure("nothing was added: a prompt file is broken"))
    assert output.splitlines() == [
        "broken.yaml:2: sytem: unknown key (did you mean 'system'?)",
        "config.yaml:1: this name belongs to a command of gptkit itself",
    ]
    assert not (home / "config" / "prompts").exists()


def test_a_repository_runs_nothing(gptkit: InMemory, shared: Path, folder: Path, home: Path) -> None:
    """No hook, no filter of an attribute, no submodule; a link is not followed."""
    (shared / ".gitattributes").write_text("* filter=evil\n")
    (shared / ".gitmodules").write_text('[submodule "m"]\n\tpath = m\n\turl = ext::sh -c touch% ran\n')
    (shared / "prompts" / "secret.yaml").symlink_to("/etc/passwd")
    commit(shared)
    hook = folder / "hooks"
    hook.mkdir()
    (hook / "post-checkout").write_text(f"#!/bin/sh\ntouch {folder}/ran\n")
    (hook / "post-checkout").chmod(0o755)
    config = folder / "gitconfig"
    config.write_text(f'[core]\n\thooksPath = {hook}\n[filter "evil"]\n\tsmudge = touch {folder}/ran\n')
    environ = {"GIT_CONFIG_GLOBAL": str(config), "GIT_EXTERNAL_DIFF": f"touch {folder}/ran"}
    assert gptkit("prompts", "add", f"file://{shared}#prompts", "--yes", env=environ).code == 0
    assert not (folder / "ran").exists()
    assert sorted(one.name for one in (home / "config" / "prompts").iterdir()) == ["ask.yaml", "haiku.yaml"]


@pytest.mark.parametrize(
    ("place", "code", "message"),
    [
        ("--upload-pack=touch ran", 66, "'--upload-pack=touch ran': no such file or directory"),
        ("ext::sh -c touch% ran", 66, "'ext::sh -c touch% ran': no such file or directory"),
        ("ssh://-oProxyCommand=touch", 66, "'ssh://-oProxyCommand=touch': no such file or directory"),
        ("file:///nowhere/at/all", 66, "git: '/nowhere/at/all' does not appear to be a git repository"),
        ("empty", 66, "'empty': no prompt files"),
    ],
)
def test_a_place_that_is_none(gptkit: InMemory, folder: Path, place: str, code: int, message: str) -> None:
    (folder / "empty").mkdir()
    result = gptkit("prompts", "add", "--yes", "--", place)
    assert (result.code, result.stdout, result.stderr.splitlines()[0]) == (code, "", f"gptkit: {message}")
    assert not (folder / "ran").exists()


@pytest.mark.skipif(os.name != "posix", reason="the git of the test is a script")
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("fatal: unable to access 'https://x/': Could not resolve host: x", 75),
        ("fatal: unable to access 'https://x/': Failed to connect to x port 443 after 0 ms: refused", 75),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 503", 75),
        ("ssh: connect to host x port 22: Connection refused", 75),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 403", 66),
        ("fatal: repository 'https://x/' not found", 66),
    ],
)
def test_a_server_that_is_not_reached_is_told_apart(
    gptkit: InMemory, folder: Path, line: str, code: int
) -> None:
    git = folder / "git"
    git.write_text(f'#!/bin/sh\necho "{line}" >&2\necho "fatal: no remote repository" >&2\nexit 128\n')
    git.chmod(0o755)
    told = failure(f"git: {line.removeprefix('fatal: ')}")
    assert gptkit("prompts", "add", "https://x", env={"PATH": str(folder)}) == (code, "", told)


def test_an_empty_repository_is_named(gptkit: InMemory, folder: Path) -> None:
    subprocess.run(["git", "init", "-q", "none"], cwd=folder, check=True)
    told = failure(f"'file://{folder}/none': there is no commit")
    assert gptkit("prompts", "add", f"file://{folder}/none") == (66, "", told)


@pytest.mark.parametrize("is_repository", [False, True])
def test_a_name_twice_is_refused(gptkit: InMemory, shared: Path, is_repository: bool) -> None:
    (shared / "prompts" / "haiku.yml").write_text("description: Another.\n")
    if is_repository:
        commit(shared)
    place = f"file://{shared}" if is_repository else str(shared / "prompts")
    told = failure("nothing was added: 'haiku' is there as .yaml and as .yml")
    assert gptkit("prompts", "add", place, "--yes") == (65, "", told)


def test_a_folder_of_a_repository(gptkit: InMemory, shared: Path) -> None:
    commit(shared)
    told = failure(f"'file://{shared}': there is no folder 'none'")
    assert gptkit("prompts", "add", f"file://{shared}#none") == (66, "", told)


def test_large_files_that_a_server_leaves_out_count_only_where_they_are_prompts(
    gptkit: InMemory, folder: Path
) -> None:
    repository = folder / "shared"
    repository.mkdir()
    (repository / "haiku.yaml").write_text(HAIKU, "utf-8")
    (repository / "prompts").write_text("a file, no folder\n")
    (repository / "picture.png").write_bytes(b"x" * (2 << 20))
    commit(repository)
    subprocess.run(["git", "config", "uploadpack.allowFilter", "true"], cwd=repository, check=True)
    code, output, _ = gptkit("prompts", "add", f"file://{repository}", "--yes")
    assert (code, output.splitlines()[0].partition(": ")[2]) == (0, "1 prompt, 1 to add or change")
    (repository / "picture.png").rename(repository / "picture.yaml")
    commit(repository)
    result = gptkit("prompts", "add", f"file://{repository}", "--yes")
    assert (result[0], result.stderr) == (65, "gptkit: 'picture.yaml': larger than 1024 KiB\n")


def test_a_name_too_long_for_a_file_is_refused(gptkit: InMemory, folder: Path) -> None:
    (folder / f"{'x' * 251}.yml").write_text(HAIKU, "utf-8")
    result = gptkit("prompts", "add", str(folder), "--yes")
    assert (result[0], result.stderr) == (
        65,
        f"gptkit: nothing was added: the name '{'x' * 40}...' is too long\n",
    )
