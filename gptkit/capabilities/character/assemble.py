"""Assemble the parts of a request from a card and a conversation: system text, examples, injections."""

from __future__ import annotations

import re
from typing import NamedTuple

from gptkit.capabilities.character import macros
from gptkit.capabilities.character.card import Book, Card
from gptkit.capabilities.character.lorebook import ActiveEntry, Estimate, Scene, Selection, select_entries
from gptkit.capabilities.character.macros import Dice, MacroValues, Purpose
from gptkit.core.chat import Message, Role

SYSTEM = (
    "Write {{char}}'s next reply in a conversation between {{char}} and {{user}}. "
    "Stay in character; never speak or act for {{user}}."
)
BOOK_SHARE = 4  # a book without a token budget of its own gets a quarter of the whole
EXAMPLES_SAID = (
    "The first {count} messages of the conversation are examples of how {name} speaks and behaves. "
    "They did not happen; the conversation itself begins after them."
)
_START = re.compile(r"<START>", re.IGNORECASE)
_MAX_NAMED_KEYS = 3
"""Keys without effect that are named in a notice."""
_OVERHEAD = 4  # tokens that a message costs beside its text


class AssemblySettings(NamedTuple):
    """What a request depends on beside the card.

    `token_budget` is for the whole prompt, with the messages of the scene. `system` and `post_history` are
    the instructions for a card without its own, and what `{{original}}` stands for in those of a card.
    """

    user: str
    dice: Dice
    scene: Scene = Scene()
    token_budget: int = 8192
    system: str = SYSTEM
    post_history: str = ""


class Assembly(NamedTuple):
    """The parts of a request.

    `injected` are messages with their depths, as in `Invocation.injected`: 0 is right behind the user's
    newest message. Post-history instructions come last.
    """

    system: str
    examples: tuple[Message, ...]
    injected: tuple[tuple[int, Message], ...]
    matched: frozenset[int]  # entries of the book that have matched so far, for the scene of the next turn
    tokens: int  # estimated, without the messages of the scene
    left_out: tuple[str, ...] = ()  # notices of what did not fit and of keys without effect


def assemble(card: Card, play: AssemblySettings, estimate: Estimate) -> Assembly:
    """Return a card as the model sees it on this turn."""
    words = _words(card, play)
    selection = select_entries(
        card.book or Book(), play.scene, words, estimate, _book_budget(card, play, estimate, words)
    )
    disabled = {prompt for entry in selection.active for prompt in entry.rules.disabled}
    system = _system(card, selection.active, words, "" if "system_prompt" in disabled else play.system)
    post = "" if "post_history_instructions" in disabled else play.post_history
    injected = [_injection(entry) for entry in selection.active if _is_injected(entry)]
    if after := _instructions(card.post_history, words, post):
        injected.append((0, Message("system", after)))
    used = estimate(system) + sum(estimate(message.content) + _OVERHEAD for _, message in injected)
    scene_tokens = sum(estimate(message.content) + _OVERHEAD for message in play.scene.messages)
    example_text, turns, notices = _examples(card, words, estimate, play.token_budget - used - scene_tokens)
    system = "\n\n".join(part for part in (system, example_text) if part)
    total = used + estimate(example_text) + sum(estimate(turn.content) + _OVERHEAD for turn in turns)
    left_out = (*_describe_left_out(selection), *notices)
    return Assembly(system, turns, tuple(injected), selection.matched, total, left_out)


def greeting_text(card: Card, place: int, play: AssemblySettings, use: Purpose = "prompt") -> str:
    """Return a greeting of the character by its index in `card.greetings`."""
    return macros.expand(card.greetings[place], _words(card, play), use).strip()


def example_blocks(card: Card, words: MacroValues) -> list[tuple[Message, ...] | str]:
    """Split the examples at `<START>` into conversations of messages; one without speakers is a text."""
    names = {"{{user}}": "user", "<user>": "user", words.user.casefold(): "user"}
    names |= dict.fromkeys(("{{char}}", "<char>", "<bot>"), "assistant")
    names |= {name.casefold(): "assistant" for name in (card.name, card.nickname) if name}
    blocks: list[tuple[Message, ...] | str] = []
    for block in _START.split(card.examples):
        if block.strip():
            turns = _turns(block.strip(), names, words)
            blocks.append(turns or macros.expand(block.strip(), words))
    return blocks


def _words(card: Card, play: AssemblySettings) -> MacroValues:
    return MacroValues(card.display_name, play.user, play.dice, play.dice.seed)


