"""Run a request with tools: the calls of the model are checked, approved and done, until it answers."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gptkit.capabilities.tools.approval import approve
from gptkit.capabilities.tools.channel import (
    CallAsTextError,
    Channel,
    StepError,
    choose_channel,
    means_no_tools,
)
from gptkit.capabilities.tools.config import options_of
from gptkit.capabilities.tools.log import Place
from gptkit.capabilities.tools.model import (
    ASK_USER,
    RefusedCallError,
    RequestedCall,
    Result,
    ToolAction,
    Travel,
)
from gptkit.capabilities.tools.results import told_result
from gptkit.capabilities.tools.toolbox import Toolbox, toolbox_of
from gptkit.capabilities.tools.trust import config_of
from gptkit.core.chat import TOOLS, AnswerDelta, AnswerFormatError, Finished, Message, Reply
from gptkit.core.errors import (
    ActionFailedError,
    CannotWriteError,
    DataError,
    GptkitError,
    IncompleteError,
    NoInputError,
    NotApprovedError,
)
from gptkit.core.sanitize import one_line, visible
from gptkit.exchange.ask import combine_replies
from gptkit.exchange.invocation import Outcome, build_request
from gptkit.exchange.retry import send_with_retries

if TYPE_CHECKING:
    from gptkit.core.chat import ChatRequest, Sink
    from gptkit.exchange.invocation import Invocation, Runtime

READERS = 4
"""Reads that are done at once."""
QUESTIONS = 3
"""Questions of the model to the user in one run."""
REFUSALS = 3
"""Refused calls of one tool after which a run ends."""
READ_TWICE = 2
"""How often the same read is done; the same write is done once."""
REMEMBERED = 20
"""Actions that later turns of a conversation are told of."""
DONE = "What the program has done so far in this conversation:\n"


class CallRecord(NamedTuple):
    """A call and what came of it, for --json and for the end of the run."""

    round: int
    tool: str
    risk: str
    arguments: Mapping[str, object] | None
    does: str
    result: Result
    approved: str = ""

    @property
    def record(self) -> dict[str, object]:
        result = self.result
        return {
            "round": self.round,
            "tool": self.tool,
            "risk": self.risk or None,
            "arguments": self.arguments,
            "does": self.does or None,
            "outcome": result.ending,
            "status": result.status,
            "note": result.note or None,
            "seconds": round(result.seconds, 3),
            "bytes": result.size,
            "approved_by": self.approved or None,
        }


def run(invocation: Invocation, runtime: Runtime, sink: Sink | None) -> Outcome:
    """Ask the model and do what it calls, until it answers or a limit is reached."""
    toolbox = toolbox_of(runtime.stores)
    try:
        return _Run(invocation, runtime, sink, toolbox).run()
    except BaseException:
        toolbox.processes.stop()
        raise


class _Run:
    """One run: its messages, its calls so far, and what went wrong."""

    def __init__(self, invocation: Invocation, runtime: Runtime, sink: Sink | None, toolbox: Toolbox) -> None:
        self._invocation = invocation
        self._runtime = runtime
        self._sink = sink
        self._toolbox = toolbox
        self._options = options_of(invocation.values)
        self._base = self._first_request()
        self._channel = self._choose()
        self._has_switched = self._has_shown = False
        self._done: list[CallRecord] = []
        self._made: Counter[tuple[str, str]] = Counter()
        self._refused: Counter[str] = Counter()
        self._idle_rounds = 0
        self._questions = 0
        self._call_count = 0
        self._failure: GptkitError | None = None
        self._reply: Reply | None = None
        self._id = os.urandom(6).hex()
        self._printed: bytes | None = None

    def run(self) -> Outcome:
        number, limit = 0, self._options.rounds
        while True:
            number += 1
            if number > limit:
                if not self._wants_more():
                    return self._end("", IncompleteError(f"{limit} rounds are used up", hint=MORE_ROUNDS))
                limit += self._options.rounds
            try:
                outcome = self._request()
            except GptkitError as error:
                if not self._done:
                    raise
                return self._end("", error)
            reply = outcome.reply
            self._reply = combine_replies(self._reply, reply) if self._reply else reply
            if outcome.failure is not None:
                return self._end(reply.text, outcome.failure)
            try:
                ended = self._step(number, reply)
            except GptkitError as error:
                return self._end("", error)
            if ended is not None:
                return ended

    def _first_request(self) -> ChatRequest:
        """The request of the template, and what earlier turns of the conversation have done."""
        request = build_request(self._invocation, self._runtime.format)
        done = self._invocation.notes.get("done")
        if not isinstance(done, list) or not done:
            return request
        note = DONE + "\n".join(str(line) for line in done)
        first, *rest = request.messages
        if first.role == "system":
            return request._replace(messages=(Message("system", f"{first.content}\n\n{note}"), *rest))
        return request._replace(messages=(Message("system", note), first, *rest))

    def _choose(self, travel: Travel = "auto") -> Channel:
        toolbox, request = self._toolbox, self._base
        if travel == "auto":
            travel = config_of(self._invocation.template).calls
        if travel == "auto":
            travel = _travel(toolbox.services.settings.text("calls"))
        has_none = self._runtime.rejections.rejects(request.model, TOOLS, None)
        return choose_channel(travel, request.model, request.parameters, has_none)

    def _request(self) -> Outcome:
        """Send the messages so far; a server that takes no tools is asked once more in the other form."""
        request = self._channel.request(self._base, [*self._toolbox.tools.values()])
        is_shown = self._sink is not None and not self._options.print_
        sink = self._channel.sink(self._sink) if self._sink is not None and is_shown else None
        try:
            outcome = send_with_retries(request, self._runtime, sink)
        except GptkitError as error:
            if TOOLS not in request.parameters or not means_no_tools(error) or not self._switch():
                raise
            return self._request()
        self._has_shown = bool(getattr(sink, "has_shown", False))
        return outcome

    def _switch(self) -> bool:
        """Change to the structured form, once; the model is known to have no tools from now on."""
        is_forced = config_of(self._invocation.template).calls == "tools"
        if self._has_switched or is_forced or self._toolbox.services.settings.text("calls") == "tools":
            return False
        self._has_switched = True
        self._channel = self._choose("structured")
        self._runtime.rejections.add(self._base.model, TOOLS)
        self._runtime.notice(f"'{self._base.model}' takes no tools; asked for structured steps")
        return True

    def _step(self, number: int, reply: Reply) -> Outcome | None:
        """Do what a reply asks for; returns the outcome if the run is over."""
        try:
            step = self._channel.read(reply)
        except CallAsTextError:
            if self._switch():
                return None
            hint = "set 'calls: structured' under 'tools' for this model"
            raise IncompleteError("the model wrote a call as text; nothing was run", hint=hint) from None
        except StepError as error:
            return self._correct(reply, f"That cannot be used: {error.problem}.")
        if step.text is not None:
            return self._answer(reply, step.text)
        results = self._round(number, step.calls)
        told = [(call, told_result(result, self._toolbox.terminal.redactor)) for call, result in results]
        self._extend(self._channel.messages(reply, told))
        self._check_progress([result for _, result in results])
        return None

    def _extend(self, messages: Sequence[Message]) -> None:
        self._base = self._base._replace(messages=(*self._base.messages, *messages))

    def _correct(self, reply: Reply, complaint: str) -> Outcome | None:
        """Ask again after an answer that cannot be used, unless it was shown or is the second in a row."""
        self._idle_rounds += 1
        if self._has_shown or self._idle_rounds > 1:
            raise IncompleteError(f"no usable answer: '{one_line(reply.text, 200)}'; nothing was run by it")
        self._extend((Message("assistant", reply.text), Message("user", complaint)))
        return None

    def _check_progress(self, results: Sequence[Result]) -> None:
        """Raise IncompleteError for a run in which the model does nothing but repeat refused calls."""
        self._idle_rounds = self._idle_rounds + 1 if all(r.ending == "refused" for r in results) else 0
        if self._idle_rounds > 1:
            raise IncompleteError("the model repeats calls that are refused; nothing more was done")
        if worn := [tool for tool, count in self._refused.items() if count >= REFUSALS]:
            raise IncompleteError(f"'{one_line(worn[0], 80)}' was called wrongly {REFUSALS} times")

    def _round(self, number: int, calls: Sequence[RequestedCall]) -> list[tuple[RequestedCall, Result]]:
        """Check, approve and do the calls of one reply. Raises NotApprovedError before anything is done."""
        answers: dict[int, Result] = {}
        actions: dict[int, ToolAction] = {}
        for index, call in enumerate(calls):
            try:
                if call.tool == ASK_USER:
                    answers[index] = self._ask_user(call)
                else:
                    actions[index] = self._checked(call)
            except RefusedCallError as error:
                self._refused[call.tool] += 1
                answers[index] = Result("refused", note=f"not done: {error}")
        results = {**answers, **self._perform(number, actions)}
        for index, call in enumerate(calls):
            if call.tool != ASK_USER and index in answers:
                self._note(CallRecord(number, call.tool, "", call.arguments, "", answers[index]))
        return [(call, results[index]) for index, call in enumerate(calls)]

    def _checked(self, call: RequestedCall) -> ToolAction:
        """The action of a call, unless a limit is reached or the call repeats another."""
        self._call_count += 1
        if self._call_count > self._options.calls:
            raise RefusedCallError(f"the {self._options.calls} calls of this run are used up")
        action = self._toolbox.action(call)
        tool = action.tool
        if self._made[action.key] >= (READ_TWICE if tool.risk == "read" else 1):
            raise RefusedCallError("this was done already: use the result above")
        made = sum(count for (name, _), count in self._made.items() if name == tool.name)
        if tool.most is not None and made >= tool.most:
            raise RefusedCallError(f"'{tool.name}' may be called {tool.most} times in a run")
        self._made[action.key] += 1
        return action

    def _ask_user(self, call: RequestedCall) -> Result:
        """Ask the user for the model, or end the run with the question where nobody is."""
        question = call.arguments.get("question") if call.arguments else None
        if not isinstance(question, str) or not question.strip():
            raise RefusedCallError("a question is missing")
        self._questions += 1
        if self._questions > QUESTIONS:
            raise RefusedCallError(f"{QUESTIONS} questions were asked; answer with what is known")
        choices = call.arguments.get("choices") if call.arguments else None
        listed = [str(one) for one in choices] if isinstance(choices, list) else []
        shown = visible(question) + (f" ({visible(', '.join(listed))})" if listed else "")
        typed = self._toolbox.ask(f"The model asks: {shown}\n> ")
        if typed is None:
            raise _QuestionError(question.strip(), listed)
        return Result("ok", typed.encode("utf-8", "replace"), note="the user typed this; it approves nothing")

    def _perform(self, number: int, actions: Mapping[int, ToolAction]) -> dict[int, Result]:
        """Do the approved actions: reads at once, then the rest in order up to the first failure."""
        approved = approve([*actions.values()], self._toolbox.grants, self._toolbox.ask)
        results: dict[int, Result] = {}
        reads: dict[int, tuple[ToolAction, str]] = {}
        writes: dict[int, tuple[ToolAction, str]] = {}
        for (index, action), reason in zip(actions.items(), approved, strict=True):
            if not reason:
                results[index] = Result("not approved", note="not done: the user refused this")
                self._failure = self._failure or NotApprovedError(
                    f"not approved: {one_line(action.does, 200)}"
                )
            else:
                (reads if action.tool.risk == "read" else writes)[index] = (action, reason)
        if actions and not reads and not writes:
            raise self._failure or NotApprovedError("not approved")
        results |= self._do_reads(number, reads)
        has_failed = False
        for index, (action, reason) in writes.items():
            if has_failed:
                results[index] = Result("not done", note="not done: the action before it failed")
            else:
                results[index] = self._do(number, action, reason)
                has_failed = results[index].ending != "ok"
        for index, (action, reason) in (reads | writes).items():
            self._told(number, action, reason, results[index])
        return results

    def _do_reads(self, number: int, reads: Mapping[int, tuple[ToolAction, str]]) -> dict[int, Result]:
        if len(reads) < 2:
            return {index: self._do(number, *read) for index, read in reads.items()}
        from concurrent.futures import ThreadPoolExecutor

        pool = ThreadPoolExecutor(READERS)
        try:
            futures = {index: pool.submit(self._do, number, *read) for index, read in reads.items()}
            return {index: future.result() for index, future in futures.items()}
        except BaseException:
            self._toolbox.processes.stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _do(self, number: int, action: ToolAction, reason: str) -> Result:
        """Do one action between the two halves of its row in the log."""
        log, row = self._toolbox.log, None
        try:
            row = log.begin(action, reason, Place(self._id, number))
        except GptkitError as error:
            if action.tool.risk != "read":
                raise CannotWriteError(
                    f"the log of actions cannot be written, so nothing was changed: {error.message}"
                ) from None
            self._runtime.warn(f"the log of actions is not written: {error.message}")
        result = self._toolbox.act(action)
        if row is not None:
            try:
                log.end(row, result)
            except GptkitError as error:
                self._runtime.warn(f"the log of actions is not written: {error.message}")
        return result

    def _told(self, number: int, action: ToolAction, reason: str, result: Result) -> None:
        """Tell the user what was done, and keep it for the end of the run."""
        tool = action.tool
        if tool.name == self._options.print_ and result.ending == "ok":
            self._printed = result.output
        word = "read" if tool.risk == "read" and result.ending == "ok" else result.ending
        note = f" ({result.note})" if result.note else ""
        self._runtime.warn(f"{word} {action.does}{note}")
        if tool.risk != "read" and result.ending in ("failed", "unknown"):
            cause = f"{one_line(action.does, 200)}: {result.note or 'it failed'}"
            errors = one_line(result.errors, 300)
            self._failure = ActionFailedError(f"{cause}: '{errors}'" if errors else cause)
        self._note(CallRecord(number, tool.name, tool.risk, action.arguments, action.does, result, reason))

    def _note(self, done: CallRecord) -> None:
        self._done.append(done._replace(result=done.result._replace(output=b"", errors="")))

    def _wants_more(self) -> bool:
        answer = self._toolbox.ask(f"Go on for {self._options.rounds} more rounds? [y/N] ")
        return answer is not None and answer.strip().lower() in ("y", "yes", "是", "确认")

    def _answer(self, reply: Reply, text: str) -> Outcome | None:
        """End the run with the answer in the format of the prompt; ask again if it does not have it."""
        if self._invocation.exact:
            return self._end(text, None)
        try:
            answer = self._runtime.format.finish(text)
        except AnswerFormatError as defect:
            if defect.again and not self._has_shown and not self._idle_rounds:
                return self._correct(reply, f"That answer cannot be used: {defect.problem}. Give it again.")
            failure = defect.failure
            if not isinstance(failure, GptkitError):
                raise failure from None
            return self._end(text, failure)
        return self._end(answer, None)

    def _end(self, text: str, failure: GptkitError | None) -> Outcome:
        """The outcome of the run; the failures that weigh most win: 84, 83, then all others."""
        failure = self._weightiest(failure)
        reply = self._reply or Reply("", None)
        question = failure.question if isinstance(failure, _QuestionError) else None
        if question is not None:
            text = question
        fields: dict[str, object] = {"calls": [done.record for done in self._done], "question": question}
        if isinstance(failure, _QuestionError):
            fields["choices"] = failure.choices
        self._tell_nothing_done(failure)
        lines = [f"{d.does}: {d.result.ending}" for d in self._done if d.does]
        before = self._invocation.notes.get("done")
        kept = [*(before if isinstance(before, list) else []), *lines][-REMEMBERED:]
        notes = {**self._invocation.notes, **({"done": kept} if kept else {})}
        if failure is not None:
            failure.partial = bool(text)
            failure.attempts = reply.attempts
        if self._options.print_ and failure is None:
            text = self._print_output()
        elif self._sink is not None and failure is None:
            self._show(self._sink, text)
        return Outcome(reply._replace(text=text), text, failure, notes, fields)

    def _weightiest(self, failure: GptkitError | None) -> GptkitError | None:
        succeeded = {done.tool for done in self._done if done.result.ending == "ok"}
        missing = [name for name in self._options.expect if name not in succeeded]
        if missing and failure is None and self._failure is None:
            return ActionFailedError(f"'{missing[0]}' was expected to run and succeed, and it did not")
        if isinstance(self._failure, ActionFailedError) or failure is None:
            return self._failure or failure
        if isinstance(self._failure, NotApprovedError) and not isinstance(failure, CannotWriteError):
            return self._failure
        return failure

    def _tell_nothing_done(self, failure: GptkitError | None) -> None:
        """The model's words are no proof: say it where nothing was changed."""
        ran = [done for done in self._done if done.result.ending in ("ok", "failed", "unknown")]
        if failure is None and not ran:
            self._runtime.warn("nothing was done")
        elif failure is None and all(done.risk == "read" for done in ran):
            self._runtime.warn("nothing was changed")

    def _show(self, sink: Sink, text: str) -> None:
        if not self._has_shown:
            sink(AnswerDelta(text))
        sink(Finished("stop"))

    def _print_output(self) -> str:
        """Write the output of the tool of --print byte for byte where a sink stands open, else return it."""
        output = self._printed
        if output is None:
            raise ActionFailedError(f"'{self._options.print_}' did not run, so there is no output to print")
        try:
            text = output.decode()
        except UnicodeDecodeError:
            text = output.decode("utf-8", "replace")
            if self._sink is None:
                raise DataError("the output is no text", hint="print it into a pipe, without -o") from None
        terminal = self._toolbox.terminal
        if self._sink is not None and terminal.stdout_is_terminal:
            terminal.print_sanitized(text.removesuffix("\n"))
        elif self._sink is not None:
            terminal.write_bytes(output)
        return text


MORE_ROUNDS = "--rounds N allows more; -s NAME goes on with the conversation"


class _QuestionError(NoInputError):
    """Something is missing, and nobody can be asked for it."""

    def __init__(self, question: str, choices: Sequence[str]) -> None:
        super().__init__(
            f"something is missing: '{one_line(question, 300)}'",
            hint="with -s NAME the conversation is kept, and its next words are the answer",
        )
        self.question = question
        self.choices = [*choices]


def _travel(word: str) -> Travel:
    return "tools" if word == "tools" else "structured" if word == "structured" else "auto"
