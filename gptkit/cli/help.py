"""Help pages: framed on a terminal, plain elsewhere; foreign text stands in both as it is."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import typer
import typer.core

from gptkit.cli.usage_errors import unexpected_argument, unknown_command
from gptkit.core.errors import UsageError
from gptkit.core.sanitize import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from gptkit.core.terminal import Terminal


COMPLETION = "_GPTKIT_COMPLETE"
"""The variable by which the completion script of a shell asks for completions."""
CONTEXT: Mapping[str, Any] = {"help_option_names": ["-h", "--help"]}
NARROW = 40
"""Columns below which frames would leave no room for what is in them."""
TEXT_CAP = 400
RESET, DIM = "\x1b[0m", "\x1b[2m"
Sections = dict[str, list[tuple[str, str]]]
"""Title to names and what they mean."""


class Page(NamedTuple):
    """Who reads a help text: a person at a terminal, who gets frames, or the completion of a shell."""

    framed: bool
    completing: bool

    def text(self, foreign: str) -> str:
        line = one_line(foreign, TEXT_CAP)
        if self.completing:
            return line.replace("\\", "")  # zsh evaluates it, and Typer quotes all but this for it
        return line

    def with_notes(self, foreign: str, notes: list[str]) -> str:
        """A text and, in brackets, what else there is to know."""
        text = self.text(foreign)
        if not notes or self.completing:
            return text
        noted = f"[{one_line('; '.join(notes), TEXT_CAP)}]"
        return f"{text}  {DIM}{noted}{RESET}" if self.framed else f"{text}  {noted}".lstrip()

    def words(self, values: Sequence[str]) -> list[str]:
        """Those values that every shell takes for one word, whatever it is inserted into."""
        return [value for value in values if re.fullmatch(r"[\w@%+=:,./-]+", value)]


def page(terminal: Terminal) -> Page:
    """The kind of help that this run of the program would show."""
    completing = COMPLETION in terminal.environ
    return Page(terminal.stdout_is_terminal and terminal.width >= NARROW and not completing, completing)


class Command(typer.core.TyperCommand):
    """A command with the help page of gptkit."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        takes_more, ctx.allow_extra_args = ctx.allow_extra_args, True
        with _named(ctx):
            rest = super().parse_args(ctx, args)
        if rest and not takes_more and not ctx.resilient_parsing:
            raise unexpected_argument(ctx, rest[0])
        return rest

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401
        return _usage(self, ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        _write(self, ctx, formatter, _parameters(self, ctx))


class Group(typer.core.TyperGroup):
    """A group with the help page of gptkit; a person who names no command sees it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        if not args and not ctx.resilient_parsing:
            _refuse_nothing(ctx)
        with _named(ctx):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            raise unknown_command(ctx, args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401
        return [*_usage(self, ctx), "COMMAND [ARGUMENT...]"]

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        _write(self, ctx, formatter, {**_parameters(self, ctx), **_commands(self, ctx)})


def adopt(app: typer.Typer) -> Any:  # noqa: ANN401
    """The command of a Typer app, with a help page like that of all others."""
    app.info.cls = Group
    for registered in app.registered_commands:
        registered.cls = Command
    found: Any = typer.main.get_command(app)
    for each in (found, *getattr(found, "commands", {}).values()):
        each.context_settings = {**CONTEXT, **each.context_settings}
        each.params = [
            one for one in each.params if one.name not in ("install_completion", "show_completion")
        ]
    return found


@contextmanager
def _named(ctx: Any) -> Iterator[None]:  # noqa: ANN401
    """The parser of options does not say whose command line it complains about."""
    try:
        yield
    except Exception as error:
        if getattr(error, "ctx", ctx) is None:
            error.ctx = ctx  # type: ignore[attr-defined]
        raise


def _write(command: Any, ctx: Any, formatter: Any, sections: Sections) -> None:  # noqa: ANN401
    terminal: Terminal = ctx.obj.terminal
    if page(terminal).framed:
        usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
        texts = (usage, command.help or "", sections, command.epilog or "")
        formatter.write(panels(*texts, width=terminal.width, colour=terminal.has_colour))
        return
    command.format_usage(ctx, formatter)
    command.format_help_text(ctx, formatter)
    for title, rows in sections.items():
        with formatter.section(title):
            formatter.write_dl(rows, col_max=max(8, min(30, formatter.width // 3)))
    command.format_epilog(ctx, formatter)


def _usage(command: Any, ctx: Any) -> list[str]:  # noqa: ANN401
    pieces = ["[OPTIONS]"]
    for argument in _arguments(command, ctx):
        name = _name(argument)
        pieces.append(name if argument.required else f"[{name}]")
    return pieces


def _parameters(command: Any, ctx: Any) -> Sections:  # noqa: ANN401
    sections: Sections = {"Arguments": [], "Options": []}
    for argument in _arguments(command, ctx):
        needed = "  [required]" if argument.required else ""
        sections["Arguments"].append((_name(argument), f"{argument.help or ''}{needed}"))
    for option in command.get_params(ctx):
        if option.param_type_name == "option" and (record := option.get_help_record(ctx)):
            sections.setdefault(option.rich_help_panel or "Options", []).append(record)
    return {title: rows for title, rows in sections.items() if rows}


def _commands(group: Any, ctx: Any) -> Sections:  # noqa: ANN401
    sections: Sections = {}
    for name in group.list_commands(ctx):
        found = group.get_command(ctx, name)
        sections.setdefault(found.rich_help_panel or "Commands", []).append((found.name, found.help))
    widest = max(len(name) for rows in sections.values() for name, _ in rows)
    return {title: [(name.ljust(widest), text) for name, text in rows] for title, rows in sections.items()}


def _arguments(command: Any, ctx: Any) -> list[Any]:  # noqa: ANN401
    return [one for one in command.get_params(ctx) if one.param_type_name == "argument" and not one.hidden]


def _name(argument: Any) -> str:  # noqa: ANN401
    """The same in the usage and in the list; Typer's own changes between its releases."""
    return str(argument.metavar or argument.name.upper()).strip("[]")


def _refuse_nothing(ctx: Any) -> NoReturn:  # noqa: ANN401
    if ctx.obj.terminal.stdout_is_terminal:
        typer.echo(ctx.get_help())
        raise typer.Exit(2)
    raise UsageError("missing command", hint=f"'{ctx.command_path} --help' shows all")


Rows = Sequence[tuple[str, str]]
OPTION = r"(?<!\S)--?[\w-]+"
PLACEHOLDER = r"\[[A-Z][^\]]*\]|\b[A-Z]{2,}\b"


def panels(
    usage: str, about: str, sections: Mapping[str, Rows], epilog: str, *, width: int, colour: bool
) -> str:
    """The page as a terminal shows it. Typer's own loads Markdown and highlighters to draw it."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        force_terminal=True,
        color_system="standard" if colour else None,
        legacy_windows=False,
        highlight=False,
    )
    usage_line = Text(f"Usage: {usage}", "bold")
    usage_line.highlight_regex(PLACEHOLDER, "not bold yellow")
    console.print(Padding(usage_line, 1, expand=False))
    console.print(Padding(Text.from_ansi(about), (0, 1, 1, 1), expand=False))
    for title, rows in sections.items():
        console.print(_panel(title, rows, width))
    if epilog:
        console.print(Padding(Text.from_ansi(epilog), 1, expand=False))
    return "\n".join(line.rstrip(" ") for line in file.getvalue().split("\n"))


def _panel(title: str, rows: Rows, width: int) -> RenderableType:
    from rich.cells import cell_len
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2), expand=True)
    longest = max(cell_len(name) for name, _ in rows)
    table.add_column(width=min(longest, max(8, (width - 6) * 45 // 100)), overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    for name, text in rows:
        table.add_row(_panel_name(name), Text.from_ansi(text))  # a text of Rich's own markup is none here
    return Panel(table, title=title, title_align="left", border_style="dim")


def _panel_name(name: str) -> Text:
    from rich.text import Text

    text = Text(name, "yellow" if name.startswith("-") else "bold cyan")
    text.highlight_regex(OPTION, "bold cyan")
    return text
