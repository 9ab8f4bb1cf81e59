"""Find and store API keys; each key goes only to the host that it was given for."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.errors import ConfigurationError, NoPermissionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gptkit.core.yaml_tree import YamlNode
    from gptkit.settings.address import ApiAddress
    from gptkit.settings.load import Layer, Settings, SettingValue


KEY_VARIABLE = "OPENAI_API_KEY"
COMMAND_ORIGIN, KEYRING_ORIGIN = "api_key_command", "keyring"
"""The origins of keys that are neither in a variable (`environment NAME`) nor in the key file."""
COMMAND_SECONDS = 30.0
"""Seconds that `api_key_command` may take."""
_START_SECONDS = 0.5
"""Seconds to wait after a signal for a command that is just being started, in order to end it."""


_QUOTES = "\"'`“”‘’«»"


class Key:
    """A key and its origin in words; its representation does not show the key."""

    __slots__ = ("origin", "text")

    def __init__(self, text: str, origin: str) -> None:
        self.text = text
        self.origin = origin

    def __repr__(self) -> str:
        return f"Key(from {self.origin})"


def find_key(settings: Settings, target: ApiAddress) -> Key | None:
    """The key for a host, None if there is none.

    The layers of settings are searched from the highest rank, then the key file and the keyring. A variable
    that `api_key_env` names replaces OPENAI_API_KEY. Raises NoPermissionError for a key that cannot stand in
    a header.
    """
    variable = settings.value_for_host("api_key_env", target)
    for layer in settings.layers:
        if layer.applies_to(target) and (key := _key_of_layer(layer, settings, variable)):
            return key
    return stored_key(settings.paths.keys_file, target.authority)


def parse_key(text: str, origin: str) -> Key | None:
    """The key in a text without the space around it, None for an empty text.

    Raises NoPermissionError for a key that cannot stand in a header.
    """
    text = text.strip().removeprefix("\ufeff").strip()
    if not text:
        return None
    if text[0] in _QUOTES or text[-1] in _QUOTES:
        raise NoPermissionError(f"the key from {origin} stands in quotes", hint="leave out the quotes")
    if not text.isascii():
        problem = "holds a character that is not ASCII"
    elif not text.isprintable() or " " in text:
        problem = "holds a space, a line break or a control character"
    else:
        return Key(text, origin)
    raise NoPermissionError(
        f"the key from {origin} {problem}", hint="copy the whole key again and nothing else"
    )


def first_source(settings: Settings, target: ApiAddress) -> str:
    """The origin of the key for a host that comes before a stored one; empty if there is none.

    No command is run.
    """
    variable = settings.value_for_host("api_key_env", target)
    for layer in settings.layers:
        if not layer.applies_to(target):
            continue
        if (name := _variable_of_layer(layer, variable)) and settings.environ.get(name, "").strip():
            return name
        if "api_key_command" in layer.values:
            return COMMAND_ORIGIN
    return ""


def environment_without_keys(settings: Settings) -> dict[str, str]:
    """The environment without the variables that hold keys, for programs that gptkit starts."""
    sources = [settings.layers[-1].values, *settings.profiles.values()]
    names = {KEY_VARIABLE} | {
        str(values["api_key_env"].value) for values in sources if "api_key_env" in values
    }
    return {name: value for name, value in settings.environ.items() if name not in names}


def environment_without_keys_named_in(text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without the variables that the text of broken settings seems to name for keys."""
    import re

    names = {KEY_VARIABLE, *re.findall(r"api_key_env\W{1,9}(\w+)", text)}
    return {name: value for name, value in environ.items() if name not in names}


def _key_of_layer(layer: Layer, settings: Settings, variable: SettingValue | None) -> Key | None:
    """The key in a layer of settings; `variable` is the value of `api_key_env` for the host."""
    name = _variable_of_layer(layer, variable)
    if name and (key := _key_of_variable(name, settings.environ)):
        return key
    command = layer.values.get("api_key_command")
    if command is not None and isinstance(command.value, tuple):
        return _key_of_command(command.value, environment_without_keys(settings))
    return None


