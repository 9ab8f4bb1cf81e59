"""The layers of the package: who may import whom, when costly imports happen, who touches the streams."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "gptkit"
SIDE_BY_SIDE = 2  # packages of this layer do not know each other
LAYERS = {
    **dict.fromkeys(
        ["", "errors", "chat", "paths", "files", "lock", "database", "access", "streams", "excerpt"], 0
    ),
    **dict.fromkeys(["sanitize", "redact", "templates", "documents"], 1),
    **dict.fromkeys(["settings", "terminal", "provider", "output", "prices"], 2),
    **dict.fromkeys(["templates.library", "templates.shelves", "templates.kept", "documents.load"], 2),
    **dict.fromkeys(["history", "memory", "retrieval", "tools"], 2),
    "characters": 1,
    **dict.fromkeys(["characters.load", "characters.sheet"], 2),
    "learning": 1,
    **dict.fromkeys([f"learning.{name}" for name in ("parse", "rubrics", "files", "schedule", "export")], 2),
    "learning.courses": 2,
    "engine": 3,
    "services": 4,
    **dict.fromkeys(["cli", "capabilities"], 5),
    "__main__": 6,
}
ALLOWED = {0: {0}, 1: {0, 1}, 2: {0, 1, 2}, 3: {0, 1, 3}, 4: {0, 1, 2, 3, 4}}
COSTLY = """
    openai httpx2 httpcore2 h11 pydantic rich yaml minijinja jsonschema sqlite3 ssl xllamacpp keyring
    platformdirs markdown_it subprocess tempfile mcp tiktoken genai_prices pypdfium2 python_calamine
    prompt_toolkit fsrs genanki regex
""".split()  # noqa: SIM905 - forty quotation marks say no more
SDK = {"openai", "httpx2", "httpcore2", "h11"}
NEVER = ("click", "typer._click")
FILE_CALLS = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "iterdir", "exists", "is_file"}
STREAMS = {"sys": ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__")} | {
    "os": ("environ", "environb", "getenv", "getenvb", "putenv", "unsetenv")
}


def test_the_package_keeps_to_its_layers() -> None:
    assert list(PACKAGE.rglob("*.py"))
    assert faults(PACKAGE) == []


def faults(package: Path) -> list[str]:
    modules = {_module(file, package): file for file in sorted(package.rglob("*.py"))}
    return [
        f"{name or package.name}: {fault}"
        for name, file in modules.items()
        for fault in _faults(name, file, modules)
    ]


def _faults(name: str, file: Path, modules: dict[str, Path]) -> Iterator[str]:
    if layer(name) is None:
        yield "has no layer"
        return
    tree = ast.parse(file.read_text(encoding="utf-8"))
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node, when in _imports(tree):
        for target in _targets(node, package, modules):
            yield from _import_faults(name, target, when)
    if name != "terminal":
        yield from _stream_faults(tree)
    if layer(name) == 1:
        calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        yield from (f"reads or writes: {call}" for call in sorted(calls) if call.split(".")[-1] in FILE_CALLS)


def _import_faults(name: str, target: str, when: str) -> Iterator[str]:
    top = target.partition(".")[0]
    if top == "gptkit":
        if not _may_import(name, target.removeprefix("gptkit").lstrip(".")):
            yield f"may not import {target}"
        return
    if any(target == banned or target.startswith(banned + ".") for banned in NEVER):
        yield f"imports {target}"
    if top in COSTLY and when == "at once":
        yield f"imports {top} outside of a function"
    if top in SDK and name.partition(".")[0] != "provider":
        yield f"imports {top}, which is the provider's"
    if layer(name) == 0 and top not in sys.stdlib_module_names and not (top in COSTLY and when == "later"):
        yield f"imports {top}, which is not in the standard library"


def _may_import(name: str, target: str) -> bool:
    mine, other = layer(name), layer(target)
    if mine is None or other is None or other not in ALLOWED.get(mine, range(mine + 1)):
        return False
    same_package = name.partition(".")[0] == target.partition(".")[0]
    return same_package or mine != other or mine not in {1, SIDE_BY_SIDE}


def layer(name: str) -> int | None:
    """The layer of the longest part of the name that the table knows; a part of a part is its package's."""
    while name not in LAYERS and "." in name:
        name = name.rpartition(".")[0]
    return LAYERS.get(name)


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
    parts = ["gptkit", *filter(None, package.split("."))]
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
    parts = file.relative_to(package).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


