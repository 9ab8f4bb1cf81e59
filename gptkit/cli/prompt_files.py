"""Makes prompt files and shows what they render to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.cli.command import command
from gptkit.cli.pages import page
from gptkit.core.errors import CannotRead, DataFault, GptkitError, NoPermission, UsageFault
from gptkit.core.files import write_private
from gptkit.core.yaml_tree import SIZE_CAP
from gptkit.exchange.invocation import Invocation, request
from gptkit.session.input import gather
from gptkit.templates import library as shelves
from gptkit.templates import parse

if TYPE_CHECKING:
    from gptkit.services import Services
    from gptkit.session.options import SharedOptions
    from gptkit.templates.template import Value

STARTING_FILE = """\
# This file is the command 'gptkit {name}'. Try: echo hello | gptkit {name} --model echo
# 'gptkit prompts check {name}' says what is wrong with it, 'gptkit prompts test {name}' runs its tests.

# The first line of 'gptkit {name} --help'.
description: Rewrite a text.

# What the model is told to be and to do. Values stand between double braces; what they hold is
# inserted as it is and never read as a template.
system: |
  You rewrite the text you are given so that it is {{{{ style }}}}.
  {{% if audience %}}
  Write for {{{{ audience }}}}.
  {{% endif %}}
  Answer with the rewritten text and nothing else.

# The user's message; this is the default. `text` is the input (words, standard input or -f files);
# `request` is what you typed beside an input from a pipe or a file.
# user: "{{{{ text }}}}"

# Each one is a real option, with help and completion.
# Types: text, integer, number, boolean, choice, file, list.
options:
  style:
    type: choice
    choices: [plain, formal, friendly]
    default: plain
    short: S
    help: How it should read.
  audience:
    help: Who will read it.

# Few-shot turns, sent before the text:
# examples:
#   - {{user: "gimme that report", assistant: "Please send me the report."}}

# required (the default), optional or none
input: required

# text, markdown, code, email or json; with a JSON Schema: {{format: json, schema: {{type: object}}}}
output: text

# Sent only when set here, and dropped for models that do not know them:
# parameters:
#   temperature: 0.3

tests:
  - text: gimme that report
    options: {{style: formal}}
    reply: Please send me the report.
    expect:
      contains: report
      system_contains: so that it is formal
"""


def create(services: Services, name: str, source: bytes | None) -> Path:
    """A new file in the user's folder; a copy of `source`, or the commented start."""
    if problem := parse.name_problem(name, services.words):
        raise UsageFault(f"'{name}': {problem}")
    folder = shelves.user(services.paths)
    path = services.paths.require(folder / f"{name}.yaml")
    for taken in (path, path.with_suffix(".yml")):
        if taken.is_symlink() or taken.exists():
            raise UsageFault(f"'{taken}': it exists already", hint=f"'gptkit prompts edit {name}' opens it")
    write_private(path, STARTING_FILE.format(name=name).encode() if source is None else source)
    return path


def content(path: Path) -> bytes:
    """A prompt file as it is, broken or not."""
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_CAP + 1)
    except OSError as error:
        raise CannotRead(f"'{path}': {(error.strerror or str(error)).lower()}") from None
    if len(data) > SIZE_CAP:
        raise DataFault(f"'{path}': larger than {SIZE_CAP >> 10} KiB")
    return data


def missing(services: Services, name: str) -> GptkitError | None:
    """Why a name is no command although a file has it; None when no file has."""
    entry = services.library.entries().get(name)
    problem = parse.name_problem(name, services.words)
    if entry and problem:
        return DataFault(f"'{entry.path}': {problem}", hint="rename the file")
    if {f"{name}.yaml", f"{name}.yml"} & set(shelves.untrusted(services.paths)):
        return NoPermission(
            f"the prompt '{name}' of this project is not trusted",
            hint=f"read what is in '{shelves.project(services.paths)}', then run 'gptkit prompts trust'",
        )
    return None


def render_prompt(services: Services, name: str, arguments: list[str]) -> int:
    """Print the messages of a prompt for a command line, without sending anything."""
    template = services.library.template(name)

    def call(values: Mapping[str, Value], shared: SharedOptions) -> int:
        given = gather(services.terminal, template, values, shared, services.settings.number("stdin_wait"))
        invocation = Invocation(template, "", given.text, given.wanted, given.files, given.values)
        sent = request(invocation, services.format(template)).messages
        if shared.json:
            record = [{"role": message.role, "content": message.content} for message in sent]
            services.terminal.show(json.dumps(record, ensure_ascii=False, indent=2))
        else:
            for message in sent:
                services.terminal.show(f"--- {message.role}")
                services.terminal.show(message.content.removesuffix("\n"))
        return 0

    extra = [option for one in services.declared(template) for option in one.options]
    built = command(template, call, extra, page(services.terminal))
    code: object = built.main(
        arguments,
        prog_name=f"gptkit prompts render {name}",
        standalone_mode=False,
        terminal_width=services.terminal.width,
        obj=services,
    )
    return code if isinstance(code, int) else 0
