"""Record an exchange from before its request until its end; a failure to record does not lose the answer."""

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
    from gptkit.history.model import Ending, Opening, State, Turn
    from gptkit.history.store import Store
    from gptkit.services import Services

    Begin = Callable[[Opening], Journal]
    FallBack = Callable[[Opening], Opening]
    AddText = Callable[[str], None]


class RecordContext(NamedTuple):
    """What the record of an exchange needs; `store` returns the history that finished turns go to."""

    services: Services
    budget: Budget
    is_quiet: bool
    store: Callable[[], Store]


class ExchangeRecord:
    """Records one exchange, as a context manager; an exception inside is stored as the end of the exchange.

    `turn` is the number of the stored turn after the end, None if it could not be stored. If the history
    cannot be written, `fall_back` switches the context's `store` to another and returns the opening there.
    """

    def __init__(
        self,
        context: RecordContext,
        opening: Opening | None,
        begin: Begin | None,
        fall_back: FallBack | None = None,
    ) -> None:
        self.turn: int | None = None
        self._fall_back = fall_back
        self._context = context
        self._terminal = context.services.terminal
        self._opening = opening
        self._begin = begin
        self._journal: Journal | None = None
        self.first_charge = len(context.budget.charges)
        """Of the budget's charges, the number of the first that belongs to the exchange."""
        self._text: list[str] = []
        self._answered: Outcome | None = None
        self._started = self._terminal.monotonic()

    def __enter__(self) -> ExchangeRecord:
        if self._opening is not None and self._begin is not None:
            try:
                self._journal = self._begin(self._opening)
            except GptkitError as error:
                self._warn(error)
                self._opening = self._fall_back_once(self._opening)
            else:
                budget = self._context.budget
                for number, charge in enumerate(budget.charges[self.first_charge :], 1):
                    self._journal.add_charge(-number, charge, True)
                budget.observer = self._journal.add_charge
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: TracebackType | None) -> None:
        self._context.budget.observer = None
        if error is not None and self._opening is not None:
            self._store(self._ending_of(self._answered) if self._answered else self._ending_of_failure(error))

    def recording_sink(self, sink: Sink | None) -> Sink | None:
        """Return a sink that passes events on to `sink` and records the answer as it arrives."""
        return sink if sink is None or self._opening is None else _RecordingSink(sink, self._add_text)

    def record_answer(self, outcome: Outcome) -> None:
        """Record a whole answer before further requests of the exchange, which may fail."""
        self._answered = outcome
        if self._journal is not None:
            self._journal.record_ending(self._ending_of(outcome))

    def finish(self, outcome: Outcome) -> None:
        """End the record, after the answer was written."""
        self._text.clear()
        if self._opening is not None:
            self._store(self._ending_of(outcome))

    def _add_text(self, text: str) -> None:
        if self._journal is not None:
            self._journal.add(text)
        else:
            self._text.append(text)

    def _store(self, ending: Ending) -> None:
        opening, self._opening = self._opening, None
        if opening is None:
            return
        try:
            self.turn = self._context.store().finish(self._journal or opening, ending)
        except GptkitError as error:
            self._warn(error)
            if moved := self._fall_back_once(opening):
                self.turn = self._context.store().finish(moved, ending)

    def _fall_back_once(self, opening: Opening) -> Opening | None:
        fall_back, self._fall_back = self._fall_back, None
        return fall_back(opening) if fall_back else None

    def _warn(self, error: GptkitError) -> None:
        if not self._context.is_quiet:
            what = "this exchange is" if self._fall_back is None else "from here on this conversation is"
            self._terminal.print_error_line(f"gptkit: {what} not recorded: {error.message}")

    def _ending_of(self, outcome: Outcome) -> Ending:
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
            charges=tuple(self._context.budget.charges[self.first_charge :]),
            notes=outcome.notes,
        )

    def _ending_of_failure(self, error: BaseException) -> Ending:
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
            charges=tuple(self._context.budget.charges[self.first_charge :]),
        )


class _RecordingSink:
    """A sink that records the answer before it passes events on."""

    def __init__(self, sink: Sink, add_text: AddText) -> None:
        self._sink = sink
        self._add_text = add_text

    def __call__(self, event: Event) -> None:
        if isinstance(event, AnswerDelta):  # before it is shown: a signal right after that would lose it
            self._add_text(event.text)
        self._sink(event)

    def close(self) -> None:
        self._sink.close()


def make_opening(
    services: Services, invocation: Invocation, request: ChatRequest, session: str | None, parent: int | None
) -> Opening:
    """Return what is known of an exchange before its request is sent."""
    from gptkit.history.model import Opening, new_opening_id

    return Opening(
        id=new_opening_id(),
        session=session,
        parent=parent,
        prompt=invocation.template.name,
        model=invocation.model,
        system="\n\n".join(message.content for message in request.messages if message.role == "system"),
        user=_last_user_message(request.messages),
        request=_request_record(invocation, request),
        started=services.terminal.unix_time(),
    )


def with_kept_system(invocation: Invocation, turn: Turn | None) -> Invocation:
    """Return an invocation with the system message that the turn before was given, unless it has its own."""
    option = invocation.template.system_option
    options = turn.request.get("options") if turn is not None else None
    if option is None or option.variable in invocation.values or not isinstance(options, dict):
        return invocation
    kept = options.get(option.variable)
    if not isinstance(kept, str):
        return invocation
    return invocation._replace(values={**invocation.values, option.variable: kept})


def _last_user_message(messages: tuple[Message, ...]) -> str:
    return next((message.content for message in reversed(messages) if message.role == "user"), "")


def _request_record(invocation: Invocation, request: ChatRequest) -> Mapping[str, object]:
    """Return all of a request except the texts that the record has in other fields."""
    record: dict[str, object] = {"parameters": dict(request.parameters), "stream": request.stream}
    if invocation.values:
        record["options"] = dict(invocation.values)
    if invocation.files:
        record["files"] = [name for name, _ in invocation.files]
    if invocation.attachments:
        record["attachments"] = [one.record() for one in invocation.attachments]
    if invocation.template.examples:
        record["examples"] = [list(pair) for pair in invocation.template.examples]
    return record
