"""Write the results of many files, each when it is whole, and report on all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.errors import CannotWriteError, GptkitError, IncompleteError, TryAgainError
from gptkit.core.files import cause
from gptkit.jobs.folder_plan import FileTask, FolderPlan
from gptkit.jobs.job import PieceResult
from gptkit.jobs.output import BYTE_ORDER_MARK, ChangedFileOutput
from gptkit.jobs.progress import FindingCounts, finding_lines, write_report

if TYPE_CHECKING:
    from gptkit.session.conversation import Conversation


class FileResult(NamedTuple):
    """What became of a file: its state is `written`, `unchanged` or `not done`."""

    state: str
    findings: FindingCounts
    failure: GptkitError | None = None


class FolderResults:
    """Writes the results of the files of a plan, which are given one file after the other."""

    def __init__(self, plan: FolderPlan) -> None:
        self._plan = plan
        self._failures: dict[int, GptkitError] = {}
        self._marked: set[int] = set()
        self._results: dict[int, FileResult] = {}
        self._output: ChangedFileOutput | None = None
        self._findings = FindingCounts()
        self.pieces = 0
        self.bytes = 0

    @property
    def done_count(self) -> int:
        return sum(result.failure is None for result in self._results.values())

    def set_failure(self, number: int, failure: GptkitError) -> None:
        """Set what is wrong with a file, before its last piece."""
        self._failures[number] = failure

    def mark(self, number: int) -> None:
        """Begin the result of a file with a byte order mark, as the file does."""
        self._marked.add(number)

    def add_piece(self, number: int, result: PieceResult) -> None:
        bytes_before = self._findings.bytes
        self._findings.add(result)
        self.pieces += 1
        self.bytes += self._findings.bytes - bytes_before
        if (output := self._open_output(number)) is not None:
            output.write(result.text)

    def finish_file(self, number: int) -> None:
        """End a file; its result is put in place if it is whole."""
        output, findings = self._open_output(number), self._findings
        failure = self._failures.get(number) or findings.failure()
        if output is not None and failure is None:
            output.finish()
        elif output is not None:
            output.abandon(failure)
        state = "not done" if failure else "written" if output and output.is_changed else "unchanged"
        self._results[number] = FileResult(state, findings, failure)
        self._output, self._findings = None, FindingCounts()

    def set_state(self, number: int, state: str, failure: GptkitError | None) -> None:
        """Set the result of a file that another function has processed."""
        self._results[number] = FileResult(state, FindingCounts(), failure)

    def abandon(self) -> None:
        """End without the file that is being written."""
        if self._output is not None:
            self._output.abandon(None)
            self._output = None

    def failure(self) -> GptkitError | None:
        """Return an error that names the first failed file; None if every file is done."""
        failed = [
            (number, result.failure) for number, result in self._results.items() if result.failure is not None
        ]
        if not failed:
            return None
        number, first = failed[0]
        path, count = self._plan.tasks[number].path, len(self._plan.tasks)
        problem = first.message if f"'{path}'" in first.message else f"'{path}': {first.message}"
        rest = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        busy = all(isinstance(result, TryAgainError) for _, result in failed)
        return (TryAgainError if busy else IncompleteError)(
            f"{len(failed)} of {count} files failed: {problem}{rest}",
            hint="--report FILE lists all; run the same command to try these again",
        )

    def skipped_line(self) -> str:
        """Return a line on the skipped files; empty if there are none."""
        skipped = self._plan.skipped
        if not skipped:
            return ""
        files = f"{len(skipped)} file{'s' * (len(skipped) > 1)} skipped"
        return f"{files}: '{skipped[0].path}': {skipped[0].why}{', ...' * (len(skipped) > 1)}"

    def report(self, conversation: Conversation, path: object) -> None:
        """Write the report to `path`, print the object of --json, and warn of skipped and doubtful files."""
        terminal, display = conversation.services.terminal, conversation.display
        if path:
            write_report(path, self.to_record())
        if display.as_json:
            terminal.print_sanitized(json.dumps(self.to_record(), ensure_ascii=False, indent=2))
        documents = [(str(self._plan.tasks[n].path), result.findings) for n, result in self._results.items()]
        for line in (self.skipped_line(), *finding_lines(documents)):
            if line:
                conversation.warn(line)

    def to_record(self) -> Mapping[str, object]:
        """Return the record of all files that --report and --json show."""
        files = [
            self._file_record(file, self._results.get(number)) for number, file in enumerate(self._plan.tasks)
        ]
        skipped = [
            {"file": str(file.path), "state": "skipped", "why": file.why} for file in self._plan.skipped
        ]
        return {"files": [*files, *skipped]}

    def _file_record(self, task: FileTask, result: FileResult | None) -> Mapping[str, object]:
        names = {"file": str(task.path), "output": str(task.target)}
        if result is None:
            return {**names, "state": "not begun"}
        failure = {"why": result.failure.message} if result.failure else {}
        return {**names, "state": result.state, **failure, **result.findings.listed}

    def _open_output(self, number: int) -> ChangedFileOutput | None:
        """Return the output of a file; None if it cannot be written, which `finish_file` reports."""
        if self._output is None and number not in self._failures:
            target = self._plan.tasks[number].target
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                self._output = ChangedFileOutput(target)
                if number in self._marked:
                    self._output.write(BYTE_ORDER_MARK)
            except OSError as error:
                self._failures[number] = CannotWriteError(f"cannot write '{target}': {cause(error)}")
            except (CannotWriteError, TryAgainError) as error:
                self._failures[number] = error
        return self._output
