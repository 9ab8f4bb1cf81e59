"""One answer as data: a JSON value that a schema allows, or a failure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from gptkit.core.chat import Message, Reply, Request
from gptkit.engine.ask import answered
from gptkit.engine.work import Means

FORM = "Answer with one JSON value that this JSON Schema allows, and nothing else:\n"


def structured(request: Request, schema: Mapping[str, object], means: Means, purpose: str) -> object:
    """Ask for a value, and once more where the first answer is none that the schema allows.

    The schema is a parameter of the request and, for servers that know no such parameter, a part of
    the system message as well. Raises the GptkitError that came in the way.
    """
    return valued(request, schema, means, purpose)[0]


def valued(
    request: Request, schema: Mapping[str, object], means: Means, purpose: str
) -> tuple[object, Reply]:
    """The same, with the reply that held the value."""
    form = means.structured(schema)
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
    outcome = answered(asked, means._replace(format=form), None, purpose)
    if outcome.failure is not None:
        raise outcome.failure
    value: object = json.loads(outcome.answer)
    return value, outcome.reply
