"""What is imported is declared, and what is installed has a tested version."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(each).name) for each in requirements}


def imported(folder: Path) -> Iterator[tuple[str, str]]:
    """The distribution of each module that is imported anywhere, of the standard library and of ours none."""
    distributions = packages_distributions()
    own = {"gptkit", *(file.stem for file in (ROOT / "tests").rglob("*.py")), "fake"}
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            modules = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            for module in (each.partition(".")[0] for each in modules):
                if module not in sys.stdlib_module_names and module not in own:
                    name = distributions.get(module, [module])[0]
                    yield canonicalize_name(name), str(file.relative_to(ROOT))


def test_what_is_imported_is_declared() -> None:
    declared = names(PROJECT["dependencies"])
    for_users = declared | names([each for extra, of in EXTRAS.items() if extra != "test" for each in of])
    assert {(name, file) for name, file in imported(ROOT / "gptkit") if name not in for_users} == set()
    for_tests = declared | names(EXTRAS["test"])
    assert {(name, file) for name, file in imported(ROOT / "tests") if name not in for_tests} == set()


def test_every_dependency_has_a_tested_version() -> None:
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines())
    waiting = [
        Requirement(each) for each in [*PROJECT["dependencies"], *(e for of in EXTRAS.values() for e in of)]
    ]
    seen: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        try:
            waiting.extend(map(Requirement, requires(name) or []))
        except PackageNotFoundError:  # an extra that the tests do without
            continue
    assert "pydantic-core" in seen, "a dependency of a dependency of a dependency"
    assert seen - {canonicalize_name(each) for each in pinned} == set()


def test_the_commands_of_the_readme_take_the_tested_versions() -> None:
    for page in ("README.md", "CONTRIBUTING.md"):
        commands = re.findall(r"\.venv(?:-test)?/bin/pip install .*", (ROOT / page).read_text("utf-8"))
        assert commands
        assert [each for each in commands if "-c constraints.txt" not in each] == []
