"""The top level: every prompt file and every housekeeping command by its name, built when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
import typer.core

from gptkit import __version__
from gptkit.cli.command import command
from gptkit.cli.help import CONTEXT, Command, Group, Page, adopt, page
from gptkit.cli.usage_errors import usage_fault
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


NAME_CAP = 64
LEAST_WIDTH = 30
"""Columns of a help page at least; what claims to have fewer wraps by itself."""
INSTALL = "--install-completion"
PROMPTS_PANEL = "Prompts"
HOUSEKEEPING_PANEL = "Housekeeping"
EPILOG = (
    "'gptkit NAME --help' shows a command's own options; 'gptkit prompts new NAME' makes a command of yours."
)


def run(argv: list[str], services: Services) -> int:
    """Parse the command line, run what it names, and return the exit code."""
    terminal = services.terminal
    if argv[:1] == [INSTALL]:  # Typer's own writes over the user's start-up file, and a full disk empties it
        from gptkit.cli.completion import install

        return install(terminal)
    looks = page(terminal)
    app = typer.Typer(
        cls=PromptGroup,
        rich_markup_mode=None,
        context_settings={**CONTEXT, "terminal_width": max(terminal.width, LEAST_WIDTH)},
        help="Turn YAML prompt files into commands over the OpenAI chat API.",
        epilog=EPILOG,
    )
    app.callback()(_options)
    try:
        code = typer.main.get_command(app).main(argv, prog_name="gptkit", standalone_mode=False, obj=services)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except Exception as error:
        if looks.completing:
            return 1  # a message would land in the middle of the line that is being typed
        raise usage_fault(error) from None
    if code == 1:  # Typer's own, when it is asked for the completion of a shell that it cannot tell
        raise UsageError("this shell is not known", hint="completion exists for bash, zsh, fish, powershell")
    return code if isinstance(code, int) else 0


class PromptGroup(Group):
    """A group whose commands are prompt files and the housekeeping modules."""

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
        looks = page(services.terminal)
        if self._listed is not None:
            return _summary(services, cmd_name, self._listed.get(cmd_name), looks)
        if command := services.housekeeping.get(cmd_name):
            return _housekeeping(command)
        return _prompt(services, cmd_name, looks) if services.library.find(cmd_name) else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401
        found = self.get_command(ctx, args[0])
        if found is None:
            raise _unknown(_services(ctx), args[0], self.list_commands(ctx))
        return args[0], found, args[1:]

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        self._listed = _services(ctx).library.files()
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
    """What comes before the name of a command."""


def _services(ctx: Any) -> Services:  # noqa: ANN401
    return cast("Services", ctx.obj)


def _summary(services: Services, name: str, entry: PromptFile | None, looks: Page) -> Command:
    """A command for a list: its name and its help, and nothing behind them."""
    if entry is None or name in services.housekeeping:
        text, panel = services.housekeeping[name].help, HOUSEKEEPING_PANEL
    else:
        try:
            text = services.library.outline(entry).description
        except GptkitError:
            import shlex

            text = f"(broken: 'gptkit prompts check {shlex.quote(name)}' says why)"
        panel = PROMPTS_PANEL
    shown = one_line(name, NAME_CAP)
    return Command(shown, help=looks.text(text), rich_markup_mode=None, rich_help_panel=panel)


def _prompt(services: Services, name: str, looks: Page) -> Any:  # noqa: ANN401
    template: Template = services.template(name)
    extra = [option for one in services.capabilities_of(template) for option in one.options]

    def call(values: Mapping[str, Value], shared: SharedOptions) -> int:
        from gptkit.cli.prompt import prompt

        return prompt(services, template, values, shared)

    return command(template, call, extra, looks)


def _housekeeping(command: HousekeepingCommand) -> Any:  # noqa: ANN401
    import importlib

    found = adopt(importlib.import_module(command.module).app)
    found.name = command.name
    return found


def _unknown(services: Services, name: str, names: list[str]) -> GptkitError:
    from gptkit.cli.prompts import missing

    if fault := missing(services, name):
        return fault
    hint = spelling_hint(name, names)
    if name in ("help", "version"):
        hint = f"did you mean '--{name}'?"  # and not `shell`
    elif hint.startswith("allowed"):
        hint = "'gptkit --help' shows all"
    return UsageError(f"no command or prompt named '{one_line(name, 100)}'", hint=hint)