def _variable_of_layer(layer: Layer, variable: SettingValue | None) -> str:
    """The environment variable that a layer names for the key; empty if none."""
    if variable is None:
        return KEY_VARIABLE if layer.is_environment else ""
    return str(variable.value) if layer.values.get("api_key_env") is variable else ""


def _key_of_variable(name: str, environ: Mapping[str, str]) -> Key | None:
    return parse_key(environ.get(name, ""), f"environment {name}")


def _key_of_command(command: Sequence[str], environ: Mapping[str, str]) -> Key:
    """The key in the first line of a program's output; raises NoPermissionError if there is none.

    The output is never shown. The program writes to gptkit's standard error, and does not read standard
    input, which may be the text that gptkit works on.
    """
    import subprocess

    try:
        code, output = _run(command, environ)
    except subprocess.TimeoutExpired:
        problem = f"gave no key within {COMMAND_SECONDS:g} s"
    except (OSError, ValueError) as error:
        problem = str(getattr(error, "strerror", None) or "cannot be run").lower()
    else:
        first = output.lstrip().split(b"\n", 1)[0].decode("utf-8", "replace")
        if code == 0:
            if key := parse_key(first, COMMAND_ORIGIN):
                return key
            problem = "printed no key"
        else:
            problem = f"ended with exit code {code}"
    raise NoPermissionError(f"api_key_command '{command[0]}': {problem}")


def _run(command: Sequence[str], environ: Mapping[str, str]) -> tuple[int, bytes]:
    """Run a program and return its exit code and standard output; end the program if anything is raised.

    A thread starts the program. A signal raises in the main thread, where it could arrive after the start of
    the program and before its process id is known.
    """
    import subprocess
    from threading import Event, Thread

    started: list[subprocess.Popen[bytes]] = []
    failed: list[Exception] = []
    start_done = Event()

    def start() -> None:
        nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
        try:
            started.append(subprocess.Popen(command, stdin=nothing, stdout=pipe, env=environ))
        except Exception as error:
            failed.append(error)
        start_done.set()

    try:
        Thread(target=start).start()
        start_done.wait()
        if failed:
            raise failed[0]
        output, _ = started[0].communicate(timeout=COMMAND_SECONDS)
    except BaseException:
        start_done.wait(_START_SECONDS)
        for process in started:
            process.kill()
            process.wait()
        raise
    return started[0].returncode, output


SERVICE = "gptkit"
_INSTEAD = "'gptkit keys set' without '--keyring' stores in a file that only you can read"


def read_keyring(host: str) -> str:
    """The key of a host in the keyring; empty if it has none."""
    key = _call("get_password", SERVICE, host)
    return key if isinstance(key, str) else ""


def write_keyring(host: str, key: str) -> None:
    """Store a key in the keyring and check it: the backend for systems without a keyring keeps nothing."""
    _call("set_password", SERVICE, host, key)
    if read_keyring(host) != key:
        raise ConfigurationError("keyring: it did not keep the key", hint=_INSTEAD)


def delete_from_keyring(host: str) -> None:
    """Remove the key of a host from the keyring, if it has one."""
    if read_keyring(host):
        _call("delete_password", SERVICE, host)


def _call(name: str, *arguments: str) -> object:
    """Call the keyring library; only the class of an error is told, since its text may hold a key."""
    try:
        import keyring
    except ImportError:
        hint = "pip install 'gptkit[keyring]'"
        raise ConfigurationError("keyring: it is not installed", hint=hint) from None
    try:
        result: object = getattr(keyring, name)(*arguments)
        return result
    except Exception as error:
        kind = type(error).__name__
    problem = "this machine has none" if kind == "NoKeyringError" else f"it failed ({kind})"
    raise ConfigurationError(f"keyring: {problem}", hint=_INSTEAD)


SIZE_CAP = 1 << 20
"""Bytes of the key file."""


