"""One turn of a character: the answer with its dice, and what it has changed in the world."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from gptkit.capabilities.character.config import KEY
from gptkit.capabilities.character.context import played_character
from gptkit.capabilities.character.macros import Dice
from gptkit.capabilities.character.state import CharacterState, restore_state, state_notes, update_world
from gptkit.core.chat import AnswerDelta, Finished, Message
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
"""Throws in one turn."""
GO_ON = (
    "(The program threw the dice: {}. Go on from there with what this result means. Do not repeat what you "
    "have written.{})"
)
NO_MORE = " No more dice in this turn."
_BEGINNING = "[roll "
_LINE = re.compile(r"\s*\[roll\s+([^\[\]\n=]{1,60})\]\s*", re.IGNORECASE)


def answer_with_dice(invocation: Invocation, runtime: Runtime, sink: Sink | None, dice: Dice) -> Outcome:
    """The answer with the results of its throws, without what the model made up after asking for one."""
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
    """The throw that a line asks for; empty if it asks for none."""
    found = _LINE.fullmatch(line)
    if not found:
        return ""
    try:
        Dice(0).roll(found[1])
    except UsageError:
        return ""
    return found[1]


def _send(sent: ChatRequest, runtime: Runtime, dice_filter: _DiceFilter) -> Outcome:
    """Without a sink the text is looked at when it is whole: one that was cut is asked for again."""
    if dice_filter.shows:
        outcome = request_answer(sent, runtime, dice_filter, exact=True)
    else:
        outcome = request_answer(sent, runtime, None, exact=True)
        dice_filter(AnswerDelta(outcome.answer))
    dice_filter.settle()
    return outcome


def _continuation(first: ChatRequest, so_far: str, roll: Roll, last: bool) -> ChatRequest:
    told = GO_ON.format(roll.text, NO_MORE if last else "")
    return first._replace(
        messages=(*first.messages, Message("assistant", so_far.rstrip()), Message("user", told))
    )


class _DiceFilter:
    """Lets an answer through up to the line that asks for dice; `text` is what went through."""

    def __init__(self, sink: Sink | None) -> None:
        self.requested = ""
        self._sink = sink
        self._passed: list[str] = []
        self._line = ""
        self._held = ""
        self._deaf = self._fresh = False
        self._end: Finished | None = None

    @property
    def text(self) -> str:
        return "".join(self._passed)

    @property
    def shows(self) -> bool:
        return self._sink is not None

    def __call__(self, event: Event) -> None:
        if isinstance(event, AnswerDelta):
            self._take(event.text)
        elif isinstance(event, Finished):
            self._end = event
        elif self._sink is not None:
            self._sink(event)

    def close(self) -> None:
        """Whoever made the sink closes it."""

    def settle(self) -> None:
        """The request is over: so is its last line."""
        held, self._held = self._held, ""
        if held and not self.requested:
            self.requested = "" if self._deaf else requested_roll(held)
            if not self.requested:
                self._pass(held)

    def go_on(self, result: str, last: bool) -> None:
        """Show a result and listen to what follows; after the last throw nothing counts as asking."""
        before = "" if not self._passed or self._line == "" else "\n"
        self._pass(before + result)
        self.requested, self._deaf, self._fresh, self._end = "", last, True, None

    def end(self) -> None:
        if self._sink is not None and self._end is not None:
            self._sink(self._end)

    def _take(self, text: str) -> None:
        if self.requested:
            return
        if self._fresh:
            text = text.lstrip("\n")
            self._fresh = not text
        for piece in re.split(r"(?<=\n)", text):
            self._held += piece
            if self._is_open():
                continue
            held, self._held = self._held, ""
            self.requested = "" if self._deaf or self._line else requested_roll(held)
            if self.requested:
                return
            self._pass(held)

    def _is_open(self) -> bool:
        """What has come of this line may still become one that asks for dice."""
        if self._deaf or self._line or self._held.endswith("\n"):
            return not self._held
        begun = self._held.lstrip().lower()
        return _BEGINNING.startswith(begun[: len(_BEGINNING)]) and len(begun) < 100

    def _pass(self, text: str) -> None:
        if text:
            self._passed.append(text)
            self._line = (self._line + text).rpartition("\n")[2]
            if self._sink is not None:
                self._sink(AnswerDelta(text))


def run_turn(invocation: Invocation, runtime: Runtime, sink: Sink | None) -> Outcome:
    """The answer; its notes hold the world after it."""
    for left in cast("tuple[str, ...]", invocation.extras.get("left_out", ())):
        runtime.notice(left)
    who = played_character(
        invocation.template, invocation.values, cast("CardLibrary", runtime.stores[KEY]).card
    )
    if who.is_plain:
        return ask(invocation, runtime, sink)
    kept = restore_state(invocation.notes, invocation.values, who.variables)
    if who.dice and runtime.format.streams:
        outcome = answer_with_dice(invocation, runtime, sink, kept.dice)
    else:
        outcome = ask(invocation, runtime, sink)
    kept = kept._replace(answers=kept.answers + 1, refused="")
    if who.variables and outcome.failure is None:
        unchanged = kept._replace(refused="interrupted")
        runtime.record_answer(outcome._replace(notes={**outcome.notes, **state_notes(unchanged)}))
        kept = _update_world(invocation, runtime, kept, who.variables, outcome.answer)
    facts = {**outcome.json_fields, **({"state": dict(kept.state)} if who.variables else {})}
    return outcome._replace(notes={**outcome.notes, **state_notes(kept)}, json_fields=facts)


def _update_world(
    invocation: Invocation,
    runtime: Runtime,
    kept: CharacterState,
    variables: tuple[Variable, ...],
    answer: str,
) -> CharacterState:
    said = next((one.content for one in render_messages(invocation)[-1:] if one.role == "user"), "")
    state, fault = update_world((said, answer), kept.state, variables, runtime, invocation.model)
    if fault:
        runtime.warn(f"the world stays as it was: {fault}")
    return kept._replace(state=state, refused=fault)
