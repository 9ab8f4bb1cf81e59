"""JSON answers: what is asked of the server, and what counts as a valid answer."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Never, cast

from gptkit.core.chat import AnswerFormatError, Rendering
from gptkit.core.errors import IncompleteError
from gptkit.core.excerpt import describe_unexpected
from gptkit.core.sanitize import one_line

if TYPE_CHECKING:
    from jsonschema.exceptions import SchemaError, ValidationError
    from jsonschema.protocols import Validator
    from referencing import Resource
    from referencing._core import Resolver


# fmt: off
_STRICT = frozenset({
    "$schema", "$ref", "$defs", "definitions", "type", "title", "description", "properties", "required",
    "additionalProperties", "items", "anyOf", "enum", "const", "pattern", "format", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems"
})
# fmt: on
"""Keywords that OpenAI's strict structured output knows (its guide, "Supported schemas")."""
_TOLD = 3
"""Violations of a schema that a message tells at most."""
_TRIES = 100
"""Places of an answer at which a JSON value is looked for."""


class JsonFormat:
    """An answer that is one JSON value, and one that the schema allows if there is a schema."""

    streams = False
    rendering: Rendering = "none"

    def __init__(self, schema: Mapping[str, object] | None) -> None:
        self._schema = schema

    @property
    def parameters(self) -> Mapping[str, object]:
        if self._schema is None:
            return {"response_format": {"type": "json_object"}}
        asked: dict[str, object] = {"name": _name(self._schema), "schema": self._schema}
        if _is_strict(self._schema):
            asked["strict"] = True
        return {"response_format": {"type": "json_schema", "json_schema": asked}}

    def finish(self, text: str) -> str:
        value = self._value(text)
        if self._schema is not None and (problem := _mismatch(value, self._schema)):
            failure = IncompleteError(f"the answer does not match the schema: {problem}")
            raise AnswerFormatError(f"it does not match the JSON schema: {problem}", failure, again=True)
        shown = json.dumps(value, ensure_ascii=False, indent=2)
        return re.sub("[\ud800-\udfff]", "\ufffd", shown)

    def _value(self, text: str) -> object:
        """The one JSON value of an answer, which may stand in a fence or between sentences."""
        text = text.strip().removeprefix("\ufeff")
        try:
            return _parsed(text)
        except ValueError as error:
            reason = str(error)
        values = _fenced(text) or _embedded(text)
        if len(values) > 1 and self._schema is not None:
            schema = self._schema
            values = [value for value in values if not _mismatch(value, schema)] or values
        if len(values) == 1:
            return values[0]
        if values:
            reason = f"it holds {len(values)} JSON values where one was asked for"
        raise AnswerFormatError(
            f"it is not valid JSON: {reason}",
            IncompleteError(f"the answer is not JSON: {reason}"),
            again=True,
        )


def schema_problem(schema: Mapping[str, object]) -> str | None:
    """Why the schema cannot be used, None if it can. Nothing is fetched."""
    from jsonschema.exceptions import best_match
    from jsonschema.validators import Draft202012Validator, validator_for

    if not isinstance(schema.get("$schema", ""), str):
        return "$['$schema']: must be a text"
    try:
        json.dumps(schema)
        draft = validator_for(schema, default=Draft202012Validator)
        checker = draft(draft.META_SCHEMA, format_checker=draft.FORMAT_CHECKER)  # is a pattern one?
        worst = best_match(checker.iter_errors(cast("Any", schema)))
    except (TypeError, ValueError):
        return "cannot be written as JSON"
    except RecursionError:
        return "nested too deeply"
    if worst is not None:
        return _violation(worst)
    try:
        return _unknown_reference(schema)
    except ValueError:
        return "cannot be resolved: an '$id' in it is no address"


def _unknown_reference(schema: Mapping[str, object]) -> str | None:
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012, EMPTY_REGISTRY, Schema

    def walk(resource: Resource[Schema], resolver: Resolver[Schema]) -> Iterator[str]:
        contents = resource.contents
        keywords = contents if isinstance(contents, Mapping) else {}
        for key in ("$ref", "$dynamicRef"):
            if not isinstance(reference := keywords.get(key), str):
                continue
            try:
                resolver.lookup(reference)
            except Unresolvable:
                yield f"'{key}' names '{one_line(reference, 100)}'"
        for part in resource.subresources():
            yield from walk(part, resolver.in_subresource(part))

    root: Resource[Schema] = DRAFT202012.create_resource(schema)
    for reference in walk(root, EMPTY_REGISTRY.resolver_with_root(root)):
        return f"{reference}, which is not in the schema; nothing is fetched"
    return None


def _mismatch(value: object, schema: Mapping[str, object]) -> str | None:
    """Path and reason of the first violations."""
    from jsonschema.exceptions import relevance
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import EMPTY_REGISTRY

    draft: type[Validator] = validator_for(schema, default=Draft202012Validator)
    validator = draft(schema, registry=EMPTY_REGISTRY, format_checker=draft.FORMAT_CHECKER)
    try:
        errors = sorted(validator.iter_errors(cast("Any", value)), key=relevance, reverse=True)
    except RecursionError:
        return "nested too deeply"
    except Unresolvable as error:  # in a place where only this draft looks for references
        return f"it names '{one_line(str(error.ref), 100)}', which is not in the schema; nothing is fetched"
    told: dict[str, None] = {}
    for each in errors:
        if len(told) == _TOLD:
            break
        told[_violation(each)] = None
    return "; ".join(told) or None


def _violation(error: ValidationError | SchemaError) -> str:
    """What the schema wants at a place and what stands there; the library's own words change."""
    told = _told(error)
    return one_line(told if error.json_path == "$" else f"{error.json_path}: {told}")


