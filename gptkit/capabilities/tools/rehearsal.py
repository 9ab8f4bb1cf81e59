"""Run the test cases of a tool file: its calls are checked and shown, offline or as the model makes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gptkit.capabilities.tools.approval import Grants
from gptkit.capabilities.tools.config import KEY, ToolsOptions
from gptkit.capabilities.tools.model import (
    ASK_USER,
    RISKS,
    RefusedCallError,
    RequestedCall,
    Result,
    ToolAction,
)
from gptkit.capabilities.tools.toolbox import Toolbox
from gptkit.core.errors import GptkitError
from gptkit.exchange.capability import prepare_invocation
from gptkit.session.options import SharedOptions

if TYPE_CHECKING:
    from gptkit.services import Services
    from gptkit.templates.template import Case, Template

QUESTION, REFUSED = 66, 80
"""Exit codes of a run that has to ask the user, and of one with calls that are refused."""


def run_case(services: Services, template: Template, case: Case) -> Sequence[str]:
    """Check the calls of a test case as a run would, and compare what they would do; nothing is done."""
    calls = [*_calls(case.extras.get("calls"))]
    expected = {name: case.extras[name] for name in ("does", "asks", "exit") if name in case.extras}
    if not calls:
        return ["'does', 'asks' and 'exit' need 'calls'"] if expected else []
    toolbox = RehearsalToolbox(services, {})
    try:
        toolbox.load(template, ToolsOptions())
    except GptkitError as error:
        return [error.message]
    return [*_differences(_outcome(toolbox, calls), expected)]


def run_live_case(services: Services, template: Template, case: Case) -> Sequence[str]:
    """Ask the model, and compare its calls with those of the test case; outputs come from the case."""
    from gptkit.capabilities.tools.rounds import run
    from gptkit.session import answer, conversation
    from gptkit.session.input import PromptInput

    wanted = [*_calls(case.extras.get("calls"))]
    if not wanted:
        return []
    results = case.extras.get("results")
    shared = SharedOptions(no_log=True)
    display = answer.display_options(shared)
    prompt_input = PromptInput(case.text, case.request, (("words", case.text),), case.values)
    invocation = conversation.make_invocation(services, template, prompt_input, shared, display)
    stores = {KEY: RehearsalToolbox(services, results if isinstance(results, Mapping) else {})}
    prepared = prepare_invocation(invocation, stores, services.capabilities_of(template))
    runtime = services.runtime(services.format(template), prepared.model, services.budget(), False)
    made = run(prepared, runtime._replace(stores=stores), None).json_fields
    calls = [(str(call["tool"]), call["arguments"]) for call in _rows(made.get("calls"))]
    if made.get("question"):
        calls.append((ASK_USER, {"question": made["question"]}))
    if [_comparable(call) for call in calls] == [_comparable((call.tool, call.arguments)) for call in wanted]:
        return []
    shown = "; ".join(f"{tool} {json.dumps(arguments, ensure_ascii=False)}" for tool, arguments in calls)
    return [f"the model called: {shown or 'nothing'}"]


class RehearsalToolbox(Toolbox):
    """A toolbox that does nothing: each tool says what the test case has for it."""

    def __init__(self, services: Services, outputs: Mapping[str, object]) -> None:
        super().__init__(services, False)
        self._outputs = outputs
        self.log = _NoLog()  # type: ignore[assignment]

    def load(self, template: Template, options: ToolsOptions) -> None:
        super().load(template, options)
        self.grants = Grants(frozenset(RISKS))

    def act(self, action: ToolAction) -> Result:
        output = str(self._outputs.get(action.tool.name, "")).encode()
        return Result("ok", output, status=0, size=len(output))

    def ask(self, question: str) -> str | None:
        return None


class _NoLog:
    """The log of a run in which nothing happens."""

    def begin(self, *_: object) -> int:
        return 0

    def end(self, *_: object) -> None:
        return


def _outcome(toolbox: Toolbox, calls: Sequence[RequestedCall]) -> Mapping[str, object]:
    """What the calls would do, the highest class of risk that is asked for, and the exit code."""
    does: list[str] = []
    asks = "read"
    code = 0
    for call in calls:
        if call.tool == ASK_USER:
            code = QUESTION
            continue
        try:
            action = toolbox.action(call)
        except RefusedCallError as error:
            does.append(f"refused: {call.tool}: {error}")
            code = REFUSED
            continue
        if action.tool.risk != "read":
            does.append(action.does)
            asks = max(asks, action.tool.risk, key=[*RISKS].index)  # type: ignore[arg-type]
    return {"does": does, "asks": asks, "exit": code}


def _differences(outcome: Mapping[str, object], expected: Mapping[str, object]) -> Iterator[str]:
    for name, wanted in expected.items():
        is_text = isinstance(wanted, str) and name == "does"
        if ([wanted] if is_text else wanted) != outcome[name]:
            yield f"{name} should be {_shown(wanted)}; it is {_shown(outcome[name])}"
    if "exit" not in expected and outcome["exit"] == REFUSED:
        yield f"a call is refused: {_shown(outcome['does'])}"


def _calls(rounds: object) -> Iterator[RequestedCall]:
    """The calls of a test case: a list of rounds, each a mapping from tools to arguments."""
    for number, calls in enumerate(rounds if isinstance(rounds, list) else []):
        for tool, value in calls.items() if isinstance(calls, dict) else ():
            arguments = {} if value is None else value
            yield RequestedCall(f"call_{number}", tool, arguments if isinstance(arguments, dict) else None)


def _comparable(call: tuple[str, object]) -> tuple[str, object]:
    """A call without the words of a question, which no model repeats to the letter."""
    return call if call[0] != ASK_USER else (ASK_USER, None)


def _rows(value: object) -> list[Mapping[str, Any]]:
    return value if isinstance(value, list) else []


def _shown(value: object) -> str:
    return "'" + (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)) + "'"