IMPORTS = [
    ("errors", "import gptkit.chat", ""),
    ("errors", "from gptkit import chat", ""),
    ("errors", "from gptkit.sanitize import visible", "may not import gptkit.sanitize"),
    ("errors", "import typer", "imports typer, which is not in the standard library"),
    ("paths", "def f(): import platformdirs", ""),
    ("sanitize", "from gptkit.templates.model import A", "may not import gptkit.templates.model"),
    ("templates.parse", "from gptkit.templates.model import A", ""),
    ("templates.parse", "from . import model", ""),
    ("templates.parse", "from .library import A", "may not import gptkit.templates.library"),
    ("templates.parse", "def f(): from . import library", "may not import gptkit.templates.library"),
    ("templates.parse", "from ..documents import decode", "may not import gptkit.documents.decode"),
    ("templates.library", "from gptkit.templates.model import A\nfrom gptkit.documents import x", ""),
    ("templates.library", "import gptkit.output.sinks", "may not import gptkit.output.sinks"),
    ("provider.client", "from gptkit.provider.errors import A", ""),
    ("provider.client", "from gptkit.settings import load", "may not import gptkit.settings"),
    ("provider.client", "from gptkit import settings", "may not import gptkit.settings"),
    ("provider.client", "from gptkit.terminal import Terminal", "may not import gptkit.terminal"),
    ("provider.client", "if TYPE_CHECKING: import gptkit.engine.ask", "may not import gptkit.engine.ask"),
    ("engine.ask", "from gptkit.engine.attempts import A\nfrom gptkit.chat import B", ""),
    ("engine.ask", "from gptkit.provider.client import p", "may not import gptkit.provider.client"),
    ("services", "from gptkit.provider.client import p\nfrom gptkit.engine import ask", ""),
    ("services", "from gptkit.cli.main import run", "may not import gptkit.cli.main"),
    ("cli.main", "from gptkit.services import A\nfrom gptkit.terminal import T", ""),
    ("cli.main", "from gptkit.__main__ import main", "may not import gptkit.__main__"),
    ("cli.main", "from gptkit.unheard import x", "may not import gptkit.unheard"),
    ("__main__", "from gptkit.cli.main import run", ""),
    ("", "import gptkit.cli", "may not import gptkit.cli"),
    ("unheard", "", "has no layer"),
    ("unheard.part", "", "has no layer"),
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
    ("cli.main", "def f(): import click", "imports click"),
    ("cli.main", "from click.testing import A", "imports click.testing"),
    ("cli.main", "import typer._click", "imports typer._click"),
    ("cli.main", "from typer import _click", "imports typer._click"),
    ("cli.main", "from typer._click.core import A", "imports typer._click.core"),
    ("cli.main", "import typer\nimport clickhouse", ""),
]
FILE_USES = [
    ("documents.decode", "open('a')", "reads or writes: open"),
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
    assert _faults_of(tmp_path, module, source) == ([f"{module or 'gptkit'}: {fault}"] if fault else [])


@pytest.mark.parametrize(("source", "fault"), STREAM_USES)
def test_streams_and_environment_belong_to_the_terminal(tmp_path: Path, source: str, fault: str) -> None:
    assert _faults_of(tmp_path / "a", "cli.main", source) == [f"cli.main: {fault}"]
    assert _faults_of(tmp_path / "b", "terminal", source) == []


def _faults_of(folder: Path, module: str, source: str) -> list[str]:
    """Faults of a package with this one module in it, and with those that sources import by name alone."""
    package = folder / "gptkit"
    for name in ("chat", "settings", "documents.decode", "templates.model", "templates.library", module):
        parts = [part for part in name.split(".") if part]
        file = package.joinpath(*parts).with_suffix(".py") if parts else package / "__init__.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source if name == module else "")
    return faults(package)
