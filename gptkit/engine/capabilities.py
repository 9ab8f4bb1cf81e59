"""What prompt files can declare beyond one exchange: the one list of capabilities."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from gptkit.chat import Event, Request, Sink
from gptkit.engine.ask import ask
from gptkit.engine.character import casting as character
from gptkit.engine.conversation import declared
from gptkit.engine.learner import setting as course
from gptkit.engine.long.declared import OPTIONS, long
from gptkit.engine.work import Invocation, Means, Outcome
from gptkit.errors import InternalFault
from gptkit.templates.model import Parameter, Problem

if TYPE_CHECKING:
    from gptkit.templates.tree import Node

Run = Callable[[Invocation, Means, Sink | None], Outcome]
Prepare = Callable[[Invocation, Mapping[str, object]], Invocation]
"""Takes the stores of capabilities by their keys."""


class Capability(NamedTuple):
    """A key of prompt files: how it is checked, what it adds to a command, what runs for it.

    `check` turns the key's node into the capability's own value, which is found again under the
    key in `Template.capabilities`. `prepare` adds to an invocation what the request needs, without
    sending anything; `run` takes the place of the single exchange. `variables` are those that the
    template may use because of it. `excludes` names the capabilities it does not go with.
    """

    key: str
    check: Callable[["Node", Callable[[Problem], None]], object]
    run: Run | None = None
    options: tuple[Parameter, ...] = ()
    prepare: Prepare | None = None
    variables: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()


CAPABILITIES: tuple[Capability, ...] = (
    Capability("conversation", declared),
    Capability("long", long, options=OPTIONS),
    Capability(
        course.KEY,
        course.setting,
        run=course.run,
        options=course.OPTIONS,
        prepare=course.prepare,
        variables=(course.KEY,),
        excludes=(character.KEY,),
    ),
    Capability(
        character.KEY,
        character.casting,
        run=character.run,
        options=character.OPTIONS,
        prepare=character.prepare,
        variables=character.VARIABLES,
        excludes=(course.KEY,),
    ),
)
"""In the order in which they take precedence when a file declares several."""


def prepared(
    invocation: Invocation, stores: Mapping[str, object], known: tuple[Capability, ...] = CAPABILITIES
) -> Invocation:
    """The invocation with what every capability of its template brings into the request."""
    for capability in known:
        if capability.prepare is not None and capability.key in invocation.template.capabilities:
            invocation = capability.prepare(invocation, stores)
    return invocation


def run(
    invocation: Invocation, means: Means, sink: Sink | None, known: tuple[Capability, ...] = CAPABILITIES
) -> Outcome:
    """Run the first capability of the template that has a way of its own, else the single exchange."""
    for capability in known:
        if capability.run is not None and capability.key in invocation.template.capabilities:
            return capability.run(invocation, means, sink)
    return ask(invocation, means, sink)


def first_request(invocation: Invocation, means: Means) -> Request:
    """What `run` would send first. Nothing is sent: the means need no provider of their own."""

    def stop(request: Request) -> Iterator[Event]:
        raise _Asked(request)

    try:
        run(invocation, means._replace(provider=stop), None)
    except _Asked as asked:
        return asked.request
    raise InternalFault("dry run: nothing was asked")


class _Asked(BaseException):
    """Ends a rehearsal; nobody on the way takes it for a failure."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request
