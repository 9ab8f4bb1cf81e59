"""The sizes that keep every part of the package readable in one look."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "gptkit"
FILE_LINES, FUNCTION_LINES, PARAMETERS, SMALL = 500, 40, 6, 60


def test_the_package_keeps_to_the_sizes() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    assert files
    assert [fault for file in files for fault in faults(file)] == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1\n" * 500, []),
        ("x = 1\n" * 501, ["m.py: 501 lines"]),
        ("def f():\n" + "    x = 1\n" * 39, []),
        ("def f():\n" + "    x = 1\n" * 40, ["m.py:1: f has 41 lines"]),
        ("class A:\n    async def f(self):\n" + "        x = 1\n" * 40, ["m.py:2: f has 41 lines"]),
        ("class A:\n    def f(self, a, b, /, c, *d, e, **f): ...\n", []),
        ("class A:\n    def f(self, a, b, /, c, *d, e, f, **g): ...\n", ["m.py:2: f has 7 parameters"]),
        ("def f(a, b, c, d, *, e, f, g): ...\n", ["m.py:1: f has 7 parameters"]),
    ],
)
def test_each_size_is_enforced(tmp_path: Path, source: str, expected: list[str]) -> None:
    file = tmp_path / "m.py"
    file.write_text(source)
    assert faults(file) == expected


@pytest.mark.skipif(
    not (PACKAGE.parent / ".git").exists(), reason="not a clone: nobody knows what belongs here"
)
def test_the_top_level_is_short() -> None:
    """A file that a run has left there is no part of gptkit."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    assert {name.partition("/")[0] for name in listed.stdout.splitlines()} == {
        *(".ci", ".gitignore", "docs", "gptkit", "prompts", "tests"),
        *("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "README.zh.md"),
        *("constraints.txt", "pyproject.toml"),
    }


def test_no_small_file_serves_one_beside_it_alone() -> None:
    """What is shorter than a page and has one importer, in its own folder, is a part of that one."""
    assert appendages(PACKAGE) == []


def test_an_appendage_is_found(tmp_path: Path) -> None:
    package = tmp_path / "gptkit"
    (package / "one").mkdir(parents=True)
    (package / "two").mkdir()
    (package / "one" / "short.py").write_text("x = 1\n" * 59)
    (package / "one" / "user.py").write_text("def f(): from gptkit.one import short\n")
    assert appendages(package) == ["one.short"]
    (package / "two" / "other.py").write_text("from gptkit.one.short import x\n")
    assert appendages(package) == []


def test_no_class_name_stands_twice() -> None:
    """A reader who searches for a class finds one."""
    assert doubles(PACKAGE) == {}


def test_a_double_is_found(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("class A: ...\nclass _B: ...\n")
    (tmp_path / "two.py").write_text("def f():\n    class A: ...\nclass _B: ...\n")
    assert doubles(tmp_path) == {"A": ["one.py", "two.py"], "_B": ["one.py", "two.py"]}


def test_no_module_names_the_command_of_a_prompt_file() -> None:
    """A command is what its file says; Python knows capabilities."""
    prompts = "|".join(sorted(path.stem for path in (PACKAGE.parent / "prompts").glob("*.yaml")))
    named = re.compile(rf"(?<!makes )\bgptkit (?:{prompts})\b")
    assert named.search("'gptkit do --apply FILE'")
    modules = sorted(PACKAGE.rglob("*.py"))
    assert [file.name for file in modules if named.search(file.read_text("utf-8"))] == []


def doubles(package: Path) -> dict[str, list[str]]:
    places: dict[str, list[str]] = {}
    for file in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(str(file.relative_to(package)))
    return {name: files for name, files in places.items() if len(files) > 1}


def appendages(package: Path) -> list[str]:
    modules = {
        ".".join(file.relative_to(package).with_suffix("").parts): file for file in package.rglob("*.py")
    }
    importers: dict[str, set[str]] = {name: set() for name in modules}
    for name, file in modules.items():
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gptkit"):
                source = (node.module or "").removeprefix("gptkit").lstrip(".")
                for target in (source, *(f"{source}.{alias.name}".lstrip(".") for alias in node.names)):
                    importers.get(target, set()).add(name)
    return sorted(
        name
        for name, file in modules.items()
        if file.name != "__init__.py"
        and file.read_text("utf-8").count("\n") < SMALL
        and {one.rpartition(".")[0] for one in importers[name]} == {name.rpartition(".")[0]}
        and len(importers[name]) == 1
    )


def faults(file: Path) -> list[str]:
    text = file.read_text(encoding="utf-8")
    lines = text.count("\n")
    found = [f"{file.name}: {lines} lines"] if lines > FILE_LINES else []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > FUNCTION_LINES:
            found.append(f"{file.name}:{node.lineno}: {node.name} has {length} lines")
        if (count := parameters(node.args)) > PARAMETERS:
            found.append(f"{file.name}:{node.lineno}: {node.name} has {count} parameters")
    return found


def parameters(arguments: ast.arguments) -> int:
    """Without self and cls."""
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    starred = [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
    return len([a for a in named if a.arg not in {"self", "cls"}]) + len(starred)
