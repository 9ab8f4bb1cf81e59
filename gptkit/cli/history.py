"""`gptkit history`: what was asked and answered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from pathlib import Path
from time import localtime, strftime
from typing import TYPE_CHECKING, Annotated, cast

import typer

from gptkit.core.chat import AnswerDelta, without_delimiters
from gptkit.core.confirm import confirm_removal
from gptkit.core.errors import GptkitError, NoInputError, UsageError
from gptkit.core.sanitize import one_line, visible
from gptkit.core.table import format_table, format_time
from gptkit.history.export import turn_markdown

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal
    from gptkit.history.model import Session, Turn
    from gptkit.history.search import SearchHit
    from gptkit.history.store import Store
    from gptkit.services import Services


BOLD, DIM, RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"


def session_record(session: Session) -> dict[str, object]:
    return {
        **session._asdict(),
        "created": format_iso_time(session.created),
        "updated": format_iso_time(session.updated),
    }


def turn_record(turn: Turn) -> dict[str, object]:
    """Make the JSON record of a turn; `system` and `request` are what was sent besides the user's message."""
    return {**turn._asdict(), "started": format_iso_time(turn.started)}


def format_iso_time(moment: float) -> str:
    """Format a time (Unix seconds) in the user's time zone."""
    return strftime("%Y-%m-%dT%H:%M:%S%z", localtime(moment))


QUESTION_LENGTH = 40
"""Characters of a question in the list of sessions."""


def show_sessions(terminal: Terminal, store: Store, sessions: Sequence[Session]) -> None:
    rows = [_session_row(session, *store.question_and_state(session)) for session in sessions]
    if not rows:
        if terminal.stdout_is_terminal:
            terminal.print_error_line("gptkit: no conversation is recorded")
        return
    if terminal.stdout_is_terminal:
        rows.insert(0, ("id", "name", "command", "turns", "last used", "state", "question"))
    columns = terminal.width if terminal.stdout_is_terminal else None
    terminal.print_sanitized(format_table(rows, terminal.stdout_is_terminal, columns))


def _session_row(session: Session, question: str, state: str) -> tuple[str, ...]:
    """Return the cells of a session; the state is that of the newest turn, empty if its answer is whole."""
    return (
        session.id,
        session.name or "-",
        session.prompt,
        str(session.turns),
        format_time(session.updated),
        "" if state == "ok" else state,
        one_line(" ".join(without_delimiters(question).split()), QUESTION_LENGTH),
    )


def show_turns(terminal: Terminal, turns: Iterable[Turn], raw: bool) -> None:
    """Show turns: rendered on a terminal, as Markdown source in a pipe."""
    for number, turn in enumerate(turns):
        head, user, model, answer, state = turn_markdown(turn)
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


def show_search_hits(
    terminal: Terminal, hits: Sequence[SearchHit], names: Mapping[str, str], words: str
) -> None:
    if not terminal.stdout_is_terminal:
        rows = [(turn.session, str(turn.id), format_time(turn.started), excerpt) for turn, excerpt in hits]
        if rows:
            terminal.print_sanitized(format_table(rows, False))
        return
    for turn, excerpt in hits:
        name = one_line(names.get(turn.session) or turn.session, 60)
        _show_faint(terminal, f"{name}  {format_time(turn.started)}  {one_line(turn.prompt, 40)}")
        terminal.write(f"  {_highlight(excerpt, words, terminal.has_colour)}\n")


def _show_faint(terminal: Terminal, text: str) -> None:
    line = one_line(text.replace("#", ""))
    terminal.write(f"{DIM}{line}{RESET}\n" if terminal.has_colour else f"{line}\n")


def _show_answer(terminal: Terminal, answer: str, raw: bool) -> None:
    if raw or terminal.is_dumb:
        terminal.write(visible(answer).rstrip("\n") + "\n")
        return
    from gptkit.session.answer import markdown_sink

    sink = markdown_sink(terminal)
    sink(AnswerDelta(answer))
    sink.close()


def _highlight(excerpt: str, words: str, colour: bool) -> str:
    """Set the words of a search in bold; each part of the excerpt is sanitized by itself."""
    from gptkit.history.search import match_positions

    if not colour:
        return visible(excerpt)
    parts, end = [], 0
    for start, stop in match_positions(excerpt, words):
        parts += [visible(excerpt[end:start]), BOLD, visible(excerpt[start:stop]), RESET]
        end = stop
    return "".join([*parts, visible(excerpt[end:])])


