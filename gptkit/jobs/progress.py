"""Show the progress of a long job on standard error, and count and report the findings."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gptkit.core.chat import Charge, Usage
from gptkit.core.errors import DataError, GptkitError, IncompleteError, NoInputError, UsageError
from gptkit.core.files import write_atomic
from gptkit.core.terminal import Terminal
from gptkit.jobs.job import Memory, Origin, PieceResult
from gptkit.text.pieces import Finding

REDRAW_SECONDS = 0.1
"""Seconds between two drawings of the line."""
CLEAR = "\r\x1b[K"


class JobProgress(NamedTuple):
    """How far a job is. `part` is between 0 and 1, None if the size of the input is not known.

    `level` is 1 for pieces of the document, and more for merges of results.
    """

    pieces: int
    tokens: int
    part: float | None
    cost: float | None = None
    limit: int | None = None
    level: int = 1


class ProgressLine:
    """A line about the progress, redrawn in place; nothing unless standard error is a terminal that can do
    so."""

    def __init__(self, terminal: Terminal, quiet: bool) -> None:
        self._terminal = terminal
        self._is_shown = can_redraw(terminal) and not quiet
        self._started = terminal.monotonic()
        self._redrawn = float("-inf")

    def show(self, make_progress: Callable[[], JobProgress]) -> None:
        now = self._terminal.monotonic()
        if self._is_shown and not self._terminal.is_asking and now - self._redrawn >= REDRAW_SECONDS:
            self._redrawn = now
            self._terminal.write_error(CLEAR + self._format(make_progress(), now - self._started))

    def clear(self) -> None:
        if self._is_shown and self._redrawn > float("-inf"):
            self._terminal.write_error(CLEAR)

    def _format(self, progress: JobProgress, seconds: float) -> str:
        parts = [f"{progress.pieces} piece{'s' * (progress.pieces != 1)}", f"{progress.tokens:,} tokens"]
        if progress.level > 1:
            parts[0] = f"level {progress.level}: {parts[0]}"
        if progress.cost is not None:
            parts.append(f"${progress.cost:.4f}")
        if progress.part is not None:
            parts.insert(0, f"{progress.part:.0%}")
            if 0.01 < progress.part <= 1:
                parts.append(f"{_format_duration(seconds / progress.part - seconds)} left")
        elif progress.pieces:
            parts.append(_format_duration(seconds))
        line = " · ".join(parts)
        return line if len(line) < self._terminal.width else parts[0]


def can_redraw(terminal: Terminal) -> bool:
    """Whether a line on standard error can be redrawn."""
    return terminal.stderr_is_terminal and terminal.environ.get("TERM") != "dumb"


def _format_duration(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


LISTED_FINDINGS = 1000
"""The most findings that are kept."""


def add_resume_hint(failure: GptkitError, memory: Memory | None) -> None:
    """Add the hint to run the command again, unless there is a hint, no memory, or an error in the input."""
    if memory is not None and not isinstance(failure, DataError | NoInputError | UsageError):
        failure.hint = failure.hint or "run the same command to go on where this one stopped"


class FindingCounts:
    """Counts the results of pieces and keeps their findings."""

    def __init__(self) -> None:
        self.bytes = 0
        self._origins: dict[Origin, int] = {"through": 0, "memory": 0, "answer": 0, "source": 0}
        self._wrong_pieces = 0
        self._serious: list[tuple[bool, Finding]] = []
        self.doubtful: list[Finding] = []
        self.doubts = 0

    def add(self, result: PieceResult) -> None:
        self.bytes += len(result.piece.source.encode("utf-8", "replace"))
        self._origins[result.origin] += 1
        self._wrong_pieces += not result.is_whole and result.origin != "source"
        doubtful = [finding for finding in result.findings if finding.level == "doubtful"]
        self.doubts += len(doubtful)
        if len(self.doubtful) < LISTED_FINDINGS:
            self.doubtful += doubtful
        if len(self._serious) < LISTED_FINDINGS:
            self._serious += [
                (result.is_whole, finding) for finding in result.findings if finding.level != "doubtful"
            ]

    @property
    def pieces(self) -> int:
        return sum(self._origins.values())

    @property
    def counts(self) -> Mapping[str, int]:
        return {str(origin): count for origin, count in self._origins.items()}

    @property
    def listed(self) -> Mapping[str, object]:
        """The counts and findings as --report and --json show them."""
        findings = [{**_finding_record(finding), "accepted": accepted} for accepted, finding in self._serious]
        return {
            "pieces": self.counts,
            "findings": findings,
            "doubtful": list(map(_finding_record, self.doubtful)),
        }

    def failure(self) -> GptkitError | None:
        """Return an error about the pieces without an accepted answer; None if there are none."""
        unchanged, wrong = self._origins["source"], self._wrong_pieces
        if not unchanged and not wrong:
            return None
        first = next((str(finding) for accepted, finding in self._serious if not accepted), "")
        of_pieces = f"of {self.pieces} pieces"
        problems = [f"{unchanged} {of_pieces} left unchanged"] if unchanged else []
        problems += [f"{wrong} {of_pieces} with wrong numbers"] if wrong else []
        return IncompleteError(
            f"{', '.join(problems)}: {first}",
            hint="--report FILE lists all; run the same command to try these again",
        )

    def write(self, path: object, document: str) -> None:
        """Write the report for --report; nothing if `path` is empty."""
        if path:
            write_report(path, {"document": document, **self.listed})


def doubt_line(first: str, count: int) -> str:
    """Return the line about doubtful findings, of which `first` is shown."""
    return f"doubtful: {first}" + (f" (and {count - 1} more; --report FILE lists all)" if count > 1 else "")


def _finding_record(finding: Finding) -> Mapping[str, object]:
    return {"line": finding.line, "kind": finding.kind, "message": finding.message}


def write_report(path: object, record: Mapping[str, object]) -> None:
    text = json.dumps(record, ensure_ascii=False, indent=2) + "\n"
    write_atomic(Path(str(path)), text.encode("utf-8", "replace"))


def total_usage(charges: Sequence[Charge]) -> Usage | None:
    """Return the tokens of all requests; None unless the server counted all of them."""
    if not charges or any(charge.estimated for charge in charges):
        return None
    return Usage(
        sum(charge.prompt_tokens for charge in charges), sum(charge.completion_tokens for charge in charges)
    )
