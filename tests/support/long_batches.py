"""A provider of batches and the job that submits to it."""

from __future__ import annotations

from pathlib import Path

from engine_parts import Parts
from fake.batches import FakeBatches
from fake.server import FakeServer
from long_models import PROMPT, Kept, Words
from provider_calls import endpoint

from gptkit.exchange.invocation import Invocation, RetryPolicy
from gptkit.jobs.batch.collect import CollectedBatch, collect_batches
from gptkit.jobs.batch.queue import BatchQueue
from gptkit.jobs.batch.submit import BatchContext, SubmissionCounts, submit_missing
from gptkit.jobs.job import Job
from gptkit.jobs.missing import missing_answers
from gptkit.provider.batches import Batches

TEXT = "".join(f"line {number}\n" for number in range(1, 8))


class Office(Batches):
    """The Batch API with small limits."""

    most_requests = 3


class World:
    """One user's machine, and the provider."""

    def __init__(self, server: FakeServer, folder: Path) -> None:
        self.fake = FakeBatches(server)
        self.server = server
        self.folder = folder
        self.memory = Kept()
        self.lost: set[bytes] = set()
        """Keys that the memory could not write."""
        self.parts = Parts()
        self.waits: list[float] = []
        self.clock = 1_767_225_600.0
        self.fresh = False
        self.attempts = 1

    def submit(self, text: str = TEXT) -> SubmissionCounts:
        """As one run of the program: nothing but the disk outlives it."""
        context = self.context()
        job = self.job()
        try:
            with context.queue.lock():
                pieces = job.format.pieces(text.splitlines(True), 100)
                lacking = missing_answers(pieces, job, self.parts.format)
                return submit_missing(lacking, job, self.parts.runtime, context)
        finally:
            context.queue.close()

    def fetch(self) -> list[CollectedBatch]:
        context = self.context()
        try:
            with context.queue.lock():
                return list(collect_batches(context))
        finally:
            context.queue.close()

    def job(self) -> Job:
        return Job(Invocation(PROMPT, "m"), Words(), self.memory, fresh=self.fresh)

    def context(self) -> BatchContext:
        return BatchContext(
            client=Office(endpoint(self.server.url)),
            queue=BatchQueue(self.folder / "batches.db"),
            host="here",
            memory=self.memory,
            is_stored=lambda key: key in self.memory.held and key not in self.lost,
            rejections=self.parts,
            format_named=lambda name: Words() if name == "words" else None,
            policy=RetryPolicy(self.attempts),
            clock=lambda: self.clock,
            sleep=self.waits.append,
            random=lambda: 1.0,
        )

    @property
    def submitted(self) -> list[str]:
        """The texts in all batches that were ever made, in order."""
        return [
            line["body"]["messages"][-1]["content"]
            for batch in self.fake.made
            for line in self.fake.lines(batch)
        ]

    @property
    def known(self) -> list[str]:
        return sorted(held.answer for held in self.memory.held.values())

    def states(self) -> list[str]:
        record = BatchQueue(self.folder / "batches.db")
        found: list[str] = [shard.state for shard in record.shards()]
        record.close()
        return found


LINES = TEXT.splitlines()


ANSWERS = sorted(line.upper() for line in LINES)
