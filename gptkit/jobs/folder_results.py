"""The results of many files, each written when it is whole, and the account of all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.errors import CannotWriteError, GptkitError, IncompleteError, TryAgainError
from gptkit.jobs.folder_plan import Plan, Work
from gptkit.jobs.job import Done
from gptkit.jobs.output import Mirrored
from gptkit.jobs.progress import Findings, doubt, write

if TYPE_CHECKING:
    from gptkit.session.conversation import Conversation


class Ended(NamedTuple):
    """What became of a file: written, unchanged, or not done for a reason."""

    state: str
    findings: Findings
    failure: GptkitError | None = None


class Results:
    """Takes what comes of the files one after the other."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._failed: dict[int, GptkitError] = {}
        self._ended: dict[int, Ended] = {}
        self._output: Mirrored | None = None
        self._findings = Findings()
        self.pieces = 0
        self.bytes = 0

    @property
    def done(self) -> int:
        return sum(one.failure is None for one in self._ended.values())

    def fail(self, number: int, failure: GptkitError) -> None:
        """What is wrong with a file, known before its pieces are there."""
        self._failed[number] = failure

    def add(self, number: int, done: Done) -> None:
        before = self._findings.bytes
        self._findings.add(done)
        self.pieces += 1
        self.bytes += self._findings.bytes - before
        if (output := self._opened(number)) is not None:
            output.write(done.text)

    def end(self, number: int) -> None:
        """The file is through: its result takes its place if it is whole."""
        output, findings = self._opened(number), self._findings
        failure = self._failed.get(number) or findings.failure()
        if output is not None and failure is None:
            output.finish()
        elif output is not None:
            output.leave(failure)
        state = "not done" if failure else "written" if output and output.is_new else "unchanged"
        self._ended[number] = Ended(state, findings, failure)
        self._output, self._findings = None, Findings()

    def put(self, number: int, state: str, failure: GptkitError | None) -> None:
        """What became of a file that another has worked on."""
        self._ended[number] = Ended(state, Findings(), failure)

    def stop(self) -> None:
        """There will be no more."""
        if self._output is not None:
            self._output.leave(None)
            self._output = None

    def failure(self) -> GptkitError | None:
        """None if every file is done."""
        failed = [(number, one.failure) for number, one in self._ended.items() if one.failure is not None]
        if not failed:
            return None
        number, first = failed[0]
        path, count = self._plan.work[number].path, len(self._plan.work)
        what = first.message if f"'{path}'" in first.message else f"'{path}': {first.message}"
        rest = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        busy = all(isinstance(one, TryAgainError) for _, one in failed)
        return (TryAgainError if busy else IncompleteError)(
            f"{len(failed)} of {count} files failed: {what}{rest}",
            hint="--report FILE lists all; run the same command to try these again",
        )

    def skipped(self) -> str:
        """A line on the files that were left out; empty if there are none."""
        skipped = self._plan.skipped
        if not skipped:
            return ""
        files = f"{len(skipped)} file{'s' * (len(skipped) > 1)} skipped"
        return f"{files}: '{skipped[0].path}': {skipped[0].why}{', ...' * (len(skipped) > 1)}"

    def doubts(self) -> str:
        """A line on what is doubtful; empty if nothing is."""
        doubtful = [(number, one.findings) for number, one in self._ended.items() if one.findings.doubts]
        if not doubtful:
            return ""
        number, first = doubtful[0]
        what = f"'{self._plan.work[number].path}': {first.doubtful[0]}"
        return doubt(what, sum(findings.doubts for _, findings in doubtful))

    def tell(self, conversation: Conversation, path: object) -> None:
        """The report of --report, the object of --json, and lines on what was skipped and is doubtful."""
        terminal, how = conversation.services.terminal, conversation.how
        if path:
            write(path, self.record())
        if how.as_json:
            terminal.print_sanitized(json.dumps(self.record(), ensure_ascii=False, indent=2))
        for line in filter(None, (self.skipped(), self.doubts())):
            conversation.warn(line)

    def record(self) -> Mapping[str, object]:
        """All files, as --report and --json have them."""
        files = [self._file(one, self._ended.get(number)) for number, one in enumerate(self._plan.work)]
        skipped = [{"file": str(one.path), "state": "skipped", "why": one.why} for one in self._plan.skipped]
        return {"files": [*files, *skipped]}

    def _file(self, work: Work, ended: Ended | None) -> Mapping[str, object]:
        about = {"file": str(work.path), "output": str(work.target)}
        if ended is None:
            return {**about, "state": "not begun"}
        failure = {"why": ended.failure.message} if ended.failure else {}
        return {**about, "state": ended.state, **failure, **ended.findings.listed}

    def _opened(self, number: int) -> Mirrored | None:
        """The output of a file; None where it cannot be written to, which is told at its end."""
        if self._output is None and number not in self._failed:
            target = self._plan.work[number].target
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                self._output = Mirrored(target)
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                self._failed[number] = CannotWriteError(f"cannot write '{target}': {reason}")
            except (CannotWriteError, TryAgainError) as error:
                self._failed[number] = error
        return self._output
