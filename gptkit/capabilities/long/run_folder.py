"""Run a command on the files of folders, and write the results into a folder of the same shape."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.capabilities.long.config import languages, long_mode, piece_tokens
from gptkit.capabilities.long.map import DocumentPiece, map_documents
from gptkit.core.chat import ChatRequest, Message, Reply
from gptkit.core.errors import CannotReadError, DataError, GptkitError, NoInputError, UsageError
from gptkit.exchange.invocation import Outcome, Runtime
from gptkit.jobs import progress
from gptkit.jobs.batch.guard import BatchGuard
from gptkit.jobs.consent import Consent
from gptkit.jobs.folder_plan import FileTask, FolderPlan, plan_folders
from gptkit.jobs.folder_results import FolderResults
from gptkit.jobs.memory.store import memory_of
from gptkit.jobs.options import JobOptions, options_of
from gptkit.jobs.progress import JobProgress, ProgressLine
from gptkit.jobs.request import place_pieces
from gptkit.jobs.setup import (
    READ_WHOLE,
    Document,
    begin_conversation,
    make_job,
    open_document,
    patient_runtime,
)
from gptkit.session import answer
from gptkit.session.conversation import make_invocation
from gptkit.session.input import DASH, PromptInput, ReadingOptions, input_beside_files, open_text
from gptkit.session.options import is_url
from gptkit.text.formats import plain_text
from gptkit.text.pieces import Piece

if TYPE_CHECKING:
    from gptkit.jobs.missing import MissingAnswer
    from gptkit.services import Services
    from gptkit.session.conversation import Conversation
    from gptkit.session.options import SharedOptions
    from gptkit.templates.template import Template, Value


FILE_ERRORS = (DataError, NoInputError, CannotReadError, UsageError)
"""Errors of one file, after which the other files are still processed."""


def run(services: Services, template: Template, values: Mapping[str, Value], shared: SharedOptions) -> int:
    """Process all files and folders that -f names; returns the exit code."""
    inputs = _input_paths(shared)
    options = options_of(values)
    plan = plan_folders(inputs, Path(options.output_dir), any_format=bool(options.as_))
    if options.report:
        _check_report(services, options, plan)
    conversation = begin_conversation(services, template, shared, is_map=long_mode(template) == "map")
    prompt_input = input_beside_files(services.terminal, template, values, shared)
    if long_mode(template) == "reduce":
        from gptkit.capabilities.long.run_folder_reduce import run as run_reductions

        return run_reductions(conversation, prompt_input, plan)
    folder_job = _FolderMapJob(conversation, plan, prompt_input)
    if shared.dry_run:
        folder_job.show_forecast()
        return 0
    failure = folder_job.run()
    if failure is None:
        return 0
    services.terminal.report(failure, as_json=conversation.display.as_json)
    return failure.code


def _check_report(services: Services, options: JobOptions, plan: FolderPlan) -> None:
    """Refuse a report file that cannot be written, or that is an input or a result."""
    inputs = [task.path for task in plan.tasks] + ([Path(options.glossary)] if options.glossary else [])
    results = [task.target for task in plan.tasks]
    answer.check_report(services.terminal, Path(options.report), inputs, results)


def _input_paths(shared: SharedOptions) -> list[Path]:
    if name := shared.first_given(
        ("output", "stdin", "response", "copy", "extract", "schema", "session", "continue")
    ):
        raise UsageError(f"--{name} and --output-dir do not go together")
    if not shared.file or DASH in shared.file or any(map(is_url, shared.file)):
        raise UsageError("--output-dir needs files or folders, named with -f")
    return [Path(file) for file in shared.file]


class _FolderMapJob:
    """A job on all files of a plan, with one budget, one pool of workers and one line of progress."""

    def __init__(self, conversation: Conversation, plan: FolderPlan, prompt_input: PromptInput) -> None:
        services, display = conversation.services, conversation.display
        self._services = services
        self._conversation = conversation
        self._plan = plan
        self._invocation = make_invocation(
            services, conversation.template, prompt_input, conversation.shared, display
        )
        self._options = options_of(self._invocation.values)
        text_languages = languages(conversation.template, self._invocation.values)
        self._job = make_job(
            services, self._invocation, plain_text(), conversation.is_recorded, text_languages
        )
        self._piece_tokens = piece_tokens(conversation.template)
        self._size = sum(task.size for task in plan.tasks)
        self._consent = Consent(
            conversation, self._invocation.model, self._options, self._piece_tokens, self._size
        )
        self._batch_guard = BatchGuard(services, self._job)
        self._progress = ProgressLine(services.terminal, display.quiet)
        self._results = FolderResults(plan)

    def run(self) -> GptkitError | None:
        """Process the files and report on them; returns what ended the job early or which files failed."""
        started = self._services.terminal.monotonic()
        sent = ChatRequest(self._invocation.model, (Message("user", self._name),))
        record = self._conversation.make_record(self._invocation, sent, None, {"long": True})
        try:
            with record:
                failure = self._process_files() or self._results.failure()
                reply = self._reply(started, failure)
                record.finish(Outcome(reply, reply.text, failure))
        finally:
            self._progress.clear()
            if self._job.memory is not None:
                memory_of(self._services).close()
        self._results.report(self._conversation, self._options.report)
        return failure

    def show_forecast(self) -> None:
        """Print what `--dry-run` shows."""
        from gptkit.jobs.forecast import forecast
        from gptkit.jobs.missing import missing_by_piece

        form = self._services.format(self._invocation.template)
        formats: set[str] = set()

        def missing_by_pieces() -> Iterator[tuple[Piece, Sequence[MissingAnswer]]]:
            for source, pieces in self._pieces_by_file():
                if source is not None:
                    formats.add(source.format.name)
                    with suppress(*FILE_ERRORS):
                        yield from missing_by_piece(pieces, self._job._replace(format=source.format), form)

        with self._batch_guard.pending_lookup() as find_shard:
            result = forecast(self._services, self._job, form, missing_by_pieces(), find_shard)
        result |= {
            "format": sorted(formats),
            "files": len(self._plan.tasks),
            "skipped": len(self._plan.skipped),
        }
        self._services.terminal.print_sanitized(json.dumps(result, ensure_ascii=False, indent=2))

    def _process_files(self) -> GptkitError | None:
        try:
            self._progress.show(self._job_progress)
            runtime = patient_runtime(self._services, self._conversation, self._invocation)
            runtime = runtime._replace(announce_pause=self._progress.announce_pause)
            self._batch_guard.refuse_pending(lambda: self._missing_answers(runtime))
            if self._consent.may_be_needed(len(self._plan.tasks)):
                self._consent.check_answers(self._missing_answers(runtime))
            with closing(map_documents(self._document_pieces(), self._job.workers, runtime)) as results:
                for piece, result in results:
                    if result is None:
                        self._results.finish_file(piece.document)
                    else:
                        self._results.add_piece(piece.document, result)
        except GptkitError as error:
            progress.add_resume_hint(error, self._job.memory)
            self._results.abandon()
            return error
        except BaseException:
            self._results.abandon()
            raise
        return None

    def _missing_answers(self, runtime: Runtime) -> Iterator[MissingAnswer]:
        """Yield the answers that the memory lacks of all files; a broken file is reported when it is
        processed."""
        from gptkit.jobs.missing import missing_answers

        for source, pieces in self._pieces_by_file():
            file_job = self._job if source is None else self._job._replace(format=source.format)
            with suppress(*FILE_ERRORS):
                yield from missing_answers(pieces, file_job, runtime.format)

    def _document_pieces(self) -> Iterator[DocumentPiece]:
        for number, (source, pieces) in enumerate(self._pieces_by_file()):
            file_job = self._job if source is None else self._job._replace(format=source.format)
            try:
                for piece in place_pieces(pieces):
                    yield DocumentPiece(number, file_job, piece)
            except FILE_ERRORS as error:
                self._results.set_failure(number, error)
            yield DocumentPiece(number, file_job)

    def _pieces_by_file(self) -> Iterator[tuple[Document | None, Iterable[Piece]]]:
        """Open one file after the other; yields its pieces, and none for a file that cannot be opened."""
        for number, task in enumerate(self._plan.tasks):
            try:
                source = self._open(task)
            except FILE_ERRORS as error:
                self._results.set_failure(number, error)
                yield None, ()
            else:
                if source.is_marked:
                    self._results.mark(number)
                yield source, source.format.pieces(source.lines, self._piece_tokens)

    def _open(self, task: FileTask) -> Document:
        text = open_text(
            str(task.path),
            ReadingOptions(READ_WHOLE, as_is=True),
            self._conversation.shared.encoding,
        )
        languages = self._job.languages
        return open_document(text, self._invocation.values, languages, is_file=True, is_map=True)

    def _job_progress(self) -> JobProgress:
        charges = self._conversation.budget.charges
        tokens = sum(charge.prompt_tokens + charge.completion_tokens for charge in charges)
        part = min(1.0, self._results.bytes / self._size) if self._size else None
        return JobProgress(
            self._results.pieces, tokens, part, self._conversation.cost()[0] if charges else None
        )

    @property
    def _name(self) -> str:
        count = len(self._plan.tasks)
        return f"[{self._plan.tasks[0].path}{f' and {count - 1} more' if count > 1 else ''}]"

    def _reply(self, started: float, failure: GptkitError | None) -> Reply:
        budget = self._conversation.budget
        return Reply(
            text=f"[{self._results.done_count} of {len(self._plan.tasks)} files]",
            reason="stop" if failure is None else None,
            usage=progress.total_usage(budget.charges),
            model=self._invocation.model,
            attempts=budget.request_count,
            total=self._services.terminal.monotonic() - started,
        )
