"""A command over a long input: its pieces go out, their answers come in and are written in order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from gptkit.capabilities.long.config import languages, long_mode, piece_tokens
from gptkit.capabilities.long.map import mapped
from gptkit.capabilities.long.source import PROSE_FORMATS
from gptkit.core.chat import ChatRequest, Message, Reply
from gptkit.core.errors import GptkitError
from gptkit.core.tokens import estimate_tokens
from gptkit.exchange.budget import Budget
from gptkit.exchange.invocation import Invocation, Outcome, Runtime, build_request
from gptkit.jobs import progress
from gptkit.jobs.batch.guard import BatchGuard
from gptkit.jobs.consent import Consent
from gptkit.jobs.job import Done
from gptkit.jobs.memory.store import memory_of
from gptkit.jobs.options import options_of
from gptkit.jobs.output import Collected, File, Output, Plain, Shown
from gptkit.jobs.progress import Progress, Tally
from gptkit.jobs.setup import Source, job, patient_means, pieces_of, working
from gptkit.session import answer
from gptkit.session.conversation import Conversation, invocation
from gptkit.session.input import Given

if TYPE_CHECKING:
    from gptkit.jobs.missing import Lacking
    from gptkit.session.call import Call
    from gptkit.text.pieces import Piece


KEPT, KEPT_WHOLE = 2000, 1 << 20
"""Characters that the history keeps of the answer to a text that is read as it is needed, and to one that
is held; the memory has all of it."""


def run(call: Call, document: Source) -> int:
    """Work through a document piece by piece; returns the exit code."""
    services, template, given = call.services, call.template, call.given()
    is_map = long_mode(template) == "map"
    is_short = is_map and bool(given.text) and estimate_tokens(given.text) <= piece_tokens(template)
    if is_short:
        conversation = Conversation(services, template, call.shared)
        conversation.budget.answers_match_texts = True
    else:
        conversation = working(services, template, call.shared, is_map=is_map)
    if not is_map:
        from gptkit.capabilities.long import run_reduce

        return run_reduce.run(conversation, given, document)
    task = _Task(conversation, given, document, is_short)
    if call.shared.dry_run:
        task.show_forecast()
        return 0
    outcome = task.outcome()
    if outcome.failure is not None:
        services.terminal.report(outcome.failure, as_json=conversation.how.as_json)
        return outcome.failure.code
    return 0


class _Task:
    """One document on its way; a short one without threads."""

    def __init__(self, conversation: Conversation, given: Given, document: Source, is_short: bool) -> None:
        services, template = conversation.services, conversation.template
        self._services = services
        self._conversation = conversation
        self._document = document
        self._given = given
        self._is_short = is_short
        self._kept = KEPT_WHOLE if given.text else KEPT
        self._invocation = invocation(
            services, template, given._replace(text="", files=()), conversation.shared, conversation.how
        )
        spoken = languages(conversation.template, self._invocation.values)
        self._job = job(services, self._invocation, document.format, conversation.is_recorded, spoken)
        self._progress = Progress(services.terminal, conversation.how.quiet)
        options = options_of(self._invocation.values)
        self._consent = Consent(
            conversation, self._invocation.model, options, piece_tokens(template), document.size
        )
        self._once = BatchGuard(services, self._job, submits=options.batch)
        self._most = piece_tokens(template)
        self._tail = ""
        self._written = 0
        self._findings = progress.Findings()
        self._last: Done | None = None
        self._turn: int | None = None

    def outcome(self) -> Outcome:
        how, started = self._conversation.how, self._services.terminal.monotonic()
        output = self._output()
        invocation, sent = self._request()
        record = self._conversation.recording(invocation, sent, None, {"long": True})
        with record:
            failure = self._failure(output)
            reply = self._reply(started, failure)
            record.finish(Outcome(reply, reply.text, failure))
        self._turn = record.turn
        if (isinstance(output, Collected) and failure is None) or how.as_json:
            self._show(output, Outcome(reply, self._collected(output), failure))
        elif how.verbose:
            answer.note_summary(self._services.terminal, self._invocation, reply, self._facts)
        if self._job.memory is not None:
            memory_of(self._services).close()
        self._findings.write(options_of(self._invocation.values).report, self._document.name)
        return Outcome(reply, "", failure)

    def _collected(self, output: Output) -> str:
        """The whole answer; that to words of the command line ends as they do."""
        if not isinstance(output, Collected):
            return ""
        words = self._given.files[:1] == (("words", self._given.text),)
        return output.text.removesuffix("\n") if words else output.text

    def show_forecast(self) -> None:
        """What `--dry-run` prints."""
        from gptkit.jobs.forecast import forecast
        from gptkit.jobs.missing import by_piece

        form = self._services.format(self._invocation.template)
        found = by_piece(pieces_of(self._document, self._most), self._job, form)
        with self._once.pending_lookup() as awaited:
            told = forecast(self._services, self._job, form, found, awaited)
        self._services.terminal.print_sanitized(json.dumps(told, ensure_ascii=False, indent=2))

    def _failure(self, output: Output) -> GptkitError | None:
        """Do the work; what ends it early is returned, with a word on how to go on."""
        failure: GptkitError | None = None
        try:
            runtime = self._runtime()
            lack = partial(self._lacking, runtime)
            found = pieces_of(self._document, self._most)
            with (
                self._once.unpaid_pieces(found, runtime, lack, self._consent) as pieces,
                closing(mapped(pieces, self._job, runtime, threads=not self._is_short)) as results,
            ):
                for done in results:
                    self._count(done)
                    self._write(done, output)
        except GptkitError as error:
            failure = error
            progress.tell_how_to_go_on(failure, self._job.memory)
            failure.partial = self._written > 0
        except BaseException:
            output.leave(None)
            raise
        finally:
            self._progress.clear()
        failure = failure or self._unusable() or self._findings.failure()
        if failure is None:
            output.finish()
            self._doubt_keys()
        else:
            output.leave(failure)
        if self._findings.doubts:
            first, count = str(self._findings.doubtful[0]), self._findings.doubts
            self._conversation.warn(progress.doubt(first, count))
        return failure

    def _runtime(self) -> Runtime:
        if not self._is_short:
            return patient_means(self._services, self._conversation, self._invocation)
        form, how = self._services.format(self._invocation.template), self._conversation.how
        return self._services.runtime(form, self._invocation.model, self._conversation.budget, how.verbose)

    def _write(self, done: Done, output: Output) -> None:
        """Write a piece, as it was where it has no answer of use. Of a document that is one such piece
        nothing is written but the answer, beside a file."""
        self._last, text = done, done.text
        if self._unusable():
            text = done.reply.text if done.reply and isinstance(output, File) else ""
        output.write(text)
        self._written += len(text)
        if len(self._tail) < self._kept:
            self._tail += text[: self._kept - len(self._tail)]

    def _unusable(self) -> GptkitError | None:
        """What is wrong with the only answer of a document."""
        done = self._last
        return done.failure if done and done.how == "source" and self._findings.pieces == 1 else None

    def _doubt_keys(self) -> None:
        """A key that is misspelled looks like success."""
        keys = options_of(self._invocation.values).keys
        if keys and self._findings.counts["through"] == self._findings.pieces:
            listed = ", ".join(f"'{key}'" for key in keys)
            self._conversation.warn(f"--keys {listed}: no text matches in '{self._document.name}'")

    def _lacking(self, runtime: Runtime, pieces: Iterable[Piece]) -> Iterator[Lacking]:
        from gptkit.jobs.missing import lacking_pieces

        return lacking_pieces(pieces, self._job, runtime.format)

    def _count(self, done: Done) -> None:
        self._findings.add(done)
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
            is_prose = self._document.format.name in PROSE_FORMATS
            return Plain(terminal.write, ends_lines=self._is_short and is_prose)
        form = self._services.format(self._invocation.template)
        sink = answer.sink(terminal, how, form, self._services.settings.boolean("markdown"))
        return Shown(sink) if sink is not None else Collected()

    def _show(self, output: Output, outcome: Outcome) -> None:
        outcome = outcome._replace(json_fields=self._findings.listed)
        shown = not isinstance(output, Collected)
        answer.show(
            self._services.terminal, self._conversation.how, self._invocation, outcome, shown, self._facts
        )

    @property
    def _facts(self) -> answer.Facts:
        turn = self._turn if self._conversation.how.as_json else None
        session = self._conversation.store.session_of_turn(turn) if turn is not None else None
        return answer.Facts(*self._conversation.cost(), session.id if session else None)

    def _request(self) -> tuple[Invocation, ChatRequest]:
        """What the history keeps of the input."""
        if self._is_short:
            whole = self._invocation._replace(text=self._given.text, files=self._given.files)
            return whole, build_request(whole, self._services.format(whole.template))
        said = self._given.text or f"[{self._document.name}]"
        return self._invocation, ChatRequest(self._invocation.model, (Message("user", said),))

    def _reply(self, started: float, failure: GptkitError | None) -> Reply:
        budget: Budget = self._conversation.budget
        more = self._written - len(self._tail)
        last = self._last.reply if self._last and self._last.reply else Reply("", None)
        only = last if self._findings.pieces == 1 else Reply("", None)
        return only._replace(
            text=self._tail + (f"\n[... {more} characters more]" if more else ""),
            reason="stop" if failure is None else None,
            usage=progress.usage(budget.charges),
            model=only.model or self._invocation.model,
            attempts=budget.request_count,
            total=self._services.terminal.monotonic() - started,
        )
