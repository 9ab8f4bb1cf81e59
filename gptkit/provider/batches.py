"""The provider's Batch API: many requests in one file, answered within a day at a lower price."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, cast

from gptkit.core.chat import (
    AnswerDelta,
    ChatRequest,
    Endpoint,
    Finished,
    ReasoningDelta,
    RefusalDelta,
    Reply,
    TextDelta,
)
from gptkit.core.errors import (
    CannotWriteError,
    DataError,
    GptkitError,
    InternalError,
    ProtocolError,
    TryAgainError,
)
from gptkit.core.files import cause
from gptkit.core.sanitize import one_line
from gptkit.provider.exchange import Exchange

if TYPE_CHECKING:
    from typing import IO

    import openai


_UNANSWERED = frozenset({"batch_expired", "batch_cancelled", "request_cancelled"})


class BatchResult(NamedTuple):
    """The reply or the failure of one request; `custom_id` is empty if the line names none."""

    custom_id: str
    reply: Reply | None
    failure: GptkitError | None = None


def parse_result(line: bytes, endpoint: Endpoint) -> BatchResult:
    """Parse one line of a result file; a damaged line becomes a failure. Raises InternalError only."""
    from gptkit.provider.errors import to_gptkit_error

    exchange = Exchange(endpoint, "")
    exchange.resource, exchange.is_billable = "model", False
    exchange.read_headers({})
    custom_id = ""
    try:
        record = json.loads(line)
        if not isinstance(record, dict):
            raise ProtocolError("malformed answer: a result is not an object")
        custom_id = text_or_empty(record.get("custom_id"))
        return BatchResult(custom_id, _reply(record, exchange))
    except Exception as error:
        failure = to_gptkit_error(error, exchange)
    if isinstance(failure, InternalError):
        raise failure
    return BatchResult(custom_id, None, failure)


def text_or_empty(value: object) -> str:
    return value if isinstance(value, str) else ""


def _reply(record: Mapping[str, object], exchange: Exchange) -> Reply:
    from gptkit.provider.errors import in_stream_error
    from gptkit.provider.exchange import StatusError

    response, error = record.get("response"), record.get("error")
    if isinstance(response, dict):
        exchange.request_id = one_line(text_or_empty(response.get("request_id")), 100)
        status, body = response.get("status_code", 200), response.get("body")
        if isinstance(status, int) and status >= 400:
            raise StatusError(status, body.get("error", body) if isinstance(body, dict) else body, {})
        if isinstance(body, dict) and body.get("error") and not body.get("choices"):
            raise in_stream_error(body["error"], exchange)
        return _chat_reply(body, exchange)
    if isinstance(error, dict) and error.get("code") in _UNANSWERED:
        text = one_line(text_or_empty(error.get("message")) or str(error["code"]))
        raise TryAgainError(f"not answered before the batch ended: {text}")
    if error:
        raise in_stream_error(error, exchange)
    raise ProtocolError("malformed answer: a result without a response")


def _chat_reply(body: object, exchange: Exchange) -> Reply:
    """Read a whole chat completion, as for a request outside of a batch."""
    from gptkit.provider.events import events

    exchange.is_complete = True
    parts: dict[type, list[str]] = {AnswerDelta: [], RefusalDelta: [], ReasoningDelta: []}
    end = Finished(None)
    for event in events([body], exchange):
        if isinstance(event, Finished):
            end = event
        elif isinstance(event, TextDelta):  # no request of a batch offers tools
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


CHAT_PATH = "/v1/chat/completions"
"""The path of the requests of a batch, as the API calls it; the same for every base URL."""
_PAGE_SIZE = 100
"""The most batches on one page of the list."""
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})


class Batch(NamedTuple):
    """A batch as the server describes it.

    `created` and `expires` are in Unix seconds, 0 if the server does not say; `total`, `completed` and
    `failed` count requests; `problem` is why the server did not accept the batch.
    """

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
        """The ids of the files that hold results."""
        return tuple(file for file in (self.output_file, self.error_file) if file)

    @property
    def is_over(self) -> bool:
        """Whether no more results will come."""
        return self.status in _ENDED


class Batches:
    """The batches of one endpoint. Methods raise GptkitError only.

    Each call sends one HTTP request, once; `list_latest` and `results` send one for each page or file.
    """

    most_requests = 50_000
    most_bytes = 100 * 10**6
    """Bytes of one input file: half of what https://platform.openai.com/docs/api-reference/batch/create
    allows, since a file of answers is about as long and has a limit as well, and since some servers still
    allow 100 MB only."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def line(self, custom_id: str, request: ChatRequest) -> bytes:
        return request_line(custom_id, request)

    def upload(self, name: str, lines: Iterable[bytes]) -> str:
        """Upload a file of request lines; returns the id of the file."""
        import tempfile

        try:
            with tempfile.TemporaryFile() as file:
                file.writelines(lines)
                file.seek(0)
                return self._upload_file(name, file)
        except OSError as error:
            raise CannotWriteError(f"temporary file: {cause(error)}") from error

    def submit(self, file_id: str, metadata: Mapping[str, str]) -> Batch:
        """Start a batch with the requests of an uploaded file."""
        return _parse_batch(
            self._call(
                "Batch API",
                "create",
                completion_window="24h",
                endpoint=CHAT_PATH,
                input_file_id=file_id,
                metadata=dict(metadata),
            )
        )

    def status(self, batch_id: str) -> Batch:
        return _parse_batch(self._call(f"batch '{one_line(batch_id, 80)}'", "retrieve", batch_id=batch_id))

    def cancel(self, batch_id: str) -> Batch:
        return _parse_batch(self._call(f"batch '{one_line(batch_id, 80)}'", "cancel", batch_id=batch_id))

    def list_latest(self, limit: int) -> Iterator[Batch]:
        """Yield the batches of the endpoint, the latest first, at most `limit`."""
        page: dict[str, object] = {}
        while limit > 0:
            answer = self._call("Batch API", "list", limit=min(_PAGE_SIZE, limit), **page)
            rows = answer.get("data")
            if not isinstance(rows, list):
                raise ProtocolError("malformed answer: no list of batches", tries=2)
            batches = [_parse_batch(row) for row in rows]
            yield from batches[:limit]
            limit -= len(batches)
            if not answer.get("has_more") or not batches or page.get("after") == batches[-1].id:
                return
            page["after"] = batches[-1].id

    def results(self, files: Iterable[str]) -> Iterator[BatchResult]:
        """Download and parse the result files of a batch; the order of the results is the server's."""
        for file_id in files:
            for line in self._result_lines(file_id):
                if line.strip():
                    yield parse_result(line, self._endpoint)

    def _upload_file(self, name: str, file: IO[bytes]) -> str:
        from gptkit.provider.sdk_transport import call_sdk

        def ask(sdk: openai.OpenAI) -> object:
            named = (name, file, "application/jsonl")
            return sdk.files.with_raw_response.create(file=named, purpose="batch").http_response.json()

        answer = call_sdk(self._exchange("Batch API"), ask)
        file_id = answer.get("id") if isinstance(answer, dict) else None
        if not isinstance(file_id, str) or not file_id:
            raise ProtocolError("malformed answer: a file without an id", tries=2)
        return file_id

    def _call(self, resource: str, method: str, **arguments: object) -> Mapping[str, object]:
        """Call a method of the SDK's batches; returns the answer as a JSON object.

        `resource` is for a 404.
        """
        from gptkit.provider.sdk_transport import call_sdk, require_object

        def ask(sdk: openai.OpenAI) -> object:
            return getattr(sdk.batches.with_raw_response, method)(**arguments).http_response.json()

        return require_object(call_sdk(self._exchange(resource), ask))

    def _result_lines(self, file_id: str) -> Iterator[bytes]:
        from gptkit.provider.sdk_transport import stream_lines

        exchange = self._exchange(f"file '{one_line(file_id, 80)}'")
        exchange.is_file = True

        def ask(sdk: openai.OpenAI) -> Iterator[bytes]:
            with sdk.files.with_streaming_response.content(file_id) as response:
                yield from response.iter_bytes()

        return stream_lines(exchange, ask)

    def _exchange(self, resource: str) -> Exchange:
        exchange = Exchange(self._endpoint, "")
        exchange.resource, exchange.is_billable = resource, False
        return exchange


