"""Finds the key for a host: each key goes only to the host that it was given for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptkit.core.errors import NoPermission
from gptkit.settings.resolve import may_go

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gptkit.settings.address import Address
    from gptkit.settings.resolve import Layer, Settings
    from gptkit.settings.source import Found

KEY_VARIABLE = "OPENAI_API_KEY"
COMMAND_SECONDS = 30.0
_STARTING = 0.5
"""Seconds that a command which is being started is waited for, to be ended: a signal leaves no more."""


class Key:
    """A key and, in words, where it came from; it shows itself to nobody."""

    __slots__ = ("origin", "text")

    def __init__(self, text: str, origin: str) -> None:
        self.text = text
        self.origin = origin

    def __repr__(self) -> str:
        return f"Key(from {self.origin})"


def find_key(settings: Settings, target: Address) -> Key | None:
    """The key for a host: of a layer of settings, highest rank first, then of the key file or keyring.

    A variable that `api_key_env` names stands in for OPENAI_API_KEY. Raises NoPermission for a key
    that no header can carry.
    """
    renamed = settings.bound("api_key_env", target)
    for layer in settings.layers:
        if may_go(layer, target) and (key := _of_layer(layer, settings, renamed)):
            return key
    from gptkit.settings.keystore import stored

    return stored(settings.paths.keys_file, target.authority)


def checked_key(text: str, origin: str) -> Key | None:
    """The key without the space around it, None if nothing else is there; NoPermission for what no
    header can carry."""
    text = text.strip().removeprefix("\ufeff").strip()
    if not text:
        return None
    if not text.isascii():
        problem = "holds a character that is not ASCII"
    elif not text.isprintable() or " " in text:
        problem = "holds a space, a line break or a control character"
    else:
        return Key(text, origin)
    raise NoPermission(f"the key from {origin} {problem}", hint="copy it again, whole and alone")


def child_environment(settings: Settings) -> dict[str, str]:
    """The environment for programs that gptkit starts: no key is in it."""
    named = [settings.layers[-1].found, *settings.profiles.values()]
    names = {KEY_VARIABLE} | {str(each["api_key_env"].value) for each in named if "api_key_env" in each}
    return {name: value for name, value in settings.environ.items() if name not in names}


def careful_environment(text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The same where the settings are broken: without what their text seems to name."""
    import re

    names = {KEY_VARIABLE, *re.findall(r"api_key_env\W{1,9}(\w+)", text)}
    return {name: value for name, value in environ.items() if name not in names}


def _of_layer(layer: Layer, settings: Settings, renamed: Found | None) -> Key | None:
    if layer.is_environment and renamed is None:
        return _of_variable(KEY_VARIABLE, settings.environ)
    if renamed is not None and layer.found.get("api_key_env") is renamed:
        key = _of_variable(str(renamed.value), settings.environ)
        if key is not None:
            return key
    command = layer.found.get("api_key_command")
    if command is not None and isinstance(command.value, tuple):
        return _of_command(command.value, child_environment(settings))
    return None


def _of_variable(name: str, environ: Mapping[str, str]) -> Key | None:
    return checked_key(environ.get(name, ""), f"environment {name}")


def _of_command(command: Sequence[str], environ: Mapping[str, str]) -> Key:
    """The first line that a program prints. Its output is never shown; what it says on standard error
    is the user's to read, and standard input stays what is worked on."""
    import subprocess

    try:
        code, output = _ran(command, environ)
    except subprocess.TimeoutExpired:
        problem = f"gave no key within {COMMAND_SECONDS:g} s"
    except (OSError, ValueError) as error:
        problem = str(getattr(error, "strerror", None) or "cannot be run").lower()
    else:
        first = output.lstrip().split(b"\n", 1)[0].decode("utf-8", "replace")
        if code == 0:
            if key := checked_key(first, "api_key_command"):
                return key
            problem = "printed no key"
        else:
            problem = f"ended with exit code {code}"
    raise NoPermission(f"api_key_command '{command[0]}': {problem}")


def _ran(command: Sequence[str], environ: Mapping[str, str]) -> tuple[int, bytes]:
    """Exit code and standard output. Whatever is raised meanwhile, the program does not go on.

    A thread starts it: a signal raises in the main thread alone, where it could come between the start of the
    program and the moment at which its number is known.
    """
    import subprocess
    from threading import Event, Thread

    started: list[subprocess.Popen[bytes]] = []
    failed: list[Exception] = []
    is_over = Event()

    def start() -> None:
        nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
        try:
            started.append(subprocess.Popen(command, stdin=nothing, stdout=pipe, env=environ))
        except Exception as error:
            failed.append(error)
        is_over.set()

    try:
        Thread(target=start).start()
        is_over.wait()
        if failed:
            raise failed[0]
        output, _ = started[0].communicate(timeout=COMMAND_SECONDS)
    except BaseException:
        is_over.wait(_STARTING)
        for process in started:
            process.kill()
            process.wait()
        raise
    return started[0].returncode, output
