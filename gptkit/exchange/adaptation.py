"""Changes a request to what the server takes, by what the server rejected now or in an earlier run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptkit.core.chat import STREAM, SYSTEM_ROLE, ChatRequest
from gptkit.exchange.invocation import PARAMETER_TWINS

if TYPE_CHECKING:
    from gptkit.core.errors import GptkitError
    from gptkit.exchange.invocation import Runtime


def adapt_request(request: ChatRequest, runtime: Runtime) -> ChatRequest:
    """Change a request to what its model is known to take."""
    return Adaptation(request, runtime).first_request()


class Adaptation:
    """The request that the user wants, and the parts of that request which the server rejects.

    A part is a parameter, `STREAM` or `SYSTEM_ROLE`.
    """

    def __init__(self, wanted: ChatRequest, runtime: Runtime) -> None:
        self._wanted = wanted
        self._runtime = runtime
        self._learned: dict[str, list[object]] = {}
        """The values that the server rejected since the first request, by part; None for all values."""

    def first_request(self) -> ChatRequest:
        """Return the request by what earlier runs have learned, and say what changes."""
        request = self._wanted
        for name, how, request in self._changes():
            self._runtime.notice_once(
                f"'{request.model}' is known not to take '{name}'; sent {how}"
                " ('gptkit config unset rejected' forgets that)"
            )
        return request

    def next_request(self, sent: ChatRequest, failure: GptkitError) -> ChatRequest | None:
        """Return the request without the part that the server rejects; None if that part has to stay.

        What an earlier run has learned is forgotten if the server now rejects what was sent for that reason.
        """
        name, rejections = failure.parameter, self._runtime.rejections
        for refuted in self._refuted(name, sent):
            rejections.remove(sent.model, refuted)
        if name in _parts(sent):
            value = _value(sent, name) if failure.one_value or name == STREAM else None
            self._learned.setdefault(name, []).append(value)
        changes = self._changes()
        request = changes[-1][2] if changes else self._wanted
        if request == sent or any(self._is_learned(part, _value(request, part)) for part in _parts(request)):
            return None
        how = next((how for changed, how, _ in changes if changed == name), "as it was")
        self._runtime.notice(f"'{sent.model}' does not take '{name}'; sent again {how}")
        return request

    def remember(self) -> None:
        """Record what the server rejected, once the server has answered without that."""
        for name, values in self._learned.items():
            for value in values:
                self._runtime.rejections.add(self._wanted.model, name, value)
        self._learned = {}

    def _changes(self) -> list[tuple[str, str, ChatRequest]]:
        """Return each part that is changed, how in words, and the request after that change."""
        request, changes = self._wanted, []
        for name in _parts(request):
            if not self._is_rejected(name, _value(request, name)):
                continue
            changed, how = self._without(request, name)
            if changed != request:
                request = changed
                changes.append((name, how, request))
        return changes

    def _without(self, request: ChatRequest, name: str) -> tuple[ChatRequest, str]:
        """Return the request without a rejected part, and how that is sent; typed parameters stay."""
        if name == STREAM:
            if request.stream:
                return request.without_streaming()._replace(patient=True), "in one piece"
            return request._replace(stream=True), "as a stream"
        if name == SYSTEM_ROLE:
            return request.without_system_role(), "with the system message in that of the user"
        parameters = dict(request.parameters)
        droppable = request.droppable - {name}
        twin = PARAMETER_TWINS.get(name)
        if twin and twin not in parameters and not self._is_rejected(twin, parameters[name]):
            parameters[twin] = parameters.pop(name)
            droppable |= {twin} if name in request.droppable else frozenset()
            return request._replace(parameters=parameters, droppable=droppable), f"as '{twin}'"
        if name not in request.droppable:
            return request, ""
        del parameters[name]
        return request._replace(parameters=parameters, droppable=droppable), "without it"

    def _refuted(self, name: str, sent: ChatRequest) -> list[str]:
        """Return the parts that were left out or renamed by what an earlier run had learned, wrongly."""
        names = [STREAM] if name == STREAM else [name, PARAMETER_TWINS.get(name, "")]
        wanted = [part for part in names if part in _parts(self._wanted)]
        return [
            part
            for part in wanted
            if part not in self._learned and (part == STREAM or part not in sent.parameters)
        ]

    def _is_rejected(self, name: str, value: object) -> bool:
        known = self._runtime.rejections.rejects(self._wanted.model, name, value)
        return known or self._is_learned(name, value)

    def _is_learned(self, name: str, value: object) -> bool:
        return any(rejected in (None, value) for rejected in self._learned.get(name, ()))


def _parts(request: ChatRequest) -> list[str]:
    """Return the parts of a request that a server may reject."""
    has_system = any(message.role == "system" for message in request.messages)
    return [*sorted(request.parameters), STREAM, *([SYSTEM_ROLE] if has_system else [])]


def _value(request: ChatRequest, name: str) -> object:
    return request.stream if name == STREAM else request.parameters.get(name)
