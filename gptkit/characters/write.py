"""A card becomes V3 JSON, or gptkit's own YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gptkit.characters import fields, world
from gptkit.characters.build import OWN
from gptkit.characters.card import Asset, Book, Card, Entry
from gptkit.errors import DataFault

if TYPE_CHECKING:
    import yaml

YAML_CAP = 1 << 20  # these three: what is read again
DEPTH_CAP = 20
COUNT_CAP = 50_000
_INSIDE = ("embeded:", "__asset:", "ccdefault:")
_REQUIRED = ("extensions", "keys", "content", "enabled", "insertion_order", "use_regex", "entries")
_TYPED = re.compile(r"[-+.~0-9].*|null|true|false|yes|no|on|off|y|n", re.IGNORECASE | re.DOTALL)


def v3(card: Card, modified: float | None = None) -> bytes:
    """The card as a `chara_card_v3` file. `modified` is the time of the export in Unix seconds."""
    data = {**card.unknown, **_record(card, fields.CARD)}
    for field in fields.CARD:
        if field.convert in (fields.text, fields.note) and field.name != "nickname":
            data.setdefault(field.key, "")
    for key in ("alternate_greetings", "group_only_greetings", "tags"):
        data.setdefault(key, [])
    data["extensions"] = _extensions(card)
    if modified is not None:
        data["modification_date"] = int(modified)
    whole = {"spec": "chara_card_v3", "spec_version": "3.0", "data": data}
    return (json.dumps(whole, ensure_ascii=False, indent=2) + "\n").encode("utf-8", "replace")


def own(card: Card) -> str:
    """The card as gptkit's YAML; raises DataFault for one that this format cannot hold."""
    record = _record(card, fields.CARD, own_names=True)
    first, others = record.pop("greeting", ""), record.pop("alternate_greetings", [])
    if others:
        record["greetings"] = [first, *others]
    elif first:
        record["greeting"] = first
    record |= _world(card)
    if card.unknown:
        record["unknown"] = card.unknown
    record = {"name": card.name, **record}
    count = _check(record)
    text = _dumped(record) if count < COUNT_CAP else ""
    if not text or len(text) > YAML_CAP:
        raise DataFault(f"'{card.name}': too large a card for YAML", hint="write it as JSON")
    return text


def left_behind(card: Card) -> tuple[str, ...]:
    """URIs of assets that are in the file the card came from, and are not in what is written here."""
    return tuple(asset.uri for asset in card.assets or () if asset.uri.startswith(_INSIDE))


def _record(
    value: Card | Book | Entry | Asset, table: tuple[fields.Field, ...], own_names: bool = False
) -> dict[str, Any]:
    """Fields that hold something other than their default, and those that V3 requires."""
    usual: Mapping[str, object] = type(value)._field_defaults
    found: dict[str, Any] = {}
    for field in table:
        held = getattr(value, field.name)
        required = not own_names and field.name in _REQUIRED and not isinstance(value, Card)
        if held == usual.get(field.name) and not required:
            continue
        found[field.name if own_names else field.key] = _plain(held, own_names)
    return found


def _plain(held: object, own_names: bool) -> object:
    for kind, table in ((Book, fields.BOOK), (Entry, fields.ENTRY), (Asset, fields.ASSET)):
        if isinstance(held, kind):
            record = _record(held, table, own_names)
            if own_names:
                return record | ({"unknown": held.unknown} if held.unknown else {})
            return {**held.unknown, **_whole_asset(held), **record}
    return [_plain(item, own_names) for item in held] if isinstance(held, tuple) else held


def _whole_asset(held: object) -> dict[str, object]:
    return {"type": "", "uri": "", "name": "", "ext": ""} if isinstance(held, Asset) else {}


def _extensions(card: Card) -> dict[str, object]:
    extra = _world(card)
    below = card.extensions.get(OWN)
    kept = below if isinstance(below, Mapping) else {}
    return {**card.extensions, **({OWN: {**kept, **extra}} if extra else {})}


def _world(card: Card) -> dict[str, object]:
    state = {variable.name: world.declaration(variable) for variable in card.state}
    actions = {action.name: action.help for action in card.actions}
    found = {"state": state, "actions": actions, "emotions": list(card.emotions)}
    return {key: value for key, value in found.items() if value}


def _check(value: object, depth: int = 0) -> int:
    """How many values there are; raises DataFault for what would not be read again."""
    if depth > DEPTH_CAP:
        raise DataFault("nested too deep for YAML", hint="write it as JSON")
    if isinstance(value, Mapping):
        if not all(value):
            raise DataFault(
                "an extension with an empty name, which YAML cannot hold", hint="write it as JSON"
            )
        return 1 + len(value) + sum(_check(item, depth + 1) for item in value.values())
    if isinstance(value, list | tuple):
        return 1 + sum(_check(item, depth + 1) for item in value)
    return 1


def _dumped(record: Mapping[str, object]) -> str:
    import yaml

    class Dumper(yaml.CSafeDumper):
        def ignore_aliases(self, _: object) -> bool:
            return True

    def written(dumper: Dumper, text: str) -> yaml.ScalarNode:
        style = "|" if "\n" in text else '"' if _TYPED.fullmatch(text) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)

    Dumper.add_representer(str, written)
    return yaml.dump(record, Dumper=Dumper, allow_unicode=True, sort_keys=False, width=100)
