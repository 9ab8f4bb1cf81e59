"""What happens to a bug: its traceback goes to a private file, the user reads one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptkit.core.errors import InternalFault
from gptkit.core.files import write_private
from gptkit.core.paths import paths

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal

REPORT_TO = "please report it with that file, after reading what it holds"


def crashed(error: Exception, terminal: Terminal) -> InternalFault:
    """The fault to tell; frames only, since values and messages may hold what is private."""
    import traceback

    frames = traceback.format_list(traceback.extract_tb(error.__traceback__))
    kind = type(error).__name__
    try:
        path = paths(terminal.environ).data / "crash.txt"
        write_private(path, f"{kind}\n{''.join(frames)}".encode())
    except Exception:  # whatever broke the program may break this as well
        return InternalFault(f"a bug in gptkit: {kind}", hint="please report what you did")
    return InternalFault(f"a bug in gptkit: {kind}; details in '{path}'", hint=REPORT_TO)
