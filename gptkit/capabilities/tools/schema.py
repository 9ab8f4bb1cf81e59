"""JSON schemas of arguments: those of commands, lossless coercion, the check, and the strict form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from gptkit.capabilities.tools.model import ApiSource, Argument, McpSource, RefusedCallError, Tool
from gptkit.core.errors import DataError
from gptkit.core.yaml_tree import spelling_hint

_TYPES = {"text": "string", "choice": "string", "file": "string"}
# fmt: off
_STRICT_DROPPED = frozenset({
    "default", "examples", "example", "minLength", "maxLength", "uniqueItems", "format", "title", "readOnly",
    "writeOnly", "deprecated", "$comment", "$schema", "xml", "externalDocs", "discriminator", "nullable",
    "contentEncoding", "contentMediaType", "minProperties", "maxProperties",
})
"""Keywords that the strict form has no place for; the local check keeps them."""
_STRICT_KEPT = frozenset({
    "type", "description", "properties", "required", "additionalProperties", "items", "anyOf", "enum",
    "const", "pattern", "$ref", "$defs", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "minItems", "maxItems",
})
# fmt: on
"""Keywords of OpenAI's strict tools and structured output (its guide, "Supported schemas")."""
_KINDS = {
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "string": {"minLength", "maxLength"},
    "array": {"items", "minItems", "maxItems", "uniqueItems", "contains"},
    "object": {"properties", "required", "additionalProperties"},
}
"""Types by the keywords that a value of any other type passes."""
STRICT_DEPTH, STRICT_ENUM = 10, 1000
"""Levels of nesting and values of enumerations that the strict form allows."""


def command_schema(arguments: Sequence[Argument]) -> dict[str, object]:
    """The JSON schema of a command's arguments; patterns are told in words: servers read them differently."""
    properties: dict[str, object] = {}
    for argument in arguments:
        kind = _TYPES.get(argument.kind, argument.kind)
        schema: dict[str, object] = {"type": "array", "items": {"type": "string"}}
        if argument.kind != "list":
            schema = {"type": kind}
        if argument.choices:
            schema["enum"] = [*argument.choices]
        for name in ("minimum", "maximum"):
            if (limit := getattr(argument, name)) is not None:
                schema[name] = limit
        notes = [argument.help] if argument.help else []
        if argument.pattern:
            notes.append(f"It matches the regular expression {argument.pattern}")
        if argument.kind == "file":
            notes.append("A path below the current folder.")
        if notes:
            schema["description"] = " ".join(notes)
        properties[argument.name] = schema
    required = [argument.name for argument in arguments if not argument.optional and argument.default is None]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def checked_arguments(tool: Tool, values: Mapping[str, object]) -> dict[str, object]:
    """The arguments of a call as the schema of its tool wants them. Raises RefusedCallError.

    Only what loses nothing is converted: a number written as text, `null` for an argument that may be left
    out.
    """
    properties = _mapping(tool.schema.get("properties"))
    required = tool.schema.get("required")
    needed = required if isinstance(required, list) else []
    arguments: dict[str, object] = {}
    for name, value in values.items():
        schema = _mapping(properties.get(name))
        if value is None and name not in needed and not _allows_null(schema):
            continue
        arguments[name] = coerce(value, schema)
    if problem := mismatch(arguments, tool.schema):
        raise RefusedCallError(problem)
    for name, narrow in tool.narrow.items():
        if name in arguments:
            check_narrow(name, arguments[name], narrow)
    return arguments


def check_names(source: ApiSource | McpSource, tools: Sequence[Tool], fixed: Iterable[str]) -> None:
    """Raise DataError for an argument in `narrow` or `fix` that no tool has: a slip there would hold nothing.

    `fixed` are the names of the arguments that are fixed.
    """
    for name in set(source.fix) - set(fixed):
        raise DataError(f"'{source.name}': 'fix' names '{name}', which no tool takes")
    for tool in tools:
        properties = _mapping(tool.schema["properties"])
        for name in set(tool.narrow) - set(properties):
            message = f"'{source.name}': 'narrow' names '{name}', which '{tool.name}' does not take"
            raise DataError(message, hint=spelling_hint(name, [*properties]))


def check_narrow(name: str, value: object, narrow: Mapping[str, object]) -> None:
    """Check a value against a schema of the tool file, which no value of another type passes.

    A pattern there matches the whole value.
    """
    pattern = narrow.get("pattern")
    if isinstance(pattern, str) and not (isinstance(value, str) and re.fullmatch(pattern, value)):
        raise RefusedCallError(f"'{name}' must match '{pattern}' as a whole")
    rest = {key: part for key, part in narrow.items() if key != "pattern"}
    kind = next((kind for kind, keys in _KINDS.items() if keys & set(rest)), "")
    rest = {"type": kind, **rest} if kind else rest
    if problem := mismatch(value, rest):
        raise RefusedCallError(f"'{name}': {problem}")


