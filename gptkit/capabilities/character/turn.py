"""Run one turn of a character: the answer, with throws of dice, and the change of the world."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from gptkit.capabilities.character.config import KEY
from gptkit.capabilities.character.context import played_character
from gptkit.capabilities.character.macros import Dice
from gptkit.capabilities.character.state import CharacterState, restore_state, state_notes, update_world
from gptkit.core.chat import AnswerDelta, Finished
from gptkit.core.errors import GptkitError, IncompleteError, UsageError
from gptkit.exchange.ask import ask, combine_replies, request_answer
from gptkit.exchange.invocation import build_request, render_messages

if TYPE_CHECKING:
    from gptkit.capabilities.character.card import Variable
    from gptkit.capabilities.character.library import CardLibrary
    from gptkit.capabilities.character.macros import Roll
    from gptkit.core.chat import ChatRequest, Event, Sink
    from gptkit.exchange.invocation import Invocation, Outcome, Runtime


MAX_THROWS = 3
"""Throws of dice in one turn."""
GO_ON = (
    "(The program threw the dice: {}. Go on from there with what this result means. Do not repeat what you "
    "have written.{})"
)
NO_MORE = " No more dice in this turn."
_BEGINNING = "[roll "
_LINE = re.compile(r"\s*\[roll\s+([^\[\]\n=]{1,60})\]\s*", re.IGNORECASE)


def answer_with_dice(invocation: Invocation, runtime: Runtime, sink: Sink | None, dice: Dice) -> Outcome:
    """Return an answer with the results of the throws it asked for.

    What the model made up behind a line that asks for dice is dropped, and the model goes on from the result.
    """
    first = build_request(invocation, runtime.format)
    dice_filter = _DiceFilter(sink)
    outcome = _send(first, runtime, dice_filter)
    results: list[str] = []
    while dice_filter.requested and (outcome.failure is None or isinstance(outcome.failure, IncompleteError)):
        roll = dice.roll(dice_filter.requested)
        results.append(roll.text)
        last = len(results) == MAX_THROWS
        dice_filter.go_on(f"[roll {roll.text}]\n\n", last)
        try:
            part = _send(_continuation(first, dice_filter.text, roll, last), runtime, dice_filter)
        except GptkitError as error:
            error.partial = True
            outcome = outcome._replace(failure=error)
            break
        outcome = part._replace(reply=combine_replies(outcome.reply, part.reply))
    dice_filter.end()
    text = dice_filter.text
    facts = {"rolls": results} if results else {}
    return outcome._replace(reply=outcome.reply._replace(text=text), answer=text, json_fields=facts)


def requested_roll(line: str) -> str:
    """Return the throw that a line asks for; empty if it asks for none."""
    match = _LINE.fullmatch(line)
    if not match:
        return ""
    try:
        Dice(0).roll(match[1])
    except UsageError:
        return ""
    return match[1]


def _send(request: ChatRequest, runtime: Runtime, dice_filter: _DiceFilter) -> Outcome:
    """Send a request through the filter; without a sink the whole answer is filtered at the end."""
    if dice_filter.shows:
        outcome = request_answer(request, runtime, dice_filter, exact=True)
    else:
        outcome = request_answer(request, runtime, None, exact=True)
        dice_filter(AnswerDelta(outcome.answer))
    dice_filter.settle()
    return outcome


def _continuation(first: ChatRequest, so_far: str, roll: Roll, last: bool) -> ChatRequest:
    prompt = GO_ON.format(roll.text, NO_MORE if last else "")
    return first.with_turn(so_far.rstrip(), prompt)


class _DiceFilter:
    """A sink that passes an answer on up to the line that asks for dice; `text` is what was passed on."""

    def __init__(self, sink: Sink | None) -> None:
        self.requested = ""
        self._sink = sink
        self._passed: list[str] = []
        self._line = ""
        self._pending = ""
        self._ignores_requests = self._at_start = False
        self._end: Finished | None = None

    @property
    def text(self) -> str:
        return "".join(self._passed)

    @property
    def shows(self) -> bool:
        """Whether somebody sees the answer while it arrives."""
        return self._sink is not None

    def __call__(self, event: Event) -> None:
        if isinstance(event, AnswerDelta):
            self._take(event.text)
        elif isinstance(event, Finished):
            self._end = event
        elif self._sink is not None:
            self._sink(event)

    def close(self) -> None:
        """Do nothing: the owner of the sink closes it."""

    def settle(self) -> None:
        """Decide about the last line once the request is over."""
        line, self._pending = self._pending, ""
        if line and not self.requested:
            self.requested = "" if self._ignores_requests else requested_roll(line)
            if not self.requested:
                self._pass_on(line)

    def go_on(self, result: str, last: bool) -> None:
        """Pass on a result and expect the continuation; after the last throw no line asks for dice."""
        before = "" if not self._passed or self._line == "" else "\n"
        self._pass_on(before + result)
        self.requested, self._ignores_requests, self._at_start, self._end = "", last, True, None

    def end(self) -> None:
        if self._sink is not None and self._end is not None:
            self._sink(self._end)

    def _take(self, text: str) -> None:
        if self.requested:
            return
        if self._at_start:
            text = text.lstrip("\n")
            self._at_start = not text
        for piece in re.split(r"(?<=\n)", text):
            self._pending += piece
            if self._may_ask_for_dice():
                continue
            line, self._pending = self._pending, ""
            self.requested = "" if self._ignores_requests or self._line else requested_roll(line)
            if self.requested:
                return
            self._pass_on(line)

    def _may_ask_for_dice(self) -> bool:
        """Whether the incomplete line may still become one that asks for dice."""
        if self._ignores_requests or self._line or self._pending.endswith("\n"):
            return not self._pending
        beginning = self._pending.lstrip().lower()
        return _BEGINNING.startswith(beginning[: len(_BEGINNING)]) and len(beginning) < 100

    def _pass_on(self, text: str) -> None:
        if text:
            self._passed.append(text)
            self._line = (self._line + text).rpartition("\n")[2]
            if self._sink is not None:
                self._sink(AnswerDelta(text))


def run_turn(invocation: Invocation, runtime: Runtime, sink: Sink | None) -> Outcome:
    """Return the answer; its notes hold the state of the character afterwards."""
    for notice in cast("tuple[str, ...]", invocation.extras.get("left_out", ())):
        runtime.notice(notice)
    character = played_character(
        invocation.template, invocation.values, cast("CardLibrary", runtime.stores[KEY]).card
    )
    if character.is_plain:
        return ask(invocation, runtime, sink)
    state = restore_state(invocation.notes, invocation.values, character.variables)
    if character.dice and runtime.format.streams:
        outcome = answer_with_dice(invocation, runtime, sink, state.dice)
    else:
        outcome = ask(invocation, runtime, sink)
    state = state._replace(answers=state.answers + 1, refused="")
    if character.variables and outcome.failure is None:
        unchanged = state._replace(refused="interrupted")
        runtime.record_answer(outcome._replace(notes={**outcome.notes, **state_notes(unchanged)}))
        state = _state_after(invocation, runtime, state, character.variables, outcome.answer)
    facts = {**outcome.json_fields, **({"state": dict(state.world)} if character.variables else {})}
    return outcome._replace(notes={**outcome.notes, **state_notes(state)}, json_fields=facts)


def _state_after(
    invocation: Invocation,
    runtime: Runtime,
    before: CharacterState,
    variables: tuple[Variable, ...],
    answer: str,
) -> CharacterState:
    player = next(
        (message.content for message in render_messages(invocation)[-1:] if message.role == "user"), ""
    )
    world, fault = update_world((player, answer), before.world, variables, runtime, invocation.model)
    if fault:
        runtime.warn(f"the state of the world was not changed: {fault}")
    return before._replace(world=world, refused=fault)
