"""A job over pieces without a server: its prompt, its memory, its model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext

from engine_parts import Parts, Plain
from prompt_files import template

from gptkit.core.chat import AnswerDelta, ChatRequest, Event, Finished
from gptkit.exchange.budget import Budget
from gptkit.exchange.invocation import RetryPolicy, Runtime
from gptkit.text.pieces import Finding, Piece, PieceAnswer

PROMPT = template("description: d\nsystem: Shout.\n")


class Words:
    """A format of lines; `{x}` and 77 must stay, 5 should, and a line is halved between its words."""

    name = "words"
    endings = ()

    def recognises(self, head: str) -> bool:
        return True

    def pieces(self, lines: Iterable[str], token_limit: int) -> Iterator[Piece]:
        return (Piece(line, line.strip(), line=number) for number, line in enumerate(lines, 1))

    def restore(self, piece: Piece, answer: str) -> str:
        return answer + piece.source[len(piece.source.rstrip()) :]

    def findings(self, piece: Piece, answer: str) -> tuple[Finding, ...]:
        kinds = {"{x}": "placeholder", "77": "number", "5": "digits"}
        lost = [part for part in kinds if part in piece.text and part not in answer]
        return tuple(Finding(piece.line, kinds[part], f"{kinds[part]} '{part}' missing") for part in lost)

    def halves(self, piece: Piece) -> tuple[Piece, Piece] | None:
        words = piece.source.split(" ")
        if len(words) < 2:
            return None
        left = " ".join(words[: len(words) // 2]) + " "
        right = piece.source[len(left) :]
        return (
            piece._replace(source=left, text=left.strip()),
            piece._replace(source=right, text=right.strip()),
        )


class Kept:
    """A memory in memory."""

    def __init__(self) -> None:
        self.held: dict[bytes, PieceAnswer] = {}
        self.texts: list[str] = []

    def get(self, key: bytes, text: str = "", about: Mapping[str, str] | None = None) -> PieceAnswer | None:
        return self.held.get(key)

    def put(self, key: bytes, text: str, held: PieceAnswer, about: Mapping[str, str]) -> None:
        self.held[key] = held
        self.texts.append(text)

    def claim(self, key: bytes, pause: Callable[[float], object]) -> AbstractContextManager[None]:
        return nullcontext()


Answer = Callable[[str], str | Exception]


class Model:
    """A provider that answers each piece as a function of its text says; safe for threads."""

    def __init__(self, answer: Answer, delay: float = 0.0) -> None:
        self.asked: list[ChatRequest] = []
        self.most = 0
        self._answer = answer
        self._delay = delay
        self._running = 0
        self._lock = threading.Lock()

    def __call__(self, request: ChatRequest) -> Iterator[Event]:
        with self._lock:
            self.asked.append(request)
            self._running += 1
            self.most = max(self.most, self._running)
        try:
            if self._delay:
                time.sleep(self._delay)
            said = self._answer(request.text)
        finally:
            with self._lock:
                self._running -= 1
        if isinstance(said, Exception):
            raise said
        return iter((AnswerDelta(said), Finished("stop" if not said.endswith("~") else "length")))

    @property
    def texts(self) -> list[str]:
        return [request.text for request in self.asked]

    def runtime(self, budget: Budget | None = None) -> Runtime:
        parts = Parts(format=Plain(), policy=RetryPolicy(1, 0.0))
        return parts.runtime._replace(provider=self, now=time.monotonic, budget=budget or Budget())
