"""The options that every prompt command has, as data, and the positional arguments of a command."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from gptkit.templates.template import Parameter, Template

FlagKind = Literal["text", "integer", "number", "list", "path", "flag"]


class Flag(NamedTuple):
    """One shared option; `list` can be given several times."""

    name: str
    kind: FlagKind
    help: str
    short: str = ""
    metavar: str | None = None
    is_rare: bool = True
    """Whether `--help` leaves the option to `--help-all`."""
    is_yielding: bool = False
    """Whether an option of a prompt file may have this name or letter, and take the place of this one."""

    @property
    def variable(self) -> str:
        """The field of `SharedOptions`."""
        return _field(self.name)


FLAGS = (
    Flag(
        "file",
        "list",
        "Read the input from this file, or from a page by its address; can be repeated.",
        "f",
        "FILE",
        is_rare=False,
    ),
    Flag(
        "attach",
        "list",
        "Attach an image or a PDF, if the prompt takes it; an https address for an image.",
        "a",
        "FILE|URL",
        is_yielding=True,
    ),
    Flag("stdin", "flag", "Wait for standard input even if it is silent; '-' as a word does the same."),
    Flag("encoding", "text", "Encoding of the input, if it is not UTF-8.", metavar="NAME"),
    Flag("output", "path", "Write the answer to this file, whole or not at all.", "o", "FILE", is_rare=False),
    Flag("copy", "flag", "Copy the whole answer to the clipboard, too.", is_yielding=True),
    Flag("raw", "flag", "Print the model's text unchanged: not formatted, nothing extracted."),
    Flag(
        "extract",
        "flag",
        "Print the first code block of the answer alone; without one, end with 80.",
        "x",
        is_yielding=True,
    ),
    Flag(
        "schema",
        "text",
        "Answer with JSON that fits: a JSON Schema in a file, or fields such as 'name, age int, tags list'.",
        metavar="FILE|FIELDS",
        is_yielding=True,
    ),
    Flag(
        "json",
        "flag",
        "Print one JSON object: answer, model, finish reason, usage, cost, request id.",
        is_rare=False,
    ),
    Flag("response", "flag", "Print the API's whole response object."),
    Flag("dry-run", "flag", "Show the request that would be sent; send nothing."),
    Flag(
        "model",
        "text",
        "The model to ask ('echo' repeats the input and needs no key).",
        "m",
        "MODEL",
        is_rare=False,
    ),
    Flag(
        "max-tokens",
        "integer",
        "Limit the answer to N tokens; in a long job, all answers together.",
        metavar="N",
    ),
    Flag("max-cost", "number", "Limit what the command may spend, in US dollars.", metavar="USD"),
    Flag("max-requests", "integer", "Limit the number of requests; a retry counts as one.", metavar="N"),
    Flag(
        "temperature", "number", "Sampling temperature: the higher, the more varied the answer.", metavar="T"
    ),
    Flag("param", "list", "Set another API parameter; VALUE is YAML; can be repeated.", metavar="KEY=VALUE"),
    Flag(
        "effort",
        "text",
        "How long the model thinks: none, minimal, low, medium, high, xhigh, max, as far as it can.",
        metavar="LEVEL",
        is_yielding=True,
    ),
    Flag("no-stream", "flag", "Ask for the whole answer at once, not as a stream."),
    Flag(
        "session", "text", "Continue the conversation of this name, or begin it.", "s", "NAME", is_rare=False
    ),
    Flag("continue", "flag", "Continue the latest conversation.", "c", is_rare=False),
    Flag("no-log", "flag", "Store nothing of this exchange in the history."),
    Flag("profile", "text", "Use this profile, a named set of settings.", metavar="NAME"),
    Flag("base-url", "text", "Address of the API.", metavar="URL"),
    Flag("proxy", "text", "Use this proxy (http, https, socks5), or 'none'.", metavar="URL"),
    Flag("reasoning", "flag", "Show the model's thoughts on standard error."),
    Flag("accept", "flag", "Take the answer even if something is wrong with it; say what is wrong."),
    Flag("quiet", "flag", "Print only failures on standard error, no notes.", "q"),
    Flag("verbose", "flag", "Print model, tokens and seconds on standard error.", "v"),
)


class SharedOptions(NamedTuple):
    """The values of the options that every prompt command has; a field for each of FLAGS."""

    file: tuple[str, ...] = ()
    attach: tuple[str, ...] = ()
    stdin: bool = False
    encoding: str | None = None
    output: Path | None = None
    copy: bool = False
    raw: bool = False
    extract: bool = False
    schema: str | None = None
    json: bool = False
    response: bool = False
    dry_run: bool = False
    model: str | None = None
    max_tokens: int | None = None
    max_cost: float | None = None
    max_requests: int | None = None
    temperature: float | None = None
    param: tuple[str, ...] = ()
    effort: str | None = None
    no_stream: bool = False
    session: str | None = None
    continue_: bool = False
    no_log: bool = False
    profile: str | None = None
    base_url: str | None = None
    proxy: str | None = None
    reasoning: bool = False
    accept: bool = False
    quiet: bool = False
    verbose: bool = False

    def first_given(self, names: Iterable[str]) -> str:
        """Return the first of these option names that the command line has; empty if it has none."""
        values = self._asdict()
        return next((name for name in names if values[_field(name)]), "")


def shared_options(values: Mapping[str, object]) -> SharedOptions:
    """Make SharedOptions of typed values by the variables of FLAGS; None and missing values are defaults."""
    fields = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if value is not None
    }
    if files := fields.get("file"):
        fields["file"] = tuple(file if is_url(file) else str(Path(file)) for file in cast("list[str]", files))
    return SharedOptions(**cast("dict[str, Any]", fields))


FUTURE_OPTIONS = ("jobs", "yes", "help", "help-all", "version")
FUTURE_SHORTS = ("h", "V")
_LASTING_FLAGS = tuple(flag for flag in FLAGS if not flag.is_yielding)
RESERVED_OPTIONS = frozenset(FUTURE_OPTIONS) | {flag.name for flag in _LASTING_FLAGS}
RESERVED_SHORTS = frozenset(FUTURE_SHORTS) | {flag.short for flag in _LASTING_FLAGS if flag.short}


def flags_beside(options: Iterable[Parameter]) -> Iterator[Flag]:
    """Yield the shared options of a command with these own options, whose names and letters come first."""
    own = [*options]
    names, shorts = {option.name for option in own}, {option.short for option in own}
    for flag in FLAGS:
        if flag.name not in names:
            yield flag._replace(short="") if flag.short and flag.short in shorts else flag


def is_url(text: str) -> bool:
    """Whether a text is the address of a page, not a path or words."""
    return re.fullmatch(r"https?://\S+", text, re.IGNORECASE) is not None


def is_word(argument: str) -> bool:
    """Whether an argument of the command line is a word although it may begin with a dash.

    That is so for a dash before a space (`- one`) and for a name with a space before any `=` (`--amend it`).
    """
    return argument[:1] != "-" or _is_dashed_word(argument)


def _is_dashed_word(argument: str) -> bool:
    first = argument.split(None, 1)[0]
    return first != argument and (first == "-" or (first[:2] == "--" and "=" not in first))


def _field(name: str) -> str:
    return "continue_" if name == "continue" else name.replace("-", "_")


def positionals(template: Template) -> tuple[Parameter, ...]:
    """Return the arguments that a template declares; without input, the argument for the text is left out."""
    return tuple(
        argument for argument in template.arguments if template.input != "none" or argument.name != "text"
    )


def is_required(argument: Parameter) -> bool:
    """Whether an argument must be given; the text need not, since it may come from a file or a pipe."""
    return argument.name != "text" and argument.default is None
