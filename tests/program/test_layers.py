"""The table of imports: who may import whom, that no circle closes, when costly imports happen, who touches
the streams."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "gptkit"
GROUND = ("encodings", "templates", "settings", "provider", "output", "history", "text", "readers")
BELOW_CAPABILITIES = ("core", *GROUND, "exchange", "services", "session", "repl", "jobs")
EVERYTHING = (*BELOW_CAPABILITIES, "capabilities", "cli", "app", "__init__")
MAY_IMPORT: Mapping[str, tuple[str, ...]] = {
    "__init__": (),
    "core": ("__init__",),
    **dict.fromkeys(GROUND, ("core", "__init__")),
    "exchange": ("core", "templates"),
    "services": ("core", *GROUND, "exchange"),
    "session": ("core", *GROUND, "exchange", "services"),
    "repl": ("core", *GROUND, "exchange", "services", "session"),
    "jobs": ("core", *GROUND, "exchange", "services", "session"),
    "capabilities": BELOW_CAPABILITIES,
    "app": EVERYTHING,
    "cli": EVERYTHING,
    "__main__": EVERYTHING,
}
"""By the first part of a module's name; each may import itself too. No capability imports another."""
PURE = (
    "encodings",
    "text",
    "templates.parse",
    "templates.parameters",
    "templates.render",
    "templates.template",
)
"""What neither reads nor writes."""
COSTLY = """
    openai httpx2 httpcore2 h11 pydantic rich yaml minijinja jsonschema sqlite3 ssl xllamacpp keyring regex
    platformdirs markdown_it subprocess tempfile mcp tiktoken genai_prices pypdfium2 python_calamine
    prompt_toolkit fsrs genanki Stemmer pathspec psycopg resiliparse
""".split()  # noqa: SIM905 - forty quotation marks say no more
SDK = {"openai", "httpx2", "httpcore2", "h11"}
NEVER = ("click", "typer._click")
FILE_CALLS = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "iterdir", "exists", "is_file"}
STREAMS = {"sys": ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__")} | {
    "os": ("environ", "environb", "getenv", "getenvb", "putenv", "unsetenv")
}


def test_the_package_keeps_to_the_table() -> None:
    assert list(PACKAGE.rglob("*.py"))
    assert faults(PACKAGE) == []


def test_no_imports_form_a_circle() -> None:
    """Those inside functions and those for annotations counted."""
    assert circles(PACKAGE) == []


def test_the_table_names_what_there_is() -> None:
    there = {file.stem if file.is_file() else file.name for file in PACKAGE.iterdir()} - {
        "__pycache__",
        "prompts",
    }
    assert set(MAY_IMPORT) == there


def faults(package: Path) -> list[str]:
    modules = modules_of(package)
    return [f"{name}: {fault}" for name, file in modules.items() for fault in _faults(name, file, modules)]


def circles(package: Path) -> list[list[str]]:
    """Modules that import each other in a circle, as strongly connected groups."""
    modules = modules_of(package)
    graph = {name: _imported(name, file, modules) & set(modules) for name, file in modules.items()}
    reached = {name: _reached(name, graph) for name in graph}
    groups = {tuple(sorted(o for o in reached[n] if n in reached[o])) for n in graph if n in reached[n]}
    return [list(group) for group in sorted(groups)]


