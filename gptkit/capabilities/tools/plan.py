"""Plans: actions that were decided on and not done, as text that a person reviews and a program applies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gptkit.capabilities.tools import pins
from gptkit.capabilities.tools.approval import approve
from gptkit.capabilities.tools.config import ToolsOptions, options_of
from gptkit.capabilities.tools.log import LoggedAction, Place
from gptkit.capabilities.tools.model import RISKS, RefusedCallError, RequestedCall, Tool, ToolAction
from gptkit.capabilities.tools.toolbox import Toolbox, ToolFile, find_tool_file
from gptkit.core.errors import (
    ActionFailedError,
    CannotReadError,
    DataError,
    NoInputError,
    NotApprovedError,
    TryAgainError,
    UsageError,
)
from gptkit.core.files import exclusive_lock
from gptkit.core.hashing import sha256
from gptkit.core.sanitize import one_line
from gptkit.core.table import format_time

if TYPE_CHECKING:
    from gptkit.capabilities.tools.perform import CallRecord
    from gptkit.session.call import Call

FORMAT = 1
SIZE_CAP = 4 << 20
"""Bytes of a plan."""


class Plan(NamedTuple):
    """What was decided on: the request, the digests of the tool files, the reads, the steps."""

    request: str
    files: Mapping[str, str]
    seen: tuple[str, ...]
    steps: tuple[Mapping[str, object], ...]

    @property
    def hash(self) -> str:
        """The digest of all the rest: finds an edit and names the plan, but is no signature."""
        record = [self.request, dict(self.files), [*self.seen], [*self.steps]]
        text = json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return sha256(text.encode("utf-8", "replace")).hexdigest()

    @property
    def summary(self) -> str:
        """The steps by class of risk: `2 steps (1 write, 1 destructive)`."""
        count = f"{len(self.steps)} step" + ("" if len(self.steps) == 1 else "s")
        risks = [str(step["risk"]) for step in self.steps]
        parts = [f"{risks.count(risk)} {risk}" for risk in RISKS if risk in risks]
        return count + (f" ({', '.join(parts)})" if parts else "")


def make_plan(
    request: str,
    files: Sequence[ToolFile],
    records: Sequence[CallRecord],
    actions: Sequence[ToolAction],
) -> Plan:
    """Make the plan of a run from its calls and from the actions that were not done."""
    digests = {file.spelling: pins.file_digest(file.path, file.config) for file in files}
    seen = tuple(record.does for record in records if record.risk == "read" and record.result.ending == "ok")
    return Plan(request, digests, seen, tuple(map(make_step, actions)))


def make_step(action: ToolAction) -> dict[str, object]:
    """A step of a plan, with the keys in the order in which a person reads them."""
    return {
        "does": action.does,
        "tool": action.tool.name,
        "risk": action.tool.risk,
        "arguments": dict(sorted(action.arguments.items())),
        "definition": definition_digest(action.tool),
    }


def definition_digest(tool: Tool) -> str:
    """The digest of all that decides what a call of a tool does."""
    return sha256(repr(tool._replace(file="", hint="")).encode("utf-8", "replace")).hexdigest()[:16]


def plan_text(plan: Plan, name: str, command: str) -> str:
    """The text of a plan: fixed order, no times, one step a block, so that `diff` compares plans.

    `command` is the one that made the plan and applies the file of this `name`.
    """
    files = [f"  {_value(path)}: {digest}" for path, digest in sorted(plan.files.items())]
    lines = [
        f"# gptkit plan {FORMAT}: {plan.summary}. Do it with: gptkit {command} --apply {name}",
        f"hash: {plan.hash}",
        f"request: {_value(plan.request)}",
        *_block("tools", files, "{}"),
        *_block("seen", [f"  - {_value(line)}" for line in plan.seen], "[]"),
    ]
    steps = []
    for step in plan.steps:
        first, *rest = (f"{key}: {_value(value)}" for key, value in step.items())
        steps += [f"  - {first}", *(f"    {line}" for line in rest)]
    lines += _block("steps", steps, "[]")
    return "\n".join(lines) + "\n"


def _block(key: str, lines: Sequence[str], empty: str) -> list[str]:
    return [f"{key}:", *lines] if lines else [f"{key}: {empty}"]


def _value(value: object) -> str:
    """A value on one line, in JSON but for the escapes of YAML: nothing in it is hidden."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def parse_plan(text: str, source: str) -> tuple[Plan, str]:
    """Read a plan; returns it and the hash that stands in it. Raises DataError."""
    from gptkit.core.yaml_tree import parse_yaml

    data: Any = parse_yaml(text, source).data()
    try:
        files = {str(path): str(digest) for path, digest in data["tools"].items()}
        steps = tuple(dict(step) for step in data["steps"])
        seen = tuple(str(line) for line in data["seen"])
        plan = Plan(str(data["request"]), files, seen, steps)
        for step in steps:
            if set(step) != {"does", "tool", "risk", "arguments", "definition"}:
                raise KeyError
        return plan, str(data["hash"])
    except (KeyError, TypeError, AttributeError, ValueError):
        raise DataError(f"'{source}': it is no plan of gptkit") from None


