"""What the user gave becomes an Invocation: the model, the parameters, and where each came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptkit.cli.answer import Showing
from gptkit.cli.gather import Given
from gptkit.core.chat import OWN_PARAMETERS
from gptkit.core.errors import UsageFault
from gptkit.core.yaml_tree import typed
from gptkit.exchange.invocation import Invocation
from gptkit.templates.template import Template

if TYPE_CHECKING:
    from gptkit.cli.shared import SharedOptions
    from gptkit.services import Services


def invocation(
    services: Services, template: Template, given: Given, shared: SharedOptions, how: Showing
) -> Invocation:
    model = str(shared.model or template.model or services.settings.text("model"))
    typed_in = _typed_parameters(services, model, shared)
    settled = {
        name: value for name, value in services.parameters(model).items() if name not in template.parameters
    }
    stream = not (shared.no_stream or how.response)
    counted = shared.max_cost is not None or services.settings.value("monthly_limit") is not None
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


def _typed_parameters(services: Services, model: str, shared: SharedOptions) -> dict[str, object]:
    """The API parameters of the command line; these are never dropped."""
    found: dict[str, object] = {}
    if shared.temperature is not None:
        found["temperature"] = shared.temperature
    if shared.max_tokens is not None:
        found[services.token_limit_name(model)] = shared.max_tokens
    for item in shared.param:
        name, equals, value = item.partition("=")
        if not equals or not name.isidentifier():
            raise UsageFault(f"--param takes KEY=VALUE, this is '{item}'")
        if name in OWN_PARAMETERS:
            raise UsageFault(f"--param {name}: gptkit sets this one by itself")
        found[name] = typed(value)
    return found
