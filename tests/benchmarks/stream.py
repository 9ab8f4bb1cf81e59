"""What each chunk of a long stream costs: gptkit against the bare SDK loop, both into a pipe.

.venv-test/bin/python tests/benchmarks/stream.py [CHUNKS] [ROUNDS]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from fake.server import FakeServer
from fake.wire import chunk, chunked, done, last_chunk, sse, stream_head
from timing import HERE, PROGRAM, environ, median, run, table


def main(chunks: int, rounds: int) -> None:
    body = b"".join(
        [
            sse(chunk({"role": "assistant", "content": ""})),
            *(sse(chunk({"content": f"word{number} "})) for number in range(chunks)),
            sse(chunk({}, finish="stop")),
            done(),
        ]
    )
    steps = [
        stream_head({}),
        *(chunked(body[at : at + 8192]) for at in range(0, len(body), 8192)),
        last_chunk(),
    ]
    with tempfile.TemporaryDirectory() as home, FakeServer() as server:
        variables = environ(OPENAI_BASE_URL=server.url, GPTKIT_HOME=home)
        commands = {
            "plain SDK": [sys.executable, str(HERE / "plain_sdk.py")],
            "gptkit": [PROGRAM, "ask", "Hello"],
        }
        cpu: dict[str, list[float]] = {name: [] for name in commands}
        wall: dict[str, list[float]] = {name: [] for name in commands}
        outputs = set()
        for number in range(rounds + 1):
            for name, command in commands.items():
                server.raw(steps)
                finished = run(command, variables)
                outputs.add(finished.output)
                if number:
                    cpu[name].append(finished.cpu)
                    wall[name].append(finished.exit)
        assert len(outputs) == 1, "the two did not print the same"
    rows = []
    for what, measured in (("wall time", wall), ("CPU", cpu)):
        plain, ours = median(measured["plain SDK"]), median(measured["gptkit"])
        rows.append([f"{what}, {chunks} chunks", f"{plain:.2f} s", f"{ours:.2f} s", f"{ours / plain:.2f}"])
    print(table(["", "plain SDK", "gptkit", "ratio"], rows))


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*(given + [100_000, 3][len(given) :]))
