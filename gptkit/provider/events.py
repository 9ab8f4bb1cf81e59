"""Turns the JSON values of a chat completion, streamed or whole, into events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from gptkit.core.chat import AnswerDelta, Event, Finished, ReasoningDelta, RefusalDelta, ToolCall, Usage
from gptkit.core.errors import GptkitError, ProtocolError, TryAgainError
from gptkit.provider.exchange import Exchange

_OPEN = "<think>"
_CLOSE = "</think>"


class ThinkTagSplitter:
    """Splits text in pieces of any size into thoughts (between `<think>` tags at the start) and answer."""

    def __init__(self) -> None:
        self._state: Literal["start", "thought", "after", "answer"] = "start"
        self._pending = ""

    def feed(self, text: str) -> Iterator[Event]:
        if self._state == "answer":
            if text:
                yield AnswerDelta(text)
            return
        self._pending += text
        if self._state == "start":
            self._decide()
        if self._state == "thought":
            yield from self._split_thought()
        if self._state == "after":
            self._pending = self._pending.lstrip()
            self._state = "answer" if self._pending else "after"
        if self._state == "answer" and self._pending:
            text, self._pending = self._pending, ""
            yield AnswerDelta(text)

    def end(self) -> Iterator[Event]:
        if self._pending and self._state != "after":
            yield ReasoningDelta(self._pending) if self._state == "thought" else AnswerDelta(self._pending)
        self._pending = ""

    def _decide(self) -> None:
        bare = self._pending.lstrip()
        if bare.startswith(_OPEN):
            self._state, self._pending = "thought", bare[len(_OPEN) :]
        elif not _OPEN.startswith(bare):
            self._state = "answer"

    def _split_thought(self) -> Iterator[Event]:
        """Yield the pending thought, except a tail that may be the beginning of the closing tag."""
        thought, mark, rest = self._pending.partition(_CLOSE)
        if mark:
            self._state, self._pending = "after", rest
        else:
            tail = max((n for n in range(1, len(_CLOSE)) if thought.endswith(_CLOSE[:n])), default=0)
            cut = len(thought) - tail
            thought, self._pending = thought[:cut], thought[cut:]
        if thought:
            yield ReasoningDelta(thought)


_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTENT = "content"
FINISH_REASONS = {
    **dict.fromkeys(("stop", "eos", "eos_token", "stop_token", "stop_sequence"), "stop"),
    **dict.fromkeys(("end", "end_turn", "complete", "completed"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "max_output_tokens", "model_length"), "length"),
    **dict.fromkeys(("content_filter", "content_filtered", "safety", "recitation"), "content_filter"),
    "error": "error",
}
"""OpenAI's words for the finish reasons of Anthropic, Gemini, Mistral, Cohere and TGI, in lower case."""


def events(pieces: Iterable[object], exchange: Exchange) -> Iterator[Event]:
    """Yield the events of the chunks of a stream, or of one whole completion; the last event is Finished.

    Only the choice with index 0 counts. Missing and unknown fields are accepted. Raises ProtocolError for
    a piece that is no object and for content that is no text.
    """
    reader = _AnswerReader(exchange)
    try:
        for piece in pieces:
            if not isinstance(piece, dict):
                raise _other_value_error(piece, exchange)
            choices = piece.get("choices")
            if choices:
                yield from reader.choice(choices)
            else:
                _check_other_piece(piece, exchange)
            reader.read_metadata(piece)
    except Exception as error:
        from gptkit.provider.errors import is_disconnect

        if reader.reason is None or not exchange.is_verified or not is_disconnect(error):
            raise
    yield from reader.end()


