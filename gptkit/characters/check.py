"""What is wrong with a card that can be used: things its author would want to know."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gptkit.characters import decorators, fields, macros
from gptkit.characters.book import key_patterns
from gptkit.characters.card import Book, Card, Entry, Finding
from gptkit.characters.pattern import PatternError

CAP = 200
"""More findings help nobody."""
_READ = ("description", "personality", "scenario", "greeting", "examples", "system", "post_history")
_HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ufeff]")
_TAGS = re.compile("[\U000e0000-\U000e007f]")


def findings(card: Card) -> tuple[Finding, ...]:
    """At most `CAP` findings, none of them grave."""
    found: list[Finding] = []
    for finding in _findings(card):
        if len(found) == CAP:
            found.append(Finding("", "and more", grave=False))
            break
        found.append(finding._replace(grave=False))
    return tuple(found)


def _findings(card: Card) -> Iterator[Finding]:
    paths = _paths(card)
    if not (card.description or card.personality or card.system):
        yield Finding(paths["description"], "empty, as are personality and system prompt")
    if not any(card.greetings):
        yield Finding(paths["greeting"], "empty; the character is the first to speak")
    for name in _READ:
        yield from _text_findings(paths[name], getattr(card, name))
    for place, text in enumerate(card.alternate_greetings):
        shown = f"greetings[{place + 1}]" if card.form == "YAML" else f"data.alternate_greetings[{place}]"
        yield from _text_findings(shown, text)
    yield from _asset_findings(card, paths["assets"])
    if card.book:
        yield from _book_findings(card.book, paths["book"])


def _paths(card: Card) -> dict[str, str]:
    """How the card's own format calls its fields."""
    if card.form == "YAML":
        return {field.name: field.name for field in fields.CARD}
    return {field.name: ("" if card.form == "V1" else "data.") + field.key for field in fields.CARD}


def _text_findings(path: str, text: str) -> Iterator[Finding]:
    for name in dict.fromkeys(macros.unknown(text)):
        yield Finding(path, f"nothing replaces '{{{{{name}}}}}'; it is sent as it is")
    if text.count("{{") != text.count("}}"):
        yield Finding(path, "a {{ without its }}, or the other way round")
    if hidden := _HIDDEN.search(text) or _TAGS.search(text):
        yield Finding(path, f"holds the invisible character U+{ord(hidden.group()):04X}")


def _asset_findings(card: Card, path: str) -> Iterator[Finding]:
    assets = card.assets or ()
    for kind, least in (("icon", 1), ("background", 0)):
        names = [asset.name for asset in assets if asset.type == kind]
        if len(names) > 1 and not least <= names.count("main") <= 1:
            wanted = "exactly one" if least else "at most one"
            yield Finding(path, f"of several assets of the type {kind} {wanted} must be named main")
    for place, asset in enumerate(assets):
        if not asset.type or not asset.uri:
            yield Finding(f"{path}[{place}]", "needs a type and a uri")


def _book_findings(book: Book, path: str) -> Iterator[Finding]:
    for name, number in (("scan_depth", book.scan_depth), ("token_budget", book.token_budget)):
        if number is not None and number < 0:
            yield Finding(f"{path}.{name}", "must not be negative")
    for place, entry in enumerate(book.entries):
        yield from _entry_findings(entry, f"{path}.entries[{place}]")


def _entry_findings(entry: Entry, path: str) -> Iterator[Finding]:
    if not entry.enabled:
        return
    rules, content = decorators.read(entry.content)
    if not content.strip():
        yield Finding(f"{path}.content", "empty; the entry adds nothing")
    for name in rules.strange:
        yield Finding(f"{path}.content", f"the decorator '@@{name}' is not understood, or has no such value")
    keys = [key for key in entry.keys if key.strip()]
    if not keys and not entry.constant and not rules.activate:
        yield Finding(f"{path}.keys", "none, and the entry is not constant: it never matches")
    if entry.selective and not any(entry.secondary_keys):
        yield Finding(f"{path}.secondary_keys", "none, though selective is true")
    try:
        patterns = key_patterns(entry, entry.keys)
    except PatternError as error:
        yield Finding(f"{path}.keys", f"a pattern that never matches: {error}")
        patterns = []
    if patterns and entry.constant:
        yield Finding(f"{path}.constant", "has no effect beside patterns")
    yield from _text_findings(f"{path}.content", content)
