"""The values of a job on long input: the job, its memory, and the result of a piece."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from gptkit.core.chat import Reply
from gptkit.core.errors import GptkitError
from gptkit.exchange.invocation import Invocation
from gptkit.jobs.options import Languages
from gptkit.jobs.server_record import ServerRecord
from gptkit.text.pieces import Finding, Format, Piece, PieceAnswer

if TYPE_CHECKING:
    from gptkit.text.glossary import Glossary

Origin = Literal["through", "memory", "answer", "source"]
"""Where a piece's text comes from: nothing was to be done; an earlier answer; a new one; the source
itself, since no answer could be accepted."""

BATCH_FILE = "batches.db"
"""The name of the file in the folder of data that holds the queue of batches."""
DISCOUNT = 0.5
"""The price of a request in a batch, as a part of its price:
https://platform.openai.com/docs/guides/batch."""


class Memory(Protocol):
    """Accepted answers of all jobs and processes."""

    def get(self, key: bytes, text: str = "", about: Mapping[str, str] | None = None) -> PieceAnswer | None:
        """Return the answer under a key; else, given `text` and `about`, another tool's translation; else
        None."""

    def put(self, key: bytes, text: str, answer: PieceAnswer, about: Mapping[str, str]) -> None:
        """Store an answer; raises nothing, since an answer that is not stored is only asked for again."""

    def claim(self, key: bytes, pause: Callable[[float], object]) -> AbstractContextManager[None]:
        """Keep other threads and processes from asking for a piece; waits for one that already does.

        `pause` waits for some seconds; what it raises ends the waiting.
        """


class Job(NamedTuple):
    """A job on the pieces of documents. `invocation` holds everything but the text.

    `fresh` asks again for answers that the memory has. `price_factor` is by what the price of a request
    changes.
    """

    invocation: Invocation
    format: Format
    memory: Memory | None = None
    glossary: Glossary | None = None
    workers: int = 4
    fresh: bool = False
    price_factor: float = 1.0
    languages: Languages = Languages()
    server: ServerRecord | None = None


def answer_metadata(job: Job) -> Mapping[str, str]:
    """Return what the memory stores with an answer: prompt, model, languages and options."""
    invocation = job.invocation
    options = {name: str(value) for name, value in invocation.values.items()}
    languages = {"to": job.languages.target, "from": job.languages.source}
    language_options = {name: language for name, language in languages.items() if language}
    return {**options, **language_options, "prompt": invocation.template.name, "model": invocation.model}


class PieceResult(NamedTuple):
    """A piece and the text that is written in its place.

    `reply` holds a new answer, `failure` is why no answer could be used. If the answer `is_accepted`, the
    user has decided to take it although something is wrong with it.
    """

    piece: Piece
    text: str
    origin: Origin
    findings: tuple[Finding, ...] = ()
    reply: Reply | None = None
    failure: GptkitError | None = None
    is_accepted: bool = False

    @property
    def is_whole(self) -> bool:
        is_proved = self.is_accepted or not any(finding.level == "wrong" for finding in self.findings)
        return self.origin != "source" and is_proved