def request_line(custom_id: str, request: ChatRequest) -> bytes:
    """Encode one line of an input file. Raises DataError for a request that JSON cannot hold."""
    line = {"custom_id": custom_id, "method": "POST", "url": CHAT_PATH, "body": request.body()}
    try:
        return json.dumps(line, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"
    except UnicodeEncodeError:
        raise DataError("request: the text holds half a character (a lone surrogate)") from None
    except (TypeError, ValueError, RecursionError):
        raise DataError("request: a parameter's value cannot be written as JSON") from None


def _parse_batch(value: object) -> Batch:
    if not isinstance(value, dict) or not isinstance(value.get("id"), str) or not value["id"]:
        raise ProtocolError("malformed answer: a batch without an id", tries=2)
    counts = value.get("request_counts")
    counts = counts if isinstance(counts, dict) else {}
    metadata = value.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return Batch(
        id=value["id"],
        status=text_or_empty(value.get("status")),
        created=_number_or_zero(value.get("created_at")),
        expires=_number_or_zero(value.get("expires_at")),
        total=int(_number_or_zero(counts.get("total"))),
        completed=int(_number_or_zero(counts.get("completed"))),
        failed=int(_number_or_zero(counts.get("failed"))),
        output_file=text_or_empty(value.get("output_file_id")),
        error_file=text_or_empty(value.get("error_file_id")),
        metadata={str(name): text_or_empty(text) for name, text in metadata.items()},
        problem=_problem(value.get("errors")),
    )


def _number_or_zero(value: object) -> float:
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12
    return float(cast("float", value)) if known else 0.0


def _problem(errors: object) -> str:
    rows = errors.get("data") if isinstance(errors, dict) else None
    first = rows[0] if isinstance(rows, list) and rows else None
    return (
        one_line(text_or_empty(first.get("message")) or text_or_empty(first.get("code")))
        if isinstance(first, dict)
        else ""
    )
