"""What a job over long input is given and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from gptkit.core.chat import Reply
from gptkit.core.errors import GptkitError
from gptkit.exchange.invocation import Invocation
from gptkit.jobs.options import Languages
from gptkit.text.pieces import Finding, Format, Piece, PieceAnswer

if TYPE_CHECKING:
    from gptkit.text.glossary import Glossary

How = Literal["through", "memory", "answer", "source"]
"""Where a piece's text comes from: nothing was to be done; an earlier answer; a new one; the source
itself, since no answer could be accepted."""

RECORD = "batches.db"
"""The file that tells which batches are under way; in the folder of data."""
DISCOUNT = 0.5
"""What a request of a batch costs of its price: https://platform.openai.com/docs/guides/batch."""


class Memory(Protocol):
    """Accepted answers of all jobs and processes."""

    def get(self, key: bytes, text: str = "", about: Mapping[str, str] | None = None) -> PieceAnswer | None:
        """By its key, or else what another tool made of the very text."""

    def put(self, key: bytes, text: str, held: PieceAnswer, about: Mapping[str, str]) -> None:
        """Raises nothing: what cannot be kept is asked for again some day."""

    def claim(self, key: bytes, pause: Callable[[float], object]) -> AbstractContextManager[None]:
        """Nobody else asks for this piece meanwhile; one who already does is waited for.

        `pause` waits for that many seconds; what it raises ends the waiting.
        """


class Job(NamedTuple):
    """`invocation` holds everything but the text. `fresh` asks again for what the memory has. `share` is
    what a request costs of its price."""

    invocation: Invocation
    format: Format
    memory: Memory | None = None
    glossary: Glossary | None = None
    workers: int = 4
    fresh: bool = False
    share: float = 1.0
    languages: Languages = Languages()


def about(job: Job) -> Mapping[str, str]:
    """What the memory keeps with an answer: how it came about."""
    invocation = job.invocation
    options = {name: str(value) for name, value in invocation.values.items()}
    languages = {"to": job.languages.target, "from": job.languages.source}
    named = {name: language for name, language in languages.items() if language}
    return {**options, **named, "prompt": invocation.template.name, "model": invocation.model}


class Done(NamedTuple):
    """A piece and what is written in its place.

    `reply` is the one that holds a new answer, `failure` what kept any answer from being used. What is wrong
    with the answer is the user's own decision where it `is_accepted`.
    """

    piece: Piece
    text: str
    how: How
    findings: tuple[Finding, ...] = ()
    reply: Reply | None = None
    failure: GptkitError | None = None
    is_accepted: bool = False

    @property
    def is_whole(self) -> bool:
        is_proved = self.is_accepted or not any(finding.level == "wrong" for finding in self.findings)
        return self.how != "source" and is_proved
