"""The type of a capability: what a prompt file can declare beyond one exchange; and how one runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from gptkit.core.chat import ChatRequest, Event, Sink
from gptkit.core.errors import InternalError
from gptkit.core.yaml_tree import Problem
from gptkit.exchange.ask import request_answer
from gptkit.exchange.invocation import Invocation, Outcome, Runtime, build_request
from gptkit.templates.template import CaseWords, Parameter, Value

if TYPE_CHECKING:
    from gptkit.core.yaml_tree import YamlNode


Run = Callable[[Invocation, Runtime, Sink | None], Outcome]
Prepare = Callable[[Invocation, Mapping[str, object]], Invocation]
"""Takes an invocation and the stores of capabilities by their keys; returns the changed invocation."""


class HousekeepingCommand(NamedTuple):
    """A command that is written in Python: the `app` of a module, imported when the command is called.

    `below` is the name of the command under which the command stands; empty at the top level.
    """

    name: str
    module: str
    help: str
    group: str = "Other commands"
    """The heading under which `gptkit --help` lists the command."""
    below: str = ""


class Capability(NamedTuple):
    """A key of prompt files: how the key is checked, what the key adds to a command, and what runs.

    `check` turns the node of the key into a value of the capability, which stands under the key in
    `Template.capabilities`. `options` are added to the command, `variables` to the names that the
    template may use; where the file declares a parameter of such a name, the capability reads that.
    """

    key: str
    check: Callable[["YamlNode", Callable[[Problem], None]], object]
    options: tuple[Parameter, ...] = ()
    variables: tuple[str, ...] = ()
    prepare: Prepare | None = None
    """Adds what the request needs to an invocation, without sending anything."""
    run: Run | None = None
    """Takes the place of the single exchange."""
    read_input: Callable[..., Any] | None = None
    """Given the call of a command: reads the input in place of `gather` and returns what was Given."""
    take_over: Callable[..., int | None] | None = None
    """Given the call of a command: does something in place of an exchange and returns the exit code; None
    leaves the call to others."""
    store: Callable[..., object] | None = None
    """Given the services and whether anything may be stored: makes the store of the capability."""
    greeting: Callable[..., Any] | None = None
    """Given services, template and values: the Greeting of a new conversation, or None."""
    session_name: Callable[..., str] | None = None
    """Given template and values: the name of the conversation that goes on by default; empty for none."""
    loop_commands: Callable[..., Any] | None = None
    """Given the Talk of a prompt loop: the commands that the capability adds to the loop."""
    begin_loop: Callable[..., None] | None = None
    """Given the Talk: shows what the user sees before the first message; raises if no talk is possible."""
    check_file: Callable[..., Any] | None = None
    """Given services and a name: the FileReport of `prompts check` on a file of the capability; None if the
    name means no such file."""
    commands: tuple[HousekeepingCommand, ...] = ()
    example: str = ""
    """A prompt file with comments that `prompts new` writes for the capability; `{name}` is its name."""
    find_problems: Callable[..., Sequence[str]] | None = None
    """Given services and template: what `prompts check` finds beside the parser, as lines."""
    describe: Callable[..., Sequence[str]] | None = None
    """Given services and template: what `prompts show` says beside the file, as lines."""
    trust: Callable[..., Sequence[str]] | None = None
    """Given services, template and whether to take the trust back: trusts the file of the template, and
    returns lines on what is trusted."""
    case_words: CaseWords = CaseWords()
    run_case: Callable[..., Sequence[str]] | None = None
    """Given services, template and a test case: what differs from the expectations, offline."""
    run_live_case: Callable[..., Sequence[str]] | None = None
    """Does what `run_case` does, but asks the model."""

    outputs: tuple[str, ...] = ()
    """The formats of output that the capability works with; empty for all."""
    takes_schema: bool = False
    """Whether the capability reads `--schema` itself."""
    works_on_input: bool = False
    """Whether the capability decides what becomes of the input, however long it is."""

    @property
    def claims(self) -> frozenset[str]:
        """What only one capability of a prompt file may do: run in place of the exchange, decide on input."""
        claimed = {"exchange": self.run is not None, "input": self.works_on_input}
        return frozenset(name for name, is_claimed in claimed.items() if is_claimed)


class Greeting(NamedTuple):
    """The first message of a conversation: as the model sees it, and as the user does.

    `notes` are stored with its turn.
    """

    model_text: str
    user_text: str
    notes: Mapping[str, object]


class FileReport(NamedTuple):
    """What `prompts check` says of a file that is no prompt; `noun` is what such a file is called."""

    noun: str
    lines: tuple[str, ...]
    is_broken: bool


def capability_options(values: Mapping[str, Value], fields: Sequence[str]) -> dict[str, Any]:
    """Pick the options of one capability from the values of a command line, by the names of its fields.

    A field may end in `_` where the option is a keyword of Python.
    """
    return {field: values[name] for field in fields if (name := field.rstrip("_")) in values}


def import_on_call(place: str) -> Callable[..., Any]:
    """Return a function that imports `package.module:name` only when it is called, and calls that."""
    module, _, name = place.partition(":")

    def call(*arguments: object) -> object:
        from importlib import import_module

        return getattr(import_module(module), name)(*arguments)

    call.__name__ = place
    return call


def prepare_invocation(
    invocation: Invocation, stores: Mapping[str, object], known: Sequence[Capability]
) -> Invocation:
    """Add what every capability of the template brings into the request."""
    for capability in known:
        if capability.prepare is not None and capability.key in invocation.template.capabilities:
            invocation = capability.prepare(invocation, stores)
    return invocation


def run(
    invocation: Invocation,
    request: ChatRequest,
    runtime: Runtime,
    sink: Sink | None,
    known: Sequence[Capability],
) -> Outcome:
    """Run the capability of the template that takes the place of the exchange, else the exchange.

    `request` is the rendered request of the invocation.
    """
    for capability in known:
        if capability.run is not None and capability.key in invocation.template.capabilities:
            return capability.run(invocation, runtime, sink)
    return request_answer(request, runtime, sink, exact=invocation.exact)


def first_request(invocation: Invocation, runtime: Runtime, known: Sequence[Capability]) -> ChatRequest:
    """Return the request that `run` would send first, and send nothing: `runtime` needs no provider.

    Raises the failure of a `run` that sends nothing.
    """

    def stop(request: ChatRequest) -> Iterator[Event]:
        raise _FirstRequest(request)

    try:
        outcome = run(
            invocation,
            build_request(invocation, runtime.format),
            runtime._replace(provider=stop),
            None,
            known,
        )
    except _FirstRequest as first:
        return first.request
    raise outcome.failure or InternalError("dry run: nothing was asked")


class _FirstRequest(BaseException):
    """Carries the first request out of `run`; no `except Exception` on the way catches it."""

    def __init__(self, request: ChatRequest) -> None:
        super().__init__()
        self.request = request
