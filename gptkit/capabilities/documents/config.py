"""What a prompt file says under `documents`, and the options that it gets by that."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.yaml_tree import Problem, true_or_mapping
from gptkit.exchange.capability import Capability, HousekeepingCommand, capability_options, import_on_call
from gptkit.templates.template import Parameter, Template, Value

if TYPE_CHECKING:
    from gptkit.core.yaml_tree import YamlNode
    from gptkit.session.call import Call


KEY = "documents"
_FOLDER = "gptkit.capabilities.documents"
PASSAGES = 12
CONTEXT = 24_000
"""Tokens of passages that are sent at most, by default."""
OPTIONS = (
    Parameter(
        "retrieve-only", "boolean", plain=True, help="Print the best passages; send nothing, need no key."
    ),
    Parameter("all", "boolean", plain=True, help="Go through every passage, for questions like 'list all'."),
    Parameter("strict", "boolean", plain=True, help="Leave out what no quote of the documents proves."),
    Parameter("include", "list", help="Of folders take only the files that match.", metavar="GLOB"),
    Parameter("exclude", "list", help="Of folders take no files that match.", metavar="GLOB"),
    Parameter("passages", "integer", help="Send at most N passages (default: 12).", least=1),
    *(
        parameter._replace(is_rare=True)
        for parameter in (
            Parameter(
                "context", "integer", help="Send at most N tokens of passages (default: 24000).", least=100
            ),
            Parameter(
                "whole",
                "boolean",
                plain=True,
                help="Send the documents whole, or nothing if they do not fit.",
            ),
            Parameter(
                "judge", "boolean", plain=True, help="Ask the model of each statement if its quotes prove it."
            ),
            Parameter(
                "password-file",
                "file",
                help="Open encrypted PDFs with the passwords in this file, one a line.",
            ),
            Parameter("no-index", "boolean", plain=True, help="Keep no index of the documents."),
            Parameter("index", help="Search a shared index: postgresql://HOST/DATABASE.", metavar="URL"),
            Parameter("jobs", "integer", help="With --all, ask about N parts at once.", least=1),
            Parameter(
                "yes", "boolean", plain=True, help="With --all, start a costly job without asking first."
            ),
        )
    ),
)


class DocumentsOptions(NamedTuple):
    """The values of OPTIONS on a command line."""

    retrieve_only: bool = False
    passages: int | None = None
    context: int | None = None
    whole: bool = False
    all: bool = False
    strict: bool = False
    judge: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    password_file: str = ""
    no_index: bool = False
    index_: str = ""
    jobs: int | None = None
    yes: bool = False


def options_of(values: Mapping[str, Value]) -> DocumentsOptions:
    return DocumentsOptions(**capability_options(values, DocumentsOptions._fields))


class DocumentsConfig(NamedTuple):
    """What a prompt file says under `documents`.

    `paths` are relative to the prompt file; the command line adds to them. Unless documents are `required`,
    a command without any is a single exchange.
    """

    paths: tuple[str, ...] = ()
    passages: int = PASSAGES
    context: int = CONTEXT
    required: bool = True


def parse_config(node: "YamlNode", report: Callable[[Problem], None]) -> DocumentsConfig:
    """Read `documents: true`, or a mapping; reports what is wrong and then returns defaults."""
    entries = true_or_mapping(node, KEY, report, DocumentsConfig._fields)
    values = {name: entry.data() for name, entry in entries.items()}
    numbers = {}
    for name, default in (("passages", PASSAGES), ("context", CONTEXT)):
        number = values.get(name, default)
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            report(Problem(entries[name].line, f"{KEY}.{name}", "must be a whole number, at least 1"))
            number = default
        numbers[name] = number
    required = values.get("required", True)
    if not isinstance(required, bool):
        report(Problem(entries["required"].line, f"{KEY}.required", "must be true or false"))
    paths = values.get("paths", [])
    if not isinstance(paths, list) or not all(isinstance(path, str) and path for path in paths):
        report(Problem(entries["paths"].line, f"{KEY}.paths", "must be a list of files and folders"))
        paths = []
    return DocumentsConfig(tuple(paths), **numbers, required=required is True)


def config_of(template: Template) -> DocumentsConfig:
    config = template.capabilities.get(KEY)
    return config if isinstance(config, DocumentsConfig) else DocumentsConfig()


def declared_paths(template: Template) -> list[str]:
    """The files and folders that the prompt file names."""
    folder = Path(template.source).parent
    return [os.path.normpath(folder / path) for path in config_of(template).paths]


def option_text(template: Template, values: Mapping[str, Value], variable: str) -> str:
    """Return an option or argument as text, else its default; empty if the file does not declare it."""
    defaults = {parameter.variable: parameter.default for parameter in template.declared_parameters}
    value = values.get(variable, defaults.get(variable))
    return "" if value is None else str(value)


def _take_over(call: "Call") -> int | None:
    options = options_of(call.values)
    code: int | None = None
    if options.retrieve_only:
        code = _print_passages(call)
    elif options.all:
        code = _go_through_all(call)
    return code


_go_through_all = import_on_call(f"{_FOLDER}.exhaust:go_through_all")
_print_passages = import_on_call(f"{_FOLDER}.retrieve_command:print_passages")
DOCUMENTS = Capability(
    KEY,
    parse_config,
    options=OPTIONS,
    variables=("passages", "whole", KEY, "not_found"),
    outputs=("markdown", "text"),  # what can be proved statement by statement
    works_on_input=True,
    prepare=import_on_call(f"{_FOLDER}.answer:add_passages"),
    run=import_on_call(f"{_FOLDER}.answer:answer_with_proof"),
    take_over=_take_over,
    read_input=import_on_call(f"{_FOLDER}.input:read_question"),
    store=import_on_call(f"{_FOLDER}.search:document_search"),
    commands=(
        HousekeepingCommand(
            "index", f"{_FOLDER}.index_command", "Show, refresh and clear the index of documents.", "Records"
        ),
    ),
)
