"""Limits what a run may spend, checked before every request, and records what was charged."""

import json
from _thread import allocate_lock
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import NamedTuple

from gptkit.core.chat import TOOLS, Charge, ChatRequest, Message, Reply, Usage
from gptkit.core.errors import BudgetError, ConfigurationError
from gptkit.core.tokens import estimate_tokens

Price = Callable[[str, int, int], float | None]
"""Takes a model, prompt tokens and completion tokens; returns US dollars, None without a known price."""
Observer = Callable[[int, Charge | None, bool], None]
"""Called with the number of a request, its charge, and whether the request is over: before it is sent with an
estimated charge without an answer, then with its charge, None if it costs nothing. For several threads."""
LIMIT_NAMES = ("max_completion_tokens", "max_tokens")
"""Parameters that limit the tokens of an answer."""
TOKENS_PER_MESSAGE, TOKENS_PER_ANSWER = 4, 3
"""Tokens that the chat format adds to each message, and for the beginning of the answer."""
DEFAULT_ANSWER_TOKENS = 4096
"""Tokens that are left free for an answer without a limit."""


class Reservation(float):
    """US dollars that are set aside for a request, and `tokens`: the expected length of its answer.

    `number` is the request's number for the observer of the budget; 0 before the request is sent.
    """

    tokens = 0
    number = 0


class SentRequest(NamedTuple):
    """A request under way; `started` is in Unix seconds, `purpose` that of its `Charge`."""

    request: ChatRequest
    reserved: Reservation
    started: float
    purpose: str


class CostCap(NamedTuple):
    """A limit in US dollars; messages call the limit `name`, earlier runs spent `spent_before`."""

    dollars: float
    name: str
    spent_before: float = 0.0

    @property
    def dollars_left(self) -> float:
        """What may be spent in this run."""
        return max(0.0, self.dollars - self.spent_before)


