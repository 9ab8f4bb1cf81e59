"""The provider's Batch API: many requests in one file, answered within a day and at a lower price."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, cast

from gptkit.core.chat import AnswerDelta, ChatRequest, Endpoint, Finished, ReasoningDelta, RefusalDelta, Reply
from gptkit.core.errors import (
    CannotWriteError,
    DataError,
    GptkitError,
    InternalError,
    ProtocolError,
    TryAgainError,
)
from gptkit.core.sanitize import one_line
from gptkit.provider.exchange import Exchange

if TYPE_CHECKING:
    from typing import IO

    import openai


_UNANSWERED = frozenset({"batch_expired", "batch_cancelled", "request_cancelled"})


class Result(NamedTuple):
    """What came for one request: a reply or a failure. `custom_id` is empty for a line that tells none."""

    custom_id: str
    reply: Reply | None
    failure: GptkitError | None = None


def result(line: bytes, endpoint: Endpoint) -> Result:
    """Of one line; a damaged one spoils no other."""
    from gptkit.provider.errors import fault

    exchange = Exchange(endpoint, "")
    exchange.sought, exchange.billable = "model", False
    exchange.answered({})
    custom_id = ""
    try:
        record = json.loads(line)
        if not isinstance(record, dict):
            raise ProtocolError("malformed answer: a result is not an object")
        custom_id = text_of(record.get("custom_id"))
        return Result(custom_id, _reply(record, exchange))
    except Exception as error:
        failure = fault(error, exchange)
    if isinstance(failure, InternalError):
        raise failure
    return Result(custom_id, None, failure)


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def _reply(record: Mapping[str, object], exchange: Exchange) -> Reply:
    from gptkit.provider.errors import reported
    from gptkit.provider.exchange import StatusError

    response, error = record.get("response"), record.get("error")
    if isinstance(response, dict):
        exchange.request_id = one_line(text_of(response.get("request_id")), 100)
        status, body = response.get("status_code", 200), response.get("body")
        if isinstance(status, int) and status >= 400:
            raise StatusError(status, body.get("error", body) if isinstance(body, dict) else body, {})
        if isinstance(body, dict) and body.get("error") and not body.get("choices"):
            raise reported(body["error"], exchange)
        return _completion(body, exchange)
    if isinstance(error, dict) and error.get("code") in _UNANSWERED:
        said = one_line(text_of(error.get("message")) or str(error["code"]))
        raise TryAgainError(f"not answered before the batch ended: {said}")
    if error:
        raise reported(error, exchange)
    raise ProtocolError("malformed answer: a result without a response")


def _completion(body: object, exchange: Exchange) -> Reply:
    """As an answer that was asked for by itself and not streamed."""
    from gptkit.provider.events import events

    exchange.done = True
    parts: dict[type, list[str]] = {AnswerDelta: [], RefusalDelta: [], ReasoningDelta: []}
    end = Finished(None)
    for event in events([body], exchange):
        if isinstance(event, Finished):
            end = event
        else:
            parts[type(event)].append(event.text)
    return Reply(
        text="".join(parts[AnswerDelta]),
        reason=end.reason,
        refusal="".join(parts[RefusalDelta]),
        reasoning="".join(parts[ReasoningDelta]),
        usage=end.usage,
        model=end.model,
        request_id=end.request_id,
        response=end.response,
    )


PATH = "/v1/chat/completions"
"""What the requests of a batch ask for; the name is the API's own, whatever the base URL is."""
_PAGE = 100
"""Batches on one page of the list at most (the same reference, `limit`)."""
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})


class Batch(NamedTuple):
    """`created` and `expires` are in Unix seconds, 0 where the server does not say; `problem` is why a
    batch was not taken up."""

    id: str
    status: str
    created: float = 0.0
    expires: float = 0.0
    total: int = 0
    completed: int = 0
    failed: int = 0
    output_file: str = ""
    error_file: str = ""
    metadata: Mapping[str, str] = {}
    problem: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """Those that hold results, by their ids."""
        return tuple(one for one in (self.output_file, self.error_file) if one)

    @property
    def is_over(self) -> bool:
        """No more answers will come."""
        return self.status in _ENDED


