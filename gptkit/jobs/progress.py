"""Show the progress of a long job on standard error, and count and report the findings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gptkit.core.activity import ActivityLine, describe_request
from gptkit.core.chat import Charge, Usage
from gptkit.core.errors import DataError, GptkitError, IncompleteError, NoInputError, UsageError
from gptkit.core.files import write_atomic
from gptkit.core.terminal import Terminal
from gptkit.jobs.job import Memory, Origin, PieceResult
from gptkit.text.pieces import Finding


class JobProgress(NamedTuple):
    """How far a job is. `part` is between 0 and 1, None if the size of the input is not known.

    `level` is 1 for pieces of the document, and more for merges of results. `total` is an estimate of all
    pieces, until the first ones tell more.
    """

    pieces: int
    tokens: int
    part: float | None
    cost: float | None = None
    level: int = 1
    total: float | None = None

    @property
    def piece_name(self) -> str:
        """Which piece comes next, such as `piece 3 of about 40`."""
        total = self.pieces / self.part if self.part and self.pieces else self.total
        about = "" if total is None else f" of about {max(round(total), self.pieces + 1)}"
        piece = f"{self.pieces} pieces" if self.part == 1 else f"piece {self.pieces + 1}{about}"
        return f"level {self.level}: {piece}" if self.level > 1 else piece


class ProgressLine:
    """A line that says how far a long job is; see `ActivityLine` for where it is shown."""

    def __init__(self, terminal: Terminal, quiet: bool, *, model: str = "") -> None:
        """With a `model` the job is a single request to this model, which ends with its first word."""
        self._line = ActivityLine(terminal, is_quiet=quiet, outlasts=not model)
        self._describe = describe_request(model) if model else self._describe_job
        self._terminal = terminal
        self._make_progress: Callable[[], JobProgress] | None = None
        self.announce_pause = self._line.announce_pause

    def show(self, make_progress: Callable[[], JobProgress]) -> None:
        """Show how far the job is, from now on; `make_progress` is called while the line is shown."""
        if self._make_progress is None:
            self._line.start(self._describe)
        self._make_progress = make_progress

    def clear(self) -> None:
        """Remove the line for good."""
        self._line.stop()

    def _describe_job(self, seconds: float) -> str:
        if self._make_progress is None:
            return ""
        progress = self._make_progress()
        parts = [progress.piece_name, f"{progress.tokens:,} tokens"]
        if progress.cost is not None:
            parts.append(f"${progress.cost:.4f}")
        if progress.part is not None:
            parts.insert(0, f"{progress.part:.0%}")
        if progress.part is not None and 0.01 < progress.part <= 1:
            parts.append(f"{_format_duration(seconds / progress.part - seconds)} left")
        else:
            parts.append(_format_duration(seconds))
        line = " · ".join(parts)
        return line if len(line) < self._terminal.error_width else parts[0]


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

    @property
    def accepted(self) -> list[Finding]:
        """What is wrong with answers that the user accepts."""
        return [finding for is_taken, finding in self._serious if is_taken and finding.level == "wrong"]

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


def finding_lines(documents: Sequence[tuple[str, FindingCounts]]) -> Iterator[str]:
    """Yield a line on what the user accepts and one on what is doubtful in documents, by their names."""
    for level in ("accepted", "doubtful"):
        counts = [len(found.accepted) if level == "accepted" else found.doubts for _, found in documents]
        place = next((place for place, count in enumerate(counts) if count), None)
        if place is None:
            continue
        name, found = documents[place]
        first = (found.accepted if level == "accepted" else found.doubtful)[0]
        more = f" (and {sum(counts) - 1} more; --report FILE lists all)" if sum(counts) > 1 else ""
        where = f"'{name}': " if name else ""
        yield f"{level}: {where}{first}{more}"


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