class _AnswerReader:
    """Reads the pieces of one answer."""

    def __init__(self, exchange: Exchange) -> None:
        self.reason: str | None = None
        self._exchange = exchange
        self._usage: Usage | None = None
        self._model = ""
        self._response: Mapping[str, object] | None = None
        self._has_choice = False
        self._is_whole = False
        self._content, self._reasoning, self._refusal = (
            _SurrogateJoiner(),
            _SurrogateJoiner(),
            _SurrogateJoiner(),
        )
        self._splitter = ThinkTagSplitter()
        self._calls = _CallJoiner()

    def choice(self, choices: object) -> Iterator[Event]:
        if not isinstance(choices, list):
            raise _malformed_error("its choices are not a list")
        for choice in choices:
            if isinstance(choice, dict) and not choice.get("index"):
                self._has_choice = True
                delta = choice.get("delta")
                reason = choice.get("finish_reason")
                if delta is None and "delta" not in choice:
                    delta = choice.get("message")
                    self._is_whole = "message" in choice
                    if not self._is_whole and not reason:
                        raise _malformed_error("a choice says nothing")
                if isinstance(delta, dict):
                    yield from self._delta(delta)
                if reason:
                    self.reason = _finish_reason(reason)
                    self._exchange.clock.shorten(self._exchange.endpoint.deadlines.end)
                return

    def read_metadata(self, piece: dict[str, object]) -> None:
        usage = piece.get("usage")
        if usage:
            self._usage = _parse_usage(usage) or self._usage
        if not self._model:
            model = piece.get("model")
            self._model = model if isinstance(model, str) else ""
        if self._is_whole:
            self._response, self._is_whole = piece, False

    def end(self) -> Iterator[Event]:
        if not self._has_choice:
            raise ProtocolError("the answer holds no choices", tries=2)
        yield from self._splitter.feed(self._content.rest())
        yield from self._splitter.end()
        if self.reason is None and self._exchange.is_complete and self._exchange.endpoint.lenient_finish:
            self.reason = "stop"
        if self.reason == "error":
            raise TryAgainError("the server stopped with an error", tries=4)
        yield from self._calls.calls()
        response = self._response and {name: _valid_unicode(value) for name, value in self._response.items()}
        yield Finished(self.reason, self._usage, self._model, self._exchange.request_id, response)

    def _delta(self, delta: dict[str, object]) -> Iterator[Event]:
        content = delta.get("content")
        if content:
            self._begin_content()
            if not isinstance(content, str):
                part, content = _split_parts(content)
                yield from _events(ReasoningDelta, self._reasoning.feed(part))
            yield from self._splitter.feed(self._content.feed(content))
            if len(delta) == 1:
                return
        elif "content" not in delta and delta:
            _check_names(delta)
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thought, str) and thought:
            self._exchange.clock.restart()
            yield from _events(ReasoningDelta, self._reasoning.feed(thought))
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            self._begin_content()
            yield from _events(RefusalDelta, self._refusal.feed(refusal))
        if calls := delta.get("tool_calls"):
            self._begin_content()
            self._calls.feed(calls)
        if delta.get("function_call"):
            self._begin_content()

    def _begin_content(self) -> None:
        """Restart the content deadline, and forget a finish reason that came too early."""
        self._exchange.clock.restart()
        self.reason = None


def _finish_reason(reason: object) -> str:
    """Return a finish reason in OpenAI's words; an unknown one as the server spells the reason."""
    text = reason if isinstance(reason, str) else str(reason)[:60]
    return FINISH_REASONS.get(text.lower(), text)


def _events(kind: type[ReasoningDelta] | type[RefusalDelta], text: str) -> Iterator[Event]:
    if text:
        yield kind(text)


