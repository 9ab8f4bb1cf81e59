"""Make tools of the operations of an OpenAPI description: their names, arguments, schemas and places."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from gptkit.capabilities.tools.model import ApiSource, Operation, Risk, Tool
from gptkit.capabilities.tools.schema import check_names, strict_schema
from gptkit.core.errors import CannotReadError, DataError
from gptkit.core.hashing import sha256
from gptkit.core.yaml_tree import spelling_hint

SIZE_CAP = 32 << 20
"""Bytes of a description."""
FEW = 20
"""Operations that may be offered without a selection."""
METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
RISKS: Mapping[str, Risk] = {"get": "read", "head": "read", "options": "read", "delete": "destructive"}
"""The class of an operation by its method; all others are writes."""
DESCRIPTION_LENGTH = 1000
"""Characters of an operation's description that the model sees."""
NAME_LENGTH = 64
FORM = "application/x-www-form-urlencoded"
# fmt: off
OWN_HEADERS = frozenset({
    "accept", "authorization", "connection", "content-length", "content-type", "cookie", "expect", "host",
    "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade",
})
# fmt: on
"""Header parameters that the model is not asked for."""
_REFERENCE = "#/$defs/"
_TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
# fmt: off
_KEPT = frozenset({
    "type", "description", "properties", "required", "additionalProperties", "items", "anyOf", "oneOf",
    "allOf", "enum", "const", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "minItems", "maxItems", "minLength", "maxLength", "uniqueItems", "minProperties",
    "maxProperties", "not",
    "default", "format", "$ref", "nullable", "title",
})
# fmt: on


class ApiArgument(NamedTuple):
    """An argument of an operation: its name for the model, its place and name in the request, its schema."""

    name: str
    place: str
    own_name: str
    schema: Mapping[str, Any]
    is_required: bool


def read_description(path: Path) -> tuple[Mapping[str, Any], bytes]:
    """Read an OpenAPI description, JSON or YAML; returns it with its bytes. Raises DataError."""
    content = read_bytes(path)
    try:
        description = _parse(content)
    except (ValueError, RecursionError):
        raise DataError(f"'{path}': neither JSON nor YAML") from None
    if not isinstance(description, dict) or not str(description.get("openapi", "")).startswith("3."):
        raise DataError(f"'{path}': no OpenAPI 3 description", hint="older ones have to be converted first")
    return description, content


def read_bytes(path: Path) -> bytes:
    """Read the bytes of a description. Raises CannotReadError, DataError."""
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_CAP + 1)
    except OSError as error:
        raise CannotReadError(f"'{path}': {(error.strerror or str(error)).lower()}") from None
    if len(content) > SIZE_CAP:
        raise DataError(f"'{path}': larger than {SIZE_CAP >> 20} MiB")
    return content


def _parse(content: bytes) -> object:
    """A description as a JSON value. Raises ValueError, also for YAML that is endless or no JSON."""
    if content.lstrip()[:1] == b"{":
        return json.loads(content, parse_constant=_finite, parse_float=_finite)
    import yaml

    try:
        value = yaml.load(content, Loader=yaml.CSafeLoader)
        pieces, size = [], 0
        for piece in json.JSONEncoder(default=str, allow_nan=False).iterencode(value):
            pieces.append(piece)
            size += len(piece)
            if size > SIZE_CAP:  # aliases of aliases
                raise ValueError
        return json.loads("".join(pieces))
    except (yaml.YAMLError, TypeError):
        raise ValueError from None


def _finite(number: str) -> float:
    if not isfinite(value := float(number)):
        raise ValueError
    return value


