"""What one run of the program costs in memory and processor time, measured from outside."""

from __future__ import annotations

import sys
from typing import NamedTuple

from fake.program import AsProcess

PROBE = """
import atexit, os, pathlib, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))

def tell():
    status = pathlib.Path("/proc/self/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    used = resource.getrusage(resource.RUSAGE_SELF)
    text = f"{peak.split()[1]} {used.ru_utime + used.ru_stime}"
    pathlib.Path(os.environ["COST_FILE"]).write_text(text)

atexit.register(tell)
from gptkit.__main__ import entry_point
entry_point()
"""
"""The peak of the memory that is the process's own: what getrusage calls so includes that of its parent."""


class Cost(NamedTuple):
    code: int
    output: bytes
    errors: str
    mebibytes: float
    seconds: float


def measured(run: AsProcess, *args: str) -> Cost:
    """Run to the end; the program itself never gets more than 4 GiB of addresses."""
    file = run.around.folder / "cost"
    result = run(*args, env={"COST_FILE": str(file)}, command=(sys.executable, "-c", PROBE))
    peak, seconds = file.read_text(encoding="utf-8").split()
    file.unlink()
    return Cost(result.code, result.raw, result.stderr, int(peak) / 1024, float(seconds))
