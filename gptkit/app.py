"""Assemble the program: its capabilities, its housekeeping commands and the names that these reserve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gptkit.capabilities import CAPABILITIES
from gptkit.core.errors import InternalError
from gptkit.core.files import write_private
from gptkit.core.paths import paths
from gptkit.exchange.capability import HousekeepingCommand
from gptkit.services import Services
from gptkit.session.options import RESERVED_OPTIONS, RESERVED_SHORTS

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal
    from gptkit.exchange.capability import Capability


PROMPT_FILES, SETTINGS, RECORDS = "Prompt files", "Settings", "Records"
HOUSEKEEPING = (
    HousekeepingCommand(
        "prompts",
        "gptkit.cli.prompts",
        "List, show, make, remove, check and test prompt files.",
        PROMPT_FILES,
    ),
    HousekeepingCommand("config", "gptkit.cli.config", "Show and change settings.", SETTINGS),
    HousekeepingCommand(
        "profiles", "gptkit.cli.profiles", "Show and switch named sets of settings.", SETTINGS
    ),
    HousekeepingCommand("keys", "gptkit.cli.keys", "Store API keys, each for one host.", SETTINGS),
    HousekeepingCommand("models", "gptkit.cli.models", "List the models that the server offers.", SETTINGS),
    HousekeepingCommand(
        "doctor", "gptkit.cli.doctor", "Check the connection to the model, step by step.", SETTINGS
    ),
    HousekeepingCommand(
        "history", "gptkit.cli.history", "List, show, search, export and remove conversations.", RECORDS
    ),
    HousekeepingCommand("usage", "gptkit.cli.usage", "Show tokens and cost of past requests.", RECORDS),
    HousekeepingCommand(
        "memory",
        "gptkit.cli.memory",
        "Show, export and prune stored answers to pieces of long texts.",
        RECORDS,
    ),
    HousekeepingCommand("batch", "gptkit.cli.batch", "List and cancel what --batch has submitted.", RECORDS),
)

FUTURE = ("help", "version", "gptkit")
"""Names of future commands, which no prompt file may have."""


def build_services(terminal: Terminal, capabilities: Sequence[Capability] = CAPABILITIES) -> Services:
    """Build the services of one run."""
    commands = [*HOUSEKEEPING]
    for capability in capabilities:
        commands += capability.commands
    housekeeping = {command.name: command for command in commands if not command.below}
    return Services(
        terminal,
        reserved_options=RESERVED_OPTIONS,
        reserved_shorts=RESERVED_SHORTS,
        reserved_names=frozenset(housekeeping) | frozenset(FUTURE),
        capabilities=capabilities,
        housekeeping=housekeeping,
    )


REPORT_TO = "read that file, then report the bug with it"


def write_crash_report(error: Exception, terminal: Terminal) -> InternalError:
    """Write the stack frames of a bug to a file, without values and messages, which may be private.

    Return the error to report.
    """
    import traceback

    frames = traceback.format_list(traceback.extract_tb(error.__traceback__))
    name = type(error).__name__
    try:
        path = paths(terminal.environ).data / "crash.txt"
        write_private(path, f"{name}\n{''.join(frames)}".encode())
    except Exception:  # what broke the program may break this, too
        return InternalError(f"a bug in gptkit: {name}", hint="please report what you did")
    return InternalError(f"a bug in gptkit: {name}; details in '{path}'", hint=REPORT_TO)
