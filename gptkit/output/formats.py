"""The formats that a prompt file can promise its answer in.

This module is loaded at every start, so each format's own work is in a module of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gptkit.core.chat import AnswerFormatError, OutputFormat, Rendering
from gptkit.core.errors import IncompleteError
from gptkit.core.sanitize import one_line

Schema = Mapping[str, object]


def check_schema(schema: Schema) -> str | None:
    """What is wrong with the schema of a prompt file, None if nothing is."""
    from gptkit.output.json_format import schema_problem

    return schema_problem(schema)


class _Streamed:
    """Text or Markdown: the answer is printed as it is."""

    streams = True
    parameters: Mapping[str, object] = {}

    def __init__(self, rendering: Rendering) -> None:
        self.rendering: Rendering = rendering

    def finish(self, text: str) -> str:
        return text


class _Code:
    """The code block of the answer and nothing else; on a terminal the whole answer is shown."""

    streams = False
    rendering: Rendering = "markdown"
    parameters: Mapping[str, object] = {}

    def finish(self, text: str) -> str:
        from gptkit.output.extract import code

        found = code(text)
        if found is None:
            failure = IncompleteError(f"no code in the answer: '{one_line(text, 200)}'")
            raise AnswerFormatError("it holds no code block", failure, again=False)
        return found


class _Email:
    """A `Subject:` line, a blank line, the body."""

    streams = False
    rendering: Rendering = "plain"
    parameters: Mapping[str, object] = {}

    def finish(self, text: str) -> str:
        from gptkit.output.extract import email

        found = email(text)
        if found is None:
            failure = IncompleteError(f"no e-mail with a subject in the answer: '{one_line(text, 200)}'")
            # One line is what the model writes instead when it cannot write the mail.
            again = "\n" in text.strip()
            raise AnswerFormatError(
                "it must be a line 'Subject: ...', a blank line and the body", failure, again=again
            )
        return found


def _json(schema: Schema | None) -> OutputFormat:
    from gptkit.output.json_format import JsonFormat

    return JsonFormat(schema)


FORMATS: Mapping[str, Callable[[Schema | None], OutputFormat]] = {
    "text": lambda _: _Streamed("plain"),
    "markdown": lambda _: _Streamed("markdown"),
    "code": lambda _: _Code(),
    "email": lambda _: _Email(),
    "json": _json,
}
