"""What a run may spend, checked before every request, and what it has spent."""

from _thread import allocate_lock
from collections.abc import Callable, Mapping
from typing import NamedTuple

from gptkit.core.chat import Charge, ChatRequest, Reply, Usage
from gptkit.core.errors import BudgetError, ConfigurationError
from gptkit.core.tokens import estimate

Price = Callable[[str, int, int], float | None]
"""US dollars for a model's tokens in and out; None where no price is known."""
LIMIT_NAMES = ("max_completion_tokens", "max_tokens")
ANSWER = 4096
"""Tokens that are left free for an answer whose limit is not set."""


class Reservation(float):
    """What was set aside for a request: US dollars, and the `tokens` that its answer is expected to have."""

    tokens = 0


class Cap(NamedTuple):
    """The most that may be spent, in US dollars, the words by which the user knows it, and what of it
    was spent before this run."""

    dollars: float
    name: str
    before: float = 0.0

    @property
    def left(self) -> float:
        """When the run began."""
        return max(0.0, self.dollars - self.before)


class Budget:
    """Caps on requests and money over all workers of a run, and the list of what was charged.

    `host` is where requests go. A request is reserved at its estimate before it is sent (its answer
    counts with the limit that the request sets, else as nothing: its length is not known before, unless
    the answers are `as_long` as their texts, or as much longer as those before) and charged at what it
    came to. Safe for several threads.
    """

    def __init__(
        self,
        requests: int | None = None,
        caps: tuple[Cap, ...] = (),
        price: Price = lambda *_: None,
        host: str = "",
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.requests = requests
        self.tokens: int | None = None
        """The most tokens of all answers together, for a job of many; each is expected to be as long as
        the text that it is about."""
        self.as_long = False
        """Each answer is as long as the text that it is about, and is reserved with that length."""
        self.caps = caps
        self.used = 0
        self.charges: list[Charge] = []
        self._price = price
        self._host = host
        self.clock = clock
        self._reserved = 0.0
        self._spent = 0.0
        self._answered = 0
        self._expected = 0
        self._texts = 0
        """Tokens of the texts that the answers are about."""
        self._lock = allocate_lock()

    def at(self, share: float) -> "Budget":
        """The same caps, where requests cost that share of their price."""

        def price(model: str, prompt_tokens: int, completion_tokens: int) -> float | None:
            cost = self._price(model, prompt_tokens, completion_tokens)
            return None if cost is None else cost * share

        found = Budget(self.requests, self.caps, price, self._host, self.clock)
        found.tokens = self.tokens
        found.as_long = self.as_long
        return found

    @property
    def spent(self) -> float:
        """US dollars that were charged, as far as prices are known."""
        return self._spent

    def reserve(self, request: ChatRequest, count: int = 1) -> Reservation:
        """Room for a request, or BudgetError; `count` is two where the try before it may be billed too.

        Returns what `charge` takes back.
        """
        length = self._length(request)
        room = Reservation(self._estimated(request, length) if self.caps else 0.0)
        room.tokens = length if self.tokens is not None else 0
        with self._lock:
            self._check(room)
            if self.requests is not None and self.used + count > self.requests:
                plural = "" if self.requests == 1 else "s"
                raise BudgetError(f"the budget of {self.requests} request{plural} is used up")
            self.used += count
            self._reserved += room
            self._expected += room.tokens
        return room

    def confirm(self) -> None:
        """BudgetError where what was set aside no longer fits, because answers cost more than expected."""
        with self._lock:
            self._check(Reservation())

    def _check(self, room: Reservation) -> None:
        if self.tokens is not None and self._answered + self._expected + room.tokens > self.tokens:
            raise BudgetError(f"the budget of {self.tokens} tokens is used up")
        for cap in self.caps:
            spent = cap.before + self._spent
            if spent + self._reserved + room > cap.dollars:
                held = round(self._reserved, 9)
                aside = f", {held:.4g} set aside for requests under way" if held else ""
                more = f", and the next request takes at least {room:.4g}" if room else ""
                raise BudgetError(
                    f"{cap.name} of {cap.dollars:.4g} USD is used up: {spent:.4g} is spent{aside}{more}"
                )

    def charge(
        self,
        request: ChatRequest,
        reserved: Reservation,
        reply: Reply,
        doubtful: bool,
        started: float,
        purpose: str,
    ) -> Charge | None:
        """Settle a request that is over; one that brought nothing costs nothing unless it is doubtful."""
        usage = reply.usage or _guess(request, reply, doubtful)
        with self._lock:
            self._reserved = max(0.0, self._reserved - reserved)
            self._expected -= reserved.tokens
            if usage:
                self._answered += usage.completion_tokens
                self._texts += self._measured(request)
        if usage is None:
            return None
        cost = self._price(request.model, *usage) if self.caps else None
        charge = Charge(
            model=reply.model or request.model,
            purpose=purpose,
            host=self._host,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            estimated=reply.usage is None,
            cost=cost,
            started=started,
            seconds=max(0.0, self.clock() - started),
        )
        with self._lock:
            self._spent += cost or 0.0
            self.charges.append(charge)
        return charge

    def _measured(self, request: ChatRequest) -> int:
        return estimate(request.text) if self.as_long or self.tokens is not None else 0

    def _length(self, request: ChatRequest) -> int:
        """Expected tokens of an answer."""
        measured = self._measured(request)
        with self._lock:
            return measured * max(self._answered, self._texts) // self._texts if self._texts else measured

    def _estimated(self, request: ChatRequest, expected: int) -> float:
        limits = [request.parameters.get(name) for name in LIMIT_NAMES]
        most = next((limit for limit in limits if isinstance(limit, int)), expected if self.as_long else 0)
        cost = self._price(request.model, prompt_tokens(request), most)
        if cost is None:
            raise ConfigurationError(
                f"no price is known for '{request.model}', so {self.caps[0].name} cannot be kept",
                hint=f"gptkit config set prices.{request.model} '[INPUT, OUTPUT]' (USD a million tokens)",
            )
        return cost


class WorkerBudget(Budget):
    """What one of several workers spends of a budget: the caps are those of all, the charges its own."""

    def __init__(self, whole: Budget) -> None:
        super().__init__(whole.requests, whole.caps, clock=whole.clock)
        self._whole = whole

    def reserve(self, request: ChatRequest, count: int = 1) -> Reservation:
        return self._whole.reserve(request, count)

    def confirm(self) -> None:
        self._whole.confirm()

    def charge(
        self,
        request: ChatRequest,
        reserved: Reservation,
        reply: Reply,
        doubtful: bool,
        started: float,
        purpose: str,
    ) -> Charge | None:
        charge = self._whole.charge(request, reserved, reply, doubtful, started, purpose)
        if charge is not None:
            self.charges.append(charge)
        return charge


def prompt_tokens(request: ChatRequest) -> int:
    """The estimated tokens of a request: its messages with what the chat format adds to each."""
    return sum(estimate(message.content) + 4 for message in request.messages) + 3


def answer_room(parameters: Mapping[str, object], window: int) -> int:
    """Tokens of a window that stay free for the answer."""
    limits = (parameters.get(name) for name in LIMIT_NAMES)
    return next((limit for limit in limits if isinstance(limit, int)), min(ANSWER, window // 4))


def _guess(request: ChatRequest, reply: Reply, doubtful: bool) -> Usage | None:
    answered = bool(reply.text or reply.refusal or reply.reasoning or reply.reason)
    if not answered and not doubtful:
        return None
    return Usage(prompt_tokens(request), estimate(reply.text + reply.reasoning + reply.refusal))
