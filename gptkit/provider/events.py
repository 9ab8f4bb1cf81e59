"""The JSON values of a chat completion, in pieces or whole, become gptkit's events."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from gptkit.core.chat import AnswerDelta, Event, Finished, ReasoningDelta, RefusalDelta, Usage
from gptkit.core.errors import ProtocolError, TryAgainError
from gptkit.provider.exchange import Exchange

_OPEN = "<think>"
_CLOSE = "</think>"


class Thoughts:
    """Tells thought from answer while both arrive in pieces of any size."""

    def __init__(self) -> None:
        self._state: Literal["start", "thought", "after", "answer"] = "start"
        self._held = ""

    def feed(self, text: str) -> Iterator[Event]:
        if self._state == "answer":
            if text:
                yield AnswerDelta(text)
            return
        self._held += text
        if self._state == "start":
            self._decide()
        if self._state == "thought":
            yield from self._thought()
        if self._state == "after":
            self._held = self._held.lstrip()
            self._state = "answer" if self._held else "after"
        if self._state == "answer" and self._held:
            held, self._held = self._held, ""
            yield AnswerDelta(held)

    def end(self) -> Iterator[Event]:
        if self._held and self._state != "after":
            yield ReasoningDelta(self._held) if self._state == "thought" else AnswerDelta(self._held)
        self._held = ""

    def _decide(self) -> None:
        bare = self._held.lstrip()
        if bare.startswith(_OPEN):
            self._state, self._held = "thought", bare[len(_OPEN) :]
        elif not _OPEN.startswith(bare):
            self._state = "answer"

    def _thought(self) -> Iterator[Event]:
        """All but a tail in which the closing mark may have begun."""
        thought, mark, rest = self._held.partition(_CLOSE)
        if mark:
            self._state, self._held = "after", rest
        else:
            kept = max((n for n in range(1, len(_CLOSE)) if thought.endswith(_CLOSE[:n])), default=0)
            cut = len(thought) - kept
            thought, self._held = thought[:cut], thought[cut:]
        if thought:
            yield ReasoningDelta(thought)


_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTENT = "content"
_GRACE = 5.0
"""Seconds to wait for usage and the end of the stream once the answer is whole."""


def events(pieces: Iterable[object], exchange: Exchange) -> Iterator[Event]:
    """Chunks of a stream or one whole completion; the last event is always Finished.

    Only the choice with index 0 counts. What a server leaves out or adds is no fault; a piece that
    is not an object, or content that is not text, is.
    """
    reading = _Reading(exchange)
    try:
        for piece in pieces:
            if not isinstance(piece, dict):
                raise _malformed("a piece is not an object")
            choices = piece.get("choices")
            if choices:
                yield from reading.choice(choices)
            else:
                _check(piece, exchange)
            reading.note(piece)
    except Exception as error:
        from gptkit.provider.errors import is_cut

        if reading.reason is None or not exchange.sealed or not is_cut(error):
            raise
    yield from reading.end()


class _Reading:
    """What was read so far."""

    def __init__(self, exchange: Exchange) -> None:
        self.reason: str | None = None
        self._exchange = exchange
        self._usage: Usage | None = None
        self._model = ""
        self._response: Mapping[str, object] | None = None
        self._answered = False
        self._whole = False
        self._content, self._reasoning, self._refusal = _Joined(), _Joined(), _Joined()
        self._thoughts = Thoughts()

    def choice(self, choices: object) -> Iterator[Event]:
        if not isinstance(choices, list):
            raise _malformed("its choices are not a list")
        for choice in choices:
            if isinstance(choice, dict) and not choice.get("index"):
                self._answered = True
                delta = choice.get("delta")
                reason = choice.get("finish_reason")
                if delta is None and "delta" not in choice:
                    delta = choice.get("message")
                    self._whole = "message" in choice
                    if not self._whole and not reason:
                        raise _malformed("a choice says nothing")
                if isinstance(delta, dict):
                    yield from self._delta(delta)
                if reason:
                    self.reason = reason if isinstance(reason, str) else str(reason)[:60]
                    self._exchange.clock.hurry(_GRACE)
                return

    def note(self, piece: dict[str, object]) -> None:
        usage = piece.get("usage")
        if usage:
            self._usage = _usage(usage) or self._usage
        if not self._model:
            model = piece.get("model")
            self._model = model if isinstance(model, str) else ""
        if self._whole:
            self._response, self._whole = piece, False

    def end(self) -> Iterator[Event]:
        if not self._answered:
            raise ProtocolError("the answer holds no choices", tries=2)
        yield from self._thoughts.feed(self._content.rest())
        yield from self._thoughts.end()
        if self.reason is None and self._exchange.done and self._exchange.endpoint.lenient_finish:
            self.reason = "stop"
        if self.reason == "error":
            raise TryAgainError("the server stopped with an error", tries=4)
        response = self._response and {name: _valid(value) for name, value in self._response.items()}
        yield Finished(self.reason, self._usage, self._model, self._exchange.request_id, response)

    def _delta(self, delta: dict[str, object]) -> Iterator[Event]:
        content = delta.get("content")
        if content:
            self._exchange.clock.content()
            if not isinstance(content, str):
                part, content = _parts(content)
                yield from _events(ReasoningDelta, self._reasoning.feed(part))
            yield from self._thoughts.feed(self._content.feed(content))
            if len(delta) == 1:
                return
        elif "content" not in delta and delta:
            _check_names(delta)
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thought, str) and thought:
            self._exchange.clock.content()
            yield from _events(ReasoningDelta, self._reasoning.feed(thought))
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            self._exchange.clock.content()
            yield from _events(RefusalDelta, self._refusal.feed(refusal))
        if delta.get("tool_calls") or delta.get("function_call"):
            self._exchange.clock.content()


def _events(kind: type[ReasoningDelta] | type[RefusalDelta], text: str) -> Iterator[Event]:
    if text:
        yield kind(text)


class _Joined:
    """Text whose surrogate pairs may be torn apart by the pieces."""

    def __init__(self) -> None:
        self._half = ""

    def feed(self, text: str) -> str:
        if self._half:
            text, self._half = self._half + text, ""
        if text.isascii() or not _SURROGATE.search(text):
            return text
        if "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return _whole(text)

    def rest(self) -> str:
        half, self._half = self._half, ""
        return "\ufffd" if half else ""


def _whole(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _valid(value: object) -> object:
    """The response with text that can be stored and printed as UTF-8."""
    if isinstance(value, str):
        return _whole(value) if _SURROGATE.search(value) else value
    if isinstance(value, dict):
        return {_valid(name): _valid(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_valid(inner) for inner in value]
    return value


def _parts(content: object) -> tuple[str, str]:
    """Thought and text of content that comes as a list of typed parts."""
    if not isinstance(content, list):
        raise _malformed("its content is not text")
    thought: list[str] = []
    text: list[str] = []
    for part in content:
        if isinstance(part, str):
            text.append(part)
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            text.append(str(part["text"]))
        elif isinstance(part, dict) and part.get("thinking"):
            inner = part["thinking"]
            thought.append(inner if isinstance(inner, str) else "".join(_parts(inner)))
        else:
            raise _malformed("a part of its content is not text")
    return "".join(thought), "".join(text)


def _usage(value: object) -> Usage | None:
    if not isinstance(value, dict):
        return None
    counts = (_count(value.get("prompt_tokens")), _count(value.get("completion_tokens", 0)))
    return None if counts[0] is None or counts[1] is None else Usage(counts[0], counts[1])


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        return None
    return int(value)


def _check(piece: dict[str, object], exchange: Exchange) -> None:
    """A piece without choices may be a report of usage or a note; it may also be a failure."""
    kind = piece.get("object")
    if kind == "error":
        from gptkit.provider.errors import reported

        raise reported(piece, exchange)
    if kind == "chat.completion.chunk" and "choices" not in piece:
        raise _malformed("a chunk has no choices")


def _check_names(delta: dict[str, object]) -> None:
    """Names that gptkit does not know are no fault; `cOntent` is damage, and text would be lost with it."""
    for name in delta:
        if len(name) == len(_CONTENT) and sum(a != b for a, b in zip(name, _CONTENT, strict=True)) == 1:
            raise _malformed(f"it has '{name}' for '{_CONTENT}'")


def _malformed(what: str) -> ProtocolError:
    return ProtocolError(f"malformed answer: {what}", tries=2, billed=True)
