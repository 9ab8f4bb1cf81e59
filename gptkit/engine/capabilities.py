"""What prompt files can declare beyond one exchange: the one list of capabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from gptkit.chat import Sink
from gptkit.engine.ask import ask
from gptkit.engine.work import Invocation, Means, Outcome
from gptkit.templates.model import Parameter, Problem

if TYPE_CHECKING:
    from gptkit.templates.tree import Node

Run = Callable[[Invocation, Means, Sink | None], Outcome]


class Capability(NamedTuple):
    """A key of prompt files: how it is checked, what it adds to a command, what runs for it.

    `check` turns the key's node into the capability's own value, which is found again under the
    key in `Template.capabilities`. `excludes` names the capabilities it does not go with.
    """

    key: str
    check: Callable[[Node, Callable[[Problem], None]], object]
    run: Run
    options: tuple[Parameter, ...] = ()
    excludes: tuple[str, ...] = ()


CAPABILITIES: tuple[Capability, ...] = ()
"""In the order in which they take precedence when a file declares several."""


def run(
    invocation: Invocation, means: Means, sink: Sink | None, known: tuple[Capability, ...] = CAPABILITIES
) -> Outcome:
    """Run the first capability that the template declares, else the single exchange."""
    for capability in known:
        if capability.key in invocation.template.capabilities:
            return capability.run(invocation, means, sink)
    return ask(invocation, means, sink)
