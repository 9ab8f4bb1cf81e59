"""`conversation: true` of prompt files: without words at a terminal the prompt loop opens."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from gptkit.core.yaml_tree import Problem
from gptkit.exchange.capability import Capability, import_on_call

if TYPE_CHECKING:
    from gptkit.core.yaml_tree import YamlNode
    from gptkit.session.call import Call

KEY = "conversation"
GIVEN_OTHERWISE = ("file", "stdin", "output", "json", "response", "dry-run")
"""Shared options that mean one exchange: input from elsewhere, or an answer that is not for a reader."""


def _is_wanted(node: "YamlNode", report: Callable[[Problem], None]) -> bool:
    value = node.data()
    if not isinstance(value, bool):
        report(Problem(node.line, KEY, f"must be true or false, this is {node.kind}"))
    return value is True


def _take_over(call: "Call") -> int | None:
    """Where someone sits at a terminal and has said nothing yet."""
    terminal = call.services.terminal
    given = call.values.get("text") or call.shared.first_given(GIVEN_OTHERWISE)
    at_terminal = terminal.stdin_is_terminal and terminal.stdout_is_terminal
    if not call.template.capabilities[KEY] or not at_terminal or given:
        return None
    code: int = _talk(call)
    return code


_talk = import_on_call("gptkit.capabilities.conversation.loop:talk")
CONVERSATION = Capability(KEY, _is_wanted, take_over=_take_over)
