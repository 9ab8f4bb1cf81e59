"""`gptkit prompts import --from fabric`: patterns become prompt files. `fabric/` has real ones (MIT)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from asking import failure
from fake.program import InMemory

PATTERNS = Path(__file__).parent / "fabric"
IMPORTED = [
    "create-quiz",
    "create-tags",
    "explain-code",
    "improve-report-finding",
    "summarize-pull-requests",
    "write-essay",
]
SKIPPED = "skipped 2: summarize ({0}); translate ({0})".format("replaces the built-in prompt of this name")


def imported(gptkit: InMemory, folder: Path, *options: str) -> str:
    code, output, errors = gptkit("prompts", "import", "--from", "fabric", str(folder), *options)
    assert (code, errors) == (0, "")
    return output


def pattern(folder: Path, name: str, system: str | bytes, user: str = "") -> None:
    (folder / "patterns" / name).mkdir(parents=True)
    content = system if isinstance(system, bytes) else system.encode()
    (folder / "patterns" / name / "system.md").write_bytes(content)
    (folder / "patterns" / name / "user.md").write_text(user)


def sent(gptkit: InMemory, *words: str) -> list[Any]:
    messages = json.loads(gptkit("prompts", "render", *words, "--json").stdout)
    return [message["content"] for message in messages]


def test_real_patterns_become_commands(gptkit: InMemory, home: Path) -> None:
    assert imported(gptkit, PATTERNS) == f"imported 6, {SKIPPED}\n"
    assert sorted(file.stem for file in (home / "config" / "prompts").iterdir()) == IMPORTED
    assert gptkit("prompts", "check", *IMPORTED).stdout == "".join(f"{name}: ok\n" for name in IMPORTED)
    system, user = sent(gptkit, "create-tags", "红楼梦")
    original = (PATTERNS / "patterns" / "create_tags" / "system.md").read_text("utf-8")
    assert system == original.partition("# INPUT")[0].strip()
    assert user == "红楼梦"


def test_a_prefix_and_force_let_all_in(gptkit: InMemory) -> None:
    assert imported(gptkit, PATTERNS, "--prefix", "fabric-") == "imported 8\n"
    assert imported(gptkit, PATTERNS, "--force") == "imported 8\n"
    assert "(shadows " in gptkit("prompts", "list").stdout


def test_variables_become_options(gptkit: InMemory) -> None:
    imported(gptkit, PATTERNS, "--prefix", "f-")
    given = sent(gptkit, "f-translate", "hi", "--lang-code", "fr {{ x }}")[0]
    assert "specified by its language code fr {{ x }}, e.g." in given
    assert "language code {{lang_code}}, e.g." in sent(gptkit, "f-translate", "hi")[0]


def test_what_only_looks_like_a_template_stays_text(gptkit: InMemory, folder: Path) -> None:
    text = "Use {{Hostname}}, {% raw %}, {# note #}, {{{x}}}, {{ $a }} and {{model}}."
    pattern(folder, "nuclei", f"{text}\n{{{{input}}}}\nINPUT:\n", "Look at {{input}} well.\n")
    assert imported(gptkit, folder) == "imported 1\n"
    assert sent(gptkit, "nuclei", "abc") == [f"{text}\nabc", "Look at abc well."]


@pytest.mark.parametrize(
    "ending", ["# INPUT\n\nINPUT:\n", "## INPUT:%", "**INPUT**\n(INPUT)", "Input: {{input}}"]
)
def test_the_heading_for_the_input_goes(gptkit: InMemory, folder: Path, ending: str) -> None:
    pattern(folder, "tidy", f"Tidy up.\r\n\r\n{ending}", "Be brief.")
    assert imported(gptkit, folder) == "imported 1\n"
    assert sent(gptkit, "tidy", "abc") == ["Tidy up.", "Be brief.\n\nabc"]


def test_what_cannot_be_a_prompt_is_skipped_and_named(gptkit: InMemory, folder: Path) -> None:
    pattern(folder, "config", "x")
    pattern(folder, "_", "x")
    pattern(folder, "odd", "a\x00b")
    pattern(folder, "latin", "é".encode("latin-1"))
    pattern(folder, "good", "x")
    output = imported(gptkit, folder, "--force")
    assert output.startswith("imported 1, skipped 4: ")
    assert "config (this name belongs to a command of gptkit itself)" in output
    assert "not UTF-8" in output


def test_an_import_is_made_again_only_by_force(gptkit: InMemory, folder: Path) -> None:
    pattern(folder, "good", "x")
    assert imported(gptkit, folder) == "imported 1\n"
    assert imported(gptkit, folder) == "imported 0, skipped 1: good (replaces the prompt of this name)\n"
    assert imported(gptkit, folder, "--force") == "imported 1\n"


def test_what_is_refused(gptkit: InMemory, folder: Path) -> None:
    told = failure("'.': no patterns", "a pattern is a folder with a file system.md")
    assert gptkit("prompts", "import", "--from", "fabric", ".") == (66, "", told)
    told = failure("--from: 'llm' is not known", "allowed: fabric")
    assert gptkit("prompts", "import", "--from", "llm", ".") == (2, "", told)


def test_the_licence_stands_beside_the_sample() -> None:
    assert (PATTERNS / "LICENSE").read_text("utf-8").startswith("MIT License")
