"""The answers to a batch: each line judged as if its answer had come alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from gptkit.core.chat import Endpoint, Finished, Reasoning, Refusal, Reply, Text
from gptkit.core.errors import GptkitError, InternalFault, ProtocolFault, TryAgain
from gptkit.core.sanitize import one_line
from gptkit.provider.exchange import Exchange

_UNANSWERED = frozenset({"batch_expired", "batch_cancelled", "request_cancelled"})


class Result(NamedTuple):
    """What came for one request: a reply or a failure. `custom_id` is empty for a line that tells none."""

    custom_id: str
    reply: Reply | None
    failure: GptkitError | None = None


def result(line: bytes, endpoint: Endpoint) -> Result:
    """Of one line; a damaged one spoils no other."""
    from gptkit.provider.faults import fault

    exchange = Exchange(endpoint, "")
    exchange.sought, exchange.billable = "model", False
    exchange.answered({})
    custom_id = ""
    try:
        record = json.loads(line)
        if not isinstance(record, dict):
            raise ProtocolFault("malformed answer: a result is not an object")
        custom_id = text_of(record.get("custom_id"))
        return Result(custom_id, _reply(record, exchange))
    except Exception as error:
        failure = fault(error, exchange)
    if isinstance(failure, InternalFault):
        raise failure
    return Result(custom_id, None, failure)


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def _reply(record: Mapping[str, object], exchange: Exchange) -> Reply:
    from gptkit.provider.exchange import StatusError
    from gptkit.provider.faults import reported

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
        raise TryAgain(f"not answered before the batch ended: {said}")
    if error:
        raise reported(error, exchange)
    raise ProtocolFault("malformed answer: a result without a response")


def _completion(body: object, exchange: Exchange) -> Reply:
    """As an answer that was asked for by itself and not streamed."""
    from gptkit.provider.events import events

    exchange.done = True
    parts: dict[type, list[str]] = {Text: [], Refusal: [], Reasoning: []}
    end = Finished(None)
    for event in events([body], exchange):
        if isinstance(event, Finished):
            end = event
        else:
            parts[type(event)].append(event.text)
    return Reply(
        text="".join(parts[Text]),
        reason=end.reason,
        refusal="".join(parts[Refusal]),
        reasoning="".join(parts[Reasoning]),
        usage=end.usage,
        model=end.model,
        request_id=end.request_id,
        response=end.response,
    )
