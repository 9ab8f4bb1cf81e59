"""Before a job costs more than a threshold, the user is asked, or has said so on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from gptkit.documents.pieces import Piece
from gptkit.documents.tokens import estimate
from gptkit.errors import OverBudget

if TYPE_CHECKING:
    from gptkit.services import Services
    from gptkit.terminal import Terminal

OVERHEAD = 600
"""Tokens that a prompt and its rules add to each piece, about."""
ANSWERED = 1.2
"""Tokens of an answer for each of the text: what translations between most languages need."""

YES = ("y", "yes", "j", "ja", "o", "oui", "是", "好")


class Consent:
    """Adds up what the pieces will cost at least, and stops at the threshold unless the user agreed.

    What is read before is judged by the size of the file at once; a pipe as its pieces come.
    """

    def __init__(
        self, services: Services, model: str, size: int | None, given: bool, answered: float = ANSWERED
    ) -> None:
        self._services = services
        self._model = model
        self._threshold = services.settings.number("ask_above")
        self._given = given
        self._answered = answered
        self._size = size
        self._cost = 0.0
        self._bytes = 0

    def checked(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """The pieces as they come. Raises OverBudget where the user does not agree."""
        for piece in pieces:
            self.check(piece)
            yield piece

    def check(self, piece: Piece) -> None:
        """Raises OverBudget where the user does not agree."""
        if self._given or not piece.text:
            return
        tokens = estimate(piece.text)
        cost = self._services.prices.cost(self._model, tokens + OVERHEAD, int(tokens * self._answered))
        if cost is None:
            self._given = True  # nobody knows the price: there is nothing to compare
            return
        self._bytes += len(piece.source.encode("utf-8", "replace"))
        self._cost += cost
        whole = self._cost * max(1.0, (self._size or 0) / max(1, self._bytes))
        if whole > self._threshold:
            self._ask(whole)

    def settle(self) -> None:
        """The same pieces come once more."""
        self._given = True

    def _ask(self, cost: float) -> None:
        about = f"this job costs about {cost:.2f} USD"
        answer = agreed(self._services.terminal, f"{about}. Go ahead? [y/N] ")
        if answer is None:
            raise OverBudget(
                f"{about}, more than ask_above ({self._threshold:g} USD)",
                hint="--yes goes ahead, --max-cost USD goes ahead that far, --dry-run tells more",
            )
        if not answer:
            raise OverBudget(f"{about}; not begun")
        self._given = True


def agreed(terminal: Terminal, question: str) -> bool | None:
    """What the user says; None where nobody can be asked."""
    if not (terminal.stdin_is_terminal and terminal.stderr_is_terminal):
        return None
    terminal.write_error(f"gptkit: {question}")
    answer = terminal.read_line()
    return answer is not None and answer.strip().lower() in YES
