"""Change a prompt's output to the form of an answer that the command line asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.core.errors import DataError, UsageError
from gptkit.core.sanitize import one_line

if TYPE_CHECKING:
    from gptkit.exchange.capability import Capability
    from gptkit.session.options import SharedOptions
    from gptkit.templates.template import Template


def with_answer_form(
    template: Template, shared: SharedOptions, capabilities: Sequence[Capability]
) -> Template:
    """Return the template with the output that `--schema` or `--extract` asks for, if one is given.

    Raises UsageError if one of the template's capabilities makes the answer itself, and as `read_schema`.
    """
    name = "extract" if shared.extract else "schema"
    if not shared.extract and shared.schema is None:
        return template
    for capability in capabilities:
        if name == "schema" and capability.takes_schema:
            return template
        if capability.run is not None:
            raise UsageError(f"--{name} does not go with the '{capability.key}' of '{template.name}'")
    if shared.schema is None:
        return template._replace(output="block", schema=None)
    return template._replace(output="json", schema=read_schema(shared.schema))


SCHEMA_FILES = (".json", ".yaml", ".yml")
FIELD_TYPES: Mapping[str, Mapping[str, object]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "list": {"type": "array", "items": {"type": "string"}},
}
"""The types of fields in the short form of a schema; `list` is one of texts."""


def read_schema(given: str) -> Mapping[str, object]:
    """Return the JSON Schema of a file of JSON or YAML, of a JSON object, or of the short form.

    Raises UsageError for a wrong short form, NoInputError without the file, DataError for a wrong schema.
    """
    source, text = "--schema", given
    if _is_file(given):
        from gptkit.session.input import read_text_file

        source, text = f"'{given}'", read_text_file(given)[1]
    elif not given.lstrip().startswith("{"):
        return short_schema(given)
    from gptkit.core.yaml_tree import parse_yaml

    try:
        schema: object = json.loads(text)
    except (ValueError, RecursionError):
        schema = parse_yaml(text, given if source != "--schema" else source).data()
    return checked_schema(schema, source)


def checked_schema(schema: object, source: str) -> Mapping[str, object]:
    """Return a schema that can be used; raises DataError, in whose message `source` says where it stands."""
    from gptkit.output.formats import check_schema

    if not isinstance(schema, dict):
        raise DataError(f"{source}: a JSON Schema is an object")
    if problem := check_schema(schema):
        raise DataError(f"{source}: {problem}")
    return schema


def _is_file(given: str) -> bool:
    """Whether a schema is given by the path of a file, which need not exist."""
    try:
        is_there = Path(given).is_file()
    except (OSError, ValueError):  # too long for a path, or with a null character
        is_there = False
    is_path = "/" in given or given.lower().endswith(SCHEMA_FILES)
    return is_there or (is_path and len(given.split()) == 1 and not given.startswith("{"))


def short_schema(text: str) -> Mapping[str, object]:
    """Return the JSON Schema of fields such as `name, age int, bio: one line`, all of them required.

    Line breaks or commas stand between fields. Raises UsageError.
    """
    properties: dict[str, Mapping[str, object]] = {}
    for part in text.splitlines() if "\n" in text.strip() else re.split("[,，]", text):
        field = part.strip(" \t,，")
        if not field:
            continue
        match = re.fullmatch(r"(\w[\w.-]*)(?:\s+(\w+))?\s*(?:[:：]\s*(.*))?", field)
        if match is None:
            raise UsageError(
                f"--schema: '{one_line(field, 60)}' is no field", hint="such as 'name, age int, tags list'"
            )
        name, kind, description = match[1], match[2] or "str", match[3]
        if kind not in FIELD_TYPES:
            raise UsageError(f"--schema: unknown type '{kind}'", hint=f"allowed: {', '.join(FIELD_TYPES)}")
        if name in properties:
            raise UsageError(f"--schema: '{name}' is there twice")
        properties[name] = {**FIELD_TYPES[kind], **({"description": description} if description else {})}
    if not properties:
        raise UsageError("--schema: no file and no field", hint="such as 'name, age int, tags list'")
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
