"""The prompt loop's commands for a character: its world, dice and greetings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from gptkit.capabilities.character.config import KEY, options_of
from gptkit.capabilities.character.context import character_greeting, played_character
from gptkit.capabilities.character.macros import Dice, seed_of
from gptkit.capabilities.character.state import restore_state
from gptkit.core.chat import AnswerDelta
from gptkit.core.errors import NoInputError, UsageError
from gptkit.core.sanitize import one_line
from gptkit.exchange.capability import Greeting
from gptkit.repl.commands import SlashCommand
from gptkit.session import answer
from gptkit.session.options import SharedOptions

if TYPE_CHECKING:
    from gptkit.capabilities.character.library import CardLibrary
    from gptkit.exchange.capability import Greeting
    from gptkit.repl.commands import CommandContext
    from gptkit.repl.talk import Talk
    from gptkit.services import Services
    from gptkit.templates.template import Template, Value


def load_greeting(services: Services, template: Template, values: Mapping[str, Value]) -> Greeting | None:
    return character_greeting(template, values, library_of(services, template))


def library_of(services: Services, template: Template) -> CardLibrary:
    return cast("CardLibrary", services.capability_stores(template)[KEY])


SHOWN = 70
"""Characters of a greeting in the list of greetings."""


def loop_commands(talk: Talk) -> tuple[SlashCommand, ...]:
    dice = _UserDice(talk)
    return (
        SlashCommand("state", "show the world as it is now", _state),
        SlashCommand("roll", "throw dice, and add the result to the next message", dice.roll, "DICE"),
        SlashCommand("greeting", "list the greetings, or begin again with another one", _greeting, "[N]"),
    )


def begin_loop(talk: Talk) -> None:
    """Show the character's greeting if the conversation is new; raises the errors of reading the card."""
    played_character(talk.template, talk.values, library_of(talk.services, talk.template).card)
    if talk.last is None and talk.greeting is not None:
        _show(talk, talk.greeting.user_text)


class _UserDice:
    """The user's own dice, independent of the character's."""

    def __init__(self, talk: Talk) -> None:
        seed = options_of(talk.values).seed
        self._dice = Dice(None if seed is None else seed ^ seed_of("/roll"))

    def roll(self, context: CommandContext, notation: str) -> None:
        text = self._dice.roll(notation).text
        context.talk.add_aside(f"(dice: {text})")
        context.show(text)


def _state(context: CommandContext, _argument: str) -> None:
    talk = context.talk
    character = played_character(talk.template, talk.values, library_of(talk.services, talk.template).card)
    if not character.variables:
        raise NoInputError("neither the card nor the prompt file declares a state of the world")
    state = restore_state(talk.notes(), talk.values, character.variables)
    for name, value in state.world.items():
        context.show(f"{name}: {str(value).lower() if isinstance(value, bool) else value}")
    if state.refused:
        context.show(f"the last change was not made: {state.refused}")


def _greeting(context: CommandContext, number: str) -> None:
    talk = context.talk
    character = played_character(talk.template, talk.values, library_of(talk.services, talk.template).card)
    if character.card is None:
        raise NoInputError("a character that is described in words has no greetings")
    if not number:
        for position in range(1, len(character.card.greetings) + 1):
            listed = load_greeting(talk.services, talk.template, {**talk.values, "greeting": position})
            context.show(f"{position}: {one_line(listed.user_text if listed is not None else '', SHOWN)}")
        return
    if not number.isdecimal() or len(number) > 6:
        raise UsageError(f"'/greeting': '{number}' is not the number of a greeting")
    greeting = load_greeting(talk.services, talk.template, {**talk.values, "greeting": int(number)})
    talk.set_option("greeting", int(number))
    talk.restart(greeting)
    if greeting is not None:
        _show(talk, greeting.user_text)


def _show(talk: Talk, text: str) -> None:
    services = talk.services
    form = services.format(talk.template)
    sink = answer.make_sink(
        services.terminal,
        answer.display_options(SharedOptions()),
        form,
        services.settings.boolean("markdown"),
    )
    if sink is None:
        services.terminal.print_sanitized(text)
        return
    sink(AnswerDelta(text))
    sink.close()
