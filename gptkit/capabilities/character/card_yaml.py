"""Read a card from YAML, gptkit's own format; and find the lesser problems of cards of any format."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from gptkit.capabilities.character import card as fields
from gptkit.capabilities.character import card_json, lorebook, macros, world
from gptkit.capabilities.character.card import Book, BookEntry, Card, CardField, CardFinding
from gptkit.capabilities.character.lorebook import key_patterns
from gptkit.capabilities.character.pattern import PatternError
from gptkit.core import yaml_tree
from gptkit.core.yaml_tree import Problem, ReportProblem, YamlFileError, YamlNode, parse_yaml

_CARD = tuple(field._replace(key=field.name) for field in fields.CARD if field.name != "alternate_greetings")
_GAME = ("state", "actions", "emotions")
_MORE = ("greetings", *_GAME, "unknown")
KEYS = (*(field.name for field in _CARD), *_MORE)
_PART = re.compile(r"[^.\[\]]+")


def parse_card(text: str, source: str) -> Card:
    """Read the card of a YAML text; raises YamlFileError with all its problems."""
    root = parse_yaml(text, source)
    problems: list[Problem] = []

    def report(finding: CardFinding) -> None:
        problems.append(Problem(_line(root, finding.field), finding.field, finding.message))

    if not isinstance(root.value, dict):
        what = f"a character is a mapping of keys, this is {root.kind}"
        raise YamlFileError(source, (Problem(root.line, "", what),))
    data = _object(root, _CARD, "", problems.append, _MORE)
    entries = {key: node for key, node in root.value.items() if node.kind != "nothing"}
    game = {key: _texts(entries[key]) if key == "emotions" else data[key] for key in _GAME if key in entries}
    data["examples"] = _examples(entries.get("examples"), problems.append)
    basic = {key: value for key, value in data.items() if key not in _MORE}
    values = fields.convert_fields(basic, _CARD, "", report)
    values |= _greetings(entries, problems.append)
    if "state" in game:
        values["state"] = world.parse_variables(game["state"], "state", report)
    if "actions" in game:
        values["actions"] = card_json.parse_actions(game["actions"], "actions", report)
    if "emotions" in game:
        values["emotions"] = fields.texts(game["emotions"], "emotions", report)
    if not str(values.get("name", "")).strip() and not problems:  # beside others it is most often misspelt
        problems.append(Problem(root.line, "name", "missing"))
    if problems:
        raise YamlFileError(source, tuple(problems))
    return Card(**{**values, "specification": "YAML"})


def _object(
    node: YamlNode, table: tuple[CardField, ...], path: str, report: ReportProblem, more: Sequence[str] = ()
) -> dict[str, object]:
    """Return a mapping as the JSON formats have it; the keys below `unknown` belong to no specification."""
    allowed = [field.name for field in table] + list(more or ("unknown",))
    converters = {field.name: field.convert for field in table}
    result: dict[str, object] = {}
    for key, child in yaml_tree.mapping_entries(node, path.rstrip("."), report, allowed).items():
        if key == "unknown":
            others = child.data()
            result |= others if isinstance(others, dict) else {}
        elif child.kind != "nothing":
            result[key] = _value(child, converters.get(key), path + key, report)
    return result


def _value(node: YamlNode, convert: fields.Convert | None, path: str, report: ReportProblem) -> object:
    """Return the data of a node; texts as they were written, even if YAML would read a number."""
    if convert in (fields.text, fields.note) and isinstance(node.value, str):
        return node.value
    if convert in (fields.texts, fields.notes, fields.keys):
        return _texts(node)
    if convert is fields.book and isinstance(node.value, dict):
        return _object(node, fields.BOOK, f"{path}.", report)
    table = fields.ENTRY if convert is fields.entries else fields.ASSET if convert is fields.assets else None
    if table and isinstance(node.value, list):
        return [_item(item, table, f"{path}[{at}]", report) for at, item in enumerate(node.value)]
    return node.data()


def _item(node: YamlNode, table: tuple[CardField, ...], path: str, report: ReportProblem) -> object:
    return _object(node, table, f"{path}.", report) if isinstance(node.value, dict) else node.data()


def _texts(node: YamlNode) -> object:
    """Return a list of texts; a single text may stand without a list."""
    if isinstance(node.value, str):
        return [node.value]
    if isinstance(node.value, list):
        return [item.value if isinstance(item.value, str) else item.data() for item in node.value]
    return node.data()


def _greetings(entries: Mapping[str, YamlNode], report: ReportProblem) -> dict[str, object]:
    """Return the fields of `greetings`: the greeting and its alternates."""
    several = entries.get("greetings")
    if several is None:
        return {}
    if "greeting" in entries:
        report(Problem(several.line, "greetings", "'greeting' and 'greetings' do not go together"))
    texts = yaml_tree.literal_texts(several, "greetings", report)
    return {"greeting": texts[0], "alternate_greetings": texts[1:]} if texts else {}


def _examples(node: YamlNode | None, report: ReportProblem) -> str | None:
    """Return the examples: one text, or a list of conversations as texts or mappings of `user` and `char`."""
    if node is None:
        return None
    if isinstance(node.value, str):
        return node.value
    return "\n".join(
        f"<START>\n{_example(item, report)}" for item in yaml_tree.list_items(node, "examples", report)
    )


def _example(node: YamlNode, report: ReportProblem) -> str:
    if isinstance(node.value, str):
        return node.value
    turns = yaml_tree.mapping_entries(node, "examples", report, ("user", "char"))
    return "\n".join(
        f"{{{{{speaker}}}}}: {yaml_tree.text_value(words, 'examples', report)}"
        for speaker, words in turns.items()
    )


def _line(root: YamlNode, path: str) -> int:
    """Return the line of the node at a path such as `book.entries[3].keys`, or of the nearest above."""
    node = root
    for part in _PART.findall(path):
        if isinstance(node.value, dict) and part in node.value:
            node = node.value[part]
        elif isinstance(node.value, list) and part.isdecimal() and int(part) < len(node.value):
            node = node.value[int(part)]
        else:
            break
    return node.line


CAP = 200
"""Findings that are reported at most."""
_READ = ("description", "personality", "scenario", "greeting", "examples", "system", "post_history")
_HIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ufeff]")
_TAGS = re.compile("[\U000e0000-\U000e007f]")


def find_problems(card: Card) -> tuple[CardFinding, ...]:
    """Return at most `CAP` findings about a usable card, none of them fatal."""
    findings: list[CardFinding] = []
    for finding in _findings(card):
        if len(findings) == CAP:
            findings.append(CardFinding("", "and more", fatal=False))
            break
        findings.append(finding._replace(fatal=False))
    return tuple(findings)


def _findings(card: Card) -> Iterator[CardFinding]:
    paths = _paths(card)
    if not (card.description or card.personality or card.system):
        yield CardFinding(paths["description"], "empty, as are personality and system prompt")
    if not any(card.greetings):
        yield CardFinding(paths["greeting"], "empty; the character is the first to speak")
    for name in _READ:
        yield from _text_findings(paths[name], getattr(card, name))
    for index, text in enumerate(card.alternate_greetings):
        path = (
            f"greetings[{index + 1}]"
            if card.specification == "YAML"
            else f"data.alternate_greetings[{index}]"
        )
        yield from _text_findings(path, text)
    yield from _asset_findings(card, paths["assets"])
    if card.book:
        yield from _book_findings(card.book, paths["book"])


def _paths(card: Card) -> dict[str, str]:
    """Return the names of the fields in the card's own format."""
    if card.specification == "YAML":
        return {field.name: field.name for field in fields.CARD}
    return {field.name: ("" if card.specification == "V1" else "data.") + field.key for field in fields.CARD}


