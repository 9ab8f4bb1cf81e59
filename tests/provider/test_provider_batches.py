"""The provider's Batch API against the fake: files, batches, results, and what goes wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake.batches import FakeBatches
from fake.certificates import Authority
from fake.connection import Connection, close, reset
from fake.proxy import HttpProxy
from fake.server import FakeServer
from fake.wire import Completion, error_object, http_head, response
from provider_calls import HURRIED, KEY, endpoint, request

from gptkit.core.chat import Reply, Usage
from gptkit.core.errors import (
    DataError,
    GptkitError,
    IncompleteError,
    NoPermissionError,
    ProtocolError,
    RateLimitError,
    TooLongError,
    TryAgainError,
    UnavailableError,
)
from gptkit.provider.batches import Batch, Batches, BatchResult, request_line


@pytest.fixture
def fake(server: FakeServer) -> FakeBatches:
    return FakeBatches(server)


@pytest.fixture
def batches(fake: FakeBatches) -> Batches:
    return Batches(endpoint(fake.server.url))


def lines(count: int) -> list[bytes]:
    return [request_line(f"{number:02x}", request(stream=False, seed=number)) for number in range(count)]


def failed(batches: Batches, kind: type[GptkitError], file_id: str = "file-0") -> GptkitError:
    with pytest.raises(GptkitError) as raised:
        batches.submit(file_id, {})
    assert type(raised.value) is kind, raised.value
    assert raised.value.__cause__ is None
    assert KEY not in f"{raised.value.message} {raised.value.hint}"
    return raised.value


def test_a_batch_from_the_upload_to_its_results(fake: FakeBatches, batches: Batches) -> None:
    file_id = batches.upload("gptkit-1.jsonl", iter(lines(3)))
    made = batches.submit(file_id, {"gptkit": "1"})
    assert (made.id, made.status, made.total, made.metadata) == ("batch_0", "in_progress", 3, {"gptkit": "1"})
    assert not made.is_over
    assert fake.uploads[file_id] == b"".join(lines(3))
    fake.reverse = True
    fake.finish()
    over = batches.status(made.id)
    assert over.is_over
    results = list(batches.results(over.files))
    assert [result.custom_id for result in results] == ["02", "01", "00"]
    assert {result.reply.text for result in results if result.reply} == {"GRÜSSE, 世界"}
    for sent in fake.server.requests:
        assert sent.headers["authorization"] == f"Bearer {KEY}"
        assert sent.headers["user-agent"].startswith("gptkit/")


def test_the_line_of_a_request() -> None:
    line = request_line("ab", request(stream=False, temperature=0.5))
    assert line.endswith(b"}\n")
    assert json.loads(line) == {
        "custom_id": "ab",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": request(stream=False, temperature=0.5).body(),
    }
    with pytest.raises(DataError):
        request_line("ab", request(stream=False, temperature=float("nan")))


def test_a_large_file_is_sent_in_pieces(fake: FakeBatches, batches: Batches) -> None:
    content = [b"%06d" % number + b"x" * 993 + b"\n" for number in range(5000)]
    file_id = batches.upload("large.jsonl", iter(content))
    assert fake.uploads[file_id] == b"".join(content)
    assert "transfer-encoding" not in fake.server.request.headers


@pytest.mark.parametrize("proxied", [False, True])
def test_over_tls_and_through_a_proxy(authority: Authority, tmp_path: Path, proxied: bool) -> None:
    file = str(authority.write(tmp_path / "ca.pem"))
    with FakeServer(tls=authority.server()) as server, HttpProxy() as proxy:
        fake = FakeBatches(server)
        place = endpoint(server.url, ca_file=file, proxy=proxy.url if proxied else None)
        file_id = Batches(place).upload("a.jsonl", lines(3))
        assert fake.uploads[file_id] == b"".join(lines(3))
        assert [passage.kind for passage in proxy.passages] == ["CONNECT"] * proxied
        with pytest.raises(ProtocolError, match="TLS: certificate of"):
            Batches(endpoint(server.url)).upload("a.jsonl", lines(3))


def test_the_list_is_read_page_by_page(fake: FakeBatches, batches: Batches) -> None:
    fake.page = 2
    file_id = batches.upload("a.jsonl", lines(1))
    for _ in range(5):
        batches.submit(file_id, {})
    assert [batch.id for batch in batches.list_latest(4)] == ["batch_4", "batch_3", "batch_2", "batch_1"]
    assert [batch.id for batch in batches.list_latest(99)][-1] == "batch_0"


def test_a_list_that_never_ends_is_left(fake: FakeBatches, batches: Batches) -> None:
    page = {"data": [{"id": "batch_x", "status": "completed"}], "has_more": True}
    fake.server.raw([response(200, page)], times=2)
    assert [batch.id for batch in batches.list_latest(1000)] == ["batch_x", "batch_x"]


def test_cancelling(fake: FakeBatches, batches: Batches) -> None:
    made = batches.submit(batches.upload("a.jsonl", lines(1)), {})
    assert batches.cancel(made.id).status == "cancelling"
    fake.finish("cancelled")
    assert batches.status(made.id).is_over


def test_why_a_batch_was_not_taken_up(fake: FakeBatches, batches: Batches) -> None:
    made = batches.submit(batches.upload("a.jsonl", lines(1)), {})
    fake.fail("Enqueued token limit reached\x1b[31m")
    found = batches.status(made.id)
    assert found.is_over
    assert found.problem.startswith("Enqueued token limit reached")
    assert "\x1b" not in found.problem
    assert list(batches.results(found.files)) == []


def _drop(connection: Connection) -> None:
    connection.receive()


@pytest.mark.parametrize("end", [close, reset])
def test_a_connection_that_drops_in_the_middle_of_an_upload(
    fake: FakeBatches, batches: Batches, end: Any
) -> None:
    fake.server.raw([_drop, end()], when="head")
    with pytest.raises(TryAgainError) as raised:
        batches.upload("a.jsonl", (b"x" * 1_000_000 for _ in range(40)))
    assert "billed" not in raised.value.message
    assert fake.uploads == {}
    assert batches.upload("a.jsonl", lines(1)) == "file-0"


def test_a_refusal_before_the_upload_is_read_wins(fake: FakeBatches, batches: Batches) -> None:
    refusal = response(401, error_object(401, f"Incorrect API key: {KEY}"), {"Connection": "close"})
    fake.server.raw([refusal, close()], when="head")
    with pytest.raises(NoPermissionError) as raised:
        batches.upload("a.jsonl", (b"x" * 1_000_000 for _ in range(40)))
    assert KEY not in raised.value.message


def test_what_a_server_without_batches_says(fake: FakeBatches, batches: Batches) -> None:
    fake.server.fail(404, error_object(404, "Not Found"))
    assert failed(batches, UnavailableError).message.startswith(f"no Batch API at '{fake.server.url}' (404)")


def test_a_batch_that_is_not_there(fake: FakeBatches, batches: Batches) -> None:
    with pytest.raises(UnavailableError, match=r"no batch 'batch_9' at '.*' \(404\): No batch found"):
        batches.status("batch_9")


FAILURES = [
    (400, UnavailableError), (401, NoPermissionError), (403, NoPermissionError),
    (429, RateLimitError), (500, TryAgainError),
    (503, TryAgainError),
]  # fmt: skip


@pytest.mark.parametrize(("status", "kind"), FAILURES)
def test_failures_are_those_of_the_table(
    fake: FakeBatches, batches: Batches, status: int, kind: type[GptkitError]
) -> None:
    fake.server.fail(status)
    failed(batches, kind)
    assert len(fake.server.requests) == 1


def test_no_redirect_is_followed(fake: FakeBatches, batches: Batches) -> None:
    fake.server.raw([response(307, b"", {"Location": "https://evil.example/v1/batches"})])
    assert "redirects to 'https://evil.example'" in failed(batches, ProtocolError).message


@pytest.mark.parametrize("body", ["[]", "{}", '{"id": 3}', '{"id": ""}', "{", "<html>log in</html>", ""])
def test_answers_that_are_none(fake: FakeBatches, batches: Batches, body: str) -> None:
    fake.server.raw([response(200, body, content_type="application/json")])
    failed(batches, ProtocolError)


def test_odd_fields_of_a_batch_are_no_fault(fake: FakeBatches, batches: Batches) -> None:
    odd: dict[str, Any] = {
        "id": "b",
        "status": None,
        "created_at": "now",
        "request_counts": [],
        "metadata": "x",
        "errors": 3,
    }
    fake.server.raw([response(200, odd)])
    assert batches.submit("f", {}) == Batch("b", "")


def test_a_server_that_falls_silent(fake: FakeBatches) -> None:
    fake.server.raw([lambda connection: connection.wait(None)])
    error = failed(Batches(endpoint(fake.server.url, deadlines=HURRIED)), TryAgainError)
    assert error.message == "no answer in 1.5 s"


def results(fake: FakeBatches, batches: Batches, content: bytes) -> list[BatchResult]:
    fake.files["file-x"] = content
    return list(batches.results(["file-x"]))


def record(response: object, error: object = None) -> bytes:
    whole = {"id": "r", "custom_id": "ab", "response": response, "error": error}
    return json.dumps(whole, ensure_ascii=False).encode() + b"\n"


def answered(status: int, body: object) -> bytes:
    return record({"status_code": status, "request_id": "req_7", "body": body})


def test_a_result_is_read_as_an_answer_by_itself(fake: FakeBatches, batches: Batches) -> None:
    whole = Completion("<think>hm</think>\n好\u2028的", usage=(5, 7), model="m").whole_object()
    (found,) = results(fake, batches, answered(200, whole))
    assert found.custom_id == "ab"
    assert found.failure is None
    assert isinstance(found.reply, Reply)
    assert (found.reply.text, found.reply.reasoning, found.reply.reason) == ("好\u2028的", "hm", "stop")
    assert (found.reply.usage, found.reply.model) == (Usage(5, 7), "m")
    assert found.reply.request_id == "req_7"


LONG = error_object(400, "This model's maximum context length is 8 tokens", code="context_length_exceeded")
LINES: list[tuple[bytes, type[GptkitError], str]] = [
    (answered(429, error_object(429)), RateLimitError, "too many requests (429)"),
    (answered(500, {}), TryAgainError, "server trouble (500)"),
    (answered(400, LONG), TooLongError, "input too long"),
    (answered(404, error_object(404, "The model `x` does not exist")), UnavailableError, "no model at"),
    (answered(200, {"error": {"message": "no", "code": 503}}), TryAgainError, "server trouble"),
    (answered(200, {"choices": []}), ProtocolError, "the answer holds no choices"),
    (answered(200, None), ProtocolError, "malformed answer"),
    (
        record(None, {"code": "batch_expired", "message": "late"}),
        TryAgainError,
        "not answered before the batch",
    ),
    (
        record(None, {"code": "invalid_request", "message": "bad"}),
        UnavailableError,
        "request not accepted (400)",
    ),
    (record(None), ProtocolError, "a result without a response"),
]


@pytest.mark.parametrize(("line", "kind", "message"), LINES)
def test_results_that_are_failures(
    fake: FakeBatches, batches: Batches, line: bytes, kind: type[GptkitError], message: str
) -> None:
    (found,) = results(fake, batches, line)
    assert (found.custom_id, found.reply) == ("ab", None)
    assert type(found.failure) is kind
    assert message in found.failure.message
    assert "billed" not in found.failure.message


@pytest.mark.parametrize("damaged", [b"{\n", b"[]\n", b'{"custom_id": "\xff"}\n', b'{"custom_id": 3}\n'])
def test_a_damaged_line_spoils_no_other(fake: FakeBatches, batches: Batches, damaged: bytes) -> None:
    good = answered(200, Completion("yes").whole_object())
    found = results(fake, batches, good + damaged + b"\n" + good)
    assert [result.reply.text if result.reply else "" for result in found] == ["yes", "", "yes"]
    assert isinstance(found[1].failure, ProtocolError)


def test_an_empty_file_has_no_results(fake: FakeBatches, batches: Batches) -> None:
    assert results(fake, batches, b"") == []


def test_a_download_that_breaks_off_keeps_what_came(fake: FakeBatches, batches: Batches) -> None:
    good = answered(200, Completion("yes").whole_object())
    head = http_head(200, {"Content-Type": "application/octet-stream", "Content-Length": "99999"})
    fake.server.raw([head + good + good + good[:40], close()])
    found = []
    with pytest.raises(IncompleteError, match="answer cut short"):
        for result in batches.results(["f"]):
            found.append(result)
    assert [result.reply.text for result in found if result.reply] == ["yes", "yes"]


def test_a_line_without_end_is_not_held(fake: FakeBatches, batches: Batches) -> None:
    fake.files["file-x"] = b'{"' + b"x" * (9 << 20)
    with pytest.raises(ProtocolError, match="a line of the file is larger than 8 MiB"):
        list(batches.results(["file-x"]))


def test_a_page_in_place_of_a_file_is_told(fake: FakeBatches, batches: Batches) -> None:
    fake.server.raw([response(200, "<html><title>Log in</title></html>")])
    with pytest.raises(ProtocolError, match="not an API answer"):
        list(batches.results(["f"]))
