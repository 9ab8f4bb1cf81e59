"""Shows what came of an invocation: to a pipe, a terminal, a file or a program."""

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
from gptkit.exchange.invocation import Invocation, Outcome
from gptkit.session.options import SharedOptions

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal
    from gptkit.output.markdown import MarkdownSink


def check(terminal: Terminal, output: Path, inputs: Sequence[Path]) -> None:
    """All that can be known before the answer; the file must be none of the inputs, however spelled."""
    try:
        if is_untrusted_link(output):
            raise CannotWriteError(f"'{output}': it is another user's symbolic link")
        if output.is_dir():
            raise UsageError(f"'{output}': the output is a folder")
        partial = partial_of(output)
        for path in (output, partial) if os.path.exists(partial) else (output,):  # noqa: PTH110
            if terminal.is_stdin(path) or any(is_same_file(path, each) for each in inputs):
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
    """A second file that is written beside the output: as above, and it must not be an output either."""
    check(terminal, report, ())
    for what, paths in (("input", inputs), ("output", outputs)):
        if any(is_same_file(report, each) for each in paths):
            raise UsageError(f"'{report}': the report would overwrite the {what}")


def write(terminal: Terminal, output: Path, text: str) -> None:
    """An answer that was paid for is not lost to a full disk: it goes to standard output instead."""
    try:
        write_atomic(output, text.encode("utf-8", "replace"))
    except CannotWriteError as error:
        terminal.print_sanitized(text.removesuffix("\n"))
        error.hint = "the answer went to standard output instead"
        raise


def keep_partial(output: Path, text: str, failure: GptkitError) -> None:
    """What came of an answer goes beside the file that was meant for the whole, and is as private.

    The user has not named this file: whatever stands there, also a link to another, is replaced.
    """
    if output.exists() and not output.is_file():
        return
    partial = partial_of(output)
    try:
        replace_path(partial, text.encode("utf-8", "replace"), like=output)
    except CannotWriteError as error:
        failure.hint = error.message
        return
    failure.hint = f"'{output}' was not written; what came is in '{partial}'"


def partial_of(output: Path) -> Path:
    """Where there is what came of an output that is not whole."""
    return output.with_name(output.name + ".partial")


STANDARD_OUTPUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
"""As a file it would be put in place of what a shell's `>>` adds to."""


class Showing(NamedTuple):
    """How the user wants the answer."""

    output: Path | None
    raw: bool
    as_json: bool
    response: bool
    quiet: bool
    verbose: bool
    reasoning: bool = False

    @property
    def whole(self) -> bool:
        """Nothing is written before the answer is whole."""
        return self.as_json or self.response or self.output is not None


def showing(shared: SharedOptions) -> Showing:
    for group in (("raw", "json", "response"), ("quiet", "verbose")):
        chosen = [name for name in group if shared.first_given([name])]
        if len(chosen) > 1:
            raise UsageError(f"--{chosen[0]} and --{chosen[1]} do not go together")
    output = shared.output
    return Showing(
        output=output if output is not None and str(output) not in STANDARD_OUTPUT else None,
        raw=shared.raw,
        as_json=shared.json,
        response=shared.response,
        quiet=shared.quiet,
        verbose=shared.verbose,
        reasoning=shared.reasoning,
    )


def sink(terminal: Terminal, how: Showing, form: OutputFormat, markdown: bool) -> Sink | None:
    """Where the answer goes while it arrives; None when only the whole is written."""
    found = _answer_sink(terminal, how, form, markdown)
    if found is None or not how.reasoning:
        return found
    return _thinking(terminal, found)


def _thinking(terminal: Terminal, inner: Sink | None) -> Sink:
    """Thoughts go to standard error, wherever the answer goes."""
    from gptkit.output.sinks import ReasoningSink

    dim = terminal.stderr_is_terminal and allows_styles(terminal.environ)
    return ReasoningSink(inner, terminal.write_error, terminal.stderr_is_terminal, dim)


def _answer_sink(terminal: Terminal, how: Showing, form: OutputFormat, markdown: bool) -> Sink | None:
    from gptkit.output import sinks

    if how.whole:
        return None
    if not terminal.stdout_is_terminal:
        return sinks.PipeSink(terminal.write) if form.streams or how.raw else None
    if form.rendering == "none" and not how.raw:
        return None
    if how.raw or form.rendering == "plain" or not markdown or terminal.is_dumb:
        return sinks.PlainSink(terminal.write)
    from gptkit.output.flush import TimedFlushSink

    return TimedFlushSink(markdown_sink(terminal))


def markdown_sink(terminal: Terminal) -> MarkdownSink:
    """Renders as wide and as colourful as the terminal is; for a dumb one it is not."""
    from gptkit.output.markdown import MarkdownSink

    return MarkdownSink(
        write=terminal.write,
        width=lambda: terminal.width,
        height=lambda: terminal.height,
        now=terminal.monotonic,
        colour=terminal.has_colour,
    )


