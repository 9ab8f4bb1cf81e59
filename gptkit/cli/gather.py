"""Where the input of a prompt command comes from: words, standard input, files."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from gptkit.documents.decode import decode
from gptkit.errors import CannotRead, NoInput, UsageFault
from gptkit.templates import render
from gptkit.templates.model import Template, Value
from gptkit.terminal import Terminal

STDIN = "standard input"
DASH = "-"
"""What a user writes in place of a file's name to mean standard input."""


class Given(NamedTuple):
    """What a command works on. `wanted` is what the user wants with the text, in words."""

    text: str
    wanted: str
    files: tuple[tuple[str, str], ...]
    values: Mapping[str, Value]


def gather(
    terminal: Terminal,
    template: Template,
    values: Mapping[str, Value],
    flags: Mapping[str, object],
    wait: float,
) -> Given:
    """Read and decode all input; `wait` is how many seconds a pipe may stay silent beside words."""
    encoding = flags.get("encoding")
    sources = _Sources(terminal, None if encoding is None else str(encoding), bool(flags.get("quiet")))
    values = {name: sources.clean(value) for name, value in values.items()}
    words = str(values.get("text", ""))
    paths = [str(path) for path in _paths(flags.get("file"))]
    if (flags.get("stdin") or words == DASH) and DASH not in paths:
        paths.append(DASH)
    words = "" if words == DASH else words
    file_names = {one.variable: one.default for one in template.declared if one.kind == "file"}
    values = {name: value for name, value in file_names.items() if value is not None} | values
    borrowed = sum(values.get(name) == DASH for name in file_names)
    if paths.count(DASH) + borrowed > 1:
        raise UsageFault("standard input can be read only once")
    if template.input == "none" and paths:
        raise UsageFault(f"'{template.name}' takes no input from files or standard input")
    values = {name: sources.text(str(v)) if name in file_names else v for name, v in values.items()}
    named = [(path, sources.text(path)) for path in paths]
    if not named and not borrowed and sources.offers_stdin(template, bool(words), wait):
        named = [(DASH, sources.text(DASH))]
    files = [(_shown(path), text) for path, text in named if text.strip()]
    if named and not files and (paths or not words) and template.input == "required":
        raise NoInput(f"no input: nothing in {_names([path for path, _ in named])}")
    return _given(template, words, files, values)


def content(path: str, encoding: str | None = None) -> tuple[str, str]:
    """A file's name as the model may see it, and its text; raises what `-f` raises."""
    return _shown(path), decode(_content(path), _names([path]), encoding)


class _Sources:
    """Files and standard input, decoded; standard input is read when it is first needed."""

    def __init__(self, terminal: Terminal, encoding: str | None, quiet: bool) -> None:
        self._terminal = terminal
        self._encoding = encoding
        self._quiet = quiet

    def text(self, path: str) -> str:
        return self._stdin if path == DASH else decode(_content(path), _names([path]), self._encoding)

    def clean(self, value: Value) -> Value:
        """Words as text: bytes that the locale could not decode are decoded as any other input."""
        if isinstance(value, tuple):
            return tuple(str(self.clean(item)) for item in value)
        if isinstance(value, str) and not _is_unicode(value):
            return decode(os.fsencode(value), "an argument", self._encoding)
        return value

    def offers_stdin(self, template: Template, has_words: bool, wait: float) -> bool:
        """Whether to read it unasked; one that stays silent must not hold up who needs no more input."""
        if template.input == "none" or self._terminal.stdin_kind in ("terminal", "closed"):
            return False
        if template.input == "required" and not has_words:
            return True
        if not self._terminal.ready(wait):
            self._note(f"standard input was silent for {wait:g} s and is not read (--stdin waits for it)")
            return False
        if self._terminal.stdin_kind != "device" and has_words and not self._stdin.strip():
            self._note("standard input was empty; the words are the input")
        return True

    @cached_property
    def _stdin(self) -> str:
        return decode(self._terminal.read(), STDIN, self._encoding)

    def _note(self, text: str) -> None:
        if not self._quiet:
            self._terminal.note(f"gptkit: {text}")


def _given(
    template: Template, words: str, files: list[tuple[str, str]], values: Mapping[str, Value]
) -> Given:
    text = _joined([text for _, text in files])
    wanted = str(values.get("request", ""))
    if text and words:
        if wanted:
            raise UsageFault(f"'{template.name}' takes its text as words or from a file or pipe, not both")
        wanted = words
    elif words:
        text, files = words, [("words", words)]
    if template.input == "required" and not text.strip():
        raise NoInput("no input", hint="give words, pipe text in, or name a file with -f")
    if wanted and text and not render.uses(template, "request"):
        raise UsageFault(f"'{template.name}' takes words or a text from a file or pipe, not both")
    rest = {name: value for name, value in values.items() if name not in ("text", "request")}
    return Given(text, wanted, tuple(files), rest)


def _joined(texts: Sequence[str]) -> str:
    """One after the other; what does not end its last line gets that end before the next begins."""
    whole = [text if text.endswith("\n") else text + "\n" for text in texts[:-1]]
    return "".join([*whole, *texts[-1:]])


def _content(path: str) -> bytes:
    from gptkit.streams import whole

    name = _names([path])
    try:
        with Path(path).open("rb", buffering=0) as file:
            return whole(file, name)
    except (FileNotFoundError, NotADirectoryError):
        raise NoInput(f"{name}: no such file") from None
    except IsADirectoryError:
        raise NoInput(f"{name}: it is a folder") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CannotRead(f"{name}: {reason.lower()}") from None


def _paths(value: object) -> list[Path]:
    return list(value) if isinstance(value, list) else []


def _names(paths: Sequence[str]) -> str:
    return ", ".join(STDIN if path == DASH else f"'{path}'" for path in paths)


def _shown(path: str) -> str:
    """A file's name for the model: text, whatever bytes the file system holds."""
    return STDIN if path == DASH else os.fsencode(path).decode("utf-8", "replace")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
