"""Check a character card for `prompts check`: findings by field or by line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.capabilities.character.library import card_library
from gptkit.core.errors import GptkitError, NoInputError
from gptkit.exchange.capability import FileReport

if TYPE_CHECKING:
    from gptkit.services import Services


SUFFIXES = (".png", ".apng", ".json", ".charx")
"""Endings of file names that no prompt file has."""


def check_file(services: Services, name: str) -> FileReport | None:
    """Check the card that a name means; None if the name means a prompt."""
    path = _card(services, name)
    return None if path is None else _report(path)


def _card(services: Services, name: str) -> Path | None:
    path = Path(name)
    if path.suffix.lower() in SUFFIXES:
        return path
    if path.suffix.lower() in (".yaml", ".yml"):
        return path if _is_character_file(services, path) else None
    if services.library.find(name) or name in services.library.files():
        return None
    from gptkit.capabilities.character.library import card_path

    try:
        return card_path(name, card_library(services).folder)
    except NoInputError:  # the name is that of a prompt, which then is reported as missing
        return None


def _report(path: Path) -> FileReport:
    """Examine a card; raises NoInputError or CannotReadError."""
    from gptkit.capabilities.character.library import examine

    examination = examine(path)
    lines = [_describe(path, problem.field, problem.message) for problem in examination.findings]
    lines += [
        _describe(f"{path}:{problem.line}", problem.key, problem.message)
        + (f" ({problem.hint})" if problem.hint else "")
        for problem in sorted(examination.problems, key=lambda problem: problem.line)
    ]
    if examination.fault is not None and not lines:
        lines = [examination.fault.message]
    if not lines and examination.card is not None:
        lines = [f"{path}: ok ({examination.card.specification}, '{examination.card.name}')"]
    return FileReport("card", tuple(lines), examination.card is None)


def _describe(place: object, field: str, message: str) -> str:
    return f"{place}: {field}: {message}" if field else f"{place}: {message}"


def _is_character_file(services: Services, path: Path) -> bool:
    """Whether a YAML file is a character, which has a `name`, unlike a prompt file."""
    from gptkit.core.yaml_tree import parse_yaml

    if path.parent.resolve() == card_library(services).folder.resolve():
        return True
    try:
        root = parse_yaml(path.read_text("utf-8-sig"), str(path))
    except (OSError, ValueError, GptkitError):
        return False
    return isinstance(root.value, dict) and "name" in root.value
