"""A book through `gptkit translate`: wall time against what the server takes, memory, CPU per megabyte.

    python tests/benchmarks/long_input.py [MEGABYTES ...]

A loopback server in a process of its own answers each request after 0.2 s with the text it was given.
The bound: pieces / jobs * 0.2 s plus the start, which is measured as a run over a single piece.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

DELAY = 0.2
JOBS = 16
WORDS = "the of and to in a is that for it as was with be by on not he his but at are this have from".split()  # noqa: SIM905


def main(sizes: list[float]) -> None:
    with serving() as port:
        start = run(port, 0.003)
        print(f"start, with one piece: {start.seconds - DELAY:.2f} s\n")
        print("| input | pieces | wall time | bound | wall / bound | peak memory | CPU per MB |")
        print("| --: | --: | --: | --: | --: | --: | --: |")
        for size in sizes:
            one = run(port, size)
            bound = math.ceil(one.pieces / JOBS) * DELAY + start.seconds - DELAY
            times = f"{one.seconds:.2f} s | {bound:.2f} s | {one.seconds / bound:.2f}"
            print(f"| {size:g} MB | {one.pieces} | {times} | {one.memory:.0f} MB | {one.cpu / size:.2f} s |")


class Run:
    def __init__(self, seconds: float, cpu: float, memory: float, pieces: int) -> None:
        self.seconds, self.cpu, self.memory, self.pieces = seconds, cpu, memory, pieces


def run(port: int, megabytes: float) -> Run:
    """One run of the program; the answer must be the input to the letter."""
    with tempfile.TemporaryDirectory() as folder:
        book, out = Path(folder) / "book.md", Path(folder) / "out.md"
        with book.open("w") as file:
            file.writelines(text(int(megabytes * 1e6)))
        environ = {
            "PATH": os.environ["PATH"],
            "GPTKIT_HOME": f"{folder}/home",
            "OPENAI_API_KEY": "sk-benchmark",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1",
        }
        command = [sys.executable, "-m", "gptkit", "translate", "--to", "French", "--jobs", str(JOBS)]
        count = served(port)
        began = time.perf_counter()
        with book.open("rb") as source, out.open("wb") as target:
            process = subprocess.Popen(command, stdin=source, stdout=target, env=environ, cwd=folder)
            _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        assert status == 0, f"exit {os.waitstatus_to_exitcode(status)}"
        assert out.read_bytes() == book.read_bytes()
        pieces = served(port) - count
        return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, pieces)


def text(size: int) -> Iterator[str]:
    chance = Random(5)
    number = written = 0
    while written < size:
        number += 1
        words = " ".join(chance.choices(WORDS, k=70))
        part = f"## Chapter {number}\n\n" if number % 20 == 1 else ""
        part += (
            f"{words.capitalize()}, says [the book](https://example.org/{number}) with `code {number}`.\n\n"
        )
        written += len(part)
        yield part


class serving:  # noqa: N801 - reads as what it is at the place of its use
    """The server's process; entering gives its port."""

    def __enter__(self) -> int:
        self._process = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE)
        assert self._process.stdout
        return int(self._process.stdout.readline())

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def served(port: int) -> int:
    """How many requests the server has answered."""
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/served") as answer:
        return int(answer.read())


def serve() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asyncio.run(_serve())


async def _serve() -> None:
    count = 0

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET /served"):
                    body = str(count).encode()
                else:
                    lengths = [
                        line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
                    ]
                    asked = await reader.readexactly(int(lengths[0].split(b":")[1]))
                    began = time.perf_counter()
                    body = answer(asked)
                    await asyncio.sleep(DELAY - (time.perf_counter() - began))
                    count += 1
                kind = b"application/json"
                head = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Type: %s\r\n" % kind
                writer.write(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(visit, "127.0.0.1", 0, limit=1 << 24)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def answer(asked: bytes) -> bytes:
    lines = json.loads(asked)["messages"][-1]["content"].strip().split("\n")
    said = "\n".join(lines[1:-1])  # without the delimiters
    message = {"role": "assistant", "content": said}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [choice],
            "usage": usage,
        }
    ).encode()


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        main([float(size) for size in sys.argv[1:]] or [5.0])
