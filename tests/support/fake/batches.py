"""The /files and /batches endpoints in memory, beside the fake server's chat completions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fake.connection import Step, keep
from fake.received import Received
from fake.replies import Reply
from fake.server import FakeServer
from fake.wire import CREATED, Completion, error_object, response

Answer = Callable[[dict[str, Any]], "str | int | None"]
"""What comes for a request's body: the text of its answer, a status of failure, nothing (it expires)."""


def uppercase(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"]).upper()


@dataclass
class FakeBatches:
    """Takes files and batches as OpenAI's server does. A batch stays `in_progress` until `finish`.

    `uploads` are the contents of the input files by id, `made` the batch objects in order; `answer`
    decides what becomes of each line. `reverse` turns the order of the results round.
    """

    server: FakeServer
    answer: Answer = uppercase
    reverse: bool = False
    uploads: dict[str, bytes] = field(default_factory=dict)
    made: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    page: int = 100
    """The longest page of the list."""

    def __post_init__(self) -> None:
        self.server.answer(self._reply)

    @property
    def batch(self) -> dict[str, Any]:
        """The only batch there is."""
        assert len(self.made) == 1, f"{len(self.made)} batches were made, not one"
        return self.made[0]

    def lines(self, batch: dict[str, Any]) -> list[dict[str, Any]]:
        """The requests of a batch."""
        content = self.uploads[batch["input_file_id"]]
        assert content.endswith(b"\n")
        return [json.loads(line) for line in content.decode("utf-8").removesuffix("\n").split("\n")]

    def finish(self, status: str = "completed") -> None:
        """Every batch under way ends, with what `answer` says of its lines."""
        for number, batch in enumerate(self.made):
            if batch["status"] in ("in_progress", "cancelling"):
                batch["status"] = status
                self._answer(batch, number, "batch_expired" if status == "expired" else "batch_cancelled")

    def fail(self, message: str, code: str = "token_limit_exceeded") -> None:
        """The batches under way are not taken up."""
        for batch in self.made:
            batch["status"] = "failed"
            error = {"code": code, "message": message, "line": None, "param": None}
            batch["errors"] = {"object": "list", "data": [error]}

    def _answer(self, batch: dict[str, Any], number: int, unanswered: str) -> None:
        good: list[bytes] = []
        bad: list[bytes] = []
        for place, line in enumerate(self.lines(batch)):
            said = self.answer(line["body"])
            record: dict[str, Any] = {"id": f"batch_req_{place}", "custom_id": line["custom_id"]}
            if said is None:
                error = {"code": unanswered, "message": "This request could not be executed."}
                bad.append(_line(record | {"response": None, "error": error}))
            elif isinstance(said, int):
                body = error_object(said)
                answer = {"status_code": said, "request_id": f"req_{place}", "body": body}
                bad.append(_line(record | {"response": answer, "error": None}))
            else:
                whole = Completion(said, model=line["body"]["model"]).whole_object()
                answer = {"status_code": 200, "request_id": f"req_{place}", "body": whole}
                good.append(_line(record | {"response": answer, "error": None}))
        for kind, rows in (("output", good), ("error", bad)):
            if rows:
                self.files[f"file-{kind}-{number}"] = b"".join(rows[::-1] if self.reverse else rows)
                batch[f"{kind}_file_id"] = f"file-{kind}-{number}"
        batch["request_counts"] |= {"completed": len(good), "failed": len(bad)}

    def _reply(self, request: Received) -> Reply:
        status, body = self._answered(request)

        def steps(request: Received) -> Iterator[Step]:
            kind = "application/octet-stream" if isinstance(body, bytes) else None
            yield response(status, body, {"x-request-id": f"req_{request.number}"}, content_type=kind)
            yield keep()

        return Reply(f"{request.method} {request.path}", steps)

    def _answered(self, request: Received) -> tuple[int, Any]:
        asked = f"{request.method} {request.path.removeprefix('/v1')}"
        if asked == "POST /files":
            return self._uploaded(request)
        if asked == "POST /batches":
            return self._created(request.json)
        if asked == "GET /batches":
            return 200, self._listed(request.target)
        if found := re.fullmatch(r"GET /files/([^/]+)/content", asked):
            content = self.files.get(found[1])
            return (404, error_object(404, "No such File object")) if content is None else (200, content)
        if found := re.fullmatch(r"(GET|POST) /batches/([^/]+)(/cancel)?", asked):
            batch = next((one for one in self.made if one["id"] == found[2]), None)
            if batch is None:
                return 404, error_object(404, f"No batch found with id '{found[2]}'.")
            if found[3]:
                batch["status"] = "cancelling"
            return 200, batch
        return 404, error_object(404, f"Unknown request URL: {asked}.")

    def _uploaded(self, request: Received) -> tuple[int, Any]:
        fields = dict(_fields(request))
        name, content = fields["file"]
        if fields["purpose"][1] != b"batch" or not name.endswith(".jsonl"):
            return 400, error_object(400, "Invalid file format.")
        identity = f"file-{len(self.uploads)}"
        self.uploads[identity], self.names[identity] = content, name
        return 200, {"id": identity, "object": "file", "bytes": len(content), "purpose": "batch"}

    def _created(self, asked: dict[str, Any]) -> tuple[int, Any]:
        if asked["input_file_id"] not in self.uploads:
            return 400, error_object(400, "Invalid 'input_file_id'")
        assert (asked["endpoint"], asked["completion_window"]) == ("/v1/chat/completions", "24h")
        batch = {
            "id": f"batch_{len(self.made)}",
            "object": "batch",
            "endpoint": asked["endpoint"],
            "errors": None,
            "input_file_id": asked["input_file_id"],
            "completion_window": "24h",
            "status": "in_progress",
            "output_file_id": None,
            "error_file_id": None,
            "created_at": CREATED + len(self.made),
            "expires_at": CREATED + 86400,
            "metadata": asked.get("metadata"),
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
        }
        self.made.append(batch)
        batch["request_counts"]["total"] = len(self.lines(batch))
        return 200, batch

    def _listed(self, target: str) -> dict[str, Any]:
        from urllib.parse import parse_qs, urlsplit

        query = parse_qs(urlsplit(target).query)
        rows = self.made[::-1]
        if after := query.get("after"):
            rows = rows[[row["id"] for row in rows].index(after[0]) + 1 :]
        size = min(self.page, int(query.get("limit", ["20"])[0]))
        return {"object": "list", "data": rows[:size], "has_more": len(rows) > size}


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"


def _fields(request: Received) -> Iterator[tuple[str, tuple[str, bytes]]]:
    """Name, file name and content of each part of a multipart form."""
    found = re.search(r"boundary=(\S+)", request.headers["content-type"])
    assert found
    for part in request.body.split(b"--" + found[1].encode())[1:-1]:
        head, content = part.removeprefix(b"\r\n").split(b"\r\n\r\n", 1)
        words = dict(re.findall(r'(\w+)="([^"]*)"', head.decode("utf-8")))
        yield words["name"], (words.get("filename", ""), content.removesuffix(b"\r\n"))
