"""gptkit's own format of a character: YAML, with problems told by line and key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from gptkit.capabilities.character import card as fields
from gptkit.capabilities.character import card_json, lorebook, macros, world
from gptkit.capabilities.character.card import Book, Card, Entry, Field, Finding
from gptkit.capabilities.character.lorebook import key_patterns
from gptkit.capabilities.character.pattern import PatternError
from gptkit.core import yaml_tree
from gptkit.core.yaml_tree import Problem, ReportProblem, YamlFileError, YamlNode, parse_yaml

_CARD = tuple(field._replace(key=field.name) for field in fields.CARD if field.name != "alternate_greetings")
_GAME = ("state", "actions", "emotions")
_MORE = ("greetings", *_GAME, "unknown")
KEYS = (*(field.name for field in _CARD), *_MORE)
_PART = re.compile(r"[^.\[\]]+")


def card(text: str, source: str) -> Card:
    """The card of a YAML text; raises YamlFileError with every problem that was found."""
    root = parse_yaml(text, source)
    problems: list[Problem] = []

    def finding(one: Finding) -> None:
        problems.append(Problem(_line(root, one.field), one.field, one.message))

    if not isinstance(root.value, dict):
        what = f"a character is a mapping of keys, this is {root.kind}"
        raise YamlFileError(source, (Problem(root.line, "", what),))
    data = _object(root, _CARD, "", problems.append, _MORE)
    entries = {key: node for key, node in root.value.items() if node.kind != "nothing"}
    game = {key: _texts(entries[key]) if key == "emotions" else data[key] for key in _GAME if key in entries}
    data["examples"] = _examples(entries.get("examples"), problems.append)
    rest = {key: value for key, value in data.items() if key not in _MORE}
    found = fields.values(rest, _CARD, "", finding)
    found |= _greetings(entries, problems.append)
    if "state" in game:
        found["state"] = world.variables(game["state"], "state", finding)
    if "actions" in game:
        found["actions"] = card_json.actions(game["actions"], "actions", finding)
    if "emotions" in game:
        found["emotions"] = fields.texts(game["emotions"], "emotions", finding)
    if not str(found.get("name", "")).strip() and not problems:  # beside others it is most often misspelt
        problems.append(Problem(root.line, "name", "missing"))
    if problems:
        raise YamlFileError(source, tuple(problems))
    return Card(**{**found, "form": "YAML"})


def _object(
    node: YamlNode, table: tuple[Field, ...], path: str, report: ReportProblem, more: Sequence[str] = ()
) -> dict[str, object]:
    """The entries of a mapping as JSON would have them; what no specification knows stands in `unknown`."""
    allowed = [field.name for field in table] + list(more or ("unknown",))
    converters = {field.name: field.convert for field in table}
    found: dict[str, object] = {}
    for key, child in yaml_tree.mapping_entries(node, path.rstrip("."), report, allowed).items():
        if key == "unknown":
            others = child.data()
            found |= others if isinstance(others, dict) else {}
        elif child.kind != "nothing":
            found[key] = _value(child, converters.get(key), path + key, report)
    return found


def _value(node: YamlNode, convert: fields.Convert | None, path: str, report: ReportProblem) -> object:
    """Texts as they were written, whatever YAML would make of them."""
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


def _item(node: YamlNode, table: tuple[Field, ...], path: str, report: ReportProblem) -> object:
    return _object(node, table, f"{path}.", report) if isinstance(node.value, dict) else node.data()


def _texts(node: YamlNode) -> object:
    """A list of texts; a single one may stand without its list."""
    if isinstance(node.value, str):
        return [node.value]
    if isinstance(node.value, list):
        return [item.value if isinstance(item.value, str) else item.data() for item in node.value]
    return node.data()


def _greetings(entries: Mapping[str, YamlNode], report: ReportProblem) -> dict[str, object]:
    """`greeting` is the first; `greetings` has it and its alternates."""
    several = entries.get("greetings")
    if several is None:
        return {}
    if "greeting" in entries:
        report(Problem(several.line, "greetings", "'greeting' and 'greetings' do not go together"))
    texts = yaml_tree.literal_texts(several, "greetings", report)
    return {"greeting": texts[0], "alternate_greetings": texts[1:]} if texts else {}


def _examples(node: YamlNode | None, report: ReportProblem) -> str | None:
    """One text, or a list of conversations: texts, or mappings of `user` and `char` to what they say."""
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
    said = yaml_tree.mapping_entries(node, "examples", report, ("user", "char"))
    return "\n".join(
        f"{{{{{who}}}}}: {yaml_tree.text_value(words, 'examples', report)}" for who, words in said.items()
    )


def _line(root: YamlNode, path: str) -> int:
    """The line of the node that a path such as `book.entries[3].keys` leads to, or of the nearest."""
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
        yield Finding(path, "a '{{' without its '}}', or a '}}' without its '{{'")
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
    rules, content = lorebook.read(entry.content)
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
