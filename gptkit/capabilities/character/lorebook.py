"""Select the entries of a character's book that go into a request.

A key matches if the text contains the key, in any case unless the entry says otherwise, as V3 defines and
SillyTavern does it; this is also right for languages without spaces between words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from time import thread_time
from typing import NamedTuple

from gptkit.capabilities.character import macros, pattern
from gptkit.capabilities.character.card import Book, BookEntry
from gptkit.capabilities.character.macros import MacroValues
from gptkit.capabilities.character.pattern import Pattern, PatternError, TimeBudget
from gptkit.core.chat import Message, Role

POSITIONS = ("before_desc", "after_desc", "personality", "scenario")
PROMPTS = ("system_prompt", "post_history_instructions")
LINE_CAP = 200
_LINE = re.compile(r"(@@@?)([A-Za-z_]+)(?:[ \t]+(.*))?", re.DOTALL)


class EntryRules(NamedTuple):
    """The rules that the decorators of an entry set."""

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
    unknown_decorators: tuple[str, ...] = ()


def parse_decorators(content: str) -> tuple[EntryRules, str]:
    """Parse the decorators at the head of an entry; return the rules and the content without decorators.

    A fallback (`@@@`) counts only if the decorator above is unknown. The first of several decorators of one
    name counts, unless it may be repeated. Decorators that need a client without a chat
    (`@@instruct_depth`, `@@reverse_depth`) or with pictures (`@@is_user_icon`) are unknown.
    """
    if not content.lstrip().startswith("@@"):
        return EntryRules(), content
    rules: dict[str, object] = {}
    unknown_decorators: list[str] = []
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
        understood = _add_decorator(name, value, rules)
        if not understood:
            unknown_decorators.append(match[2])
    else:
        count += 1
    text = "\n".join(lines[count:]).strip("\r\n")
    return EntryRules(**rules, unknown_decorators=tuple(unknown_decorators)), text  # type: ignore[arg-type]


def _add_decorator(name: str, value: str, rules: dict[str, object]) -> bool:
    """Add the value of a decorator to `rules`; return whether the decorator is known and its value valid."""
    if name not in _READERS:
        return False
    field, reader = _READERS[name]
    meaning = reader(value)
    if meaning is None:
        return False
    before = rules.get(field)
    if field in _REPEATED:
        rules[field] = (*(before if isinstance(before, tuple) else ()), *meaning)  # type: ignore[misc]
    elif field not in rules:
        rules[field] = meaning
    return True


def _whole(value: str) -> int | None:
    return int(value) if re.fullmatch(r"-?[0-9]{1,9}", value) else None


def _positive(value: str) -> int | None:
    number = _whole(value)
    return number if number is not None and number > 0 else None


def _flag(value: str) -> bool | None:
    return value.lower() != "false"


def _word_list(value: str) -> tuple[str, ...] | None:
    return tuple(word for part in value.split(",") if (word := part.strip())) or None


def _group(value: str) -> tuple[tuple[str, ...]] | None:
    words = _word_list(value)
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
    "exclude_keys": ("excluded", _word_list),
    "disable_ui_prompt": ("disabled", _prompt),
}


Estimate = Callable[[str], int]
"""A function that estimates the tokens of a text."""
SCAN_DEPTH = 4
SCAN_CAP = 100_000
ROUNDS = 8


class Scene(NamedTuple):
    """The state of a conversation on which the selection depends."""

    messages: tuple[Message, ...] = ()  # the latest ones, oldest first
    greeting: int = 0  # its index
    answers: int | None = None  # of the character in the whole conversation; None: count `messages`
    matched: frozenset[int] = frozenset()  # places of the entries that matched on earlier turns


class ActiveEntry(NamedTuple):
    """An entry that goes into the request; `text` is its content, expanded and without decorators."""

    place: int
    entry: BookEntry
    rules: EntryRules
    text: str
    tokens: int


class Selection(NamedTuple):
    """The entries for a request."""

    active: tuple[ActiveEntry, ...] = ()  # in the order of insertion
    dropped: tuple[int, ...] = ()  # places of the entries that did not fit
    matched: frozenset[int] = frozenset()  # for the scene of the next turn
    whole: bool = True  # False if the search took so long that the rest of the book was skipped
    unused_keys: tuple[str, ...] = ()  # patterns that never match, and why


def select_entries(
    book: Book, scene: Scene, macro_values: MacroValues, estimate: Estimate, token_budget: int
) -> Selection:
    """Select the entries that match the scene and fit both the book's own budget and `token_budget`."""
    time_budget = TimeBudget()
    matches = _BookScan(book, scene, macro_values, time_budget).matching_entries()
    active = []
    for place, rules, content in matches:
        text = macros.expand(content, macro_values).strip()
        if text:
            active.append(ActiveEntry(place, book.entries[place], rules, text, estimate(text)))
    budget = token_budget if book.token_budget is None else min(token_budget, max(0, book.token_budget))
    fitting = _within_budget(active, budget)
    places = {entry.place for entry in fitting}
    return Selection(
        tuple(sorted(fitting, key=lambda entry: (entry.entry.insertion_order, entry.place))),
        tuple(entry.place for entry in active if entry.place not in places),
        scene.matched | {place for place, _, _ in matches},
        time_budget.seconds_left > 0,
        tuple(dict.fromkeys(time_budget.unused_keys)),
    )


