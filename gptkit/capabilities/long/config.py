"""The capability `long`: its key in prompt files (what to do with long input) and its options."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from gptkit.core.errors import DataError
from gptkit.core.yaml_tree import Problem, literal_text, mapping_entries, spelling_hint
from gptkit.exchange.capability import Capability, import_on_call
from gptkit.jobs.options import OPTIONS, Languages, options_of
from gptkit.templates.template import Template, Value

if TYPE_CHECKING:
    from gptkit.core.yaml_tree import YamlNode
    from gptkit.session.call import Call


Mode = Literal["map", "reduce", "refuse"]
MODES: tuple[Mode, ...] = get_args(Mode)
PIECE_TOKENS = {"map": 2000, "reduce": 6000, "refuse": 0}
"""Tokens of a piece: for `map` few enough that a model keeps a piece's structure, and many pieces run
side by side; for `reduce` as many as one answer can do justice to."""
LEAST_PIECE_TOKENS = 50


class LongConfig(NamedTuple):
    """What to do with input larger than one request, and how many tokens each piece of the input has.

    `target` and `source` name the options for the languages into and from which a text is translated.
    """

    mode: Mode = "map"
    piece: int = PIECE_TOKENS["map"]
    target: str = ""
    source: str = ""


def long_mode(template: Template) -> Mode:
    config = template.capabilities["long"]
    return config.mode if isinstance(config, LongConfig) else "map"


def piece_tokens(template: Template) -> int:
    config = template.capabilities["long"]
    return config.piece if isinstance(config, LongConfig) else LongConfig().piece


def languages(template: Template, values: Mapping[str, Value]) -> Languages:
    """Return the languages by the options that the prompt file names, or by their defaults.

    Raises DataError for a name without an option.
    """
    config = template.capabilities["long"]
    if not isinstance(config, LongConfig):
        return Languages()
    defaults = {parameter.variable: parameter.default for parameter in template.declared_parameters}
    for key, name in (("target", config.target), ("source", config.source)):
        if name and name.replace("-", "_") not in defaults:
            raise DataError(f"prompt '{template.name}': long.{key}: there is no option '{name}'")
    language_values = {**defaults, **values}
    target, source = (
        str(language_values.get(name.replace("-", "_")) or "") for name in (config.target, config.source)
    )
    return Languages(target, source, bool(config.target))


def parse_config(node: "YamlNode", report: Callable[[Problem], None]) -> LongConfig:
    """Read `long: map`, or a mapping with `mode`, `piece`, `target` and `source`."""
    if isinstance(node.value, dict):
        entries = mapping_entries(node, "long", report, ("mode", "piece", "target", "source"))
    else:
        entries = {"mode": node}
    word = literal_text(entries["mode"], "long.mode", report).strip() if "mode" in entries else "map"
    mode = next((known for known in MODES if known == word), None)
    if mode is None:
        report(
            Problem(node.line, "long", f"'{word}' is not a mode of long input", spelling_hint(word, MODES))
        )
        return LongConfig()
    piece = entries["piece"].data() if "piece" in entries else PIECE_TOKENS[mode]
    if (
        not isinstance(piece, int)
        or isinstance(piece, bool)
        or (mode != "refuse" and piece < LEAST_PIECE_TOKENS)
    ):
        report(Problem(node.line, "long.piece", f"must be a number of tokens, at least {LEAST_PIECE_TOKENS}"))
        return LongConfig(mode)
    named = {
        name: literal_text(entries[name], f"long.{name}", report).strip()
        for name in ("target", "source")
        if name in entries
    }
    return LongConfig(mode, piece, **named)


def _take_over(call: "Call") -> int | None:
    """Start a job if the input needs one; else return None."""
    if long_mode(call.template) == "refuse" and not options_of(call.values).batch:
        return None
    code: int | None = _job(call)
    return code


_job = import_on_call("gptkit.capabilities.long.job:take_over")
LONG = Capability("long", parse_config, options=OPTIONS, take_over=_take_over, works_on_input=True)
