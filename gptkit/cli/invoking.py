"""What the user gave becomes an Invocation: the model, the parameters, and where each came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gptkit.cli.answer import Showing
from gptkit.cli.gather import Given
from gptkit.engine.work import Invocation
from gptkit.errors import UsageFault
from gptkit.templates.model import OWN_PARAMETERS, Template
from gptkit.templates.tree import typed

if TYPE_CHECKING:
    from gptkit.services import Services


def invocation(
    services: Services, template: Template, given: Given, flags: Mapping[str, object], how: Showing
) -> Invocation:
    model = str(flags.get("model") or template.model or services.settings.text("model"))
    typed_in = _typed_parameters(services, model, flags)
    settled = {
        name: value for name, value in services.parameters(model).items() if name not in template.parameters
    }
    stream = not (flags.get("no_stream") or how.response)
    counted = flags.get("max_cost") is not None or services.settings.value("monthly_limit") is not None
    if stream and (how.verbose or how.as_json or counted):
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
