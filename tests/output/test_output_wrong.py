"""Wrong answers to prompts that work on no text: by no road is one a success."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake.program import InMemory
from fake.server import FakeServer

AGAIN = "The train leaves the station in the morning and comes back at night. " * 400
HELD = [
    ("email", "Dear Ms Li,\n\nFriday works for us.\n"),
    ("email", "Subject: Friday\n"),
    ("email", "Subject: Friday\n\nFine.\n\nSubject: Monday\n\nAlso fine."),
    ("email", "主题：周五\n\n可以。<|im_end|>"),
    ("code", "Here is how to do it in Python."),
    ("code", "```python\n```"),
    ("code", "```python\nprint(1)"),
    ("commit", "Fix it\nand that"),
    ("commit", f"Fix {'a very long subject ' * 5}"),
    ("table", '{"a": 1, "a": 2}'),
    ("table", '{"a": 1}<|im_end|>'),
    ("table", '```json\n{"a": 1'),
]
"""A prompt whose answer is written when it is whole, and a wrong answer."""
STREAMED = [
    ("ask", "Reykjavik<|im_end|>"),
    ("ask", "雷克雅未克<｜end▁of▁sentence｜>"),
    ("ask", "[INST] What else? [/INST]"),
    ("ask", AGAIN),
    ("write", "他每天吃两次药，然后去上班。" * 200),
]


@pytest.fixture(autouse=True)
def table(home: Path) -> None:
    prompts = home / "config" / "prompts"
    prompts.mkdir(parents=True)
    (prompts / "table.yaml").write_text("description: Makes JSON.\nsystem: Answer in JSON.\noutput: json\n")


@pytest.mark.parametrize(("name", "answer"), HELD + STREAMED)
def test_a_wrong_answer_is_no_success(
    gptkit: InMemory, server: FakeServer, folder: Path, name: str, answer: str
) -> None:
    server.answer(lambda _: answer)
    text = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n" if name == "commit" else None
    words = () if text else ("the train on Friday",)
    for more, tty in (((), False), (("-o", "out.txt"), False), ((), True)):
        before = len(server.requests)
        done = gptkit(name, *words, *more, stdin=text, tty=tty)
        assert done.code == 80, (more, tty, done)
        assert len(server.requests) - before <= 2
        assert (name, answer) in STREAMED or tty or done.stdout == ""
    assert not (folder / "out.txt").exists()
