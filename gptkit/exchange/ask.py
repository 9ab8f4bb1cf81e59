"""One exchange: what every prompt file can do without declaring anything."""

from __future__ import annotations

import json
from collections.abc import Mapping

from gptkit.core.chat import AnswerFormatError, ChatRequest, Message, Reply, Sink, Usage
from gptkit.core.errors import GptkitError
from gptkit.exchange.invocation import Invocation, Outcome, Runtime, build_request
from gptkit.exchange.retry import send_with_retries


def ask(invocation: Invocation, runtime: Runtime, sink: Sink | None) -> Outcome:
    """The answer in its promised format; a defective one is asked for once more."""
    return request_answer(build_request(invocation, runtime.format), runtime, sink, exact=invocation.exact)


def request_answer(
    first: ChatRequest, runtime: Runtime, sink: Sink | None, purpose: str = "answer", exact: bool = False
) -> Outcome:
    """What came of a request, in the format of `runtime` unless `exact`."""
    outcome = send_with_retries(first, runtime, sink, purpose)
    if outcome.failure or exact:
        return outcome
    try:
        return outcome._replace(answer=runtime.format.finish(outcome.reply.text))
    except AnswerFormatError as defect:
        if not defect.again or sink is not None:
            return _failed(outcome, defect)
        try:
            again = send_with_retries(_corrected(first, outcome.reply, defect), runtime, sink, purpose)
        except GptkitError as error:  # what the first request brought is not lost with it
            error.message += f"; the answer before it cannot be used: {defect.problem}"
            error.attempts += outcome.reply.attempts
            error.partial = True
            return outcome._replace(failure=error)
    again = again._replace(reply=combine_replies(outcome.reply, again.reply))
    if again.failure:
        again.failure.attempts = again.reply.attempts
        return again
    try:
        return again._replace(answer=runtime.format.finish(again.reply.text))
    except AnswerFormatError as defect:
        return _failed(again, defect)


def _failed(outcome: Outcome, defect: AnswerFormatError) -> Outcome:
    failure = defect.failure
    if not isinstance(failure, GptkitError):
        raise failure
    failure.request_id = outcome.reply.request_id
    failure.attempts = outcome.reply.attempts
    failure.partial = bool(outcome.reply.text)
    return outcome._replace(failure=failure)


def _corrected(first: ChatRequest, reply: Reply, defect: AnswerFormatError) -> ChatRequest:
    wanted = (
        f"That answer cannot be used: {defect.problem}. "
        "Give the whole answer again, corrected, and nothing else."
    )
    turns = (Message("assistant", reply.text), Message("user", wanted))
    return first._replace(messages=first.messages + turns)


def combine_replies(first: Reply, second: Reply) -> Reply:
    """The second reply, with what both cost; tokens only if they are known of both."""
    usage = None
    if first.usage and second.usage:
        usage = Usage(
            first.usage.prompt_tokens + second.usage.prompt_tokens,
            first.usage.completion_tokens + second.usage.completion_tokens,
        )
    return second._replace(
        usage=usage,
        attempts=first.attempts + second.attempts,
        first=None if second.first is None else first.total + second.first,
        total=first.total + second.total,
    )


FORM = "Answer with one JSON value that this JSON Schema allows, and nothing else:\n"


def request_json(
    request: ChatRequest, schema: Mapping[str, object], runtime: Runtime, purpose: str
) -> object:
    """Ask for a value, and once more where the first answer is none that the schema allows.

    The schema is a parameter of the request and, for servers that know no such parameter, a part of
    the system message as well. Raises the GptkitError that came in the way.
    """
    return request_json_and_reply(request, schema, runtime, purpose)[0]


def request_json_and_reply(
    request: ChatRequest, schema: Mapping[str, object], runtime: Runtime, purpose: str
) -> tuple[object, Reply]:
    """The same, with the reply that held the value."""
    form = runtime.json_format(schema)
    told = f"{FORM}{json.dumps(schema, ensure_ascii=False, separators=(',', ':'))}"
    first, *rest = request.messages
    if first.role == "system":
        messages = (Message("system", f"{first.content}\n\n{told}"), *rest)
    else:
        messages = (Message("system", told), first, *rest)
    asked = request._replace(
        messages=messages,
        parameters={**request.parameters, **form.parameters},
        droppable=request.droppable | frozenset(form.parameters),
    )
    outcome = request_answer(asked, runtime._replace(format=form), None, purpose)
    if outcome.failure is not None:
        raise outcome.failure
    value: object = json.loads(outcome.answer)
    return value, outcome.reply
