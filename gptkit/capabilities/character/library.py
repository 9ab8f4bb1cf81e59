"""The user's character cards, of the services of a run."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gptkit.capabilities.character import card_files, card_yaml
from gptkit.capabilities.character.card import Card, Finding
from gptkit.core.errors import CannotReadError, DataError, NoInputError
from gptkit.core.files import cause
from gptkit.core.yaml_tree import Problem, YamlFileError

if TYPE_CHECKING:
    from gptkit.services import Services


SUFFIXES = (".yaml", ".yml", ".json", ".png", ".apng", ".charx")
_NAME = re.compile(r"\w[\w -]{0,99}")
_LONGEST = 4096
"""Characters of a path at most; what is longer was not typed as one."""
_DEVICES = re.compile(r"con|prn|aux|nul|(?:com|lpt)[0-9]", re.IGNORECASE)


class Examination(NamedTuple):
    """What is wrong with a card; `card` is None when it cannot be used. `fault` says why it cannot.

    `problems` are those of gptkit's own format, by line; `findings` those of the others, by field.
    """

    card: Card | None
    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()
    fault: DataError | None = None


def card(path: Path) -> Card:
    """The card in a file; raises NoInputError, CannotReadError or DataError."""
    return _card(_content(path), path, [])


def examined(path: Path) -> Examination:
    """The card with all that is wrong with it; raises NoInputError or CannotReadError."""
    data = _content(path)
    findings: list[Finding] = []
    try:
        found = _card(data, path, findings)
    except YamlFileError as broken:
        return Examination(None, (), broken.problems, broken)
    except DataError as fault:
        return Examination(None, tuple(findings), (), fault)
    from gptkit.capabilities.character import (
        card_yaml,  # its patterns take time that a conversation need not spend
    )

    return Examination(found, (*findings, *card_yaml.findings(found)))


def found(word: str, folder: Path) -> Path:
    """The file that a word on the command line means: a path, or a name in `folder`.

    What holds a separator or ends like a card is a path; everything else is a name, and never a path.
    """
    path = Path(word)
    if len(path.parts) > 1 or "/" in word or path.suffix.lower() in SUFFIXES:
        return path
    return named(word, folder)


def meant(word: str, folder: Path) -> Path | None:
    """The file that a word means, if it means one: else it is a description of a character in words.

    What ends like a card is a path whether it exists or not; a path without such an ending and a name
    count where there is such a file.
    """
    if "\n" in word or len(word) > _LONGEST:
        return None
    path = Path(word)
    if path.suffix.lower() in SUFFIXES:
        return path
    if "/" in word or len(path.parts) > 1:
        return path if _is_file(path) else None
    try:
        return named(word, folder)
    except NoInputError:
        return None


class CardLibrary:
    """The cards that words of the command line mean, each read once.

    `window` tells the tokens that a model takes at most, as far as so many are wanted.
    """

    def __init__(self, folder: Path, window: Callable[[str, int], int | None]) -> None:
        self.folder = folder
        self.window = window
        self._read: dict[str, Card | None] = {}

    def card(self, word: str) -> Card | None:
        """None for a description in words; raises what `load.card` raises."""
        if word not in self._read:
            path = meant(word, self.folder)
            self._read[word] = None if path is None else card(path)
        return self._read[word]


def named(name: str, folder: Path) -> Path:
    """The card of a name; raises NoInputError."""
    if _NAME.fullmatch(name) and not _DEVICES.fullmatch(name):
        for suffix in SUFFIXES:
            path = folder / f"{name}{suffix}"
            if _is_file(path):
                return path
    raise NoInputError(f"no character named '{name}'", hint=f"give a path, or put a card into '{folder}'")


def _card(data: bytes, path: Path, findings: list[Finding]) -> Card:
    if path.suffix.lower() not in (".yaml", ".yml"):
        return card_files.card(data, str(path), findings.append)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise YamlFileError(str(path), (Problem(line, "", "not UTF-8"),)) from None
    return card_yaml.card(text, str(path))


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
        raise CannotReadError(f"cannot read '{path}': {(error.strerror or str(error)).lower()}") from error


def card_library(services: Services, keeping: bool = True) -> CardLibrary:
    """Nothing is kept in it, whatever `keeping` is."""
    return services.shared(_card_library)


def _card_library(services: Services) -> CardLibrary:
    return CardLibrary(services.paths.config / "characters", services.context_window)
