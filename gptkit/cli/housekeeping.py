"""The commands that are written in Python, by name; each is imported when it is called."""

from gptkit.exchange.capability import HousekeepingCommand

HOUSEKEEPING = (
    HousekeepingCommand("prompts", "gptkit.cli.prompts", "List, show, make, check and test prompt files."),
    HousekeepingCommand("models", "gptkit.cli.models", "List the models of the endpoint."),
    HousekeepingCommand("config", "gptkit.cli.config", "Show and change settings."),
    HousekeepingCommand("profiles", "gptkit.cli.profiles", "Show and switch named sets of settings."),
    HousekeepingCommand("keys", "gptkit.cli.keys", "Store API keys, each for one host."),
    HousekeepingCommand("usage", "gptkit.cli.usage", "Show the tokens and the cost of what was asked."),
    HousekeepingCommand(
        "history", "gptkit.cli.history", "List, show, search, move and remove what was asked."
    ),
    HousekeepingCommand("memory", "gptkit.cli.memory", "Show, move and prune what need not be asked twice."),
    HousekeepingCommand("batch", "gptkit.cli.batch", "List and cancel what was submitted with --batch."),
    HousekeepingCommand("doctor", "gptkit.cli.doctor", "Check the way to the model, step by step."),
)

FUTURE = ("index", "help", "version", "gptkit")
"""Names that later commands will have; a prompt file cannot take them."""
