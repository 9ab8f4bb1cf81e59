"""Which entries of a character's book go into a request.

A key matches where the text contains it, in either case unless the entry says otherwise: that is what
V3 says and what SillyTavern does, and it is right for languages that put no spaces between words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from time import thread_time
from typing import NamedTuple

from gptkit.capabilities.character import macros, pattern
from gptkit.capabilities.character.card import Book, Entry
from gptkit.capabilities.character.macros import Words
from gptkit.capabilities.character.pattern import Effort, Pattern, PatternError
from gptkit.core.chat import Message, Role

POSITIONS = ("before_desc", "after_desc", "personality", "scenario")
PROMPTS = ("system_prompt", "post_history_instructions")
LINE_CAP = 200
_LINE = re.compile(r"(@@@?)([A-Za-z_]+)(?:[ \t]+(.*))?", re.DOTALL)


class Rules(NamedTuple):
    """What the decorators of an entry ask for. `strange` names those that were not understood."""

    activate: bool = False
    dont_activate: bool = False
    keep_after_match: bool = False
    not_after_match: bool = False
    only_after: int | None = None
    only_every: int | None = None
    depth: int | None = None
    role: Role = "system"
    scan_depth: int | None = None
    greeting: int | None = None
    place: str = ""
    first_to_go: bool = False
    additional: tuple[tuple[str, ...], ...] = ()
    excluded: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()


def read(content: str) -> tuple[Rules, str]:
    """The rules, and the content without them.

    A fallback (`@@@`) counts only when what it stands below was not understood. The first of several
    decorators of one name counts, except for those that may be repeated. What makes sense only
    where there is no chat (`@@instruct_depth`, and by the letter of V3 also `@@reverse_depth`), and
    what a text client does not have (`@@is_user_icon`), is not understood.
    """
    if not content.lstrip().startswith("@@"):
        return Rules(), content
    found: dict[str, object] = {}
    strange: list[str] = []
    lines = content.split("\n")
    understood, count = True, 0
    for count, line in enumerate(lines[: LINE_CAP + 1]):  # noqa: B007 - where the content begins
        match = _LINE.fullmatch(line.strip())
        if not match:
            if line.strip():
                break
            continue
        marks, name, value = match[1], match[2].lower(), (match[3] or "").strip()
        if marks == "@@@" and understood:
            continue
        understood = _understood(name, value, found)
        if not understood:
            strange.append(match[2])
    else:
        count += 1
    text = "\n".join(lines[count:]).strip("\r\n")
    return Rules(**found, strange=tuple(strange)), text  # type: ignore[arg-type]


def _understood(name: str, value: str, found: dict[str, object]) -> bool:
    """Puts a decorator's value with the others, unless one of its name is there."""
    if name not in _READERS:
        return False
    field, reader = _READERS[name]
    meaning = reader(value)
    if meaning is None:
        return False
    before = found.get(field)
    if field in _REPEATED:
        found[field] = (*(before if isinstance(before, tuple) else ()), *meaning)  # type: ignore[misc]
    elif field not in found:
        found[field] = meaning
    return True


def _whole(value: str) -> int | None:
    return int(value) if re.fullmatch(r"-?[0-9]{1,9}", value) else None


def _positive(value: str) -> int | None:
    number = _whole(value)
    return number if number is not None and number > 0 else None


def _flag(value: str) -> bool | None:
    return value.lower() != "false"


def _words(value: str) -> tuple[str, ...] | None:
    return tuple(word for part in value.split(",") if (word := part.strip())) or None


def _group(value: str) -> tuple[tuple[str, ...]] | None:
    words = _words(value)
    return (words,) if words else None


def _one_of(*allowed: str) -> Callable[[str], str | None]:
    return lambda value: value if value in allowed else None


def _prompt(value: str) -> tuple[str] | None:
    return (value,) if value in PROMPTS else None


_REPEATED = ("additional", "disabled")
_READERS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "activate": ("activate", _flag),
    "dont_activate": ("dont_activate", _flag),
    "keep_activate_after_match": ("keep_after_match", _flag),
    "dont_activate_after_match": ("not_after_match", _flag),
    "activate_only_after": ("only_after", _whole),
    "activate_only_every": ("only_every", _positive),
    "depth": ("depth", _whole),
    "role": ("role", _one_of("system", "user", "assistant")),
    "scan_depth": ("scan_depth", _whole),
    "is_greeting": ("greeting", _whole),
    "position": ("place", _one_of(*POSITIONS)),
    "ignore_on_max_context": ("first_to_go", _flag),
    "additional_keys": ("additional", _group),
    "exclude_keys": ("excluded", _words),
    "disable_ui_prompt": ("disabled", _prompt),
}


