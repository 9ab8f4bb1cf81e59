"""The sizes that keep every part of the package readable in one look."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "gptkit"
FILE_LINES, FUNCTION_LINES, PARAMETERS = 500, 40, 7


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
        ("class A:\n    def f(self, a, b, /, c, *d, e, f, **g): ...\n", []),
        ("class A:\n    def f(self, a, b, /, c, *d, e, f, g, **h): ...\n", ["m.py:2: f has 8 parameters"]),
        ("def f(a, b, c, d, *, e, f, g, h): ...\n", ["m.py:1: f has 8 parameters"]),
    ],
)
def test_each_size_is_enforced(tmp_path: Path, source: str, expected: list[str]) -> None:
    file = tmp_path / "m.py"
    file.write_text(source)
    assert faults(file) == expected


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
