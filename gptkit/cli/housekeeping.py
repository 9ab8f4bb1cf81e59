"""The commands that are written in Python, by name; each is imported when it is called."""

from typing import NamedTuple


class Housekeeping(NamedTuple):
    module: str
    help: str


HOUSEKEEPING = {
    "prompts": Housekeeping("gptkit.cli.prompts", "List, show, make, check and test prompt files."),
    "models": Housekeeping("gptkit.cli.models", "List the models of the endpoint."),
    "config": Housekeeping("gptkit.cli.config", "Show and change settings."),
    "profiles": Housekeeping("gptkit.cli.profiles", "Show and switch named sets of settings."),
    "keys": Housekeeping("gptkit.cli.keys", "Store API keys, each for one host."),
    "usage": Housekeeping("gptkit.cli.usage", "Show the tokens and the cost of what was asked."),
    "history": Housekeeping("gptkit.cli.history", "List, show, search, move and remove what was asked."),
    "memory": Housekeeping("gptkit.cli.memory", "Show, move and prune what need not be asked twice."),
    "batch": Housekeeping("gptkit.cli.batch", "List and cancel what was submitted with --batch."),
    "doctor": Housekeeping("gptkit.cli.doctor", "Check the way to the model, step by step."),
}

FUTURE = ("index", "help", "version", "gptkit")
"""Names that later commands will have; a prompt file cannot take them."""

RESERVED_NAMES = frozenset(HOUSEKEEPING) | frozenset(FUTURE)
