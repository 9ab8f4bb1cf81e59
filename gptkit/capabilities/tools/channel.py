"""The two ways in which calls of tools travel: the API's own, and steps in a structured answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from gptkit.capabilities.tools.model import ANSWER, ASK_USER, RemoteTool, RequestedCall, Tool, Travel
from gptkit.capabilities.tools.schema import strict_schema
from gptkit.core.chat import TOOLS, AnswerDelta, ChatRequest, Message, Reply, SelectiveSink
from gptkit.core.errors import GptkitError, UnavailableError

if TYPE_CHECKING:
    from gptkit.core.chat import Event, Sink

RESPONSE_FORMAT = "response_format"
WITHOUT_TOOLS = r"(?:openai/)?gpt-(?:5\.[6-9]|[6-9]|[1-9][0-9])|local:"
"""Families of models that refuse tools beside reasoning, and models that have none."""
QUESTION_SCHEMA: Mapping[str, object] = {
    "type": "object",
    "properties": {
        "question": {"type": "string"},
        "choices": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["question"],
    "additionalProperties": False,
}
QUESTION_USE = "Ask the user one short question."
QUESTION = RemoteTool("", ASK_USER)
INSTRUCTION = """\
Answer with one JSON object, {{"step": STEP}}, and nothing else. STEP is one of these:
{steps}
- {{"tool": "answer", "text": "..."}}: what you tell the user in the end{text_rule}
Outputs come before your next step.{several}"""
SEVERAL = " STEP may be a list of independent calls."


class Step(NamedTuple):
    """What the model wants next: calls of tools, or to end with a text."""

    calls: tuple[RequestedCall, ...] = ()
    text: str | None = None


class StepError(Exception):
    """Raised for an answer that is no step; `problem` tells the model what to change."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class CallAsTextError(Exception):
    """Raised for a call that came as the text of an answer; such a call is never run."""


def choose_channel(
    travel: Travel, model: str, parameters: Mapping[str, object], has_no_tools: bool
) -> ToolsChannel | StructuredChannel:
    """The channel for a model; with `has_no_tools` the model is known to refuse tools."""
    if travel == "auto":
        has_tools = not re.match(WITHOUT_TOOLS, model) or parameters.get("reasoning_effort") == "none"
        travel = "tools" if has_tools and not has_no_tools else "structured"
    if travel == "tools":
        return ToolsChannel()
    is_large = re.match(WITHOUT_TOOLS, model) is not None and not model.startswith("local:")
    return StructuredChannel(is_large)


def means_no_tools(failure: GptkitError) -> bool:
    """Whether a server says that it, or the model, takes no tools."""
    words = f"{failure.parameter} {failure.message}".lower()
    return isinstance(failure, UnavailableError) and "tool" in words


class ToolsChannel:
    """Tools as the API has them."""

    def request(self, base: ChatRequest, tools: Sequence[Tool]) -> ChatRequest:
        """The request with what offers the tools."""
        self._names = {tool.name for tool in tools} | {ASK_USER}
        offered = [_function(offer) for offer in _offered(tools)]
        return base._replace(
            parameters={**base.parameters, TOOLS: offered}, droppable=base.droppable - {TOOLS}
        )

    def read(self, reply: Reply) -> Step:
        """The step of a reply. Raises StepError, CallAsTextError."""
        if reply.calls:
            return Step(tuple(RequestedCall(c.id, c.name, _json_object(c.arguments)) for c in reply.calls))
        if any(name in self._names for name in _called_in_text(reply.text)):
            raise CallAsTextError
        return Step(text=reply.text)

    def messages(self, reply: Reply, results: Sequence[tuple[RequestedCall, str]]) -> tuple[Message, ...]:
        """What goes back to the model: its reply, and a text for each of its calls."""
        answers = (Message("tool", text, answers=call.id) for call, text in results)
        return (Message("assistant", reply.text, reply.calls), *answers)

    def sink(self, sink: Sink) -> SelectiveSink:
        """A sink that shows only what is sure to be the answer: nothing, since calls may follow any text."""
        return SelectiveSink(sink)

    def cut_text(self, reply: Reply) -> str:
        """What there is of the answer in a reply that was cut; empty if the cut is in a call."""
        return reply.text


