"""Decides whether a call takes more than one exchange, and starts the job that it takes then."""

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

LONG_OVER = 64 << 10
"""Bytes of an input that takes more than one exchange whatever it holds."""
ONE_ANSWER = ("session", "continue", "response")
"""Options that make no sense where there are several answers."""
STRUCTURED = re.compile(r"\s*(?:[{\[<]|---\s|WEBVTT|1\r?\n\d\d:|#.*\n|msg)")
"""How a text may begin that is not prose; what it is, its format says."""
PROSE = re.compile(r"(?:.*\.(?:txt|md|markdown|text)|[^.]*)\Z", re.IGNORECASE)
"""Names of files that hold prose."""


def take_over(call: Call) -> int | None:
    """The exit code of a job; None for input that one exchange is enough for."""
    services, template, shared = call.services, call.template, call.shared
    options = options_of(call.values)
    if options.batch:
        _check_batch(call)
    if options.output_dir:
        from gptkit.capabilities.long import run_folder

        return run_folder.run(services, template, call.values, shared)
    _check_report(call)
    reading = ReadingOptions(LONG_OVER, as_is=long_mode(template) == "map")
    given = call.given(reading, inputs=[Path(options.glossary)] if options.glossary else [])
    is_file = bool(shared.file)
    is_proved = options.ask_for_pieces or _is_proved(call)
    if given.long is None and not is_proved:
        name = given.files[0][0] if given.files and is_file else ""
        is_prose = PROSE.match(name) and not STRUCTURED.match(given.text)
        if is_prose and len(given.text) < piece_tokens(template):
            return None
    from gptkit.capabilities.long.run_map import run
    from gptkit.capabilities.long.source import Wish, source

    document = source(services, template, given, call.model, Wish(is_proved, is_file))
    if document is None:
        return None
    if name := shared.first_given(ONE_ANSWER):
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
    """A report that could not be written is not paid for."""
    options = options_of(call.values)
    if options.report:
        inputs = [*call.inputs, *([Path(options.glossary)] if options.glossary else [])]
        outputs = [call.how.output] if call.how.output else []
        answer.check_report(call.services.terminal, Path(options.report), inputs, outputs)


def _is_proved(call: Call) -> bool:
    """Whether a program reads the answer, so that it is compared with its source before it is written."""
    is_read = call.how.output is not None or call.shared.json or not call.services.terminal.stdout_is_terminal
    return is_read and not call.shared.first_given(ONE_ANSWER) and long_mode(call.template) == "map"
