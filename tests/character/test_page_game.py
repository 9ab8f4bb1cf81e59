"""The game loop of docs/character.md is run as it stands there, against the fake."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from fake.program import Surroundings
from fake.server import FakeServer
from fake.waiting import SOON

PAGE = (Path(__file__).parents[2] / "docs" / "character.md").read_text("utf-8")
CARD = re.compile(r"```yaml\n(# guard.yaml\nname: Holt.*?)```", re.DOTALL)
LOOP = re.compile(r"```python\n(# game.py\nimport json\nimport subprocess.*?)```", re.DOTALL)


def test_the_game_is_played_to_its_end(around: Surroundings, server: FakeServer) -> None:
    card, loop = CARD.search(PAGE), LOOP.search(PAGE)
    assert card
    assert loop
    (around.folder / "guard.yaml").write_text(card[1], "utf-8")
    (around.folder / "game.py").write_text(loop[1], "utf-8")
    environ = around.process_environ({}, "sk-test")
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    server.say(json.dumps(reply("Go home.", "calm", [], 5)))
    server.say("no JSON", times=2)
    server.say(json.dumps(reply("Quick, then.", "ashamed", ["open"], 2)))
    done = subprocess.run(
        [sys.executable, "game.py"],
        cwd=around.folder,
        env=environ,
        input="Let me in.\nHm?\nThree coins, and no word of the smuggler.\n",
        capture_output=True,
        encoding="utf-8",
        timeout=SOON,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout.split("> ")[1:] == [
        "Holt (calm): Go home. You have 5 coins.\n",
        "Holt is lost in thought. the answer is not JSON: unexpected 'no JSON' at line 1, column 1\n",
        "Holt (ashamed): Quick, then. You have 2 coins.\nThe gate opens.\n",
    ]
    assert "a cart without lights" in server.requests[-1].json["messages"][0]["content"]


def reply(say: str, emotion: str, actions: list[str], purse: int) -> dict[str, object]:
    return {"say": say, "emotion": emotion, "actions": actions, "state": {"purse": purse}}
