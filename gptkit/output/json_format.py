"""The format of JSON answers: what is asked of the server, and what counts as a valid answer."""

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
_STRICT_KEYWORDS = frozenset({
    "$schema", "$ref", "$defs", "definitions", "type", "title", "description", "properties", "required",
    "additionalProperties", "items", "anyOf", "enum", "const", "pattern", "format", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems"
})
# fmt: on
"""Keywords of OpenAI's strict structured output (its guide, "Supported schemas")."""
_SHOWN_VIOLATIONS = 3
"""The most violations of a schema in one message."""
PATTERN_SECONDS = 1.0
"""How long a pattern of a schema may take for one text: it can come from a stranger, and take for ever."""
_SEARCH_LIMIT = 100
"""The most places of an answer at which a JSON value is looked for."""


class JsonFormat:
    """The format of an answer that is one JSON value, which the schema allows if there is one."""

    streams = False
    rendering: Rendering = "none"

    def __init__(self, schema: Mapping[str, object] | None) -> None:
        self._schema = schema

    @property
    def parameters(self) -> Mapping[str, object]:
        if self._schema is None:
            return {"response_format": {"type": "json_object"}}
        json_schema: dict[str, object] = {"name": _schema_name(self._schema), "schema": self._schema}
        if _is_strict(self._schema):
            json_schema["strict"] = True
        return {"response_format": {"type": "json_schema", "json_schema": json_schema}}

    def finish(self, text: str) -> str:
        value = self._find_value(text)
        if self._schema is not None and (problem := _mismatch(value, self._schema)):
            failure = IncompleteError(f"the answer does not match the schema: {problem}")
            raise AnswerFormatError(f"it does not match the JSON schema: {problem}", failure, again=True)
        formatted = json.dumps(value, ensure_ascii=False, indent=2)
        return re.sub("[\ud800-\udfff]", "\ufffd", formatted)

    def _find_value(self, text: str) -> object:
        """Find the JSON value of an answer, in a fence or between sentences. Raises AnswerFormatError."""
        text = text.strip().removeprefix("\ufeff")
        try:
            return _parse(text)
        except ValueError as error:
            reason = str(error)
        values = _fenced_values(text) or _embedded_values(text)
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
    """Return why a schema cannot be used; None if it can. References to other documents are not fetched."""
    from jsonschema import Draft202012Validator  # the package before its parts: they import each other
    from jsonschema.exceptions import best_match
    from jsonschema.validators import validator_for

    if not isinstance(schema.get("$schema", ""), str):
        return "$['$schema']: must be a text"
    try:
        json.dumps(schema)
        draft = validator_for(schema, default=Draft202012Validator)
        checker = draft(draft.META_SCHEMA, format_checker=draft.FORMAT_CHECKER)  # checks patterns, too
        violation = best_match(checker.iter_errors(cast("Any", schema)))
    except (TypeError, ValueError):
        return "cannot be written as JSON"
    except RecursionError:
        return "nested too deeply"
    if violation is not None:
        return _describe_violation(violation)
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
    """Return path and reason of the first violations; None if the schema allows the value."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import relevance
    from jsonschema.validators import validator_for
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import EMPTY_REGISTRY

    draft = with_limited_patterns(validator_for(schema, default=Draft202012Validator))
    validator = draft(schema, registry=EMPTY_REGISTRY, format_checker=draft.FORMAT_CHECKER)
    try:
        errors = sorted(validator.iter_errors(cast("Any", value)), key=relevance, reverse=True)
    except RecursionError:
        return "nested too deeply"
    except TimeoutError:
        return f"a pattern of the schema takes longer than {PATTERN_SECONDS:g} s"
    except Unresolvable as error:  # in a place where only this draft allows references
        return f"it names '{one_line(str(error.ref), 100)}', which is not in the schema; nothing is fetched"
    violations: dict[str, None] = {}
    for violation in errors:
        if len(violations) == _SHOWN_VIOLATIONS:
            break
        violations[_describe_violation(violation)] = None
    return "; ".join(violations) or None


def with_limited_patterns(draft: type[Validator]) -> type[Validator]:
    """Return a class of validators that raise TimeoutError for a `pattern` that takes too long."""
    from jsonschema.validators import extend

    limited: type[Validator] = extend(draft, {"pattern": _pattern_errors})  # type: ignore[no-untyped-call]
    return limited


def _pattern_errors(_validator: object, pattern: str, value: object, _schema: object) -> Iterator[Exception]:
    import regex
    from jsonschema.exceptions import ValidationError

    if isinstance(value, str) and not regex.search(pattern, value, timeout=PATTERN_SECONDS):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _describe_violation(error: ValidationError | SchemaError) -> str:
    """Say what the schema wants at a place and what stands there, since the library's own words change."""
    description = _describe_rule(error)
    return one_line(description if error.json_path == "$" else f"{error.json_path}: {description}")


def _describe_rule(error: ValidationError | SchemaError) -> str:
    rule = str(error.validator)
    rule_value: Any = error.validator_value
    instance: Any = error.instance
    match rule:
        case "required":
            return f"missing: {_quote_names(name for name in rule_value if name not in instance)}"
        case "additionalProperties" if rule_value is False:
            schema = cast("Mapping[str, Any]", error.schema)
            extra = [name for name in instance if name not in schema.get("properties", {})]
            patterns = schema.get("patternProperties", {})
            return (
                f"not allowed: {_quote_names(n for n in extra if not any(re.search(p, n) for p in patterns))}"
            )
        case "type":
            kinds = rule_value if isinstance(rule_value, list) else [rule_value]
            return f"must be {' or '.join(map(str, kinds))}, not {_short_json(instance)}"
        case "enum":
            return f"must be one of {_short_json(rule_value)}, not {_short_json(instance)}"
        case "None":  # the schema `false`
            return f"nothing may stand here, not {_short_json(instance)}"
    value = "" if isinstance(rule_value, dict | list) else f" {_short_json(rule_value)}"  # not whole schemas
    return f"must fit {rule}{value}, unlike {_short_json(instance)}"


