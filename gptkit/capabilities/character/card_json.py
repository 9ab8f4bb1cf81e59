"""Read a card from the JSON object of V1, V2 or V3, and gptkit's own fields below `extensions`."""

from __future__ import annotations

from collections.abc import Mapping

from gptkit.capabilities.character import world
from gptkit.capabilities.character.card import (
    CARD,
    Action,
    Card,
    CardFinding,
    Report,
    Specification,
    convert_fields,
    texts,
)

OWN = "gptkit"
"""The key below `extensions` of the fields that no specification has."""
_SPECIFICATIONS: Mapping[str, Specification] = {"chara_card_v2": "V2", "chara_card_v3": "V3"}
_V1 = ("description", "personality", "scenario", "first_mes", "mes_example")


def parse_card(data: object, report: Report) -> Card | None:
    """Return the card; None after a fatal finding."""
    if not isinstance(data, dict):
        report(CardFinding("", "not a character card: no JSON object"))
        return None
    spec = data.get("spec")
    if spec is None and isinstance(data.get("name"), str) and any(key in data for key in _V1):
        return _card(data, "V1", "", report)
    if spec == "lorebook_v3":
        report(CardFinding("spec", "a lorebook without a character"))
        return None
    specification = _SPECIFICATIONS.get(spec) if isinstance(spec, str) else None
    inside = data.get("data")
    if specification is None:
        known = " or ".join(f"'{name}'" for name in _SPECIFICATIONS)
        report(CardFinding("spec", f"not a character card: must be {known}"))
        return None
    if not isinstance(inside, dict):
        report(CardFinding("data", "missing; it holds the character"))
        return None
    _check_version(data.get("spec_version"), specification, report)
    return _card(inside, specification, "data.", report)


def parse_actions(data: object, path: str, report: Report) -> tuple[Action, ...]:
    """Read the actions of a character: a list of names, or a mapping of names to their meanings."""
    if isinstance(data, dict):
        pairs = [(name, "" if meaning is None else meaning) for name, meaning in data.items()]
    elif isinstance(data, list):
        pairs = [(name, "") for name in data]
    else:
        report(CardFinding(path, "must be a list of names, or a mapping of names to what they mean"))
        return ()
    result: dict[str, Action] = {}
    for name, meaning in pairs[: world.MAX_VALUES]:
        if not isinstance(name, str) or not world.NAME.fullmatch(name):
            report(CardFinding(path, "a name consists of letters, digits, _ and -"))
        elif not isinstance(meaning, str):
            report(CardFinding(f"{path}.{name}", "must be text"))
        else:
            result[name] = Action(name, meaning)
    if len(pairs) > world.MAX_VALUES:
        report(CardFinding(path, f"more than {world.MAX_VALUES} actions"))
    return tuple(result.values())


def _card(source: Mapping[str, object], specification: Specification, path: str, report: Report) -> Card:
    fields = convert_fields(source, CARD, path, report)
    if not str(source.get("name") or "").strip():
        report(CardFinding(f"{path}name", "missing"))
    own = fields.get("extensions", {}).get(OWN)
    if isinstance(own, dict):
        fields |= _gptkit_fields(own, f"{path}extensions.{OWN}", report)
        rest = {key: value for key, value in own.items() if key not in ("state", "actions", "emotions")}
        others = {key: value for key, value in fields["extensions"].items() if key != OWN}
        fields["extensions"] = others | ({OWN: rest} if rest else {})
    return Card(**{"name": "", **fields, "specification": specification})


def _gptkit_fields(own: Mapping[str, object], path: str, report: Report) -> dict[str, object]:
    fields: dict[str, object] = {}
    if own.get("state") is not None:
        fields["state"] = world.parse_variables(own["state"], f"{path}.state", report)
    if own.get("actions") is not None:
        fields["actions"] = parse_actions(own["actions"], f"{path}.actions", report)
    if own.get("emotions") is not None:
        fields["emotions"] = texts(own["emotions"], f"{path}.emotions", report)
    return fields


def _check_version(version: object, specification: Specification, report: Report) -> None:
    """Report another version than expected, which V3 allows."""
    try:
        number = float(version) if isinstance(version, str) else None
    except ValueError:
        number = None
    newest = float(specification[1:])
    if number is None:
        report(CardFinding("spec_version", f"must be '{newest}'", fatal=False))
    elif number > newest:
        what = f"newer than {newest}, the version that is understood; some of it may have no effect"
        report(CardFinding("spec_version", what, fatal=False))
