"""Find and read the user's character cards."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gptkit.capabilities.character import card_files, card_yaml
from gptkit.capabilities.character.card import Card, CardFinding
from gptkit.core.errors import CannotReadError, DataError, NoInputError
from gptkit.core.files import cause
from gptkit.core.yaml_tree import Problem, YamlFileError

if TYPE_CHECKING:
    from gptkit.services import Services


SUFFIXES = (".yaml", ".yml", ".json", ".png", ".apng", ".charx")
_NAME = re.compile(r"\w[\w -]{0,99}")
_LONGEST = 4096
"""Characters of a path; a longer word is a description of a character."""
_DEVICES = re.compile(r"con|prn|aux|nul|(?:com|lpt)[0-9]", re.IGNORECASE)


class CardExamination(NamedTuple):
    """A card and all its problems."""

    card: Card | None  # None if the card cannot be used
    findings: tuple[CardFinding, ...] = ()  # by field
    problems: tuple[Problem, ...] = ()  # by line, of a card in gptkit's own format
    fault: DataError | None = None  # why the card cannot be used


def load_card(path: Path) -> Card:
    """Read the card in a file; raises NoInputError, CannotReadError or DataError."""
    return _card(_content(path), path, [])


def examine(path: Path) -> CardExamination:
    """Read a card with all its problems; raises NoInputError or CannotReadError."""
    data = _content(path)
    findings: list[CardFinding] = []
    try:
        card = _card(data, path, findings)
    except YamlFileError as broken:
        return CardExamination(None, (), broken.problems, broken)
    except DataError as fault:
        return CardExamination(None, tuple(findings), (), fault)

    return CardExamination(card, (*findings, *card_yaml.find_problems(card)))


def find_card_file(word: str, folder: Path) -> Path | None:
    """Return the file that a word means; None if the word describes a character.

    A word that ends like a card's file is always a path. Another path, or a name in `folder`, counts only if
    there is such a file.
    """
    if "\n" in word or len(word) > _LONGEST:
        return None
    path = Path(word)
    if path.suffix.lower() in SUFFIXES:
        return path
    if "/" in word or len(path.parts) > 1:
        return path if _is_file(path) else None
    try:
        return card_path(word, folder)
    except NoInputError:
        return None


class CardLibrary:
    """The cards of a run, each read once.

    `window` returns the context window of a model in tokens, if so many tokens are needed; None if unknown.
    """

    def __init__(self, folder: Path, window: Callable[[str, int], int | None]) -> None:
        self.folder = folder
        self.window = window
        self._read: dict[str, Card | None] = {}

    def card(self, word: str) -> Card | None:
        """Return the card that a word means, None for a description; raises the errors of `load_card`."""
        if word not in self._read:
            path = find_card_file(word, self.folder)
            self._read[word] = None if path is None else load_card(path)
        return self._read[word]


def card_path(name: str, folder: Path) -> Path:
    """Return the file of a card by its name; raises NoInputError."""
    if _NAME.fullmatch(name) and not _DEVICES.fullmatch(name):
        for suffix in SUFFIXES:
            path = folder / f"{name}{suffix}"
            if _is_file(path):
                return path
    raise NoInputError(f"no character named '{name}'", hint=f"give a path, or put a card into '{folder}'")


def _card(data: bytes, path: Path, findings: list[CardFinding]) -> Card:
    if path.suffix.lower() not in (".yaml", ".yml"):
        return card_files.read_card(data, str(path), findings.append)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise YamlFileError(str(path), (Problem(line, "", "not UTF-8"),)) from None
    return card_yaml.parse_card(text, str(path))


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(card_files.FILE_CAP + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoInputError(f"'{path}': no such file") from error
    except (OSError, ValueError) as error:
        raise CannotReadError(f"cannot read '{path}': {cause(error)}") from error
    if not data:
        raise NoInputError(f"'{path}': empty")
    return data


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except ValueError:  # it holds a NUL
        return False
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise CannotReadError(f"cannot read '{path}': {cause(error)}") from error


def card_library(services: Services, keeping: bool = True) -> CardLibrary:
    """Return the library of a run; `keeping` has no effect, since a library stores nothing."""
    return services.shared(_card_library)


def _card_library(services: Services) -> CardLibrary:
    return CardLibrary(services.paths.config / "characters", services.context_window)
