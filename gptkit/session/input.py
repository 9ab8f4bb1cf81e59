"""Read the input of a prompt command from words, standard input and files."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.chat import Attachment
from gptkit.core.errors import NoInputError, UsageError
from gptkit.core.files import naming_errors
from gptkit.core.terminal import Terminal
from gptkit.session.options import SharedOptions, is_url
from gptkit.templates import render
from gptkit.templates.template import Template, Value

if TYPE_CHECKING:
    from gptkit.settings.load import Settings

STDIN = "standard input"
DASH = "-"
"""What a user writes in place of a file's name to mean standard input."""


class LongText(NamedTuple):
    """A text that is read block by block. `size` is in bytes, None if not known."""

    name: str
    size: int | None
    texts: Iterator[str]
    is_marked: bool = False
    """Whether its bytes begin with a byte order mark, which the text does not have."""


class PromptInput(NamedTuple):
    """The input of a prompt: a text, and the user's `request` about the text.

    `files` are the names and texts that `text` is made of. If `long` is there, `text` is empty. `is_marked`
    says that the text is that of one file or of standard input, and its bytes begin with a byte order mark.
    """

    text: str
    request: str
    files: tuple[tuple[str, str], ...]
    values: Mapping[str, Value]
    long: LongText | None = None
    is_marked: bool = False
    attachments: tuple[Attachment, ...] = ()


class ReadingOptions(NamedTuple):
    """How input is read.

    Attributes:
        long_above: a single file or standard input of more bytes is opened as `long` and not read; None: none
            is.
        as_is: the answer takes the place of the text, so that a PDF or a workbook is refused, as the answer
            could not be one.
    """

    long_above: int | None = None
    as_is: bool = False


WHOLE = ReadingOptions()


def read_input(
    terminal: Terminal,
    template: Template,
    values: Mapping[str, Value],
    shared: SharedOptions,
    settings: Settings,
    reading: ReadingOptions = WHOLE,
) -> PromptInput:
    """Read and decode all input.

    Beside words, or where a command gives the input, a pipe is read only if it has something within the
    seconds of the setting `stdin_wait`.
    """
    reader = _SourceReader(terminal, shared, reading)
    values = {name: reader.decode_words(value) for name, value in values.items()}
    words, paths = _words_and_paths(str(values.get("text", "")), shared)
    file_defaults = _file_defaults(template)
    values = {name: value for name, value in file_defaults.items() if value is not None} | values
    stdin_values = sum(values.get(name) == DASH for name in file_defaults) + shared.attach.count(DASH)
    if paths.count(DASH) + stdin_values > 1:
        raise UsageError("standard input can be read only once")
    if template.input == "none" and paths:
        raise UsageError(f"'{template.name}' takes no input from files or standard input")
    is_named = bool(paths)
    paths = [reader.fetch(path, settings) if is_url(path) else path for path in paths]
    values = {name: reader.text(str(v)) if name in file_defaults else v for name, v in values.items()}
    if not paths:
        paths = reader.unnamed_sources(template, words, settings, bool(stdin_values))
    if reading.long_above is not None and len(paths) == 1 and (long := reader.open_if_long(paths[0])):
        prompt_input = _make_input(template, words, [(long.name, "...")], values)
        return prompt_input._replace(text="", files=(), long=long)
    sources = [(path, reader.text(path)) for path in paths]
    if sources and words and not is_named and not template.input_command and not sources[0][1].strip():
        reader.note_empty_stdin()
    files = [(display_name(path), text) for path, text in sources if text.strip()]
    is_needed = is_named or not words or template.input_command is not None
    if sources and not files and is_needed and template.input == "required":
        raise NoInputError(f"no input: nothing in {quoted_names([path for path, _ in sources])}")
    is_marked = len(paths) == 1 and reader.is_marked(paths[0])
    return _make_input(template, words, files, values)._replace(is_marked=is_marked)


def _file_defaults(template: Template) -> Mapping[str, Value | None]:
    """Return the defaults of the parameters that name files, by variable."""
    parameters = (parameter for parameter in template.declared_parameters if parameter.kind == "file")
    return {parameter.variable: parameter.default for parameter in parameters}


def with_system_text(
    template: Template, values: Mapping[str, Value], encoding: str | None
) -> Mapping[str, Value]:
    """Return the values of a command line, with the text of the file where `@FILE` is the system message."""
    option = template.system_option
    given = str(values.get(option.variable, "")) if option else ""
    if option is None or given[:1] != "@":
        return values
    if given == f"@{DASH}":
        raise UsageError(f"--{option.name} takes @FILE; standard input is the text to work on")
    return {**values, option.variable: read_text_file(given[1:], encoding)[1]}


def machine_variables(environ: Mapping[str, str]) -> Mapping[str, object]:
    """Return the variables of templates that name the user's system and shell, empty where unknown.

    Windows tells no program which shell started it; PowerShell is its usual one.
    """
    system = {"linux": "linux", "darwin": "macos", "win32": "windows"}.get(sys.platform, "")
    shell = PurePath(environ.get("SHELL", "powershell" if system == "windows" else "")).stem
    return {"user_system": system, "user_shell": shell if shell.isascii() and shell.isalnum() else ""}


