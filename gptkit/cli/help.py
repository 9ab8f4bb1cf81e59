"""Help pages: framed on a terminal, plain elsewhere; foreign text is never read as markup."""

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


COMPLETION_VARIABLE = "_GPTKIT_COMPLETE"
"""The environment variable with which the completion script of a shell asks for completions."""
CONTEXT_SETTINGS: Mapping[str, Any] = {"help_option_names": ["-h", "--help"]}
LEAST_FRAME_WIDTH = 40
"""The least columns of a terminal for framed help."""
TEXT_CAP = 400
RESET, DIM = "\x1b[0m", "\x1b[2m"
Sections = dict[str, list[tuple[str, str]]]
"""Pairs of name and description by section title."""


class HelpStyle(NamedTuple):
    """How help is shown: with frames on a terminal, or for the completion of a shell."""

    is_framed: bool
    is_completion: bool

    def format_text(self, foreign_text: str) -> str:
        line = one_line(foreign_text, TEXT_CAP)
        if self.is_completion:
            return line.replace("\\", "")  # zsh evaluates the text, and Typer does not quote this
        return line

    def format_with_notes(self, foreign_text: str, notes: list[str]) -> str:
        """Format a text with notes in brackets."""
        text = self.format_text(foreign_text)
        if not notes or self.is_completion:
            return text
        formatted_notes = f"[{one_line('; '.join(notes), TEXT_CAP)}]"
        return (
            f"{text}  {DIM}{formatted_notes}{RESET}"
            if self.is_framed
            else f"{text}  {formatted_notes}".lstrip()
        )

    def single_words(self, values: Sequence[str]) -> list[str]:
        """Return the values that every shell reads as one word, even without quotes."""
        return [value for value in values if re.fullmatch(r"[\w@%+=:,./-]+", value)]


def help_style(terminal: Terminal) -> HelpStyle:
    """Return the help style of this run."""
    is_completion = COMPLETION_VARIABLE in terminal.environ
    return HelpStyle(
        terminal.stdout_is_terminal and terminal.width >= LEAST_FRAME_WIDTH and not is_completion,
        is_completion,
    )


class GptkitCommand(typer.core.TyperCommand):
    """A Typer command with gptkit's help page and error messages."""

    examples: Sequence[str] = ()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        takes_more, ctx.allow_extra_args = ctx.allow_extra_args, True
        with _errors_with_context(ctx):
            rest = super().parse_args(ctx, args)
        if rest and not takes_more and not ctx.resilient_parsing:
            raise unexpected_argument(ctx, rest[0])
        return rest

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401
        return _usage_pieces(self, ctx)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        _write_help(self, ctx, formatter, _parameter_sections(self, ctx))


