"""Turn the patterns of fabric (github.com/danielmiessler/fabric) into prompt files.

A pattern is a folder with `system.md`, and perhaps `user.md`. Its variable `{{input}}` is the text, any other
becomes an option; all else that looks like a template is text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from gptkit.cli.prompt_files import read_prompt_file
from gptkit.core.errors import DataError, NoInputError
from gptkit.templates.parameters import TEMPLATE_WORDS
from gptkit.templates.template import INPUT_VARIABLES

PLACES = ("data/patterns", "patterns", ".")
VARIABLE = re.compile(r"(?<!\{)\{\{ ?([a-z][a-z0-9_]{0,40}) ?\}\}(?!\})")
ENDING = re.compile(r"[#*(\[ ]*input[)\]:*% ]*(?:\{\{ ?input ?\}\})?", re.IGNORECASE)
"""A last line of a pattern, below which fabric puts the text."""
OPENING = re.compile(r"\{[{%#]")
"""What begins something else than text in a template of ours."""


def pattern_folders(folder: Path) -> list[Path]:
    """The folders of the patterns in a folder, by name. Raises NoInputError if there is none."""
    for place in PLACES:
        found = sorted(file.parent for file in (folder / place).glob("*/system.md"))
        if found:
            return found
    raise NoInputError(f"'{folder}': no patterns", hint="a pattern is a folder with a file system.md")


def prompt_name(pattern: str) -> str:
    """The name of a pattern as the name of a command: `create_tags` becomes `create-tags`."""
    return re.sub(r"[^a-z0-9]+", "-", pattern.lower()).strip("-")


def convert(pattern: Path, reserved: frozenset[str]) -> bytes:
    """Return the prompt file of a pattern; variables with `reserved` names stay text.

    Raises CannotReadError, DataError.
    """
    system = _read(pattern / "system.md")
    user_file = pattern / "user.md"
    user = _read(user_file).strip() if user_file.is_file() else ""
    names = [name for name in dict.fromkeys(VARIABLE.findall(system + user)) if _is_option(name, reserved)]
    title = pattern.name.replace("_", " ").replace("-", " ")
    description = f"{title[:1].upper()}{title[1:]} (a pattern of fabric)."
    lines = [
        f"# The pattern {json.dumps(pattern.name)} of fabric, whose licence is MIT:",
        "# https://github.com/danielmiessler/fabric",
        f"description: {json.dumps(description, ensure_ascii=False)}",
        "group: fabric",
        "system: |2",
        *_block(_template(system, names)),
    ]
    if user:
        lines += ["user: |2-", *_block(_template(user, names))]
        lines += [] if "{{ text }}" in lines[-1] else ["", "  {{ text }}"]
    if names:
        lines += ["options:", *(line for name in names for line in _option(name))]
    return "\n".join([*lines, ""]).encode()


def _read(file: Path) -> str:
    """The text of a file without the heading at its end under which fabric puts the input."""
    try:
        text = read_prompt_file(file).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"'{file}': not UTF-8") from None
    lines = re.sub("\r\n?|[\x85\u2028\u2029]", "\n", text).split("\n")
    while lines and (not lines[-1].strip() or ENDING.fullmatch(lines[-1].strip())):
        lines.pop()
    return "\n".join(lines)


def _is_option(name: str, reserved: frozenset[str]) -> bool:
    option = name.replace("_", "-")
    return name not in ("input", *INPUT_VARIABLES, *TEMPLATE_WORDS) and option not in reserved


def _template(text: str, names: list[str]) -> str:
    """Make a template of ours: variables stay, and what only looks like one is written as text."""
    parts, end = [], 0
    for match in VARIABLE.finditer(text):
        if match[1] in (*names, "input"):
            variable = "text" if match[1] == "input" else match[1]
            parts += [_literal(text[end : match.start()]), f"{{{{ {variable} }}}}"]
            end = match.end()
    return "".join([*parts, _literal(text[end:])])


def _literal(text: str) -> str:
    return OPENING.sub(lambda match: f'{{{{ "{match[0]}" }}}}', text)


def _block(text: str) -> Iterator[str]:
    return (
        f"  {line}".rstrip() if not line.strip() else f"  {line}" for line in text.strip("\n").split("\n")
    )


def _option(name: str) -> tuple[str, str]:
    """The lines of an option whose default is the variable as it stands in the pattern."""
    help_ = f"The {name.replace('_', ' ')} of the pattern."
    default = f"{{{{{name}}}}}"
    return (
        f"  {name.replace('_', '-')}:",
        f"    {{default: {json.dumps(default)}, help: {json.dumps(help_)}}}",
    )
