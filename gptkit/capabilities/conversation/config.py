"""The capability `conversation`: at a terminal, without words, the prompt loop opens."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from gptkit.core.yaml_tree import Problem
from gptkit.exchange.capability import Capability, import_on_call

if TYPE_CHECKING:
    from gptkit.core.yaml_tree import YamlNode
    from gptkit.session.call import Call

KEY = "conversation"
SINGLE_EXCHANGE = ("file", "stdin", "output", "copy", "extract", "schema", "json", "response", "dry-run")
"""Shared options that mean a single exchange: other input, or an answer for a program or a file."""


def _parse_config(node: "YamlNode", report: Callable[[Problem], None]) -> bool:
    """Read `conversation: true` or `false`."""
    value = node.data()
    if not isinstance(value, bool):
        report(Problem(node.line, KEY, f"must be true or false, this is {node.kind}"))
    return value is True


def _take_over(call: "Call") -> int | None:
    """Open the prompt loop if a person sits at a terminal and has given no text yet; else return None."""
    terminal = call.services.terminal
    has_text = call.values.get("text") or call.shared.first_given(SINGLE_EXCHANGE)
    at_terminal = terminal.stdin_is_terminal and terminal.stdout_is_terminal
    if not call.template.capabilities[KEY] or not at_terminal or has_text:
        return None
    code: int = _open_loop(call)
    return code


_open_loop = import_on_call("gptkit.capabilities.conversation.loop:open_loop")
CONVERSATION = Capability(KEY, _parse_config, take_over=_take_over)
