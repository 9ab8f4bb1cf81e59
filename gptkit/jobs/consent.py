"""Before a job costs more than a threshold, the user is asked, or has said so on the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from gptkit.core.errors import BudgetError
from gptkit.core.tokens import estimate_tokens
from gptkit.jobs.job import DISCOUNT
from gptkit.jobs.progress import CLEAR, redraws
from gptkit.text.pieces import Piece

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal
    from gptkit.jobs.missing import Lacking
    from gptkit.jobs.options import JobOptions
    from gptkit.session.conversation import Conversation

    Lack = Callable[[Iterable[Piece]], Iterator[Lacking]]


OVERHEAD = 600
"""Tokens that a prompt and its rules add to each piece, about."""
ANSWERED = 1.2
"""Tokens of an answer for each of the text: what translations between most languages need."""
BYTES = 2
"""Of each token, at least, in a long text."""
SMALLEST = 1000
"""Tokens of a piece, at least, in a long text, where the prompt file wants no smaller ones."""
YES = ("y", "yes", "j", "ja", "o", "oui", "是", "好")


class Consent:
    """The user's word for a job above the threshold. What the memory holds costs nothing.

    `options` are those of the command, `piece` the tokens of a piece, `size` the bytes of all that is to be
    worked on, `answered` the tokens of all answers for each of the text.
    """

    def __init__(
        self,
        conversation: Conversation,
        model: str,
        options: JobOptions,
        piece: int,
        size: int | None,
        answered: float = ANSWERED,
    ) -> None:
        self.is_given = options.yes or conversation.shared.max_cost is not None
        self._conversation = conversation
        self._model = model
        self._threshold = conversation.services.settings.number("ask_above")
        self._size = size
        self._piece = piece
        self._answered = answered
        self._share = share_of_price(options)
        is_found = options.memory and not options.fresh
        self._keeps = conversation.is_recorded and is_found

    def checked(self, pieces: Iterable[Piece], lack: Lack) -> Iterator[Piece]:
        """The pieces of a document. Raises BudgetError where the user does not agree.

        They are handed on as they come as long as they would cost less even if the memory held none, by
        the size of the file where that is known; else all are read before the next is handed on.
        """
        found = iter(pieces)
        cost, read = 0.0, 0
        for piece in found:
            if not self.is_given and piece.text:
                cost += self._cost(estimate_tokens(piece.text)) or 0.0
                read += len(piece.source.encode("utf-8", "replace"))
                if cost * max(1.0, (self._size or 0) / max(1, read)) > self._threshold:
                    yield from self._surveyed(chain((piece,), found), lack)
                    return
            yield piece

    def is_wanted(self, requests: int) -> bool:
        """All of it, of which at least so many requests are made, may cost more than the threshold."""
        tokens = (self._size or 0) // BYTES
        smallest = min(SMALLEST, self._piece)
        pieces = max(requests, tokens // smallest)
        return not self.is_given and (self._cost(tokens, pieces) or 0.0) > self._threshold

    def survey(self, lacking: Iterable[Lacking]) -> None:
        """Read all that has to be asked for. Raises BudgetError where the user does not agree to it."""
        whole = self._conversation.cost()[0] or 0.0
        seen: set[bytes] = set()
        for one in lacking:
            repeated = self._keeps and one.key in seen
            seen.add(one.key)
            if not (self.is_given or repeated):
                whole += self._cost(estimate_tokens(one.piece.text)) or 0.0
        if not self.is_given and whole > self._threshold:
            self._ask(whole)
        self.is_given = True

    def _surveyed(self, pieces: Iterable[Piece], lack: Lack) -> Iterator[Piece]:
        from gptkit.jobs.missing import Spool

        with Spool() as spool:
            spool.keep(pieces)
            self.survey(lack(spool.again()))
            yield from spool.again()

    def _cost(self, tokens: int, requests: int = 1) -> float | None:
        """US dollars; where nobody knows the price there is nothing to compare, and nothing to ask."""
        prices = self._conversation.services.prices
        cost = prices.cost(self._model, tokens + OVERHEAD * requests, int(tokens * self._answered))
        if cost is None:
            self.is_given = True
            return None
        return cost * self._share

    def _ask(self, cost: float) -> None:
        about = f"this job costs about {cost:.2f} USD"
        answer = agreed(self._conversation.services.terminal, f"{about}. Go ahead? [y/N] ")
        if answer is None:
            raise BudgetError(
                f"{about}, more than ask_above ({self._threshold:g} USD)",
                hint="--yes starts it anyway, --max-cost USD limits it, --dry-run shows the estimate",
            )
        if not answer:
            raise BudgetError(f"{about}; not started")


def share_of_price(options: JobOptions) -> float:
    """What a request costs of its price with these options of a command."""
    return DISCOUNT if options.batch else 1.0


def agreed(terminal: Terminal, question: str) -> bool | None:
    """What the user says; None where nobody can be asked."""
    if not (terminal.stdin_is_terminal and terminal.stderr_is_terminal):
        return None
    at_start = CLEAR if redraws(terminal) else ""  # the line of progress may stand there
    terminal.is_asking = True  # results may still come in
    try:
        terminal.write_error(f"{at_start}gptkit: {question}")
        answer = terminal.read_line()
    finally:
        terminal.is_asking = False
    if answer is None:
        terminal.write_error("\n")
    return answer is not None and answer.strip().lower() in YES
