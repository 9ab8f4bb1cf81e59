"""Runs the program and says what it loaded and opened."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fake.program import AsProcess

WATCHED = """
import json, os, sys
opened = []
sys.addaudithook(lambda event, what: opened.append(str(what[0])) if event == "open" else None)
sys.argv[0] = "gptkit"
from gptkit.__main__ import entry_point
try:
    entry_point()
except SystemExit as stop:
    code = stop.code
with open(os.environ["REPORT"], "w") as file:
    json.dump({"code": code, "modules": sorted(sys.modules), "opened": opened}, file)
"""


class Watch:
    """Runs the program and tells what it loaded and which prompt files it opened."""

    def __init__(self, run: AsProcess, report: Path) -> None:
        self._run = run
        self._report = report

    def __call__(self, *words: str, env: dict[str, str] | None = None) -> tuple[int, set[str], list[str]]:
        command = (sys.executable, "-c", WATCHED)
        self._run(*words, env={**(env or {}), "REPORT": str(self._report)}, command=command)
        found = json.loads(self._report.read_text())
        prompts = [Path(path).name for path in found["opened"] if path.endswith((".yaml", ".yml"))]
        return found["code"], set(found["modules"]), prompts
