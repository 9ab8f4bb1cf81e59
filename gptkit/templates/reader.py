"""Reads nodes as what a key wants, and reports what does not fit by line and key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from gptkit.templates.tree import Problem

if TYPE_CHECKING:
    from gptkit.templates.tree import Node

Report = Callable[[Problem], None]


def text(node: Node | None, key: str, report: Report) -> str:
    """A text as it was written, whatever YAML would make of it; `null` is none."""
    return "" if node is None or node.kind == "nothing" else literal(node, key, report)


def literal(node: Node, key: str, report: Report) -> str:
    """A text as it was written, also where it is `null`: a word like any other among words."""
    if isinstance(node.value, str):
        return node.value
    report(Problem(node.line, key, f"must be text, this is {node.kind}"))
    return ""


def word(node: Node | None, key: str, report: Report) -> str:
    """A text of one line."""
    found = text(node, key, report).strip()
    if node and "\n" in found:
        report(Problem(node.line, key, "must be a single line"))
    return found


def listed(node: Node | None, key: str, report: Report) -> Sequence[Node]:
    if node is None or node.kind == "nothing":
        return ()
    if isinstance(node.value, list):
        return node.value
    report(Problem(node.line, key, f"must be a list, this is {node.kind}"))
    return ()


def literals(node: Node | None, key: str, report: Report) -> tuple[str, ...]:
    """A list of texts."""
    return tuple(literal(item, key, report) for item in listed(node, key, report))


def mapping(node: Node | None, key: str, report: Report, allowed: Sequence[str] = ()) -> Mapping[str, Node]:
    """The entries of a mapping; with `allowed`, others are reported and left out."""
    if node is None or node.kind == "nothing":
        return {}
    if not isinstance(node.value, dict):
        report(Problem(node.line, key, f"must be a mapping of keys, this is {node.kind}"))
        return {}
    if not allowed:
        return node.value
    for name, entry in node.value.items():
        if name not in allowed:
            report(Problem(entry.line, f"{key}.{name}".lstrip("."), "unknown key", nearest(name, allowed)))
    return {name: entry for name, entry in node.value.items() if name in allowed}


def nearest(found: str, allowed: Sequence[str]) -> str:
    """A hint: the allowed word that was probably meant, or all of them."""
    from difflib import get_close_matches

    words = tuple(dict.fromkeys(allowed))
    begun = [one for one in words if len(found) > 1 and one.startswith(found)]
    close = begun if len(begun) == 1 else get_close_matches(found.lower(), words, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"allowed: {', '.join(words)}" if words else ""