def compile_tools(description: Mapping[str, Any], source: ApiSource, file: str) -> list[Tool]:
    """The tools of the selected operations. Raises DataError for a selection that does not fit."""
    operations = dict(_operations(description))
    by_place = {f"{method.upper()} {path}": name for name, (method, path) in operations.items()}
    names = [by_place.get(selected, selected) for selected in source.select]
    if unknown := [name for name in names if name not in operations]:
        hint = spelling_hint(unknown[0], [*operations])
        raise DataError(f"'{source.file}': there is no operation '{unknown[0]}'", hint=hint)
    if not names and len(operations) > FEW:
        hint = "'select' those to be offered"
        raise DataError(f"'{source.file}' has {len(operations)} operations", hint=hint)
    for table in ("risk", "narrow", "most"):
        if stray := [name for name in getattr(source, table) if name not in (names or operations)]:
            raise DataError(f"'{source.file}': '{table}' names '{stray[0]}', which is not selected")
    try:
        tools = [_tool(description, source, name, operations[name], file) for name in names or operations]
    except RecursionError:
        raise DataError(f"'{source.file}': its schemas are nested too deeply") from None
    actions = [(tool, tool.action) for tool in tools if isinstance(tool.action, Operation)]
    fixed = [own for tool, action in actions for name, (_, own) in action.places.items() if name in tool.fix]
    check_names(source, tools, fixed)
    return tools


def _operations(description: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, str]]]:
    """The operations by name: their `operationId`, or method and path; with method and path."""
    names: set[str] = set()
    for path, item in _mapping(description.get("paths")).items():
        for method in METHODS:
            operation = _mapping(item).get(method)
            if isinstance(operation, dict) and path.startswith("/"):  # else it would name another host
                name = operation.get("operationId")
                name = valid_name(name if isinstance(name, str) and name else f"{method}_{path}")
                if name in names:
                    name = valid_name(f"{name}_{method}_{path}")
                names.add(name)
                yield name, (method, str(path))


def valid_name(name: str, length: int = NAME_LENGTH) -> str:
    """A name that the API takes; one that is cut or changed to nothing ends in a digest."""
    plain = re.sub(r"[^a-zA-Z0-9_-]+", "_", name).strip("_")
    if plain and len(plain) <= length:
        return plain
    return f"{plain[: length - 9]}_{sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}".lstrip("_")


def _tool(
    description: Mapping[str, Any], source: ApiSource, name: str, place: tuple[str, str], file: str
) -> Tool:
    method, path = place
    item = _mapping(description["paths"][path])
    operation = item[method]
    schemas = _Schemas(description)
    arguments, content_type = _arguments(schemas, item, operation, path, source)
    offered = [argument for argument in arguments if argument.own_name not in source.fix]
    properties = {argument.name: argument.schema for argument in offered}
    narrow = source.narrow.get(name, {})  # it would hold nothing for an argument that is left out
    required = [argument.name for argument in offered if argument.is_required or argument.name in narrow]
    schema: dict[str, object] = {"type": "object", "properties": properties, "required": required}
    schema["additionalProperties"] = False
    if schemas.definitions:
        schema["$defs"] = schemas.definitions
    words = [operation.get("summary"), operation.get("description")]
    text = " ".join(" ".join(word for word in words if isinstance(word, str)).split())
    places = {argument.name: (argument.place, argument.own_name) for argument in arguments}
    action = Operation(source.name, method.upper(), source.server, path, places, source.headers, content_type)
    return Tool(
        name=valid_name(f"{source.name}_{name}"),
        description=text[:DESCRIPTION_LENGTH] or f"{method.upper()} {path}",
        schema=schema,
        risk=source.risk.get(name, RISKS.get(method, "write")),
        action=action,
        file=file,
        most=source.most.get(name),
        narrow=narrow,
        fix={a.name: source.fix[a.own_name] for a in arguments if a.own_name in source.fix},
        timeout=source.timeout,
        strict=strict_schema(schema),
    )