class Facts(NamedTuple):
    """What is known of an exchange beside its answer: US dollars (None: no price is known) and whether
    they are a guess, the id of the conversation that it is part of, and the charges of its requests."""

    cost: float | None = None
    is_estimate: bool = False
    session: str | None = None
    charges: Sequence[Charge] = ()


def show(
    terminal: Terminal, how: Showing, invocation: Invocation, outcome: Outcome, shown: bool, facts: Facts
) -> None:
    """Write what the sink has not shown, and the line of `--verbose`."""
    if how.reasoning and not shown and outcome.reply.reasoning:
        told = _thinking(terminal, None)
        told(ReasoningDelta(outcome.reply.reasoning))
        told.close()
    pieces = _content(how, lambda: _record(invocation, outcome, terminal.redactor, facts), outcome, shown)
    if pieces is not None and how.output is not None and outcome.failure is not None:
        keep_partial(how.output, "".join(pieces), outcome.failure)
    elif pieces is not None:
        _deliver(terminal, how, pieces)
    if how.verbose:
        note_summary(terminal, invocation, outcome.reply, facts)


def note_summary(terminal: Terminal, invocation: Invocation, reply: Reply, facts: Facts) -> None:
    """Print the line of `--verbose`."""
    terminal.print_error_line(f"gptkit: {_summary(invocation, reply, facts)}")


def show_request(
    terminal: Terminal, how: Showing, request: ChatRequest, url: str, invocation: Invocation
) -> None:
    """What `--dry-run` prints."""
    from gptkit.core.tokens import estimate_tokens

    tokens = sum(estimate_tokens(message.content) + 4 for message in request.messages) + 3
    record = {
        "prompt": invocation.template.name,
        "url": url,
        "body": request.body(),
        "requests": 1,
        "estimate": {"prompt_tokens": tokens},
    }
    _deliver(terminal, how, _json(record))


def _content(
    how: Showing, record: Callable[[], Mapping[str, object]], outcome: Outcome, shown: bool
) -> Iterator[str] | None:
    """What is still to be written; an answer cut short goes nowhere but beside an output file."""
    if how.as_json:
        return _json(record())
    if how.response and outcome.reply.response is not None:
        return _json(outcome.reply.response)
    if outcome.failure is not None:
        return iter((outcome.reply.text,)) if how.output is not None else None
    if how.response:
        raise ProtocolError("the server sent no response object but a stream", hint="use --json instead")
    return None if shown else iter((outcome.answer,))


def _deliver(terminal: Terminal, how: Showing, pieces: Iterator[str]) -> None:
    if how.output is not None:
        text = "".join(pieces)
        write(terminal, how.output, text if text.endswith("\n") else text + "\n")
    elif terminal.stdout_is_terminal:
        from gptkit.output.sinks import PlainSink

        shown = PlainSink(terminal.write)
        for piece in pieces:
            shown(AnswerDelta(piece))
        shown.close()
    else:
        last = ""
        for piece in pieces:
            terminal.write(last)
            last = piece
        terminal.print_sanitized(last.removesuffix("\n"))


def _json(record: object) -> Iterator[str]:
    from gptkit.output.json_format import json_pieces

    return json_pieces(record)


def _record(
    invocation: Invocation, outcome: Outcome, secrets: Redactor, facts: Facts
) -> Mapping[str, object]:
    """The answer is the model's to the letter; what the server says about it may repeat the key."""
    reply = outcome.reply
    return {
        "prompt": invocation.template.name,
        "answer": outcome.answer,
        "model": secrets.redact(reply.model or invocation.model),
        "finish_reason": reply.reason and secrets.redact(reply.reason),
        "refusal": secrets.redact(reply.refusal) or None,
        "usage": _usage(reply, facts.charges),
        "cost": None if facts.cost is None else {"usd": facts.cost, "estimated": facts.is_estimate},
        "session": facts.session,
        "attempts": reply.attempts,
        "seconds": round(reply.total, 3),
        "request_id": secrets.redact(reply.request_id) or None,
        **outcome.json_fields,
    }


def _usage(reply: Reply, charges: Sequence[Charge]) -> Mapping[str, object] | None:
    """The tokens of one request, None if the server did not count them; of several the sums."""
    usage, more = reply.usage, {}
    if len(charges) > 1:
        usage = _sum_of(charges)
        more = {"requests": len(charges), "estimated": any(charge.estimated for charge in charges)}
    return usage and {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        **more,
    }


def _sum_of(charges: Sequence[Charge]) -> Usage:
    return Usage(
        sum(charge.prompt_tokens for charge in charges), sum(charge.completion_tokens for charge in charges)
    )


def _summary(invocation: Invocation, reply: Reply, facts: Facts) -> str:
    if len(facts.charges) > 1:
        usage, about = _sum_of(facts.charges), "≈ " if any(one.estimated for one in facts.charges) else ""
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
