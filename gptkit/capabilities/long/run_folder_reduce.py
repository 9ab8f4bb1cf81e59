"""One result for each of the files of folders, one file after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.capabilities.long.config import piece_tokens
from gptkit.capabilities.long.run_reduce import ANSWERED, Task
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
from gptkit.jobs import progress
from gptkit.jobs.consent import Consent
from gptkit.jobs.folder_plan import Plan, Work
from gptkit.jobs.folder_results import Results
from gptkit.jobs.memory.store import memory as memory_of
from gptkit.jobs.options import options_of
from gptkit.jobs.output import FileInUseError
from gptkit.jobs.setup import READ_WHOLE, job, opened, patient_means
from gptkit.session.conversation import Conversation, invocation
from gptkit.session.input import Given, ReadingOptions, document
from gptkit.text.formats import plain_text

if TYPE_CHECKING:
    from gptkit.exchange.invocation import Runtime
    from gptkit.jobs.job import Memory
    from gptkit.jobs.missing import Lacking
    from gptkit.templates.template import Value


OF_ONE_FILE = (DataError, NoInputError, CannotReadError, IncompleteError, RefusedError, ProtocolError)
"""What is wrong with a file or its result, and says nothing of the others."""


def run(conversation: Conversation, given: Given, found: Plan) -> int:
    """Work through the files; returns the exit code."""
    results = Results(found)
    failure: GptkitError | None = None
    path = options_of(given.values).report
    work = _Work(conversation, given, found)
    if conversation.shared.dry_run:
        work.show_forecasts()
        return 0
    try:
        work.agree()
        for number, one in enumerate(found.work):
            results.put(number, *work.done(one))
    except GptkitError as error:
        failure = error
        progress.tell_how_to_go_on(failure, work.memory)
    finally:
        work.close()
    failure = failure or results.failure()
    results.tell(conversation, path)
    if failure is None:
        return 0
    conversation.services.terminal.report(failure, as_json=conversation.how.as_json)
    return failure.code


class _Work:
    """What the files have in common: the budget, and what the user agreed to."""

    def __init__(self, conversation: Conversation, given: Given, found: Plan) -> None:
        self._conversation = conversation
        done_here: dict[str, Value] = {"report": "", "yes": True}
        self._given = given._replace(values={**given.values, **done_here})
        self._found = found
        services = conversation.services
        size = sum(one.size for one in found.work)
        piece = piece_tokens(conversation.template)
        self._consent = Consent(
            conversation, conversation.model, options_of(given.values), piece, size, ANSWERED
        )
        self._invocation = invocation(
            services, conversation.template, given, conversation.shared, conversation.how
        )
        self._job = job(services, self._invocation, plain_text(), conversation.is_recorded)

    def agree(self) -> None:
        """Raises BudgetError where the user does not agree to the cost of all files together."""
        runtime = patient_means(self._conversation.services, self._conversation, self._invocation)
        if self._consent.is_wanted(len(self._found.work)):
            self._consent.survey(self._lacking(runtime))
        self._consent.is_given = True

    @property
    def memory(self) -> Memory | None:
        return self._job.memory

    def close(self) -> None:
        if self.memory is not None:
            memory_of(self._conversation.services).close()

    def done(self, one: Work) -> tuple[str, GptkitError | None]:
        """What became of a file."""
        before = _status(one.target)
        try:
            one.target.parent.mkdir(parents=True, exist_ok=True)
            failure = self._task(one).failure()
        except (*OF_ONE_FILE, FileInUseError) as error:
            failure = error
        except OSError as error:
            failure = CannotWriteError(
                f"cannot write '{one.target}': {(error.strerror or str(error)).lower()}"
            )
        if failure is not None:
            if not isinstance(failure, (*OF_ONE_FILE, FileInUseError)):
                raise failure
            return "not done", failure
        return "unchanged" if before is not None and _status(one.target) == before else "written", None

    def show_forecasts(self) -> None:
        files: list[object] = []
        for one in self._found.work:
            try:
                found = self._task(one).forecast()
            except OF_ONE_FILE as error:
                found = {"why": error.message}
            files.append({"file": str(one.path), **found})
        text = json.dumps({"files": files}, ensure_ascii=False, indent=2)
        self._conversation.services.terminal.print_sanitized(text)

    def _lacking(self, runtime: Runtime) -> Iterator[Lacking]:
        """What the memory lacks of all files; what a file is wrong with is met again when it is its turn."""
        for one in self._found.work:
            with suppress(*OF_ONE_FILE):
                task = self._task(one)
                yield from task.lacking(task.pieces, runtime.format)

    def _task(self, one: Work) -> Task:
        general = self._conversation
        shared = general.shared._replace(output=one.target, json=False)
        own = Conversation(general.services, general.template, shared)
        own.budget = general.budget
        text = document(str(one.path), ReadingOptions(READ_WHOLE), shared.encoding)
        head = next(text.texts, "")
        if not head.strip() and (text.size or 0) <= READ_WHOLE:
            raise NoInputError(f"no input: nothing in '{one.path}'")
        text = text._replace(texts=chain([head], text.texts))
        return Task(own, self._given, opened(text, self._given.values, is_file=True), self._consent)


def _status(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
