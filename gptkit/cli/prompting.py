"""What a prompt command does when it is called: gather, ask, show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.cli import answer, target
from gptkit.cli.exchange import Conversation
from gptkit.cli.gather import Given, gather
from gptkit.cli.modes import greeting, loops, mode, session_name
from gptkit.engine.long.declared import long_mode, piece_tokens
from gptkit.errors import CannotWrite, NoInput, UsageFault
from gptkit.templates.model import Template, Value

if TYPE_CHECKING:
    from gptkit.cli.loop.commands import Command
    from gptkit.cli.shared import SharedOptions
    from gptkit.history.model import Session
    from gptkit.services import Services


GIVEN_OTHERWISE = ("file", "stdin", "output", "json", "response", "dry-run")
"""Shared options that mean one exchange: input from elsewhere, or an answer that is not for a reader."""


LONG_OVER = 64 << 10
"""Bytes of an input that takes more than one exchange whatever it holds."""
PIECEWISE = ("jobs", "as", "keys", "glossary", "report", "fresh", "batch", "output_dir")
"""Options of who wants even a short text to be worked on in pieces."""
ONE_ANSWER = ("session", "continue", "response")
"""Options that make no sense where there are several answers."""
STRUCTURED = re.compile(r"\s*(?:[{\[<]|---\s|WEBVTT|1\r?\n\d\d:|#.*\n|msg)")
"""How a text may begin that is not prose; what it is, its format says."""
PROSE = re.compile(r"(?:.*\.(?:txt|md|markdown|text)|[^.]*)\Z", re.IGNORECASE)
"""Names of files that hold prose."""


def prompt(services: Services, template: Template, values: Mapping[str, Value], shared: SharedOptions) -> int:
    """Run a prompt with what the command line gave; returns the exit code."""
    how = answer.showing(shared)
    # Without --max-tokens: whether it is of one answer or of all of a job, says who asks.
    services.override(shared._replace(max_tokens=None)._asdict())
    if template.capabilities and (found := mode(template, values)):
        return found.run(services, template, values, shared)
    if _is_talk(services, template, values, shared):
        return _talk(services, template, values, shared)
    if values.get("batch"):
        _check_batch(template, values, shared)
    is_long = "long" in template.capabilities and long_mode(template) != "refuse"
    if is_long and values.get("output_dir"):
        from gptkit.cli.long import folders

        return folders.run(services, template, values, shared)
    _check_output(services, how, shared, values, template)
    wait = services.settings.number("stdin_wait")
    given = gather(services.terminal, template, values, shared, wait, LONG_OVER if is_long else None)
    if is_long and (code := _long(services, template, given, shared)) is not None:
        return code
    conversation = Conversation(services, template, shared, session(services, shared, template, values))
    if template.capabilities:
        conversation.greeting = greeting(services, template, values)
    if shared.dry_run:
        invocation, sent = conversation.request(given)
        answer.show_request(services.terminal, how, sent, services.url, invocation)
        return 0
    outcome = conversation.greeted(given) or conversation.exchange(given)
    if outcome.failure is not None:
        services.terminal.report(outcome.failure, as_json=how.as_json)
        return outcome.failure.code
    return 0


def _long(services: Services, template: Template, given: Given, shared: SharedOptions) -> int | None:
    """The exit code of a job over an input that takes more than one exchange; None for any other."""
    is_file = bool(shared.file)
    in_pieces = any(given.values.get(name) for name in PIECEWISE)
    proved = in_pieces or _is_proved(services, template, given, shared)
    if given.long is None and not proved:
        name = given.files[0][0] if given.files and is_file else ""
        is_prose = PROSE.match(name) and not STRUCTURED.match(given.text)
        if is_prose and len(given.text) < piece_tokens(template):
            return None
    from gptkit.cli.long.run import run
    from gptkit.cli.long.setup import Wish, source

    model = str(shared.model or template.model or services.settings.text("model"))
    document = source(services, template, given, model, Wish(in_pieces, proved, is_file))
    if document is None:
        return None
    if name := shared.first_given(ONE_ANSWER):
        raise UsageFault(f"--{name} is for a single answer, and this text takes more than one")
    return run(services, template, given, document, shared)


def _check_batch(template: Template, values: Mapping[str, Value], shared: SharedOptions) -> None:
    name = template.name
    if long_mode(template) != "map":
        raise UsageFault(f"--batch is for prompts with `long: map`, and '{name}' is none: leave it out")
    if values.get("output_dir") or len(shared.file) > 1:
        raise UsageFault(
            "--batch is for one input: run the command once for each file",
            hint=f'for f in docs/*; do gptkit {name} --batch -f "$f" -o "out/${{f##*/}}"; done',
        )


def _is_proved(services: Services, template: Template, given: Given, shared: SharedOptions) -> bool:
    """Where the answer goes to a file nobody waits for its first word: it is compared with its source."""
    shown = not shared.dry_run and services.terminal.stdout_is_file
    into_file = shared.output is not None or shown
    is_document = given.files[:1] != (("words", given.text),) and bool(given.text)
    alone = shared.first_given(ONE_ANSWER)
    return into_file and is_document and not alone and long_mode(template) == "map"


def _is_talk(
    services: Services, template: Template, values: Mapping[str, Value], shared: SharedOptions
) -> bool:
    """Someone sits at a terminal and has said nothing yet."""
    terminal = services.terminal
    given = values.get("text") or shared.first_given(GIVEN_OTHERWISE)
    at_terminal = terminal.stdin_is_terminal and terminal.stdout_is_terminal
    return template.capabilities.get("conversation") is True and at_terminal and not given


def _talk(services: Services, template: Template, values: Mapping[str, Value], shared: SharedOptions) -> int:
    from gptkit.cli.loop.loop import run
    from gptkit.cli.talk import Talk

    talk = Talk(services, template, values, shared, session(services, shared, template, values))
    talk.greeting = greeting(services, template, values)
    services.endpoint(talk.model)  # without a key there is nothing to talk to

    def models() -> list[str]:
        from gptkit.provider.client import model_names

        return model_names(services.endpoint(""))

    extra: tuple[Command, ...] = ()
    for each in loops(template):
        extra += each.commands(talk)
        each.begin(talk)
    return run(talk, services.terminal, services.paths, extra, models=models, remember=talk.is_recorded)


def session(
    services: Services, shared: SharedOptions, template: Template, values: Mapping[str, Value]
) -> Session | None:
    """The conversation to go on with: the one that the command line names, or the command's own."""
    name, latest = shared.session, shared.continue_
    if name is None and not latest:
        return _own_session(services, shared, template, values)
    if name is not None and latest:
        raise UsageFault("--session and --continue do not go together")
    if shared.no_log:
        raise UsageFault(f"--no-log and {'--continue' if latest else '--session'} do not go together")
    if latest:
        found = services.history.latest()
        if found is None:
            raise NoInput("there is no conversation to go on with")
        return found
    return _named(services, str(name), shared, template)