def _arguments(
    schemas: _Schemas, item: Mapping[str, Any], operation: Mapping[str, Any], path: str, source: ApiSource
) -> tuple[list[ApiArgument], str]:
    """The arguments of an operation, each under a name of its own, and the type of its body."""
    parameters: dict[tuple[str, str], Mapping[str, Any]] = {}
    for listed in (item.get("parameters"), operation.get("parameters")):
        for reference in listed if isinstance(listed, list) else ():
            parameter = schemas.resolve(reference)
            if isinstance(parameter.get("name"), str):
                parameters[str(parameter.get("in")), parameter["name"]] = parameter
    taken: set[str] = set()
    arguments = []
    for (place, own_name), parameter in parameters.items():
        is_secret = place == "cookie" or own_name.lower() in schemas.secret_names
        is_required = place == "path" or parameter.get("required") is True
        is_omitted = own_name in source.omit and not is_required
        if is_secret or is_omitted or (place == "header" and _is_set(own_name, source)):
            continue
        schema = schemas.convert(_parameter_schema(parameter), str(parameter.get("description") or ""))
        arguments.append(ApiArgument(_unique(own_name, taken), place, own_name, schema, is_required))
    for own_name in re.findall(r"\{([^{}]+)\}", path):  # some descriptions forget them
        if ("path", own_name) not in parameters:
            name = _unique(own_name, taken)
            arguments.append(ApiArgument(name, "path", own_name, {"type": "string"}, True))
    body, content_type = _body(schemas, operation, taken)
    arguments += [part for part in body if part.is_required or part.own_name not in source.omit]
    return arguments, content_type


def _is_set(header: str, source: ApiSource) -> bool:
    """Whether a header is gptkit's own or that of the tool file."""
    return header.lower() in OWN_HEADERS | {name.lower() for name in source.headers}


def _parameter_schema(parameter: Mapping[str, Any]) -> Mapping[str, Any]:
    contents = [*_mapping(parameter.get("content")).values()]
    return _mapping(parameter.get("schema") or (_mapping(contents[0]).get("schema") if contents else None))


def _body(schemas: _Schemas, operation: Mapping[str, Any], taken: set[str]) -> tuple[list[ApiArgument], str]:
    """The arguments of the body: its properties side by side if their names are free, else the whole."""
    body = schemas.resolve(operation.get("requestBody"))
    contents = _mapping(body.get("content"))
    if not contents:
        return [], ""
    content_type = next((part for part in contents if re.match(r"application/(.*\+)?json", part)), "")
    content_type = content_type or (FORM if FORM in contents else next(iter(contents)))
    raw = _mapping(_mapping(contents[content_type]).get("schema"))
    whole = schemas.resolve(raw)
    is_required = body.get("required") is True
    properties = _mapping(whole.get("properties"))
    is_plain = set(whole) <= {"type", "properties", "required", "description", "title", "example", "xml"}
    has_parts = "json" in content_type or content_type == FORM
    if properties and is_plain and has_parts and not taken & {*map(str, properties)}:
        listed = whole.get("required")
        needed = listed if isinstance(listed, list) and is_required else []
        return [
            ApiArgument(_unique(name, taken), "body", name, schemas.convert(_mapping(part)), name in needed)
            for name, part in properties.items()
            if _mapping(part).get("readOnly") is not True
        ], content_type
    schema = schemas.convert(raw) if has_parts else {"type": "string"}
    return [ApiArgument(_unique("body", taken), "whole body", "body", schema, is_required)], content_type


def _unique(name: str, taken: set[str]) -> str:
    """A name for the model that no other argument has."""
    unique = valid_name(name)
    while unique in taken:
        unique = valid_name(f"{unique}_2")
    taken.add(unique)
    return unique


