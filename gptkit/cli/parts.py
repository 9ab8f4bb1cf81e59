"""The parts of one run, told which words the command line keeps for itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gptkit.capabilities import CAPABILITIES
from gptkit.cli.housekeeping import FUTURE, HOUSEKEEPING
from gptkit.services import Services
from gptkit.session.options import RESERVED_OPTIONS, RESERVED_SHORTS

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal
    from gptkit.exchange.capability import Capability


def parts(terminal: Terminal, capabilities: Sequence[Capability] = CAPABILITIES) -> Services:
    commands = (*HOUSEKEEPING, *(command for one in capabilities for command in one.commands))
    housekeeping = {command.name: command for command in commands}
    return Services(
        terminal,
        reserved_options=RESERVED_OPTIONS,
        reserved_shorts=RESERVED_SHORTS,
        reserved_names=frozenset(housekeeping) | frozenset(FUTURE),
        capabilities=capabilities,
        housekeeping=housekeeping,
    )
