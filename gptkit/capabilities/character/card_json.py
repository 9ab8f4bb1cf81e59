"""A card from the JSON object of V1, V2 or V3, and the part of it that is gptkit's own."""

from __future__ import annotations

from collections.abc import Mapping

from gptkit.capabilities.character import world
from gptkit.capabilities.character.card import CARD, Action, Card, Finding, Form, Report, texts, values

OWN = "gptkit"
"""The key below `extensions` that holds what no specification has a field for."""
_FORMS: Mapping[str, Form] = {"chara_card_v2": "V2", "chara_card_v3": "V3"}
_V1 = ("description", "personality", "scenario", "first_mes", "mes_example")


def card(data: object, report: Report) -> Card | None:
    """The card, or None after a grave finding that says why there is none."""
    if not isinstance(data, dict):
        report(Finding("", "not a character card: no JSON object"))
        return None
    spec = data.get("spec")
    if spec is None and isinstance(data.get("name"), str) and any(key in data for key in _V1):
        return _card(data, "V1", "", report)
    if spec == "lorebook_v3":
        report(Finding("spec", "a lorebook without a character"))
        return None
    form = _FORMS.get(spec) if isinstance(spec, str) else None
    inside = data.get("data")
    if form is None:
        known = " or ".join(f"'{name}'" for name in _FORMS)
        report(Finding("spec", f"not a character card: must be {known}"))
        return None
    if not isinstance(inside, dict):
        report(Finding("data", "missing; it holds the character"))
        return None
    _check_version(data.get("spec_version"), form, report)
    return _card(inside, form, "data.", report)


def actions(data: object, path: str, report: Report) -> tuple[Action, ...]:
    """A list of names, or a mapping of names to what they mean."""
    if isinstance(data, dict):
        pairs = [(name, "" if words is None else words) for name, words in data.items()]
    elif isinstance(data, list):
        pairs = [(name, "") for name in data]
    else:
        report(Finding(path, "must be a list of names, or a mapping of names to what they mean"))
        return ()
    found: dict[str, Action] = {}
    for name, words in pairs[: world.CAP]:
        if not isinstance(name, str) or not world.NAME.fullmatch(name):
            report(Finding(path, "a name consists of letters, digits, _ and -"))
        elif not isinstance(words, str):
            report(Finding(f"{path}.{name}", "must be text"))
        else:
            found[name] = Action(name, words)
    if len(pairs) > world.CAP:
        report(Finding(path, f"more than {world.CAP} actions"))
    return tuple(found.values())


def _card(source: Mapping[str, object], form: Form, path: str, report: Report) -> Card:
    found = values(source, CARD, path, report)
    if not str(source.get("name") or "").strip():
        report(Finding(f"{path}name", "missing"))
    own = found.get("extensions", {}).get(OWN)
    if isinstance(own, dict):
        found |= _own(own, f"{path}extensions.{OWN}", report)
        rest = {key: value for key, value in own.items() if key not in ("state", "actions", "emotions")}
        others = {key: value for key, value in found["extensions"].items() if key != OWN}
        found["extensions"] = others | ({OWN: rest} if rest else {})
    return Card(**{"name": "", **found, "form": form})


def _own(own: Mapping[str, object], path: str, report: Report) -> dict[str, object]:
    found: dict[str, object] = {}
    if own.get("state") is not None:
        found["state"] = world.variables(own["state"], f"{path}.state", report)
    if own.get("actions") is not None:
        found["actions"] = actions(own["actions"], f"{path}.actions", report)
    if own.get("emotions") is not None:
        found["emotions"] = texts(own["emotions"], f"{path}.emotions", report)
    return found


def _check_version(version: object, form: Form, report: Report) -> None:
    """Another version is no reason to refuse a card, says V3, but one to tell."""
    try:
        number = float(version) if isinstance(version, str) else None
    except ValueError:
        number = None
    newest = float(form[1:])
    if number is None:
        report(Finding("spec_version", f"must be '{newest}'", grave=False))
    elif number > newest:
        what = f"newer than {newest}, the version that is understood; some of it may have no effect"
        report(Finding("spec_version", what, grave=False))