def key_patterns(entry: BookEntry, keys: Iterable[str]) -> list[Pattern]:
    """Return the patterns among the keys of an entry; raises PatternError.

    Only a key in the form `/.../flags` is a pattern, since SillyTavern writes `use_regex` into every entry.
    """
    if not entry.use_regex:
        return []
    return [compiled for key in keys if (compiled := pattern.parse_pattern(key, entry.case_sensitive))]


def _within_budget(entries: list[ActiveEntry], budget: int) -> list[ActiveEntry]:
    """Return the most important entries that fit the budget together.

    An entry above the whole budget is left out and does not count.
    """

    def importance(candidate: ActiveEntry) -> tuple[bool, float, int]:
        priority = (
            candidate.entry.insertion_order if candidate.entry.priority is None else candidate.entry.priority
        )
        return not candidate.rules.first_to_go, priority, -candidate.place

    fitting: list[ActiveEntry] = []
    for candidate in sorted(
        (candidate for candidate in entries if candidate.tokens <= budget), key=importance, reverse=True
    ):
        budget -= candidate.tokens
        if budget < 0:
            break
        fitting.append(candidate)
    return fitting


class _SearchedText:
    """A text in which keys are searched; a set of its pairs of letters rules out most keys fast."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._pairs: set[tuple[str, str]] | None = None

    def contains(self, key: str, time_budget: TimeBudget) -> bool:
        if self._pairs is None:
            self._pairs = set(pairwise(self.text))
        if not all(pair in self._pairs for pair in pairwise(key)):
            return False
        if time_budget.seconds_left <= 0:
            return False
        start = thread_time()
        is_there = key in self.text
        time_budget.spend_since(start)
        return is_there


class _Keys:
    """The keys of an entry, prepared for the search."""

    def __init__(
        self, entry: BookEntry, rules: EntryRules, macro_values: MacroValues, time_budget: TimeBudget
    ) -> None:
        self._exact = entry.case_sensitive is True
        self._time_budget = time_budget
        self._macro_values = macro_values
        secondary = (entry.secondary_keys,) if entry.selective and any(entry.secondary_keys) else ()
        self.is_pattern = False
        self._patterns: list[list[Pattern]] = []
        self._needed: list[list[str]] = []
        self._excluded: list[str] = []
        if entry.use_regex and time_budget.seconds_left <= 0:
            self.is_pattern = any(map(_is_pattern_key, entry.keys))
            return
        start = thread_time()
        try:
            self._patterns = [key_patterns(entry, keys) for keys in (entry.keys, *rules.additional)]
        except PatternError as error:  # by V3 such an entry does not match
            self.is_pattern = True
            time_budget.unused_keys.append(str(error))
            return
        finally:
            time_budget.spend_since(start)
        self.is_pattern = any(self._patterns)
        if self.is_pattern:  # V3: secondary and excluded keys have no effect beside patterns
            self._needed = [self._plain(key for key in entry.keys if not _is_pattern_key(key)), []]
            self._needed[1:] = [self._plain(keys) for keys in rules.additional]
        else:
            self._needed = [self._plain(keys) for keys in (entry.keys, *secondary, *rules.additional)]
            self._excluded = self._plain(rules.excluded)

    def matches(self, text: _SearchedText, folded: _SearchedText) -> bool:
        """Whether the text contains a key of each group and no excluded key."""
        if not self._needed:
            return False
        searched = text if self._exact else folded
        for place, keys in enumerate(self._needed):
            patterns = self._patterns[place] if self.is_pattern else []
            in_text = any(searched.contains(key, self._time_budget) for key in keys)
            if not in_text and not any(
                compiled.matches(text.text, self._time_budget) for compiled in patterns
            ):
                return False
        return not any(searched.contains(key, self._time_budget) for key in self._excluded)

    def _plain(self, keys: Iterable[str]) -> list[str]:
        expanded = (_normalize(macros.expand(key, self._macro_values)).strip() for key in keys)
        return [key if self._exact else key.casefold() for key in expanded if key]


class _BookScan:
    """One search through the book: of the messages, then of the entries found, if the book is recursive."""

    def __init__(self, book: Book, scene: Scene, macro_values: MacroValues, time_budget: TimeBudget) -> None:
        self._book = book
        self._scene = scene
        self._macro_values = macro_values
        self._time_budget = time_budget
        self._answers = scene.answers
        if self._answers is None:
            self._answers = sum(message.role == "assistant" for message in scene.messages)
        self._matched_texts: list[str] = []
        self._texts: dict[int, tuple[_SearchedText, _SearchedText]] = {}

    def matching_entries(self) -> list[tuple[int, EntryRules, str]]:
        """Return place, rules and content of each entry that matches."""
        candidates = self._candidates()
        matches: list[tuple[int, EntryRules, str]] = []
        for _ in range(ROUNDS if self._book.recursive_scanning else 1):
            not_matching: list[tuple[int, EntryRules, str, _Keys | None]] = []
            before = len(matches)
            for place, rules, content, keys in candidates:
                if keys is None or keys.matches(*self._text(rules)):
                    matches.append((place, rules, content))
                else:
                    not_matching.append((place, rules, content, keys))
            if len(matches) == before or not not_matching:
                break
            candidates = not_matching
            contents = (content for _, _, content in matches[before:])
            self._matched_texts += [
                macros.expand(content, self._macro_values, "scan") for content in contents
            ]
            self._texts.clear()
        return matches

    def _candidates(self) -> list[tuple[int, EntryRules, str, _Keys | None]]:
        """Return the entries that may match; those without keys to search match in any case."""
        candidates: list[tuple[int, EntryRules, str, _Keys | None]] = []
        for place, entry in enumerate(self._book.entries):
            if not entry.enabled or not entry.content:
                continue
            rules, content = parse_decorators(entry.content)
            if rules.activate or (self._may_match(place, rules) and self._is_kept(place, rules)):
                candidates.append((place, rules, content, None))
            elif self._may_match(place, rules) and self._conditions_hold(rules):
                keys = _Keys(entry, rules, self._macro_values, self._time_budget)
                always = entry.constant and not keys.is_pattern
                candidates.append((place, rules, content, None if always else keys))
        return candidates

    def _may_match(self, place: int, rules: EntryRules) -> bool:
        return not rules.dont_activate and not (rules.not_after_match and place in self._scene.matched)

    def _is_kept(self, place: int, rules: EntryRules) -> bool:
        return rules.keep_after_match and place in self._scene.matched

    def _conditions_hold(self, rules: EntryRules) -> bool:
        """Whether the conditions hold that do not depend on keys."""
        answers = self._answers or 0
        return (
            (rules.only_after is None or answers >= rules.only_after)
            and (rules.only_every is None or answers % rules.only_every == 0)
            and (rules.greeting is None or rules.greeting == self._scene.greeting)
        )

    def _text(self, rules: EntryRules) -> tuple[_SearchedText, _SearchedText]:
        """Return the text to search, as it is and with its case folded."""
        depth = rules.scan_depth
        if depth is None:
            depth = SCAN_DEPTH if self._book.scan_depth is None else self._book.scan_depth
        depth = min(max(0, depth), len(self._scene.messages))
        if depth not in self._texts:
            messages = self._scene.messages[len(self._scene.messages) - depth :]
            spoken = "\n".join(message.content for message in messages)[-SCAN_CAP:]
            text = _normalize("\n".join([spoken, *self._matched_texts])[: 2 * SCAN_CAP])
            self._texts[depth] = _SearchedText(text), _SearchedText(text.casefold())
        return self._texts[depth]


def _is_pattern_key(key: str) -> bool:
    """Whether a key has the form of a pattern."""
    stripped = key.strip()
    return len(stripped) > 2 and stripped.startswith("/") and "/" in stripped[2:]


def _normalize(text: str) -> str:
    """Unify the encodings of accented characters: keys and messages come from different keyboards."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)
