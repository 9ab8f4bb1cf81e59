"""Runs a prompt command: gathers the input, asks, and shows the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gptkit.exchange.invocation import check_attached
from gptkit.session import answer
from gptkit.session.call import Call
from gptkit.session.conversation import Conversation

if TYPE_CHECKING:
    from gptkit.core.chat import Message
    from gptkit.services import Services
    from gptkit.session.options import SharedOptions
    from gptkit.templates.template import Template, Value


def run_prompt(
    services: Services, template: Template, values: Mapping[str, Value], shared: SharedOptions
) -> int:
    """Run a prompt with the values of the command line; returns the exit code."""
    call = Call(services, template, values, shared)
    # --max-tokens is left out: it limits one answer or a whole job, which is known only later
    services.override(shared._replace(max_tokens=None)._asdict())
    for capability in services.capabilities_of(template):
        if capability.take_over is not None and (code := capability.take_over(call)) is not None:
            return code
    return _run_exchange(call)


def sent_messages(
    services: Services, template: Template, values: Mapping[str, Value], shared: SharedOptions
) -> tuple[Message, ...]:
    """Return the messages of the first request that a command line would send."""
    call = Call(services, template, values, shared._replace(dry_run=True))
    services.override(call.shared._replace(max_tokens=None)._asdict())
    prompt_input = call.read_input()
    return _open_conversation(call).next_request(prompt_input)[1].messages


def _run_exchange(call: Call) -> int:
    services, prompt_input = call.services, call.read_input()
    conversation = _open_conversation(call)
    if call.shared.dry_run:
        invocation, sent = conversation.next_request(prompt_input)
        check_attached(invocation)
        answer.show_request(services.terminal, call.display, sent, services.url, invocation)
        return 0
    outcome = conversation.answer_with_greeting(prompt_input) or conversation.exchange(prompt_input)
    if outcome.failure is not None:
        services.terminal.report(outcome.failure, as_json=call.display.as_json)
        return outcome.failure.code
    return 0


def _open_conversation(call: Call) -> Conversation:
    session = call.open_session()  # which changes `call.shared` where no session can be opened
    conversation = Conversation(call.services, call.template, call.shared, session)
    conversation.greeting = call.greeting()
    return conversation