def read_text_file(path: str, encoding: str | None = None) -> tuple[str, str]:
    """Return a file's name as the model sees it, and its text; raises what `-f` raises."""
    return display_name(path), _text(_read_bytes(path), path, encoding)


def input_beside_files(
    terminal: Terminal, template: Template, values: Mapping[str, Value], shared: SharedOptions
) -> PromptInput:
    """Read the input that goes with files which are read later, one by one: the words are the request."""
    reader = _SourceReader(terminal, shared)
    values = {name: reader.decode_words(value) for name, value in values.items()}
    file_defaults = _file_defaults(template)
    values = {name: value for name, value in file_defaults.items() if value is not None} | values
    values = {name: reader.text(str(v)) if name in file_defaults else v for name, v in values.items()}
    prompt_input = _make_input(template, str(values.get("text", "")), [(STDIN, "...")], values)
    return prompt_input._replace(text="", files=())


def open_text(path: str, reading: ReadingOptions, encoding: str | None = None) -> LongText:
    """Open a file's text; a file of at most `reading.long_above` bytes is read at once."""
    name = quoted_names([path])
    blocks, size = open_blocks(path, name)
    head = _head(blocks, reading)
    if _is_streamed(head, reading):
        from gptkit.encodings.stream import decode_stream

        return LongText(
            display_name(path), size, decode_stream(head, blocks, name, encoding), _is_marked(head)
        )
    data = b"".join([head, *blocks])
    text = _text(data, path, encoding, reading.as_is)
    return LongText(display_name(path), len(data), iter([text]), _is_marked(head))


def _head(blocks: Iterator[bytes], reading: ReadingOptions) -> bytes:
    """Return the first blocks: more than `long_above` bytes of a longer input, else all of the input."""
    head = b""
    while len(head) <= (reading.long_above or 0) and (block := next(blocks, b"")):
        head += block
    return head


def _is_streamed(head: bytes, reading: ReadingOptions) -> bool:
    """Whether a text is read as it is worked on; a document has to be read whole."""
    return len(head) > (reading.long_above or 0) and (reading.as_is or not _holds_document(head))


def _holds_document(head: bytes) -> bool:
    """Whether bytes begin like a PDF, a ZIP archive, an old Office file or RTF. Which of them the readers
    can read they know themselves; texts do not wait for their import."""
    return head.lstrip().startswith((b"%PDF-", b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"{\\rtf"))


def _text(data: bytes, path: str, encoding: str | None, as_is: bool = False) -> str:
    """Return the text of a file or of standard input, also that of a document which is no text."""
    name = quoted_names([path])
    if as_is or not _holds_document(data):
        return _decode(data, name, encoding)
    from gptkit.encodings.decode import decode
    from gptkit.readers import document_text
    from gptkit.readers.process import DocumentReader

    with DocumentReader(decode, encoding) as reader:
        return document_text(reader.blocks(BytesIO(data), path, name))


def _decode(data: bytes, name: str, encoding: str | None) -> str:
    """Decode bytes; the decoders are imported only if there are any, since words need none."""
    if not data:
        return ""
    from gptkit.encodings.decode import decode

    return decode(data, name, encoding)


def _is_marked(data: bytes) -> bool:
    if not data:
        return False
    from gptkit.encodings.decode import MARKS

    return data.startswith(tuple(mark for mark, _, _ in MARKS))


def _words_and_paths(words: str, shared: SharedOptions) -> tuple[str, list[str]]:
    """Return the words, and the paths to read; a dash as the words means standard input."""
    paths = list(shared.file)
    if (shared.stdin or words == DASH) and DASH not in paths:
        paths.append(DASH)
    return "" if words == DASH else words, paths


