"""The top level of the command line: prompt files and housekeeping commands, built when they are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
import typer.core

from gptkit import __version__
from gptkit.cli.command import build_command
from gptkit.cli.help import (
    CONTEXT_SETTINGS,
    GptkitCommand,
    GptkitGroup,
    HelpStyle,
    command_of_app,
    help_style,
)
from gptkit.cli.usage_errors import to_usage_error
from gptkit.core.errors import GptkitError, UsageError
from gptkit.core.sanitize import one_line
from gptkit.core.yaml_tree import spelling_hint
from gptkit.services import Services
from gptkit.templates import parse

if TYPE_CHECKING:
    from gptkit.exchange.capability import HousekeepingCommand
    from gptkit.session.options import SharedOptions
    from gptkit.templates.library import PromptFile
    from gptkit.templates.template import Template, Value


NAME_LIMIT = 64
LEAST_HELP_WIDTH = 30
"""The least columns of a help page; a narrower terminal wraps lines itself."""
INSTALL_OPTION = "--install-completion"
PROMPTS_PANEL = "Prompts"
ROOT_EXAMPLES = 3
"""The number of groups of which `gptkit --help` shows the first example."""
HELP = (
    "Write, translate, program, learn and ask about documents with an AI model, in the terminal or in a pipe."
)
EPILOG = (
    "'gptkit NAME --help' shows a command's own options; 'gptkit prompts new NAME' makes a command of yours."
)


def run(argv: list[str], services: Services) -> int:
    """Parse the command line and run its command; returns the exit code."""
    terminal = services.terminal
    if argv[:1] == [INSTALL_OPTION]:  # Typer's own may empty the start-up file on a full disk
        from gptkit.cli.completion import install

        return install(terminal)
    style = help_style(terminal)
    app = typer.Typer(
        cls=PromptGroup,
        rich_markup_mode=None,
        context_settings={**CONTEXT_SETTINGS, "terminal_width": max(terminal.width, LEAST_HELP_WIDTH)},
        help=HELP,
        epilog=EPILOG,
    )
    app.callback()(_options)
    try:
        code = typer.main.get_command(app).main(argv, prog_name="gptkit", standalone_mode=False, obj=services)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except Exception as error:
        if style.is_completion:
            return 1  # a message would appear in the line that the user types
        raise to_usage_error(error) from None
    if code == 1:  # Typer's code for completion of an unknown shell
        raise UsageError("this shell is not known", hint="completion exists for bash, zsh, fish, powershell")
    return code if isinstance(code, int) else 0


class PromptGroup(GptkitGroup):
    """A group whose commands are the prompt files and the housekeeping modules."""

    has_prompts = True
    _listed: Mapping[str, PromptFile] | None = None

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401
        entries = _services(ctx).library.files() if self._listed is None else self._listed
        housekeeping = _services(ctx).housekeeping
        names = [name for name in entries if name not in housekeeping]
        if ctx.resilient_parsing:
            names = [name for name in names if parse.name_problem(name, _services(ctx).vocabulary) is None]
        return [*names, *housekeeping]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401
        services = _services(ctx)
        style = help_style(services.terminal)
        if self._listed is not None:
            return _listed_command(services, cmd_name, self._listed.get(cmd_name), style)
        if housekeeping := services.housekeeping.get(cmd_name):
            return _housekeeping_command(services, housekeeping)
        return _prompt_command(services, cmd_name, style) if services.library.find(cmd_name) else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401
        command = self.get_command(ctx, args[0])
        if command is None:
            raise _unknown_command_error(_services(ctx), args[0], self.list_commands(ctx))
        return args[0], command, args[1:]

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        self._listed = _services(ctx).library.files()
        first_examples: dict[str, str] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            for example in command.examples[:1]:
                first_examples.setdefault(command.rich_help_panel, example)
        self.examples = [*first_examples.values()][:ROOT_EXAMPLES]
        super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:  # noqa: ANN401
        self._listed = _services(ctx).library.files()
        return super().shell_complete(ctx, incomplete)


def _version(ctx: typer.Context, wanted: bool) -> None:
    if wanted:
        _services(ctx).terminal.write(f"gptkit {__version__}\n")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option("--version", "-V", is_eager=True, callback=_version, help="Show the version and exit."),
    ] = False,
) -> None:
    """The options before the name of a command."""


def _services(ctx: Any) -> Services:  # noqa: ANN401
    return cast("Services", ctx.obj)


def _listed_command(
    services: Services, name: str, entry: PromptFile | None, style: HelpStyle
) -> GptkitCommand:
    """Make a command for a list, with name, help and examples only."""
    panel = PROMPTS_PANEL
    examples: tuple[str, ...] = ()
    if entry is None or name in services.housekeeping:
        text, panel = services.housekeeping[name].help, services.housekeeping[name].group
    else:
        try:
            outline = services.library.outline(entry)
            text, panel, examples = outline.description, outline.group or PROMPTS_PANEL, outline.usage
        except GptkitError:
            import shlex

            text = f"(broken: 'gptkit prompts check {shlex.quote(name)}' says why)"
    command = GptkitCommand(
        one_line(name, NAME_LIMIT),
        help=style.format_text(text),
        rich_markup_mode=None,
        rich_help_panel=one_line(panel, NAME_LIMIT),
    )
    command.examples = [style.format_text(example) for example in examples]
    return command


def _prompt_command(services: Services, name: str, style: HelpStyle) -> Any:  # noqa: ANN401
    template: Template = services.template(name)
    extra = [option for capability in services.capabilities_of(template) for option in capability.options]

    def run(values: Mapping[str, Value], shared: SharedOptions) -> int:
        from gptkit.cli.prompt import run_prompt

        return run_prompt(services, template, values, shared)

    return build_command(template, run, extra, style)


def _housekeeping_command(services: Services, housekeeping: HousekeepingCommand) -> Any:  # noqa: ANN401
    """Build a housekeeping command, with the commands that capabilities add below it."""
    import importlib

    command = command_of_app(importlib.import_module(housekeeping.module).app)
    command.name = housekeeping.name
    for other in (one for capability in services.capabilities for one in capability.commands):
        if other.below == housekeeping.name:
            command.add_command(_housekeeping_command(services, other), other.name)
    return command


def _unknown_command_error(services: Services, name: str, names: list[str]) -> GptkitError:
    from gptkit.cli.prompts import prompt_name_error

    if error := prompt_name_error(services, name):
        return error
    hint = spelling_hint(name, names)
    if name in ("help", "version"):
        hint = f"did you mean '--{name}'?"  # and not `shell`
    elif hint.startswith("allowed"):
        hint = "'gptkit --help' shows all"
    return UsageError(f"no command or prompt named '{one_line(name, 100)}'", hint=hint)
