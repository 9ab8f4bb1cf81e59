"""Tools under test: files that declare them, a model told what to call, a person at a terminal."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asking import settings
from fake.program import Result, Surroundings
from fake.replies import Reply, said
from fake.server import FakeServer

TRAVELS = ("tools", "structured")
"""The ways in which calls travel; every rule holds on both."""
DETACHED = (
    sys.executable,
    "-c",
    "import os, sys; os.setsid(); os.execv(sys.executable, [sys.executable, '-m', 'gptkit', *sys.argv[1:]])",
)
"""gptkit without a controlling terminal, wherever the tests run."""
PLAIN = """\
description: Notes in files.
tools:
  commands:
    look:
      description: Show a note.
      run: [cat, --, "{name}"]
      arguments: {name: {help: Name of the note.}}
      risk: read
    note:
      description: Write a note.
      run: [sh, "{project}/note.sh", --, "{name}", "{text}"]
      arguments: {name: {pattern: "[a-z0-9.]+"}, text: {}}
      risk: write
    remove:
      description: Remove a note.
      run: [rm, --, "{name}"]
      arguments: {name: {}}
      risk: destructive
"""
NOTE_SCRIPT = 'shift\nprintf "%s" "$2" > "$1"\n'


def calling(travel: str, *calls: tuple[str, Any], **options: Any) -> Reply:
    """The model asks for calls of tools, given as name and arguments."""
    if travel == "tools":
        return said(calls=calls, **options)
    steps = [{"tool": name, "arguments": given} for name, given in calls]
    return said(json.dumps({"step": steps[0] if len(steps) == 1 else steps}, ensure_ascii=False), **options)


def answering(travel: str, text: str, **options: Any) -> Reply:
    """The model ends with a text."""
    if travel == "tools":
        return said(text, **options)
    return said(json.dumps({"step": {"tool": "answer", "text": text}}, ensure_ascii=False), **options)


def told(server: FakeServer, number: int = -1) -> list[str]:
    """What the model was told of its calls, in a request (the last one by default)."""
    messages = server.requests[number].json["messages"]
    last = max(i for i, message in enumerate(messages) if message["role"] == "assistant")
    return [str(message["content"]) for message in messages[last + 1 :]]


@dataclass
class Run:
    """The result of a run in memory, and what the person was asked."""

    result: Result
    raw: bytes
    questions: list[str] = field(default_factory=list)

    @property
    def code(self) -> int:
        return self.result.code

    @property
    def record(self) -> Any:
        return json.loads(self.result.stdout)


@dataclass
class Tools:
    """gptkit with tool files, a server and a person who types `answers`, question by question."""

    around: Surroundings
    server: FakeServer
    travel: str

    def __post_init__(self) -> None:
        settings(self.around.home, f"calls: {self.travel}\n")

    def file(self, content: str = PLAIN, name: str = "notes") -> Path:
        """A tool file in the user's folder, which is trusted as it is."""
        folder = self.around.home / "config" / "prompts"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "note.sh").write_text(NOTE_SCRIPT)
        path = folder / f"{name}.yaml"
        path.write_text(content, "utf-8")
        return path

    def call(self, *calls: tuple[str, Any], **options: Any) -> None:
        self.server.queue(calling(self.travel, *calls, **options))

    def answer(self, text: str = "Done.", **options: Any) -> None:
        self.server.queue(answering(self.travel, text, **options))

    def __call__(
        self,
        *args: str,
        answers: Sequence[str] = (),
        stdin: str | bytes | None = None,
        tty: bool = False,
        env: dict[str, str | None] | None = None,
        key: str | None = "sk-test-canary",
    ) -> Run:
        from gptkit.__main__ import main
        from gptkit.core.terminal import memory_terminal

        data = stdin.encode() if isinstance(stdin, str) else stdin
        environ = self.around.environ({"PATH": os.environ["PATH"], **(env or {})}, key)
        terminal = memory_terminal(stdin=data, environ=environ, terminal=tty)
        terminal.answers = [*answers]
        code = main(list(args), terminal)
        text = terminal.output.decode("utf-8", "replace").encode()
        return Run(Result(code, text, terminal.errors), terminal.output, terminal.questions)

    def logged(self) -> list[dict[str, Any]]:
        """The rows of the audit log."""
        path = self.around.home / "data" / "actions.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute("SELECT * FROM actions ORDER BY id")]
