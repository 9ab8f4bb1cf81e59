"""Builds a Typer command from a template, with its options and arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from gptkit.cli.completion import effort_levels, known_models, known_sessions
from gptkit.cli.help import CONTEXT_SETTINGS, GptkitCommand, HelpStyle
from gptkit.core.errors import UsageError
from gptkit.session.options import (
    Flag,
    SharedOptions,
    flags_beside,
    is_required,
    is_word,
    positionals,
    shared_options,
)
from gptkit.templates.template import Parameter, Template, Value

if TYPE_CHECKING:
    import typer.core

    from gptkit.services import Services

OPTION, ARGUMENT, FLAG = "option_", "argument_", "flag_"
HELP_ALL = "help_all"
PANEL = "Options of every prompt"
METAVARS: Mapping[str, str] = {
    "text": "TEXT",
    "list": "TEXT",
    "file": "FILE",
    "system": "TEXT|@FILE",
    "choice": "CHOICE",
    "integer": "N",
    "number": "NUMBER",
}

COMPLETIONS: Mapping[str, Callable[[Services, str], list[str]]] = {
    "model": known_models,
    "session": known_sessions,
    "effort": effort_levels,
}
"""The shared options whose values are completed, with what returns the values that begin with a text."""

PromptRunner = Callable[[Mapping[str, Value], SharedOptions], int]
"""Takes the values of the template's parameters and of the shared options; returns the exit code."""


def build_command(
    template: Template, run_prompt: PromptRunner, extra: Sequence[Parameter], help_style: HelpStyle
) -> typer.core.TyperCommand:
    """Build the command of a prompt file; `extra` are the options of its capabilities."""
    callback = _callback(template, run_prompt, extra, help_style)
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    settings = dict(CONTEXT_SETTINGS)
    app.command(
        template.name,
        cls=PromptCommand,
        help=help_style.format_text(template.description),
        context_settings=settings,
    )(callback)
    command = cast("PromptCommand", typer.main.get_command(app))
    command.examples = [help_style.format_text(example) for example in template.usage]
    return command


class PromptCommand(GptkitCommand):
    """The command of a prompt, whose words may begin with a dash."""

    takes_words = True

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        return super().parse_args(ctx, self._words_last(args))

    def _words_last(self, args: list[str]) -> list[str]:
        """Put all words behind `--` if one of them begins with a dash, since the parser looks for options."""
        before = args[: args.index("--")] if "--" in args else args
        options: list[str] = []
        words: list[str] = []
        rest = iter(before)
        for argument in rest:
            if argument == "-" or is_word(argument):
                words.append(argument)
                continue
            options.append(argument)
            if self._needs_value(argument):
                options += islice(rest, 1)
        if not any(word[:1] == "-" and word != "-" for word in words):
            return args
        return [*options, "--", *words, *args[len(before) + 1 :]]

    def _needs_value(self, argument: str) -> bool:
        """Whether the next argument is the value of this option, or of the last letter of bundled ones."""
        with_value = {
            name for option in self.params if not getattr(option, "is_flag", False) for name in option.opts
        }
        if argument[:2] == "--":
            return argument in with_value
        places = [place for place, letter in enumerate(argument) if f"-{letter}" in with_value]
        return bool(places) and places[0] == len(argument) - 1


def _callback(
    template: Template, run_prompt: PromptRunner, extra: Sequence[Parameter], help_style: HelpStyle
) -> Callable[..., int]:
    options, arguments = (*template.options, *extra), positionals(template)
    last = arguments[-1] if arguments else None
    parameters = [
        *(_argument(argument, argument is last, help_style) for argument in arguments),
        *(_option(option, help_style) for option in options),
        _help_all_option(),
        *(_flag(flag, help_style, template) for flag in flags_beside(options)),
    ]
    names = {OPTION + option.variable: option for option in options}
    names |= {ARGUMENT + argument.variable: argument for argument in arguments}

    def callback(**given: object) -> int:
        if last is not None and last.kind == "text":
            _move_dash_to_stdin(last, given)
        del given[HELP_ALL]
        values = {
            parameter.variable: _convert_value(parameter, given[name])
            for name, parameter in names.items()
            if given.get(name) not in (None, [])
        }
        flags = {name.removeprefix(FLAG): value for name, value in given.items() if name.startswith(FLAG)}
        return run_prompt(values, shared_options(flags))

    cast(Any, callback).__signature__ = inspect.Signature(parameters)
    callback.__annotations__ = {p.name: p.annotation for p in parameters}
    return callback


def _move_dash_to_stdin(last: Parameter, given: dict[str, object]) -> None:
    """Turn a '-' before or after the words into --stdin; between words it is a minus."""
    words = given.get(ARGUMENT + last.variable)
    if not isinstance(words, list) or "-" not in (*words[:1], *words[-1:]):
        return
    words = words[1:] if words[0] == "-" else words[:-1]
    if not words and is_required(last):
        raise UsageError(f"'-' stands for standard input; {last.name.upper()} is missing")
    given[ARGUMENT + last.variable] = words
    given[FLAG + "stdin"] = True


