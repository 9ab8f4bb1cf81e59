"""Sends a request to the provider, and alone decides whether the request is sent again."""

from __future__ import annotations

from collections.abc import Callable, Generator

from gptkit.core.chat import (
    TOOLS,
    AnswerDelta,
    ChatRequest,
    Event,
    Finished,
    Provider,
    ReasoningDelta,
    RefusalDelta,
    Reply,
    SelectiveSink,
    Sink,
    ToolCall,
)
from gptkit.core.errors import (
    BudgetError,
    CutAtLimitError,
    GptkitError,
    IncompleteError,
    ProtocolError,
    RefusedError,
    TryAgainError,
)
from gptkit.core.sanitize import one_line
from gptkit.exchange.adaptation import Adaptation
from gptkit.exchange.budget import Reservation, SentRequest
from gptkit.exchange.invocation import AnswerCheck, Outcome, Runtime


def reply_failure(reply: Reply, offers_tools: bool = False) -> GptkitError | None:
    """Return why a reply is no whole answer; None if the server says that the answer is whole.

    Calls of tools are a whole answer where the request offers tools; some servers end such an answer with
    `stop`.
    """
    if reply.reason == "stop" and reply.text.strip() and not reply.refusal:
        return None
    if offers_tools and reply.calls and reply.reason in ("stop", "tool_calls") and not reply.refusal:
        return None
    failure = _failure(reply, bool(reply.text), offers_tools)
    failure.request_id = reply.request_id
    failure.partial = bool(reply.text)
    return failure


def _failure(reply: Reply, partial: bool, offers_tools: bool) -> GptkitError:
    if reply.refusal:
        return RefusedError(f"the model refused: '{one_line(reply.refusal, 800)}'")
    match reply.reason:
        case "stop":
            return ProtocolError("empty answer", tries=2)
        case None if partial:
            return IncompleteError("answer cut short: the server never said that it is whole", tries=2)
        case None:
            return TryAgainError("no answer: the server ended the stream at once", tries=4)
        case "length":
            return CutAtLimitError(
                "answer cut at the token limit"
                if partial
                else "the token limit was reached before any answer",
                hint="raise --max-tokens, or choose a model with a larger limit",
            )
        case "content_filter":
            return RefusedError("the provider's content filter stopped the answer")
        case "tool_calls" if offers_tools:
            return ProtocolError("the model called a tool, but the answer holds no call", tries=2)
        case "tool_calls" | "function_call":
            return ProtocolError("the model called a tool that was not offered")
        case "error" if not partial:
            return TryAgainError("the server stopped with an error", tries=4)
        case "error":
            return IncompleteError("answer cut short: the server stopped with an error", tries=4)
        case reason:
            return IncompleteError(f"answer may not be whole: finish reason '{one_line(reason, 100)}'")


FIRST_PAUSE = 0.5
"""Seconds at most before the second try; each later pause may be twice as long."""
LONGEST_PAUSE = 20.0
"""Seconds."""


def send_with_retries(
    request: ChatRequest, runtime: Runtime, sink: Sink | None, purpose: str = "answer"
) -> Outcome:
    """Send a request until its answer is whole or no further try is allowed.

    The user has seen text that went to a sink, so the request is not sent again after such text, unless the
    sink has shown nothing of it. Without a sink an incomplete answer is asked for again. A failure before any
    text is raised. A failure after some text is returned in the outcome, with the longest text of all tries.
    """
    adaptation = Adaptation(request, runtime)
    loop = _RetryLoop(runtime, purpose, adaptation)
    request = adaptation.first_request()
    reserved = runtime.budget.reserve(request)
    while True:
        reply, failure = loop.attempt(request, sink, reserved)
        if failure is None:
            return Outcome(reply, reply.text, answers=loop.answers)
        adjusted = None if reply.text else loop.adjust(request, failure)
        seen = bool(reply.text) and sink is not None
        if seen and isinstance(sink, SelectiveSink):
            seen = not sink.restart()
        pause = 0.0 if adjusted else None if seen else loop.next_pause(failure)
        if pause is None:
            return loop.finish(failure)
        try:
            reserved = runtime.budget.reserve(adjusted or request, 2 if failure.billed else 1)
        except BudgetError as over:
            over.message += f"; the last request failed: {failure.message}"
            return loop.finish(over)
        if adjusted:
            request = adjusted
        else:
            loop.wait(failure, pause)