class GptkitGroup(typer.core.TyperGroup):
    """A Typer group with gptkit's help page and error messages; without a command it shows the help."""

    examples: Sequence[str] = ()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        if not args and not ctx.resilient_parsing:
            _refuse_missing_command(ctx)
        with _errors_with_context(ctx):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401
        if self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            raise unknown_command(ctx, args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401
        return [*_usage_pieces(self, ctx), "COMMAND [ARGUMENT...]"]

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        _write_help(self, ctx, formatter, {**_parameter_sections(self, ctx), **_command_sections(self, ctx)})


def command_of_app(app: typer.Typer) -> Any:  # noqa: ANN401
    """Return the command of a Typer app, with gptkit's help pages."""
    app.info.cls = GptkitGroup
    for command_info in app.registered_commands:
        command_info.cls = GptkitCommand
    root: Any = typer.main.get_command(app)
    for command in (root, *getattr(root, "commands", {}).values()):
        command.context_settings = {**CONTEXT_SETTINGS, **command.context_settings}
        command.params = [
            parameter
            for parameter in command.params
            if parameter.name not in ("install_completion", "show_completion")
        ]
    return root


@contextmanager
def _errors_with_context(ctx: Any) -> Iterator[None]:  # noqa: ANN401
    """Add the context to errors of the option parser, which lack it."""
    try:
        yield
    except Exception as error:
        if getattr(error, "ctx", ctx) is None:
            error.ctx = ctx  # type: ignore[attr-defined]
        raise


def _write_help(command: Any, ctx: Any, formatter: Any, sections: Sections) -> None:  # noqa: ANN401
    terminal: Terminal = ctx.obj.terminal
    if help_style(terminal).is_framed:
        usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
        page = HelpPage(usage, command.help or "", command.examples, sections, command.epilog or "")
        formatter.write(render_panels(page, terminal.width, terminal.has_colour))
        return
    command.format_usage(ctx, formatter)
    command.format_help_text(ctx, formatter)
    if command.examples:
        with formatter.section("Examples"):
            for example in command.examples:
                formatter.write_text(example)
    for title, rows in sections.items():
        with formatter.section(title):
            formatter.write_dl(rows, col_max=max(8, min(30, formatter.width // 3)))
    command.format_epilog(ctx, formatter)


def _usage_pieces(command: Any, ctx: Any) -> list[str]:  # noqa: ANN401
    pieces = ["[OPTIONS]"]
    for argument in _arguments(command, ctx):
        name = _argument_name(argument)
        pieces.append(name if argument.required else f"[{name}]")
    return pieces


def _parameter_sections(command: Any, ctx: Any) -> Sections:  # noqa: ANN401
    sections: Sections = {"Arguments": [], "Options": []}
    for argument in _arguments(command, ctx):
        required_mark = "  [required]" if argument.required else ""
        sections["Arguments"].append((_argument_name(argument), f"{argument.help or ''}{required_mark}"))
    for option in command.get_params(ctx):
        if option.param_type_name == "option" and (record := option.get_help_record(ctx)):
            sections.setdefault(option.rich_help_panel or "Options", []).append(record)
    return {title: rows for title, rows in sections.items() if rows}


def _command_sections(group: Any, ctx: Any) -> Sections:  # noqa: ANN401
    sections: Sections = {}
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        sections.setdefault(command.rich_help_panel or "Commands", []).append((command.name, command.help))
    widest = max(len(name) for rows in sections.values() for name, _ in rows)
    return {title: [(name.ljust(widest), text) for name, text in rows] for title, rows in sections.items()}


def _arguments(command: Any, ctx: Any) -> list[Any]:  # noqa: ANN401
    return [
        parameter
        for parameter in command.get_params(ctx)
        if parameter.param_type_name == "argument" and not parameter.hidden
    ]


def _argument_name(argument: Any) -> str:  # noqa: ANN401
    """Return the name of an argument in help; that of Typer differs between its releases."""
    return str(argument.metavar or argument.name.upper()).strip("[]")


def _refuse_missing_command(ctx: Any) -> NoReturn:  # noqa: ANN401
    if ctx.obj.terminal.stdout_is_terminal:
        typer.echo(ctx.get_help())
        raise typer.Exit(2)
    raise UsageError("missing command", hint=f"'{ctx.command_path} --help' shows all")


Rows = Sequence[tuple[str, str]]
OPTION_PATTERN = r"(?<!\S)--?[\w-]+"
PLACEHOLDER_PATTERN = r"\[[A-Z][^\]]*\]|\b[A-Z]{2,}\b"


class HelpPage(NamedTuple):
    """The texts of a help page."""

    usage: str
    description: str
    examples: Sequence[str]
    sections: Mapping[str, Rows]
    epilog: str


def render_panels(page: HelpPage, width: int, colour: bool) -> str:
    """Render a framed help page; Typer's own would import Markdown and highlighters."""
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
    usage_line = Text(f"Usage: {page.usage}", "bold")
    usage_line.highlight_regex(PLACEHOLDER_PATTERN, "not bold yellow")
    console.print(Padding(usage_line, 1, expand=False))
    console.print(Padding(Text.from_ansi(page.description), (0, 1, 1, 1), expand=False))
    if page.examples:  # without a frame, so that a line can be copied
        examples = Text("\n").join(Text(example, "cyan") for example in page.examples)
        console.print(Padding(Text("Examples:"), (0, 1), expand=False))
        console.print(Padding(examples, (0, 1, 1, 3), expand=False))
    for title, rows in page.sections.items():
        console.print(_render_panel(title, rows, width))
    if page.epilog:
        console.print(Padding(Text.from_ansi(page.epilog), 1, expand=False))
    return "\n".join(line.rstrip(" ") for line in file.getvalue().split("\n"))


def _render_panel(title: str, rows: Rows, width: int) -> RenderableType:
    from rich.cells import cell_len
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2), expand=True)
    longest = max(cell_len(name) for name, _ in rows)
    table.add_column(width=min(longest, max(8, (width - 6) * 45 // 100)), overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    for name, text in rows:
        table.add_row(
            _style_name(name), Text.from_ansi(text)
        )  # from_ansi, so that Rich's markup in the text stays text
    return Panel(table, title=Text(title), title_align="left", border_style="dim")


def _style_name(name: str) -> Text:
    from rich.text import Text

    text = Text(name, "yellow" if name.startswith("-") else "bold cyan")
    text.highlight_regex(OPTION_PATTERN, "bold cyan")
    return text