class _Schemas:
    """The schemas of a description as JSON Schema 2020-12; what is referred to is converted once, by name."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.definitions: dict[str, object] = {}
        self._description = description
        schemes = _mapping(_mapping(description.get("components")).get("securitySchemes")).values()
        self.secret_names = {str(_mapping(scheme).get("name", "")).lower() for scheme in schemes} - {""}

    def resolve(self, value: object) -> Mapping[str, Any]:
        """The object that a reference means; an object without one is itself."""
        for _ in range(20):
            node = _mapping(value)
            if not isinstance(node.get("$ref"), str):
                return node
            value = self._look_up(node["$ref"])
        return {}

    def convert(self, schema: Mapping[str, Any], description: str = "") -> dict[str, Any]:
        """A schema of the description as JSON Schema, with references into `definitions`."""
        if isinstance(schema.get("$ref"), str):
            return {"$ref": self._definition(schema["$ref"])}
        made = {key: value for key, value in schema.items() if key in _KEPT}
        _mend(made)
        if "properties" in made:
            parts = made["properties"].items()
            made["properties"] = {str(name): self.convert(_mapping(part)) for name, part in parts}
        for key in ("anyOf", "oneOf", "allOf"):
            parts = [self.convert(part) for part in made.pop(key, ()) if isinstance(part, dict)]
            made |= {key: parts} if parts else {}
        for key in ("items", "additionalProperties", "not"):
            if isinstance(made.get(key), dict):
                made[key] = self.convert(made[key])
        if made.pop("nullable", False) is True:
            made = _with_null(made)
        text = made.get("description") or description
        if text:
            made["description"] = " ".join(text.split())[:DESCRIPTION_LENGTH]
        return made

    def _definition(self, reference: str) -> str:
        """Convert what a reference means, once, and return the reference to that."""
        name = valid_name(reference.rpartition("/")[2])
        if reference.count("/") > 3 or not reference.startswith("#/components/schemas/"):
            name = valid_name(reference)
        if name not in self.definitions:
            self.definitions[name] = {}  # a cycle ends here
            self.definitions[name] = self.convert(_mapping(self._look_up(reference)))
        return _REFERENCE + name

    def _look_up(self, reference: str) -> object:
        """What a reference within the description means; anything else may be anything."""
        value: object = self._description
        if not reference.startswith("#/"):
            return {}
        for part in reference[2:].split("/"):
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            else:
                value = _mapping(value).get(key)
        return value


def _mend(schema: dict[str, Any]) -> None:
    """Make valid what descriptions get wrong, and what OpenAPI 3.0 writes in another way."""
    kinds = schema.get("type")
    kinds = [kind for kind in _TYPES if kind in (kinds if isinstance(kinds, list) else [kinds])]
    if "type" in schema and not kinds:
        schema.pop("type")
    elif kinds:
        schema["type"] = kinds if len(kinds) > 1 else kinds[0]
    if not kinds and ("properties" in schema or "items" in schema):
        kinds = ["object" if "properties" in schema else "array"]
        schema["type"] = kinds[0]
    if "array" in kinds and not isinstance(schema.get("items"), dict):
        schema["items"] = {}
    for key, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(key), bool) and schema.pop(key) and limit in schema:
            schema[key] = schema.pop(limit)
    for key in [key for key in schema if key in _KINDS and not _has_kind(key, schema[key])]:
        schema.pop(key)
    if "enum" in schema:
        unique = {json.dumps(value, sort_keys=True, default=str): value for value in schema.pop("enum")}
        schema |= {"enum": [*unique.values()]} if unique else {}
    if "required" in schema:
        schema["required"] = sorted({name for name in schema["required"] if isinstance(name, str)})
    if "pattern" in schema and not _is_readable(schema["pattern"]):
        schema.pop("pattern")


def _has_kind(key: str, value: object) -> bool:
    """Whether the value of a keyword has a type that JSON Schema allows."""
    if isinstance(value, bool):
        return key in ("additionalProperties", "uniqueItems")
    return isinstance(value, _KINDS[key])


_NUMBER = (int, float)
_KINDS: Mapping[str, Any] = {
    **dict.fromkeys(("required", "enum", "anyOf", "oneOf", "allOf"), list),
    **dict.fromkeys(("properties", "not"), dict),
    **dict.fromkeys(("pattern", "description", "title", "format"), str),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), _NUMBER),
    **dict.fromkeys(
        ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"), int
    ),
    "additionalProperties": dict,
    "uniqueItems": bool,
}
"""The types of the values of keywords; a value of another type is dropped."""


def _with_null(schema: dict[str, Any]) -> dict[str, Any]:
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema:
        return {**schema, "type": [kind, "null"]}
    return {"anyOf": [schema, {"type": "null"}]} if schema else schema


def _is_readable(pattern: str) -> bool:
    """Whether Python reads a pattern, and without a doubt about its meaning."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError, FutureWarning, DeprecationWarning):
            return False
    return True


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
