"""The capability `character`: its key in prompt files (who is played, the world, dice) and its options."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.errors import UsageError
from gptkit.core.yaml_tree import Problem
from gptkit.exchange.capability import Capability, capability_options, import_on_call
from gptkit.templates.template import Parameter, Value

if TYPE_CHECKING:
    from gptkit.capabilities.character.card import CardFinding, Variable
    from gptkit.core.yaml_tree import YamlNode
    from gptkit.session.call import Call


KEY = "character"
_FOLDER = "gptkit.capabilities.character"
VARIABLES = ("card", "user")
OPTIONS = (
    Parameter("user", help="Your name, as the character knows you."),
    Parameter("greeting", "integer", help="Begin with greeting N of the card; 1 is the first."),
    Parameter("dice", "boolean", plain=True, help="Let the character throw dice; gptkit throws them."),
    Parameter("seed", "integer", help="Make dice and other random choices repeatable."),
    Parameter(
        "npc",
        "boolean",
        plain=True,
        help="Serve a game: read one JSON object per line and write one per line.",
    ),
    Parameter("actions", "list", help="With --npc: allow these actions, such as 'wave,leave'.", is_rare=True),
    Parameter("workers", "integer", help="With --npc: answer N sessions at once (default: 8).", is_rare=True),
)


class CharacterOptions(NamedTuple):
    """The values of OPTIONS on a command line."""

    user: str = ""
    greeting: int | None = None
    dice: bool | None = None
    seed: int | None = None
    npc: bool = False
    actions: tuple[str, ...] = ()
    workers: int | None = None


def options_of(values: Mapping[str, Value]) -> CharacterOptions:
    return CharacterOptions(**capability_options(values, CharacterOptions._fields))


class CharacterConfig(NamedTuple):
    """What a prompt file says under `character`."""

    card: str = ""  # a path or a name; without one the parameter `character` says who is played
    state: tuple["Variable", ...] = ()  # variables of the world beside those of the card
    dice: bool = False


def parse_config(node: "YamlNode", report: Callable[[Problem], None]) -> CharacterConfig:
    """Read `character: true`, or a mapping; reports what is wrong and then returns defaults."""
    from gptkit.core.yaml_tree import single_line, true_or_mapping

    entries = true_or_mapping(node, KEY, report, CharacterConfig._fields)
    dice = entries.get("dice")
    if dice is not None and not isinstance(dice.data(), bool):
        report(Problem(dice.line, f"{KEY}.dice", "must be true or false"))
    card = single_line(entries.get("card"), f"{KEY}.card", report)
    return CharacterConfig(card, _state(node, entries, report), dice is not None and dice.data() is True)


def _state(
    node: "YamlNode", entries: "Mapping[str, YamlNode]", report: Callable[[Problem], None]
) -> "tuple[Variable, ...]":
    if "state" not in entries:
        return ()
    from gptkit.capabilities.character import world

    def report_finding(finding: "CardFinding") -> None:
        nearest = node
        for part in finding.field.split(".")[1:]:
            nearest = nearest.value.get(part, nearest) if isinstance(nearest.value, dict) else nearest
        report(Problem(nearest.line, finding.field, finding.message))

    return world.parse_variables(entries["state"].data(), f"{KEY}.state", report_finding)


def _take_over(call: "Call") -> int | None:
    if not options_of(call.values).npc:
        if call.shared.schema is not None:
            raise UsageError("--schema goes with --npc here: then it is the form of the replies")
        return None
    code: int = _serve(call.services, call.template, call.values, call.shared)
    return code


_serve = import_on_call(f"{_FOLDER}.npc_server:serve")
CHARACTER = Capability(
    KEY,
    parse_config,
    options=OPTIONS,
    variables=VARIABLES,
    prepare=import_on_call(f"{_FOLDER}.context:add_character"),
    run=import_on_call(f"{_FOLDER}.turn:run_turn"),
    take_over=_take_over,
    takes_schema=True,
    store=import_on_call(f"{_FOLDER}.library:card_library"),
    greeting=import_on_call(f"{_FOLDER}.commands:load_greeting"),
    loop_commands=import_on_call(f"{_FOLDER}.commands:loop_commands"),
    begin_loop=import_on_call(f"{_FOLDER}.commands:begin_loop"),
    check_file=import_on_call(f"{_FOLDER}.check_command:check_file"),
)
