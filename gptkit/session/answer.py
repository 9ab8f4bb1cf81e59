"""Write the outcome of an invocation: to a pipe, a terminal, a file or as JSON."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.chat import (
    AnswerDelta,
    Charge,
    ChatRequest,
    OutputFormat,
    ReasoningDelta,
    Reply,
    Sink,
    Usage,
)
from gptkit.core.errors import CannotWriteError, GptkitError, ProtocolError, UsageError
from gptkit.core.files import is_same_file, is_untrusted_link, replace_path, write_atomic
from gptkit.core.redact import Redactor
from gptkit.core.terminal import Terminal, allows_styles
from gptkit.exchange.budget import prompt_tokens
from gptkit.exchange.invocation import Invocation, Outcome
from gptkit.session.options import SharedOptions

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal
    from gptkit.output.markdown import MarkdownSink


def check_output(terminal: Terminal, output: Path, inputs: Sequence[Path]) -> None:
    """Raise CannotWriteError or UsageError for an output that cannot be written or is one of the inputs."""
    try:
        if is_untrusted_link(output):
            raise CannotWriteError(f"'{output}': it is another user's symbolic link")
        if output.is_dir():
            raise UsageError(f"'{output}': the output is a folder")
        partial = partial_path(output)
        for path in (output, partial) if os.path.exists(partial) else (output,):  # noqa: PTH110
            if terminal.is_stdin(path) or any(is_same_file(path, input_path) for input_path in inputs):
                raise UsageError(f"'{path}': the output would overwrite the input")
        folder = output.resolve().parent
        if not folder.is_dir():
            raise CannotWriteError(f"'{output}': there is no folder '{folder}'")
        replaced = folder if output.is_file() or not output.exists() else output
        if not (os.access(replaced, os.W_OK) and (not output.exists() or os.access(output, os.W_OK))):
            raise CannotWriteError(f"'{output}': permission denied")
    except (OSError, RuntimeError) as error:  # a RuntimeError is a link that leads to itself
        reason = getattr(error, "strerror", None) or "a symbolic link leads to itself"
        raise CannotWriteError(f"'{output}': {reason.lower()}") from None


def check_report(terminal: Terminal, report: Path, inputs: Iterable[Path], outputs: Iterable[Path]) -> None:
    """Raise as `check_output` does for a report, and if the report is one of the outputs."""
    check_output(terminal, report, ())
    for kind, paths in (("input", inputs), ("output", outputs)):
        if any(is_same_file(report, path) for path in paths):
            raise UsageError(f"'{report}': the report would overwrite the {kind}")


def write_answer(terminal: Terminal, output: Path, text: str) -> None:
    """Write an answer to a file; if that fails, print the answer, which was paid for, and raise."""
    try:
        write_atomic(output, text.encode("utf-8", "replace"))
    except CannotWriteError as error:
        terminal.print_sanitized(text.removesuffix("\n"))
        error.hint = "the answer went to standard output instead"
        raise


def write_partial(output: Path, text: str, failure: GptkitError) -> None:
    """Write an incomplete answer to FILE.partial, as private as FILE, and tell so in the hint of `failure`.

    The user has not named FILE.partial, so that whatever is there is replaced, also a link to another file.
    """
    if output.exists() and not output.is_file():
        return
    partial = partial_path(output)
    try:
        replace_path(partial, text.encode("utf-8", "replace"), like=output)
    except CannotWriteError as error:
        failure.hint = error.message
        return
    failure.hint = f"'{output}' was not written; what came is in '{partial}'"


def partial_path(output: Path) -> Path:
    """Return the path of FILE.partial, which holds an incomplete answer for FILE."""
    return output.with_name(output.name + ".partial")


STANDARD_OUTPUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
"""Names of standard output, which is not opened as a file: that would replace what a shell's `>>` adds to."""


class DisplayOptions(NamedTuple):
    """How the answer is to be shown, and where it goes."""

    output: Path | None
    raw: bool
    as_json: bool
    response: bool
    quiet: bool
    verbose: bool
    reasoning: bool = False

    @property
    def needs_whole(self) -> bool:
        """Whether nothing is written before the answer is whole."""
        return self.as_json or self.response or self.output is not None


EXTRACTED = ("extract", "schema")


