"""What is wrong with a command line, in gptkit's words: those of the parser change with its releases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gptkit.core.errors import UsageError
from gptkit.core.sanitize import one_line
from gptkit.core.yaml_tree import spelling_hint


def usage_fault(error: Exception) -> Exception:
    """An error of the command line parser as ours; any other exception as it is."""
    if not hasattr(error, "format_message"):
        return error
    context: Any = getattr(error, "ctx", None)
    hint = takes(context)
    if hasattr(error, "possibilities"):
        possible: list[str] = error.possibilities or []
        option = str(getattr(error, "option_name", ""))
        return UsageError(
            f"no such option '{option}'", hint=spelling_hint(option, possible) if possible else hint
        )
    if option := str(getattr(error, "option_name", "")):
        what = "takes no value" if _is_flag(context, option) else "requires an argument"
        return UsageError(f"option '{option}' {what}", hint=hint)
    if parameter := getattr(error, "param", None):
        name, wanted = parameter.get_error_hint(context), _wanted(parameter.type)
        if type(error).__name__ != "MissingParameter":
            return UsageError(f"invalid value for {name}: it must be {wanted}", hint=hint)
        of = f": {wanted}" if hasattr(parameter.type, "choices") else ""
        return UsageError(f"missing {parameter.param_type_name} {name}{of}", hint=hint)
    return UsageError("the command line is not understood", hint=hint)


def unknown_command(context: Any, name: str, names: Sequence[str]) -> UsageError:  # noqa: ANN401
    """Of a group that has commands of these names."""
    hint = spelling_hint(name, names)
    meant = hint if hint.startswith("did you mean") else takes(context)
    return UsageError(f"no such command '{one_line(name, 100)}'", hint=meant)


def unexpected_argument(context: Any, word: str) -> UsageError:  # noqa: ANN401
    """A word too many."""
    return UsageError(f"unexpected argument '{one_line(word, 100)}'", hint=takes(context))


def takes(context: Any) -> str:  # noqa: ANN401
    """The hint at a command's help."""
    return f"'{context.command_path if context is not None else 'gptkit'} --help' shows what it takes"


def _is_flag(context: Any, option: str) -> bool:  # noqa: ANN401
    parameters = context.command.params if context is not None else []
    known = [one for one in parameters if option in (*one.opts, *one.secondary_opts)]
    return any(getattr(one, "is_flag", False) for one in known)


def _wanted(kind: Any) -> str:  # noqa: ANN401
    """What values a type of Typer's has."""
    if choices := getattr(kind, "choices", None):
        return "one of " + ", ".join(f"'{choice}'" for choice in choices)
    name = type(kind).__name__
    noun = "a whole number" if name.startswith("Int") else "a number" if name.startswith("Float") else ""
    least = getattr(kind, "min", None)
    return (noun or "of another kind") + ("" if least is None else f" of at least {least}")