def _own_session(
    services: Services, shared: SharedOptions, template: Template, values: Mapping[str, Value]
) -> Session | None:
    """The one that a command has by itself. Where none can be begun the answer is not to suffer for it."""
    own = session_name(template, values) if template.capabilities else ""
    if not own or shared.no_log or not services.settings.boolean("log"):
        return None
    try:
        return _named(services, own, shared, template)
    except CannotWrite:  # the record of the exchange tells it
        return None


def _named(services: Services, name: str, shared: SharedOptions, template: Template) -> Session | None:
    from gptkit.history.names import session_name as valid

    found = services.history.session(name)
    named = name if found else valid(name)
    return found or (None if shared.dry_run else _begun(services, named, template))


def _begun(services: Services, name: str, template: Template) -> Session:
    """A new conversation, or the one that another process has begun in the meantime."""
    try:
        return services.history.create(name, template.name)
    except UsageFault:
        found = services.history.session(name)
        if found is None:
            raise
        return found


def _check_output(
    services: Services,
    how: answer.Showing,
    shared: SharedOptions,
    values: Mapping[str, Value],
    template: Template,
) -> None:
    """An answer that could not be written is not paid for."""
    inputs = list(shared.file)
    kinds = {parameter.variable for parameter in template.declared if parameter.kind == "file"} | {"glossary"}
    inputs += [Path(str(value)) for name, value in values.items() if name in kinds and value]
    if report := values.get("report"):
        target.check_report(services.terminal, Path(str(report)), inputs, [how.output] if how.output else [])
    if how.output is not None:
        target.check(services.terminal, how.output, inputs)
    elif services.terminal.stdout_is_closed:
        raise CannotWrite("standard output: it is closed")
