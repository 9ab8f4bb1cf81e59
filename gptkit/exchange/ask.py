"""Asks for an answer in the promised format, once more if the first answer is defective."""

from __future__ import annotations

import json
from collections.abc import Mapping

from gptkit.core.chat import AnswerFormatError, ChatRequest, Message, Reply, Sink, Usage
from gptkit.core.errors import GptkitError, NoInputError, WrongAnswerError
from gptkit.exchange.invocation import Invocation, Outcome, Runtime, build_request
from gptkit.exchange.retry import send_with_retries


def ask(invocation: Invocation, runtime: Runtime, sink: Sink | None) -> Outcome:
    """Ask for the answer of an invocation; see `request_answer`."""
    return request_answer(build_request(invocation, runtime.format), runtime, sink, exact=invocation.exact)


def request_answer(
    request: ChatRequest, runtime: Runtime, sink: Sink | None, purpose: str = "answer", exact: bool = False
) -> Outcome:
    """Send a request and bring its answer into the format of `runtime`; with `exact` the text stays as it is.

    An answer that is wrong or does not have the format is asked for once more, unless the user saw it
    (`sink`). Raises what `send_with_retries` raises.
    """

    def send(request: ChatRequest, runtime: Runtime) -> tuple[Outcome, AnswerFormatError | None]:
        outcome = send_with_retries(request, runtime, sink, purpose)
        try:
            return _finish(request, outcome, runtime, sink is not None, exact), None
        except AnswerFormatError as defect:
            return outcome, defect

    outcome, defect = send(request, runtime)
    if defect is None:
        return outcome
    left = None if runtime.most_answers is None else runtime.most_answers - outcome.answers
    if not defect.again or sink is not None or (left is not None and left <= 0):
        return _with_failure(outcome, defect)
    correction = request if outcome.failure else _correction(request, outcome.reply, defect)
    try:
        again, second = send(correction, runtime._replace(most_answers=left))
    except GptkitError as error:  # the first answer is kept all the same
        error.message += f"; the answer before it cannot be used: {defect.problem}"
        error.attempts += outcome.reply.attempts
        error.partial = True
        return outcome._replace(failure=error)
    again = again._replace(reply=combine_replies(outcome.reply, again.reply))
    again = again._replace(answers=outcome.answers + again.answers)
    if second is not None:
        return _with_failure(again, second)
    if again.failure:
        again.failure.attempts = again.reply.attempts
    return again


def _finish(request: ChatRequest, outcome: Outcome, runtime: Runtime, is_shown: bool, exact: bool) -> Outcome:
    """Return the outcome with its finished answer. Raises AnswerFormatError for one that cannot be used.

    What the user saw (`is_shown`) is not changed any more.
    """
    text, wrong = outcome.reply.text, outcome.failure
    answer = text
    if wrong is None:
        answer, wrong = runtime.start_check(request, runtime).finish(text, is_shown)
    elif not isinstance(wrong, WrongAnswerError):
        return outcome
    if isinstance(wrong, NoInputError):
        raise AnswerFormatError(wrong.message, wrong, again=False)
    if wrong and not runtime.accepts:
        raise AnswerFormatError(getattr(wrong, "problem", wrong.message), wrong, again=True)
    problem = getattr(wrong, "problem", wrong.message) if wrong else ""
    answer = text if exact or is_shown else answer
    try:
        answer = answer if exact else runtime.format.finish(answer)
    except AnswerFormatError as defect:
        if not runtime.accepts:
            raise
        problem = problem or defect.problem
    if problem:
        runtime.warn(f"accepted: {problem}")
    return outcome._replace(answer=answer)


def _with_failure(outcome: Outcome, defect: AnswerFormatError) -> Outcome:
    failure = defect.failure
    if not isinstance(failure, GptkitError):
        raise failure
    failure.request_id = outcome.reply.request_id
    failure.attempts = outcome.reply.attempts
    failure.partial = bool(outcome.reply.text)
    return outcome._replace(failure=failure)


def _correction(request: ChatRequest, reply: Reply, defect: AnswerFormatError) -> ChatRequest:
    complaint = (
        f"That answer cannot be used: {defect.problem}. "
        "Give the whole answer again, corrected, and nothing else."
    )
    return request.with_turn(reply.text, complaint)


def combine_replies(first: Reply, second: Reply) -> Reply:
    """Return the second reply with the tokens, attempts and time of both.

    The tokens are None unless both replies say theirs.
    """
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


SCHEMA_INSTRUCTION = "Answer with one JSON value that this JSON Schema allows, and nothing else:\n"


def schema_instruction(schema: Mapping[str, object]) -> str:
    """Say in words what form an answer must have, for servers that ignore the parameter."""
    return f"{SCHEMA_INSTRUCTION}{json.dumps(schema, ensure_ascii=False, separators=(',', ':'))}"


def request_json(
    request: ChatRequest, schema: Mapping[str, object], runtime: Runtime, purpose: str
) -> object:
    """Ask for a JSON value that a schema allows; once more if the first answer does not fit the schema.

    The schema is a parameter of the request and, for servers that ignore this parameter, a part of the
    system message. `purpose` is that of the charge. Raises a GptkitError if there is no valid answer.
    """
    return request_json_and_reply(request, schema, runtime, purpose)[0]


def request_json_and_reply(
    request: ChatRequest, schema: Mapping[str, object], runtime: Runtime, purpose: str
) -> tuple[object, Reply]:
    """Do what `request_json` does, and return the value together with its reply."""
    format_ = runtime.json_format(schema)
    instruction = schema_instruction(schema)
    first, *rest = request.messages
    if first.role == "system":
        messages = (Message("system", f"{first.content}\n\n{instruction}"), *rest)
    else:
        messages = (Message("system", instruction), first, *rest)
    with_schema = request._replace(
        messages=messages,
        parameters={**request.parameters, **format_.parameters},
        droppable=request.droppable | frozenset(format_.parameters),
    )
    own = runtime._replace(format=format_, accepts=False)  # a program reads the value, not the user
    outcome = request_answer(with_schema, own, None, purpose)
    if outcome.failure is not None:
        raise outcome.failure
    value: object = json.loads(outcome.answer)
    return value, outcome.reply