def coerce(value: object, schema: Mapping[str, object]) -> object:
    """Convert a value to the type of its schema where nothing is lost by that."""
    kinds = schema.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if isinstance(value, str) and "string" not in kinds:
        if "integer" in kinds and re.fullmatch(r"-?[0-9]{1,18}", value):
            return int(value)
        if "number" in kinds and re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", value):
            return float(value)
        if "boolean" in kinds and value in ("true", "false"):
            return value == "true"
    if isinstance(value, float) and "integer" in kinds and "number" not in kinds and value.is_integer():
        return int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and kinds == ["string"]:
        return json.dumps(value)
    if isinstance(value, list) and (items := _mapping(schema.get("items"))):
        return [coerce(item, items) for item in value]
    return value


def mismatch(value: object, schema: Mapping[str, object]) -> str:
    """Where and why a schema does not allow a value; empty if it does."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match
    from referencing.jsonschema import EMPTY_REGISTRY

    from gptkit.output.json_format import with_limited_patterns

    validator = with_limited_patterns(Draft202012Validator)
    try:
        error = best_match(validator(schema, registry=EMPTY_REGISTRY).iter_errors(cast("Any", value)))
    except Exception as broken:  # whatever a broken schema does to the library, nothing passes it
        return f"the schema of the tool cannot be used ({type(broken).__name__})"
    if error is None:
        return ""
    place = ".".join(str(part) for part in error.absolute_path)
    return (f"'{place}': " if place else "") + str(error.message)[:300]


def _allows_null(schema: Mapping[str, object]) -> bool:
    kinds = schema.get("type")
    inner = schema.get("anyOf")
    return (
        kinds == "null"
        or (isinstance(kinds, list) and "null" in kinds)
        or (isinstance(inner, list) and any(_allows_null(_mapping(part)) for part in inner))
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


class _NotStrictError(Exception):
    """Raised for a schema that has no strict form."""


def strict_schema(schema: Mapping[str, object]) -> dict[str, object] | None:
    """The strict form of a schema, in which what is optional may be null; None if there is none.

    A map, a free object, a schema without a type have no strict form. What the strict form loses (lengths,
    formats) the local check still holds.
    """
    try:
        return _StrictForm(_mapping(schema.get("$defs"))).convert(schema, 0)
    except _NotStrictError:
        return None


class _StrictForm:
    """The strict form of schemas that share definitions."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions

    def convert(self, schema: object, depth: int) -> dict[str, object]:
        if depth > STRICT_DEPTH or not isinstance(schema, Mapping):  # `true` allows anything
            raise _NotStrictError
        schema = self._merged(schema, 0)
        if "oneOf" in schema and "anyOf" not in schema:
            schema["anyOf"] = schema.pop("oneOf")
        strict = {name: value for name, value in schema.items() if name not in _STRICT_DROPPED}
        if not _STRICT_KEPT.issuperset(strict) or len(strict.get("enum", ())) > STRICT_ENUM:
            raise _NotStrictError
        if "$ref" in strict:
            return {"$ref": strict["$ref"]}
        for name in ("properties", "$defs", "anyOf"):
            parts = strict.get(name)
            if isinstance(parts, Mapping):
                strict[name] = {key: self.convert(part, depth + 1) for key, part in parts.items()}
            elif parts:
                strict[name] = [self.convert(part, depth + 1) for part in parts]
        kinds = strict.get("type")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if kinds == [None] and not {"anyOf", "enum", "const"} & set(strict):
            raise _NotStrictError
        if "array" in kinds:
            strict["items"] = self.convert(_mapping(strict.get("items")), depth + 1)
        return _strict_object(strict) if "object" in kinds else strict

    def _merged(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        """A schema without `allOf`: the properties of its parts stand side by side."""
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        if depth > STRICT_DEPTH:
            raise _NotStrictError
        for part in schema.get("allOf", ()):
            name = str(_mapping(part).get("$ref", "")).removeprefix("#/$defs/")
            inner = self._merged(_mapping(self._definitions.get(name, part)), depth + 1)
            kinds = {json.dumps(schema["type"]) for schema in (merged, inner) if "type" in schema}
            if len(kinds) > 1:
                raise _NotStrictError
            properties = {**merged.get("properties", {}), **inner.get("properties", {})}
            required = {*merged.get("required", ()), *inner.get("required", ())}
            merged = {**inner, **merged}
            if properties:
                merged |= {"properties": properties, "required": sorted(required & {*properties})}
        return merged


def _strict_object(schema: dict[str, Any]) -> dict[str, object]:
    properties = _mapping(schema.get("properties"))
    extra = schema.get("additionalProperties", False)
    if (extra is not False and extra is not None) or ("properties" not in schema):
        raise _NotStrictError
    required = schema.get("required", [])
    parts = {name: part if name in required else _nullable(part) for name, part in properties.items()}
    return {**schema, "properties": parts, "required": [*properties], "additionalProperties": False}


def _nullable(schema: Mapping[str, object]) -> Mapping[str, object]:
    """The schema, and null: what is left out is null in the strict form."""
    if _allows_null(schema):
        return schema
    kind = schema.get("type")
    if isinstance(kind, str) and not {"enum", "const", "properties", "items"} & set(schema):
        return {**schema, "type": [kind, "null"]}
    return {"anyOf": [schema, {"type": "null"}]}
