"""What capabilities add to a command beside exchanges: options that do something else, and the prompt
loop's commands and first word. By the keys of prompt files; imported when they are used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from gptkit.cli.loop.commands import Command
    from gptkit.cli.shared import SharedOptions
    from gptkit.cli.talk import Talk
    from gptkit.engine.character.greeting import Greeting
    from gptkit.services import Services
    from gptkit.templates.model import Template, Value

MODES: Mapping[str, Mapping[str, str]] = {
    "learner": {
        "show": "gptkit.cli.course.show",
        "due": "gptkit.cli.course.due",
        "review": "gptkit.cli.course.review",
        "export": "gptkit.cli.course.export",
    },
    "character": {"npc": "gptkit.cli.character.npc"},
}
"""Of each capability: the option that asks for a mode, and the module whose `run` it is."""
LOOPS: Mapping[str, str] = {
    "learner": "gptkit.cli.course.loop",
    "character": "gptkit.cli.character.loop",
}
"""Of each capability: the module with its `commands` and its `begin` in the prompt loop."""
SESSIONS: Mapping[str, str] = {"learner": "gptkit.cli.course.session"}
"""Of each capability: the module whose `name` is that of the conversation that goes on by itself."""
GREETINGS: Mapping[str, str] = {"character": "gptkit.cli.character.greeting"}
"""Of each capability: the module whose `found` is what the assistant says before anybody has spoken."""


class Mode(Protocol):
    def run(
        self,
        services: Services,
        template: Template,
        values: Mapping[str, Value],
        shared: SharedOptions,
    ) -> int: ...


class Loop(Protocol):
    def commands(self, talk: Talk) -> tuple[Command, ...]: ...

    def begin(self, talk: Talk) -> None:
        """What the user sees of a conversation before the first word, such as a greeting."""


class Session(Protocol):
    def name(self, template: Template, values: Mapping[str, Value]) -> str: ...


class Greeter(Protocol):
    def found(
        self, services: Services, template: Template, values: Mapping[str, Value]
    ) -> Greeting | None: ...


def mode(template: Template, values: Mapping[str, Value]) -> Mode | None:
    """The mode that the command line asks for, if any."""
    for key, options in MODES.items():
        if key in template.capabilities:
            for option, module in options.items():
                if values.get(option) not in (None, False, ""):
                    return cast(Mode, _imported(module))
    return None


def loops(template: Template) -> list[Loop]:
    return [cast(Loop, _imported(module)) for key, module in LOOPS.items() if key in template.capabilities]


def session_name(template: Template, values: Mapping[str, Value]) -> str:
    """The conversation that a command goes on with unasked; empty if it has none."""
    modules = [module for key, module in SESSIONS.items() if key in template.capabilities]
    return cast(Session, _imported(modules[0])).name(template, values) if modules else ""


def greeting(services: Services, template: Template, values: Mapping[str, Value]) -> Greeting | None:
    """What a new conversation begins with."""
    modules = [module for key, module in GREETINGS.items() if key in template.capabilities]
    return cast(Greeter, _imported(modules[0])).found(services, template, values) if modules else None


def _imported(module: str) -> object:
    import importlib

    return importlib.import_module(module)
