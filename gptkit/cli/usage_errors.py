"""Errors of the command line in gptkit's words, since those of the parser change with its releases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gptkit.core.errors import UsageError
from gptkit.core.sanitize import one_line
from gptkit.core.yaml_tree import spelling_hint
from gptkit.session.options import RESERVED_OPTIONS


def to_usage_error(error: Exception) -> Exception:
    """Turn an error of the command line parser into a UsageError; return others unchanged."""
    if not hasattr(error, "format_message"):
        return error
    context: Any = getattr(error, "ctx", None)
    hint = help_hint(context)
    if hasattr(error, "possibilities"):
        possible: list[str] = error.possibilities or []
        option = str(getattr(error, "option_name", ""))
        command = getattr(context, "command", None)
        if getattr(command, "has_prompts", False) and (
            option.lstrip("-") in RESERVED_OPTIONS or not spelling_hint(option, possible).startswith("did")
        ):
            return UsageError(
                f"no such option '{option}'",
                hint=f"options follow the command: 'gptkit NAME {option} ...'",
            )
        if getattr(command, "takes_words", False):
            hint += "; a word that begins with '-' stands after '--'"
        return UsageError(
            f"no such option '{option}'", hint=spelling_hint(option, possible) if possible else hint
        )
    if option := str(getattr(error, "option_name", "")):
        what = "takes no value" if _is_flag(context, option) else "requires an argument"
        return UsageError(f"option '{option}' {what}", hint=hint)
    if parameter := getattr(error, "param", None):
        name, type_text = parameter.get_error_hint(context), _describe_type(parameter.type)
        if type(error).__name__ != "MissingParameter":
            return UsageError(f"invalid value for {name}: it must be {type_text}", hint=hint)
        of = f": {type_text}" if hasattr(parameter.type, "choices") else ""
        return UsageError(f"missing {parameter.param_type_name} {name}{of}", hint=hint)
    return UsageError("the command line is not understood", hint=hint)


def unknown_command(context: Any, name: str, names: Sequence[str]) -> UsageError:  # noqa: ANN401
    """Make the error for an unknown command of a group that has the commands `names`."""
    hint = spelling_hint(name, names)
    meant = hint if hint.startswith("did you mean") else help_hint(context)
    return UsageError(f"no such command '{one_line(name, 100)}'", hint=meant)


def unexpected_argument(context: Any, word: str) -> UsageError:  # noqa: ANN401
    """Make the error for a word too many."""
    return UsageError(f"unexpected argument '{one_line(word, 100)}'", hint=help_hint(context))


def help_hint(context: Any) -> str:  # noqa: ANN401
    """Return the hint at a command's help."""
    return f"'{context.command_path if context is not None else 'gptkit'} --help' shows what it takes"


def _is_flag(context: Any, option: str) -> bool:  # noqa: ANN401
    parameters = context.command.params if context is not None else []
    options = [
        parameter for parameter in parameters if option in (*parameter.opts, *parameter.secondary_opts)
    ]
    return any(getattr(parameter, "is_flag", False) for parameter in options)


def _describe_type(kind: Any) -> str:  # noqa: ANN401
    """Describe the values that a type of Typer allows."""
    if choices := getattr(kind, "choices", None):
        return "one of " + ", ".join(f"'{choice}'" for choice in choices)
    name = type(kind).__name__
    noun = "a whole number" if name.startswith("Int") else "a number" if name.startswith("Float") else ""
    least = getattr(kind, "min", None)
    return (noun or "of another kind") + ("" if least is None else f" of at least {least}")