class _CallJoiner:
    """Joins the pieces of tool calls.

    A piece belongs to the call of its id; without an id to the latest call with its index. Some servers give
    every call the index 0, some send the arguments as an object.
    """

    def __init__(self) -> None:
        self._calls: list[dict[str, str]] = []
        self._latest: dict[object, dict[str, str]] = {}

    def feed(self, pieces: object) -> None:
        if not isinstance(pieces, list):
            raise _malformed_error("its tool calls are not a list")
        for piece in pieces:
            function = piece.get("function") if isinstance(piece, dict) else None
            if not isinstance(function, dict):
                raise _malformed_error("a tool call is not an object with a function")
            call = self._call(piece.get("id"), piece.get("index", len(self._calls)))
            name, arguments = function.get("name"), function.get("arguments")
            if isinstance(name, str) and not call["name"]:
                call["name"] = name
            if isinstance(arguments, dict):
                arguments = json.dumps(arguments, ensure_ascii=False)
            if isinstance(arguments, str):
                call["arguments"] += arguments

    def calls(self) -> Iterator[ToolCall]:
        for number, call in enumerate(self._calls):
            fields = {name: _join_surrogates(text) for name, text in call.items()}
            yield ToolCall(**{**fields, "id": fields["id"] or f"call_{number}"})

    def _call(self, identity: object, index: object) -> dict[str, str]:
        if isinstance(identity, str) and identity:
            call = next((call for call in self._calls if call["id"] == identity), None)
        else:
            identity, call = "", self._latest.get(str(index))
        if call is None:
            call = {"id": identity, "name": "", "arguments": ""}
            self._calls.append(call)
        self._latest[str(index)] = call
        return call


class _SurrogateJoiner:
    """Joins surrogate pairs whose halves came in different pieces."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, text: str) -> str:
        if self._half:
            text, self._half = self._half + text, ""
        if text.isascii() or not _SURROGATE.search(text):
            return text
        if "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return _join_surrogates(text)

    def rest(self) -> str:
        half, self._half = self._half, ""
        return "\ufffd" if half else ""


def _join_surrogates(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _valid_unicode(value: object) -> object:
    """Copy a JSON value with text that UTF-8 can hold."""
    if isinstance(value, str):
        return _join_surrogates(value) if _SURROGATE.search(value) else value
    if isinstance(value, dict):
        return {_valid_unicode(name): _valid_unicode(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_valid_unicode(inner) for inner in value]
    return value


def _split_parts(content: object) -> tuple[str, str]:
    """Return thought and text of content that is a list of typed parts."""
    if not isinstance(content, list):
        raise _malformed_error("its content is not text")
    thought: list[str] = []
    text: list[str] = []
    for part in content:
        if isinstance(part, str):
            text.append(part)
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            text.append(str(part["text"]))
        elif isinstance(part, dict) and part.get("thinking"):
            inner = part["thinking"]
            thought.append(inner if isinstance(inner, str) else "".join(_split_parts(inner)))
        else:
            raise _malformed_error("a part of its content is not text")
    return "".join(thought), "".join(text)


def _parse_usage(value: object) -> Usage | None:
    if not isinstance(value, dict):
        return None
    counts = (_token_count(value.get("prompt_tokens")), _token_count(value.get("completion_tokens", 0)))
    return None if counts[0] is None or counts[1] is None else Usage(counts[0], counts[1])


def _token_count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        return None
    return int(value)


def _check_other_piece(piece: dict[str, object], exchange: Exchange) -> None:
    """Raise the error of a piece without choices; such a piece may also report usage or nothing."""
    kind = piece.get("object")
    if kind == "error":
        from gptkit.provider.errors import in_stream_error

        raise in_stream_error(piece, exchange)
    if kind == "chat.completion.chunk" and "choices" not in piece:
        raise _malformed_error("a chunk has no choices")


def _other_value_error(piece: object, exchange: Exchange) -> GptkitError:
    """Make the error of a piece that is no object; Gemini reports errors in an array."""
    if isinstance(piece, list) and piece and isinstance(piece[0], dict) and piece[0].get("error"):
        from gptkit.provider.errors import in_stream_error

        return in_stream_error(piece, exchange)
    return _malformed_error("a piece is not an object")


def _check_names(delta: dict[str, object]) -> None:
    """Raise ProtocolError for a damaged name such as `cOntent`, whose text would be lost."""
    for name in delta:
        if len(name) == len(_CONTENT) and sum(a != b for a, b in zip(name, _CONTENT, strict=True)) == 1:
            raise _malformed_error(f"it has '{name}' for '{_CONTENT}'")


def _malformed_error(what: str) -> ProtocolError:
    return ProtocolError(f"malformed answer: {what}", tries=2, billed=True)
