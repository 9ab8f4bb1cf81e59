"""What a prompt file says under `long`, and the options that it gets by that."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from gptkit.core.yaml_tree import Problem, literal_text, mapping_entries, spelling_hint
from gptkit.exchange.capability import Capability, import_on_call
from gptkit.jobs.options import OPTIONS, options_of
from gptkit.templates.template import Template

if TYPE_CHECKING:
    from gptkit.core.yaml_tree import YamlNode
    from gptkit.session.call import Call


Mode = Literal["map", "reduce", "refuse"]
MODES: tuple[Mode, ...] = get_args(Mode)
PIECE = {"map": 2000, "reduce": 6000, "refuse": 0}
"""Tokens of a piece: for `map` few enough that a model keeps a piece's structure, and many pieces run
side by side; for `reduce` as many as one answer can do justice to."""
LEAST_PIECE = 50


class Long(NamedTuple):
    """How input larger than one request is worked on, and how many tokens a piece of it has."""

    mode: Mode = "map"
    piece: int = PIECE["map"]


def long_mode(template: Template) -> Mode:
    found = template.capabilities["long"]
    return found.mode if isinstance(found, Long) else "map"


def piece_tokens(template: Template) -> int:
    found = template.capabilities["long"]
    return found.piece if isinstance(found, Long) else Long().piece


def long(node: "YamlNode", report: Callable[[Problem], None]) -> Long:
    """`long: map`, or a mapping with `mode` and `piece`."""
    if isinstance(node.value, dict):
        entries = mapping_entries(node, "long", report, ("mode", "piece"))
    else:
        entries = {"mode": node}
    word = literal_text(entries["mode"], "long.mode", report).strip() if "mode" in entries else "map"
    mode = next((known for known in MODES if known == word), None)
    if mode is None:
        report(
            Problem(node.line, "long", f"'{word}' is not a mode of long input", spelling_hint(word, MODES))
        )
        return Long()
    piece = entries["piece"].data() if "piece" in entries else PIECE[mode]
    if not isinstance(piece, int) or isinstance(piece, bool) or (mode != "refuse" and piece < LEAST_PIECE):
        report(Problem(node.line, "long.piece", f"must be a number of tokens, at least {LEAST_PIECE}"))
        return Long(mode)
    return Long(mode, piece)


def _take_over(call: "Call") -> int | None:
    if long_mode(call.template) == "refuse" and not options_of(call.values).batch:
        return None
    code: int | None = _job(call)
    return code


_job = import_on_call("gptkit.capabilities.long.job:take_over")
LONG = Capability("long", long, options=OPTIONS, take_over=_take_over, works_on_input=True)
