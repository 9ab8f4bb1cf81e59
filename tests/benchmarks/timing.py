"""Starts commands as a user's shell does and measures them from outside."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("gptkit"))
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command, in seconds from its start; `cpu` is user and system time."""

    start: float
    first_byte: float
    exit: float
    cpu: float
    output: bytes


def run(command: Sequence[str], environ: Mapping[str, str], expected: int = 0) -> Run:
    """Run a command whose standard output is a pipe; it must end with the expected exit code."""
    start = time.monotonic()
    process = subprocess.Popen(
        command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    first = process.stdout.read(1)
    seen = time.monotonic()
    rest = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    end = time.monotonic()
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != expected:
        raise SystemExit(f"{command} ended with {process.returncode}, not {expected}")
    return Run(start, seen - start, end - start, usage.ru_utime + usage.ru_stime, first + rest)


def environ(**more: str) -> dict[str, str]:
    """A plain user's environment: no settings, no proxy."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "OPENAI_API_KEY": "sk-benchmark", "NO_PROXY": "*", **more}


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, for docs/benchmarks.md; all columns but the first are numbers."""
    lines = [header, ["---", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