def _book_budget(card: Card, play: AssemblySettings, estimate: Estimate, words: MacroValues) -> int:
    """Return the tokens that the book may take: not those that the card and the newest message need."""
    fixed = _system(card, (), words._replace(dice=Dice(0)), play.system)
    needed = estimate(fixed) + estimate(card.post_history or play.post_history)
    if play.scene.messages:
        needed += estimate(play.scene.messages[-1].content)
    token_budget = max(0, play.token_budget - needed)
    own = card.book.token_budget if card.book else None
    return min(token_budget, play.token_budget // BOOK_SHARE) if own is None else token_budget


def _system(card: Card, active: tuple[ActiveEntry, ...], words: MacroValues, original: str) -> str:
    """Return the system text: the card's own texts, with entries of the book in their places."""

    def texts_at(*places: str) -> list[str]:
        return [entry.text for entry in active if not _is_injected(entry) and _place(entry) in places]

    def section(title: str, text: str, place: str) -> str:
        body = "\n".join(part for part in (macros.expand(text, words).strip(), *texts_at(place)) if part)
        return f"{title}: {body}" if body else ""

    parts = [
        _instructions(card.system, words, original),
        *texts_at("before_char"),
        *texts_at("before_desc"),
        macros.expand(card.description, words).strip(),
        *texts_at("after_desc"),
        section(f"{card.display_name}'s personality", card.personality, "personality"),
        section("Scenario", card.scenario, "scenario"),
        *texts_at("after_char"),
    ]
    return "\n\n".join(part for part in parts if part)


def _place(active: ActiveEntry) -> str:
    """Return the place of an entry; like in SillyTavern an entry without one stands after the character."""
    return active.rules.place or active.entry.position or "after_char"


def _is_injected(active: ActiveEntry) -> bool:
    """Whether an entry becomes a message of its own; by V3 a position is stronger than a depth."""
    return active.rules.depth is not None and not active.rules.place


def _injection(active: ActiveEntry) -> tuple[int, Message]:
    return max(0, active.rules.depth or 0), Message(active.rules.role, active.text)


def _instructions(text: str, words: MacroValues, original: str) -> str:
    """Return the instructions of a card, else the original ones, as V2 wants it."""
    usual = macros.expand(original, words)
    return macros.expand(text, words._replace(original=usual)).strip() or usual.strip()


def _examples(
    card: Card, words: MacroValues, estimate: Estimate, token_budget: int
) -> tuple[str, tuple[Message, ...], tuple[str, ...]]:
    """Return as many whole examples as fit, from the first on; by V1 the conversation goes before them.

    Returns texts for the system message, messages, and notices of what did not fit.
    """
    texts: list[str] = []
    turns: list[Message] = []
    notices: tuple[str, ...] = ()
    blocks = example_blocks(card, words)
    for number, block in enumerate(blocks):
        messages = block if isinstance(block, tuple) else (Message("system", block),)
        token_budget -= sum(estimate(message.content) + _OVERHEAD for message in messages)
        if token_budget < 0:
            notices = (f"no room for {len(blocks) - number} of {len(blocks)} example conversations",)
            break
        if isinstance(block, str):
            texts.append(f"An example of how {words.char} speaks:\n{block}")
        else:
            turns.extend(block)
    if turns:
        texts.append(EXAMPLES_SAID.format(count=len(turns), name=words.char))
    return "\n\n".join(texts), tuple(turns), notices


def _turns(block: str, names: dict[str, str], words: MacroValues) -> tuple[Message, ...]:
    """Split an example into messages at lines that begin with a speaker's name.

    Text before the first speaker is added to the first message; without any speaker there are no messages.
    """
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
    texts = [(role, macros.expand("\n".join(lines).strip(), words)) for role, lines in spoken]
    return tuple(Message(_ROLES[role], text) for role, text in texts if text)


_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant"}


def _describe_left_out(selection: Selection) -> tuple[str, ...]:
    notices = []
    if selection.dropped:
        notices.append(f"no room for {len(selection.dropped)} entries of the character's book")
    if not selection.whole:
        notices.append("the rest of the character's book is left out: its keys take too long to look for")
    notices += [
        f"a key of the character's book matches nothing: {problem}"
        for problem in selection.unused_keys[:_MAX_NAMED_KEYS]
    ]
    if len(selection.unused_keys) > _MAX_NAMED_KEYS:
        more = len(selection.unused_keys) - _MAX_NAMED_KEYS
        notices.append(f"keys of the character's book that match nothing, beside those: {more}")
    return tuple(notices)
