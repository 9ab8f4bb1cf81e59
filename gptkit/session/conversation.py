"""Run and record the exchanges of a conversation; every command that asks a model does so through here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from gptkit.core.activity import ActivityLine, describe_request
from gptkit.core.chat import OWN_PARAMETERS, STREAM_OPTIONS, Message, Reply
from gptkit.core.errors import CannotWriteError, GptkitError, TooLongError, TryAgainError, UsageError
from gptkit.core.yaml_tree import parse_value
from gptkit.exchange.ask import schema_instruction
from gptkit.exchange.budget import answer_tokens, prompt_tokens
from gptkit.exchange.capability import first_request, prepare_invocation, run
from gptkit.exchange.invocation import Invocation, Outcome, Runtime, build_request, check_attached
from gptkit.history.model import Ending, Opening, new_opening_id
from gptkit.session import answer
from gptkit.session.answer import DisplayOptions
from gptkit.session.clipboard import copy_answer
from gptkit.session.input import PromptInput, machine_variables
from gptkit.session.record import ExchangeRecord, RecordContext, make_opening, with_kept_system
from gptkit.templates.template import Template

if TYPE_CHECKING:
    from gptkit.core.chat import ChatRequest
    from gptkit.exchange.capability import Greeting
    from gptkit.exchange.context import PastTurn
    from gptkit.history.model import Opening, Session, Summary, Turn
    from gptkit.history.store import Store
    from gptkit.services import Services
    from gptkit.session.input import PromptInput
    from gptkit.session.options import SharedOptions


def make_invocation(
    services: Services,
    template: Template,
    prompt_input: PromptInput,
    shared: SharedOptions,
    display: DisplayOptions,
) -> Invocation:
    model = services.model_name(shared.model, template.model)
    command_parameters = _command_line_parameters(services, model, shared)
    settings_parameters = {
        name: value for name, value in services.parameters(model).items() if name not in template.parameters
    }
    stream = services.settings.boolean("stream") and not (shared.no_stream or display.response)
    needs_usage = shared.max_cost is not None or services.settings.value("monthly_limit") is not None
    if stream and (display.verbose or display.as_json or needs_usage):
        settings_parameters.setdefault(STREAM_OPTIONS, {"include_usage": True})
    return Invocation(
        template=template,
        model=model,
        text=prompt_input.text,
        request=prompt_input.request,
        files=prompt_input.files,
        attachments=prompt_input.attachments,
        values=prompt_input.values,
        parameters={**settings_parameters, **command_parameters},
        droppable=frozenset(settings_parameters) - frozenset(command_parameters),
        stream=stream,
        exact=display.raw,
        extras=machine_variables(services.terminal.environ),
        instruction=schema_instruction(template.schema) if shared.schema and template.schema else "",
    )


def _command_line_parameters(services: Services, model: str, shared: SharedOptions) -> dict[str, object]:
    """Return the API parameters of the command line, which are never dropped."""
    parameters: dict[str, object] = {}
    if shared.temperature is not None:
        parameters["temperature"] = shared.temperature
    if shared.max_tokens is not None:
        parameters[services.token_limit_name(model)] = shared.max_tokens
    if shared.effort is not None:
        parameters["reasoning_effort"] = shared.effort
    for item in shared.param:
        name, equals, value = item.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"--param takes KEY=VALUE, this is '{item}'")
        if name in OWN_PARAMETERS:
            raise UsageError(f"--param {name}: gptkit sets it itself")
        parameters[name] = parse_value(value)
    return parameters


REDUCED_WINDOW = 0.6
"""The part of the window to use after the server called a request too long, since our estimate was too
low."""
NOTE_TURNS = 64
"""The most turns that are searched for the notes of capabilities."""
LOCK_TIMEOUT = 600.0
"""Seconds to wait for another process that works on the same conversation."""


NEWEST = -1
"""Stands for the turn that is the newest when the request is made."""


class Conversation:
    """A prompt, a session and a budget, which exchanges have in common.

    Without a session every exchange begins its own. A `lasting` conversation continues the session that its
    first exchange began; if nothing is recorded, that session is kept in memory.
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
        self.display = answer.display_options(shared)
        self.session = session
        self.system: str | None = None
        self.greeting: Greeting | None = None
        self.budget = services.budget(shared.max_requests, shared.max_cost)
        self._is_lasting = lasting
        self.is_recorded = not shared.no_log and services.settings.boolean("log")
        self._last_request: ChatRequest | None = None
        self._first_charge = 0
        """Of the budget's charges, the number of the first that belongs to the latest exchange."""
        self._recorded_charges = 0
        """How many of the budget's charges are recorded."""

    @property
    def model(self) -> str:
        return self.services.model_name(self.shared.model, self.template.model)

    @property
    def store(self) -> Store:
        """The store of the turns: the history, or memory for a lasting conversation that is not recorded."""
        return (
            self.services.history
            if self.is_recorded or not self._is_lasting
            else self.services.memory_history
        )

    def exchange(
        self, prompt_input: PromptInput, after: int | None = NEWEST, extra: Mapping[str, object] | None = None
    ) -> Outcome:
        """Ask the model, record the exchange and show the answer.

        The turn `after` is the one that the new turn follows; None begins a conversation. `extra` is stored
        with the record of the request.
        """
        base = self._make_invocation(prompt_input)
        format_ = self.services.format(self.template)
        runtime = self.services.runtime(format_, base.model, self.budget, self.display.verbose)
        runtime = runtime._replace(
            stores=self.stores, warn=self.warn, accepts=self.shared.accept, nothing=self.template.nothing
        )
        self._first_charge = len(self.budget.charges)
        with self._lock_session():
            parent = self._newest_turn() if after == NEWEST else after
            parent = self._greeting_turn() if parent is None else parent
            was_recorded = self.is_recorded
            try:
                return self._run_recorded(self._with_context(base, runtime, parent), runtime, parent, extra)
            except TooLongError as error:
                if parent is None or self._last_request is None:
                    raise
                if was_recorded != self.is_recorded:  # the turns are in memory now, under other numbers
                    parent = next((turn.parent for turn in self.turns()), None)
                limit = error.limit or prompt_tokens(self._last_request)
                invocation = self._with_context(base, runtime, parent, int(limit * REDUCED_WINDOW))
                return self._run_recorded(invocation, runtime, parent, extra)

    def answer_with_greeting(self, prompt_input: PromptInput) -> Outcome | None:
        """Show and record the greeting as the answer; returns None if there is input, an earlier turn or no
        greeting."""
        if (
            self.greeting is None
            or prompt_input.text.strip()
            or prompt_input.request.strip()
            or self._newest_turn() is not None
        ):
            return None
        with self._lock_session():
            self._greeting_turn()
        outcome = Outcome(Reply(self.greeting.model_text, "stop"), self.greeting.user_text)
        facts = answer.AnswerFacts(session=self.session.id if self.session else None)
        answer.show_answer(
            self.services.terminal, self.display, self._make_invocation(prompt_input), outcome, False, facts
        )
        return outcome

    def next_request(self, prompt_input: PromptInput) -> tuple[Invocation, ChatRequest]:
        """Return what an exchange would send; sends nothing, not even the request for a summary of old
        turns."""
        base = self._make_invocation(prompt_input)
        parent = self._newest_turn()
        invocation = self._with_context(base, None, parent)
        runtime = self.services.dry_runtime(self.services.format(self.template))
        return invocation, first_request(
            invocation, runtime._replace(stores=self.stores), self.services.capabilities
        )

    def turns(self) -> Iterator[Turn]:
        """Yield the turns of the conversation, the newest first."""
        newest = self._newest_turn()
        return iter(()) if newest is None else self.store.chain(newest)

    def notes(self) -> Mapping[str, object]:
        """Return the latest notes of capabilities; before the first message, those of the greeting."""
        if (newest := self._newest_turn()) is not None:
            return self._latest_notes(newest)
        return self.greeting.notes if self.greeting else {}

    def summary(self) -> Summary | None:
        newest = self._newest_turn()
        return None if newest is None else self.store.summary(newest)

    def go_back(self, turn: int | None) -> None:
        """Make an earlier turn the newest one; the turns after it stay in the store."""
        if self.session is not None:
            self.store.set_head(self.session.id, turn)

    def fork(self, name: str) -> Session:
        if self.session is None:
            self.session = self.store.create(name, self.template.name)
        else:
            self.session = self.store.fork(self.session.id, name)
        return self.session

    def token_count(self) -> int:
        """Return the tokens of the latest request and its answer: the server's count, else an estimate."""
        charges = [charge for charge in self.budget.charges if charge.purpose == "answer"]
        return charges[-1].prompt_tokens + charges[-1].completion_tokens if charges else 0

    def cost(self, since: int = 0) -> tuple[float | None, bool]:
        """Return the cost in US dollars of the requests from number `since` on, and whether it is an
        estimate.

        The cost is None if a price is unknown; without a request, if that of the model is.
        """
        charges = self.budget.charges[since:]
        if not charges:
            return self.services.prices.cost(self.model, 0, 0), False
        costs = [self.services.prices.charge_cost(charge)[0] for charge in charges]
        known = [cost for cost in costs if cost is not None]
        return (sum(known) if len(known) == len(costs) else None), any(charge.estimated for charge in charges)

    @cached_property
    def stores(self) -> Mapping[str, object]:
        return self.services.capability_stores(self.template, keeping=not self.shared.no_log)

    def warn(self, text: str) -> None:
        if not self.display.quiet:
            self.services.terminal.print_error_line(f"gptkit: {text}")

    def _make_invocation(self, prompt_input: PromptInput) -> Invocation:
        invocation = make_invocation(self.services, self.template, prompt_input, self.shared, self.display)
        return invocation._replace(system=self.system)

    @contextmanager
    def _lock_session(self) -> Iterator[None]:
        """Lock the session, so that each turn follows the one before; waits for other processes."""
        if self.session is None or not self.is_recorded:
            yield
            return
        from gptkit.history.store import session_lock

        terminal, name = self.services.terminal, self.session.name or self.session.id
        until = terminal.monotonic() + LOCK_TIMEOUT
        has_told = False

        def wait() -> None:
            nonlocal has_told
            if terminal.monotonic() > until:
                raise TryAgainError(f"the conversation '{name}' is in use by another gptkit")
            if not has_told and terminal.monotonic() > until - LOCK_TIMEOUT + 1.0 and not self.display.quiet:
                has_told = True
                terminal.print_error_line(
                    f"gptkit: the conversation '{name}' is in use; waiting for its answer"
                )
            terminal.sleep(0.05)

        lock = session_lock(self.services.paths.data / "sessions", self.session.id, wait)
        with ExitStack() as stack:
            with suppress(CannotWriteError):  # the record of the exchange tells it
                stack.enter_context(lock)
            yield

    def _greeting_turn(self) -> int | None:
        """Store the turn of the greeting, with which a new conversation begins; returns None without one."""
        if self.greeting is None or not (self.is_recorded or self._is_lasting):
            return None
        return store_greeting(self, self.greeting)

    def _latest_notes(self, newest: int) -> Mapping[str, object]:
        """Return the notes of the newest turn that has any; a turn that failed has none."""
        return next((turn.notes for turn in islice(self.store.chain(newest), NOTE_TURNS) if turn.notes), {})

    def _newest_turn(self) -> int | None:
        if self.session is None:
            return None
        self.session = self.store.find_session(self.session.id) or self.session
        return self.session.head

    def _with_context(
        self, base: Invocation, runtime: Runtime | None, parent: int | None, limit: int | None = None
    ) -> Invocation:
        """Add the earlier turns to an invocation, so that it fits `limit` tokens or the model's window.

        Without a `runtime` no summary is asked for.
        """
        if parent is None and self.greeting is not None:
            first = Message("assistant", self.greeting.model_text)
            base = base._replace(turns=(first,), notes=self.greeting.notes)
        elif parent is not None:
            from gptkit.exchange.context import StoredSummary, build_context, summarise_turns

            base = with_kept_system(base, self.store.turn(parent))
            chain = self.store.chain(parent)
            summary = self.store.summary(parent)
            stored_summary = StoredSummary(summary.last_turn, summary.text) if summary else None

            def summarise(before: str, older: Sequence[PastTurn], token_limit: int) -> str:
                if runtime is None:
                    return before
                return summarise_turns(before, older, token_limit, runtime, base.model)

            context = build_context(
                chain, stored_summary, lambda wanted: self._token_budget(base, limit, wanted), summarise
            )
            if context.new_summary is not None:
                with suppress(GptkitError):  # a full disk: it is made again the next time
                    self.store.add_summary(
                        context.new_summary.last_turn, context.new_summary.text, base.model
                    )
            notes = self._latest_notes(parent) if self.template.capabilities else {}
            turns = context.turns
            if any(message.attachments for message in turns):
                from gptkit.session.attachments import reload_attachments

                turns = reload_attachments(turns, self.services.terminal, self.warn)
            base = base._replace(turns=turns, summary=context.summary, notes=notes)
        return prepare_invocation(base, self.stores, self.services.capabilities)

    def _token_budget(self, base: Invocation, limit: int | None, wanted: int) -> int | None:
        """Return how many tokens earlier turns may have beside an invocation; None if the window is not
        known."""
        window = limit or self.services.context_window(base.model, wanted)
        prepared = prepare_invocation(base, self.stores, self.services.capabilities)
        own_tokens = prompt_tokens(build_request(prepared, self.services.format(self.template)))
        if window is None:
            return None
        return max(window - answer_tokens(base.parameters, window) - own_tokens, window // 10)

    def _run_recorded(
        self, invocation: Invocation, runtime: Runtime, parent: int | None, extra: Mapping[str, object] | None
    ) -> Outcome:
        check_attached(invocation)
        services, display = self.services, self.display
        self._last_request = build_request(invocation, runtime.format)
        sink = answer.make_sink(
            services.terminal, display, runtime.format, services.settings.boolean("markdown")
        )
        record = self.make_record(invocation, self._last_request, parent, extra)
        record.first_charge = self._recorded_charges  # with those of a summary of earlier turns
        try:
            with record:
                activity = ActivityLine(services.terminal, is_quiet=display.quiet)
                activity.start(describe_request(invocation.model))
                try:
                    runtime = runtime._replace(
                        record_answer=record.record_answer, announce_pause=activity.announce_pause
                    )
                    recording_sink = record.recording_sink(sink)
                    outcome = run(
                        invocation, self._last_request, runtime, recording_sink, services.capabilities
                    )
                finally:
                    activity.stop()
                    if sink is not None:
                        sink.close()
                record.finish(outcome)
        finally:
            self._recorded_charges = len(self.budget.charges)
            if self._is_lasting and record.turn is not None:
                self.session = self.store.session_of_turn(record.turn)
        answer.show_answer(
            services.terminal, display, invocation, outcome, sink is not None, self._facts(record)
        )
        if outcome.failure is None:
            copy_answer(services, self.shared, outcome.answer)
        return outcome

    def _facts(self, record: ExchangeRecord) -> answer.AnswerFacts:
        """Return the facts that `--json` and `--verbose` show; they are looked up for these alone."""
        if not (self.display.as_json or self.display.verbose):
            return answer.AnswerFacts()
        session = self.store.session_of_turn(record.turn) if record.turn is not None else None
        first = self._first_charge
        charges = self.budget.charges[first:]
        return answer.AnswerFacts(*self.cost(first), session.id if session else None, charges)

    @property
    def record_context(self) -> RecordContext:
        return RecordContext(self.services, self.budget, self.display.quiet, lambda: self.store)

    def make_record(
        self,
        invocation: Invocation,
        request: ChatRequest,
        parent: int | None,
        extra: Mapping[str, object] | None,
    ) -> ExchangeRecord:
        """Make the record of an exchange that is about to begin, a context manager."""
        is_kept = self.is_recorded or self._is_lasting
        session = self.session.id if self.session else None
        opening = make_opening(self.services, invocation, request, session, parent) if is_kept else None
        if opening is not None and extra:
            opening = opening._replace(request={**opening.request, **extra})
        begin = self.services.journal if self.is_recorded else None
        return ExchangeRecord(
            self.record_context, opening, begin, self._move_to_memory if self._is_lasting and begin else None
        )

    def _move_to_memory(self, opening: Opening) -> Opening:
        """Continue the conversation in memory, since the history cannot be written."""
        source, self.is_recorded = self.store, False
        return copy_conversation(source, self.store, opening)


def copy_conversation(source: Store, scratch: Store, opening: Opening) -> Opening:
    """Copy the conversation that an opening continues into `scratch`; returns the opening for the copy."""
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
        parent = scratch.finish(*_copy_turn(turn, session.id, parent))
        if summary is not None and turn.id == summary.last_turn:
            scratch.add_summary(parent, summary.text, summary.model)
    return opening._replace(session=session.id, parent=parent)


def _copy_turn(turn: Turn, session: str, parent: int | None) -> tuple[Opening, Ending]:
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


def store_greeting(conversation: Conversation, greeting: Greeting) -> int | None:
    """Store a greeting as the first turn, with a session if there is none; returns None if that fails."""
    try:
        return _store_greeting(conversation, greeting)
    except GptkitError as error:
        conversation.warn(f"the greeting is not recorded: {error.message}")
        return None


def _store_greeting(conversation: Conversation, greeting: Greeting) -> int:
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
