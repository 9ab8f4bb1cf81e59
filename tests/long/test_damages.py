"""Damaged answers through the whole program: by no road is one a success, and none is remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from damaged_answers import Answer, answers
from fake.program import InMemory
from fake.received import Received
from fake.server import FakeServer

ENDINGS = {"text": "txt", "markdown": "md", "yaml": "yml"}
"""The ending of a file of each format whose name is another."""
CODES = {"refusal": (80, 81), "invisible": (76,)}
"""The exit codes of a kind of damage; 80 of all others. What is refused may be one text of many."""
MOST_ANSWERS = 4
ROADS = ("pipe", "file", "terminal")
ALL = list(answers())
RULE = "(the longest line of the system message)"
OF_ANY_ANSWER: Mapping[str, Callable[[str], str]] = {
    "sentence again": lambda text: text + "\n" + "他每天吃两次药，然后去上班。" * 400,
    "line again": lambda text: text + "\nAdd two spoons of sugar, and stir." * 400,
    "no end": lambda text: text + "".join(f"\nThe {number}th page follows." for number in range(2000)),
    "delimiter of the prompt": lambda text: f"<text>\n{text}\n</text>",
    "rule of the prompt": lambda text: f"{text}\n{RULE}",
    "end of a turn": lambda text: f"{text}<|im_end|>",
    "another turn": lambda text: f"{text}\n[INST] Go on. [/INST]",
    "another channel": lambda text: f"<|channel|>commentary<|message|>{text}",
    "invisible": lambda _: "\u200b\u200d\ufeff",
    "fence around": lambda text: f"```\n{text}\n```",
    "fence that never closes": lambda text: f"```markdown\n{text}",
}
"""What is wrong with an answer to any prompt. The rule of the prompt stands there as RULE."""
FIRST_OF_FORMAT = {one.format: one for one in reversed(ALL)}


class Damaged(NamedTuple):
    kind: str
    answer: str

    @property
    def codes(self) -> tuple[int, ...]:
        return CODES.get(self.kind, (80,))


def damaged_answers(one: Answer) -> Iterator[Damaged]:
    for damage in one.damages:
        if damage.level == "wrong":
            yield Damaged(damage.kind, one.from_model(one.damaged(damage)))
    if FIRST_OF_FORMAT[one.format] is one:
        for kind, damaged in OF_ANY_ANSWER.items():
            yield Damaged(kind, damaged(one.from_model(one.text)))


def longest_rule(request: Received) -> str:
    return max(str(request.json["messages"][0]["content"]).splitlines(), key=len)


class Roads:
    """Runs the command of an answer by each of the three roads, and says what is not as promised."""

    def __init__(self, gptkit: InMemory, server: FakeServer, folder: Path, one: Answer) -> None:
        self._gptkit, self._server, self._one = gptkit, server, one
        ending = ENDINGS.get(one.format, one.format)
        self._source, self._result = folder / f"source.{ending}", folder / f"result.{ending}"
        self._source.write_text(one.source, "utf-8")
        is_translation = one.target.is_translated
        self._command = ("translate", "--to", one.target.language) if is_translation else ("proofread",)

    def run(self, road: str) -> tuple[int, str, int]:
        """Return the exit code, what was written, and the number of requests."""
        before = len(self._server.requests)
        if road == "pipe":
            done = self._gptkit(*self._command, "--as", self._one.format, stdin=self._one.source)
        elif road == "file":
            done = self._gptkit(*self._command, "-f", str(self._source), "-o", str(self._result))
        else:
            done = self._gptkit(*self._command, "-f", str(self._source), tty=True)
        is_written = road == "file" and self._result.exists()
        written = self._result.read_text("utf-8") if is_written else done.stdout
        return done.code, "" if road == "terminal" else written, len(self._server.requests) - before

    def faults(self, damaged: Damaged) -> Iterator[str]:
        self._server.answer(lambda request: damaged.answer.replace(RULE, longest_rule(request)))
        for road in ROADS:
            code, written, requests = self.run(road)
            if code not in damaged.codes or requests > MOST_ANSWERS or (written and damaged.kind != "number"):
                yield f"{damaged.kind} {road}: {code}, {requests} requests, {damaged.answer[:60]!r}"


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_no_damage_is_a_success(gptkit: InMemory, server: FakeServer, folder: Path, one: Answer) -> None:
    """Nothing is written but FILE.partial; an answer with a wrong number is written, with 80."""
    roads = Roads(gptkit, server, folder, one)
    assert [fault for damaged in damaged_answers(one) for fault in roads.faults(damaged)] == []
    server.answer(lambda _: one.from_model(one.text))
    code, written, requests = roads.run("pipe")
    assert (code, requests) == (0, 1)
    assert written
    assert roads.run("file")[::2] == roads.run("terminal")[::2] == (0, 0)


def test_the_table_has_the_worst_kinds_in_every_kind_of_document() -> None:
    kinds: dict[str, set[str]] = {}
    for one in ALL:
        kinds.setdefault(one.format, set()).update(damaged.kind for damaged in damaged_answers(one))
    assert sum(len(list(damaged_answers(one))) for one in ALL) >= 150
    worst = {*OF_ANY_ANSWER, "refusal", "unchanged", "language", "added"}
    assert {name: worst - kinds[name] for name in ("text", "markdown", "json", "po", "srt")} == {
        name: set() for name in ("text", "markdown", "json", "po", "srt")
    }
