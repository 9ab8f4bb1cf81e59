"""`--convert`: writes a card as V3 JSON or as gptkit's own YAML, and asks no model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gptkit.cli import answer, target
from gptkit.cli.character.greeting import cards
from gptkit.engine.character.casting import KEY
from gptkit.engine.character.role import role
from gptkit.errors import NoInput, UsageFault

if TYPE_CHECKING:
    from gptkit.services import Services
    from gptkit.templates.model import Template, Value


def run(
    services: Services, template: Template, values: Mapping[str, Value], flags: Mapping[str, object]
) -> int:
    if values.get("text") or values.get("npc"):
        raise UsageFault(f"--convert and {'words' if values.get('text') else '--npc'} do not go together")
    who = role(template, values, cards(services, template).card)
    if who.card is None:
        raise NoInput(f"'{who.name}': no such card", hint="a description in words cannot be converted")
    from gptkit.characters import write

    if values["convert"] == "yaml":
        text = write.own(who.card)
    else:
        text = write.v3(who.card, services.terminal.clock()).decode()
    output = answer.showing(flags).output
    if output is not None:
        target.check(services.terminal, output, [Path(str(values.get(KEY, "")))])
        target.write(services.terminal, output, text)
    else:
        services.terminal.show(text.removesuffix("\n"))
    left = write.left_behind(who.card)
    if left and not flags.get("quiet"):
        plural = "file" if len(left) == 1 else "files"
        services.terminal.note(
            f"gptkit: {len(left)} {plural} of the card's own stay behind: {', '.join(left)}"
        )
    return 0
