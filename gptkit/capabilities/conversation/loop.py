"""Open the prompt loop on a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptkit.repl.loop import run
from gptkit.repl.talk import Talk

if TYPE_CHECKING:
    from gptkit.repl.commands import SlashCommand
    from gptkit.session.call import Call


def open_loop(call: Call) -> int:
    """Run the prompt loop until the user leaves; returns the exit code."""
    services, session = call.services, call.open_session()
    talk = Talk(services, call.template, call.values, call.shared, session)
    talk.greeting = call.greeting()
    services.endpoint(talk.model)  # raises without a key, before the loop opens

    def models() -> list[str]:
        from gptkit.provider.client import model_names

        return model_names(services.endpoint(""))

    extra: tuple[SlashCommand, ...] = ()
    for capability in services.capabilities_of(call.template):
        if capability.loop_commands is not None:
            extra += capability.loop_commands(talk)
        if capability.begin_loop is not None:
            capability.begin_loop(talk)
    return run(talk, services.terminal, services.paths, extra, models=models, remember=talk.is_recorded)
