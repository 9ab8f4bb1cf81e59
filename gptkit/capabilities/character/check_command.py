"""Says what is wrong with character cards, by field or by line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.capabilities.character.library import card_library
from gptkit.core.errors import GptkitError, NoInputError
from gptkit.exchange.capability import FileReport

if TYPE_CHECKING:
    from gptkit.services import Services


SUFFIXES = (".png", ".apng", ".json", ".charx")
"""Endings that no prompt file has."""


def check_file(services: Services, name: str) -> FileReport | None:
    """What is wrong with the card that a name means; None where a prompt is meant."""
    path = _card(services, name)
    return None if path is None else _report(path)


def _card(services: Services, name: str) -> Path | None:
    path = Path(name)
    if path.suffix.lower() in SUFFIXES:
        return path
    if path.suffix.lower() in (".yaml", ".yml"):
        return path if _is_sheet(services, path) else None
    if services.library.find(name) or name in services.library.files():
        return None
    from gptkit.capabilities.character.library import named

    try:
        return named(name, card_library(services).folder)
    except NoInputError:  # then it is a prompt's, and is said to be missing as such
        return None


def _report(path: Path) -> FileReport:
    """Raises NoInputError or CannotReadError."""
    from gptkit.capabilities.character.library import examined

    found = examined(path)
    told = [_told(path, one.field, one.message) for one in found.findings]
    told += [
        _told(f"{path}:{one.line}", one.key, one.message) + (f" ({one.hint})" if one.hint else "")
        for one in sorted(found.problems, key=lambda one: one.line)
    ]
    if found.fault is not None and not told:
        told = [found.fault.message]
    if not told and found.card is not None:
        told = [f"{path}: ok ({found.card.form}, '{found.card.name}')"]
    return FileReport("card", tuple(told), found.card is None)


def _told(place: object, field: str, message: str) -> str:
    return f"{place}: {field}: {message}" if field else f"{place}: {message}"


def _is_sheet(services: Services, path: Path) -> bool:
    """A character of gptkit's own format has a name, which a prompt file has not."""
    from gptkit.core.yaml_tree import parse_yaml

    if path.parent.resolve() == card_library(services).folder.resolve():
        return True
    try:
        root = parse_yaml(path.read_text("utf-8-sig"), str(path))
    except (OSError, ValueError, GptkitError):
        return False
    return isinstance(root.value, dict) and "name" in root.value