def display_options(shared: SharedOptions) -> DisplayOptions:
    for group in (
        ("raw", "json", "response"),
        ("raw", "extract", "response"),
        EXTRACTED,
        ("quiet", "verbose"),
    ):
        chosen = [name for name in group if shared.first_given([name])]
        if len(chosen) > 1:
            raise UsageError(f"--{chosen[0]} and --{chosen[1]} do not go together")
    output = shared.output
    return DisplayOptions(
        output=output if output is not None and str(output) not in STANDARD_OUTPUT else None,
        raw=shared.raw,
        as_json=shared.json,
        response=shared.response,
        quiet=shared.quiet,
        verbose=shared.verbose,
        reasoning=shared.reasoning,
    )


def make_sink(
    terminal: Terminal, display: DisplayOptions, format_: OutputFormat, markdown: bool
) -> Sink | None:
    """Make the sink that shows the answer while it arrives; returns None if only the whole is written."""
    answer_sink = _answer_sink(terminal, display, format_, markdown)
    if answer_sink is None or not display.reasoning:
        return answer_sink
    return _reasoning_sink(terminal, answer_sink)


def _reasoning_sink(terminal: Terminal, inner: Sink | None) -> Sink:
    """Return a sink that shows reasoning on standard error, and passes the answer on to `inner`."""
    from gptkit.output.sinks import ReasoningSink

    dim = terminal.stderr_is_terminal and allows_styles(terminal.environ)
    return ReasoningSink(inner, terminal.write_error, terminal.stderr_is_terminal, dim)


def _answer_sink(
    terminal: Terminal, display: DisplayOptions, format_: OutputFormat, markdown: bool
) -> Sink | None:
    from gptkit.output import sinks

    if display.needs_whole:
        return None
    if not terminal.stdout_is_terminal:
        return sinks.PipeSink(terminal.write) if format_.streams or display.raw else None
    if format_.rendering == "none" and not display.raw:
        return None
    if display.raw or format_.rendering == "plain" or not markdown or terminal.is_dumb:
        return sinks.PlainSink(terminal.write)
    from gptkit.output.flush import TimedFlushSink

    return TimedFlushSink(markdown_sink(terminal))


def markdown_sink(terminal: Terminal) -> MarkdownSink:
    """Make a sink that renders Markdown for the terminal, which must not be a dumb one."""
    from gptkit.output.markdown import MarkdownSink

    return MarkdownSink(
        write=terminal.write,
        width=lambda: terminal.width,
        height=lambda: terminal.height,
        now=terminal.monotonic,
        colour=terminal.has_colour,
    )


class AnswerFacts(NamedTuple):
    """What is known of an exchange besides its answer.

    `cost` is in US dollars, None without a known price; `session` is the id of the conversation, `charges`
    are those of the requests of the exchange.
    """

    cost: float | None = None
    is_estimate: bool = False
    session: str | None = None
    charges: Sequence[Charge] = ()


def show_answer(
    terminal: Terminal,
    display: DisplayOptions,
    invocation: Invocation,
    outcome: Outcome,
    is_shown: bool,
    facts: AnswerFacts,
) -> None:
    """Write what no sink has shown, and the line of `--verbose`."""
    if display.reasoning and not is_shown and outcome.reply.reasoning:
        reasoning_sink = _reasoning_sink(terminal, None)
        reasoning_sink(ReasoningDelta(outcome.reply.reasoning))
        reasoning_sink.close()
    pieces = _remaining_text(
        display, lambda: _answer_record(invocation, outcome, terminal.redactor, facts), outcome, is_shown
    )
    if pieces is not None and display.output is not None and outcome.failure is not None:
        write_partial(display.output, "".join(pieces), outcome.failure)
    elif pieces is not None:
        _write_pieces(terminal, display, pieces)
    if display.verbose:
        print_summary(terminal, invocation, outcome.reply, facts)


def print_summary(terminal: Terminal, invocation: Invocation, reply: Reply, facts: AnswerFacts) -> None:
    """Print the line of `--verbose`."""
    terminal.print_error_line(f"gptkit: {_summary(invocation, reply, facts)}")