Estimate = Callable[[str], int]
"""About how many tokens a text is."""
SCAN_DEPTH = 4
SCAN_CAP = 100_000
ROUNDS = 8


class Scene(NamedTuple):
    """What the conversation has come to: the latest messages, oldest first, and the greeting's place.

    `answers` is the number of the character's messages in the whole conversation; None counts those
    given. `matched` are the places of entries that matched on earlier turns.
    """

    messages: tuple[Message, ...] = ()
    greeting: int = 0
    answers: int | None = None
    matched: frozenset[int] = frozenset()


class Active(NamedTuple):
    """An entry that goes into the request; `text` is its content without decorators and macros."""

    place: int
    entry: Entry
    rules: Rules
    text: str
    tokens: int


class Selection(NamedTuple):
    """Entries in the order in which they are inserted, and those (by place) that found no room.

    `matched` are to be the next scene's. `whole` is False when keys took so long that the rest of the
    book was not looked at. `unread` says which keys are patterns that match nothing, and why.
    """

    active: tuple[Active, ...] = ()
    dropped: tuple[int, ...] = ()
    matched: frozenset[int] = frozenset()
    whole: bool = True
    unread: tuple[str, ...] = ()


def selection(book: Book, scene: Scene, words: Words, estimate: Estimate, room: int) -> Selection:
    """The entries that the scene calls for, within the book's own token budget and within `room`."""
    effort = Effort()
    found = _Scan(book, scene, words, effort).found()
    active = []
    for place, rules, content in found:
        text = macros.expanded(content, words).strip()
        if text:
            active.append(Active(place, book.entries[place], rules, text, estimate(text)))
    budget = room if book.token_budget is None else min(room, max(0, book.token_budget))
    kept = _within(active, budget)
    places = {one.place for one in kept}
    return Selection(
        tuple(sorted(kept, key=lambda one: (one.entry.insertion_order, one.place))),
        tuple(one.place for one in active if one.place not in places),
        scene.matched | {place for place, _, _ in found},
        effort.left > 0,
        tuple(dict.fromkeys(effort.unread)),
    )


def key_patterns(entry: Entry, keys: Iterable[str]) -> list[Pattern]:
    """The keys that are patterns; raises PatternError. A key without slashes is a text even there.

    SillyTavern writes `use_regex` into every entry, and means by it what V3 defines a pattern to be:
    `/.../flags`.
    """
    if not entry.use_regex:
        return []
    return [found for key in keys if (found := pattern.pattern(key, entry.case_sensitive))]


def _within(active: list[Active], budget: int) -> list[Active]:
    """What is left when the least important are taken away until the rest fits.

    An entry that alone is larger than the budget does not take the others with it.
    """

    def importance(one: Active) -> tuple[bool, float, int]:
        priority = one.entry.insertion_order if one.entry.priority is None else one.entry.priority
        return not one.rules.first_to_go, priority, -one.place

    kept: list[Active] = []
    for one in sorted((one for one in active if one.tokens <= budget), key=importance, reverse=True):
        budget -= one.tokens
        if budget < 0:
            break
        kept.append(one)
    return kept


