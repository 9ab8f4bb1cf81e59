"""Programs that gptkit starts: how they end by themselves, and at each limit."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from gptkit.core import process
from gptkit.core.errors import UnavailableError
from gptkit.core.process import OUTPUT_CAP, Processes, find_program


def ran(code: str, timeout: float = 20.0, data: bytes = b"") -> process.ProcessResult:
    """What comes of a Python program."""
    return Processes().run((sys.executable, "-c", code), "/", {"PATH": "/bin"}, data, timeout)


def test_a_process_ends_by_itself() -> None:
    done = ran("import sys; print(sys.stdin.read().upper()); sys.stderr.write('hm'); sys.exit(3)", data=b"ab")
    assert (done.code, done.output, done.errors, done.reason) == (3, b"AB\n", b"hm", "")


def test_a_process_has_its_own_session_and_no_terminal() -> None:
    code = (
        "import os\nprint(os.getsid(0) == os.getpid())\ntry: open('/dev/tty')\nexcept OSError: print('none')"
    )
    assert ran(code).output == b"True\nnone\n"


def test_a_process_that_hangs_is_stopped_with_all_its_children() -> None:
    code = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\ntime.sleep(60)"
    )
    began = time.monotonic()
    done = ran(code, timeout=2.0)
    assert (done.code, done.reason) == (None, "it took too long")
    assert time.monotonic() - began < 15
    assert _ends(int(done.output))


def test_a_child_that_holds_the_pipe_is_not_waited_for() -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\nprint(child.pid)"
    )
    done = ran(code)
    assert (done.code, done.reason) == (0, "")
    assert _ends(int(done.output))


def _ends(number: int) -> bool:
    """Whether a process ends within seconds: a zombie that nobody has waited for has ended."""
    status = Path(f"/proc/{number}/stat")
    for _ in range(100):
        try:
            if status.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_a_process_that_prints_for_ever_is_stopped() -> None:
    done = ran("while True: print('y' * 65536)")
    assert (done.code, len(done.output)) == (None, OUTPUT_CAP)
    assert done.reason == "it printed more than 8 MiB"


def test_errors_without_end_are_read_and_forgotten() -> None:
    done = ran("import sys\nfor _ in range(200): sys.stderr.write('x' * 65536)\nprint('end')")
    assert (done.code, done.output, len(done.errors)) == (0, b"end\n", process.ERRORS_CAP)


def test_a_program_that_reads_nothing_of_its_input() -> None:
    assert ran("print(1)", data=b"x" * 10_000_000).output == b"1\n"


def test_a_run_that_was_stopped_starts_nothing_more_but_the_next_one_does() -> None:
    processes = Processes()
    processes.stop()
    with pytest.raises(UnavailableError, match="being stopped"):
        processes.run(("/bin/echo", "x"), "/", {}, b"", 5.0)
    processes.begin()
    assert processes.run(("/bin/echo", "x"), "/", {}, b"", 20.0).output == b"x\n"


def test_a_program_is_not_looked_for_in_the_current_folder(folder: Path) -> None:
    program = folder / "mine"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    with pytest.raises(UnavailableError, match="no program 'mine'"):
        find_program("mine", {"PATH": f":.:{folder.name}"})
