"""The pieces of a document, each worked on by itself, several at once, and handed on in their order."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from threading import Condition, Thread

from gptkit.documents.pieces import Piece
from gptkit.engine.long.asking import Surroundings
from gptkit.engine.long.gate import Abandoned, Gate, gated
from gptkit.engine.long.redo import done
from gptkit.engine.long.values import Done, Job
from gptkit.engine.work import Means
from gptkit.errors import GptkitError

AHEAD = 4
"""Pieces for each worker that are read ahead of the one that is awaited: memory does not grow with the
input, and a slow piece does not leave the others without work."""
LAST_CALL = 20.0
"""Seconds for requests that are under way when the job ends early: they are paid for."""
BEFORE = 300
"""Characters of the source before a piece that it is sent with."""
SETTLED = 40
"""Translations of short phrases that later pieces are told of, the latest ones."""
PHRASE = re.compile(r"^#{1,6}[ \t]+(.{1,60}?)[ \t]*#*$|\*\*([^*\n]{1,60})\*\*", re.MULTILINE)
"""Headings and bold words: where source and answer have as many, they correspond one by one."""


def mapped(pieces: Iterable[Piece], job: Job, means: Means) -> Generator[Done, None, None]:
    """Every piece with its text, in order, each as soon as it and all before it are there.

    Raises the first failure that ends the whole job, after what was done before that piece was
    handed on. Closing the iterator ends the job.
    """
    workshop = _Workshop(job, means)
    try:
        yield from workshop.run(pieces)
    finally:
        workshop.close()


class _Task:
    __slots__ = ("around", "done", "piece")

    def __init__(self, piece: Piece, around: str) -> None:
        self.piece = piece
        self.around = around
        self.done: Done | None = None


class _Workshop:
    """Threads that take pieces from a queue; the caller's thread reads and hands on."""

    def __init__(self, job: Job, means: Means) -> None:
        self._job = job
        self._gate = Gate(job.workers, means.now)
        provider = gated(means.provider, self._gate, means.now)
        self._means = means._replace(provider=provider, sleep=self._gate.sleep)
        self._waiting: deque[_Task] = deque()
        self._changed = Condition()
        self._failure: BaseException | None = None
        self._closed = False
        self._working = 0
        self._threads: list[Thread] = []
        self._settled: dict[str, str] = {}

    def run(self, pieces: Iterable[Piece]) -> Iterator[Done]:
        ahead: deque[_Task] = deque()
        before = ""
        for piece in pieces:
            task = _Task(piece, before)
            before = (before + piece.text)[-BEFORE:] if piece.text else before
            ahead.append(task)
            self._give(task)
            if len(ahead) >= AHEAD * self._job.workers:
                yield self._finished(ahead.popleft())
            while ahead and ahead[0].done is not None:
                yield self._finished(ahead.popleft())
        while ahead:
            yield self._finished(ahead.popleft())

    def close(self) -> None:
        """Nothing new is begun; what is under way is waited for if the job failed, so that it is kept."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._gate.close()
            self._changed.notify_all()
            if isinstance(self._failure, GptkitError):
                self._changed.wait_for(lambda: not self._working, LAST_CALL)

    def _give(self, task: _Task) -> None:
        with self._changed:
            self._waiting.append(task)
            self._changed.notify()
        if len(self._threads) < self._job.workers and len(self._waiting) > 0:
            thread = Thread(target=self._work, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _finished(self, task: _Task) -> Done:
        with self._changed:
            self._changed.wait_for(lambda: task.done is not None or self._failure is not None)
            if task.done is None:  # what is under way is paid for
                self._changed.wait_for(lambda: task.done is not None or not self._working, LAST_CALL)
            if task.done is not None:
                self._settle(task.done)
                return task.done
            assert self._failure is not None  # noqa: S101 - what else was waited for
            raise self._failure

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                task = self._waiting.popleft()
                around = Surroundings(task.around, tuple(self._settled.items()))
                self._working += 1
            try:
                task.done = done(self._job, task.piece, around, self._means)
            except Abandoned:
                pass
            except BaseException as error:
                self._fail(error)
            finally:
                with self._changed:
                    self._working -= 1
                    self._changed.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._failure = self._failure or error
            self._waiting.clear()
            self._gate.close()

    def _settle(self, one: Done) -> None:
        """Headings and bold words whose translations are accepted."""
        if one.how not in ("answer", "memory") or one.findings:
            return
        sources, answers = (_phrases(text) for text in (one.piece.source, one.text))
        if len(sources) != len(answers):
            return
        for source, answer in zip(sources, answers, strict=True):
            if source != answer:
                self._settled.pop(source, None)
                self._settled[source] = answer
        for phrase in list(self._settled)[:-SETTLED]:
            del self._settled[phrase]


def _phrases(text: str) -> list[str]:
    return [found[1] or found[2] for found in PHRASE.finditer(text)]