def apply_plan(call: Call) -> int:
    """Do the steps of a plan, without a model and without a key; returns the exit code.

    Everything is checked before the first step: the hash, the files, the definitions, what each step does.
    """
    options = options_of(call.values)
    if call.values.get("text") or call.shared.file or options.plan or options.with_:
        raise UsageError("--apply takes no words, no input, and no --with or --plan")
    path = Path(options.apply)
    plan, stated = parse_plan(_read(path), str(path))
    if options.hash and not plan.hash.startswith(options.hash):
        raise DataError(f"'{path}': its hash is {plan.hash[:16]}, not '{one_line(options.hash, 80)}'")
    if stated != plan.hash:
        raise DataError(f"'{path}': it was changed since it was made", hint="make it anew with --plan")
    toolbox = Toolbox(call.services, not call.shared.no_log)
    try:
        return _apply_checked(toolbox, plan, _checked_actions(toolbox, plan, options), call)
    finally:
        toolbox.close()


def _apply_checked(toolbox: Toolbox, plan: Plan, actions: Sequence[ToolAction], call: Call) -> int:
    """Do the steps while no other process does them. Raises TryAgainError if one does."""
    folder = call.services.paths.require(call.services.paths.data / "tools")

    def refuse() -> None:
        raise TryAgainError("another gptkit applies this plan now")

    with exclusive_lock(folder / f"plan-{plan.hash[:16]}.lock", refuse):
        return _Application(toolbox, plan, actions, call.shared.quiet).run()


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_CAP + 1)
        if len(data) > SIZE_CAP:
            raise DataError(f"'{path}': larger than {SIZE_CAP >> 20} MiB")
        return data.decode("utf-8-sig")
    except FileNotFoundError:
        raise NoInputError(f"'{path}': no such file") from None
    except UnicodeDecodeError:
        raise DataError(f"'{path}': not UTF-8") from None
    except OSError as error:
        raise CannotReadError(f"'{path}': {(error.strerror or str(error)).lower()}") from None


def _checked_actions(toolbox: Toolbox, plan: Plan, options: ToolsOptions) -> list[ToolAction]:
    """The actions of a plan, all of them as they were when it was made. Raises DataError."""
    files = [find_tool_file(toolbox.services, name) for name in plan.files]
    for file in files:
        if plan.files[file.spelling] != pins.file_digest(file.path, file.config):
            raise DataError(f"'{file.path}': it has changed since the plan was made", hint=ANEW)
    toolbox.load_files(files, options)
    toolbox.verify()
    actions = []
    for number, step in enumerate(plan.steps, 1):
        arguments = step["arguments"]
        requested = RequestedCall("", str(step["tool"]), arguments if isinstance(arguments, dict) else None)
        try:
            action = toolbox.action(requested)
        except RefusedCallError as error:
            raise DataError(f"step {number}: {error}", hint=ANEW) from None
        if make_step(action) != step:
            raise DataError(
                f"step {number} would do something else now: {one_line(action.does, 200)}", hint=ANEW
            )
        actions.append(action)
    return actions


ANEW = "make the plan anew with --plan"


class _Application:
    """The steps of a plan that are still to be done."""

    def __init__(self, toolbox: Toolbox, plan: Plan, actions: Sequence[ToolAction], is_quiet: bool) -> None:
        self._toolbox = toolbox
        self._plan = plan
        self._actions = actions
        self._is_quiet = is_quiet
        self._known = toolbox.log.plan_steps(plan.hash)

    def run(self) -> int:
        waiting = [n for n in range(1, len(self._actions) + 1) if not self._is_done(n)]
        if not waiting:
            last = max((row.began for row in self._known.values()), default=0.0)
            self._say("nothing to do" if not self._known else f"already done at {format_time(last)}")
            return 0
        reasons = self._approved(waiting)
        try:
            for position, number in enumerate(waiting):
                self._do(number, reasons[position], waiting[position + 1 :])
        except BaseException:
            self._toolbox.processes.stop()
            raise
        return 0

    def _is_done(self, number: int) -> bool:
        row = self._known.get(number)
        return row is not None and row.outcome == "ok"

    def _approved(self, waiting: Sequence[int]) -> list[str]:
        """Have all steps approved at once; a step that may have happened is always asked for."""
        for number in waiting:
            row = self._known.get(number)
            if row is not None and row.outcome == "unknown":
                self._ask_again(number, row)
        actions = [self._actions[number - 1] for number in waiting]
        reasons = approve(actions, self._toolbox.grants, self._toolbox.ask)
        if refused := [a for a, reason in zip(actions, reasons, strict=True) if not reason]:
            raise NotApprovedError(f"not approved: {one_line(refused[0].does, 200)}; nothing was done")
        return reasons

    def _ask_again(self, number: int, row: LoggedAction) -> None:
        does = one_line(self._actions[number - 1].does, 500)
        what = f"step {number} may have been done at {format_time(row.began)}: {does}"
        answer = self._toolbox.ask(f"{what}\nDo it (again)? Only 'yes' does: ")
        if answer is None or answer.strip().lower() not in ("yes", "确认"):
            raise NotApprovedError(what, hint="look whether it happened; at a terminal gptkit asks")

    def _do(self, number: int, reason: str, rest: Sequence[int]) -> None:
        action, log = self._actions[number - 1], self._toolbox.log
        row = log.begin(action, reason, Place(self._plan.hash[:12], plan=self._plan.hash, step=number))
        result = self._toolbox.act(action)
        log.end(row, result)
        self._say(f"{result.ending} {action.does}" + (f" ({result.note})" if result.note else ""))
        if result.ending != "ok":
            undone = f"; {len(rest)} after it not done" if rest else ""
            errors = one_line(result.errors, 300)
            cause = result.note + (f": '{errors}'" if errors else "")
            raise ActionFailedError(
                f"step {number} of {len(self._actions)}: {result.ending}: {cause}{undone}"
            )

    def _say(self, text: str) -> None:
        if not self._is_quiet:
            self._toolbox.terminal.print_error_line(f"gptkit: {text}")
