"""The parts of one run, told which words the command line keeps for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptkit.cli.housekeeping import RESERVED_NAMES
from gptkit.cli.shared import RESERVED_OPTIONS, RESERVED_SHORTS
from gptkit.services import Services

if TYPE_CHECKING:
    from gptkit.terminal import Terminal


def parts(terminal: Terminal) -> Services:
    return Services(
        terminal,
        reserved_options=RESERVED_OPTIONS,
        reserved_shorts=RESERVED_SHORTS,
        reserved_names=RESERVED_NAMES,
    )
