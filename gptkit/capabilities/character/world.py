"""The named values of a character's world: read their declarations, check values, make their JSON Schema."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import get_args

from gptkit.capabilities.character.card import CardFinding, Kind, Report, Scalar, Variable

NAME = re.compile(r"[^\W\d][\w-]{0,63}")
KEYS = ("type", "default", "min", "max", "choices", "help")
KINDS: tuple[Kind, ...] = get_args(Kind)
MAX_VALUES = 200
NUMBER_CAP = 1e15  # JSON numbers up to this one are exact in every program
_TYPES = {"text": "string", "integer": "integer", "number": "number", "boolean": "boolean"}


def initial_values(variables: Sequence[Variable]) -> dict[str, Scalar]:
    """Return the default of each variable: the world before anything happened."""
    return {variable.name: variable.default for variable in variables}


def world_schema(variables: Sequence[Variable]) -> dict[str, object]:
    """Return the JSON Schema of an object with a value for each variable and nothing else."""
    properties = {variable.name: _schema(variable) for variable in variables}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def value_fault(variable: Variable, value: object) -> str:
    """Return why a variable cannot have a value; empty if it can."""
    if variable.kind == "choice":
        return "" if value in variable.choices else f"must be one of {', '.join(variable.choices)}"
    if variable.kind == "text":
        return "" if isinstance(value, str) else "must be text"
    if variable.kind == "boolean":
        return "" if isinstance(value, bool) else "must be true or false"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "must be a number"
    if not abs(value) <= NUMBER_CAP:  # also NaN
        return f"must be between {-NUMBER_CAP:g} and {NUMBER_CAP:g}"
    if variable.kind == "integer" and not float(value).is_integer():
        return "must be a whole number"
    if variable.minimum is not None and value < variable.minimum:
        return f"must be at least {variable.minimum:g}"
    if variable.maximum is not None and value > variable.maximum:
        return f"must be at most {variable.maximum:g}"
    return ""


def parse_variables(data: object, path: str, report: Report) -> tuple[Variable, ...]:
    """Read the variables of a mapping; a bare value is a default, whose type is the variable's."""
    if not isinstance(data, Mapping):
        report(CardFinding(path, "must be a mapping of names"))
        return ()
    if len(data) > MAX_VALUES:
        report(CardFinding(path, f"more than {MAX_VALUES} values"))
        return ()
    return tuple(_variable(str(name), value, f"{path}.{name}", report) for name, value in data.items())


def _schema(variable: Variable) -> dict[str, object]:
    """Return the schema of one variable, with its bounds in words: some servers refuse `minimum`."""
    bounds = (("at least", variable.minimum), ("at most", variable.maximum))
    limits = [f"{word} {bound:g}" for word, bound in bounds if bound is not None]
    description = "; ".join(filter(None, [variable.help, ", ".join(limits)]))
    if variable.kind == "choice":
        result: dict[str, object] = {"type": "string", "enum": list(variable.choices)}
    else:
        result = {"type": _TYPES[variable.kind]}
    return {**result, "description": description} if description else result


def _variable(name: str, data: object, path: str, report: Report) -> Variable:
    if not NAME.fullmatch(name):
        report(CardFinding(path, "a name consists of letters, digits, _ and -"))
    if not isinstance(data, Mapping):
        kind: Kind = _kind(data)
        default = data if isinstance(data, str | int | float) else ""
        if data is None or isinstance(data, list):
            report(CardFinding(path, "must be a value, or a mapping with its type"))
        return Variable(name, kind, default)
    for key in data:
        if key not in KEYS:
            report(CardFinding(f"{path}.{key}", f"unknown key; allowed: {', '.join(KEYS)}"))
    choices = _choices(data.get("choices"), f"{path}.choices", report)
    implied: Kind = "choice" if choices else _kind(data.get("default"))
    named = data.get("type", implied)
    declared = next((known for known in KINDS if known == named), None)
    if declared is None:
        report(CardFinding(f"{path}.type", f"must be one of {', '.join(KINDS)}"))
        return Variable(name)
    if declared == "choice" and not choices:
        report(CardFinding(f"{path}.choices", "missing"))
    bounds = [_bound(data.get(key), f"{path}.{key}", report) for key in ("min", "max")]
    if bounds[0] is not None and bounds[1] is not None and bounds[0] > bounds[1]:
        report(CardFinding(f"{path}.max", f"less than min, {bounds[0]:g}: no value is allowed"))
    words = data.get("help")
    help_text = words if isinstance(words, str) else ""
    variable = Variable(name, declared, "", bounds[0], bounds[1], choices, help_text)
    return _with_default(variable, data.get("default"), path, report)


def _with_default(variable: Variable, default: object, path: str, report: Report) -> Variable:
    if default is None:
        low = max(0, variable.minimum or 0)
        number = low if variable.maximum is None else min(low, variable.maximum)
        defaults: Mapping[Kind, Scalar] = {
            "text": "",
            "integer": math.ceil(number),
            "number": number,
            "boolean": False,
            "choice": variable.choices[0] if variable.choices else "",
        }
        return variable._replace(default=defaults[variable.kind])
    fault = value_fault(variable, default)
    if fault:
        report(CardFinding(f"{path}.default", fault))
    return variable._replace(default=default) if isinstance(default, str | int | float) else variable


def _kind(value: object) -> Kind:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    return "number" if isinstance(value, float) else "text"


def _bound(value: object, path: str, report: Report) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        report(CardFinding(path, "must be a number"))
        return None
    if not abs(value) <= NUMBER_CAP:
        report(CardFinding(path, f"must be between {-NUMBER_CAP:g} and {NUMBER_CAP:g}"))
        return None
    return value


def _choices(value: object, path: str, report: Report) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(choice, str) and choice for choice in value):
        report(CardFinding(path, "must be a list of words"))
        return ()
    return tuple(dict.fromkeys(value))
