"""Finds what the character of a command says first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from gptkit.engine.character.casting import KEY
from gptkit.engine.character.greeting import Greeting, greeting

if TYPE_CHECKING:
    from gptkit.engine.character.stage import Cards
    from gptkit.services import Services
    from gptkit.templates.model import Template, Value


def found(services: Services, template: Template, values: Mapping[str, Value]) -> Greeting | None:
    return greeting(template, values, cards(services, template))


def cards(services: Services, template: Template) -> Cards:
    return cast("Cards", services.stores(template)[KEY])
