"""What is not there to be waited for: modules that a run does not load, and files that it does not open."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from fake.program import AsProcess, OnTerminal
from fake.proxy import HttpProxy
from fake.server import FakeServer
from watching import WATCHED, Watch

COSTLY = {"openai", "httpx2", "pydantic", "rich.markdown", "asyncio"}
"""Modules that take longer to load than all else that gptkit does before it sends a request."""
TAB = {"_GPTKIT_COMPLETE": "complete_bash"}
RUNS = {
    "help": (0, ["--help"], {}),
    "help of one": (0, ["translate", "--help"], {}),
    "help of a group": (0, ["prompts", "--help"], {}),
    "version": (0, ["--version"], {}),
    "unknown command": (2, ["nosuch"], {}),
    "unknown option": (2, ["translate", "--nope"], {}),
    "bad value": (2, ["translate", "--tone", "nope"], {}),
    "no input": (66, ["translate"], {}),
    "TAB for a command": (0, [], {**TAB, "COMP_WORDS": "gptkit ", "COMP_CWORD": "1"}),
    "TAB for an option": (0, [], {**TAB, "COMP_WORDS": "gptkit translate --t", "COMP_CWORD": "2"}),
    "TAB for a value": (0, [], {**TAB, "COMP_WORDS": "gptkit ask --length ", "COMP_CWORD": "3"}),
    "dry run": (0, ["translate", "--dry-run", "hello"], {}),
    "render": (0, ["prompts", "render", "translate", "hello"], {}),
}


@pytest.mark.parametrize("words", [["--help"], ["translate", "-h"], ["prompts"]])
def test_frames_cost_no_markdown(screen: OnTerminal, tmp_path: Path, words: list[str]) -> None:
    report = tmp_path / "report.json"
    shown = screen(*words, env={"REPORT": str(report)}, command=(sys.executable, "-c", WATCHED), rows=50)
    shown.wait_exit()
    assert "╭─ Options ─" in shown.text
    modules = set(json.loads(report.read_text())["modules"])
    assert "rich.panel" in modules
    assert modules & (COSTLY | {"rich.traceback", "pygments", "markdown_it"}) == set()


@pytest.fixture
def watch(run: AsProcess, tmp_path: Path) -> Watch:
    return Watch(run, tmp_path / "report.json")


@pytest.mark.parametrize("name", RUNS)
def test_nothing_costly_is_loaded(watch: Watch, name: str) -> None:
    code, words, env = RUNS[name]
    found, modules, _ = watch(*words, env=env)
    assert found == code
    assert modules & COSTLY == set()
    assert "gptkit.cli.fast_args" in modules
    assert ("gptkit.cli.root" in modules) == (name not in {"no input", "dry run"})
    if name.startswith("TAB"):
        assert not any(module.startswith("rich.") for module in modules)


@pytest.mark.parametrize("words", [("ask", "hello"), ("ask", "hello", "--model", "echo")])
def test_an_answer_over_the_direct_road_loads_nothing_costly(
    watch: Watch, server: FakeServer, words: tuple[str, ...]
) -> None:
    server.answer(lambda _: "ok")
    code, modules, _ = watch(*words)
    assert code == 0
    assert modules & (COSTLY | {"httpcore2", "typer", "encodings.idna"}) == set()
    ours = {module for module in modules if module.startswith(("gptkit.text.", "gptkit.encodings"))}
    assert ours == {"gptkit.text.checks", "gptkit.text.checks.answer", "gptkit.text.pieces"}


def test_what_is_costly_would_be_seen(watch: Watch, server: FakeServer) -> None:
    server.say("ok")
    with HttpProxy() as proxy:
        code, modules, _ = watch("ask", "hello", "--proxy", proxy.url)
    assert code == 0
    assert {"openai", "httpx2", "pydantic"} <= modules


def test_a_question_about_files_does_not_load_what_fetches_pages(watch: Watch, folder: Path) -> None:
    (folder / "lease.txt").write_text("Three months' notice.\n")
    code, modules, _ = watch("qa", "what notice?", "lease.txt", "--retrieve-only")
    assert (code, "gptkit.capabilities.documents.input" in modules) == (0, True)
    assert "gptkit.session.web" not in modules


@pytest.mark.parametrize(("key", "is_loaded"), [("旅馆", False), ("/旅馆/", True)])
def test_only_a_key_that_is_a_pattern_loads_an_engine(
    watch: Watch, folder: Path, key: str, is_loaded: bool
) -> None:
    entry = f"{{keys: [{key}], use_regex: true, content: There is an inn.}}"
    (folder / "marta.yaml").write_text(f"name: Marta\nbook:\n  entries: [{entry}]\n", "utf-8")
    code, modules, _ = watch("roleplay", "marta.yaml", "去旅馆", "--dry-run")
    assert code == 0
    assert ("regex" in modules) is is_loaded


@pytest.mark.parametrize(
    ("name", "opened"),
    [
        ("version", []),
        ("unknown command", []),
        ("help of one", ["translate.yaml"]),
        ("unknown option", ["translate.yaml"]),
        ("TAB for an option", ["translate.yaml"]),
        ("TAB for a value", ["ask.yaml"]),
        ("help of a group", []),
    ],
)
def test_only_the_prompt_that_is_called_is_read(
    watch: Watch, home: Path, name: str, opened: list[str]
) -> None:
    mine = home / "config" / "prompts"
    mine.mkdir(parents=True)
    for other in ("broken", "other"):
        (mine / f"{other}.yaml").write_text("description: [")
    code, words, env = RUNS[name]
    found, _, prompts = watch(*words, env=env)
    assert (found, prompts) == (code, opened)


def test_a_prompt_of_the_users_takes_its_parents_and_no_more(watch: Watch, home: Path) -> None:
    mine = home / "config" / "prompts"
    mine.mkdir(parents=True)
    (mine / "haiku.yaml").write_text("extends: write\ndescription: Write a haiku.\n")
    code, _, opened = watch("haiku", "--help")
    assert (code, opened) == (0, ["haiku.yaml", "write.yaml"])
