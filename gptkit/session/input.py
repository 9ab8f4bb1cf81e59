"""Where the input of a prompt command comes from: words, standard input, files."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from gptkit.core.errors import CannotReadError, NoInputError, UsageError
from gptkit.core.files import cause
from gptkit.core.terminal import Terminal
from gptkit.session.options import SharedOptions
from gptkit.templates import render
from gptkit.templates.template import Template, Value

STDIN = "standard input"
DASH = "-"
"""What a user writes in place of a file's name to mean standard input."""


class LongText(NamedTuple):
    """A text that is read as it is worked on. `size` is in bytes, None where nobody knows."""

    name: str
    size: int | None
    texts: Iterator[str]


class Given(NamedTuple):
    """What a command works on. `wanted` is what the user wants with the text, in words.

    A `long` text stands in place of the `text`.
    """

    text: str
    wanted: str
    files: tuple[tuple[str, str], ...]
    values: Mapping[str, Value]
    long: LongText | None = None


class ReadingOptions(NamedTuple):
    """How input is read.

    Attributes:
        over: a single file or standard input of more bytes is handed on unread; None: none is.
        as_is: the answer takes the place of the text, so that a PDF or a workbook is refused, as the answer
            could not be one.
    """

    over: int | None = None
    as_is: bool = False


WHOLE = ReadingOptions()


def gather(
    terminal: Terminal,
    template: Template,
    values: Mapping[str, Value],
    shared: SharedOptions,
    wait: float,
    reading: ReadingOptions = WHOLE,
) -> Given:
    """Read and decode all input; `wait` is how many seconds a pipe may stay silent beside words."""
    sources = _Sources(terminal, shared, reading)
    values = {name: sources.clean(value) for name, value in values.items()}
    words, paths = _asked(str(values.get("text", "")), shared)
    file_names = {one.variable: one.default for one in template.declared_parameters if one.kind == "file"}
    values = {name: value for name, value in file_names.items() if value is not None} | values
    borrowed = sum(values.get(name) == DASH for name in file_names)
    if paths.count(DASH) + borrowed > 1:
        raise UsageError("standard input can be read only once")
    if template.input == "none" and paths:
        raise UsageError(f"'{template.name}' takes no input from files or standard input")
    asked = bool(paths)
    values = {name: sources.text(str(v)) if name in file_names else v for name, v in values.items()}
    if not paths and not borrowed and sources.offers_stdin(template, bool(words), wait):
        paths = [DASH]
    if reading.over is not None and len(paths) == 1 and (long := sources.long(paths[0])):
        given = _given(template, words, [(long.name, "...")], values)
        return given._replace(text="", files=(), long=long)
    named = [(path, sources.text(path)) for path in paths]
    if named and words and not asked and not named[0][1].strip():
        sources.tell_empty()
    files = [(_shown(path), text) for path, text in named if text.strip()]
    if named and not files and (asked or not words) and template.input == "required":
        raise NoInputError(f"no input: nothing in {_names([path for path, _ in named])}")
    return _given(template, words, files, values)


def content(path: str, encoding: str | None = None) -> tuple[str, str]:
    """A file's name as the model may see it, and its text; raises what `-f` raises."""
    return _shown(path), _text(_content(path), path, encoding)


def beside(
    terminal: Terminal, template: Template, values: Mapping[str, Value], shared: SharedOptions
) -> Given:
    """What comes with files that are read later, one by one: words say what is wanted of them."""
    sources = _Sources(terminal, shared)
    values = {name: sources.clean(value) for name, value in values.items()}
    file_names = {one.variable: one.default for one in template.declared_parameters if one.kind == "file"}
    values = {name: value for name, value in file_names.items() if value is not None} | values
    values = {name: sources.text(str(v)) if name in file_names else v for name, v in values.items()}
    given = _given(template, str(values.get("text", "")), [(STDIN, "...")], values)
    return given._replace(text="", files=())


def document(path: str, reading: ReadingOptions, encoding: str | None = None) -> LongText:
    """A file's text; one of more than `reading.over` bytes is read as it is worked on."""
    name = _names([path])
    blocks, size = _blocks(path, name)
    head = _head(blocks, reading)
    if _is_streamed(head, reading):
        from gptkit.encodings.stream import decode_stream

        return LongText(_shown(path), size, decode_stream(head, blocks, name, encoding))
    data = b"".join([head, *blocks])
    return LongText(_shown(path), len(data), iter([_text(data, path, encoding, reading.as_is)]))


def _head(blocks: Iterator[bytes], reading: ReadingOptions) -> bytes:
    """The first blocks: more than `over` bytes of a longer input, else all of the input."""
    head = b""
    while len(head) <= (reading.over or 0) and (block := next(blocks, b"")):
        head += block
    return head


def _is_streamed(head: bytes, reading: ReadingOptions) -> bool:
    """Whether a text is read as it is worked on; a document has to be read whole."""
    return len(head) > (reading.over or 0) and (reading.as_is or not _holds_document(head))


def _holds_document(head: bytes) -> bool:
    """Whether bytes begin like a PDF, a ZIP archive, an old Office file or RTF. Which of them the readers
    can read they know themselves; texts do not wait for their import."""
    return head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"{\\rtf")) or b"%PDF-" in head[:1024]


