"""The user's character cards, of the services of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptkit.characters.load import Shelf

if TYPE_CHECKING:
    from gptkit.services import Services


def card_library(services: Services, keeping: bool = True) -> Shelf:
    """Nothing is kept in it, whatever `keeping` is."""
    return services.once(_shelf)


def _shelf(services: Services) -> Shelf:
    return Shelf(services.paths.config / "characters", services.window)
