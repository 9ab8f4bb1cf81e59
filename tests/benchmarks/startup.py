"""How soon a request is on the wire, the first word on the screen, and the program gone.

Takes turns between curl, a plain SDK script (the baseline) and gptkit against a loopback server that
thinks before it answers, and one that does not:

    .venv-test/bin/python tests/benchmarks/startup.py [ROUNDS]
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from fake.server import FakeServer
from timing import HERE, PROGRAM, Run, environ, median, run, table

THINKING = 0.5
"""Seconds the server takes to its first token."""
NAMES = ("curl", "plain SDK", "gptkit")


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as home, FakeServer() as server:
        variables = environ(OPENAI_BASE_URL=server.url, GPTKIT_HOME=home)
        for thinking in (THINKING, 0):
            print(_answering(server, rounds, variables, thinking), end="\n\n")
        print(_piped(server, rounds, variables), end="\n\n")
        print(_local(rounds, variables))


def _answering(server: FakeServer, rounds: int, variables: dict[str, str], thinking: float) -> str:
    """One answer, of a server that takes so many seconds to its first token."""
    commands = {"curl": _curl(server.url), "plain SDK": [sys.executable, str(HERE / "plain_sdk.py")]}
    commands["gptkit"] = [PROGRAM, "ask", "Hello"]
    wire: dict[str, list[float]] = {name: [] for name in NAMES}
    runs: dict[str, list[Run]] = {name: [] for name in NAMES}
    for number in range(rounds + 1):
        for name in NAMES:
            server.say("Bonjour le monde", delay=thinking)
            done = run(commands[name], variables)
            if number:  # the first round only warms the caches
                wire[name].append(server.requests[-1].time - done.start)
                runs[name].append(done)
    measured = {
        "request on the wire": {name: median(wire[name]) for name in NAMES},
        "first byte": {name: median([done.first_byte for done in runs[name]]) for name in NAMES},
        "exit": {name: median([done.exit for done in runs[name]]) for name in NAMES},
        "CPU": {name: median([done.cpu for done in runs[name]]) for name in NAMES},
    }
    rows = []
    for what, by_name in measured.items():
        times = [f"{by_name[name] * 1000:.0f} ms" for name in NAMES]
        ratios = [f"{by_name['gptkit'] / by_name[name]:.2f}" for name in ("curl", "plain SDK")]
        rows.append([what, *times, *ratios])
    server_does = f"server thinks {thinking} s" if thinking else "server answers at once"
    return table([server_does, *NAMES, "gptkit / curl", "gptkit / plain SDK"], rows)


def _piped(server: FakeServer, rounds: int, variables: dict[str, str]) -> str:
    """A text that is worked on is proved before it is written, and remembered; a question is not."""
    shown = ("gptkit ask Hello", "echo Hello | gptkit translate --to French | cat")
    wire: dict[str, list[float]] = {name: [] for name in shown}
    for number in range(rounds + 1):
        for name in shown:
            word = "x" * (number + 1)  # what is remembered is not asked for
            server.say(f"Bonjour {word}")
            line = name.replace("gptkit", PROGRAM).replace("Hello", f"'Hello {word}'")
            done = run(["sh", "-c", line], variables)
            if number:
                wire[name].append(server.requests[-1].time - done.start)
    baseline = median(wire["gptkit ask Hello"])
    rows = [
        [f"`{name}`", f"{median(values) * 1000:.0f} ms", f"{median(values) / baseline:.2f}"]
        for name, values in wire.items()
    ]
    return table(["in a pipe", "request on the wire", "ratio"], rows)


def _local(rounds: int, variables: dict[str, str]) -> str:
    """CPU of what needs no server, against importing the SDK."""
    commands = {
        "python -c 'import openai'": ([sys.executable, "-c", "import openai"], {}, 0),
        "gptkit --version": ([PROGRAM, "--version"], {}, 0),
        "gptkit --help": ([PROGRAM, "--help"], {}, 0),
        "gptkit translate --help": ([PROGRAM, "translate", "--help"], {}, 0),
        "gptkit translate --no-such": ([PROGRAM, "translate", "--no-such"], {}, 2),
        "gptkit translate Hello --dry-run": ([PROGRAM, "translate", "Hello", "--dry-run"], {}, 0),
        "gptkit translate --to<TAB>": (
            [PROGRAM],
            {"_GPTKIT_COMPLETE": "complete_bash", "COMP_WORDS": "gptkit translate --to", "COMP_CWORD": "2"},
            0,
        ),
    }
    used: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, (command, more, code) in commands.items():
            done = run(command, variables | more, code)
            if number:
                used[name].append(done.cpu)
    baseline = median(used["python -c 'import openai'"])
    rows = [
        [f"`{name}`", f"{median(values) * 1000:.0f} ms", f"{median(values) / baseline:.2f}"]
        for name, values in used.items()
    ]
    return table(["without a request", "CPU", "ratio"], rows)


def _curl(url: str) -> list[str]:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
    headers = ["-H", "Content-Type: application/json", "-H", "Authorization: Bearer sk-benchmark"]
    return ["curl", "-sN", f"{url}/chat/completions", *headers, "-d", json.dumps(body)]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