class Budget:
    """The limits on requests, tokens and money of a run with all its workers, and the charges so far.

    A request is reserved at its estimated cost before it is sent, and charged at its real cost when it is
    over. The estimate counts an answer with the limit that the request sets. Without a limit the answer
    counts as nothing, unless `answers_match_texts`. `host` is the server of the requests. Safe for several
    threads.
    """

    def __init__(
        self,
        max_requests: int | None = None,
        caps: tuple[CostCap, ...] = (),
        price: Price = lambda *_: None,
        host: str = "",
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.max_requests = max_requests
        self.max_answer_tokens: int | None = None
        """The most tokens of all answers of a job together."""
        self.answers_match_texts = False
        """Whether an answer is reserved with the length of the text that its request is about, times the
        ratio of answers to texts so far."""
        self.caps = caps
        self.request_count = 0
        """Requests that were reserved; one that may be billed twice counts twice."""
        self.charges: list[Charge] = []
        self.observer: Observer | None = None
        self._numbers = count(1)
        self._price = price
        self._host = host
        self.clock = clock
        self._reserved = 0.0
        self._spent = 0.0
        self._answer_tokens = 0
        self._expected_tokens = 0
        """Expected tokens of the answers to requests under way."""
        self._text_tokens = 0
        """Tokens of the texts that were answered."""
        self._lock = allocate_lock()

    def with_price_factor(self, factor: float) -> "Budget":
        """Copy the limits to a new budget whose requests cost `factor` times their price."""

        def price(model: str, prompt_tokens: int, completion_tokens: int) -> float | None:
            cost = self._price(model, prompt_tokens, completion_tokens)
            return None if cost is None else cost * factor

        budget = Budget(self.max_requests, self.caps, price, self._host, self.clock)
        budget.max_answer_tokens = self.max_answer_tokens
        budget.answers_match_texts = self.answers_match_texts
        return budget

    @property
    def spent(self) -> float:
        """US dollars that were charged; requests without a known price count as nothing."""
        return self._spent

    def reserve(self, request: ChatRequest, count: int = 1) -> Reservation:
        """Set aside the estimated cost of a request, until `charge` settles the reservation.

        `count` is 2 for a request whose failed try may be billed as well. Raises BudgetError.
        """
        length = self._expected_answer(request)
        reservation = Reservation(self._estimated_cost(request, length) if self.caps else 0.0)
        reservation.tokens = length if self.max_answer_tokens is not None else 0
        limit = self.max_requests
        with self._lock:
            self._check(reservation)
            if limit is not None and self.request_count + count > limit:
                plural = "" if limit == 1 else "s"
                raise BudgetError(f"the budget of {limit} request{plural} is used up")
            self.request_count += count
            self._reserved += reservation
            self._expected_tokens += reservation.tokens
        return reservation

    def confirm(self) -> None:
        """Raise BudgetError if the reservations no longer fit, since answers cost more than expected."""
        with self._lock:
            self._check(Reservation())

    def _check(self, reservation: Reservation) -> None:
        limit, tokens = self.max_answer_tokens, self._answer_tokens + self._expected_tokens
        if limit is not None and tokens + reservation.tokens > limit:
            raise BudgetError(f"the budget of {limit} tokens is used up")
        for cap in self.caps:
            spent = cap.spent_before + self._spent
            if spent + self._reserved + reservation > cap.dollars:
                reserved = round(self._reserved, 9)
                aside = f", {reserved:.4g} set aside for requests under way" if reserved else ""
                more = f", and the next request takes at least {reservation:.4g}" if reservation else ""
                raise BudgetError(
                    f"{cap.name} of {cap.dollars:.4g} USD is used up: {spent:.4g} is spent{aside}{more}"
                )

    def begin(self, sent: SentRequest) -> None:
        """Tell the observer that a request is about to be sent."""
        if self.observer is None:
            return
        request, reserved, started, purpose = sent
        tokens = prompt_tokens(request)
        reserved.number = next(self._numbers)
        charge = Charge(request.model, purpose, self._host, tokens, 0, True, None, started, 0.0)
        self.observer(reserved.number, charge, False)

    def charge(self, sent: SentRequest, reply: Reply, doubtful: bool) -> Charge | None:
        """Replace a reservation by what the request cost, and record that charge.

        A request without any answer costs nothing (None), unless it is `doubtful` whether the server bills
        the request.
        """
        request, reserved, started, purpose = sent
        usage = reply.usage or _estimated_usage(request, reply, doubtful)
        with self._lock:
            self._reserved = max(0.0, self._reserved - reserved)
            self._expected_tokens -= reserved.tokens
            if usage:
                self._answer_tokens += usage.completion_tokens
                self._text_tokens += self._measured_text(request)
        if usage is None:
            self._report_charge(reserved, None)
            return None
        charge = Charge(
            model=reply.model or request.model,
            purpose=purpose,
            host=self._host,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            estimated=reply.usage is None,
            cost=self._price(request.model, *usage) if self.caps else None,
            started=started,
            seconds=max(0.0, self.clock() - started),
        )
        with self._lock:
            self._spent += charge.cost or 0.0
            self.charges.append(charge)
        self._report_charge(reserved, charge)
        return charge

    def _report_charge(self, reserved: Reservation, charge: Charge | None) -> None:
        if self.observer is not None and reserved.number:
            self.observer(reserved.number, charge, True)

    def _measured_text(self, request: ChatRequest) -> int:
        """Tokens of the text that a request is about; 0 where no limit depends on them."""
        is_needed = self.answers_match_texts or self.max_answer_tokens is not None
        return estimate_tokens(request.text) if is_needed else 0

    def _expected_answer(self, request: ChatRequest) -> int:
        """Tokens of the answer, by the ratio of answers to texts so far: at least as many as the text has."""
        text = self._measured_text(request)
        with self._lock:
            if not self._text_tokens:
                return text
            return text * max(self._answer_tokens, self._text_tokens) // self._text_tokens

    def _estimated_cost(self, request: ChatRequest, expected: int) -> float:
        limit = _answer_limit(request.parameters)
        if limit is None:
            limit = expected if self.answers_match_texts else 0
        cost = self._price(request.model, prompt_tokens(request), limit)
        if cost is None:
            raise ConfigurationError(
                f"no price is known for '{request.model}', so {self.caps[0].name} cannot be checked",
                hint=f"gptkit config set prices.{request.model} '[INPUT, OUTPUT]' (USD a million tokens)",
            )
        return cost


class WorkerBudget(Budget):
    """The part of one worker in the budget of a run: shared limits, and a list of this worker's charges."""

    def __init__(self, run_budget: Budget) -> None:
        super().__init__(
            run_budget.max_requests, run_budget.caps, host=run_budget._host, clock=run_budget.clock
        )
        self._run_budget = run_budget

    def reserve(self, request: ChatRequest, count: int = 1) -> Reservation:
        return self._run_budget.reserve(request, count)

    def confirm(self) -> None:
        self._run_budget.confirm()

    def charge(self, sent: SentRequest, reply: Reply, doubtful: bool) -> Charge | None:
        charge = self._run_budget.charge(sent, reply, doubtful)
        if charge is not None:
            self.charges.append(charge)
        self._report_charge(sent.reserved, charge)
        return charge


def message_tokens(messages: Iterable[Message]) -> int:
    """Estimate the tokens of messages and their attachments, with what the chat format adds to each."""
    return sum(
        estimate_tokens(message.content) + TOKENS_PER_MESSAGE + sum(one.tokens for one in message.attachments)
        for message in messages
    )


def prompt_tokens(request: ChatRequest) -> int:
    """Estimate the tokens of a request: its messages, its tools, and the beginning of the answer."""
    tokens = message_tokens(request.messages) + TOKENS_PER_ANSWER
    calls = [call.name + call.arguments for message in request.messages for call in message.calls]
    if TOOLS in request.parameters:
        calls.append(json.dumps(request.parameters[TOOLS], ensure_ascii=False, separators=(",", ":")))
    return tokens + sum(map(estimate_tokens, calls))


def answer_tokens(parameters: Mapping[str, object], window: int) -> int:
    """Tokens of a context window that stay free for the answer."""
    limit = _answer_limit(parameters)
    return min(DEFAULT_ANSWER_TOKENS, window // 4) if limit is None else limit


def _answer_limit(parameters: Mapping[str, object]) -> int | None:
    limits = (parameters.get(name) for name in LIMIT_NAMES)
    return next((limit for limit in limits if isinstance(limit, int)), None)


def _estimated_usage(request: ChatRequest, reply: Reply, doubtful: bool) -> Usage | None:
    has_answer = bool(reply.text or reply.refusal or reply.reasoning or reply.calls or reply.reason)
    if not has_answer and not doubtful:
        return None
    texts = (
        reply.text,
        reply.reasoning,
        reply.refusal,
        *(call.name + call.arguments for call in reply.calls),
    )
    return Usage(prompt_tokens(request), estimate_tokens("".join(texts)))