class Batches:
    """The batches of one endpoint. Each call sends one HTTP request, once, but for `listed` and `results`,
    which send one for each page and file. Every failure is a GptkitError."""

    most_requests = 50_000
    most_bytes = 100 * 10**6
    """Of one input file: half of what https://platform.openai.com/docs/api-reference/batch/create allows.
    Answers are about as long as their requests, and a file of answers has a cap as well; some servers
    still have the older limit of 100 MB."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def line(self, custom_id: str, request: ChatRequest) -> bytes:
        return request_line(custom_id, request)

    def upload(self, name: str, lines: Iterable[bytes]) -> str:
        """Send a file of request lines; returns its id."""
        import tempfile

        try:
            with tempfile.TemporaryFile() as file:
                file.writelines(lines)
                file.seek(0)
                return self._uploaded(name, file)
        except OSError as error:
            raise CannotWriteError(f"temporary file: {(error.strerror or str(error)).lower()}") from error

    def submit(self, file_id: str, metadata: Mapping[str, str]) -> Batch:
        return _batch(
            self._told(
                "Batch API",
                "create",
                completion_window="24h",
                endpoint=PATH,
                input_file_id=file_id,
                metadata=dict(metadata),
            )
        )

    def status(self, batch_id: str) -> Batch:
        return _batch(self._told(f"batch '{one_line(batch_id, 80)}'", "retrieve", batch_id=batch_id))

    def cancel(self, batch_id: str) -> Batch:
        return _batch(self._told(f"batch '{one_line(batch_id, 80)}'", "cancel", batch_id=batch_id))

    def listed(self, limit: int) -> Iterator[Batch]:
        """The latest first."""
        page: dict[str, object] = {}
        while limit > 0:
            found = self._told("Batch API", "list", limit=min(_PAGE, limit), **page)
            rows = found.get("data")
            if not isinstance(rows, list):
                raise ProtocolError("malformed answer: no list of batches", tries=2)
            batches = [_batch(row) for row in rows]
            yield from batches[:limit]
            limit -= len(batches)
            if not found.get("has_more") or not batches or page.get("after") == batches[-1].id:
                return
            page["after"] = batches[-1].id

    def results(self, files: Iterable[str]) -> Iterator[Result]:
        """Those of a batch's files, in whatever order they come."""
        for file_id in files:
            for line in self._lines(file_id):
                if line.strip():
                    yield result(line, self._endpoint)

    def _uploaded(self, name: str, file: IO[bytes]) -> str:
        from gptkit.provider.sdk_transport import told

        def ask(sdk: openai.OpenAI) -> object:
            named = (name, file, "application/jsonl")
            return sdk.files.with_raw_response.create(file=named, purpose="batch").http_response.json()

        found = told(self._exchange("Batch API"), ask)
        file_id = found.get("id") if isinstance(found, dict) else None
        if not isinstance(file_id, str) or not file_id:
            raise ProtocolError("malformed answer: a file without an id", tries=2)
        return file_id

    def _told(self, sought: str, method: str, **words: object) -> Mapping[str, object]:
        """One of the SDK's methods on batches, and its answer as JSON: models of the SDK's are not needed."""
        from gptkit.provider.sdk_transport import object_of, told

        def ask(sdk: openai.OpenAI) -> object:
            return getattr(sdk.batches.with_raw_response, method)(**words).http_response.json()

        return object_of(told(self._exchange(sought), ask))

    def _lines(self, file_id: str) -> Iterator[bytes]:
        from gptkit.provider.sdk_transport import lines

        exchange = self._exchange(f"file '{one_line(file_id, 80)}'")
        exchange.file = True

        def ask(sdk: openai.OpenAI) -> Iterator[bytes]:
            with sdk.files.with_streaming_response.content(file_id) as response:
                yield from response.iter_bytes()

        return lines(exchange, ask)

    def _exchange(self, sought: str) -> Exchange:
        exchange = Exchange(self._endpoint, "")
        exchange.sought, exchange.billable = sought, False
        return exchange


def request_line(custom_id: str, request: ChatRequest) -> bytes:
    """One line of an input file."""
    line = {"custom_id": custom_id, "method": "POST", "url": PATH, "body": request.body()}
    try:
        return json.dumps(line, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"
    except UnicodeEncodeError:
        raise DataError("request: the text holds half a character (a lone surrogate)") from None
    except (TypeError, ValueError, RecursionError):
        raise DataError("request: a parameter's value cannot be written as JSON") from None


def _batch(value: object) -> Batch:
    if not isinstance(value, dict) or not isinstance(value.get("id"), str) or not value["id"]:
        raise ProtocolError("malformed answer: a batch without an id", tries=2)
    counts = value.get("request_counts")
    counts = counts if isinstance(counts, dict) else {}
    metadata = value.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return Batch(
        id=value["id"],
        status=text_of(value.get("status")),
        created=_number(value.get("created_at")),
        expires=_number(value.get("expires_at")),
        total=int(_number(counts.get("total"))),
        completed=int(_number(counts.get("completed"))),
        failed=int(_number(counts.get("failed"))),
        output_file=text_of(value.get("output_file_id")),
        error_file=text_of(value.get("error_file_id")),
        metadata={str(name): text_of(said) for name, said in metadata.items()},
        problem=_problem(value.get("errors")),
    )


def _number(value: object) -> float:
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12
    return float(cast("float", value)) if known else 0.0


def _problem(errors: object) -> str:
    rows = errors.get("data") if isinstance(errors, dict) else None
    first = rows[0] if isinstance(rows, list) and rows else None
    return (
        one_line(text_of(first.get("message")) or text_of(first.get("code")))
        if isinstance(first, dict)
        else ""
    )
