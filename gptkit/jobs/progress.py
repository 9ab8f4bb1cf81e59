"""A line on standard error that says how far a long job is, where someone looks at it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gptkit.core.chat import Charge, Usage
from gptkit.core.errors import DataError, GptkitError, IncompleteError, NoInputError, UsageError
from gptkit.core.files import write_atomic
from gptkit.core.terminal import Terminal
from gptkit.jobs.job import Done, How, Memory
from gptkit.text.pieces import Finding

BETWEEN = 0.1
"""Seconds between two looks of the line."""
CLEAR = "\r\x1b[K"


class Tally(NamedTuple):
    """How far a job is. `part` is between 0 and 1, None where the size of the input is unknown.

    `level` is that of the pieces where results are merged: 1 is the document itself.
    """

    pieces: int
    tokens: int
    part: float | None
    cost: float | None = None
    limit: int | None = None
    level: int = 1


class Progress:
    """Shows nothing unless standard error is a terminal that can redraw a line."""

    def __init__(self, terminal: Terminal, quiet: bool) -> None:
        self._terminal = terminal
        self._on = redraws(terminal) and not quiet
        self._began = terminal.monotonic()
        self._shown = float("-inf")

    def show(self, tally: Callable[[], Tally]) -> None:
        now = self._terminal.monotonic()
        if self._on and not self._terminal.is_asking and now - self._shown >= BETWEEN:
            self._shown = now
            self._terminal.write_error(CLEAR + self._line(tally(), now - self._began))

    def clear(self) -> None:
        if self._on and self._shown > float("-inf"):
            self._terminal.write_error(CLEAR)

    def _line(self, tally: Tally, seconds: float) -> str:
        parts = [f"{tally.pieces} piece{'s' * (tally.pieces != 1)}", f"{tally.tokens:,} tokens"]
        if tally.level > 1:
            parts[0] = f"level {tally.level}: {parts[0]}"
        if tally.cost is not None:
            parts.append(f"${tally.cost:.4f}")
        if tally.part is not None:
            parts.insert(0, f"{tally.part:.0%}")
            if 0.01 < tally.part <= 1:
                parts.append(f"{_clock(seconds / tally.part - seconds)} left")
        elif tally.pieces:
            parts.append(_clock(seconds))
        line = " · ".join(parts)
        return line if len(line) < self._terminal.width else parts[0]


def redraws(terminal: Terminal) -> bool:
    """Whether a line on standard error can be taken back."""
    return terminal.stderr_is_terminal and terminal.environ.get("TERM") != "dumb"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


LISTED = 1000
"""Findings that are kept; more of them say no more."""


def tell_how_to_go_on(failure: GptkitError, memory: Memory | None) -> None:
    """A hint, where there is none: what was accepted is remembered, if there is a memory. The same
    command does not help where its input is wrong."""
    if memory is not None and not isinstance(failure, DataError | NoInputError | UsageError):
        failure.hint = failure.hint or "run the same command to go on where this one stopped"


class Findings:
    """Counts pieces and keeps what was found wrong with them."""

    def __init__(self) -> None:
        self.bytes = 0
        self._count: dict[How, int] = {"through": 0, "memory": 0, "answer": 0, "source": 0}
        self._wrong = 0
        self._found: list[tuple[bool, Finding]] = []
        self.doubtful: list[Finding] = []
        self.doubts = 0

    def add(self, done: Done) -> None:
        self.bytes += len(done.piece.source.encode("utf-8", "replace"))
        self._count[done.how] += 1
        self._wrong += not done.is_whole and done.how != "source"
        doubtful = [finding for finding in done.findings if finding.level == "doubtful"]
        self.doubts += len(doubtful)
        if len(self.doubtful) < LISTED:
            self.doubtful += doubtful
        if len(self._found) < LISTED:
            self._found += [(done.is_whole, one) for one in done.findings if one.level != "doubtful"]

    @property
    def pieces(self) -> int:
        return sum(self._count.values())

    @property
    def counts(self) -> Mapping[str, int]:
        return {str(how): count for how, count in self._count.items()}

    @property
    def listed(self) -> Mapping[str, object]:
        """As --report and --json have them."""
        findings = [{**_fields(one), "accepted": accepted} for accepted, one in self._found]
        return {"pieces": self.counts, "findings": findings, "doubtful": list(map(_fields, self.doubtful))}

    def failure(self) -> GptkitError | None:
        """None if nothing is wrong with any piece."""
        left, wrong = self._count["source"], self._wrong
        if not left and not wrong:
            return None
        first = next((str(one) for accepted, one in self._found if not accepted), "")
        whole = f"of {self.pieces} pieces"
        what = [f"{left} {whole} left unchanged"] if left else []
        what += [f"{wrong} {whole} with wrong numbers"] if wrong else []
        return IncompleteError(
            f"{', '.join(what)}: {first}",
            hint="--report FILE lists all; run the same command to try these again",
        )

    def write(self, path: object, document: str) -> None:
        """The report that --report asks for."""
        if path:
            write(path, {"document": document, **self.listed})


def doubt(first: str, count: int) -> str:
    """The line that tells of what is doubtful."""
    return f"doubtful: {first}" + (f" (and {count - 1} more; --report FILE lists all)" if count > 1 else "")


def _fields(one: Finding) -> Mapping[str, object]:
    return {"line": one.line, "kind": one.kind, "message": one.message}


def write(path: object, record: Mapping[str, object]) -> None:
    text = json.dumps(record, ensure_ascii=False, indent=2) + "\n"
    write_atomic(Path(str(path)), text.encode("utf-8", "replace"))


def usage(charges: Sequence[Charge]) -> Usage | None:
    """Of all requests together, if the server counted every one."""
    if not charges or any(charge.estimated for charge in charges):
        return None
    return Usage(
        sum(charge.prompt_tokens for charge in charges), sum(charge.completion_tokens for charge in charges)
    )