def _reached(start: str, graph: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph[name]
    return found


def modules_of(package: Path) -> dict[str, Path]:
    return {_module(file, package): file for file in sorted(package.rglob("*.py"))}


def _faults(name: str, file: Path, modules: dict[str, Path]) -> Iterator[str]:
    unit = name.partition(".")[0]
    if unit not in MAY_IMPORT:
        yield "is not in the table"
        return
    tree = ast.parse(file.read_text(encoding="utf-8"))
    package = _package(name, file)
    for node, when in _imports(tree):
        for target in _targets(node, package, modules):
            yield from _import_faults(name, target, when)
    if name != "core.terminal":
        yield from _stream_faults(tree)
    if any(name == pure or name.startswith(f"{pure}.") for pure in PURE):
        calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        yield from (f"reads or writes: {call}" for call in sorted(calls) if call.split(".")[-1] in FILE_CALLS)


def _import_faults(name: str, target: str, when: str) -> Iterator[str]:
    unit, top = name.partition(".")[0], target.partition(".")[0]
    if top == "gptkit":
        if not _may_import(name, target.removeprefix("gptkit").lstrip(".") or "__init__"):
            yield f"may not import {target}"
        return
    if any(target == banned or target.startswith(banned + ".") for banned in NEVER):
        yield f"imports {target}"
    if top in COSTLY and when == "at once":
        yield f"imports {top} outside of a function"
    if top in SDK and unit != "provider":
        yield f"imports {top}, which is the provider's"
    if top == "typer" and unit in BELOW_CAPABILITIES:
        yield "imports typer, which is of the command line"
    if unit == "core" and top not in sys.stdlib_module_names and not (top in COSTLY and when != "at once"):
        yield f"imports {top}, which is not in the standard library"


def _may_import(name: str, target: str) -> bool:
    mine, other = name.split("."), target.split(".")
    if mine[0] == other[0] == "capabilities" and len(mine) > 1:
        return mine[1] == other[1] if len(other) > 1 else False
    return mine[0] == other[0] or other[0] in MAY_IMPORT[mine[0]]


def _imported(name: str, file: Path, modules: dict[str, Path]) -> set[str]:
    """With the packages around what is imported, which Python loads first; its own ones it is part of."""
    found: set[str] = set()
    for node, _ in _imports(ast.parse(file.read_text(encoding="utf-8"))):
        for target in _targets(node, _package(name, file), modules):
            other = target.removeprefix("gptkit.")
            while other:
                found.add(other)
                other = other.rpartition(".")[0]
    return {other for other in found if other != name and not name.startswith(f"{other}.")}


def _package(name: str, file: Path) -> str:
    return name if file.name == "__init__.py" else name.rpartition(".")[0]


def _imports(node: ast.AST, when: str = "at once") -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    """Every import and when it happens: at once, later (inside a function), or never (for annotations)."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, when
        elif isinstance(child, ast.If) and ast.unparse(child.test) in {
            "TYPE_CHECKING",
            "typing.TYPE_CHECKING",
        }:
            yield from _imports(ast.Module(child.body, []), "never")
            yield from _imports(ast.Module(child.orelse, []), when)
        else:
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(child, "later" if is_function and when == "at once" else when)


def _targets(node: ast.Import | ast.ImportFrom, package: str, modules: dict[str, Path]) -> Iterator[str]:
    """Whole names of the modules that are imported."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    parts = ["gptkit", *(part for part in package.split(".") if part not in ("", "__init__"))]
    base = ".".join(parts[: len(parts) + 1 - node.level]) if node.level else ""
    source = ".".join(filter(None, [base, node.module]))
    for alias in node.names:
        whole = f"{source}.{alias.name}"
        is_module = whole.removeprefix("gptkit.") in modules or whole in NEVER
        yield whole if is_module else source


def _stream_faults(tree: ast.Module) -> Iterator[str]:
    aliases = {
        a.asname or a.name: a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            used = [(node.module or "", alias.name) for alias in node.names]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used = [(aliases.get(node.value.id, ""), node.attr)]
        else:
            used = []
        yield from (f"uses {m}.{attribute}" for m, attribute in used if attribute in STREAMS.get(m, ()))
        if isinstance(node, ast.Name) and node.id == "print":
            yield "uses print"
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "input":
            yield "uses input"


def _module(file: Path, package: Path) -> str:
    """The name below the package; the package itself is `__init__`."""
    parts = file.relative_to(package).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "__init__"


IMPORTS = [
    ("core.errors", "import gptkit.core.chat", ""),
    ("core.errors", "from gptkit.core import chat", ""),
    ("core.errors", "from gptkit.text.chunk import A", "may not import gptkit.text.chunk"),
    ("session.call", "import typer", "imports typer, which is of the command line"),
    ("core.errors", "import attrs", "imports attrs, which is not in the standard library"),
    ("core.paths", "def f(): import platformdirs", ""),
    ("templates.parse", "from gptkit.templates.template import A\nfrom gptkit.core.yaml_tree import B", ""),
    ("templates.parse", "from . import template", ""),
    ("templates.parse", "from ..text import chunk", "may not import gptkit.text.chunk"),
    ("templates.parse", "def f(): from ..text import chunk", "may not import gptkit.text.chunk"),
    ("provider.client", "from gptkit.settings import load", "may not import gptkit.settings.load"),
    ("provider.client", "if TYPE_CHECKING: import gptkit.exchange.ask", "may not import gptkit.exchange.ask"),
    ("exchange.ask", "from gptkit.exchange.retry import A\nfrom gptkit.templates.template import B", ""),
    ("exchange.ask", "from gptkit.provider.client import p", "may not import gptkit.provider.client"),
    ("services", "from gptkit.provider.client import p\nfrom gptkit.exchange import ask", ""),
    ("services", "from gptkit.cli.root import run", "may not import gptkit.cli.root"),
    ("jobs.map", "from gptkit.session.record import A\nimport gptkit.services", ""),
    ("jobs.map", "from gptkit.repl.loop import A", "may not import gptkit.repl.loop"),
    ("jobs.map", "import typer", "imports typer, which is of the command line"),
    ("capabilities.course.lesson", "from gptkit.capabilities.course import config\nimport typer", ""),
    (
        "capabilities.course.lesson",
        "import gptkit.capabilities.long.job",
        "may not import gptkit.capabilities.long.job",
    ),
    ("capabilities.course.lesson", "from gptkit import capabilities", "may not import gptkit.capabilities"),
    ("capabilities.course.lesson", "from gptkit.cli.root import A", "may not import gptkit.cli.root"),
    ("cli.root", "from gptkit.capabilities import A\nfrom gptkit.core.terminal import T\nimport typer", ""),
    ("cli.root", "from gptkit.__main__ import main", "may not import gptkit.__main__"),
    ("cli.root", "from gptkit.unheard import x", "may not import gptkit.unheard"),
    ("__main__", "from gptkit.cli.root import run", ""),
    ("__init__", "import gptkit.cli", "may not import gptkit.cli"),
    ("unheard", "", "is not in the table"),
    ("unheard.part", "", "is not in the table"),
]
COSTS = [
    ("provider.client", "import openai", "imports openai outside of a function"),
    ("provider.client", "import openai.types", "imports openai outside of a function"),
    ("provider.client", "try:\n import ssl\nexcept A: pass", "imports ssl outside of a function"),
    ("provider.client", "class A:\n import openai", "imports openai outside of a function"),
    ("provider.client", "class A:\n def f(self):\n  import openai", ""),
    ("provider.client", "if TYPE_CHECKING: import openai", ""),
    ("provider.client", "if typing.TYPE_CHECKING: from openai import A", ""),
    ("provider.client", "if TYPE_CHECKING: pass\nelse: import ssl", "imports ssl outside of a function"),
    ("provider.client", "if not TYPE_CHECKING: import ssl", "imports ssl outside of a function"),
    ("settings.load", "from yaml import CSafeLoader", "imports yaml outside of a function"),
    ("cli.doctor", "def f(): import openai", "imports openai, which is the provider's"),
    ("cli.root", "def f(): import click", "imports click"),
    ("cli.root", "from click.testing import A", "imports click.testing"),
    ("cli.root", "import typer._click", "imports typer._click"),
    ("cli.root", "from typer import _click", "imports typer._click"),
    ("cli.root", "from typer._click.core import A", "imports typer._click.core"),
    ("cli.root", "import typer\nimport clickhouse", ""),
]
FILE_USES = [
    ("encodings.decode", "open('a')", "reads or writes: open"),
    ("templates.parse", "def f(path): return path.read_text()", "reads or writes: path.read_text"),
    ("templates.library", "def f(path): return path.read_text()", ""),
]
STREAM_USES = [
    ("def f(): print(1)", "uses print"),
    ("show = print", "uses print"),
    ("input()", "uses input"),
    ("import sys\nsys.stdout.write('')", "uses sys.stdout"),
    ("import sys as s\ns.stdin.buffer", "uses sys.stdin"),
    ("from sys import stderr", "uses sys.stderr"),
    ("import os\nos.environ['HOME']", "uses os.environ"),
    ("def f():\n import os\n return os.getenv('HOME')", "uses os.getenv"),
    ("from os import environ", "uses os.environ"),
]


@pytest.mark.parametrize(("module", "source", "fault"), [*IMPORTS, *COSTS, *FILE_USES])
def test_each_rule_bites(tmp_path: Path, module: str, source: str, fault: str) -> None:
    assert _faults_of(tmp_path, module, source) == ([f"{module}: {fault}"] if fault else [])


@pytest.mark.parametrize("how", ["{}", "def f():\n    {}", "if TYPE_CHECKING:\n    {}"])
def test_a_circle_is_found_however_it_is_closed(tmp_path: Path, how: str) -> None:
    package = tmp_path / "gptkit"
    for name, other in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")):
        (package / "core").mkdir(parents=True, exist_ok=True)
        (package / "core" / f"{name}.py").write_text(how.format(f"from gptkit.core import {other}"))
    assert circles(package) == [["core.a", "core.b", "core.c"]]


@pytest.mark.parametrize(("source", "fault"), STREAM_USES)
def test_streams_and_environment_belong_to_the_terminal(tmp_path: Path, source: str, fault: str) -> None:
    assert _faults_of(tmp_path / "a", "cli.root", source) == [f"cli.root: {fault}"]
    assert _faults_of(tmp_path / "b", "core.terminal", source) == []


def _faults_of(folder: Path, module: str, source: str) -> list[str]:
    """Faults of a package with this one module in it, and with those that sources import by name alone."""
    package = folder / "gptkit"
    others = (
        "core.chat",
        "text.chunk",
        "templates.template",
        "settings.load",
        "exchange.ask",
        "capabilities",
    )
    for name in ("__init__", *others, "capabilities.course.config", module):
        file = package.joinpath(*name.split(".")).with_suffix(".py")
        if name == "capabilities":
            file = package / "capabilities" / "__init__.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source if name == module else "")
    return faults(package)