class _SourceReader:
    """Reads and decodes files and standard input; standard input is read once, when first needed."""

    def __init__(self, terminal: Terminal, shared: SharedOptions, reading: ReadingOptions = WHOLE) -> None:
        self._terminal = terminal
        self._encoding = shared.encoding
        self._is_quiet, self._is_verbose = shared.quiet, shared.verbose
        self._reading = reading
        self._texts: dict[str, str] = {}
        self._marked: set[str] = set()

    def fetch(self, url: str, settings: Settings) -> str:
        """Fetch a page, whose text `text` then returns; returns the address that redirects led to."""
        from gptkit.session.web import page_text

        url, text = page_text(url, self._encoding, settings, self._terminal, self._is_quiet)
        self._texts[url] = text
        return url

    def text(self, path: str) -> str:
        if path in self._texts:
            return self._texts[path]
        text = self._decoded(path, self._terminal.read() if path == DASH else _read_bytes(path))
        if path == DASH:
            self._texts[path] = text
        return text

    def decode_words(self, value: Value) -> Value:
        """Return a value as text; bytes that the locale could not decode are decoded as other input is."""
        if isinstance(value, tuple):
            return tuple(str(self.decode_words(item)) for item in value)
        if isinstance(value, str) and not _is_unicode(value):
            return _decode(os.fsencode(value), "an argument", self._encoding)
        return value

    def open_if_long(self, path: str) -> LongText | None:
        """Open a file or standard input if there is more of it than is read at once; else return None."""
        if path in self._texts:
            return self._long_text(path, self._texts[path])
        name = quoted_names([path])
        blocks, size = self._terminal.read_blocks() if path == DASH else open_blocks(path, name)
        head = _head(blocks, self._reading)
        if _is_streamed(head, self._reading):
            from gptkit.encodings.stream import decode_stream

            texts = decode_stream(head, blocks, name, self._encoding)
            return LongText(display_name(path), size, texts, _is_marked(head))
        text = self._decoded(path, b"".join([head, *blocks]))
        self._texts[path] = text  # a pipe is not read twice
        return self._long_text(path, text)

    def _long_text(self, path: str, text: str) -> LongText | None:
        if len(text) > (self._reading.long_above or 0):
            return LongText(display_name(path), len(text.encode()), iter([text]))
        return None

    def is_marked(self, path: str) -> bool:
        """Whether the bytes of a source that was read whole begin with a byte order mark."""
        return path in self._marked

    def _decoded(self, path: str, data: bytes) -> str:
        if _is_marked(data):
            self._marked.add(path)
        return _text(data, path, self._encoding, self._reading.as_is)

    def unnamed_sources(
        self, template: Template, words: str, settings: Settings, is_stdin_taken: bool
    ) -> list[str]:
        """Return what to read where the user names nothing: standard input, or the output of a command."""
        command = template.input_command
        has_input, wait = bool(words) or command is not None, settings.number("stdin_wait")
        if not is_stdin_taken and self._should_read_stdin(template, has_input, wait):
            return [DASH]
        if is_url(words):
            self._note(f"the address itself is the input; '-f {words}' fetches the page")
        if command is None or (words and not render.uses_variable(template, "request")):
            return []
        from gptkit.session.input_command import read_output
        from gptkit.settings.keys import environment_without_keys

        output = read_output(self._terminal, command, environment_without_keys(settings), self._is_quiet)
        self._texts[output.command] = self._decoded(output.command, output.data)
        return [output.command]

    def _should_read_stdin(self, template: Template, has_input: bool, wait: float) -> bool:
        """Whether to read standard input that the user did not name.

        Where there is other input, a pipe that stays silent for `wait` seconds is not read, so that the
        prompt goes on; nor is a device where a command gives the input.
        """
        if template.input == "none" or self._terminal.stdin_kind in ("terminal", "closed"):
            return False
        if template.input_command is not None and self._terminal.stdin_kind == "device":
            return False
        if template.input == "required" and not has_input:
            return True
        if not self._terminal.wait_readable(wait):
            self._note(f"standard input was silent for {wait:g} s and is not read (--stdin waits for it)")
            return False
        return True

    def note_empty_stdin(self) -> None:
        if self._is_verbose and self._terminal.stdin_kind != "device":
            self._note("standard input was empty; the words are the input")

    def _note(self, text: str) -> None:
        if not self._is_quiet:
            self._terminal.print_error_line(f"gptkit: {text}")


def _make_input(
    template: Template, words: str, files: list[tuple[str, str]], values: Mapping[str, Value]
) -> PromptInput:
    text = _join_texts([text for _, text in files])
    request = str(values.get("request", ""))
    if text and words:
        if request:
            raise UsageError(f"'{template.name}' takes its text as words or from a file or pipe, not both")
        request = words
    elif words:
        text, files = words, [("words", words)]
    if template.input == "required" and not text.strip():
        raise NoInputError("no input", hint="give words, pipe text in, or name a file with -f")
    if request and text and not render.uses_variable(template, "request"):
        raise UsageError(f"'{template.name}' takes words or a text from a file or pipe, not both")
    other_values = {name: value for name, value in values.items() if name not in ("text", "request")}
    return PromptInput(text, request, tuple(files), other_values)


def _join_texts(texts: Sequence[str]) -> str:
    """Join texts, with a newline between two if the first has none at its end."""
    ended = [text if text.endswith("\n") else text + "\n" for text in texts[:-1]]
    return "".join([*ended, *texts[-1:]])


def _read_bytes(path: str) -> bytes:
    return b"".join(open_blocks(path, quoted_names([path]))[0])


def open_blocks(path: str, name: str) -> tuple[Iterator[bytes], int | None]:
    """Open a file; returns its blocks of bytes, read on demand, and its size if known."""
    from gptkit.core.streams import read_blocks

    with naming_errors(name):
        file = Path(path).open("rb", buffering=0)  # noqa: SIM115 - it is open while it is read
        status = os.fstat(file.fileno())

    def read() -> Iterator[bytes]:
        with file, naming_errors(name):
            yield from read_blocks(file, name)

    return read(), status.st_size if stat.S_ISREG(status.st_mode) else None


def quoted_names(paths: Sequence[str]) -> str:
    return ", ".join(STDIN if path == DASH else f"'{path}'" for path in paths)


def display_name(path: str) -> str:
    """Return a file's name for the model, as valid text whatever bytes the name has."""
    return STDIN if path == DASH else os.fsencode(path).decode("utf-8", "replace")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
