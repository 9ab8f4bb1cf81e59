"""Make the environment of the programs that a tool file names."""

from __future__ import annotations

from collections.abc import Mapping

from gptkit.core.errors import ConfigurationError
from gptkit.core.process import search_path

_PASSED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")


def environment(environ: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """The environment of a tool: a few variables of the user, and those of the tool file.

    A value `$NAME` of the tool file is the user's variable of that name.
    """
    passed = {name: value for name, value in environ.items() if name in _PASSED or name.startswith("LC_")}
    passed["PATH"] = search_path(environ)
    return passed | {name: resolve_secret(value, environ) for name, value in own.items()}


def resolve_secret(value: str, environ: Mapping[str, str]) -> str:
    """Put the user's variables in place of `$NAME` in a value. Raises ConfigurationError without one."""
    import re

    def replace(match: re.Match[str]) -> str:
        if match[1] not in environ:
            raise ConfigurationError(f"the tool file wants the variable {match[1]}, which is not set")
        return environ[match[1]]

    return re.sub(r"\$([A-Za-z_][A-Za-z0-9_]*)", replace, value)