def _text(data: bytes, path: str, encoding: str | None, as_is: bool = False) -> str:
    """The text of a file or of standard input, also that of a document which is no text."""
    name = _names([path])
    if as_is or not _holds_document(data):
        return _decoded(data, name, encoding)
    from gptkit.encodings.decode import decode
    from gptkit.readers import document_text
    from gptkit.readers.process import DocumentReader

    with DocumentReader(decode, encoding) as reader:
        return document_text(reader.blocks(BytesIO(data), path, name))


def _decoded(data: bytes, name: str, encoding: str | None) -> str:
    """Loaded for files and standard input only: words need no decoding."""
    if not data:
        return ""
    from gptkit.encodings.decode import decode

    return decode(data, name, encoding)


def _asked(words: str, shared: SharedOptions) -> tuple[str, list[str]]:
    """The words, and where else to read: a dash as the words is standard input."""
    paths = [str(path) for path in shared.file]
    if (shared.stdin or words == DASH) and DASH not in paths:
        paths.append(DASH)
    return "" if words == DASH else words, paths


class _Sources:
    """Files and standard input, decoded; standard input is read when it is first needed."""

    def __init__(self, terminal: Terminal, shared: SharedOptions, reading: ReadingOptions = WHOLE) -> None:
        self._terminal = terminal
        self._encoding = shared.encoding
        self._quiet = shared.quiet
        self._reading = reading
        self._read: dict[str, str] = {}

    def text(self, path: str) -> str:
        if path in self._read:
            return self._read[path]
        data = self._terminal.read() if path == DASH else _content(path)
        text = _text(data, path, self._encoding, self._reading.as_is)
        if path == DASH:
            self._read[path] = text
        return text

    def clean(self, value: Value) -> Value:
        """Words as text: bytes that the locale could not decode are decoded as any other input."""
        if isinstance(value, tuple):
            return tuple(str(self.clean(item)) for item in value)
        if isinstance(value, str) and not _is_unicode(value):
            return _decoded(os.fsencode(value), "an argument", self._encoding)
        return value

    def long(self, path: str) -> LongText | None:
        """The text of a file or of standard input if there is more of it than is read at once."""
        name = _names([path])
        blocks, size = self._terminal.read_blocks() if path == DASH else _blocks(path, name)
        head = _head(blocks, self._reading)
        if _is_streamed(head, self._reading):
            from gptkit.encodings.stream import decode_stream

            return LongText(_shown(path), size, decode_stream(head, blocks, name, self._encoding))
        text = _text(b"".join([head, *blocks]), path, self._encoding, self._reading.as_is)
        if len(text) > (self._reading.over or 0):
            return LongText(_shown(path), len(text.encode()), iter([text]))
        self._read[path] = text  # a pipe is not read twice
        return None

    def offers_stdin(self, template: Template, has_words: bool, wait: float) -> bool:
        """Whether to read it unasked; one that stays silent must not hold up who needs no more input."""
        if template.input == "none" or self._terminal.stdin_kind in ("terminal", "closed"):
            return False
        if template.input == "required" and not has_words:
            return True
        if not self._terminal.wait_readable(wait):
            self._note(f"standard input was silent for {wait:g} s and is not read (--stdin waits for it)")
            return False
        return True

    def tell_empty(self) -> None:
        if self._terminal.stdin_kind != "device":
            self._note("standard input was empty; the words are the input")

    def _note(self, text: str) -> None:
        if not self._quiet:
            self._terminal.print_error_line(f"gptkit: {text}")


def _given(
    template: Template, words: str, files: list[tuple[str, str]], values: Mapping[str, Value]
) -> Given:
    text = _joined([text for _, text in files])
    wanted = str(values.get("request", ""))
    if text and words:
        if wanted:
            raise UsageError(f"'{template.name}' takes its text as words or from a file or pipe, not both")
        wanted = words
    elif words:
        text, files = words, [("words", words)]
    if template.input == "required" and not text.strip():
        raise NoInputError("no input", hint="give words, pipe text in, or name a file with -f")
    if wanted and text and not render.uses_variable(template, "request"):
        raise UsageError(f"'{template.name}' takes words or a text from a file or pipe, not both")
    rest = {name: value for name, value in values.items() if name not in ("text", "request")}
    return Given(text, wanted, tuple(files), rest)


def _joined(texts: Sequence[str]) -> str:
    """One after the other; what does not end its last line gets that end before the next begins."""
    whole = [text if text.endswith("\n") else text + "\n" for text in texts[:-1]]
    return "".join([*whole, *texts[-1:]])


def _content(path: str) -> bytes:
    return b"".join(_blocks(path, _names([path]))[0])


def _blocks(path: str, name: str) -> tuple[Iterator[bytes], int | None]:
    """A file's bytes as they are asked for, and how many there are."""
    from gptkit.core.streams import read_blocks

    with _told(name):
        file = Path(path).open("rb", buffering=0)  # noqa: SIM115 - it is open while it is read
        status = os.fstat(file.fileno())

    def read() -> Iterator[bytes]:
        with file, _told(name):
            yield from read_blocks(file, name)

    return read(), status.st_size if stat.S_ISREG(status.st_mode) else None


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What goes wrong with a file, as an error that names it."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise NoInputError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise NoInputError(f"{name}: it is a folder") from None
    except (OSError, ValueError) as error:
        raise CannotReadError(f"{name}: {cause(error)}") from None


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