def _quote_names(names: Iterable[str]) -> str:
    return ", ".join(f"'{one_line(name, 60)}'" for name in names)


def _short_json(value: object) -> str:
    return one_line(json.dumps(value, ensure_ascii=False), 100)


def _schema_name(schema: Mapping[str, object]) -> str:
    """Make a name from the title; the API allows letters, digits, `_` and `-`, at most 64."""
    title = schema.get("title")
    name = re.sub(r"[^a-zA-Z0-9_-]+", "_", title).strip("_")[:64] if isinstance(title, str) else ""
    return name or "answer"


def _is_strict(schema: Mapping[str, object]) -> bool:
    return (
        schema.get("type") == "object"
        and "anyOf" not in schema
        and all(map(_allows_strict, _subschemas(schema)))
    )


def _subschemas(schema: object) -> Iterator[object]:
    """Yield a schema and the schemas in it, at the places that strict output knows."""
    yield schema
    if not isinstance(schema, Mapping):
        return
    for key in ("properties", "$defs", "definitions"):
        named = schema.get(key, {})
        for part in named.values() if isinstance(named, Mapping) else (named,):
            yield from _subschemas(part)
    choices = schema.get("anyOf", ())
    for part in choices if isinstance(choices, (list, tuple)) else (choices,):
        yield from _subschemas(part)
    if "items" in schema:
        yield from _subschemas(schema["items"])


def _allows_strict(schema: object) -> bool:
    if not isinstance(schema, Mapping) or not _STRICT_KEYWORDS.issuperset(schema):
        return False
    kind, properties = schema.get("type"), schema.get("properties", {})
    if "object" not in (kind if isinstance(kind, list) else [kind]) and "properties" not in schema:
        return True
    required = schema.get("required", [])
    return schema.get("additionalProperties") is False and sorted(required) == sorted(properties)


def _fenced_values(text: str) -> list[object]:
    from gptkit.output.extract import fenced_blocks

    values = []
    for block in fenced_blocks(text):
        try:
            values.append(_parse(block.content))
        except ValueError:
            continue
    return _remove_duplicates(values)


def _embedded_values(text: str) -> list[object]:
    """Return the objects, else the lists, between sentences; none if a bracket is left over.

    Such a bracket belongs to a broken value, and what parses may be only a part of that value.
    """
    decoder = json.JSONDecoder(
        object_pairs_hook=_build_object, parse_float=_parse_float, parse_constant=_reject_constant
    )
    values: list[object] = []
    gaps, position, tries = [], 0, 0
    while (match := re.compile(r"[{\[]").search(text, position)) and tries < _SEARCH_LIMIT:
        tries += 1
        gaps.append(text[position : match.start()])
        try:
            value, position = decoder.raw_decode(text, match.start())
            values.append(value)
        except (ValueError, RecursionError):
            return []
    if re.search(r"[{}\[\]]", "".join(gaps) + text[position:]):
        return []
    return _remove_duplicates([value for value in values if isinstance(value, dict)] or values)


def _remove_duplicates(values: list[object]) -> list[object]:
    return [value for number, value in enumerate(values) if value not in values[:number]]


def _parse(text: str) -> object:
    """Parse JSON strictly, without the extensions of `json.loads`. Raises ValueError."""
    try:
        return json.loads(
            text,
            object_pairs_hook=_build_object,
            parse_float=_parse_float,
            parse_int=_parse_int,
            parse_constant=_reject_constant,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"{describe_unexpected(text, error.pos)} at {place}") from None


def _build_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    built = dict(pairs)
    if len(built) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for number, key in enumerate(keys) if key in keys[:number])
        raise ValueError(f"key '{one_line(twice, 60)}' is there twice")
    return built


def _parse_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"number out of range: {text[:20]}")
    return number


def _parse_int(text: str) -> int:
    try:
        return int(text)
    except ValueError:  # Python reads 4,300 digits
        raise ValueError(f"number too long: {text[:20]}...") from None


def _reject_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


PIECE_SIZE = 1 << 18
"""Characters after which a piece is yielded."""


def json_pieces(value: object) -> Iterator[str]:
    """Yield `json.dumps(value, ensure_ascii=False, indent=2)` in pieces."""
    tokens: list[str] = []
    size = 0
    for token in _json_tokens(value, "\n"):
        tokens.append(token)
        size += len(token)
        if size >= PIECE_SIZE:
            yield "".join(tokens)
            tokens, size = [], 0
    yield "".join(tokens)


def _json_tokens(value: object, margin: str) -> Iterator[str]:
    """Yield the tokens of a value; `margin` is a line break and the spaces of the value's own level."""
    if isinstance(value, str):
        yield '"'
        for start in range(0, len(value), PIECE_SIZE):
            yield json.dumps(value[start : start + PIECE_SIZE], ensure_ascii=False)[1:-1]
        yield '"'
    elif isinstance(value, Mapping) and value:
        yield "{"
        for position, (name, inner) in enumerate(value.items()):
            yield f"{',' if position else ''}{margin}  {json.dumps(str(name), ensure_ascii=False)}: "
            yield from _json_tokens(inner, f"{margin}  ")
        yield margin + "}"
    elif isinstance(value, list | tuple) and value:
        yield "["
        for position, inner in enumerate(value):
            yield f"{',' if position else ''}{margin}  "
            yield from _json_tokens(inner, f"{margin}  ")
        yield margin + "]"
    else:
        yield json.dumps(value, ensure_ascii=False)
