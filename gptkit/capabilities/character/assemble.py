"""What a card and a conversation put into a request: system text, examples, messages at a depth."""

from __future__ import annotations

import re
from typing import NamedTuple

from gptkit.capabilities.character import macros
from gptkit.capabilities.character.card import Book, Card
from gptkit.capabilities.character.lorebook import Active, Estimate, Scene, Selection, selection
from gptkit.capabilities.character.macros import Dice, Use, Words
from gptkit.core.chat import Message, Role

SYSTEM = (
    "Write {{char}}'s next reply in a conversation between {{char}} and {{user}}. "
    "Stay in character; never speak or act for {{user}}."
)
BOOK_SHARE = 4  # a book without a budget of its own gets a quarter of the room
EXAMPLES_SAID = (
    "The first {count} messages of the conversation are examples of how {name} speaks and behaves. "
    "They did not happen; the conversation itself begins after them."
)
_START = re.compile(r"<START>", re.IGNORECASE)
_UNREAD = 3
"""Keys that match nothing and are named; more help nobody."""
_LIST = 4  # tokens that a message costs beside its text


class Play(NamedTuple):
    """What stands around the card: who plays, what gptkit would say by itself, and how much fits.

    `room` is in tokens, for the whole prompt with the messages of the scene. `system` and
    `post_history` are what `{{original}}` stands for, and what is sent for a card without its own.
    """

    user: str
    dice: Dice
    scene: Scene = Scene()
    room: int = 8192
    system: str = SYSTEM
    post_history: str = ""


class Assembly(NamedTuple):
    """The parts of a request. `injected` counts as `Invocation.injected` does: 0 is right after the
    newest message of the user; the last of them are the post-history instructions, if there are any.

    `matched` belongs into the scene of the next turn. `tokens` is an estimate of all of this, without
    the messages of the scene. `left_out` says in words what found no room, and which keys match nothing.
    """

    system: str
    examples: tuple[Message, ...]
    injected: tuple[tuple[int, Message], ...]
    matched: frozenset[int]
    tokens: int
    left_out: tuple[str, ...] = ()


def assembly(card: Card, play: Play, estimate: Estimate) -> Assembly:
    """The card as the model is to see it on this turn."""
    words = _words(card, play)
    chosen = selection(
        card.book or Book(), play.scene, words, estimate, _book_room(card, play, estimate, words)
    )
    disabled = {prompt for one in chosen.active for prompt in one.rules.disabled}
    system = _system(card, chosen.active, words, "" if "system_prompt" in disabled else play.system)
    post = "" if "post_history_instructions" in disabled else play.post_history
    injected = [_injection(one) for one in chosen.active if _is_injected(one)]
    if after := _instructions(card.post_history, words, post):
        injected.append((0, Message("system", after)))
    used = estimate(system) + sum(estimate(message.content) + _LIST for _, message in injected)
    spoken = sum(estimate(message.content) + _LIST for message in play.scene.messages)
    told, turns, left = _examples(card, words, estimate, play.room - used - spoken)
    system = "\n\n".join(part for part in (system, told) if part)
    total = used + estimate(told) + sum(estimate(turn.content) + _LIST for turn in turns)
    left_out = (*_dropped(chosen), *left)
    return Assembly(system, turns, tuple(injected), chosen.matched, total, left_out)


def greeting(card: Card, place: int, play: Play, use: Use = "prompt") -> str:
    """The character's first message; places are those of `card.greetings`, from 0."""
    return macros.expanded(card.greetings[place], _words(card, play), use).strip()


def example_blocks(card: Card, words: Words) -> list[tuple[Message, ...] | str]:
    """The example conversations between `<START>` marks, in turns; one without speakers is a text."""
    names = {"{{user}}": "user", "<user>": "user", words.user.casefold(): "user"}
    names |= dict.fromkeys(("{{char}}", "<char>", "<bot>"), "assistant")
    names |= {name.casefold(): "assistant" for name in (card.name, card.nickname) if name}
    found: list[tuple[Message, ...] | str] = []
    for block in _START.split(card.examples):
        if block.strip():
            turns = _turns(block.strip(), names, words)
            found.append(turns or macros.expanded(block.strip(), words))
    return found


def _words(card: Card, play: Play) -> Words:
    return Words(card.called, play.user, play.dice, play.dice.seed)


