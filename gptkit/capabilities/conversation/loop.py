"""Opens the prompt loop on a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptkit.repl.loop import run
from gptkit.repl.talk import Talk

if TYPE_CHECKING:
    from gptkit.repl.commands import Command
    from gptkit.session.call import Call


def talk(call: Call) -> int:
    """The exit code, when the user leaves."""
    services = call.services
    made = Talk(services, call.template, call.values, call.shared, call.session())
    made.greeting = call.greeting()
    services.endpoint(made.model)  # without a key there is nothing to talk to

    def models() -> list[str]:
        from gptkit.provider.client import model_names

        return model_names(services.endpoint(""))

    extra: tuple[Command, ...] = ()
    for capability in services.capabilities_of(call.template):
        if capability.loop_commands is not None:
            extra += capability.loop_commands(made)
        if capability.begin_loop is not None:
            capability.begin_loop(made)
    return run(made, services.terminal, services.paths, extra, models=models, remember=made.is_recorded)
