"""A command that makes one result of a long input: parts, merges, and the last merge as it arrives."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.capabilities.long.config import LEAST_PIECE, languages, piece_tokens
from gptkit.capabilities.long.reduce import Gathered, Step, concluded, gathered
from gptkit.core.chat import ChatRequest, Message
from gptkit.core.errors import GptkitError, IncompleteError
from gptkit.exchange.invocation import Outcome, Runtime
from gptkit.jobs import progress
from gptkit.jobs.consent import Consent
from gptkit.jobs.memory.store import memory_of
from gptkit.jobs.options import options_of
from gptkit.jobs.output import Place
from gptkit.jobs.progress import Progress, Tally
from gptkit.jobs.setup import Source, job, patient_means, pieces_of
from gptkit.session import answer
from gptkit.session.conversation import invocation
from gptkit.session.input import Given

if TYPE_CHECKING:
    from gptkit.core.chat import OutputFormat
    from gptkit.jobs.missing import Lacking
    from gptkit.session.conversation import Conversation
    from gptkit.session.record import Record
    from gptkit.templates.template import Template
    from gptkit.text.pieces import Piece


ANSWERED = 0.2
"""Tokens of all results, for each of the text, about."""
LISTED = 1000
"""Missing parts that are listed."""


def run(conversation: Conversation, given: Given, document: Source) -> int:
    """Work through a document part by part, and merge; returns the exit code."""
    task = Task(conversation, given, document)
    if conversation.shared.dry_run:
        told = json.dumps(task.forecast(), ensure_ascii=False, indent=2)
        conversation.services.terminal.print_sanitized(told)
        return 0
    failure = task.failure()
    if failure is None:
        return 0
    conversation.services.terminal.report(failure, as_json=conversation.how.as_json)
    return failure.code


def room(conversation: Conversation, template: Template, model: str) -> int:
    """How many tokens of text one request may have."""
    piece, window = piece_tokens(template), conversation.services.context_window(model)
    return piece if window is None else max(LEAST_PIECE, min(piece, window // 2))


class Task:
    """One document on its way to one result.

    With a `consent` it is one of many: then an output that would not change is left alone.
    """

    def __init__(
        self, conversation: Conversation, given: Given, document: Source, consent: Consent | None = None
    ) -> None:
        services, how = conversation.services, conversation.how
        self._services = services
        self._conversation = conversation
        self._document = document
        self._invocation = invocation(
            services, conversation.template, given._replace(text="", files=()), conversation.shared, how
        )
        spoken = languages(conversation.template, self._invocation.values)
        self._job = job(services, self._invocation, document.format, conversation.is_recorded, spoken)
        self._room = room(conversation, conversation.template, self._invocation.model)
        self._progress = Progress(services.terminal, how.quiet)
        options, piece = options_of(self._invocation.values), piece_tokens(conversation.template)
        self._consent = consent or Consent(
            conversation, self._invocation.model, options, piece, document.size, ANSWERED
        )
        self._parts = 0
        self._is_one_of_many = consent is not None

    def failure(self) -> GptkitError | None:
        """Do it all and show it; what ends it early, with nothing to show, is raised."""
        with Place(self._conversation.how.output) as place:
            failure = self._done()
            place.is_written = failure is None
        return failure

    def _done(self) -> GptkitError | None:
        started = self._services.terminal.monotonic()
        sent = ChatRequest(self._invocation.model, (Message("user", f"[{self._document.name}]"),))
        record = self._conversation.recording(self._invocation, sent, None, {"long": True})
        runtime = patient_means(self._services, self._conversation, self._invocation)
        try:
            with record:
                found = self._gathered(runtime)
                missing = self._missing(found)
                if missing is not None and found.is_empty:
                    raise missing
                outcome, shown = self._concluded(found, runtime, record, started)
                failure = outcome.failure or missing
                record.finish(outcome._replace(failure=failure))
        finally:
            if self._job.memory is not None:
                memory_of(self._services).close()
        self._show(outcome, missing, shown)
        return failure

    def forecast(self) -> Mapping[str, object]:
        """What `--dry-run` prints."""
        from gptkit.capabilities.long.reduce import by_part
        from gptkit.jobs.forecast import forecast

        form = self._services.format(self._invocation.template)
        found = by_part(self.pieces, self._job, form, self._room)
        return forecast(self._services, self._job, form, found, room=self._room)

    @property
    def pieces(self) -> Iterator[Piece]:
        """Of the document, which is read but once."""
        if self._is_one_of_many:
            return self._document.format.pieces(self._document.lines, self._room)
        return pieces_of(self._document, self._room)

    def lacking(self, pieces: Iterable[Piece], form: OutputFormat) -> Iterator[Lacking]:
        """What the memory lacks of them."""
        from gptkit.capabilities.long.reduce import lacking_parts

        return lacking_parts(pieces, self._job, form, self._room)

    def _gathered(self, runtime: Runtime) -> Gathered:
        lack = partial(self.lacking, form=runtime.format)
        try:
            pieces = self._consent.checked(self.pieces, lack)
            return gathered(pieces, self._job, runtime, self._room, self._watch)
        except GptkitError as error:
            progress.tell_how_to_go_on(error, self._job.memory)
            raise
        finally:
            self._progress.clear()

    def _concluded(
        self, found: Gathered, runtime: Runtime, record: Record, started: float
    ) -> tuple[Outcome, bool]:
        """What came of the last request, and whether it was shown while it arrived."""
        services, how = self._services, self._conversation.how
        sink = answer.sink(services.terminal, how, runtime.format, services.settings.boolean("markdown"))
        try:
            outcome = concluded(found, self._job, runtime, record.listening(sink))
        except GptkitError as error:
            progress.tell_how_to_go_on(error, None if found.whole else self._job.memory)
            raise
        finally:
            if sink is not None:
                sink.close()
        budget = self._conversation.budget
        reply = outcome.reply._replace(
            usage=progress.usage(budget.charges),
            attempts=budget.request_count,
            total=services.terminal.monotonic() - started,
        )
        facts = {
            "parts": max(1, self._parts),
            "levels": 1 if found.whole else found.levels + 1,
            "findings": self._listed(found),
        }
        return outcome._replace(reply=reply, json_fields=facts), sink is not None

    def _show(self, outcome: Outcome, missing: GptkitError | None, shown: bool) -> None:
        """A result that lacks parts is shown as what it is; a file gets only a whole one."""
        how = self._conversation.how
        if how.output is not None and outcome.failure is None:
            outcome = outcome._replace(failure=missing)
            if self._is_one_of_many and missing is None and _holds(how.output, outcome.answer):
                return
        facts = answer.Facts(*self._conversation.cost())
        answer.show(self._services.terminal, how, self._invocation, outcome, shown, facts)

    def _watch(self, step: Step) -> None:
        self._parts = step.done if step.level == 1 else self._parts
        self._progress.show(lambda: self._tally(step))

    def _tally(self, step: Step) -> Tally:
        charges, size = self._conversation.budget.charges, self._document.size
        whole = step.of if step.level > 1 else size
        reached = step.done if step.level > 1 else step.bytes
        return Tally(
            step.done,
            sum(one.prompt_tokens + one.completion_tokens for one in charges),
            min(1.0, reached / whole) if whole else None,
            self._conversation.cost()[0] if charges else None,
            level=step.level,
        )

    def _missing(self, found: Gathered) -> GptkitError | None:
        path = options_of(self._invocation.values).report
        if path:
            about = {"document": self._document.name, "parts": max(1, self._parts)}
            progress.write(path, {**about, "findings": self._listed(found)})
        if not found.findings:
            return None
        count, first = len(found.findings), found.findings[0].message
        return IncompleteError(
            f"{count} of {self._parts} parts are missing in the result: {first}",
            hint="--report FILE lists all; run the same command to try these again",
        )

    def _listed(self, found: Gathered) -> list[Mapping[str, object]]:
        return [
            {"line": one.line, "kind": one.kind, "message": one.message} for one in found.findings[:LISTED]
        ]


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == (text if text.endswith("\n") else text + "\n").encode("utf-8", "replace")
    except OSError:
        return False
