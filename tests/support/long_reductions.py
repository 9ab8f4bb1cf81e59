"""A text that becomes one result: its parts, its job."""

from __future__ import annotations

import random
import re

from fake.received import Received
from long_models import PROMPT, Kept

from gptkit.exchange.invocation import Invocation
from gptkit.jobs.job import Job
from gptkit.text.formats.plain import PlainText
from gptkit.text.pieces import Piece

ROOM = 200


def numbers(text: str) -> str:
    """A summary: which numbers are in a text."""
    return " ".join(re.findall(r"m\d+m", text)) or "none"


def is_last(request: Received) -> bool:
    """Whether it asks for the result of the whole document."""
    return "Write the one result for the document" in request.json["messages"][0]["content"]


def book(paragraphs: int, marked: int = 9) -> str:
    """A paragraph in nine has a mark: what a summary keeps is much shorter than the text."""
    chance = random.Random(paragraphs)
    words = "alpha beta gamma delta epsilon zeta eta theta iota kappa".split()  # noqa: SIM905
    lines = (
        " ".join(chance.choices(words, k=40)) + (f" m{number}m" if number % marked == 0 else "")
        for number in range(paragraphs)
    )
    return "".join(f"{line}.\n\n" for line in lines)


def pieces(text: str) -> list[Piece]:
    return list(PlainText().pieces(text.splitlines(keepends=True), ROOM))


def job(memory: Kept | None = None, fresh: bool = False, workers: int = 4) -> Job:
    return Job(Invocation(PROMPT, "gpt-0"), PlainText(), memory, None, workers, fresh)
