"""gptkit: a YAML file is a command."""
