"""Parameters that a model rejects: dropped or renamed once, remembered, never lost against its user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from engine_parts import Parts, Plain, Shown, question, said

from gptkit.core.chat import AnswerDelta, Finished
from gptkit.core.errors import GptkitError, NoInputError, TryAgainError, UnavailableError
from gptkit.exchange.invocation import Invocation, build_request
from gptkit.exchange.retry import send_with_retries
from gptkit.templates.template import Template

MANY, NEW = "max_tokens", "max_completion_tokens"


def rejected(name: str) -> UnavailableError:
    return UnavailableError(f"request not accepted (400): unsupported parameter: '{name}'", parameter=name)


def bodies(parts: Parts) -> list[dict[str, object]]:
    return [dict(sent.parameters) for sent in parts.sent]


def failing(parts: Parts, parameters: Mapping[str, object], droppable: list[str]) -> GptkitError:
    with pytest.raises(GptkitError) as caught:
        send_with_retries(question(parameters, droppable), parts.runtime, None)
    return caught.value


def test_a_rejected_parameter_is_dropped_once_and_remembered() -> None:
    parts = Parts([[rejected("temperature")], said("a")])
    outcome = send_with_retries(
        question({"temperature": 0.2, "seed": 1}, ["temperature"]), parts.runtime, Shown()
    )
    assert (outcome.answer, outcome.reply.attempts, parts.budget.request_count) == ("a", 2, 2)
    assert bodies(parts) == [{"temperature": 0.2, "seed": 1}, {"seed": 1}]
    assert parts.known == {"gpt-0": {"temperature"}}
    assert parts.pauses == []
    assert parts.notices == ["'gpt-0' does not take 'temperature'; sent again without it"]


def test_what_is_remembered_is_not_sent_again() -> None:
    parts = Parts([said("a")], known={"gpt-0": {"temperature"}})
    send_with_retries(question({"temperature": 0.2, "seed": 1}, ["temperature"]), parts.runtime, None)
    assert bodies(parts) == [{"seed": 1}]


def test_what_is_remembered_of_one_model_is_nothing_to_another() -> None:
    parts = Parts([said("a")], known={"gpt-1": {"temperature"}})
    send_with_retries(question({"temperature": 0.2}, ["temperature"]), parts.runtime, None)
    assert bodies(parts) == [{"temperature": 0.2}]


def test_several_rejected_parameters_go_one_by_one() -> None:
    parts = Parts([[rejected("a")], [rejected("b")], [rejected("c")], said("x")])
    send_with_retries(question({"a": 1, "b": 2, "c": 3, "d": 4}, ["a", "b", "c", "d"]), parts.runtime, None)
    assert bodies(parts)[-1] == {"d": 4}
    assert parts.known == {"gpt-0": {"a", "b", "c"}}


def test_dropping_uses_up_no_tries() -> None:
    busy = TryAgainError("too many requests", tries=2)
    parts = Parts([[rejected("a")], [busy], said("x")])
    assert send_with_retries(question({"a": 1}, ["a"]), parts.runtime, None).reply.attempts == 3


def test_every_request_counts_in_the_error_and_in_the_budget() -> None:
    parts = Parts([[rejected("a")], [rejected("b")]])
    failure = failing(parts, {"a": 1, "b": 2}, ["a"])
    assert (failure.parameter, failure.attempts, parts.budget.request_count) == ("b", 2, 2)
    parts = Parts([[rejected("a")]], requests=1)
    failure = failing(parts, {"a": 1}, ["a"])
    assert (failure.code, failure.attempts) == (82, 1)
    assert failure.message.startswith(
        "the budget of 1 request is used up; the last request failed: request not"
    )


@pytest.mark.parametrize(
    ("parameters", "droppable", "name"),
    [
        ({"temperature": 2}, [], "temperature"),  # typed
        ({"temperature": 2}, ["temperature"], "top_p"),  # never sent
        ({}, [], "messages"),
        ({}, [], MANY),
        ({}, [], ""),
    ],
)
def test_what_was_typed_or_never_sent_is_not_dropped(
    parameters: dict[str, object], droppable: list[str], name: str
) -> None:
    parts = Parts([[rejected(name)]])
    failure = failing(parts, parameters, droppable)
    assert (failure.code, failure.attempts, parts.known, parts.notices) == (69, 1, {}, [])


def test_what_was_typed_is_sent_though_it_was_rejected_before() -> None:
    parts = Parts([[rejected("temperature")]], known={"gpt-0": {"temperature"}})
    failing(parts, {"temperature": 2}, [])
    assert bodies(parts) == [{"temperature": 2}]


def test_nothing_is_adjusted_once_text_was_shown() -> None:
    parts = Parts([[AnswerDelta("par"), rejected("a")]])
    outcome = send_with_retries(question({"a": 1}, ["a"]), parts.runtime, Shown())
    assert (outcome.answer, len(parts.sent), parts.known) == ("par", 1, {})


@pytest.mark.parametrize("droppable", [True, False])
@pytest.mark.parametrize(("name", "twin"), [(MANY, NEW), (NEW, MANY)])
def test_the_token_limit_is_sent_under_its_other_name(name: str, twin: str, droppable: bool) -> None:
    parts = Parts([[rejected(name)], said("a"), said("b")])
    asked = question({name: 9, "seed": 1}, [name] if droppable else [])
    send_with_retries(asked, parts.runtime, None)
    assert bodies(parts) == [{name: 9, "seed": 1}, {"seed": 1, twin: 9}]
    assert parts.known == {"gpt-0": {name}}
    assert parts.notices == [f"'gpt-0' does not take '{name}'; sent again as '{twin}'"]
    send_with_retries(asked, parts.runtime, None)
    assert bodies(parts)[2] == {"seed": 1, twin: 9}


def test_a_typed_limit_goes_through_both_names_and_then_fails() -> None:
    parts = Parts([[rejected(MANY)], [rejected(NEW)]])
    failure = failing(parts, {MANY: 9}, [])
    assert bodies(parts) == [{MANY: 9}, {NEW: 9}]
    assert (failure.parameter, failure.attempts) == (NEW, 2)
    assert parts.known == {}, "a limit that is too large is rejected under both names"


def test_a_limit_of_a_file_goes_through_both_names_and_is_then_dropped() -> None:
    parts = Parts([[rejected(MANY)], [rejected(NEW)], said("a")])
    send_with_retries(question({MANY: 9}, [MANY]), parts.runtime, None)
    assert bodies(parts) == [{MANY: 9}, {NEW: 9}, {}]
    assert parts.known == {"gpt-0": {MANY, NEW}}


@pytest.mark.parametrize(("droppable", "sent"), [([MANY], {}), ([], {MANY: 9})])
def test_two_names_that_were_both_rejected_are_not_swapped_for_ever(
    droppable: list[str], sent: dict[str, Any]
) -> None:
    parts = Parts([said("a")], known={"gpt-0": {MANY, NEW}})
    send_with_retries(question({MANY: 9}, droppable), parts.runtime, None)
    assert bodies(parts) == [sent]


def test_an_answer_that_was_cut_proves_as_well_that_dropping_helped() -> None:
    parts = Parts([[rejected("a")], [AnswerDelta("par"), Finished("length")]])
    send_with_retries(question({"a": 1}, ["a"]), parts.runtime, None)
    assert parts.known == {"gpt-0": {"a"}}


def test_nothing_is_remembered_before_it_has_helped() -> None:
    parts = Parts([[rejected("a")], [TryAgainError("nothing listens")]])
    failing(parts, {"a": 1}, ["a"])
    assert parts.known == {}


class Json(Plain):
    parameters: Mapping[str, object] = {"response_format": {"type": "json_object"}, "temperature": 0}


def asked(invocation: Invocation) -> tuple[dict[str, object], set[str]]:
    found = build_request(invocation, Json())
    return dict(found.parameters), set(found.droppable)


FORMAT = {"response_format": {"type": "json_object"}}


def test_parameters_of_format_file_setting_and_user_rank_in_this_order() -> None:
    template = Template("haiku", "f", "x", parameters={"temperature": 0.1, "seed": 1})
    assert asked(Invocation(template, "m", "t")) == (
        {**FORMAT, "temperature": 0.1, "seed": 1},
        {"response_format", "temperature", "seed"},
    )
    given = {"temperature": 0.9, "top_p": 0.5, "user": "u"}
    assert asked(Invocation(template, "m", "t", parameters=given, droppable=frozenset({"top_p"}))) == (
        {**FORMAT, "temperature": 0.9, "seed": 1, "top_p": 0.5, "user": "u"},
        {"response_format", "seed", "top_p"},
    )


@pytest.mark.parametrize(
    ("file", "given", "droppable", "sent"),
    [
        ({MANY: 1}, {NEW: 2}, [], {NEW: 2}),  # the user's beats the file's
        ({NEW: 1}, {MANY: 2}, [], {MANY: 2}),
        ({MANY: 1}, {NEW: 2}, [NEW], {MANY: 1}),  # the file's beats a setting's
        ({}, {MANY: 1, NEW: 2}, [NEW], {MANY: 1}),  # the user's beats a setting's
        ({}, {MANY: 1, NEW: 2}, [], {MANY: 1, NEW: 2}),  # both typed: the user wants to see what happens
    ],
)
def test_a_limit_is_not_sent_under_two_names(
    file: dict[str, object], given: dict[str, object], droppable: list[str], sent: dict[str, object]
) -> None:
    template = Template("haiku", "f", "x", parameters=file)
    found = build_request(
        Invocation(template, "m", "t", parameters=given, droppable=frozenset(droppable)), Plain()
    )
    assert found.parameters == sent
    assert found.droppable <= set(sent)


def test_a_request_holds_what_the_user_gave() -> None:
    template = Template(
        "haiku",
        "f",
        "x",
        system="{{ request }}",
        user="{% for f in files %}{{ f.name }}={{ f.text }}{% endfor %}{{ text }}",
    )
    found = build_request(
        Invocation(template, "m", "{{ t }}", "why?", (("a", "1"), ("b", "2")), stream=False), Plain()
    )
    assert [(message.role, message.content) for message in found.messages] == [
        ("system", "why?"),
        ("user", "a=1b=2{{ t }}"),
    ]
    assert (found.model, found.text, found.stream, found.parameters) == ("m", "{{ t }}", False, {})


def test_a_request_without_a_message_is_not_sent() -> None:
    with pytest.raises(NoInputError) as caught:
        build_request(Invocation(Template("haiku", "f", "x", input="optional"), "m"), Plain())
    assert (caught.value.code, caught.value.message) == (66, "'haiku' has nothing to send without input")
