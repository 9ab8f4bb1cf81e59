"""What a prompt command does when it is called: gather, ask, show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.cli import answer, target
from gptkit.cli.gather import Given, gather
from gptkit.engine.capabilities import run
from gptkit.engine.work import Budget, Invocation, Means, Outcome, request
from gptkit.errors import CannotWrite, UsageFault
from gptkit.templates.model import OWN_PARAMETERS, Template, Value
from gptkit.templates.tree import typed

if TYPE_CHECKING:
    from gptkit.services import Services


def prompt(
    services: Services, template: Template, values: Mapping[str, Value], flags: Mapping[str, object]
) -> int:
    """Run a prompt with what the command line gave; returns the exit code."""
    how = answer.showing(flags)
    services.override(flags)
    _check_output(services, how, flags, values, template)
    wait = services.settings.number("stdin_wait")
    given = gather(services.terminal, template, values, flags, wait)
    invocation = _invocation(services, template, given, flags, how)
    form = services.format(template)
    if flags.get("dry_run"):
        sent = request(invocation, form)
        answer.show_request(services.terminal, how, sent, services.url, invocation)
        return 0
    limit = flags.get("max_requests")
    means = services.means(
        form, invocation.model, Budget(limit if isinstance(limit, int) else None), how.verbose
    )
    outcome, shown = _outcome(services, how, invocation, means)
    answer.show(services.terminal, how, invocation, outcome, shown)
    if outcome.failure is not None:
        services.terminal.report(outcome.failure, as_json=how.as_json)
        return outcome.failure.code
    return 0


def _outcome(
    services: Services, how: answer.Showing, invocation: Invocation, means: Means
) -> tuple[Outcome, bool]:
    """What came, and whether the user has seen it arrive."""
    sink = answer.sink(services.terminal, how, means.format, services.settings.boolean("markdown"))
    if sink is None:
        return run(invocation, means, None), False
    try:
        return run(invocation, means, sink), True
    finally:
        sink.close()


def _invocation(
    services: Services, template: Template, given: Given, flags: Mapping[str, object], how: answer.Showing
) -> Invocation:
    model = str(flags.get("model") or template.model or services.settings.text("model"))
    typed_in = _typed_parameters(services, model, flags)
    settled = {
        name: value for name, value in services.parameters(model).items() if name not in template.parameters
    }
    stream = not (flags.get("no_stream") or how.response)
    if stream and (how.verbose or how.as_json):
        settled.setdefault("stream_options", {"include_usage": True})
    return Invocation(
        template=template,
        model=model,
        text=given.text,
        wanted=given.wanted,
        files=given.files,
        values=given.values,
        parameters={**settled, **typed_in},
        droppable=frozenset(settled) - frozenset(typed_in),
        stream=stream,
        exact=how.raw,
    )


def _typed_parameters(services: Services, model: str, flags: Mapping[str, object]) -> dict[str, object]:
    """The API parameters of the command line; these are never dropped."""
    found: dict[str, object] = {}
    if flags.get("temperature") is not None:
        found["temperature"] = flags["temperature"]
    if flags.get("max_tokens") is not None:
        found[services.token_limit_name(model)] = flags["max_tokens"]
    given = flags.get("param")
    for item in given if isinstance(given, list) else []:
        name, equals, value = str(item).partition("=")
        if not equals or not name.isidentifier():
            raise UsageFault(f"--param takes KEY=VALUE, this is '{item}'")
        if name in OWN_PARAMETERS:
            raise UsageFault(f"--param {name}: gptkit sets this one by itself")
        found[name] = typed(value)
    return found


def _check_output(
    services: Services,
    how: answer.Showing,
    flags: Mapping[str, object],
    values: Mapping[str, Value],
    template: Template,
) -> None:
    """An answer that could not be written is not paid for."""
    if how.output is None:
        if services.terminal.stdout_is_closed:
            raise CannotWrite("standard output: it is closed")
        return
    files = flags.get("file")
    inputs = [Path(path) for path in files] if isinstance(files, list) else []
    kinds = {parameter.variable for parameter in template.declared if parameter.kind == "file"}
    inputs += [Path(str(value)) for name, value in values.items() if name in kinds]
    target.check(services.terminal, how.output, inputs)
