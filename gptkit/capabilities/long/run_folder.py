"""A command over the files of folders, whose results go into a folder of the same shape."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.capabilities.long.config import long_mode, piece_tokens
from gptkit.capabilities.long.map import Share, mapped_all
from gptkit.core.chat import ChatRequest, Message, Reply
from gptkit.core.errors import CannotReadError, DataError, GptkitError, NoInputError, UsageError
from gptkit.exchange.invocation import Outcome, Runtime
from gptkit.jobs import progress
from gptkit.jobs.batch.guard import Once
from gptkit.jobs.consent import Consent
from gptkit.jobs.folder_plan import Plan, Work, plan
from gptkit.jobs.folder_results import Results
from gptkit.jobs.memory.store import memory as memory_of
from gptkit.jobs.options import options_of
from gptkit.jobs.progress import Progress, Tally
from gptkit.jobs.request import placed
from gptkit.jobs.setup import READ_WHOLE, Source, job, opened, patient_means, working
from gptkit.session import answer
from gptkit.session.conversation import invocation
from gptkit.session.input import DASH, Given, ReadingOptions, beside, document
from gptkit.text.formats import plain_text
from gptkit.text.pieces import Piece

if TYPE_CHECKING:
    from gptkit.jobs.missing import Lacking
    from gptkit.services import Services
    from gptkit.session.conversation import Conversation
    from gptkit.session.options import SharedOptions
    from gptkit.templates.template import Template, Value


OF_ONE_FILE = (DataError, NoInputError, CannotReadError, UsageError)
"""What is wrong with a file and says nothing of the others."""


def run(services: Services, template: Template, values: Mapping[str, Value], shared: SharedOptions) -> int:
    """Work through all files that -f names; returns the exit code."""
    inputs = _inputs(shared)
    options = options_of(values)
    found = plan(inputs, Path(options.output_dir), any_format=bool(options.as_))
    if told := options.report:
        sources, results = [one.path for one in found.work], [one.target for one in found.work]
        glossary = [Path(options.glossary)] if options.glossary else []
        answer.check_report(services.terminal, Path(str(told)), sources + glossary, results)
    conversation = working(services, template, shared, is_map=long_mode(template) == "map")
    given = beside(services.terminal, template, values, shared)
    if long_mode(template) == "reduce":
        from gptkit.capabilities.long.run_folder_reduce import run as run_each

        return run_each(conversation, given, found)
    task = _Task(conversation, found, given)
    if shared.dry_run:
        task.show_forecast()
        return 0
    failure = task.failure()
    if failure is None:
        return 0
    services.terminal.report(failure, as_json=conversation.how.as_json)
    return failure.code


def _inputs(shared: SharedOptions) -> list[Path]:
    if name := shared.first_given(("output", "stdin", "response", "session", "continue")):
        raise UsageError(f"--{name} and --output-dir do not go together")
    if not shared.file or Path(DASH) in shared.file:
        raise UsageError("--output-dir needs files or folders, named with -f")
    return list(shared.file)


class _Task:
    """All files on their way: one budget, one crew of workers, one line of progress."""

    def __init__(self, conversation: Conversation, found: Plan, given: Given) -> None:
        services, how = conversation.services, conversation.how
        self._services = services
        self._conversation = conversation
        self._plan = found
        self._invocation = invocation(services, conversation.template, given, conversation.shared, how)
        self._options = options_of(self._invocation.values)
        self._job = job(services, self._invocation, plain_text(), conversation.is_recorded)
        self._most = piece_tokens(conversation.template)
        self._size = sum(one.size for one in found.work)
        self._consent = Consent(conversation, self._invocation.model, self._options, self._most, self._size)
        self._once = Once(services, self._job)
        self._progress = Progress(services.terminal, how.quiet)
        self._results = Results(found)

    def failure(self) -> GptkitError | None:
        """Do the work; what ends it early, and else what could not be done, with a word on how to go on."""
        started = self._services.terminal.monotonic()
        sent = ChatRequest(self._invocation.model, (Message("user", self._name),))
        record = self._conversation.recording(self._invocation, sent, None, {"long": True})
        try:
            with record:
                failure = self._worked() or self._results.failure()
                reply = self._reply(started, failure)
                record.finish(Outcome(reply, reply.text, failure))
        finally:
            self._progress.clear()
            if self._job.memory is not None:
                memory_of(self._services).close()
        self._results.tell(self._conversation, self._options.report)
        return failure

    def show_forecast(self) -> None:
        """What `--dry-run` prints."""
        from gptkit.jobs.forecast import forecast
        from gptkit.jobs.missing import by_piece

        form = self._services.format(self._invocation.template)
        formats: set[str] = set()

        def found() -> Iterator[tuple[Piece, Sequence[Lacking]]]:
            for source, pieces in self._by_file():
                if source is not None:
                    formats.add(source.format.name)
                    with suppress(*OF_ONE_FILE):
                        yield from by_piece(pieces, self._job._replace(format=source.format), form)

        with self._once.awaited() as awaited:
            told = forecast(self._services, self._job, form, found(), awaited)
        told |= {
            "format": sorted(formats),
            "files": len(self._plan.work),
            "skipped": len(self._plan.skipped),
        }
        self._services.terminal.print_sanitized(json.dumps(told, ensure_ascii=False, indent=2))

    def _worked(self) -> GptkitError | None:
        try:
            runtime = patient_means(self._services, self._conversation, self._invocation)
            self._once.check(lambda: self._lacking(runtime))
            if self._consent.is_wanted(len(self._plan.work)):
                self._consent.survey(self._lacking(runtime))
            with closing(mapped_all(self._shares(), self._job.workers, runtime)) as results:
                for share, done in results:
                    if done is None:
                        self._results.end(share.document)
                    else:
                        self._results.add(share.document, done)
                        self._progress.show(self._tally)
        except GptkitError as error:
            progress.tell_how_to_go_on(error, self._job.memory)
            self._results.stop()
            return error
        except BaseException:
            self._results.stop()
            raise
        return None

    def _lacking(self, runtime: Runtime) -> Iterator[Lacking]:
        """What the memory lacks of all files; what a file is wrong with is met again when it is read."""
        from gptkit.jobs.missing import lacking_pieces

        for source, pieces in self._by_file():
            own = self._job if source is None else self._job._replace(format=source.format)
            with suppress(*OF_ONE_FILE):
                yield from lacking_pieces(pieces, own, runtime.format)

    def _shares(self) -> Iterator[Share]:
        for number, (source, pieces) in enumerate(self._by_file()):
            own = self._job if source is None else self._job._replace(format=source.format)
            try:
                for one in placed(pieces):
                    yield Share(number, own, one)
            except OF_ONE_FILE as error:
                self._results.fail(number, error)
            yield Share(number, own)

    def _by_file(self) -> Iterator[tuple[Source | None, Iterable[Piece]]]:
        """Each file is opened when its turn comes; one that cannot be has no pieces."""
        for number, one in enumerate(self._plan.work):
            try:
                source = self._opened(one)
            except OF_ONE_FILE as error:
                self._results.fail(number, error)
                yield None, ()
            else:
                yield source, source.format.pieces(source.lines, self._most)

    def _opened(self, one: Work) -> Source:
        text = document(
            str(one.path), ReadingOptions(READ_WHOLE, as_is=True), self._conversation.shared.encoding
        )
        return opened(text, self._invocation.values, is_file=True)

    def _tally(self) -> Tally:
        charges = self._conversation.budget.charges
        tokens = sum(one.prompt_tokens + one.completion_tokens for one in charges)
        part = min(1.0, self._results.bytes / self._size) if self._size else None
        return Tally(self._results.pieces, tokens, part, self._conversation.cost()[0] if charges else None)

    @property
    def _name(self) -> str:
        count = len(self._plan.work)
        return f"[{self._plan.work[0].path}{f' and {count - 1} more' if count > 1 else ''}]"

    def _reply(self, started: float, failure: GptkitError | None) -> Reply:
        budget = self._conversation.budget
        return Reply(
            text=f"[{self._results.done} of {len(self._plan.work)} files]",
            reason="stop" if failure is None else None,
            usage=progress.usage(budget.charges),
            model=self._invocation.model,
            attempts=budget.request_count,
            total=self._services.terminal.monotonic() - started,
        )