def _told(error: ValidationError | SchemaError) -> str:
    rule = str(error.validator)
    wanted: Any = error.validator_value
    found: Any = error.instance
    match rule:
        case "required":
            return f"missing: {_names(name for name in wanted if name not in found)}"
        case "additionalProperties" if wanted is False:
            schema = cast("Mapping[str, Any]", error.schema)
            rest = [name for name in found if name not in schema.get("properties", {})]
            patterns = schema.get("patternProperties", {})
            return f"not allowed: {_names(n for n in rest if not any(re.search(p, n) for p in patterns))}"
        case "type":
            kinds = wanted if isinstance(wanted, list) else [wanted]
            return f"must be {' or '.join(map(str, kinds))}, not {_shown(found)}"
        case "enum":
            return f"must be one of {_shown(wanted)}, not {_shown(found)}"
        case "None":  # the schema `false`
            return f"nothing may stand here, not {_shown(found)}"
    value = "" if isinstance(wanted, dict | list) else f" {_shown(wanted)}"  # not whole schemas
    return f"must fit {rule}{value}, unlike {_shown(found)}"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"'{one_line(name, 60)}'" for name in names)


def _shown(value: object) -> str:
    return one_line(json.dumps(value, ensure_ascii=False), 100)


def _name(schema: Mapping[str, object]) -> str:
    """The API takes letters, digits, `_` and `-`, at most 64."""
    title = schema.get("title")
    name = re.sub(r"[^a-zA-Z0-9_-]+", "_", title).strip("_")[:64] if isinstance(title, str) else ""
    return name or "answer"


def _is_strict(schema: Mapping[str, object]) -> bool:
    return (
        schema.get("type") == "object" and "anyOf" not in schema and all(map(_allows_strict, _parts(schema)))
    )


def _parts(schema: object) -> Iterator[object]:
    """The schema and every schema in it, as far as strict output knows places for one."""
    yield schema
    if not isinstance(schema, Mapping):
        return
    for key in ("properties", "$defs", "definitions"):
        named = schema.get(key, {})
        for part in named.values() if isinstance(named, Mapping) else (named,):
            yield from _parts(part)
    choices = schema.get("anyOf", ())
    for part in choices if isinstance(choices, (list, tuple)) else (choices,):
        yield from _parts(part)
    if "items" in schema:
        yield from _parts(schema["items"])


def _allows_strict(schema: object) -> bool:
    if not isinstance(schema, Mapping) or not _STRICT.issuperset(schema):
        return False
    kind, properties = schema.get("type"), schema.get("properties", {})
    if "object" not in (kind if isinstance(kind, list) else [kind]) and "properties" not in schema:
        return True
    required = schema.get("required", [])
    return schema.get("additionalProperties") is False and sorted(required) == sorted(properties)


def _fenced(text: str) -> list[object]:
    from gptkit.output.extract import blocks

    values = []
    for block in blocks(text):
        try:
            values.append(_parsed(block.content))
        except ValueError:
            continue
    return _distinct(values)


def _embedded(text: str) -> list[object]:
    """The objects, or else the lists, between sentences; none if a brace is left over.

    A brace left over belongs to a broken value, and what parses may be a mere part of that.
    """
    decoder = json.JSONDecoder(parse_float=_finite, parse_constant=_refused)
    values: list[object] = []
    rest, position, tries = [], 0, 0
    while (found := re.compile(r"[{\[]").search(text, position)) and tries < _TRIES:
        tries += 1
        rest.append(text[position : found.start()])
        try:
            value, position = decoder.raw_decode(text, found.start())
            values.append(value)
        except (ValueError, RecursionError):
            return []
    if re.search(r"[{}\[\]]", "".join(rest) + text[position:]):
        return []
    return _distinct([value for value in values if isinstance(value, dict)] or values)


def _distinct(values: list[object]) -> list[object]:
    return [value for number, value in enumerate(values) if value not in values[:number]]


def _parsed(text: str) -> object:
    """What `json.loads` gives, without its leniency; raises ValueError."""
    try:
        return json.loads(text, parse_float=_finite, parse_int=_integer, parse_constant=_refused)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"{describe_unexpected(text, error.pos)} at {place}") from None


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"number out of range: {text[:20]}")
    return number


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:  # Python reads 4,300 digits
        raise ValueError(f"number too long: {text[:20]}...") from None


def _refused(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


PIECE = 1 << 18
"""Characters after which a piece is handed on."""


def json_pieces(value: object) -> Iterator[str]:
    """What `json.dumps(value, ensure_ascii=False, indent=2)` gives, a piece at a time."""
    waiting: list[str] = []
    size = 0
    for token in _tokens(value, "\n"):
        waiting.append(token)
        size += len(token)
        if size >= PIECE:
            yield "".join(waiting)
            waiting, size = [], 0
    yield "".join(waiting)


def _tokens(value: object, margin: str) -> Iterator[str]:
    """`margin` is a line break and the spaces before what stands beside the value."""
    if isinstance(value, str):
        yield '"'
        for start in range(0, len(value), PIECE):
            yield json.dumps(value[start : start + PIECE], ensure_ascii=False)[1:-1]
        yield '"'
    elif isinstance(value, Mapping) and value:
        yield "{"
        for position, (name, inner) in enumerate(value.items()):
            yield f"{',' if position else ''}{margin}  {json.dumps(str(name), ensure_ascii=False)}: "
            yield from _tokens(inner, f"{margin}  ")
        yield margin + "}"
    elif isinstance(value, list | tuple) and value:
        yield "["
        for position, inner in enumerate(value):
            yield f"{',' if position else ''}{margin}  "
            yield from _tokens(inner, f"{margin}  ")
        yield margin + "]"
    else:
        yield json.dumps(value, ensure_ascii=False)
