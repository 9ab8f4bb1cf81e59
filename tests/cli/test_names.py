"""Names of prompts and profiles are words, never paths; files that are too much are refused at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake.program import InMemory, Surroundings
from work import within

NAMES = {
    "parent": "../ask",
    "deep parent": "../../../../etc/passwd",
    "inner parent": "a/../ask",
    "windows parent": "..\\ask",
    "absolute": "/etc/passwd",
    "drive": "C:ask",
    "current": ".",
    "dots": "..",
    "hidden": ".ask",
    "NUL": "ask\x00",
    "empty": "",
    "space": " ",
    "trailing space": "ask ",
    "long": "a" * 300,
    "very long": "a" * 70_000,
    "device": "con",
    "upper device": "CON",
    "NUL device": "nul",
    "numbered device": "com1",
    "device with an ending": "nul.txt",
    "full-width slash": "..\uff0fask",
    "fraction slash": "..\u2044ask",
    "newline": "ask\n",
    "carriage return": "ask\rx",
    "escape": "\x1b[2Jask",
    "bidi": "\u202eksa",
    "upper": "Ask",
    "surrogate": "ask\udcff",
    "underscore": "my_ask",
    "glob": "a*",
    "tilde": "~root",
    "full-width": "\uff41sk",
    "combining": "e\u0301cho",
}
PROMPT_COMMANDS = {
    "show": ("prompts", "show"),
    "path": ("prompts", "path"),
    "new": ("prompts", "new"),
    "edit": ("prompts", "edit"),
    "check": ("prompts", "check"),
    "render": ("prompts", "render"),
    "test": ("prompts", "test"),
    "run": (),
}
PROFILE_COMMANDS = {
    "show": ("profiles", "show"),
    "new": ("profiles", "new"),
    "use": ("profiles", "use"),
    "remove": ("profiles", "remove"),
    "config set": ("config", "set", "model", "x", "--profile"),
    "config list": ("config", "list", "--profile"),
    "option": ("ask", "hi", "--model", "echo", "--profile"),
    "setting": ("config", "set", "profile"),
    "models": ("models", "--profile"),
    "doctor": ("doctor", "--profile"),
}


def tree(folder: Path) -> list[str]:
    """All files but the prompts that are kept parsed."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in files if not path.match("cache/prompts/*.json"))


def refused(errors: str) -> bool:
    """A message of one or two lines in which nothing could be obeyed."""
    return (
        errors.startswith("gptkit: ")
        and 1 <= errors.count("\n") <= 2
        and len(errors) < 3000
        and all(each.isprintable() or each == "\n" for each in errors)
    )


@pytest.mark.parametrize("command", PROMPT_COMMANDS)
def test_a_prompt_is_named_by_a_word(gptkit: InMemory, tmp_path: Path, command: str) -> None:
    (tmp_path / "ask.yaml").write_text("system: stolen\n")
    (tmp_path / "home" / "ask.yaml").write_text("system: stolen\n")
    before = tree(tmp_path)
    for what, name in NAMES.items():
        if command == "path" and not name:
            continue  # the folder of one's own prompts
        args = (*PROMPT_COMMANDS[command], name)
        code, output, errors = gptkit(*args, stdin="", env={"EDITOR": "touch"})
        assert (output, refused(errors)) == ("", True), (what, output, errors)
        assert code == (66 if command not in ("new", "run") else 2), (what, code, errors)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("command", PROFILE_COMMANDS)
def test_a_profile_is_named_by_a_word(gptkit: InMemory, tmp_path: Path, command: str) -> None:
    before = tree(tmp_path)
    for what, name in NAMES.items():
        code, output, errors = gptkit(*PROFILE_COMMANDS[command], name, stdin="")
        assert (output, refused(errors)) == ("", True), (what, output, errors)
        assert code in ((2,) if command not in ("option", "models", "doctor") else (2, 78)), (
            what,
            code,
            errors,
        )
    assert tree(tmp_path) == before


def test_a_profile_of_the_environment_is_named_by_a_word(gptkit: InMemory) -> None:
    for what, name in NAMES.items():
        if name.strip():
            code, _, errors = gptkit("ask", "hi", "--model", "echo", env={"GPTKIT_PROFILE": name})
            assert (code, refused(errors)) == (78, True), (what, errors)


def test_a_prompt_extends_a_word(gptkit: InMemory, home: Path, tmp_path: Path) -> None:
    (tmp_path / "ask.yaml").write_text("system: stolen\n")
    prompts = home / "config" / "prompts"
    prompts.mkdir(parents=True)
    for what, name in NAMES.items():
        if name.strip() in ("", "ask") or "\udcff" in name or len(name) > 1000:
            continue
        (prompts / "mine.yaml").write_text(f"extends: {json.dumps(name)}\n")
        code, output, errors = gptkit("mine", "hi", "--model", "echo")
        assert (code, output, refused(errors)) == (65, "", True), (what, errors)


@pytest.mark.parametrize("command", ["check", "test"])
def test_a_file_that_cannot_be_named_is_not_there(gptkit: InMemory, command: str) -> None:
    for name in (
        "a" * 300 + ".yaml",
        "a\x00.yaml",
        "\x1b.yaml",
        "/nowhere/x.yml",
        ".yaml",
        "a/" * 3000 + ".yaml",
    ):
        code, output, errors = gptkit("prompts", command, name)
        assert (code, output, refused(errors)) == (66, "", True), (name[:20], errors)


def bomb() -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for number, letter in enumerate("bcdefghi"):
        before = "abcdefghi"[number]
        lines.append(f"{letter}: &{letter} [{', '.join([f'*{before}'] * 9)}]")
    return "\n".join(lines) + "\n"


TOO_MUCH = {
    "aliases that explode": bomb(),
    "10 MB": "system: " + "x" * 10_000_000 + "\n",
    "10 MB of comments": "# x\n" * 2_500_000,
    "deep": "a: " + "[" * 100_000 + "\n",
    "deep mappings": "{a: " * 100_000 + "\n",
    "deep blocks": "\n".join(" " * depth + "a:" for depth in range(1000)) + "\n",
    "many values": "a: [" + "1," * 400_000 + "]\n",
    "many keys": "".join(f"k{number}: 1\n" for number in range(80_000)),
    "tag": "a: !!python/object/apply:os.system [touch owned]\n",
    "verbatim tag": "a: !<tag:yaml.org,2002:python/object/new:os.system> [touch owned]\n",
    "binary": "\x00\x01\x02" * 1000,
    "duplicate keys": "model: a\nmodel: b\n",
    "merge": "<<: {model: a}\n",
    "self": "&a [*a]\n",
    "two documents": "model: a\n---\nmodel: b\n",
    "long number": "temperature: " + "9" * 500_000 + "\n",
    "directive": "%YAML 9.9\n---\nmodel: a\n",
}
PLACES = {
    "settings": ("config/config.yaml", 78, ("ask", "hi", "--model", "echo")),
    "keys": ("config/keys.yaml", 78, ("keys", "list")),
    "keys for a request": ("config/keys.yaml", 78, ("ask", "hi")),
    "prompt": ("config/prompts/mine.yaml", 65, ("mine", "hi", "--model", "echo")),
    "check": ("config/prompts/mine.yaml", 65, ("prompts", "check", "mine")),
    "show": ("config/prompts/mine.yaml", 65, ("prompts", "render", "mine", "hi")),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_file_that_is_too_much_is_refused_at_once(
    gptkit: InMemory, home: Path, around: Surroundings, place: str
) -> None:
    path, expected, args = PLACES[place]
    file = home / path
    file.parent.mkdir(parents=True)
    for what, text in TOO_MUCH.items():
        if "keys" in place and what == "long number":
            continue
        file.write_text(text)
        file.chmod(0o600)
        key = None if "keys" in place else "sk-test"
        code, output, errors = within(20_000_000, gptkit, *args, key=key)
        assert (code, errors.count("\n") <= 2) == (expected, True), (what, output, errors)
        assert len(output) + len(errors) < 10_000, what
        listed = gptkit("ask", "--help")
        assert listed.code == 0 or place == "settings", what
    assert not (around.folder / "owned").exists()


def test_a_broken_prompt_takes_no_other_down(gptkit: InMemory, home: Path) -> None:
    folder = home / "config" / "prompts"
    folder.mkdir(parents=True)
    for number, text in enumerate(TOO_MUCH.values()):
        (folder / f"broken{number}.yaml").write_text(text)
    assert gptkit("ask", "hi", "--model", "echo") == (0, "hi\n", "")
    assert gptkit("--help").code == 0
    assert gptkit("prompts", "list").code == 0