app = typer.Typer(
    help="List, show, search, export and remove conversations.", no_args_is_help=True, add_completion=False
)


class HistoryFormat(StrEnum):
    jsonl = "jsonl"
    markdown = "markdown"


def _complete_names(ctx: typer.Context, incomplete: str) -> list[str]:
    try:
        sessions = _sessions(_services(ctx), 200, None)
    except GptkitError:
        return []
    return [name for session in sessions if (name := session.name or session.id).startswith(incomplete)]


_NAME_HELP = "Name or id of a session."
Name = Annotated[str, typer.Argument(help=_NAME_HELP, metavar="NAME", autocompletion=_complete_names)]
Names = Annotated[
    list[str], typer.Argument(help=_NAME_HELP, metavar="NAME...", autocompletion=_complete_names)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limit = Annotated[
    int, typer.Option("--limit", "-n", min=1, help="Show at most NUMBER entries.", metavar="NUMBER")
]


@app.command("list")
def list_(
    ctx: typer.Context,
    limit: Limit = 50,
    prompt: Annotated[
        str | None, typer.Option(help="List the sessions of this command only.", metavar="PROMPT")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the sessions, latest first."""
    from gptkit.history.journal import active_exchanges

    services = _services(ctx)
    sessions = _sessions(services, limit, prompt)
    openings = active_exchanges(services.history.journal_folder)
    if as_json:
        waiting = [
            {"prompt": opening.prompt, "started": format_iso_time(opening.started)} for opening in openings
        ]
        _print(
            services, {"sessions": [session_record(session) for session in sessions], "under_way": waiting}
        )
        return
    show_sessions(services.terminal, services.history, sessions)
    if openings:
        services.terminal.print_error_line(f"gptkit: {_count(len(openings), 'exchange')} under way")


@app.command()
def show(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help=f"{_NAME_HELP} By default the latest.", metavar="NAME", autocompletion=_complete_names
        ),
    ] = "",
    last: Annotated[
        int | None,
        typer.Option("--last", "-n", min=1, help="Show the last NUMBER turns only.", metavar="NUMBER"),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Print the Markdown source.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the turns of a session, oldest first."""
    from gptkit.history.export import turns_oldest_first

    services = _services(ctx)
    store = services.history
    session = store.require_session(name) if name else _latest_session(services)
    turns = turns_oldest_first(store, session.head)
    if last is not None:
        turns = iter(list(islice(store.chain(session.head), last))[::-1])
    if as_json:
        summary = store.summary(session.head)
        record = {"session": session_record(session), "summary": summary and summary._asdict()}
        _print(services, record | {"turns": [turn_record(turn) for turn in turns]})
        return
    show_turns(services.terminal, turns, raw)


@app.command()
def search(
    ctx: typer.Context,
    words: Annotated[
        list[str], typer.Argument(help="Words that a turn must hold, all of them.", metavar="WORDS")
    ],
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Find turns by their words, latest first."""
    services = _services(ctx)
    text = " ".join(words)
    hits = services.history.search(text, limit) if services.history.exists else []
    if as_json:
        _print(services, [{**turn_record(turn), "excerpt": excerpt} for turn, excerpt in hits])
        return
    if not hits:
        raise NoInputError(f"nothing found for '{one_line(text, 100)}'")
    names = {
        turn.session: session.name
        for turn, _ in hits
        if (session := services.history.find_session(turn.session))
    }
    show_search_hits(services.terminal, hits, names, text)


@app.command()
def export(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help=f"{_NAME_HELP} By default all.", metavar="[NAME...]", autocompletion=_complete_names
        ),
    ] = None,
    form: Annotated[
        HistoryFormat, typer.Option("--format", help="JSON Lines can be imported; Markdown is for reading.")
    ] = HistoryFormat.jsonl,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file.", metavar="FILE")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Export sessions, for 'gptkit history import' or as Markdown."""
    from gptkit.cli.transfer import write_export
    from gptkit.history.export import export_jsonl, export_markdown

    services = _services(ctx)
    if as_json and form is HistoryFormat.markdown:
        raise UsageError("--json and --format markdown do not go together")
    store = services.history
    chosen = [store.require_session(name) for name in names or ()]
    if form is HistoryFormat.markdown:
        pieces = export_markdown(store, chosen or _sessions(services, 1 << 62, None)[::-1])
    else:
        pieces = export_jsonl(store, chosen)
    write_export(services.terminal, store.path, output, pieces)


@app.command("import")
def import_(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="An exported file; - is standard input.", metavar="FILE")],
    as_json: AsJson = False,
) -> None:
    """Import sessions from an export; those that are there already are not added again."""
    from gptkit.cli.transfer import open_import
    from gptkit.history.export import import_jsonl

    services = _services(ctx)
    with open_import(services.terminal, file) as lines:
        result = import_jsonl(services.history, lines)
    if as_json:
        _print(services, result._asdict())
        return
    known = f", {result.known} already there" if result.known else ""
    sessions, turns = _count(result.sessions, "session"), _count(result.turns, "turn")
    services.terminal.print_sanitized(f"imported {sessions}, {turns}{known}")


@app.command()
def rename(
    ctx: typer.Context,
    name: Name,
    new: Annotated[str, typer.Argument(help="The new name.", metavar="NEW")],
    as_json: AsJson = False,
) -> None:
    """Name a session, or give it another name."""
    services = _services(ctx)
    renamed = services.history.rename(name, new)
    if as_json:
        _print(services, session_record(renamed))


@app.command()
def fork(
    ctx: typer.Context,
    name: Name,
    new: Annotated[str, typer.Argument(help="The name of the new session.", metavar="NEW")],
    as_json: AsJson = False,
) -> None:
    """Begin a new session with the turns of another."""
    services = _services(ctx)
    new_session = services.history.fork(name, new)
    if as_json:
        _print(services, session_record(new_session))


@app.command()
def rm(ctx: typer.Context, names: Names, as_json: AsJson = False) -> None:
    """Remove sessions and their turns, except turns that another session shares."""
    services = _services(ctx)
    store = services.history
    sessions = list(dict.fromkeys(store.require_session(name) for name in names))
    count = sum(store.remove(session.id) for session in sessions)
    if as_json:
        _print(services, {"sessions": [session.id for session in sessions], "turns": count})


@app.command()
def purge(
    ctx: typer.Context,
    before: Annotated[
        str | None,
        typer.Option(help="Remove turns before this day, or older than 30 days: 30d.", metavar="DATE|DAYS"),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove all turns.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove turns for good; the totals of 'gptkit usage' stay."""
    from gptkit.cli import usage

    services = _services(ctx)
    if (before is None) != everything:
        raise UsageError("either --before or --all must be given")
    limit = None if before is None else usage.day_start("--before", before, services.terminal.unix_time())
    what = (
        "everything that was asked" if limit is None else f"what was asked before {usage.format_day(limit)}"
    )
    if not yes:
        confirm_removal(services.terminal, f"Remove {what}?")
    count = services.history.purge(limit) if services.history.exists else 0
    if as_json:
        _print(services, {"turns": count})
    else:
        services.terminal.print_sanitized(f"removed {_count(count, 'turn')}")


@app.command()
def recover(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Save every intact turn of a damaged history; keep the damaged file."""
    from gptkit.history import recover as recovery

    services = _services(ctx)
    result = recovery.recover(services.history)
    if as_json:
        _print(services, {"saved": result.saved, "lost": result.lost, "kept": str(result.kept)})
        return
    services.terminal.print_sanitized(f"saved {_count(result.saved, 'turn')}, lost {result.lost}")
    services.terminal.print_error_line(f"gptkit: the old file is '{result.kept}'")


def _sessions(services: Services, limit: int, prompt: str | None) -> list[Session]:
    return services.history.sessions(limit, prompt) if services.history.exists else []


def _latest_session(services: Services) -> Session:
    sessions = _sessions(services, 1, None)
    if not sessions:
        raise NoInputError("there is no session yet")
    return sessions[0]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _print(services: Services, record: object) -> None:
    services.terminal.print_sanitized(json.dumps(record, ensure_ascii=False, indent=2))


def _services(ctx: typer.Context) -> Services:
    return cast("Services", ctx.obj)