class StoredKey(NamedTuple):
    """An entry of the key file: the key of a host, None if it is in the keyring."""

    key: Key | None

    def __repr__(self) -> str:
        return f"StoredKey({self.key!r})"


def stored_key(path: Path, host: str) -> Key | None:
    """The key that is stored for a host in the key file or the keyring; None if there is none."""
    entry = read_key_file(path).get(host)
    if entry is None or entry.key:
        return entry.key if entry else None
    return parse_key(read_keyring(host), KEYRING_ORIGIN)


def read_key_file(path: Path) -> dict[str, StoredKey]:
    """Read the key file by host; raises NoPermissionError if other users can read or change it."""
    data = _read_private_file(path)
    if not data:
        return {}
    keys: dict[str, StoredKey] = {}
    for host, node in _parse_entries(data, path).items():
        if node.kind == "text" or (isinstance(node.value, str) and node.value):
            keys[host] = StoredKey(parse_key(str(node.value), f"{path}:{node.line}"))
        elif isinstance(node.value, dict) and list(node.value) == ["keyring"]:
            keys[host] = StoredKey(None)
        else:
            raise ConfigurationError(f"{path}:{node.line}: must be a host and its key")
    return keys


def store_key(path: Path, host: str, key: Key) -> None:
    """Store a key in the key file, in place of an older one."""
    from gptkit.core.files import folder_lock

    with folder_lock(path.parent):
        _write_key_file(path, {**read_key_file(path), host: StoredKey(key)})


def store_key_in_keyring(path: Path, host: str, key: Key) -> None:
    """Store a key in the system's keyring, and in the key file that the keyring has it."""
    from gptkit.core.files import folder_lock

    with folder_lock(path.parent):
        keys = read_key_file(path)
        write_keyring(host, key.text)
        _write_key_file(path, {**keys, host: StoredKey(None)})


def remove_key(path: Path, host: str) -> bool:
    """Remove the stored key of a host; False if there was none."""
    from gptkit.core.files import folder_lock

    with folder_lock(path.parent):
        keys = read_key_file(path)
        entry = keys.pop(host, None)
        if entry is None:
            return False
        if entry.key is None:
            delete_from_keyring(host)
        _write_key_file(path, keys)
    return True


def _read_private_file(path: Path) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise NoPermissionError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NoPermissionError(f"{path}: not a regular file")
        if sys.platform != "win32":
            if status.st_uid != os.geteuid():
                raise NoPermissionError(f"{path}: belongs to another user")
            if status.st_mode & 0o077:
                raise NoPermissionError(
                    f"{path}: other users can read or change it", hint=f"chmod 600 '{path}'"
                )
        data = file.read(SIZE_CAP + 1)
    if len(data) > SIZE_CAP:
        raise ConfigurationError(f"{path}: larger than {SIZE_CAP >> 10} KiB")
    return data


def _parse_entries(data: bytes, path: Path) -> Mapping[str, YamlNode]:
    """Parse the key file; a message names the line of an error, but none of its text."""
    from gptkit.core.errors import DataError
    from gptkit.core.yaml_tree import YamlFileError, parse_yaml

    line = 1
    try:
        root = parse_yaml(data.decode("utf-8-sig"), str(path))
        if root.kind == "nothing":
            return {}
        if isinstance(root.value, dict):
            return root.value
    except YamlFileError as error:
        line = error.problems[0].line
    except (UnicodeDecodeError, DataError):
        pass
    raise ConfigurationError(f"{path}:{line}: must be lines of a host and its key")


def _write_key_file(path: Path, keys: Mapping[str, StoredKey]) -> None:
    import json

    from gptkit.core.files import write_private

    lines = ["# Keys by host, written by 'gptkit keys'. Each goes to its host only.\n"]
    for host, entry in sorted(keys.items()):
        value = json.dumps(entry.key.text) if entry.key else "{keyring: gptkit}"
        lines.append(f"{json.dumps(host)}: {value}\n")
    write_private(path, "".join(lines).encode())
