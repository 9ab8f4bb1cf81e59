"""`--all`: goes through every passage, for questions that need all of them, and lists what is proved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from gptkit.capabilities.documents.answer import citation_json, not_found_text, sources_text
from gptkit.capabilities.documents.config import options_of
from gptkit.capabilities.documents.contract import ALL_RULES, SCHEMA, AnswerReader, request_of
from gptkit.capabilities.documents.input import no_documents
from gptkit.capabilities.documents.judge import FAILURES, is_yes, judge_request
from gptkit.capabilities.documents.judge import SCHEMA as JUDGE_SCHEMA
from gptkit.capabilities.documents.proof import Citation, Proof
from gptkit.capabilities.documents.retrieve import FoundPassage
from gptkit.capabilities.documents.search import Wish, document_search
from gptkit.capabilities.documents.statements import statements_of
from gptkit.core.chat import Reply
from gptkit.core.errors import (
    ConfigurationError,
    GptkitError,
    IncompleteError,
    NotFoundError,
    UsageError,
)
from gptkit.core.tokens import estimate_tokens
from gptkit.exchange.ask import request_answer
from gptkit.exchange.budget import prompt_tokens
from gptkit.exchange.invocation import Outcome, build_request
from gptkit.jobs import progress
from gptkit.jobs.consent import Consent
from gptkit.jobs.job import Job, answer_metadata
from gptkit.jobs.memory.store import memory_of
from gptkit.jobs.missing import MissingAnswer
from gptkit.jobs.options import JobOptions
from gptkit.jobs.progress import JobProgress, ProgressLine
from gptkit.jobs.request import request_key
from gptkit.jobs.setup import begin_conversation, patient_runtime
from gptkit.jobs.workers import WorkerPool
from gptkit.session import answer
from gptkit.session.clipboard import copy_answer
from gptkit.session.conversation import make_invocation
from gptkit.text.formats import plain_text
from gptkit.text.pieces import Piece, PieceAnswer

if TYPE_CHECKING:
    from gptkit.core.chat import ChatRequest
    from gptkit.exchange.invocation import Runtime
    from gptkit.session.call import Call

GROUP_TOKENS = 6000
"""Tokens of the passages of one request: as many as one answer can do justice to."""
ANSWER_RATIO = 0.1
"""About how many tokens all answers have for each token of the passages."""
NOT_TOGETHER = ("session", "continue", "response")


class _GroupAnswer(NamedTuple):
    """The reply about a group of passages, or why there is none."""

    reply: str = ""
    failure: GptkitError | None = None


def go_through_all(call: Call) -> int:
    """Ask about every passage; returns the exit code."""
    if name := call.shared.first_given(NOT_TOGETHER):
        raise UsageError(f"--{name} works for a single request, and --all takes several")
    job = _PassageJob(call)
    if call.shared.dry_run:
        call.services.terminal.print_sanitized(json.dumps(job.forecast(), ensure_ascii=False, indent=2))
        return 0
    failure = job.run()
    if failure is None:
        return 0
    call.services.terminal.report(failure, as_json=call.display.as_json)
    return failure.code


class _Finding(NamedTuple):
    """A statement that quotes prove."""

    text: str
    quotes: tuple[Citation, ...]


class _PassageJob:
    """All passages of the documents in groups, a request for each."""

    def __init__(self, call: Call) -> None:
        prompt_input = call.read_input()
        self._services, self._display = call.services, call.display
        self._conversation = begin_conversation(call.services, call.template, call.shared, is_map=False)
        self._invocation = make_invocation(
            call.services, call.template, prompt_input, self._conversation.shared, call.display
        )
        self._options = options_of(prompt_input.values)
        self._question = prompt_input.text
        self._search = document_search(call.services, not call.shared.no_log)
        wish = Wish(((self._question, 1.0),), call.template, prompt_input.values, self._invocation.model)
        if not self._search.has_documents(wish):
            raise no_documents()
        self._passages = self._search.find_all(wish).sent
        self._groups = list(_groups(self._passages))
        form = call.services.format(call.template)
        self._json_format = call.services.dry_runtime(form).json_format
        self._base = build_request(self._invocation, form)
        schema = self._json_format(SCHEMA).parameters
        self._requests = [request_of(self._base, group, schema, ALL_RULES) for group in self._groups]
        self._job = self._make_job()

    def forecast(self) -> dict[str, object]:
        """What `--dry-run` prints."""
        prices, model = self._services.prices, self._invocation.model
        asked = list(self._missing())
        tokens = sum(prompt_tokens(one.request()) for one in asked)
        answers = int(tokens * ANSWER_RATIO)
        return {
            "prompt": self._invocation.template.name,
            "url": self._services.url,
            "passages": len(self._passages),
            "requests": len(asked),
            "in_memory": len(self._groups) - len(asked),
            "estimate": {
                "prompt_tokens": tokens,
                "completion_tokens": answers,
                "cost": prices.cost(model, tokens, answers),
            },
        }

    def run(self) -> GptkitError | None:
        """Ask, prove and show; returns what is wrong with the result."""
        services, started = self._services, self._services.terminal.monotonic()
        record = self._conversation.make_record(self._invocation, self._requests[0], None, {"all": True})
        runtime = patient_runtime(services, self._conversation, self._invocation)
        with record:
            try:
                self._consent().check_answers(self._missing())
                outcome = self._outcome(list(self._answers(self._requests, runtime)), runtime)
            except GptkitError as error:
                progress.add_resume_hint(error, self._job.memory)
                raise
            finally:
                if self._job.memory is not None:
                    memory_of(services).close()
            budget = self._conversation.budget
            reply = outcome.reply._replace(
                usage=progress.total_usage(budget.charges),
                attempts=budget.request_count,
                total=services.terminal.monotonic() - started,
            )
            outcome = outcome._replace(reply=reply)
            record.finish(outcome)
        self._show(outcome)
        if outcome.failure is None:
            copy_answer(services, self._conversation.shared, outcome.answer)
        return outcome.failure

    def _make_job(self) -> Job:
        memory = None
        if self._conversation.is_recorded:
            with suppress(ConfigurationError):  # a user without a home has no place for one
                memory = memory_of(self._services)
        workers = self._options.jobs or self._services.settings.integer("jobs")
        return Job(self._invocation, plain_text(), memory, workers=workers)

    def _consent(self) -> Consent:
        options = JobOptions(yes=self._options.yes)
        return Consent(self._conversation, self._invocation.model, options, GROUP_TOKENS, None, ANSWER_RATIO)

    def _missing(self) -> Iterator[MissingAnswer]:
        for request in self._requests:
            key = request_key(self._job, request)
            if self._job.memory is None or self._job.memory.get(key) is None:
                text = request.messages[-1].content
                yield MissingAnswer(key, Piece(text, text), partial(_same, request))

    def _answers(self, requests: Sequence[ChatRequest], runtime: Runtime) -> Iterator[_GroupAnswer]:
        terminal_line = ProgressLine(self._services.terminal, self._display.quiet)
        pool = WorkerPool(self._answer, self._job.workers, runtime)
        try:
            for done, one in enumerate(pool.run(requests), 1):
                terminal_line.show(partial(self._job_progress, done, len(requests)))
                yield one
        finally:
            pool.close()
            terminal_line.clear()

    def _answer(self, request: ChatRequest, runtime: Runtime) -> _GroupAnswer:
        memory, key = self._job.memory, request_key(self._job, request)
        if memory is None:
            return self._ask(request, runtime)
        if stored := memory.get(key):
            return _GroupAnswer(stored.answer)
        with memory.claim(key, runtime.sleep):
            if stored := memory.get(key):
                return _GroupAnswer(stored.answer)
            found = self._ask(request, runtime)
            if found.failure is None:
                memory.put(
                    key, request.messages[-1].content, PieceAnswer(found.reply), answer_metadata(self._job)
                )
                runtime.answer_stored()
            return found

    def _ask(self, request: ChatRequest, runtime: Runtime) -> _GroupAnswer:
        try:
            outcome = request_answer(request, runtime, None, exact=True)
        except FAILURES as error:
            return _GroupAnswer(failure=error)
        return _GroupAnswer(outcome.reply.text, outcome.failure)

    def _outcome(self, answers: Sequence[_GroupAnswer], runtime: Runtime) -> Outcome:
        """The list of everything that is proved, in the order of the documents."""
        findings: list[_Finding] = []
        failed = unproved = 0
        for group, one in zip(self._groups, answers, strict=True):
            reader, proof = AnswerReader(), Proof(self._question, group)
            text = reader.feed(one.reply)
            rest, is_whole = reader.finish()
            failed += one.failure is not None or not is_whole
            for quote in reader.quotes or ():
                proof.add_quote(quote.passage, quote.text)
            for judged in map(proof.judged, statements_of(text + rest)):
                unproved += judged.status not in ("proved", "plain")
                if judged.status == "proved":
                    quotes = tuple(proof.cited(judged.citations))
                    findings.append(_Finding(judged.statement.content, quotes))
        unjudged = 0
        if self._options.judge:
            verdicts = self._verdicts(findings, runtime)
            unjudged, unproved = verdicts.count(None), unproved + verdicts.count(False)
            findings = [one for one, is_proved in zip(findings, verdicts, strict=True) if is_proved]
        failure = self._failure(bool(findings), failed, unproved, unjudged)
        return self._list(findings, failure)

    def _verdicts(self, findings: Sequence[_Finding], runtime: Runtime) -> list[bool | None]:
        """What the model says of each finding, whether its quotes prove it; None where it does not say."""
        form = self._json_format(JUDGE_SCHEMA).parameters
        requests = [judge_request(self._base, form, self._question, one.text, one.quotes) for one in findings]
        return [None if one.failure else is_yes(one.reply) for one in self._answers(requests, runtime)]

    def _list(self, findings: Sequence[_Finding], failure: GptkitError | None) -> Outcome:
        lines: list[str] = []
        cited: list[Citation] = []
        statements: list[dict[str, object]] = []
        for one in findings:
            numbers = list(range(len(cited) + 1, len(cited) + 1 + len(one.quotes)))
            cited += one.quotes
            lines.append(f"- {one.text}{''.join(f' [{number}]' for number in numbers)}")
            statements.append({"text": one.text, "citations": numbers, "status": "proved"})
        text = "\n".join(lines) + sources_text(cited) if lines else ""
        if isinstance(failure, NotFoundError):
            text = not_found_text(self._invocation)
        facts = {
            "statements": statements,
            "citations": [citation_json(number, one) for number, one in enumerate(cited, 1)],
            "found": bool(lines),
            "mode": "all",
            "retrieval": {"passages": len(self._passages), "sent": len(self._passages)},
        }
        return Outcome(Reply(text, "stop"), text, failure, json_fields=facts)

    def _failure(self, has_lines: bool, failed: int, unproved: int, unjudged: int) -> GptkitError | None:
        hint = "run the same command to try these again"
        if failed:
            return IncompleteError(f"{failed} of {len(self._groups)} parts have no whole answer", hint=hint)
        if unjudged:
            return IncompleteError(f"{_left_out(unjudged)} could not be judged", hint=hint)
        if not has_lines:
            return NotFoundError("not in the documents")
        if unproved:
            return IncompleteError(f"{_left_out(unproved)} not proved by the documents")
        return None

    def _show(self, outcome: Outcome) -> None:
        terminal = self._services.terminal
        facts = answer.AnswerFacts(*self._conversation.cost())
        is_shown = outcome.failure is not None and not self._display.needs_whole
        if is_shown and outcome.answer:
            terminal.print_sanitized(outcome.answer)
        answer.show_answer(terminal, self._display, self._invocation, outcome, is_shown, facts)
        self._conversation.warn(f"{len(self._passages)} of {len(self._passages)} passages read")

    def _job_progress(self, done: int, total: int) -> JobProgress:
        charges = self._conversation.budget.charges
        tokens = sum(one.prompt_tokens + one.completion_tokens for one in charges)
        cost = self._conversation.cost()[0] if charges else None
        return JobProgress(done, tokens, done / total, cost, total=total)


def _left_out(count: int) -> str:
    return "1 statement is left out:" if count == 1 else f"{count} statements are left out:"


def _same(request: ChatRequest) -> ChatRequest:
    return request


def _groups(passages: Sequence[FoundPassage]) -> Iterator[list[FoundPassage]]:
    """Consecutive passages that fit into one request. Some files begin a group by their content, so that a
    change of one file does not move the groups of all that follow."""
    group: list[FoundPassage] = []
    tokens = 0
    for one in passages:
        size = estimate_tokens(one.passage.text)
        is_file_begin = bool(group) and group[-1].name != one.name
        begins = is_file_begin and tokens > GROUP_TOKENS // 2 and int(one.sha256[:2] or "0", 16) % 4 == 0
        if group and (begins or tokens + size > GROUP_TOKENS):
            yield group
            group, tokens = [], 0
        group.append(one)
        tokens += size
    if group:
        yield group
