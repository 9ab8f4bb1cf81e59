"""Run a command that reduces a long input to one result, and show the result while it arrives."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.capabilities.long.config import LEAST_PIECE_TOKENS, languages, piece_tokens
from gptkit.capabilities.long.reduce import (
    FinalInput,
    ReduceProgress,
    reduce_to_final_input,
    request_final_result,
)
from gptkit.core.chat import ChatRequest, Message
from gptkit.core.errors import GptkitError, IncompleteError
from gptkit.exchange.invocation import Outcome, Runtime
from gptkit.jobs import progress
from gptkit.jobs.consent import Consent
from gptkit.jobs.memory.store import memory_of
from gptkit.jobs.options import options_of
from gptkit.jobs.output import OutputReservation
from gptkit.jobs.progress import JobProgress, ProgressLine
from gptkit.jobs.setup import Document, make_job, patient_runtime, split_document
from gptkit.session import answer
from gptkit.session.clipboard import copy_answer
from gptkit.session.conversation import make_invocation
from gptkit.session.input import PromptInput

if TYPE_CHECKING:
    from gptkit.core.chat import OutputFormat
    from gptkit.jobs.missing import MissingAnswer
    from gptkit.session.conversation import Conversation
    from gptkit.session.record import ExchangeRecord
    from gptkit.templates.template import Template
    from gptkit.text.pieces import Piece


REDUCE_ANSWER_RATIO = 0.2
"""About how many tokens all results together have for each token of the text."""
LISTED_PARTS = 1000
"""The most missing parts that are listed."""


def run(conversation: Conversation, prompt_input: PromptInput, document: Document) -> int:
    """Reduce a document to one result, and return the exit code."""
    reduce_job = ReduceJob(conversation, prompt_input, document)
    if conversation.shared.dry_run:
        result = json.dumps(reduce_job.forecast(), ensure_ascii=False, indent=2)
        conversation.services.terminal.print_sanitized(result)
        return 0
    failure = reduce_job.run()
    if failure is None:
        return 0
    conversation.services.terminal.report(failure, as_json=conversation.display.as_json)
    return failure.code


def part_token_limit(conversation: Conversation, template: Template, model: str) -> int:
    """Return how many tokens of text one request may have, by the prompt file and the model's window."""
    piece, window = piece_tokens(template), conversation.services.context_window(model)
    return piece if window is None else max(LEAST_PIECE_TOKENS, min(piece, window // 2))


class ReduceJob:
    """A job that reduces one document to one result.

    With a `consent` the document is one of many; an output file that would not change is then left alone.
    """

    def __init__(
        self,
        conversation: Conversation,
        prompt_input: PromptInput,
        document: Document,
        consent: Consent | None = None,
    ) -> None:
        services, display = conversation.services, conversation.display
        self._services = services
        self._conversation = conversation
        self._document = document
        self._invocation = make_invocation(
            services,
            conversation.template,
            prompt_input._replace(text="", files=()),
            conversation.shared,
            display,
        )
        text_languages = languages(conversation.template, self._invocation.values)
        self._job = make_job(
            services, self._invocation, document.format, conversation.is_recorded, text_languages
        )
        self._token_limit = part_token_limit(conversation, conversation.template, self._invocation.model)
        self._progress = ProgressLine(services.terminal, display.quiet)
        options, piece = options_of(self._invocation.values), piece_tokens(conversation.template)
        self._consent = consent or Consent(
            conversation, self._invocation.model, options, piece, document.size, REDUCE_ANSWER_RATIO
        )
        self._parts = 0
        self._is_one_of_many = consent is not None

    def run(self) -> GptkitError | None:
        """Reduce the document and show the result; returns what is wrong with the result.

        Raises the GptkitError that leaves nothing to show.
        """
        with OutputReservation(self._conversation.display.output) as reservation:
            failure = self._process()
            reservation.is_written = failure is None
        return failure

    def _process(self) -> GptkitError | None:
        started = self._services.terminal.monotonic()
        request = ChatRequest(self._invocation.model, (Message("user", f"[{self._document.name}]"),))
        record = self._conversation.make_record(self._invocation, request, None, {"long": True})
        runtime = patient_runtime(self._services, self._conversation, self._invocation)
        runtime = runtime._replace(announce_pause=self._progress.announce_pause)
        self._show_progress(ReduceProgress(1, 0, None, 0))
        try:
            with record:
                final_input = self._final_input(runtime)
                missing = self._missing_error(final_input)
                if missing is not None and final_input.is_empty:
                    raise missing
                outcome, is_shown = self._final_outcome(final_input, runtime, record, started)
                failure = outcome.failure or missing
                record.finish(outcome._replace(failure=failure))
        finally:
            self._progress.clear()
            if self._job.memory is not None:
                memory_of(self._services).close()
        self._show(outcome, missing, is_shown)
        return failure

    def forecast(self) -> Mapping[str, object]:
        """Return what `--dry-run` prints."""
        from gptkit.capabilities.long.reduce import missing_by_part
        from gptkit.jobs.forecast import forecast

        form = self._services.format(self._invocation.template)
        missing = missing_by_part(self.pieces, self._job, form, self._token_limit)
        return forecast(self._services, self._job, form, missing, token_limit=self._token_limit)

    @property
    def pieces(self) -> Iterator[Piece]:
        """The pieces of the document, which can be read once."""
        if self._is_one_of_many:
            return self._document.format.pieces(self._document.lines, self._token_limit)
        return split_document(self._document, self._token_limit)

    def missing_answers(self, pieces: Iterable[Piece], form: OutputFormat) -> Iterator[MissingAnswer]:
        """Yield the answers that the memory lacks of the pieces."""
        from gptkit.capabilities.long.reduce import missing_answers_of_parts

        return missing_answers_of_parts(pieces, self._job, form, self._token_limit)

    def _final_input(self, runtime: Runtime) -> FinalInput:
        find_missing = partial(self.missing_answers, form=runtime.format)
        try:
            pieces = self._consent.check_pieces(self.pieces, find_missing)
            return reduce_to_final_input(pieces, self._job, runtime, self._token_limit, self._show_progress)
        except GptkitError as error:
            progress.add_resume_hint(error, self._job.memory)
            raise

    def _final_outcome(
        self, final_input: FinalInput, runtime: Runtime, record: ExchangeRecord, started: float
    ) -> tuple[Outcome, bool]:
        """Ask for the final result; returns the outcome, and whether it was shown while it arrived."""
        services, display = self._services, self._conversation.display
        sink = answer.make_sink(
            services.terminal, display, runtime.format, services.settings.boolean("markdown")
        )
        try:
            outcome = request_final_result(final_input, self._job, runtime, record.recording_sink(sink))
        except GptkitError as error:
            progress.add_resume_hint(error, None if final_input.whole else self._job.memory)
            raise
        finally:
            if sink is not None:
                sink.close()
        budget = self._conversation.budget
        reply = outcome.reply._replace(
            usage=progress.total_usage(budget.charges),
            attempts=budget.request_count,
            total=services.terminal.monotonic() - started,
        )
        json_fields = {
            "parts": max(1, self._parts),
            "levels": 1 if final_input.whole else final_input.levels + 1,
            "findings": self._listed_findings(final_input),
        }
        return outcome._replace(reply=reply, json_fields=json_fields), sink is not None

    def _show(self, outcome: Outcome, missing: GptkitError | None, is_shown: bool) -> None:
        """Show the outcome; a result that lacks parts is shown, too, but not written to an output file."""
        display = self._conversation.display
        if display.output is not None and outcome.failure is None:
            outcome = outcome._replace(failure=missing)
            if self._is_one_of_many and missing is None and _file_holds(display.output, outcome.answer):
                return
        facts = answer.AnswerFacts(*self._conversation.cost())
        answer.show_answer(self._services.terminal, display, self._invocation, outcome, is_shown, facts)
        if outcome.failure is None and missing is None:
            copy_answer(self._services, self._conversation.shared, outcome.answer)

    def _show_progress(self, step: ReduceProgress) -> None:
        self._parts = step.finished if step.level == 1 else self._parts
        self._progress.show(lambda: self._job_progress(step))

    def _job_progress(self, step: ReduceProgress) -> JobProgress:
        charges, size = self._conversation.budget.charges, self._document.size
        total = step.total if step.level > 1 else size
        reached = step.finished if step.level > 1 else step.bytes
        return JobProgress(
            step.finished,
            sum(charge.prompt_tokens + charge.completion_tokens for charge in charges),
            min(1.0, reached / total) if total else None,
            self._conversation.cost()[0] if charges else None,
            level=step.level,
        )

    def _missing_error(self, final_input: FinalInput) -> GptkitError | None:
        path = options_of(self._invocation.values).report
        if path:
            counts = {"document": self._document.name, "parts": max(1, self._parts)}
            progress.write_report(path, {**counts, "findings": self._listed_findings(final_input)})
        if not final_input.findings:
            return None
        count, first = len(final_input.findings), final_input.findings[0].message
        return IncompleteError(
            f"{count} of {self._parts} parts are missing in the result: {first}",
            hint="--report FILE lists all; run the same command to try these again",
        )

    def _listed_findings(self, final_input: FinalInput) -> list[Mapping[str, object]]:
        return [
            {"line": finding.line, "kind": finding.kind, "message": finding.message}
            for finding in final_input.findings[:LISTED_PARTS]
        ]


def _file_holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == (text if text.endswith("\n") else text + "\n").encode("utf-8", "replace")
    except OSError:
        return False
