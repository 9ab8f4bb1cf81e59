"""Reduce each file of folders to one result, one file after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.capabilities.long.config import languages, piece_tokens
from gptkit.capabilities.long.run_reduce import REDUCE_ANSWER_RATIO, ReduceJob
from gptkit.core.errors import (
    CannotReadError,
    CannotWriteError,
    DataError,
    GptkitError,
    IncompleteError,
    NoInputError,
    ProtocolError,
    RefusedError,
)
from gptkit.core.files import cause
from gptkit.jobs import progress
from gptkit.jobs.consent import Consent
from gptkit.jobs.folder_plan import FileTask, FolderPlan
from gptkit.jobs.folder_results import FolderResults
from gptkit.jobs.memory.store import memory_of
from gptkit.jobs.options import options_of
from gptkit.jobs.output import FileInUseError
from gptkit.jobs.setup import READ_WHOLE, make_job, open_document, patient_runtime
from gptkit.session.conversation import Conversation, make_invocation
from gptkit.session.input import PromptInput, ReadingOptions, open_text
from gptkit.text.formats import plain_text

if TYPE_CHECKING:
    from gptkit.exchange.invocation import Runtime
    from gptkit.jobs.job import Memory
    from gptkit.jobs.missing import MissingAnswer
    from gptkit.templates.template import Value


FILE_ERRORS = (DataError, NoInputError, CannotReadError, IncompleteError, RefusedError, ProtocolError)
"""Errors of one file or its result, after which the other files are still processed."""


def run(conversation: Conversation, prompt_input: PromptInput, plan: FolderPlan) -> int:
    """Process the files of a plan; returns the exit code."""
    results = FolderResults(plan)
    failure: GptkitError | None = None
    path = options_of(prompt_input.values).report
    folder_job = _FolderReduceJob(conversation, prompt_input, plan)
    if conversation.shared.dry_run:
        folder_job.show_forecasts()
        return 0
    try:
        folder_job.check_cost()
        for number, task in enumerate(plan.tasks):
            results.set_state(number, *folder_job.process(task))
    except GptkitError as error:
        failure = error
        progress.add_resume_hint(failure, folder_job.memory)
    finally:
        folder_job.close()
    failure = failure or results.failure()
    results.report(conversation, path)
    if failure is None:
        return 0
    conversation.services.terminal.report(failure, as_json=conversation.display.as_json)
    return failure.code


class _FolderReduceJob:
    """A job on the files of a plan, with one budget and one question about the cost."""

    def __init__(self, conversation: Conversation, prompt_input: PromptInput, plan: FolderPlan) -> None:
        self._conversation = conversation
        values_of_folder: dict[str, Value] = {"report": "", "yes": True}
        self._given = prompt_input._replace(values={**prompt_input.values, **values_of_folder})
        self._plan = plan
        services = conversation.services
        size = sum(task.size for task in plan.tasks)
        piece = piece_tokens(conversation.template)
        self._consent = Consent(
            conversation,
            conversation.model,
            options_of(prompt_input.values),
            piece,
            size,
            REDUCE_ANSWER_RATIO,
        )
        self._invocation = make_invocation(
            services, conversation.template, prompt_input, conversation.shared, conversation.display
        )
        text_languages = languages(conversation.template, self._invocation.values)
        self._job = make_job(
            services, self._invocation, plain_text(), conversation.is_recorded, text_languages
        )

    def check_cost(self) -> None:
        """Raise BudgetError unless the user agrees to the cost of all files together."""
        runtime = patient_runtime(self._conversation.services, self._conversation, self._invocation)
        if self._consent.may_be_needed(len(self._plan.tasks)):
            self._consent.check_answers(self._missing_answers(runtime))
        self._consent.is_given = True

    @property
    def memory(self) -> Memory | None:
        return self._job.memory

    def close(self) -> None:
        if self.memory is not None:
            memory_of(self._conversation.services).close()

    def process(self, task: FileTask) -> tuple[str, GptkitError | None]:
        """Reduce one file; returns its state for the report, and its failure if it is not done."""
        before = _file_status(task.target)
        try:
            task.target.parent.mkdir(parents=True, exist_ok=True)
            failure = self._document_job(task).run()
        except (*FILE_ERRORS, FileInUseError) as error:
            failure = error
        except OSError as error:
            failure = CannotWriteError(f"cannot write '{task.target}': {cause(error)}")
        if failure is not None:
            if not isinstance(failure, (*FILE_ERRORS, FileInUseError)):
                raise failure
            return "not done", failure
        return "unchanged" if before is not None and _file_status(task.target) == before else "written", None

    def show_forecasts(self) -> None:
        files: list[object] = []
        for task in self._plan.tasks:
            try:
                result = self._document_job(task).forecast()
            except FILE_ERRORS as error:
                result = {"why": error.message}
            files.append({"file": str(task.path), **result})
        text = json.dumps({"files": files}, ensure_ascii=False, indent=2)
        self._conversation.services.terminal.print_sanitized(text)

    def _missing_answers(self, runtime: Runtime) -> Iterator[MissingAnswer]:
        """Yield the answers that the memory lacks of all files; a broken file is reported when it is
        processed."""
        for task in self._plan.tasks:
            with suppress(*FILE_ERRORS):
                document_job = self._document_job(task)
                yield from document_job.missing_answers(document_job.pieces, runtime.format)

    def _document_job(self, task: FileTask) -> ReduceJob:
        folder_conversation = self._conversation
        shared = folder_conversation.shared._replace(output=task.target, json=False)
        conversation = Conversation(folder_conversation.services, folder_conversation.template, shared)
        conversation.budget = folder_conversation.budget
        text = open_text(str(task.path), ReadingOptions(READ_WHOLE), shared.encoding)
        head = next(text.texts, "")
        if not head.strip() and (text.size or 0) <= READ_WHOLE:
            raise NoInputError(f"no input: nothing in '{task.path}'")
        text = text._replace(texts=chain([head], text.texts))
        source = open_document(text, self._given.values, self._job.languages, is_file=True, is_map=False)
        return ReduceJob(conversation, self._given, source, self._consent)


def _file_status(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