def _argument(argument: Parameter, last: bool, help_style: HelpStyle) -> inspect.Parameter:
    is_repeatable = last and argument.kind in ("text", "list")
    required = is_required(argument)
    settings = {
        "metavar": argument.name.upper() + ("..." if is_repeatable else ""),
        **_help_settings(argument, help_style),
    }
    kind: Any = list[str] if is_repeatable else _annotation_type(argument)
    return inspect.Parameter(
        ARGUMENT + argument.variable,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if required else None,
        annotation=Annotated[kind if required else kind | None, typer.Argument(**settings)],
    )


def _option(option: Parameter, help_style: HelpStyle) -> inspect.Parameter:
    has_negation = option.kind == "boolean" and not option.plain
    names = [f"--{option.name}/--no-{option.name}" if has_negation else f"--{option.name}"]
    if option.short:
        names.append(f"-{option.short}")
    settings = _help_settings(option, help_style)
    if option.kind != "boolean":
        settings["metavar"] = option.metavar or METAVARS[option.kind]
    if option.least is not None:
        settings["min"] = option.least
    settings["hidden"] = option.is_rare and not help_style.is_completion
    kind: Any = list[str] if option.kind == "list" else _annotation_type(option)
    return inspect.Parameter(
        OPTION + option.variable,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, typer.Option(*names, **settings)],
    )


def _help_settings(parameter: Parameter, help_style: HelpStyle) -> dict[str, Any]:
    """Return help, choices and default; Typer does not get the default, which it would show unsanitized."""
    notes = [", ".join(parameter.choices)] if parameter.choices else []
    if parameter.kind == "list":
        notes.append("can be repeated")
    if parameter.default not in (None, "", (), False):
        notes.append(f"default: {_default_text(parameter)}")
    settings: dict[str, Any] = {
        "help": help_style.format_with_notes(parameter.help, notes),
        "show_default": False,
        "readable": False,  # an unreadable file is reported where it is read
    }
    if help_style.is_completion and parameter.choices:
        settings["autocompletion"] = lambda: help_style.single_words(parameter.choices)
    return settings


def _default_text(parameter: Parameter) -> str:
    if parameter.kind == "boolean":
        return f"--{parameter.name}"
    if isinstance(parameter.default, tuple):
        return ", ".join(parameter.default)
    return f"{parameter.default:g}" if isinstance(parameter.default, float) else str(parameter.default)


def _help_all_option() -> inspect.Parameter:
    return inspect.Parameter(
        HELP_ALL,
        inspect.Parameter.KEYWORD_ONLY,
        default=False,
        annotation=Annotated[
            bool,
            typer.Option(
                "--help-all", is_eager=True, callback=_show_all_help, help="Show every option and exit."
            ),
        ],
    )


def _show_all_help(ctx: typer.Context, is_wanted: bool) -> None:
    if is_wanted and not ctx.resilient_parsing:
        for parameter in ctx.command.params:
            cast(Any, parameter).hidden = False
        typer.echo(ctx.get_help())
        raise typer.Exit


def _flag(flag: Flag, help_style: HelpStyle, template: Template) -> inspect.Parameter:
    types: Mapping[str, Any] = {
        "text": str | None,
        "integer": int | None,
        "number": float | None,
        "list": list[str] | None,
        "path": Path | None,
        "flag": bool,
    }
    names = [f"--{flag.name}"] + ([f"-{flag.short}"] if flag.short else [])
    settings: dict[str, Any] = {"help": flag.help, "rich_help_panel": PANEL, "readable": False}
    is_rare = flag.is_rare and not (flag.name == "attach" and template.attachments)
    settings["hidden"] = is_rare and not help_style.is_completion
    if flag.metavar:
        settings["metavar"] = flag.metavar
    if flag.kind == "integer":
        settings["min"] = 1
    if help_style.is_completion and flag.name in COMPLETIONS:
        settings["autocompletion"] = _completion(COMPLETIONS[flag.name], help_style)
    return inspect.Parameter(
        FLAG + flag.variable,
        inspect.Parameter.KEYWORD_ONLY,
        default=False if flag.kind == "flag" else None,
        annotation=Annotated[types[flag.kind], typer.Option(*names, **settings)],
    )


def _completion(
    known: Callable[[Services, str], list[str]], help_style: HelpStyle
) -> Callable[[typer.Context, str], list[str]]:
    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        names = help_style.single_words(known(ctx.obj, incomplete))
        return names or [incomplete]  # without any value, the shell would offer files

    return complete


def _annotation_type(parameter: Parameter) -> Any:  # noqa: ANN401
    if parameter.kind == "choice":
        return cast(Any, Literal)[parameter.choices]
    kinds: Mapping[str, Any] = {"integer": int, "number": float, "boolean": bool, "file": Path}
    return kinds.get(parameter.kind, str)


def _convert_value(parameter: Parameter, given: object) -> Value:
    if parameter.kind == "list":
        return tuple(str(item) for item in cast("list[str]", given))
    if isinstance(given, list):
        return " ".join(str(item) for item in given)
    if isinstance(given, Path):
        return str(given)
    return cast(Value, given)
