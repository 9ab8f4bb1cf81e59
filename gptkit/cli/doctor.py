"""`gptkit doctor`: checks the connection to the model in timed steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from gptkit.core.errors import NoPermissionError
from gptkit.core.table import wrap_words

if TYPE_CHECKING:
    from gptkit.provider.probe import ProbeStep
    from gptkit.services import Services

app = typer.Typer()


@app.command()
def doctor(
    ctx: typer.Context,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="The model to try.", metavar="MODEL")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Use the settings of this profile.", metavar="NAME")
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="Address of the API.", metavar="URL")] = None,
    proxy: Annotated[str | None, typer.Option(help="Use this proxy, or 'none'.", metavar="URL")] = None,
) -> int:
    """Check the connection to the model step by step; it costs one short answer."""
    from gptkit.provider.client import transport_name
    from gptkit.provider.probe import ProbeStep, probe_endpoint
    from gptkit.settings.endpoint import endpoint_without_key

    services = cast("Services", ctx.obj)
    services.override({"model": model, "profile": profile, "base_url": base_url, "proxy": proxy})
    model_name = services.model_name()
    keyless: NoPermissionError | None = None
    try:
        endpoint = services.endpoint(model_name)
    except NoPermissionError as error:
        keyless, endpoint = error, endpoint_without_key(services.settings)
    for name, detail in _setting_rows(services, model_name, endpoint.proxy is not None):
        _show_step(services, ProbeStep(name, 0.0, True, detail))
    _show_step(services, ProbeStep("transport", 0.0, True, transport_name(endpoint, model_name)))
    for step in probe_endpoint(endpoint, model_name, keyless):
        if step.name != "address" or not step.ok:  # the address is in the first row already
            _show_step(services, step)
        if not step.ok:
            return step.code
    return 0


def _setting_rows(services: Services, model: str, has_proxy: bool) -> list[tuple[str, str]]:
    """Return the model, the base URL and the proxy, with where each is set."""
    settings = services.settings
    rows = [("model", f"{model} ({settings.origin('model')})")]
    if services.is_offline(model):
        return rows
    rows.insert(0, ("base URL", f"{settings.base_url().url} ({settings.origin('base_url')})"))
    if has_proxy:
        rows.append(("proxy", f"from {settings.origin('proxy')}"))
    return rows


def _show_step(services: Services, step: ProbeStep) -> None:
    mark = "ok" if step.ok else "FAIL"
    seconds = f"{step.seconds:.3f} s" if step.seconds else ""
    terminal = services.terminal
    line = f"{mark:<5} {step.name:<13} {seconds:>9}  {step.detail}"
    terminal.print_sanitized(
        wrap_words(line, terminal.width, " " * 6) if terminal.stdout_is_terminal else line
    )
