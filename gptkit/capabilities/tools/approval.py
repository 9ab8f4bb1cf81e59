"""Decide which actions may be done: by --approve, or by a person at the terminal, never by the model."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from gptkit.capabilities.tools.model import RISKS, Tool, ToolAction
from gptkit.core.errors import NotApprovedError, UsageError
from gptkit.core.hashing import sha256
from gptkit.core.sanitize import one_line
from gptkit.core.streams import PASTE_BEGIN
from gptkit.core.yaml_tree import spelling_hint

WHOLE_WORDS = ("yes", "确认")
"""The words that approve a destructive action; nothing shorter does."""
SHORT_WORDS = (*WHOLE_WORDS, "y", "是")
"""The words that approve actions of which none is destructive."""
LONGEST = 1000
"""Characters of one action in a question; a longer one is shown whole by `v`, before it can be approved."""
HELP = "'yes' does all of them, '1' or '1,2' those alone, 'n' none; 'v' shows them whole.\n"
Ask = Callable[[str], str | None]


class Grants(NamedTuple):
    """What the command line approves: classes of risk, and tools by name."""

    classes: frozenset[str] = frozenset()
    tools: frozenset[str] = frozenset()
    asks_reads: bool = False

    def reason(self, tool: Tool) -> str:
        """Why a tool needs no question; empty if it needs one."""
        if tool.risk == "read" and not self.asks_reads:
            return "read"
        if tool.name in self.tools:
            return f"--approve {tool.name}"
        if tool.risk in self.classes:
            return f"--approve {next(risk for risk in reversed(RISKS) if risk in self.classes)}"
        return ""


def parse_grants(approved: Sequence[str], asks_reads: bool, tools: Sequence[Tool]) -> Grants:
    """Read the values of --approve; a class includes those below it. Raises UsageError for unknown ones."""
    names = [tool.name for tool in tools]
    classes: set[str] = set()
    for word in approved:
        if word in RISKS:
            classes |= {*RISKS[: RISKS.index(next(risk for risk in RISKS if risk == word)) + 1]}
        elif word not in names:
            hint = spelling_hint(word, [*RISKS, *names])
            raise UsageError(f"--approve {word}: neither a class of risk nor a tool", hint=hint)
    if asks_reads:
        classes -= {"read"}
    return Grants(frozenset(classes), frozenset(approved) & frozenset(names), asks_reads)


def approve(actions: Sequence[ToolAction], grants: Grants, ask: Ask) -> list[str]:
    """Return for each action who approved it; empty for those that a person refused.

    Raises NotApprovedError if one of them needs a question and nobody can be asked: then none may be done.
    """
    reasons = [grants.reason(action.tool) for action in actions]
    open_ = [index for index, reason in enumerate(reasons) if not reason]
    if not open_:
        return reasons
    chosen = _ask_person([actions[index] for index in open_], ask)
    if chosen is None:
        waiting = [actions[index] for index in open_]
        names = sorted({action.tool.name for action in waiting})
        raise NotApprovedError(
            f"not approved, and nobody could be asked: {one_line(waiting[0].does, 200)}"
            + (f" (and {len(waiting) - 1} more)" if len(waiting) > 1 else "")
            + "; nothing of this round was done",
            hint=f"--approve {' --approve '.join(names)} does it without asking",
        )
    for position in chosen:
        reasons[open_[position]] = "terminal"
    return reasons


def _ask_person(actions: Sequence[ToolAction], ask: Ask) -> list[int] | None:
    """Return which of the actions a person approves; None if nobody can be asked."""
    chosen = [*range(len(actions))]
    shown = _block(actions, chosen, False)
    is_whole = "v shows" not in shown
    while True:
        is_destructive = any(actions[index].tool.risk == "destructive" for index in chosen)
        answer = ask(shown + _prompt(chosen, is_destructive))
        if answer is None:
            return None
        word = answer.strip()
        if word.lower() == "v":
            shown, is_whole = _block(actions, chosen, True), True
        elif PASTE_BEGIN in word:
            shown = "A paste approves nothing; type the word.\n"
        elif word == "?":
            shown = HELP
        elif word.lower() in (WHOLE_WORDS if is_destructive else SHORT_WORDS):
            if is_whole:
                return chosen
            shown = "Press v first: there is more of it than was shown.\n"
        elif numbers := _numbers(word, chosen):
            chosen = numbers
            shown = _block(actions, chosen, is_whole)
        elif is_destructive and word.lower() in SHORT_WORDS:
            shown = f"A destructive action wants the whole word '{WHOLE_WORDS[0]}'.\n"
        else:
            return []


def _numbers(word: str, chosen: Sequence[int]) -> list[int]:
    """Return the actions that a list of numbers names; empty if it is no such list."""
    if not re.fullmatch(r"[0-9]{1,3}([, ]+[0-9]{1,3})*", word):
        return []
    numbers = [int(part) - 1 for part in re.findall("[0-9]+", word)]
    return sorted(set(numbers)) if set(numbers) < set(chosen) else []


def _block(actions: Sequence[ToolAction], chosen: Sequence[int], is_whole: bool) -> str:
    names = dict.fromkeys(Path(actions[index].tool.file).name for index in chosen)
    files = one_line(", ".join(names), 200)
    count = f"{len(chosen)} thing" + ("" if len(chosen) == 1 else "s")
    lines = [f"{files} wants to do {count}:"]
    for index in chosen:
        action = actions[index]
        text = action.does
        if len(text) > LONGEST and not is_whole:
            digest = sha256(text.encode("utf-8", "replace")).hexdigest()[:8]
            text = f"{text[:LONGEST]}… ({len(text):,} characters, {digest}; v shows all)"
        lines.append(f"  {index + 1} {action.tool.risk.ljust(12)} {text}")
    return "\n".join(lines) + "\n"


def _prompt(chosen: Sequence[int], is_destructive: bool) -> str:
    word = WHOLE_WORDS[0] if is_destructive else "y"
    numbers = f" or {', '.join(str(index + 1) for index in chosen)}," if len(chosen) > 1 else ""
    what = {1: "does it", 2: "does both"}.get(len(chosen), "does all")
    return f"{word} {what};{numbers} n, v (all of it), ? : "
