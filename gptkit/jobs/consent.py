"""Ask the user before a job costs more than a threshold, unless the command line already agrees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from gptkit.core.confirm import is_yes
from gptkit.core.errors import BudgetError
from gptkit.core.tokens import estimate_tokens
from gptkit.jobs.job import DISCOUNT
from gptkit.text.pieces import Piece

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal
    from gptkit.jobs.missing import MissingAnswer
    from gptkit.jobs.options import JobOptions
    from gptkit.session.conversation import Conversation

    Lack = Callable[[Iterable[Piece]], Iterator[MissingAnswer]]


PROMPT_TOKENS = 600
"""About how many tokens a prompt and its rules add to each piece."""
MAP_ANSWER_RATIO = 1.2
"""Tokens of an answer for each token of the text, as translations between most languages need."""
BYTES_PER_TOKEN = 2
"""The least bytes of a token in a long text."""
SMALLEST_PIECE = 1000
"""The least tokens of a piece in a long text, unless the prompt file asks for smaller pieces."""


class Consent:
    """Whether the user agrees to a job whose cost is above the threshold; stored answers cost nothing.

    `piece_tokens` are those of a piece, `size` is in bytes of all input (None if not known), `answer_ratio`
    is tokens of all answers for each token of the input.
    """

    def __init__(
        self,
        conversation: Conversation,
        model: str,
        options: JobOptions,
        piece_tokens: int,
        size: int | None,
        answer_ratio: float = MAP_ANSWER_RATIO,
    ) -> None:
        self.is_given = options.yes or conversation.shared.max_cost is not None
        self._conversation = conversation
        self._model = model
        self._threshold = conversation.services.settings.number("ask_above")
        self._size = size
        self._piece = piece_tokens
        self._answer_ratio = answer_ratio
        self._price_factor = price_factor(options)
        uses_memory = options.memory and not options.fresh
        self._is_remembered = conversation.is_recorded and uses_memory

    def check_pieces(self, pieces: Iterable[Piece], find_missing: Lack) -> Iterator[Piece]:
        """Yield the pieces of a document; raises BudgetError if the user does not agree to their cost.

        A piece is yielded at once while the cost of all pieces, estimated by the size of the file and without
        the memory, is below the threshold. Otherwise all pieces are read first and looked up in the memory.
        """
        rest = iter(pieces)
        cost, read = 0.0, 0
        for piece in rest:
            if not self.is_given and piece.text:
                cost += self._cost(estimate_tokens(piece.text)) or 0.0
                read += len(piece.source.encode("utf-8", "replace"))
                if cost * max(1.0, (self._size or 0) / max(1, read)) > self._threshold:
                    yield from self._check_rest(chain((piece,), rest), find_missing)
                    return
            yield piece

    def may_be_needed(self, requests: int) -> bool:
        """Whether a job of at least `requests` requests may cost more than the threshold, by its size."""
        tokens = (self._size or 0) // BYTES_PER_TOKEN
        smallest = min(SMALLEST_PIECE, self._piece)
        pieces = max(requests, tokens // smallest)
        return not self.is_given and (self._cost(tokens, pieces) or 0.0) > self._threshold

    def check_answers(self, answers: Iterable[MissingAnswer]) -> None:
        """Add up the cost of all missing answers; raises BudgetError if the user does not agree to it."""
        cost = self._conversation.cost()[0] or 0.0
        seen: set[bytes] = set()
        for answer in answers:
            is_repeated = self._is_remembered and answer.key in seen
            seen.add(answer.key)
            if not (self.is_given or is_repeated):
                cost += self._cost(estimate_tokens(answer.piece.text)) or 0.0
        if not self.is_given and cost > self._threshold:
            self._ask(cost)
        self.is_given = True

    def _check_rest(self, pieces: Iterable[Piece], find_missing: Lack) -> Iterator[Piece]:
        from gptkit.jobs.missing import PieceSpool

        with PieceSpool() as spool:
            spool.write(pieces)
            self.check_answers(find_missing(spool.read()))
            yield from spool.read()

    def _cost(self, tokens: int, requests: int = 1) -> float | None:
        """Return the cost in US dollars; None without a known price, after which nothing is asked."""
        prices = self._conversation.services.prices
        cost = prices.cost(self._model, tokens + PROMPT_TOKENS * requests, int(tokens * self._answer_ratio))
        if cost is None:
            self.is_given = True
            return None
        return cost * self._price_factor

    def _ask(self, cost: float) -> None:
        about = f"this job costs about {cost:.2f} USD"
        answer = ask_user(self._conversation.services.terminal, f"{about}. Go ahead? [y/N] ")
        if answer is None:
            raise BudgetError(
                f"{about}, more than ask_above ({self._threshold:g} USD)",
                hint="--yes starts it anyway, --max-cost USD limits it, --dry-run shows the estimate",
            )
        if not answer:
            raise BudgetError(f"{about}; not started")


def price_factor(options: JobOptions) -> float:
    """Return by which factor the options of a command change the price of a request."""
    return DISCOUNT if options.batch else 1.0


def ask_user(terminal: Terminal, question: str) -> bool | None:
    """Ask the user; returns the answer, None if nobody can be asked."""
    if not (terminal.stdin_is_terminal and terminal.stderr_is_terminal):
        return None
    terminal.is_asking = True  # results may still come in
    try:
        terminal.write_error(f"gptkit: {question}")
        answer = terminal.read_line()
    finally:
        terminal.is_asking = False
    if answer is None:
        terminal.write_error("\n")
    return is_yes(answer)
