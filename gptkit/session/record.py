"""Keeps what becomes of an exchange, from before its request on; a record that fails costs no answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.chat import AnswerDelta, ChatRequest, Event, Message, Sink
from gptkit.core.errors import GptkitError, RefusedError, SignalError
from gptkit.exchange.invocation import Invocation, Outcome

if TYPE_CHECKING:
    from types import TracebackType

    from gptkit.exchange.budget import Budget
    from gptkit.history.journal import Journal
    from gptkit.history.model import Ending, Opening, State
    from gptkit.history.store import Store
    from gptkit.services import Services

    Begin = Callable[[Opening], Journal]
    FallBack = Callable[[Opening], Opening]
    Heard = Callable[[str], None]


class Keeper(NamedTuple):
    """What the record of an exchange is made with; `store` returns where finished turns go."""

    services: Services
    budget: Budget
    is_quiet: bool
    store: Callable[[], Store]


class Record:
    """One exchange, recorded while it is entered as a context; an exception inside is its end.

    `turn` is the stored turn once it is over, None where nothing could be stored. What cannot be
    recorded goes where `fall_back` says, if that is given: then the keeper's store is another one.
    """

    def __init__(
        self,
        keeper: Keeper,
        opening: Opening | None,
        begin: Begin | None,
        fall_back: FallBack | None = None,
    ) -> None:
        self.turn: int | None = None
        self._fall_back = fall_back
        self._keeper = keeper
        self._terminal = keeper.services.terminal
        self._opening = opening
        self._begin = begin
        self._journal: Journal | None = None
        self.first_charge = len(keeper.budget.charges)
        """Of the budget's charges, the number of the first that belongs to the exchange."""
        self._text: list[str] = []
        self._settled: Outcome | None = None
        self._started = self._terminal.monotonic()

    def __enter__(self) -> Record:
        if self._opening is not None and self._begin is not None:
            try:
                self._journal = self._begin(self._opening)
            except GptkitError as error:
                self._complain(error)
                self._opening = self._fallen_back(self._opening)
            else:
                budget = self._keeper.budget
                for number, charge in enumerate(budget.charges[self.first_charge :], 1):
                    self._journal.add_charge(-number, charge, True)
                budget.observer = self._journal.add_charge
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: TracebackType | None) -> None:
        self._keeper.budget.observer = None
        if error is not None and self._opening is not None:
            self._finish(self._ended(self._settled) if self._settled else self._cut_short(error))

    def listening(self, sink: Sink | None) -> Sink | None:
        """The sink, and what it shows is kept second by second."""
        return sink if sink is None or self._opening is None else _Listening(sink, self._heard)

    def settle(self, outcome: Outcome) -> None:
        """The answer is whole, whatever becomes of the requests that follow it."""
        self._settled = outcome
        if self._journal is not None:
            self._journal.record_ending(self._ended(outcome))

    def finish(self, outcome: Outcome) -> None:
        """The exchange is over and its answer is where it belongs."""
        self._text.clear()
        if self._opening is not None:
            self._finish(self._ended(outcome))

    def _heard(self, text: str) -> None:
        if self._journal is not None:
            self._journal.add(text)
        else:
            self._text.append(text)

    def _finish(self, ending: Ending) -> None:
        opening, self._opening = self._opening, None
        if opening is None:
            return
        try:
            self.turn = self._keeper.store().finish(self._journal or opening, ending)
        except GptkitError as error:
            self._complain(error)
            if moved := self._fallen_back(opening):
                self.turn = self._keeper.store().finish(moved, ending)

    def _fallen_back(self, opening: Opening) -> Opening | None:
        found, self._fall_back = self._fall_back, None
        return found(opening) if found else None

    def _complain(self, error: GptkitError) -> None:
        if not self._keeper.is_quiet:
            what = "this exchange is" if self._fall_back is None else "from here on this conversation is"
            self._terminal.print_error_line(f"gptkit: {what} not recorded: {error.message}")

    def _ended(self, outcome: Outcome) -> Ending:
        from gptkit.history.model import Ending

        reply, failure = outcome.reply, outcome.failure
        state: State = "ok"
        if failure is not None:
            state = "refused" if isinstance(failure, RefusedError) else "partial" if reply.text else "failed"
        return Ending(
            state=state,
            answer=outcome.answer if failure is None else reply.text or reply.refusal,
            reason=reply.reason,
            cause="" if failure is None else failure.message,
            code=0 if failure is None else failure.code,
            model=reply.model,
            request_id=reply.request_id,
            attempts=reply.attempts,
            first=reply.first,
            seconds=reply.total,
            charges=tuple(self._keeper.budget.charges[self.first_charge :]),
            notes=outcome.notes,
        )

    def _cut_short(self, error: BaseException) -> Ending:
        from gptkit.history.model import Ending

        text = "".join(self._text) if self._journal is None else self._journal.read_text()
        state: State = "cancelled"
        code, cause = 130, "interrupted"
        if isinstance(error, GptkitError):
            state, code, cause = "partial" if text else "failed", error.code, error.message
        elif isinstance(error, SignalError):
            code = 128 + error.number
        elif isinstance(error, Exception):
            state, code, cause = "failed", 70, type(error).__name__
        return Ending(
            state=state,
            answer=text,
            cause=cause,
            code=code,
            request_id=getattr(error, "request_id", ""),
            attempts=getattr(error, "attempts", 1),
            seconds=self._terminal.monotonic() - self._started,
            charges=tuple(self._keeper.budget.charges[self.first_charge :]),
        )


class _Listening:
    """A sink that tells what it shows."""

    def __init__(self, sink: Sink, heard: Heard) -> None:
        self._sink = sink
        self._heard = heard

    def __call__(self, event: Event) -> None:
        if isinstance(event, AnswerDelta):  # before it is shown: a signal right after that would lose it
            self._heard(event.text)
        self._sink(event)

    def close(self) -> None:
        self._sink.close()


def opening(
    services: Services, invocation: Invocation, sent: ChatRequest, session: str | None, parent: int | None
) -> Opening:
    """What is known of an exchange before its request goes out."""
    from gptkit.history.model import Opening, new_opening_id

    return Opening(
        id=new_opening_id(),
        session=session,
        parent=parent,
        prompt=invocation.template.name,
        model=invocation.model,
        system="\n\n".join(message.content for message in sent.messages if message.role == "system"),
        user=_last(sent.messages),
        request=_repeatable(invocation, sent),
        started=services.terminal.unix_time(),
    )


def _last(messages: tuple[Message, ...]) -> str:
    return next((message.content for message in reversed(messages) if message.role == "user"), "")


def _repeatable(invocation: Invocation, sent: ChatRequest) -> Mapping[str, object]:
    """All of a request but the texts that the record holds anyway."""
    found: dict[str, object] = {"parameters": dict(sent.parameters), "stream": sent.stream}
    if invocation.values:
        found["options"] = dict(invocation.values)
    if invocation.files:
        found["files"] = [name for name, _ in invocation.files]
    if invocation.template.examples:
        found["examples"] = [list(pair) for pair in invocation.template.examples]
    return found