class _RetryLoop:
    """The tries of one request so far, and what they allow next."""

    def __init__(self, runtime: Runtime, purpose: str, adaptation: Adaptation) -> None:
        self._runtime = runtime
        self._adaptation = adaptation
        self._purpose = purpose
        self._started = runtime.now()
        self._sent = 0
        self.answers = 0
        """Responses that were an answer, or part of one."""
        self._tries = 0
        self._waited = 0.0
        self._best: Outcome | None = None

    def attempt(
        self, request: ChatRequest, sink: Sink | None, reserved: Reservation
    ) -> tuple[Reply, GptkitError | None]:
        """Send the request once, and charge it.

        What the server rejected is remembered once an answer comes without that.
        """
        self._sent += 1
        self._tries += 1
        builder = _ReplyBuilder(self._runtime.now, self._started, self._sent)
        budget, doubtful = self._runtime.budget, True
        sent = SentRequest(request, reserved, budget.clock(), self._purpose)
        budget.begin(sent)
        check = self._runtime.start_check(request, self._runtime)
        feed = AnswerCheck().feed if self._runtime.accepts else check.feed
        try:
            failure = _send(request, self._runtime.provider, (builder.add, sink, feed))
            doubtful = failure is not None and failure.billed
        finally:  # a request that a signal ends is billed as well
            reply = builder.reply()
            budget.charge(sent, reply, doubtful)
        failure = failure or reply_failure(reply, TOOLS in request.parameters)
        self.answers += bool(reply.text or reply.calls) or not isinstance(failure, TryAgainError)
        if failure is None or reply.text:
            self._adaptation.remember()
        if failure is not None and len(reply.text) > len(self._best.answer if self._best else ""):
            self._best = Outcome(reply, reply.text, failure)
        return reply, failure

    def adjust(self, request: ChatRequest, failure: GptkitError) -> ChatRequest | None:
        """Return the request without what the server rejects; None if `failure` names nothing of the kind."""
        changed = self._adaptation.next_request(request, failure) if failure.parameter else None
        if changed is not None:
            self._tries -= 1
        return changed

    def next_pause(self, failure: GptkitError) -> float | None:
        """Seconds until the next try, at least as many as the server asks for; None for no further try."""
        policy, most_answers = self._runtime.policy, self._runtime.most_answers
        if most_answers is not None and self.answers >= most_answers:
            return None
        if self._tries >= min(failure.tries, policy.attempts):
            return None
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (self._tries - 1))
        pause = max(self._runtime.random() * longest, failure.wait or 0.0)
        if self._waited + pause <= policy.wait:
            return pause
        if failure.wait:
            failure.message += f"; the server asks to wait {failure.wait:.0f} s"
        return None

    def wait(self, failure: GptkitError, pause: float) -> None:
        twice = ", counted twice" if failure.billed else ""
        self._runtime.notice(f"{failure.message}; next try in {pause:.1f} s{twice}")
        tries = f"{self._tries + 1} of {min(failure.tries, self._runtime.policy.attempts)}"
        self._runtime.announce_pause(failure.message, pause, tries)
        self._runtime.sleep(pause)
        self._waited += pause

    def finish(self, failure: GptkitError) -> Outcome:
        """Return the longest text of all tries with its failure; raise `failure` if no text came."""
        best = self._best
        if best is not None and best.failure is not None and not isinstance(failure, BudgetError):
            failure = best.failure
        failure.attempts = self._sent
        if best is None:
            raise failure
        failure.partial = True
        return Outcome(best.reply._replace(attempts=self._sent), best.answer, failure, answers=self.answers)


Listeners = tuple[Callable[[Event], None], Sink | None, Callable[[str], GptkitError | None]]
"""What takes the events of an answer, in this order: a reply, a sink, the check of the text."""


def _send(request: ChatRequest, provider: Provider, listeners: Listeners) -> GptkitError | None:
    """Send a request once; return a failure of the provider or the check, raise an error of the sink."""
    add, sink, feed = listeners
    try:
        events = provider(request)
    except GptkitError as error:
        return error
    try:
        while True:
            try:
                event = next(events)
            except StopIteration:
                return None
            except GptkitError as error:
                return error.with_traceback(None)  # the frames of a traceback keep all events in memory
            add(event)
            if sink is not None:
                sink(event)
            if isinstance(event, AnswerDelta) and (wrong := feed(event.text)):
                return wrong
    finally:
        if isinstance(events, Generator):
            events.close()


class _ReplyBuilder:
    """Collects the events of one try into a reply."""

    def __init__(self, now: Callable[[], float], started: float, attempt: int) -> None:
        self._now = now
        self._started = started
        self._attempt = attempt
        self._first: float | None = None
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[ToolCall] = []
        self._end: Finished | None = None

    def add(self, event: Event) -> None:
        match event:
            case AnswerDelta(text):
                if self._first is None and text:
                    self._first = self._now() - self._started
                self._text.append(text)
            case ReasoningDelta(text):
                self._reasoning.append(text)
            case RefusalDelta(text):
                self._refusal.append(text)
            case ToolCall():
                self._calls.append(event)
            case Finished():
                self._end = event

    def reply(self) -> Reply:
        end = self._end or Finished(None)
        return Reply(
            text="".join(self._text),
            reason=end.reason,
            refusal="".join(self._refusal),
            reasoning="".join(self._reasoning),
            usage=end.usage,
            model=end.model,
            request_id=end.request_id,
            response=end.response,
            calls=tuple(self._calls),
            attempts=self._attempt,
            first=self._first,
            total=self._now() - self._started,
        )
