"""What a model reports in a lesson, and the files of courses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fake.received import Received
from fake.server import FakeServer
from learning_parts import NOTHING

COURSE = """\
subject: linear algebra
level: second year
topics:
  - name: eigenvectors
    mastery: 0.6
    seen: 2026-11-20
mistakes:
  - date: 2026-11-20
    topic: eigenvectors
    said: "A v = v A"
    wrong: the product does not commute
reviews:
  - front: What does A stretch?
    back: its eigenvectors
    topic: eigenvectors
  - front: What is a kernel?
    back: all vectors that A takes to 0
    due: 2999-01-01
"""


def update(**changes: object) -> str:
    return json.dumps(NOTHING | changes)


def check(**changes: object) -> str:
    verdict = {"other": False, "attempt": False, "gives_away": False, "reason": "", "question": "2x = 6"}
    return json.dumps(verdict | changes)


def mark(criterion: str, points: float, evidence: str, reason: str = "So it is.") -> dict[str, object]:
    return {"criterion": criterion, "points": points, "evidence": evidence, "reason": reason}


def grade(*marks: dict[str, object], feedback: str = "Go on.") -> str:
    return json.dumps({"marks": list(marks), "feedback": feedback})


def lesson(server: FakeServer, answer: str, **changes: object) -> None:
    """Queue an answer and the report after it."""
    server.say(answer)
    server.say(update(**changes))


def path(home: Path, name: str = "linear-algebra") -> Path:
    return home / "data" / "courses" / f"{name}.yaml"


def course(home: Path, text: str = COURSE, name: str = "linear-algebra") -> Path:
    file = path(home, name)
    file.parent.mkdir(parents=True, mode=0o700)
    file.write_text(text, encoding="utf-8")
    return file


def system(request: Received) -> str:
    return str(request.json["messages"][0]["content"])


def last(request: Received) -> str:
    return str(request.json["messages"][-1]["content"])


def told(request: Received) -> Any:
    """The data of a check, a report or a grade."""
    return json.loads(last(request))
