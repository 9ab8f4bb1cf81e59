"""The capability `tools`: its key in prompt files, its options, and what takes the place of an exchange."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.errors import UsageError
from gptkit.core.yaml_tree import Problem
from gptkit.exchange.capability import Capability, HousekeepingCommand, capability_options, import_on_call
from gptkit.templates.template import CaseWords, Parameter, Value

if TYPE_CHECKING:
    from gptkit.capabilities.tools.model import ToolsConfig
    from gptkit.core.yaml_tree import YamlNode
    from gptkit.session.call import Call


KEY = "tools"
_FOLDER = "gptkit.capabilities.tools"
RULES_VARIABLE = "tools_rules"
ROUNDS, CALLS = 6, 20
"""Default numbers of rounds with the model, and of calls of tools, in one run."""
OPTIONS = (
    Parameter("with", "list", help="Take the tools of this prompt or file.", metavar="FILE|NAME"),
    Parameter(
        "approve", "list", help="Do this without asking: read, write, destructive, a tool.", metavar="WHAT"
    ),
    Parameter("ask", "boolean", plain=True, help="Ask before reads, too."),
    Parameter(
        "plan", help="Do reads only, and write a plan of the rest; '-' prints the plan.", metavar="FILE"
    ),
    Parameter("apply", help="Do a plan; no model is asked.", metavar="FILE"),
    Parameter("hash", help="With --apply: do the plan of this hash only.", metavar="HASH"),
    Parameter("rounds", "integer", help="Ask the model at most N times (default: 6).", least=1),
    Parameter("calls", "integer", help="Make at most N calls (default: 20).", least=1),
    Parameter("print", help="Print the output of this tool, not the model's words.", metavar="TOOL"),
    Parameter("expect", "list", help="Fail unless this tool has run and succeeded.", metavar="TOOL"),
)


EXAMPLE = """\
# This file is the command 'gptkit {name}'. Try: gptkit {name} "which branches are merged?"
# 'gptkit prompts check {name}' says what is wrong with it, 'gptkit prompts test {name}' runs its tests.
description: Look after the branches of a Git repository.

tools:
  commands:
    merged:
      description: List the branches that are merged into a branch.
      # One element is one argument of the program; no shell sees them.
      run: [git, branch, --merged, "{into}"]
      arguments:
        into: {pattern: "[A-Za-z0-9._/]+", help: Name of a branch., default: main}
      # read: done without asking; write: asked for; destructive: wants the word 'yes'.
      risk: read
    delete_branch:
      description: Delete a branch that is merged.
      run: [git, branch, -d, --, "{branch}"]
      arguments:
        branch: {help: Name of the branch.}
      risk: destructive

  # Operations of an HTTP API; the keys and values under 'headers' never reach the model:
  # openapi:
  #   shop:
  #     file: shop.openapi.json
  #     server: https://api.shop.example/v1
  #     select: [getOrder, refundOrder]
  #     headers: {Authorization: "Bearer $SHOP_TOKEN"}
  #     risk: {refundOrder: destructive}

  # Tools of an MCP server; what is not classed under 'risk' is destructive:
  # mcp:
  #   time:
  #     run: [mcp-server-time]
  #     select: [get_current_time]
  #     risk: {get_current_time: read}

# What the model calls for some words, and what that would do; nothing is run.
tests:
  - text: delete the branch old-login
    calls: [{delete_branch: {branch: old-login}}]
    reply: Deleted old-login.
    expect: {does: $ git branch -d -- old-login, asks: destructive, contains: old-login}
"""


class ToolsOptions(NamedTuple):
    """The values of OPTIONS on a command line."""

    with_: tuple[str, ...] = ()
    approve: tuple[str, ...] = ()
    ask: bool = False
    rounds: int = ROUNDS
    calls: int = CALLS
    print_: str = ""
    expect: tuple[str, ...] = ()
    plan: str = ""
    apply: str = ""
    hash: str = ""


def options_of(values: Mapping[str, Value]) -> ToolsOptions:
    return ToolsOptions(**capability_options(values, ToolsOptions._fields))


def parse_config(node: "YamlNode", report: Callable[[Problem], None]) -> "ToolsConfig":
    """Read `tools: true`, or a mapping with the sources of tools; reports what is wrong."""
    from gptkit.capabilities.tools.parse import parse_tools

    return parse_tools(node, report)


def _take_over(call: "Call") -> int | None:
    """Do a plan in place of an exchange; refuse a call without any tools."""
    options = options_of(call.values)
    if options.apply:
        code: int = _apply_plan(call)
        return code
    if options.hash:
        raise UsageError("--hash goes with --apply")
    if not options.with_:
        _require_tools(call)
    return None


_apply_plan = import_on_call(f"{_FOLDER}.plan:apply_plan")
_require_tools = import_on_call(f"{_FOLDER}.toolbox:require_tools")
TOOLS = Capability(
    KEY,
    parse_config,
    options=OPTIONS,
    variables=(RULES_VARIABLE,),
    works_on_input=True,
    prepare=import_on_call(f"{_FOLDER}.toolbox:prepare"),
    run=import_on_call(f"{_FOLDER}.rounds:run"),
    take_over=_take_over,
    store=import_on_call(f"{_FOLDER}.toolbox:open_toolbox"),
    commands=(
        HousekeepingCommand(
            "actions", f"{_FOLDER}.actions_command", "Show what tools have done.", below="history"
        ),
    ),
    example=EXAMPLE,
    find_problems=import_on_call(f"{_FOLDER}.trust:find_problems"),
    describe=import_on_call(f"{_FOLDER}.trust:describe"),
    trust=import_on_call(f"{_FOLDER}.trust:trust"),
    case_words=CaseWords(keys=("calls", "results"), expectations=("does", "asks", "exit")),
    run_case=import_on_call(f"{_FOLDER}.rehearsal:run_case"),
    run_live_case=import_on_call(f"{_FOLDER}.rehearsal:run_live_case"),
)
