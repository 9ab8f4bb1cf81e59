"""Open the prompt loop on a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptkit.core.chat import without_delimiters
from gptkit.core.sanitize import one_line, visible
from gptkit.core.table import fit_line, format_time, wrap_words
from gptkit.repl.editor import MODEL_CAP, SEPARATOR
from gptkit.repl.loop import run
from gptkit.repl.talk import Talk, typed_message

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal
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

    for source in call.shared.attach:
        talk.add_attachment(source)
    _greet(talk, services.terminal)
    extra: tuple[SlashCommand, ...] = ()
    for capability in services.capabilities_of(call.template):
        if capability.loop_commands is not None:
            extra += capability.loop_commands(talk)
        if capability.begin_loop is not None:
            capability.begin_loop(talk)
    return run(talk, services.terminal, services.paths, extra, models=models, remember=talk.is_recorded)


DIM, RESET = "\x1b[2m", "\x1b[0m"
SHOWN_ANSWER = 12
"""Lines of the last answer that are shown when a conversation goes on."""
DAY = 86_400


def _greet(talk: Talk, terminal: Terminal) -> None:
    """Show the model, where the conversation is recorded and how to leave; of an older one the last turn."""
    session = talk.session
    name = f" as '{session.name or session.id}'" if session is not None else ""
    recorded = f"recorded{name}" if talk.is_recorded else "not recorded"
    _show_dim(terminal, fit_line(talk.model, MODEL_CAP), recorded, "/help", "Ctrl-D leaves")
    last = talk.last
    if session is None or last is None:
        return
    turns = f"{session.turns} {'turn' if session.turns == 1 else 'turns'}"
    age = format_age(session.updated, terminal.unix_time())
    _show_dim(terminal, f"{session.prompt} '{session.name or session.id}'", turns, f"last used {age}")
    if question := without_delimiters(typed_message(last)[0]):
        terminal.print_sanitized(f"you: {fit_line(question, max(terminal.width - 6, 8))}")
    lines = visible(last.answer).strip("\n").split("\n")
    terminal.print_sanitized("\n".join(lines[:SHOWN_ANSWER]))
    if len(lines) > SHOWN_ANSWER:
        _show_dim(terminal, f"{len(lines) - SHOWN_ANSWER} more lines", "'gptkit history show' has all")


def format_age(then: float, now: float) -> str:
    """Format how long ago a time was (Unix seconds), as its date from a month on."""
    seconds = max(now - then, 0)
    if seconds < 60:
        return "a moment ago"
    if seconds >= 30 * DAY:
        return format_time(then)
    number, unit = next(
        (int(seconds // size), unit)
        for size, unit in ((DAY, "day"), (3600, "hour"), (60, "minute"))
        if seconds >= size
    )
    return f"{number} {unit}{'' if number == 1 else 's'} ago"


def _show_dim(terminal: Terminal, *parts: str) -> None:
    line = wrap_words(one_line(SEPARATOR.join(parts)), terminal.width)
    terminal.write(f"{DIM}{line}{RESET}\n" if terminal.has_colour else f"{line}\n")