def show_request(
    terminal: Terminal, display: DisplayOptions, request: ChatRequest, url: str, invocation: Invocation
) -> None:
    """Print what `--dry-run` shows."""
    record = {
        "prompt": invocation.template.name,
        "url": url,
        "body": request.without_content_of_attachments().body(),
        "requests": 1,
        "estimate": {"prompt_tokens": prompt_tokens(request)},
    }
    _write_pieces(terminal, display, _json_pieces(record))


def _remaining_text(
    display: DisplayOptions, record: Callable[[], Mapping[str, object]], outcome: Outcome, is_shown: bool
) -> Iterator[str] | None:
    """Return what is still to be written; None if nothing is.

    An incomplete answer is written only for an output file, to FILE.partial.
    """
    if display.as_json:
        return _json_pieces(record())
    if display.response and outcome.reply.response is not None:
        return _json_pieces(outcome.reply.response)
    if outcome.failure is not None:
        return iter((outcome.reply.text,)) if display.output is not None else None
    if display.response:
        raise ProtocolError("the server sent no response object but a stream", hint="use --json instead")
    return None if is_shown else iter((outcome.answer,))


def _write_pieces(terminal: Terminal, display: DisplayOptions, pieces: Iterator[str]) -> None:
    if display.output is not None:
        text = "".join(pieces)
        write_answer(terminal, display.output, text if text.endswith("\n") else text + "\n")
    elif terminal.stdout_is_terminal:
        from gptkit.output.sinks import PlainSink

        sink = PlainSink(terminal.write)
        for piece in pieces:
            sink(AnswerDelta(piece))
        sink.close()
    else:
        last = ""
        for piece in pieces:
            terminal.write(last)
            last = piece
        terminal.print_sanitized(last.removesuffix("\n"))


def _json_pieces(record: object) -> Iterator[str]:
    from gptkit.output.json_format import json_pieces

    return json_pieces(record)


def _answer_record(
    invocation: Invocation, outcome: Outcome, secrets: Redactor, facts: AnswerFacts
) -> Mapping[str, object]:
    """Return the object that `--json` prints.

    The server's words are redacted, since they may repeat the key.
    """
    reply = outcome.reply
    return {
        "prompt": invocation.template.name,
        "answer": outcome.answer,
        "model": secrets.redact(reply.model or invocation.model),
        "finish_reason": reply.reason and secrets.redact(reply.reason),
        "refusal": secrets.redact(reply.refusal) or None,
        "usage": _usage_record(reply, facts.charges),
        "cost": None if facts.cost is None else {"usd": facts.cost, "estimated": facts.is_estimate},
        "session": facts.session,
        "attempts": reply.attempts,
        "seconds": round(reply.total, 3),
        "request_id": secrets.redact(reply.request_id) or None,
        **outcome.json_fields,
    }


def _usage_record(reply: Reply, charges: Sequence[Charge]) -> Mapping[str, object] | None:
    """Return the tokens of one request, None if the server did not count them; or the sums of several."""
    usage, counts = reply.usage, {}
    if len(charges) > 1:
        usage = _total_usage(charges)
        counts = {"requests": len(charges), "estimated": any(charge.estimated for charge in charges)}
    return usage and {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        **counts,
    }


def _total_usage(charges: Sequence[Charge]) -> Usage:
    return Usage(
        sum(charge.prompt_tokens for charge in charges), sum(charge.completion_tokens for charge in charges)
    )


def _summary(invocation: Invocation, reply: Reply, facts: AnswerFacts) -> str:
    if len(facts.charges) > 1:
        usage, about = (
            _total_usage(facts.charges),
            "≈ " if any(charge.estimated for charge in facts.charges) else "",
        )
        count = len(facts.charges)
        tokens = f"{about}{usage.prompt_tokens} tokens in, {usage.completion_tokens} out in {count} requests"
    elif reply.usage:
        tokens = f"{reply.usage.prompt_tokens} tokens in, {reply.usage.completion_tokens} out"
    else:
        from gptkit.core.tokens import estimate_tokens

        tokens = f"≈ {estimate_tokens(reply.text)} tokens out (estimated)"
    first = f"first word after {reply.first:.2f} s, " if reply.first is not None else ""
    cost = ""
    if facts.cost is not None:
        cost = f", {'≈ ' if facts.is_estimate else ''}{facts.cost:.6f} USD"
    return f"{reply.model or invocation.model}: {tokens}{cost}, {first}{reply.total:.2f} s in all"
