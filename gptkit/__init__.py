"""gptkit: a YAML file is a command."""

__version__ = "0.1.0"
