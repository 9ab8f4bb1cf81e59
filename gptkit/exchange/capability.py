"""What a prompt file can declare beyond one exchange: the type of a capability, and how one runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gptkit.core.chat import ChatRequest, Event, Sink
from gptkit.core.errors import InternalError
from gptkit.core.yaml_tree import Problem
from gptkit.exchange.ask import request_answer
from gptkit.exchange.invocation import Invocation, Outcome, Runtime, build_request
from gptkit.templates.template import Parameter, Value

if TYPE_CHECKING:
    from gptkit.core.yaml_tree import Node


Run = Callable[[Invocation, Runtime, Sink | None], Outcome]
Prepare = Callable[[Invocation, Mapping[str, object]], Invocation]
"""Takes the stores of capabilities by their keys."""


class HousekeepingCommand(NamedTuple):
    """A command that is written in Python: the module whose `app` it is, imported when it is called."""

    name: str
    module: str
    help: str


class Capability(NamedTuple):
    """A key of prompt files: how it is checked, what it adds to a command, what runs for it.

    `check` turns the key's node into the capability's own value, which is found again under the
    key in `Template.capabilities`. `options` are added to the command, `variables` to what its
    template may use. At most one capability of a file may have a `run`.
    """

    key: str
    check: Callable[["Node", Callable[[Problem], None]], object]
    options: tuple[Parameter, ...] = ()
    variables: tuple[str, ...] = ()
    prepare: Prepare | None = None
    """Adds to an invocation what the request needs, without sending anything."""
    run: Run | None = None
    """Takes the place of the single exchange."""
    take_over: Callable[..., int | None] | None = None
    """Given the call of a command: the exit code of what it does in place of an exchange; None where that
    call is not for this capability."""
    store: Callable[..., object] | None = None
    """Given the services and whether anything may be kept: what the capability reads and keeps."""
    greeting: Callable[..., Any] | None = None
    """Given services, template and values: the Greeting of a new conversation; None where nobody greets."""
    session_name: Callable[..., str] | None = None
    """Given template and values: the name of the conversation that goes on unasked; empty for none."""
    loop_commands: Callable[..., Any] | None = None
    """Given the Talk of a prompt loop: the commands that it has because of this capability."""
    begin_loop: Callable[..., None] | None = None
    """Given the Talk: shows what stands before the first word; raises what makes a talk impossible."""
    check_file: Callable[..., Any] | None = None
    """Given services and a name: the FileReport of `prompts check` on a file of the capability's own; None
    where the name means no such file."""
    commands: tuple[HousekeepingCommand, ...] = ()

    @property
    def is_exclusive(self) -> bool:
        """Whether it takes the place of the exchange, so that no other of that kind goes with it."""
        return self.run is not None


class Greeting(NamedTuple):
    """XX; `notes` are kept with it."""

    model_text: str
    user_text: str
    notes: Mapping[str, object]


class FileReport(NamedTuple):
    """What `prompts check` tells of a file that is no prompt, what such a file is called, and whether it
    cannot be used."""

    noun: str
    lines: tuple[str, ...]
    is_broken: bool


def capability_options(values: Mapping[str, Value], fields: Sequence[str]) -> dict[str, Any]:
    """Of all that the command line says, what the options of one capability say: the arguments of the value
    that it makes of them. A field may end in `_` where Python keeps the word for itself."""
    return {field: values[name] for field in fields if (name := field.rstrip("_")) in values}


def import_on_call(place: str) -> Callable[..., Any]:
    """The function at `package.module:name`, which is imported when it is called."""
    module, _, name = place.partition(":")

    def call(*arguments: object) -> object:
        from importlib import import_module

        return getattr(import_module(module), name)(*arguments)

    call.__name__ = place
    return call


def prepare_invocation(
    invocation: Invocation, stores: Mapping[str, object], known: Sequence[Capability]
) -> Invocation:
    """The invocation with what every capability of its template brings into the request."""
    for capability in known:
        if capability.prepare is not None and capability.key in invocation.template.capabilities:
            invocation = capability.prepare(invocation, stores)
    return invocation


def run(
    invocation: Invocation,
    sent: ChatRequest,
    runtime: Runtime,
    sink: Sink | None,
    known: Sequence[Capability],
) -> Outcome:
    """Run the capability of the template that takes the place of the exchange, else the exchange.

    `sent` is the request of the invocation, which is rendered once.
    """
    for capability in known:
        if capability.run is not None and capability.key in invocation.template.capabilities:
            return capability.run(invocation, runtime, sink)
    return request_answer(sent, runtime, sink, exact=invocation.exact)


def first_request(invocation: Invocation, runtime: Runtime, known: Sequence[Capability]) -> ChatRequest:
    """What `run` would send first. Nothing is sent: `runtime` needs no provider of its own."""

    def stop(request: ChatRequest) -> Iterator[Event]:
        raise _Asked(request)

    try:
        run(
            invocation,
            build_request(invocation, runtime.format),
            runtime._replace(provider=stop),
            None,
            known,
        )
    except _Asked as asked:
        return asked.request
    raise InternalError("dry run: nothing was asked")


class _Asked(BaseException):
    """Ends a rehearsal; nobody on the way takes it for a failure."""

    def __init__(self, request: ChatRequest) -> None:
        super().__init__()
        self.request = request
