"""What tools cost: the way to the first request, memory for a large output, servers that never answer.

Takes turns between `gptkit ask` (the baseline) and tool files against a loopback server:

    .venv-test/bin/python tests/benchmarks/tools.py [ROUNDS]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from fake.server import FakeServer
from timing import PROGRAM, environ, median, run, table
from tool_parts import answering, calling

from gptkit.templates.cache import SETTLED

SUPPORT = Path(__file__).resolve().parents[1] / "support"
LARGE = 2_500_000
"""Bytes of the OpenAPI description."""
COMMAND = (
    "    {name}: {{description: Show a note., run: [cat, --, '{{n}}'], arguments: {{n: {{}}}}, risk: read}}\n"
)
SERVER = (
    "    {name}: {{run: [{python}, '{{project}}/server.py'], select: [read_note], "
    "risk: {{read_note: read}}}}\n"
)


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as home, FakeServer() as server:
        variables = environ(OPENAI_BASE_URL=server.url, GPTKIT_HOME=home)
        os.chdir(home)  # the servers write down their calls in the folder where they run
        folder = Path(home) / "config" / "prompts"
        folder.mkdir(parents=True)
        files = {"ten tools": _ten(folder), "128 operations": _many(folder)}
        for name in files.values():
            run([PROGRAM, "prompts", "trust", name], variables)
        time.sleep(SETTLED / 1e9)  # a file that has just been written is parsed anew
        print(_starts(server, rounds, variables, files), end="\n\n")
        print(_memory(server, folder, variables), end="\n\n")
        print(_silence(server, folder, variables))


def _description(count: int, size: int) -> dict[str, Any]:
    """An OpenAPI description with operations, padded to a size."""
    schema = {"type": "object", "properties": {f"field{n}": {"type": "string"} for n in range(8)}}
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}}}
    paths = {
        f"/items{n}/{{id}}": {
            "post": {
                "operationId": f"change{n}",
                "summary": f"Change an item of the kind {n}.",
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "requestBody": body,
            }
        }
        for n in range(count)
    }
    padding = {f"Unused{n}": {"description": "x" * 1000} for n in range(size // 1020)}
    return {"openapi": "3.0.3", "paths": paths, "components": {"schemas": {"Item": schema, **padding}}}


def _ten(folder: Path) -> str:
    """A file with ten tools: five commands, two MCP servers, three operations of a large description."""
    (folder / "server.py").write_text((SUPPORT / "mcp_server.py").read_text())
    (folder / "large.json").write_text(json.dumps(_description(40, LARGE)))
    commands = "".join(COMMAND.format(name=f"look{n}") for n in range(5))
    servers = "".join(SERVER.format(name=f"notes{n}", python=sys.executable) for n in range(2))
    (folder / "ten.yaml").write_text(
        f"description: Ten tools.\ntools:\n  commands:\n{commands}  mcp:\n{servers}  openapi:\n"
        "    api: {file: large.json, server: 'https://api.example', select: [change1, change2, change3]}\n"
    )
    return "ten"


def _many(folder: Path) -> str:
    (folder / "many.json").write_text(json.dumps(_description(128, 0)))
    names = ", ".join(f"change{n}" for n in range(128))
    (folder / "many.yaml").write_text(
        "description: Many operations.\ntools:\n  openapi:\n"
        f"    api: {{file: many.json, server: 'https://api.example', select: [{names}]}}\n"
    )
    return "many"


def _starts(server: FakeServer, rounds: int, variables: dict[str, str], files: dict[str, str]) -> str:
    """Seconds from the start of the process to its request on the wire."""
    names = {"`gptkit ask`": "ask", **files}
    wire: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for name, command in names.items():
            if command == "ask":
                server.say("Hello.")
            else:
                server.queue(answering("structured", "Hello."))
            done = run([PROGRAM, command, "Hello"], variables)
            if number:  # the first round only warms the caches
                wire[name].append(server.requests[-1].time - done.start)
    baseline = median(wire["`gptkit ask`"])
    rows = [
        [name, f"{median(values) * 1000:.0f} ms", f"{median(values) / baseline:.2f}"]
        for name, values in wire.items()
    ]
    return table(["a trusted tool file", "request on the wire", "ratio"], rows)


def _memory(server: FakeServer, folder: Path, variables: dict[str, str]) -> str:
    """The most memory of a run whose tool prints little or much, and what the model saw of it."""
    file = "description: x\ntools:\n  commands:\n" + COMMAND.format(name="look")
    (folder / "notes.yaml").write_text(file)
    rows = []
    for name, size in (("10 bytes", 10), ("30 MB", 30_000_000)):
        path = folder / "note.txt"
        path.write_bytes(b"x" * 79 + b"\n" if size < 80 else (b"x" * 79 + b"\n") * (size // 80))
        server.queue(calling("structured", ("look", {"n": str(path)})), answering("structured", "Seen."))
        memory = _peak([PROGRAM, "notes", "Hello"], variables)
        seen = len(server.requests[-1].json["messages"][-1]["content"].encode())
        rows.append([name, f"{memory / 1024:.1f} MB", f"{seen:,} bytes"])
    return table(["a tool prints", "peak memory", "the model sees"], rows)


def _peak(command: list[str], variables: dict[str, str]) -> int:
    """KiB that the process itself takes at most."""
    process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss


def _silence(server: FakeServer, folder: Path, variables: dict[str, str]) -> str:
    """Seconds until a server that never answers is an error, with a limit of 3 s."""
    text = (SUPPORT / "mcp_server.py").read_text()
    path = folder / "server.py"
    path.write_text(text)
    (folder / "silent.yaml").write_text(
        "description: x\ntools:\n  mcp:\n"
        + SERVER.format(name="n", python=sys.executable).replace("select", "start: 3, timeout: 3, select")
    )
    run([PROGRAM, "prompts", "trust", "silent"], variables)
    rows = []
    for name, how, code in (("the handshake", "silent", 75), ("a call", "call silent", 0)):
        path.write_text(text.replace('sys.argv[1] if len(sys.argv) > 1 else "good"', repr(how)))
        server.queue(calling("structured", ("n_read_note", {"name": "a"})))
        if code == 0:
            server.queue(answering("structured", "Silent."))
        began = time.monotonic()
        run([PROGRAM, "silent", "Hello"], variables, code)
        rows.append([name, f"{time.monotonic() - began:.1f} s"])
    return table(["a server that never answers (limit 3 s)", "the run ends after"], rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
