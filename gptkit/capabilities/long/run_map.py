"""Run a command on a long input piece by piece, and write the answers in the order of the pieces."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from gptkit.capabilities.long.config import languages, long_mode, piece_tokens
from gptkit.capabilities.long.map import map_pieces
from gptkit.capabilities.long.source import PROSE_FORMATS, SINGLE_EXCHANGE_PIECES
from gptkit.core.chat import ChatRequest, Message, Reply
from gptkit.core.errors import GptkitError
from gptkit.core.tokens import estimate_tokens
from gptkit.exchange.budget import Budget
from gptkit.exchange.invocation import Invocation, Outcome, Runtime, build_request
from gptkit.jobs import progress
from gptkit.jobs.batch.guard import BatchGuard
from gptkit.jobs.consent import Consent
from gptkit.jobs.job import PieceResult
from gptkit.jobs.memory.store import memory_of
from gptkit.jobs.options import options_of
from gptkit.jobs.output import (
    BYTE_ORDER_MARK,
    CollectedOutput,
    FileOutput,
    Output,
    PipeOutput,
    TerminalOutput,
)
from gptkit.jobs.progress import JobProgress, ProgressLine
from gptkit.jobs.setup import Document, begin_conversation, make_job, patient_runtime, split_document
from gptkit.session import answer
from gptkit.session.clipboard import copy_answer
from gptkit.session.conversation import Conversation, make_invocation
from gptkit.session.input import STDIN, PromptInput

if TYPE_CHECKING:
    from gptkit.jobs.missing import MissingAnswer
    from gptkit.session.call import Call
    from gptkit.text.pieces import Piece


BYTES = 4
"""About how many bytes of a document a token is."""
HISTORY_LENGTH, SHORT_HISTORY_LENGTH = 2000, 1 << 20
"""Characters of an answer that the history keeps, of a text that is read block by block and of one that was
read whole. The memory has all of the answer."""


def run(call: Call, document: Document) -> int:
    """Process a document, and return the exit code."""
    services, template, prompt_input = call.services, call.template, call.read_input()
    is_map = long_mode(template) == "map"
    text = prompt_input.text
    is_short = is_map and bool(text) and estimate_tokens(text) <= _one_piece(call, document)
    if is_short:
        conversation = Conversation(services, template, call.shared)
        conversation.budget.answers_match_texts = True
    else:
        conversation = begin_conversation(services, template, call.shared, is_map=is_map)
    if not is_map:
        from gptkit.capabilities.long import run_reduce

        return run_reduce.run(conversation, prompt_input, document)
    document_job = _DocumentJob(conversation, prompt_input, document, is_short)
    if call.shared.dry_run:
        document_job.show_forecast()
        return 0
    outcome = document_job.run()
    if outcome.failure is not None:
        services.terminal.report(outcome.failure, as_json=conversation.display.as_json)
        return outcome.failure.code
    return 0


def _one_piece(call: Call, document: Document) -> float:
    """Tokens of a text that is processed without threads: more where a person sees its answer arrive."""
    is_seen = call.services.terminal.stdout_is_terminal and not call.display.needs_whole
    most = piece_tokens(call.template)
    return SINGLE_EXCHANGE_PIECES * most if is_seen and document.format.name in PROSE_FORMATS else most


class _DocumentJob:
    """A job on one document; a short one is processed without threads."""

    def __init__(
        self, conversation: Conversation, prompt_input: PromptInput, document: Document, is_short: bool
    ) -> None:
        services, template = conversation.services, conversation.template
        self._services = services
        self._conversation = conversation
        self._document = document
        self._given = prompt_input
        self._is_short = is_short
        is_kept = bool(prompt_input.text) or conversation.shared.copy
        self._history_length = SHORT_HISTORY_LENGTH if is_kept else HISTORY_LENGTH
        self._invocation = make_invocation(
            services,
            template,
            prompt_input._replace(text="", files=()),
            conversation.shared,
            conversation.display,
        )
        text_languages = languages(conversation.template, self._invocation.values)
        self._job = make_job(
            services, self._invocation, document.format, conversation.is_recorded, text_languages
        )
        model = self._invocation.model if is_short else ""
        self._progress = ProgressLine(services.terminal, conversation.display.quiet, model=model)
        options = options_of(self._invocation.values)
        self._consent = Consent(
            conversation, self._invocation.model, options, piece_tokens(template), document.size
        )
        self._batch_guard = BatchGuard(services, self._job, submits=options.batch)
        self._piece_tokens = piece_tokens(template)
        if is_short:
            self._piece_tokens = int(SINGLE_EXCHANGE_PIECES * self._piece_tokens)
        self._beginning = ""
        self._written_length = 0
        self._findings = progress.FindingCounts()
        self._last_result: PieceResult | None = None
        self._turn: int | None = None

    def run(self) -> Outcome:
        how, started = self._conversation.display, self._services.terminal.monotonic()
        output = self._make_output()
        invocation, request = self._request()
        record = self._conversation.make_record(invocation, request, None, {"long": True})
        with record:
            failure = self._process_pieces(output)
            reply = self._reply(started, failure)
            record.finish(Outcome(reply, reply.text, failure))
        self._turn = record.turn
        if (isinstance(output, CollectedOutput) and failure is None) or how.as_json:
            self._show(output, Outcome(reply, self._collected_answer(output), failure))
        elif how.verbose:
            answer.print_summary(self._services.terminal, self._invocation, reply, self._facts)
        if failure is None and self._written_length <= self._history_length:
            copy_answer(self._services, self._conversation.shared, reply.text.removesuffix("\n"))
        elif failure is None and self._conversation.shared.copy:
            self._conversation.warn(f"not copied: longer than {self._history_length} characters")
        if self._job.memory is not None:
            memory_of(self._services).close()
        self._findings.write(options_of(self._invocation.values).report, self._document.name)
        return Outcome(reply, "", failure)

    def _collected_answer(self, output: Output) -> str:
        """Return the whole answer; one to words of the command line has no final newline, as they have
        none."""
        if not isinstance(output, CollectedOutput):
            return ""
        is_words = self._given.files[:1] == (("words", self._given.text),)
        return output.text.removesuffix("\n") if is_words else output.text

    def show_forecast(self) -> None:
        """Print what `--dry-run` shows."""
        from gptkit.jobs.forecast import forecast
        from gptkit.jobs.missing import missing_by_piece

        form = self._services.format(self._invocation.template)
        missing = missing_by_piece(split_document(self._document, self._piece_tokens), self._job, form)
        with self._batch_guard.pending_lookup() as find_shard:
            result = forecast(self._services, self._job, form, missing, find_shard)
        self._services.terminal.print_sanitized(json.dumps(result, ensure_ascii=False, indent=2))

    def _process_pieces(self, output: Output) -> GptkitError | None:
        """Process the pieces and write their answers; returns what ended the job early, or what is wrong."""
        failure: GptkitError | None = None
        try:
            self._progress.show(self._job_progress)
            runtime = self._runtime()._replace(announce_pause=self._progress.announce_pause)
            find_missing = partial(self._missing_answers, runtime)
            all_pieces = split_document(self._document, self._piece_tokens)
            with (
                self._batch_guard.unpaid_pieces(all_pieces, runtime, find_missing, self._consent) as pieces,
                closing(self._results(pieces, output, runtime)) as results,
            ):
                for result in results:
                    self._findings.add(result)
                    self._write(result, output)
        except GptkitError as error:
            failure = error
            progress.add_resume_hint(failure, self._job.memory)
            failure.partial = self._written_length > 0
        except BaseException:
            output.abandon(None)
            raise
        finally:
            self._progress.clear()
        failure = failure or self._only_failure() or self._findings.failure()
        if failure is None:
            output.finish()
            self._warn_of_keys()
        else:
            output.abandon(failure)
        is_file = len(self._conversation.shared.file) == 1 and self._document.name != STDIN
        for line in progress.finding_lines([(self._document.name if is_file else "", self._findings)]):
            self._conversation.warn(line)
        return failure

    def _results(
        self, pieces: Iterable[Piece], output: Output, runtime: Runtime
    ) -> Generator[PieceResult, None, None]:
        is_live = self._is_short and self._document.format.name in PROSE_FORMATS
        live_sink = output.live_sink if is_live and isinstance(output, TerminalOutput) else None
        return map_pieces(pieces, self._job, runtime, threads=not self._is_short, live_sink=live_sink)

    def _runtime(self) -> Runtime:
        if not self._is_short:
            return patient_runtime(self._services, self._conversation, self._invocation)
        form = self._services.format(self._invocation.template)
        budget, shared = self._conversation.budget, self._conversation.shared
        runtime = self._services.runtime(form, self._invocation.model, budget, shared.verbose)
        return runtime._replace(warn=self._conversation.warn, accepts=shared.accept)

    def _write(self, result: PieceResult, output: Output) -> None:
        """Write the text of a piece, which is its source if no answer could be used.

        If that is the only piece of the document, nothing is written; FILE.partial gets the unusable answer.
        """
        self._last_result, text = result, result.text
        if self._only_failure():
            text = result.reply.text if result.reply and isinstance(output, FileOutput) else ""
        is_first = bool(text) and not self._written_length
        if is_first and self._document.is_marked and isinstance(output, FileOutput | PipeOutput):
            output.write(BYTE_ORDER_MARK)
        output.write(text)
        self._written_length += len(text)
        if len(self._beginning) < self._history_length:
            self._beginning += text[: self._history_length - len(self._beginning)]

    def _only_failure(self) -> GptkitError | None:
        """Return the failure of a document's only piece; None if there are more pieces or it has an
        answer."""
        result = self._last_result
        return result.failure if result and result.origin == "source" and self._findings.pieces == 1 else None

    def _warn_of_keys(self) -> None:
        """Warn if --keys chose no text, since a misspelled key would look like success."""
        keys = options_of(self._invocation.values).keys
        if keys and self._findings.counts["through"] == self._findings.pieces:
            listed = ", ".join(f"'{key}'" for key in keys)
            self._conversation.warn(f"--keys {listed}: no text matches in '{self._document.name}'")

    def _missing_answers(self, runtime: Runtime, pieces: Iterable[Piece]) -> Iterator[MissingAnswer]:
        from gptkit.jobs.missing import missing_answers

        return missing_answers(pieces, self._job, runtime.format)

    def _job_progress(self) -> JobProgress:
        budget = self._conversation.budget
        tokens = sum(charge.prompt_tokens + charge.completion_tokens for charge in budget.charges)
        size = self._document.size
        return JobProgress(
            self._findings.pieces,
            tokens,
            min(1.0, self._findings.bytes / size) if size else None,
            self._conversation.cost()[0] if budget.charges else None,
            total=size / (BYTES * self._piece_tokens) if size else None,
        )

    def _make_output(self) -> Output:
        display, terminal = self._conversation.display, self._services.terminal
        if display.as_json:
            return CollectedOutput()
        if display.output is not None:
            return FileOutput(display.output)
        if not terminal.stdout_is_terminal:
            is_prose = self._document.format.name in PROSE_FORMATS
            return PipeOutput(terminal.write, ends_lines=self._is_short and is_prose)
        form = self._services.format(self._invocation.template)
        sink = answer.make_sink(terminal, display, form, self._services.settings.boolean("markdown"))
        return TerminalOutput(sink) if sink is not None else CollectedOutput()

    def _show(self, output: Output, outcome: Outcome) -> None:
        outcome = outcome._replace(json_fields=self._findings.listed)
        is_shown = not isinstance(output, CollectedOutput)
        answer.show_answer(
            self._services.terminal,
            self._conversation.display,
            self._invocation,
            outcome,
            is_shown,
            self._facts,
        )

    @property
    def _facts(self) -> answer.AnswerFacts:
        turn = self._turn if self._conversation.display.as_json else None
        session = self._conversation.store.session_of_turn(turn) if turn is not None else None
        return answer.AnswerFacts(*self._conversation.cost(), session.id if session else None)

    def _request(self) -> tuple[Invocation, ChatRequest]:
        """Return the request under which the history records the job; a long input is only named there."""
        if self._is_short:
            extras = {**self._invocation.extras, "format": self._job.format.name}
            whole = self._invocation._replace(text=self._given.text, files=self._given.files, extras=extras)
            return whole, build_request(whole, self._services.format(whole.template))
        shown_input = self._given.text or f"[{self._document.name}]"
        return self._invocation, ChatRequest(self._invocation.model, (Message("user", shown_input),))

    def _reply(self, started: float, failure: GptkitError | None) -> Reply:
        budget: Budget = self._conversation.budget
        left_out = self._written_length - len(self._beginning)
        last = self._last_result.reply if self._last_result and self._last_result.reply else Reply("", None)
        only = last if self._findings.pieces == 1 else Reply("", None)
        return only._replace(
            text=self._beginning + (f"\n[... {left_out} characters more]" if left_out else ""),
            reason="stop" if failure is None else None,
            usage=progress.total_usage(budget.charges),
            model=only.model or self._invocation.model,
            attempts=budget.request_count,
            total=self._services.terminal.monotonic() - started,
        )
