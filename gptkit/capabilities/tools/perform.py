"""Check, approve, do and record the calls of one run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gptkit.capabilities.tools.approval import approve
from gptkit.capabilities.tools.model import ASK_USER, RefusedCallError, RequestedCall, Result, ToolAction
from gptkit.core.errors import (
    ActionFailedError,
    CannotWriteError,
    GptkitError,
    NoInputError,
    NotApprovedError,
)
from gptkit.core.sanitize import one_line, visible
from gptkit.core.streams import PASTE_BEGIN, PASTE_END

if TYPE_CHECKING:
    from gptkit.capabilities.tools.config import ToolsOptions
    from gptkit.capabilities.tools.toolbox import Toolbox

RAN = ("ok", "failed", "unknown")
"""Endings of calls that were made."""
READERS = 4
"""Reads that are done at once."""
QUESTIONS = 3
"""Questions of the model to the user in one run."""
READ_TWICE = 2
"""How often the same read is done; the same write is done once."""


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


class QuestionError(NoInputError):
    """Something is missing, and nobody can be asked for it."""

    def __init__(self, question: str, choices: Sequence[str]) -> None:
        super().__init__(
            f"something is missing: '{one_line(question, 300)}'",
            hint="with -s NAME the conversation is kept, and its next words are the answer",
        )
        self.question = question
        self.choices = [*choices]


class CallPerformer:
    """The calls of one run so far, and what may still be done."""

    def __init__(self, toolbox: Toolbox, options: ToolsOptions, warn: Callable[[str], None]) -> None:
        self.records: list[CallRecord] = []
        self.planned: list[ToolAction] = []
        """What was decided on and noted for the plan."""
        self.refused: Counter[str] = Counter()
        """Refused calls by tool."""
        self.failure: GptkitError | None = None
        """That of an approved action, or that the user refused one."""
        self._toolbox = toolbox
        self._options = options
        self._warn = warn
        self._made: Counter[tuple[str, str]] = Counter()
        self._questions = 0
        self._call_count = 0
        self._run = os.urandom(6).hex()
        self._printed: bytes | None = None

    def printed(self, tool: str) -> bytes:
        """The output of the tool of --print. Raises ActionFailedError if the tool did not run."""
        if self._printed is None:
            raise ActionFailedError(f"'{tool}' did not run, so there is no output to print")
        return self._printed

    @property
    def made_risks(self) -> frozenset[str]:
        """The classes of risk of the calls that were made."""
        return frozenset(record.risk for record in self.records if record.result.ending in RAN)

    def unmet_expectation(self) -> GptkitError | None:
        """The failure for a tool of --expect that did not run and succeed."""
        succeeded = {record.tool for record in self.records if record.result.ending in ("ok", "planned")}
        missing = [name for name in self._options.expect if name not in succeeded]
        if not missing:
            return None
        return ActionFailedError(f"'{missing[0]}' was expected to run and succeed, and it did not")

    def perform(self, number: int, calls: Sequence[RequestedCall]) -> list[tuple[RequestedCall, Result]]:
        """Check, approve and do the calls of one reply. Raises NotApprovedError before anything is done."""
        self._toolbox.verify()
        answers: dict[int, Result] = {}
        actions: dict[int, ToolAction] = {}
        for index, call in enumerate(calls):
            try:
                if call.tool == ASK_USER:
                    answers[index] = self._ask_user(call)
                else:
                    actions[index] = self._checked(call)
            except RefusedCallError as error:
                self.refused[call.tool] += 1
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
        listed = [str(choice) for choice in choices] if isinstance(choices, list) else []
        shown = visible(question) + (f" ({visible(', '.join(listed))})" if listed else "")
        typed = self._toolbox.ask(f"The model asks: {shown}\n> ")
        if typed is None:
            raise QuestionError(question.strip(), listed)
        typed = typed.replace(PASTE_BEGIN, "").replace(PASTE_END, "")
        return Result("ok", typed.encode("utf-8", "replace"), note="the user typed this; it approves nothing")

    def _perform(self, number: int, actions: Mapping[int, ToolAction]) -> dict[int, Result]:
        """Do the approved actions: reads at once, then the rest in order up to the first failure."""
        results = self._plan(number, actions) if self._options.plan else {}
        actions = {index: action for index, action in actions.items() if index not in results}
        approved = approve([*actions.values()], self._toolbox.grants, self._toolbox.ask)
        reads: dict[int, tuple[ToolAction, str]] = {}
        writes: dict[int, tuple[ToolAction, str]] = {}
        for (index, action), reason in zip(actions.items(), approved, strict=True):
            if not reason:
                results[index] = Result("not approved", note="not done: the user refused this")
                self.failure = self.failure or NotApprovedError(f"not approved: {one_line(action.does, 200)}")
            else:
                (reads if action.tool.risk == "read" else writes)[index] = (action, reason)
        if actions and not reads and not writes:
            raise self.failure or NotApprovedError("not approved")
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

    def _plan(self, number: int, actions: Mapping[int, ToolAction]) -> dict[int, Result]:
        """Note all but the reads for the plan; nothing of that is done."""
        results = {}
        for index, action in actions.items():
            if action.tool.risk != "read":
                results[index] = Result("planned", note="noted for the plan; not done yet")
                self.planned.append(action)
                self._told(number, action, "", results[index])
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
        from gptkit.capabilities.tools.log import Place

        log, row = self._toolbox.log, None
        try:
            row = log.begin(action, reason, Place(self._run, number))
        except GptkitError as error:
            if action.tool.risk != "read":
                raise CannotWriteError(
                    f"the log of actions cannot be written, so nothing was changed: {error.message}"
                ) from None
            self._warn(f"the log of actions is not written: {error.message}")
        result = self._toolbox.act(action)
        if row is not None:
            try:
                log.end(row, result)
            except GptkitError as error:
                self._warn(f"the log of actions is not written: {error.message}")
        return result

    def _told(self, number: int, action: ToolAction, reason: str, result: Result) -> None:
        """Tell the user what was done, and keep it for the end of the run."""
        tool = action.tool
        if tool.name == self._options.print_ and result.ending == "ok":
            self._printed = result.output
        word = "read" if tool.risk == "read" and result.ending == "ok" else result.ending
        note = f" ({result.note})" if result.note and result.ending != "planned" else ""
        self._warn(f"{word} {action.does}{note}")
        if tool.risk != "read" and result.ending in ("failed", "unknown"):
            cause = f"{one_line(action.does, 200)}: {result.note or 'it failed'}"
            errors = one_line(result.errors, 300)
            self.failure = ActionFailedError(f"{cause}: '{errors}'" if errors else cause)
        self._note(CallRecord(number, tool.name, tool.risk, action.arguments, action.does, result, reason))

    def _note(self, done: CallRecord) -> None:
        self.records.append(done._replace(result=done.result._replace(output=b"", errors="")))
