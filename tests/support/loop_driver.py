"""The prompt loop as a program, over a conversation with nobody: every message is answered at once."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Any, cast

from gptkit.core.errors import GptkitError, NoInputError, SignalError, TryAgainError
from gptkit.core.paths import paths
from gptkit.core.signals import catch_signals
from gptkit.core.terminal import Terminal, process_terminal
from gptkit.history.model import Session, Turn
from gptkit.repl.commands import CommandContext, SlashCommand
from gptkit.repl.loop import run
from gptkit.repl.talk import Status, Talk


class Alone:
    """In place of a Talk. `slow` is answered for ever, `fail` not at all, `hostile` with what harms."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._turns: list[Turn] = []
        self._attached: list[str] = []
        self._system = "Be brief."
        self.model = "gpt-test"
        self.session: Session | None = None

    @property
    def last(self) -> Turn | None:
        return self._turns[-1] if self._turns else None

    def send_message(self, text: str) -> int:
        attached, self._attached = self._attached, []
        answer = f"[{text!r}{' with ' + ', '.join(attached) if attached else ''}]"
        try:
            if text == "slow":
                answer = "begins"
                self._terminal.write("begins")
                time.sleep(600)
            if text == "fail":
                self._terminal.report(TryAgainError("no answer"))
                return 75
        except SignalError as stop:
            if stop.number != signal.SIGINT:
                raise
            self._keep(text, answer, "cancelled")
            return 130
        self._keep(text, answer, "ok")
        self._terminal.print_sanitized(answer)
        return 0

    def attach(self, path: Path) -> str:
        if not path.exists():
            raise NoInputError(f"no file '{path}'")
        self._attached.append(path.name)
        return path.name

    def turns(self, limit: int) -> tuple[Turn, ...]:
        return tuple(self._turns[-limit:])

    def undo(self) -> Turn | None:
        return self._turns.pop() if self._turns else None

    def retry(self) -> int:
        if not self._turns:
            raise NoInputError("there is no message yet")
        return self.send_message(self._turns.pop().user)

    def edit(self, text: str) -> int:
        self._turns.pop()
        return self.send_message(text)

    def fork(self, name: str) -> Session:
        self.session = Session("abcd1234", name, "chat", 0.0, 0.0, None, len(self._turns))
        return self.session

    def system(self, text: str | None = None) -> str:
        self._system = self._system if text is None else text
        return self._system

    def summary(self) -> None:
        return None

    def status(self) -> Status:
        return Status(self.model, 1234 * len(self._turns), 128_000, 0.0125 * len(self._turns), 1.0, False)

    def _keep(self, text: str, answer: str, state: Any) -> None:
        number = len(self._turns) + 1
        told = (number, f"u{number}", None, "abcd1234", number, state, "chat", self.model, None, "", 0, "", 1)
        self._turns.append(Turn(*told, None, 0.0, 0.0, 0, 0, False, None, self._system, text, answer, {}, {}))


def dice(context: CommandContext, argument: str) -> None:
    context.show(f"{argument}: 4")


def models() -> list[str]:
    if "--slow" in sys.argv:
        time.sleep(3600)
    if "--unreachable" in sys.argv:
        raise TryAgainError("no server")
    return ["gpt-test", "gpt-next", "llama\x1b[2J"]


def main() -> int:
    terminal = process_terminal()
    try:
        catch_signals()
        talk = cast(Talk, Alone(terminal))
        extra = (SlashCommand("roll", "throw dice", dice, "DICE"),)
        with terminal.redirect_library_output():
            return run(
                talk,
                terminal,
                paths(terminal.environ),
                extra,
                models=models,
                remember="--no-log" not in sys.argv,
            )
    except GptkitError as error:
        terminal.report(error)
        return error.code
    except SignalError as stop:
        return 128 + stop.number


if __name__ == "__main__":
    sys.exit(main())