class StructuredChannel:
    """Steps in an answer of the format JSON: works beside reasoning, and with any grammar.

    With `is_large` the model may make several calls in one step, and its server shows it the JSON schema of
    a step; others get the arguments in words as well.
    """

    def __init__(self, is_large: bool = False) -> None:
        self._is_large = is_large

    def request(self, base: ChatRequest, tools: Sequence[Tool]) -> ChatRequest:
        wanted = base.parameters.get(RESPONSE_FORMAT)
        text_rule = "" if wanted is None else f", as one JSON value: {_compact(wanted)}"
        steps = "\n".join(
            f'- {{"tool": "{offer.name}", "arguments": {{...}}}}: {offer.description}'
            + ("" if self._is_large else f" {_compact(offer.schema)}")
            for offer in _offered(tools)
        )
        several = SEVERAL if self._is_large else ""
        instruction = INSTRUCTION.format(steps=steps, text_rule=text_rule, several=several)
        first, *rest = base.messages
        system = first.content if first.role == "system" else ""
        messages = rest if first.role == "system" else base.messages
        format_ = self._response_format(tools)
        return base._replace(
            messages=(Message("system", f"{system}\n\n{instruction}".lstrip()), *messages),
            parameters={**base.parameters, RESPONSE_FORMAT: format_},
            droppable=base.droppable | {RESPONSE_FORMAT},
        )

    def read(self, reply: Reply) -> Step:
        value = _json_value(reply.text)
        step = value.get("step") if isinstance(value, Mapping) else None
        if isinstance(step, Mapping) and step.get("tool") == ANSWER and isinstance(step.get("text"), str):
            return Step(text=str(step["text"]))
        steps = step if isinstance(step, list) else [step]
        calls = [_call(number, item) for number, item in enumerate(steps)]
        if not calls:
            raise StepError("the list of calls is empty")
        return Step(tuple(calls))

    def messages(self, reply: Reply, results: Sequence[tuple[RequestedCall, str]]) -> tuple[Message, ...]:
        outputs = "\n\n".join(f"Output of {call.tool}:\n{text}" for call, text in results)
        return (Message("assistant", reply.text), Message("user", outputs))

    def sink(self, sink: Sink) -> SelectiveSink:
        return _AnswerSink(sink)

    def cut_text(self, reply: Reply) -> str:
        beginning = re.match(_BEGINNING, reply.text)
        return _decoded(reply.text[beginning.end() :])[0] if beginning else ""

    def _response_format(self, tools: Sequence[Tool]) -> dict[str, object]:
        """The JSON schema of a step; strict if the arguments of every tool have a strict form."""
        offered = _offered(tools)
        is_strict = all(offer.strict is not None for offer in offered)
        definitions: dict[str, object] = {}
        calls = []
        for offer in offered:
            schema = offer.strict if is_strict and offer.strict is not None else offer.schema
            if "$defs" in schema:
                renamed = cast("dict[str, Any]", _renamed(schema, offer.name))
                definitions |= {f"{offer.name}.{key}": part for key, part in renamed.pop("$defs").items()}
                schema = renamed
            calls.append(_closed({"tool": {"const": offer.name, "type": "string"}, "arguments": schema}))
        end = _closed({"tool": {"const": ANSWER, "type": "string"}, "text": {"type": "string"}})
        if self._is_large:
            definitions["call"] = {"anyOf": calls}
            one_call = {"$ref": "#/$defs/call"}
            whole = _closed({"step": {"anyOf": [one_call, end, {"type": "array", "items": one_call}]}})
        else:
            whole = _closed({"step": {"anyOf": [*calls, end]}})
        if definitions:
            whole["$defs"] = definitions
        json_schema: dict[str, object] = {"name": "step", "schema": whole}
        return {"type": "json_schema", "json_schema": json_schema | ({"strict": True} if is_strict else {})}


def _offered(tools: Sequence[Tool]) -> list[Tool]:
    """The tools of a request, and the question to the user as the last of them."""
    strict = strict_schema(QUESTION_SCHEMA)
    return [*tools, Tool(ASK_USER, QUESTION_USE, QUESTION_SCHEMA, "read", QUESTION, strict=strict)]


