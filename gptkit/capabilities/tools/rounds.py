"""Run a request with tools: the calls of the model are checked, approved and done, until it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.capabilities.tools.channel import (
    CallAsTextError,
    StepError,
    StructuredChannel,
    ToolsChannel,
    choose_channel,
    means_no_tools,
)
from gptkit.capabilities.tools.config import options_of
from gptkit.capabilities.tools.model import Result, Travel
from gptkit.capabilities.tools.toolbox import Toolbox, toolbox_of
from gptkit.capabilities.tools.trust import config_of
from gptkit.core.chat import TOOLS, AnswerDelta, AnswerFormatError, Finished, Message, Reply
from gptkit.core.errors import (
    ActionFailedError,
    CannotWriteError,
    DataError,
    GptkitError,
    IncompleteError,
    TryAgainError,
)
from gptkit.core.files import write_atomic
from gptkit.core.sanitize import one_line
from gptkit.core.tokens import estimate_tokens
from gptkit.exchange.ask import combine_replies
from gptkit.exchange.invocation import Outcome, build_request
from gptkit.exchange.retry import send_with_retries

if TYPE_CHECKING:
    from gptkit.capabilities.tools.perform import CallPerformer
    from gptkit.core.chat import ChatRequest, Sink
    from gptkit.exchange.invocation import Invocation, Runtime

REFUSALS = 3
"""Refused calls of one tool after which a run ends."""
BYTES_OF_TOKEN = 3
"""Bytes of an output that a token has at least, in most scripts."""
REMEMBERED = 20
"""Actions that later turns of a conversation are told of."""
DONE = "What the program has done so far in this conversation:\n"


def run(invocation: Invocation, runtime: Runtime, sink: Sink | None) -> Outcome:
    """Ask the model and do what it calls, until it answers or a limit is reached."""
    toolbox = toolbox_of(runtime.stores)
    toolbox.processes.begin()
    toolbox.services.after_sending.append(toolbox.start_servers)
    try:
        return _ToolRun(invocation, runtime, sink, toolbox).run()
    except BaseException:
        toolbox.processes.stop()
        raise
    finally:
        toolbox.services.after_sending.clear()
        toolbox.close()


class _ToolRun:
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
        self._idle_rounds = self._output_tokens = 0
        self._reply: Reply | None = None

    @cached_property
    def _performer(self) -> CallPerformer:
        from gptkit.capabilities.tools.perform import CallPerformer

        return CallPerformer(self._toolbox, self._options, self._runtime.warn)

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
                if not self._performer.records:
                    raise
                return self._end("", error)
            reply = outcome.reply
            self._reply = combine_replies(self._reply, reply) if self._reply else reply
            if outcome.failure is not None:
                text = self._channel.cut_text(reply)
                self._show(text)
                return self._end(text, outcome.failure)
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

    def _choose(self, travel: Travel = "auto") -> ToolsChannel | StructuredChannel:
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
        options = self._options
        is_silent = self._sink is None or options.print_ or options.plan or options.expect
        sink = None if self._sink is None or is_silent else self._channel.sink(self._sink)
        try:
            outcome = send_with_retries(request, self._runtime, sink)
        except GptkitError as error:
            if TOOLS not in request.parameters or not means_no_tools(error) or not self._switch():
                raise
            return self._request()
        self._has_shown = sink is not None and sink.has_shown
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
        results = self._performer.perform(number, step.calls)
        self._extend(self._channel.messages(reply, [(call, self._told(result)) for call, result in results]))
        self._check_progress([result for _, result in results])
        return None

    def _told(self, result: Result) -> str:
        """What the model is told of a call; the outputs of a run may fill a quarter of the model's window."""
        from gptkit.capabilities.tools.results import LEAST_SHOWN, SHOWN, told_result

        shown = min(SHOWN, len(result.output))
        wanted = self._output_tokens + shown // BYTES_OF_TOKEN
        window = self._toolbox.services.context_window(self._base.model, wanted * 4)
        if window is not None and wanted > window // 4:
            shown = max(LEAST_SHOWN, (window // 4 - self._output_tokens) * BYTES_OF_TOKEN)
        text = told_result(result, self._toolbox.terminal.redactor, shown)
        self._output_tokens += estimate_tokens(text)
        return text

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
        if worn := [tool for tool, count in self._performer.refused.items() if count >= REFUSALS]:
            raise IncompleteError(f"'{one_line(worn[0], 80)}' was called wrongly {REFUSALS} times")

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
        from gptkit.capabilities.tools.perform import QuestionError

        performer, options = self._performer, self._options
        failure = self._weightiest(failure)
        # A script that tries again would do it a second time.
        if isinstance(failure, TryAgainError) and performer.made_risks - {"read"}:
            failure = IncompleteError(f"{failure.message}; what was done before stays done")
        reply = self._reply or Reply("", None)
        fields: dict[str, object] = {"calls": [call.record for call in performer.records], "question": None}
        if isinstance(failure, QuestionError):
            text = failure.question
            fields |= {"question": text, "choices": failure.choices}
        if failure is not None:
            failure.partial = bool(text)
        elif options.plan:
            text, fields["plan"] = self._write_plan()
            self._write(text.encode())
        elif options.print_:
            text = self._write(performer.printed(options.print_))
        else:
            self._tell_nothing_done()
            self._show(text)
            if self._sink is not None:
                self._sink(Finished("stop"))
        reply = reply._replace(text=text)
        return Outcome(reply, text, failure, self._notes(), fields)

    def _notes(self) -> Mapping[str, object]:
        """What later turns of the conversation are told of, stored with the turn."""
        before = self._invocation.notes.get("done")
        lines = [f"{call.does}: {call.result.ending}" for call in self._performer.records if call.does]
        done = [*(before if isinstance(before, list) else []), *lines][-REMEMBERED:]
        return {**self._invocation.notes, **({"done": done} if done else {})}

    def _weightiest(self, failure: GptkitError | None) -> GptkitError | None:
        own = self._performer.failure
        if failure is None and own is None:
            return self._performer.unmet_expectation()
        if failure is None or isinstance(own, ActionFailedError):
            return own or failure
        return own if own is not None and not isinstance(failure, CannotWriteError) else failure

    def _tell_nothing_done(self) -> None:
        """Say where nothing was changed: the model's words are no proof."""
        if not self._performer.made_risks:
            self._runtime.warn("nothing was done")
        elif self._performer.made_risks == {"read"}:
            self._runtime.warn("nothing was changed")

    def _show(self, text: str) -> None:
        is_replaced = self._options.print_ or self._options.plan
        if self._sink is not None and text and not self._has_shown and not is_replaced:
            self._sink(AnswerDelta(text))

    def _write_plan(self) -> tuple[str, Mapping[str, object]]:
        """Write the plan of the run; returns what is printed of it, and what --json says."""
        from gptkit.capabilities.tools import plan

        name = self._options.plan
        words = self._invocation.request or self._invocation.text
        made = plan.make_plan(words, self._toolbox.files, self._performer.records, self._performer.planned)
        file, command = name if name != DASH else "FILE", self._invocation.template.name
        text = plan.plan_text(made, file, command)
        record = {"file": name, "hash": made.hash, "steps": [*made.steps]}
        if name == DASH:
            return text, record
        write_atomic(Path(name), text.encode())
        return f"{made.summary} in {name}, hash {made.hash[:16]}\n", record

    def _write(self, output: bytes) -> str:
        """Write bytes in place of an answer where a sink stands open; returns them as text."""
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


DASH = "-"
"""In place of the file of a plan: standard output."""
MORE_ROUNDS = "--rounds N allows more; -s NAME goes on with the conversation"


def _travel(word: str) -> Travel:
    return "tools" if word == "tools" else "structured" if word == "structured" else "auto"
