"""Several runs of gptkit that start at the same moment."""

from __future__ import annotations

import os
from collections.abc import Sequence
from subprocess import DEVNULL, PIPE, Popen

from fake.program import COMMAND, Surroundings
from fake.signals import unblocked

GATE = 'read -r _ <"$GATE"; exec "$@"'
"""Each waits for one line from a FIFO; all lines are written at once."""


def together(
    around: Surroundings,
    runs: Sequence[Sequence[str]],
    stdin: bytes | None = None,
    key: str | None = "sk-test",
) -> list[tuple[int, bytes, bytes]]:
    """Exit code, standard error and standard output of each of these command lines."""
    gate = around.home.parent / "gate"
    os.mkfifo(gate)
    opened = os.open(gate, os.O_RDWR)
    environ = {**around.process_environ(None, key), "GATE": str(gate)}
    processes: list[Popen[bytes]] = []
    try:
        for args in runs:
            with unblocked():
                processes.append(
                    Popen(
                        ["/bin/sh", "-c", GATE, "sh", *COMMAND, *args],
                        stdin=DEVNULL if stdin is None else PIPE,
                        stdout=PIPE,
                        stderr=PIPE,
                        env=environ,
                        cwd=around.folder,
                    )
                )
        for process in processes:
            if process.stdin is not None and stdin is not None:
                process.stdin.write(stdin)
                process.stdin.close()
                process.stdin = None
        os.write(opened, b"\n" * len(processes))
        ended = [(process.communicate(timeout=300), process) for process in processes]
        return [(process.returncode, errors, output) for (output, errors), process in ended]
    finally:
        os.close(opened)
        for process in processes:
            process.kill()
            process.communicate()
