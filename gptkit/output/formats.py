"""The output formats that a prompt file can promise.

This module is loaded at every start, so the work of each format is in other modules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gptkit.core.chat import AnswerFormatError, OutputFormat, Rendering
from gptkit.core.errors import IncompleteError
from gptkit.core.sanitize import one_line

Schema = Mapping[str, object]


def check_schema(schema: Schema) -> str | None:
    """Return what is wrong with the JSON schema of a prompt file; None if nothing is."""
    from gptkit.output.json_format import schema_problem

    return schema_problem(schema)


class _StreamedFormat:
    """Text or Markdown, which is printed as it is."""

    streams = True
    parameters: Mapping[str, object] = {}

    def __init__(self, rendering: Rendering) -> None:
        self.rendering: Rendering = rendering

    def finish(self, text: str) -> str:
        return text


class _CodeFormat:
    """The code of the answer; with the rendering `markdown` a terminal shows the whole answer.

    `takes_first`: it is the first fenced block; else it is the likeliest one, which need not be fenced.
    """

    streams = False
    parameters: Mapping[str, object] = {}

    def __init__(self, rendering: Rendering, *, takes_first: bool = False) -> None:
        self.rendering: Rendering = rendering
        self._takes_first = takes_first

    def finish(self, text: str) -> str:
        from gptkit.output.extract import extract_code, first_block

        code = first_block(text) if self._takes_first else extract_code(text)
        if code is None:
            failure = IncompleteError(f"no code in the answer: '{one_line(text, 200)}'")
            raise AnswerFormatError("it holds no code block", failure, again=False)
        return code


class _EmailFormat:
    """A `Subject:` line, a blank line, the body."""

    streams = False
    rendering: Rendering = "plain"
    parameters: Mapping[str, object] = {}

    def finish(self, text: str) -> str:
        from gptkit.output.extract import count_emails, extract_email

        email = extract_email(text)
        if email is None:
            failure = IncompleteError(f"no e-mail with a subject in the answer: '{one_line(text, 200)}'")
            # a single line says why the model cannot write the e-mail: asking again is of no use
            is_mail = "\n" in text.strip()
            raise AnswerFormatError(
                "it must be a line 'Subject: ...', a blank line and the body", failure, again=is_mail
            )
        if (count := count_emails(text)) > 1:
            failure = IncompleteError(f"{count} e-mails in the answer, where one was asked for")
            raise AnswerFormatError("it must hold one e-mail with one subject line", failure, again=True)
        return email


class _CommitFormat:
    """A subject line of at most 72 columns; behind it, if there is more to say, a blank line and a body."""

    streams = False
    rendering: Rendering = "plain"
    parameters: Mapping[str, object] = {}

    def finish(self, text: str) -> str:
        from gptkit.output.extract import commit_problem, extract_commit

        message = extract_commit(text)
        if problem := commit_problem(message):
            failure = IncompleteError(f"no commit message in the answer: {problem}")
            raise AnswerFormatError(problem, failure, again=True)
        return message


def _json_format(schema: Schema | None) -> OutputFormat:
    from gptkit.output.json_format import JsonFormat

    return JsonFormat(schema)


FORMATS: Mapping[str, Callable[[Schema | None], OutputFormat]] = {
    "text": lambda _: _StreamedFormat("plain"),
    "markdown": lambda _: _StreamedFormat("markdown"),
    "code": lambda _: _CodeFormat("markdown"),
    "command": lambda _: _CodeFormat("none"),
    "block": lambda _: _CodeFormat("none", takes_first=True),
    "email": lambda _: _EmailFormat(),
    "commit": lambda _: _CommitFormat(),
    "json": _json_format,
}
