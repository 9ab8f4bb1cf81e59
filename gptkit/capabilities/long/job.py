"""Decide whether a call needs more than one exchange, and start the job if so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.capabilities.long.config import long_mode, piece_tokens
from gptkit.core.errors import UsageError
from gptkit.jobs.options import options_of
from gptkit.session import answer
from gptkit.session.input import ReadingOptions

if TYPE_CHECKING:
    from gptkit.session.call import Call

LONG_BYTES = 64 << 10
"""Bytes above which an input always needs more than one exchange."""
SINGLE_ANSWER_OPTIONS = ("session", "continue", "response", "extract", "schema")
"""Shared options that need a single answer."""
STRUCTURED_BEGINNING = re.compile(r"\s*(?:[{\[<]|---\s|WEBVTT|1\r?\n\d\d:|#.*\n|msg)")
"""How a text begins that may be something else than prose; its format then has to be found."""
PROSE_FILE = re.compile(r"(?:.*\.(?:txt|md|markdown|text)|[^.]*)\Z", re.IGNORECASE)
"""Names of files that hold prose."""


def take_over(call: Call) -> int | None:
    """Run a job on the input and return the exit code; return None if one exchange is enough."""
    services, template, shared = call.services, call.template, call.shared
    options = options_of(call.values)
    if options.batch:
        _check_batch(call)
    if options.output_dir:
        from gptkit.capabilities.long import run_folder

        return run_folder.run(services, template, call.values, shared)
    _check_report(call)
    reading = ReadingOptions(LONG_BYTES, as_is=long_mode(template) == "map")
    prompt_input = call.read_input(reading, other_paths=[Path(options.glossary)] if options.glossary else [])
    is_file = bool(shared.file)
    is_proved = options.ask_for_pieces or _is_proved(call)
    if prompt_input.long is None and not is_proved:
        name = prompt_input.files[0][0] if prompt_input.files and is_file else ""
        is_prose = PROSE_FILE.match(name) and not STRUCTURED_BEGINNING.match(prompt_input.text)
        if is_prose and len(prompt_input.text) < piece_tokens(template):
            return None
    from gptkit.capabilities.long.run_map import run
    from gptkit.capabilities.long.source import find_document

    document = find_document(
        services, template, prompt_input, call.model, is_proved=is_proved, is_file=is_file
    )
    if document is None:
        return None
    if name := shared.first_given(SINGLE_ANSWER_OPTIONS):
        raise UsageError(f"--{name} works for a single request, and this text needs several")
    return run(call, document)


def _check_batch(call: Call) -> None:
    name = call.template.name
    if long_mode(call.template) != "map":
        raise UsageError(f"--batch needs a prompt with `long: map`, which '{name}' is not")
    if options_of(call.values).output_dir or len(call.shared.file) > 1:
        raise UsageError(
            "--batch is for one input: run the command once for each file",
            hint=f'for f in docs/*; do gptkit {name} --batch -f "$f" -o "out/${{f##*/}}"; done',
        )


def _check_report(call: Call) -> None:
    """Refuse a report file that cannot be written, before anything is paid for."""
    options = options_of(call.values)
    if options.report:
        inputs = [*call.input_paths, *([Path(options.glossary)] if options.glossary else [])]
        outputs = [call.display.output] if call.display.output else []
        answer.check_report(call.services.terminal, Path(options.report), inputs, outputs)


def _is_proved(call: Call) -> bool:
    """Whether the answer is compared with its source."""
    return not call.shared.first_given(SINGLE_ANSWER_OPTIONS) and long_mode(call.template) == "map"