def _function(offer: Tool) -> dict[str, object]:
    function = {
        "name": offer.name,
        "description": offer.description,
        "parameters": offer.strict or offer.schema,
    }
    return {"type": "function", "function": function | ({"strict": True} if offer.strict else {})}


def _closed(properties: Mapping[str, object]) -> dict[str, object]:
    """A schema of an object with just these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }


def _renamed(value: object, prefix: str) -> object:
    """A schema whose references point to definitions with a prefix: all tools share one table of them."""
    if isinstance(value, Mapping):
        return {
            key: f"#/$defs/{prefix}.{part.removeprefix('#/$defs/')}"
            if key == "$ref" and isinstance(part, str)
            else _renamed(part, prefix)
            for key, part in value.items()
        }
    return [_renamed(item, prefix) for item in value] if isinstance(value, list) else value


def _call(number: int, step: object) -> RequestedCall:
    tool = step.get("tool") if isinstance(step, Mapping) else None
    if not isinstance(step, Mapping) or not isinstance(tool, str):
        raise StepError('it must be one JSON object {"step": ...} of the form that the instructions show')
    if tool == ANSWER:
        raise StepError('the step "answer" needs a "text" and stands alone')
    arguments = step.get("arguments", {})
    return RequestedCall(f"call_{number}", tool, arguments if isinstance(arguments, dict) else None)


def _json_object(text: str) -> Mapping[str, object] | None:
    """The arguments of a call; no text at all is no arguments."""
    try:
        value = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _json_value(text: str) -> object:
    """The JSON value that a whole text is, also within a fence. Raises StepError for anything else."""
    bare = re.sub(r"\A\s*```\w*\s*\n(.*)\n```\s*\Z", r"\1", text, flags=re.DOTALL)
    try:
        value: object = json.loads(bare)
    except (ValueError, RecursionError):
        raise StepError('it is not one JSON object {"step": ...} and nothing else') from None
    return value


def _called_in_text(text: str) -> Iterator[str]:
    """The names of tools that a text would call if it were a call."""
    bare = re.sub(r"```\w*|</?tool_call>|<\|\w+\|>|\[/?TOOL_CALLS\]", "", text).strip()
    try:
        value = json.loads(bare) if bare[:1] in ("{", "[") else None
    except (ValueError, RecursionError):
        return
    for call in value if isinstance(value, list) else [value]:
        for key in ("name", "tool", "function"):
            name = call.get(key) if isinstance(call, dict) else None
            yield from (str(name.get("name")) if isinstance(name, dict) else str(name),) if name else ()


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# Patterns that are compiled on their first use, when the answer comes.
_BEGINNING = r'\s*\{\s*"step"\s*:\s*\{\s*"tool"\s*:\s*"answer"\s*,\s*"text"\s*:\s*"'
_HIGH = r"\\u[dD][89abAB][0-9a-fA-F]{2}"
_WHOLE = rf"""(?:(?:{_HIGH})?+(?:[^"\\\x00-\x1f]+|\\u[0-9a-fA-F]{{4}}|\\["\\/bfnrt]))*"""
"""Characters of a JSON string; the first half of a character outside the BMP waits for the second."""


class _AnswerSink(SelectiveSink):
    """Passes on the text of the step `answer` while its JSON arrives."""

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink)
        self._text = ""
        self._is_answer = False

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        if not isinstance(event, AnswerDelta):
            return
        self._text += event.text
        if not self._is_answer and (beginning := re.match(_BEGINNING, self._text)):
            self._is_answer, self._text = True, self._text[beginning.end() :]
        if self._is_answer:
            text, self._text = _decoded(self._text)
            if text:
                self.has_shown = True
                self._sink(AnswerDelta(text))

    def restart(self) -> bool:
        self._text, self._is_answer = "", False
        return super().restart()


def _decoded(text: str) -> tuple[str, str]:
    """The text that the beginning of a JSON string stands for, and the rest that is not whole yet."""
    whole = re.match(_WHOLE, text)
    end = whole.end() if whole else 0
    return str(json.loads(f'"{text[:end]}"')), text[end:]