def _book_room(card: Card, play: Play, estimate: Estimate, words: Words) -> int:
    """What a book may take: never what the card itself and the newest message need."""
    fixed = _system(card, (), words._replace(dice=Dice(0)), play.system)
    needed = estimate(fixed) + estimate(card.post_history or play.post_history)
    if play.scene.messages:
        needed += estimate(play.scene.messages[-1].content)
    room = max(0, play.room - needed)
    own = card.book.token_budget if card.book else None
    return min(room, play.room // BOOK_SHARE) if own is None else room


def _system(card: Card, active: tuple[Active, ...], words: Words, original: str) -> str:
    """Texts of the book stand before and after what the card itself says, or where they ask to be."""

    def placed(*places: str) -> list[str]:
        return [one.text for one in active if not _is_injected(one) and _place(one) in places]

    def section(title: str, text: str, place: str) -> str:
        body = "\n".join(part for part in (macros.expanded(text, words).strip(), *placed(place)) if part)
        return f"{title}: {body}" if body else ""

    parts = [
        _instructions(card.system, words, original),
        *placed("before_char"),
        *placed("before_desc"),
        macros.expanded(card.description, words).strip(),
        *placed("after_desc"),
        section(f"{card.called}'s personality", card.personality, "personality"),
        section("Scenario", card.scenario, "scenario"),
        *placed("after_char"),
    ]
    return "\n\n".join(part for part in parts if part)


def _place(one: Active) -> str:
    """SillyTavern puts an entry that does not say where after the character; so does this."""
    return one.rules.place or one.entry.position or "after_char"


def _is_injected(one: Active) -> bool:
    """V3: a position outdoes a depth."""
    return one.rules.depth is not None and not one.rules.place


def _injection(one: Active) -> tuple[int, Message]:
    return max(0, one.rules.depth or 0), Message(one.rules.role, one.text)


def _instructions(text: str, words: Words, original: str) -> str:
    """A card's own instructions replace those it would get without them, says V2."""
    usual = macros.expanded(original, words)
    return macros.expanded(text, words._replace(original=usual)).strip() or usual.strip()


def _examples(
    card: Card, words: Words, estimate: Estimate, room: int
) -> tuple[str, tuple[Message, ...], tuple[str, ...]]:
    """As many whole examples as fit, from the first: V1 lets the conversation push them out."""
    told: list[str] = []
    turns: list[Message] = []
    left: tuple[str, ...] = ()
    blocks = example_blocks(card, words)
    for place, block in enumerate(blocks):
        messages = block if isinstance(block, tuple) else (Message("system", block),)
        room -= sum(estimate(message.content) + _LIST for message in messages)
        if room < 0:
            left = (f"no room for {len(blocks) - place} of {len(blocks)} example conversations",)
            break
        if isinstance(block, str):
            told.append(f"An example of how {words.char} speaks:\n{block}")
        else:
            turns.extend(block)
    if turns:
        told.append(EXAMPLES_SAID.format(count=len(turns), name=words.char))
    return "\n\n".join(told), tuple(turns), left


def _turns(block: str, names: dict[str, str], words: Words) -> tuple[Message, ...]:
    """Lines that begin with a speaker's name begin a turn; what comes before the first is narrated."""
    spoken: list[tuple[str, list[str]]] = []
    narrated: list[str] = []
    for line in block.split("\n"):
        name, colon, rest = line.partition(":")
        role = names.get(name.strip().casefold()) if colon else None
        if role is None:
            (spoken[-1][1] if spoken else narrated).append(line)
        elif spoken and spoken[-1][0] == role:
            spoken[-1][1].append(rest.strip())
        else:
            spoken.append((role, [rest.strip()]))
    if not spoken:
        return ()
    if any(line.strip() for line in narrated):
        spoken[0][1][:0] = narrated
    texts = [(role, macros.expanded("\n".join(lines).strip(), words)) for role, lines in spoken]
    return tuple(Message(_ROLES[role], text) for role, text in texts if text)


_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant"}


def _dropped(chosen: Selection) -> tuple[str, ...]:
    dropped = [f"no room for {len(chosen.dropped)} entries of the character's book"] if chosen.dropped else []
    if not chosen.whole:
        dropped.append("the rest of the character's book is left out: its keys take too long to look for")
    dropped += [
        f"a key of the character's book matches nothing: {fault}" for fault in chosen.unread[:_UNREAD]
    ]
    if len(chosen.unread) > _UNREAD:
        dropped.append(
            f"keys of the character's book that match nothing, beside those: {len(chosen.unread) - _UNREAD}"
        )
    return tuple(dropped)
