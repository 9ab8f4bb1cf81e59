"""How sessions, turns and what was found in them are shown: to people, and to programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from time import localtime, strftime
from typing import TYPE_CHECKING

from gptkit.core.chat import Text
from gptkit.core.sanitize import one_line, visible
from gptkit.core.table import columns
from gptkit.history.export import pieces_of

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal
    from gptkit.history.model import Session, Turn
    from gptkit.history.search import Found

BOLD, DIM, RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"


def session_record(session: Session) -> dict[str, object]:
    return {**session._asdict(), "created": iso(session.created), "updated": iso(session.updated)}


def turn_record(turn: Turn) -> dict[str, object]:
    """`system` and `request` are what was sent beside the user's words."""
    return {**turn._asdict(), "started": iso(turn.started)}


def iso(moment: float) -> str:
    """The moment in the user's time zone."""
    return strftime("%Y-%m-%dT%H:%M:%S%z", localtime(moment))


def show_sessions(terminal: Terminal, sessions: Sequence[Session]) -> None:
    rows = [(s.id, s.name or "-", s.prompt, str(s.turns), when(s.updated)) for s in sessions]
    if rows:
        terminal.show(columns(rows, terminal.stdout_is_terminal))


def show_turns(terminal: Terminal, turns: Iterable[Turn], raw: bool) -> None:
    """A conversation: rendered on a terminal, as Markdown source in a pipe."""
    for number, turn in enumerate(turns):
        head, user, model, answer, state = pieces_of(turn)
        if not terminal.stdout_is_terminal:
            terminal.write(("\n" if number else "") + head + user + model + answer + state)
            continue
        if number:
            terminal.write("\n")
        if user:
            _show_faint(terminal, head)
            terminal.write(visible(user).strip("\n") + "\n\n")
        _show_faint(terminal, model)
        _show_answer(terminal, turn.answer, raw)
        if state:
            _show_faint(terminal, state)


def show_found(terminal: Terminal, found: Sequence[Found], names: Mapping[str, str], words: str) -> None:
    if not terminal.stdout_is_terminal:
        rows = [(turn.session, str(turn.id), when(turn.started), excerpt) for turn, excerpt in found]
        if rows:
            terminal.show(columns(rows, False))
        return
    for turn, excerpt in found:
        name = one_line(names.get(turn.session) or turn.session, 60)
        _show_faint(terminal, f"{name}  {when(turn.started)}  {one_line(turn.prompt, 40)}")
        terminal.write(f"  {_marked(excerpt, words, terminal.colour)}\n")


def when(moment: float) -> str:
    return strftime("%Y-%m-%d %H:%M", localtime(moment))


def _show_faint(terminal: Terminal, text: str) -> None:
    line = one_line(text.replace("#", ""))
    terminal.write(f"{DIM}{line}{RESET}\n" if terminal.colour else f"{line}\n")


def _show_answer(terminal: Terminal, answer: str, raw: bool) -> None:
    if raw or terminal.is_dumb:
        terminal.write(visible(answer).rstrip("\n") + "\n")
        return
    from gptkit.session.answer import markdown_sink

    sink = markdown_sink(terminal)
    sink(Text(answer))
    sink.close()


def _marked(excerpt: str, words: str, colour: bool) -> str:
    """What was looked for in bold; every part of the excerpt is made visible by itself."""
    from gptkit.history.search import places

    if not colour:
        return visible(excerpt)
    shown, end = [], 0
    for start, stop in places(excerpt, words):
        shown += [visible(excerpt[end:start]), BOLD, visible(excerpt[start:stop]), RESET]
        end = stop
    return "".join([*shown, visible(excerpt[end:])])