class _Text:
    """A text that keys are looked for in. Most keys are ruled out by a pair of letters it does not have."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._pairs: set[tuple[str, str]] | None = None

    def contains(self, key: str, effort: Effort) -> bool:
        if self._pairs is None:
            self._pairs = set(pairwise(self.text))
        if not all(pair in self._pairs for pair in pairwise(key)):
            return False
        if effort.left <= 0:
            return False
        start = thread_time()
        found = key in self.text
        effort.spend_since(start)
        return found


class _Keys:
    """The keys of an entry, ready to be looked for."""

    def __init__(self, entry: Entry, rules: Rules, words: Words, effort: Effort) -> None:
        self._exact = entry.case_sensitive is True
        self._effort = effort
        self._words = words
        secondary = (entry.secondary_keys,) if entry.selective and any(entry.secondary_keys) else ()
        self.is_pattern = False
        self._patterns: list[list[Pattern]] = []
        self._needed: list[list[str]] = []
        self._excluded: list[str] = []
        if entry.use_regex and effort.left <= 0:
            self.is_pattern = any(map(_is_written, entry.keys))
            return
        start = thread_time()
        try:
            self._patterns = [key_patterns(entry, keys) for keys in (entry.keys, *rules.additional)]
        except PatternError as error:  # not a match, says V3
            self.is_pattern = True
            effort.unread.append(str(error))
            return
        finally:
            effort.spend_since(start)
        self.is_pattern = any(self._patterns)
        if self.is_pattern:  # V3: secondary and excluded keys have no effect beside patterns
            self._needed = [self._plain(key for key in entry.keys if not _is_written(key)), []]
            self._needed[1:] = [self._plain(keys) for keys in rules.additional]
        else:
            self._needed = [self._plain(keys) for keys in (entry.keys, *secondary, *rules.additional)]
            self._excluded = self._plain(rules.excluded)

    def match(self, text: _Text, folded: _Text) -> bool:
        """Whether each group has a key that the text contains, and no excluded one is in it."""
        if not self._needed:
            return False
        searched = text if self._exact else folded
        for place, keys in enumerate(self._needed):
            patterns = self._patterns[place] if self.is_pattern else []
            in_text = any(searched.contains(key, self._effort) for key in keys)
            if not in_text and not any(one.found(text.text, self._effort) for one in patterns):
                return False
        return not any(searched.contains(key, self._effort) for key in self._excluded)

    def _plain(self, keys: Iterable[str]) -> list[str]:
        expanded = (_normal(macros.expanded(key, self._words)).strip() for key in keys)
        return [key if self._exact else key.casefold() for key in expanded if key]


class _Scan:
    """One look through the book: the messages, then, if the book wants it, what was found in them."""

    def __init__(self, book: Book, scene: Scene, words: Words, effort: Effort) -> None:
        self._book = book
        self._scene = scene
        self._words = words
        self._effort = effort
        self._answers = scene.answers
        if self._answers is None:
            self._answers = sum(message.role == "assistant" for message in scene.messages)
        self._found_texts: list[str] = []
        self._texts: dict[int, tuple[_Text, _Text]] = {}

    def found(self) -> list[tuple[int, Rules, str]]:
        """Places, rules and contents of the entries that match."""
        waiting = self._candidates()
        found: list[tuple[int, Rules, str]] = []
        for _ in range(ROUNDS if self._book.recursive_scanning else 1):
            still: list[tuple[int, Rules, str, _Keys | None]] = []
            fresh = len(found)
            for place, rules, content, keys in waiting:
                if keys is None or keys.match(*self._text(rules)):
                    found.append((place, rules, content))
                else:
                    still.append((place, rules, content, keys))
            if len(found) == fresh or not still:
                break
            waiting = still
            contents = (content for _, _, content in found[fresh:])
            self._found_texts += [macros.expanded(content, self._words, "scan") for content in contents]
            self._texts.clear()
        return found

    def _candidates(self) -> list[tuple[int, Rules, str, _Keys | None]]:
        """Entries that may match; those without keys to look for match in any case."""
        found: list[tuple[int, Rules, str, _Keys | None]] = []
        for place, entry in enumerate(self._book.entries):
            if not entry.enabled or not entry.content:
                continue
            rules, content = read(entry.content)
            if rules.activate or (self._may_match(place, rules) and self._is_kept(place, rules)):
                found.append((place, rules, content, None))
            elif self._may_match(place, rules) and self._holds(rules):
                keys = _Keys(entry, rules, self._words, self._effort)
                always = entry.constant and not keys.is_pattern
                found.append((place, rules, content, None if always else keys))
        return found

    def _may_match(self, place: int, rules: Rules) -> bool:
        return not rules.dont_activate and not (rules.not_after_match and place in self._scene.matched)

    def _is_kept(self, place: int, rules: Rules) -> bool:
        return rules.keep_after_match and place in self._scene.matched

    def _holds(self, rules: Rules) -> bool:
        """The conditions that have nothing to do with keys."""
        answers = self._answers or 0
        return (
            (rules.only_after is None or answers >= rules.only_after)
            and (rules.only_every is None or answers % rules.only_every == 0)
            and (rules.greeting is None or rules.greeting == self._scene.greeting)
        )

    def _text(self, rules: Rules) -> tuple[_Text, _Text]:
        """The text to look through, and the same with its case folded."""
        depth = rules.scan_depth
        if depth is None:
            depth = SCAN_DEPTH if self._book.scan_depth is None else self._book.scan_depth
        depth = min(max(0, depth), len(self._scene.messages))
        if depth not in self._texts:
            messages = self._scene.messages[len(self._scene.messages) - depth :]
            spoken = "\n".join(message.content for message in messages)[-SCAN_CAP:]
            text = _normal("\n".join([spoken, *self._found_texts])[: 2 * SCAN_CAP])
            self._texts[depth] = _Text(text), _Text(text.casefold())
        return self._texts[depth]


def _is_written(key: str) -> bool:
    """A key in the form of a pattern."""
    stripped = key.strip()
    return len(stripped) > 2 and stripped.startswith("/") and "/" in stripped[2:]


def _normal(text: str) -> str:
    """One spelling of each character: keys and messages come from different keyboards."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)
