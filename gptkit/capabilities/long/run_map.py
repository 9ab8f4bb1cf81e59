"""A command over a long input: its pieces go out, their answers come in and are written in order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from gptkit.capabilities.long.config import long_mode, piece_tokens
from gptkit.capabilities.long.map import mapped
from gptkit.core.chat import ChatRequest, Message, Reply
from gptkit.core.errors import GptkitError
from gptkit.exchange.budget import Budget
from gptkit.exchange.invocation import Outcome, Runtime
from gptkit.jobs import progress
from gptkit.jobs.batch.guard import Once
from gptkit.jobs.consent import Consent
from gptkit.jobs.job import Done
from gptkit.jobs.memory.store import memory as memory_of
from gptkit.jobs.options import options_of
from gptkit.jobs.output import Collected, File, Output, Plain, Shown
from gptkit.jobs.progress import Progress, Tally
from gptkit.jobs.setup import Source, job, patient_means, pieces_of, working
from gptkit.session import answer
from gptkit.session.conversation import invocation
from gptkit.session.input import Given
from gptkit.templates.template import Template

if TYPE_CHECKING:
    from gptkit.jobs.missing import Lacking
    from gptkit.services import Services
    from gptkit.session.conversation import Conversation
    from gptkit.session.options import SharedOptions
    from gptkit.text.pieces import Piece


KEPT, KEPT_WHOLE = 2000, 1 << 20
"""Characters that the history keeps of the answer to a text that is read as it is needed, and to one that
is held; the memory has all of it."""


def run(services: Services, template: Template, given: Given, document: Source, shared: SharedOptions) -> int:
    """Work through a document piece by piece; returns the exit code."""
    conversation = working(services, template, shared, is_map=long_mode(template) == "map")
    if long_mode(template) == "reduce":
        from gptkit.capabilities.long import run_reduce

        return run_reduce.run(conversation, given, document)
    task = _Task(services, conversation, template, given, document)
    if shared.dry_run:
        task.show_forecast()
        return 0
    outcome = task.outcome()
    if outcome.failure is not None:
        services.terminal.report(outcome.failure, as_json=conversation.how.as_json)
        return outcome.failure.code
    return 0


class _Task:
    """One document on its way."""

    def __init__(
        self,
        services: Services,
        conversation: Conversation,
        template: Template,
        given: Given,
        document: Source,
    ) -> None:
        self._services = services
        self._conversation = conversation
        self._document = document
        self._text = given.text
        self._kept = KEPT_WHOLE if given.text else KEPT
        self._invocation = invocation(
            services, template, given._replace(text="", files=()), conversation.shared, conversation.how
        )
        self._job = job(services, self._invocation, document.format, conversation.is_recorded)
        self._progress = Progress(services.terminal, conversation.how.quiet)
        options = options_of(self._invocation.values)
        self._consent = Consent(
            conversation, self._invocation.model, options, piece_tokens(template), document.size
        )
        self._once = Once(services, self._job, submits=options.batch)
        self._most = piece_tokens(template)
        self._tail = ""
        self._written = 0
        self._findings = progress.Findings()

    def outcome(self) -> Outcome:
        how, started = self._conversation.how, self._services.terminal.monotonic()
        output = self._output()
        record = self._conversation.recording(self._invocation, self._request(), None, {"long": True})
        with record:
            failure = self._failure(output)
            reply = self._reply(started, failure)
            record.finish(Outcome(reply, reply.text, failure))
        if (isinstance(output, Collected) and failure is None) or how.as_json:
            self._show(output, Outcome(reply, output.text if isinstance(output, Collected) else "", failure))
        if self._job.memory is not None:
            memory_of(self._services).close()
        self._findings.write(options_of(self._invocation.values).report, self._document.name)
        return Outcome(reply, "", failure)

    def show_forecast(self) -> None:
        """What `--dry-run` prints."""
        from gptkit.jobs.forecast import forecast
        from gptkit.jobs.missing import by_piece

        form = self._services.format(self._invocation.template)
        found = by_piece(pieces_of(self._document, self._most), self._job, form)
        with self._once.awaited() as awaited:
            told = forecast(self._services, self._job, form, found, awaited)
        self._services.terminal.print_sanitized(json.dumps(told, ensure_ascii=False, indent=2))

    def _failure(self, output: Output) -> GptkitError | None:
        """Do the work; what ends it early is returned, with a word on how to go on."""
        failure: GptkitError | None = None
        try:
            runtime = patient_means(self._services, self._conversation, self._invocation)
            lack = partial(self._lacking, runtime)
            found = pieces_of(self._document, self._most)
            with (
                self._once.pieces(found, runtime, lack, self._consent) as pieces,
                closing(mapped(pieces, self._job, runtime)) as results,
            ):
                for done in results:
                    output.write(done.text)
                    self._count(done)
        except GptkitError as error:
            failure = error
            progress.tell_how_to_go_on(failure, self._job.memory)
            failure.partial = self._written > 0
        except BaseException:
            output.leave(None)
            raise
        finally:
            self._progress.clear()
        failure = failure or self._findings.failure()
        if failure is None:
            output.finish()
            self._doubt_keys()
        else:
            output.leave(failure)
        if self._findings.doubts:
            first, count = str(self._findings.doubtful[0]), self._findings.doubts
            self._conversation.warn(progress.doubt(first, count))
        return failure

    def _doubt_keys(self) -> None:
        """A key that is misspelled looks like success."""
        keys = options_of(self._invocation.values).keys
        if keys and self._findings.counts["through"] == self._findings.pieces:
            listed = ", ".join(f"'{key}'" for key in keys)
            self._conversation.warn(f"--keys {listed}: no text there in '{self._document.name}'")

    def _lacking(self, runtime: Runtime, pieces: Iterable[Piece]) -> Iterator[Lacking]:
        from gptkit.jobs.missing import lacking_pieces

        return lacking_pieces(pieces, self._job, runtime.format)

    def _count(self, done: Done) -> None:
        self._findings.add(done)
        self._written += len(done.text)
        if len(self._tail) < self._kept:
            self._tail += done.text[: self._kept - len(self._tail)]
        self._progress.show(self._tally)

    def _tally(self) -> Tally:
        budget = self._conversation.budget
        tokens = sum(one.prompt_tokens + one.completion_tokens for one in budget.charges)
        size = self._document.size
        return Tally(
            self._findings.pieces,
            tokens,
            min(1.0, self._findings.bytes / size) if size else None,
            self._conversation.cost()[0] if budget.charges else None,
        )

    def _output(self) -> Output:
        how, terminal = self._conversation.how, self._services.terminal
        if how.as_json:
            return Collected()
        if how.output is not None:
            return File(how.output)
        if not terminal.stdout_is_terminal:
            return Plain(terminal.write)
        form = self._services.format(self._invocation.template)
        sink = answer.sink(terminal, how, form, self._services.settings.boolean("markdown"))
        return Shown(sink) if sink is not None else Collected()

    def _show(self, output: Output, outcome: Outcome) -> None:
        facts = answer.Facts(*self._conversation.cost())
        outcome = outcome._replace(json_fields=self._findings.listed)
        shown = not isinstance(output, Collected)
        answer.show(self._services.terminal, self._conversation.how, self._invocation, outcome, shown, facts)

    def _request(self) -> ChatRequest:
        """What the history keeps of the input."""
        said = self._text or f"[{self._document.name}]"
        return ChatRequest(self._invocation.model, (Message("user", said),))

    def _reply(self, started: float, failure: GptkitError | None) -> Reply:
        budget: Budget = self._conversation.budget
        more = self._written - len(self._tail)
        return Reply(
            text=self._tail + (f"\n[... {more} characters more]" if more else ""),
            reason="stop" if failure is None else None,
            usage=progress.usage(budget.charges),
            model=self._invocation.model,
            attempts=budget.request_count,
            total=self._services.terminal.monotonic() - started,
        )
