"""One exchange after another with a prompt, each recorded; the path of every command that asks a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from gptkit.core.chat import OWN_PARAMETERS, STREAM_OPTIONS, Message, Reply
from gptkit.core.errors import CannotWriteError, GptkitError, TooLongError, TryAgainError, UsageError
from gptkit.core.yaml_tree import parse_value
from gptkit.exchange.budget import answer_tokens, prompt_tokens
from gptkit.exchange.capability import first_request, prepare_invocation, run
from gptkit.exchange.invocation import Invocation, Outcome, Runtime, build_request
from gptkit.history.model import Ending, Opening, new_opening_id
from gptkit.session import answer
from gptkit.session.answer import Showing
from gptkit.session.input import Given
from gptkit.session.record import Keeper, Record, opening
from gptkit.templates.template import Template

if TYPE_CHECKING:
    from gptkit.core.chat import ChatRequest
    from gptkit.exchange.capability import Greeting
    from gptkit.exchange.context import PastTurn
    from gptkit.history.model import Opening, Session, Summary, Turn
    from gptkit.history.store import Store
    from gptkit.services import Services
    from gptkit.session.input import Given
    from gptkit.session.options import SharedOptions


def invocation(
    services: Services, template: Template, given: Given, shared: SharedOptions, how: Showing
) -> Invocation:
    model = str(shared.model or template.model or services.settings.text("model"))
    typed_in = _typed_parameters(services, model, shared)
    settled = {
        name: value for name, value in services.parameters(model).items() if name not in template.parameters
    }
    stream = services.settings.boolean("stream") and not (shared.no_stream or how.response)
    counted = shared.max_cost is not None or services.settings.value("monthly_limit") is not None
    if stream and (how.verbose or how.as_json or counted):
        settled.setdefault(STREAM_OPTIONS, {"include_usage": True})
    return Invocation(
        template=template,
        model=model,
        text=given.text,
        request=given.wanted,
        files=given.files,
        values=given.values,
        parameters={**settled, **typed_in},
        droppable=frozenset(settled) - frozenset(typed_in),
        stream=stream,
        exact=how.raw,
    )


def _typed_parameters(services: Services, model: str, shared: SharedOptions) -> dict[str, object]:
    """The API parameters of the command line; these are never dropped."""
    found: dict[str, object] = {}
    if shared.temperature is not None:
        found["temperature"] = shared.temperature
    if shared.max_tokens is not None:
        found[services.token_limit_name(model)] = shared.max_tokens
    for item in shared.param:
        name, equals, value = item.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"--param takes KEY=VALUE, this is '{item}'")
        if name in OWN_PARAMETERS:
            raise UsageError(f"--param {name}: gptkit sets it itself")
        found[name] = parse_value(value)
    return found


SHRUNK = 0.6
"""Part of a window that is aimed at when the server calls a request too long: the estimate was too low."""
NOTED = 64
"""Turns that are looked through for what capabilities kept."""
PATIENCE = 600.0
"""Seconds to wait for another process that works on the same conversation."""


NEWEST = -1
"""In place of a turn: whatever is the newest when the request is made."""


class Conversation:
    """What exchanges have in common: the prompt, the session, the budget, and where they are kept.

    Without a session an exchange begins its own. A `lasting` one goes on with the session that its
    first exchange began, also where nothing is recorded: then it lives in memory.
    """

    def __init__(
        self,
        services: Services,
        template: Template,
        shared: SharedOptions,
        session: Session | None = None,
        *,
        lasting: bool = False,
    ) -> None:
        self.services = services
        self.template = template
        self.shared = shared
        self.how = answer.showing(shared)
        self.session = session
        self.system: str | None = None
        self.greeting: Greeting | None = None
        self.budget = services.budget(shared.max_requests, shared.max_cost)
        self._lasting = lasting
        self.is_recorded = not shared.no_log and services.settings.boolean("log")
        self._sent: ChatRequest | None = None
        self._first_charge = 0
        """Of the budget's charges, the number of the first that belongs to the latest exchange."""
        self._recorded_charges = 0
        """How many of the budget's charges are recorded."""

    @property
    def model(self) -> str:
        return str(self.shared.model or self.template.model or self.services.settings.text("model"))

    @property
    def store(self) -> Store:
        """Where turns are: the history, or memory for what lasts but is not to be recorded."""
        return (
            self.services.history if self.is_recorded or not self._lasting else self.services.memory_history
        )

    def exchange(
        self, given: Given, after: int | None = NEWEST, extra: Mapping[str, object] | None = None
    ) -> Outcome:
        """Ask, record and show. `extra` is kept with the record of the request."""
        base = self._invocation(given)
        form = self.services.format(self.template)
        runtime = self.services.runtime(form, base.model, self.budget, self.how.verbose)
        runtime = runtime._replace(stores=self.stores, warn=self.warn, accepts=self.shared.accept)
        self._first_charge = len(self.budget.charges)
        with self._alone():
            parent = self._newest() if after == NEWEST else after
            parent = self._begun() if parent is None else parent
            recorded = self.is_recorded
            try:
                return self._recorded(self._with_past(base, runtime, parent), runtime, parent, extra)
            except TooLongError as error:
                if parent is None or self._sent is None:
                    raise
                if recorded != self.is_recorded:  # the turns are in memory now, under other numbers
                    parent = next((turn.parent for turn in self.chain()), None)
                limit = error.limit or prompt_tokens(self._sent)
                invocation = self._with_past(base, runtime, parent, int(limit * SHRUNK))
                return self._recorded(invocation, runtime, parent, extra)

    def greeted(self, given: Given) -> Outcome | None:
        """Where nobody has said anything yet, the greeting is the answer, shown and recorded."""
        if self.greeting is None or given.text.strip() or given.wanted.strip() or self._newest() is not None:
            return None
        with self._alone():
            self._begun()
        outcome = Outcome(Reply(self.greeting.model_text, "stop"), self.greeting.user_text)
        facts = answer.Facts(session=self.session.id if self.session else None)
        answer.show(self.services.terminal, self.how, self._invocation(given), outcome, False, facts)
        return outcome

    def request(self, given: Given) -> tuple[Invocation, ChatRequest]:
        """What an exchange would send; sends nothing, so that turns that are too many are not summarised."""
        base = self._invocation(given)
        parent = self._newest()
        invocation = self._with_past(base, None, parent)
        runtime = self.services.dry_runtime(self.services.format(self.template))
        return invocation, first_request(
            invocation, runtime._replace(stores=self.stores), self.services.capabilities
        )

    def chain(self) -> Iterator[Turn]:
        """The turns of the conversation, the newest first."""
        newest = self._newest()
        return iter(()) if newest is None else self.store.chain(newest)

    def notes(self) -> Mapping[str, object]:
        """What capabilities kept last; before the first message, what they keep with the greeting."""
        if (newest := self._newest()) is not None:
            return self._kept(newest)
        return self.greeting.notes if self.greeting else {}

    def summary(self) -> Summary | None:
        newest = self._newest()
        return None if newest is None else self.store.summary(newest)

    def go_back(self, turn: int | None) -> None:
        """Make an earlier turn the newest one; what came after it is kept."""
        if self.session is not None:
            self.store.set_head(self.session.id, turn)

    def fork(self, name: str) -> Session:
        if self.session is None:
            self.session = self.store.create(name, self.template.name)
        else:
            self.session = self.store.fork(self.session.id, name)
        return self.session

    def tokens(self) -> int:
        """Of the latest request and its answer: the server's count, else an estimate."""
        charges = [charge for charge in self.budget.charges if charge.purpose == "answer"]
        return charges[-1].prompt_tokens + charges[-1].completion_tokens if charges else 0

    def cost(self, since: int = 0) -> tuple[float | None, bool]:
        """US dollars of the requests from the one of that number on, and whether they are a guess.

        None where a price is unknown.
        """
        charges = self.budget.charges[since:]
        costs = [self.services.prices.charge_cost(one)[0] for one in charges]
        known = [cost for cost in costs if cost is not None]
        return (sum(known) if len(known) == len(costs) else None), any(one.estimated for one in charges)

    @cached_property
    def stores(self) -> Mapping[str, object]:
        return self.services.capability_stores(self.template, keeping=not self.shared.no_log)

    def warn(self, text: str) -> None:
        if not self.how.quiet:
            self.services.terminal.print_error_line(f"gptkit: {text}")

    def _invocation(self, given: Given) -> Invocation:
        found = invocation(self.services, self.template, given, self.shared, self.how)
        return found._replace(system=self.system)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time works on a conversation, so that each turn knows the one before it."""
        if self.session is None or not self.is_recorded:
            yield
            return
        from gptkit.history.store import session_lock

        terminal, name = self.services.terminal, self.session.name or self.session.id
        until = terminal.monotonic() + PATIENCE
        told = False

        def wait() -> None:
            nonlocal told
            if terminal.monotonic() > until:
                raise TryAgainError(f"the conversation '{name}' is in use by another gptkit")
            if not told and terminal.monotonic() > until - PATIENCE + 1.0 and not self.how.quiet:
                told = True
                terminal.print_error_line(
                    f"gptkit: the conversation '{name}' is in use; waiting for its answer"
                )
            terminal.sleep(0.05)

        lock = session_lock(self.services.paths.data / "sessions", self.session.id, wait)
        with ExitStack() as stack:
            with suppress(CannotWriteError):  # the record of the exchange tells it
                stack.enter_context(lock)
            yield

    def _begun(self) -> int | None:
        """The turn of the greeting, with which a new conversation begins; None without one."""

        return turn(self, self.greeting) if self.greeting and (self.is_recorded or self._lasting) else None

    def _kept(self, newest: int) -> Mapping[str, object]:
        """Of the newest turn that has notes: one that failed keeps none."""
        return next((one.notes for one in islice(self.store.chain(newest), NOTED) if one.notes), {})

    def _newest(self) -> int | None:
        if self.session is None:
            return None
        self.session = self.store.find_session(self.session.id) or self.session
        return self.session.head

    def _with_past(
        self, base: Invocation, runtime: Runtime | None, parent: int | None, limit: int | None = None
    ) -> Invocation:
        """The invocation with what was said before, in at most `limit` tokens of the model's window."""
        if parent is None and self.greeting is not None:
            first = Message("assistant", self.greeting.model_text)
            base = base._replace(turns=(first,), notes=self.greeting.notes)
        elif parent is not None:
            from gptkit.exchange.context import StoredSummary, build_context, summarise_turns

            chain = self.store.chain(parent)
            found = self.store.summary(parent)
            kept = StoredSummary(found.last_turn, found.text) if found else None

            def room(wanted: int) -> int | None:
                most = limit or self.services.context_window(base.model, wanted)
                alone = prompt_tokens(
                    build_request(
                        prepare_invocation(base, self.stores, self.services.capabilities),
                        self.services.format(self.template),
                    )
                )
                if most is None:
                    return None
                return max(most - answer_tokens(base.parameters, most) - alone, most // 10)

            def summarise(before: str, older: Sequence[PastTurn], most: int) -> str:
                if runtime is None:
                    return before
                return summarise_turns(before, older, most, runtime, base.model)

            recalled = build_context(chain, kept, room, summarise)
            if recalled.new_summary is not None:
                with suppress(GptkitError):  # a full disk: it is made again the next time
                    self.store.add_summary(
                        recalled.new_summary.last_turn, recalled.new_summary.text, base.model
                    )
            notes = self._kept(parent) if self.template.capabilities else {}
            base = base._replace(turns=recalled.turns, summary=recalled.summary, notes=notes)
        return prepare_invocation(base, self.stores, self.services.capabilities)

    def _recorded(
        self, invocation: Invocation, runtime: Runtime, parent: int | None, extra: Mapping[str, object] | None
    ) -> Outcome:
        services, how = self.services, self.how
        self._sent = build_request(invocation, runtime.format)
        sink = answer.sink(services.terminal, how, runtime.format, services.settings.boolean("markdown"))
        record = self.recording(invocation, self._sent, parent, extra)
        record.first_charge = self._recorded_charges  # with those of a summary of earlier turns
        try:
            with record:
                try:
                    runtime = runtime._replace(record_answer=record.settle)
                    heard = record.listening(sink)
                    outcome = run(invocation, self._sent, runtime, heard, services.capabilities)
                finally:
                    if sink is not None:
                        sink.close()
                record.finish(outcome)
        finally:
            self._recorded_charges = len(self.budget.charges)
            if self._lasting and record.turn is not None:
                self.session = self.store.session_of_turn(record.turn)
        answer.show(services.terminal, how, invocation, outcome, sink is not None, self._facts(record))
        return outcome

    def _facts(self, record: Record) -> answer.Facts:
        """Looked up only for who wants to see it."""
        if not (self.how.as_json or self.how.verbose):
            return answer.Facts()
        session = self.store.session_of_turn(record.turn) if record.turn is not None else None
        first = self._first_charge
        charges = self.budget.charges[first:]
        return answer.Facts(*self.cost(first), session.id if session else None, charges)

    @property
    def keeper(self) -> Keeper:
        return Keeper(self.services, self.budget, self.how.quiet, lambda: self.store)

    def recording(
        self,
        invocation: Invocation,
        sent: ChatRequest,
        parent: int | None,
        extra: Mapping[str, object] | None,
    ) -> Record:
        """The record of an exchange that is about to begin, to be entered as a context."""
        keeping = self.is_recorded or self._lasting
        session = self.session.id if self.session else None
        found = opening(self.services, invocation, sent, session, parent) if keeping else None
        if found is not None and extra:
            found = found._replace(request={**found.request, **extra})
        begin = self.services.journal if self.is_recorded else None
        return Record(self.keeper, found, begin, self._moved if self._lasting and begin else None)

    def _moved(self, opening: Opening) -> Opening:
        """What cannot be recorded is remembered."""

        source, self.is_recorded = self.store, False
        return carried_over(source, self.store, opening)


def carried_over(source: Store, scratch: Store, opening: Opening) -> Opening:
    """The opening as the next turn of a copy, in `scratch`, of the conversation that it goes on with."""
    turns, summary = [], None
    try:
        summary = source.summary(opening.parent)
        for turn in source.chain(opening.parent):
            turns.append(turn)
            if summary is not None and turn.id == summary.last_turn:
                break
    except GptkitError:  # what can still be read is remembered
        summary = None
    session, parent = scratch.create("", opening.prompt), None
    for turn in reversed(turns):
        parent = scratch.finish(*_repeated(turn, session.id, parent))
        if summary is not None and turn.id == summary.last_turn:
            scratch.add_summary(parent, summary.text, summary.model)
    return opening._replace(session=session.id, parent=parent)


def _repeated(turn: Turn, session: str, parent: int | None) -> tuple[Opening, Ending]:
    opening = Opening(
        id=new_opening_id(),
        session=session,
        parent=parent,
        prompt=turn.prompt,
        model=turn.model,
        system=turn.system,
        user=turn.user,
        request=turn.request,
        started=turn.started,
    )
    return opening, Ending(turn.state, turn.answer, reason=turn.reason, cause=turn.cause, notes=turn.notes)


def turn(conversation: Conversation, greeting: Greeting) -> int | None:
    """The turn, with which the session begins if there is none yet; None where it cannot be kept."""
    try:
        return _turn(conversation, greeting)
    except GptkitError as error:
        conversation.warn(f"the greeting is not recorded: {error.message}")
        return None


def _turn(conversation: Conversation, greeting: Greeting) -> int:
    opening = Opening(
        id=new_opening_id(),
        session=conversation.session.id if conversation.session else None,
        parent=None,
        prompt=conversation.template.name,
        model=conversation.model,
        system="",
        user="",
        request={"words": ""},
        started=conversation.services.terminal.unix_time(),
    )
    store = conversation.store
    number = store.finish(opening, Ending("ok", greeting.model_text, reason="stop", notes=greeting.notes))
    stored = store.turn(number)
    conversation.session = store.find_session(stored.session) if stored else None
    return number
