"""What batches are made with: the provider's Batch API, the record of what is under way, the memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple, Protocol

from gptkit.chat import OutputFormat, Reply, Request
from gptkit.documents.pieces import Format
from gptkit.engine.long.values import Memory
from gptkit.engine.work import Policy, Rejections
from gptkit.errors import GptkitError

Standing = Literal["under way", "defective", ""]
State = Literal["planned", "complete", "uploaded", "submitted"]
Row = tuple[bytes, bytes, str, str]
"""One piece of a shard: its key in the memory, its request line, the piece itself (JSON), and how its
answer is proved."""


class Batch(Protocol):
    """A batch as the provider tells of it."""

    @property
    def id(self) -> str: ...

    @property
    def status(self) -> str: ...

    @property
    def created(self) -> float: ...

    @property
    def files(self) -> tuple[str, ...]: ...

    @property
    def is_over(self) -> bool: ...

    @property
    def metadata(self) -> Mapping[str, str]: ...

    @property
    def problem(self) -> str: ...


class Result(Protocol):
    """What came for one request."""

    @property
    def custom_id(self) -> str: ...

    @property
    def reply(self) -> Reply | None: ...

    @property
    def failure(self) -> GptkitError | None: ...


class Office(Protocol):
    """The Batch API of one endpoint."""

    @property
    def most_requests(self) -> int: ...

    @property
    def most_bytes(self) -> int: ...

    def line(self, custom_id: str, request: Request) -> bytes: ...

    def upload(self, name: str, lines: Iterable[bytes]) -> str: ...

    def submit(self, file_id: str, metadata: Mapping[str, str]) -> Batch: ...

    def status(self, batch_id: str) -> Batch: ...

    def listed(self, limit: int) -> Iterable[Batch]: ...

    def results(self, files: Iterable[str]) -> Iterable[Result]: ...


class Shard(Protocol):
    """The pieces of one batch, or of what is to become one."""

    @property
    def id(self) -> str: ...

    @property
    def state(self) -> State: ...

    @property
    def created(self) -> float: ...

    @property
    def about(self) -> str: ...

    @property
    def file(self) -> str: ...

    @property
    def batch(self) -> str: ...

    @property
    def pieces(self) -> int: ...


class Record(Protocol):
    """What is under way. What it says is on disk before the next request leaves."""

    def alone(self) -> AbstractContextManager[None]: ...

    def begin(self, host: str, about: str, now: float) -> str: ...

    def add(self, shard: str, rows: Sequence[Row]) -> None: ...

    def note(self, shard: str, state: State, *, file: str = "", batch: str = "") -> None: ...

    def drop(self, shard: str) -> None: ...

    def settle(self, keys: Iterable[bytes], defective: Iterable[bytes], now: float) -> None: ...

    def shards(self, host: str | None = None) -> Sequence[Shard]: ...

    def lines(self, shard: str) -> Iterator[bytes]: ...

    def piece(self, shard: str, key: bytes) -> tuple[str, str] | None: ...

    def standing(self, key: bytes) -> Standing: ...


class Desk(NamedTuple):
    """`host` is the endpoint whose batches these are. `clock` gives Unix seconds, `kept` says whether the
    memory has written an answer, as the next process will see it."""

    office: Office
    record: Record
    host: str
    memory: Memory
    kept: Callable[[bytes], bool]
    rejections: Rejections
    format_named: Callable[[str], Format | None]
    output: Callable[[str, Mapping[str, object] | None], OutputFormat]
    policy: Policy
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    random: Callable[[], float]