def _text_findings(path: str, text: str) -> Iterator[CardFinding]:
    for name in dict.fromkeys(macros.unknown_macros(text)):
        yield CardFinding(path, f"nothing replaces '{{{{{name}}}}}'; it is sent as it is")
    if text.count("{{") != text.count("}}"):
        yield CardFinding(path, "a '{{' without its '}}', or a '}}' without its '{{'")
    if hidden := _HIDDEN.search(text) or _TAGS.search(text):
        yield CardFinding(path, f"holds the invisible character U+{ord(hidden.group()):04X}")


def _asset_findings(card: Card, path: str) -> Iterator[CardFinding]:
    assets = card.assets or ()
    for kind, least in (("icon", 1), ("background", 0)):
        names = [asset.name for asset in assets if asset.type == kind]
        if len(names) > 1 and not least <= names.count("main") <= 1:
            expected = "exactly one" if least else "at most one"
            yield CardFinding(path, f"of several assets of the type {kind} {expected} must be named main")
    for place, asset in enumerate(assets):
        if not asset.type or not asset.uri:
            yield CardFinding(f"{path}[{place}]", "needs a type and a uri")


def _book_findings(book: Book, path: str) -> Iterator[CardFinding]:
    for name, number in (("scan_depth", book.scan_depth), ("token_budget", book.token_budget)):
        if number is not None and number < 0:
            yield CardFinding(f"{path}.{name}", "must not be negative")
    for place, entry in enumerate(book.entries):
        yield from _entry_findings(entry, f"{path}.entries[{place}]")


def _entry_findings(entry: BookEntry, path: str) -> Iterator[CardFinding]:
    if not entry.enabled:
        return
    rules, content = lorebook.parse_decorators(entry.content)
    if not content.strip():
        yield CardFinding(f"{path}.content", "empty; the entry adds nothing")
    for name in rules.unknown_decorators:
        yield CardFinding(
            f"{path}.content", f"the decorator '@@{name}' is not understood, or has no such value"
        )
    keys = [key for key in entry.keys if key.strip()]
    if not keys and not entry.constant and not rules.activate:
        yield CardFinding(f"{path}.keys", "none, and the entry is not constant: it never matches")
    if entry.selective and not any(entry.secondary_keys):
        yield CardFinding(f"{path}.secondary_keys", "none, though selective is true")
    try:
        patterns = key_patterns(entry, entry.keys)
    except PatternError as error:
        yield CardFinding(f"{path}.keys", f"a pattern that never matches: {error}")
        patterns = []
    if patterns and entry.constant:
        yield CardFinding(f"{path}.constant", "has no effect beside patterns")
    yield from _text_findings(f"{path}.content", content)
