"""Finds the key for a host: each key goes only to the host that it was given for."""

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
    from gptkit.settings.address import BaseUrl
    from gptkit.settings.load import Layer, Settings, SettingValue


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


def find_key(settings: Settings, target: BaseUrl) -> Key | None:
    """The key for a host: of a layer of settings, highest rank first, then of the key file or keyring.

    A variable that `api_key_env` names stands in for OPENAI_API_KEY. Raises NoPermissionError for a key
    that no header can carry.
    """
    renamed = settings.value_for_host("api_key_env", target)
    for layer in settings.layers:
        if layer.applies_to(target) and (key := _of_layer(layer, settings, renamed)):
            return key

    return stored_key(settings.paths.keys_file, target.authority)


def parse_key(text: str, origin: str) -> Key | None:
    """The key without the space around it, None if nothing else is there; NoPermissionError for what no
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
    raise NoPermissionError(
        f"the key from {origin} {problem}", hint="copy the whole key again and nothing else"
    )


def environment_without_keys(settings: Settings) -> dict[str, str]:
    """The environment for programs that gptkit starts: no key is in it."""
    named = [settings.layers[-1].found, *settings.profiles.values()]
    names = {KEY_VARIABLE} | {str(each["api_key_env"].value) for each in named if "api_key_env" in each}
    return {name: value for name, value in settings.environ.items() if name not in names}


def environment_without_named(text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The same where the settings are broken: without what their text seems to name."""
    import re

    names = {KEY_VARIABLE, *re.findall(r"api_key_env\W{1,9}(\w+)", text)}
    return {name: value for name, value in environ.items() if name not in names}


def _of_layer(layer: Layer, settings: Settings, renamed: SettingValue | None) -> Key | None:
    if layer.is_environment and renamed is None:
        return _of_variable(KEY_VARIABLE, settings.environ)
    if renamed is not None and layer.found.get("api_key_env") is renamed:
        key = _of_variable(str(renamed.value), settings.environ)
        if key is not None:
            return key
    command = layer.found.get("api_key_command")
    if command is not None and isinstance(command.value, tuple):
        return _of_command(command.value, environment_without_keys(settings))
    return None


def _of_variable(name: str, environ: Mapping[str, str]) -> Key | None:
    return parse_key(environ.get(name, ""), f"environment {name}")


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
            if key := parse_key(first, "api_key_command"):
                return key
            problem = "printed no key"
        else:
            problem = f"ended with exit code {code}"
    raise NoPermissionError(f"api_key_command '{command[0]}': {problem}")


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


SERVICE = "gptkit"
_INSTEAD = "'gptkit keys set' without '--keyring' stores in a file that only you can read"


def read_keyring(host: str) -> str:
    """The key of a host, empty if the keyring has none any more."""
    found = _call("get_password", SERVICE, host)
    return found if isinstance(found, str) else ""


def write_keyring(host: str, key: str) -> None:
    """Store a key and see that it is there: the backend that stands for none takes all and keeps nothing."""
    _call("set_password", SERVICE, host, key)
    if read_keyring(host) != key:
        raise ConfigurationError("keyring: it did not keep the key", hint=_INSTEAD)


def delete_from_keyring(host: str) -> None:
    """Remove the key of a host; one that is gone already is fine."""
    if read_keyring(host):
        _call("delete_password", SERVICE, host)


def _call(name: str, *arguments: str) -> object:
    """A backend raises what it likes; of that only the kind is told, for the text may hold anything."""
    try:
        import keyring
    except ImportError:
        hint = "pip install 'gptkit[keyring]'"
        raise ConfigurationError("keyring: it is not installed", hint=hint) from None
    try:
        found: object = getattr(keyring, name)(*arguments)
        return found
    except Exception as error:
        kind = type(error).__name__
    problem = "this machine has none" if kind == "NoKeyringError" else f"it failed ({kind})"
    raise ConfigurationError(f"keyring: {problem}", hint=_INSTEAD)


SIZE_CAP = 1 << 20


class StoredKey(NamedTuple):
    """What the key file holds for one host: a key, or None where the key is in the keyring."""

    key: Key | None

    def __repr__(self) -> str:
        return f"Entry({self.key!r})"


def stored_key(path: Path, host: str) -> Key | None:
    """The key that was stored for a host."""
    entry = read_key_file(path).get(host)
    if entry is None or entry.key:
        return entry.key if entry else None
    return parse_key(read_keyring(host), "keyring")


def read_key_file(path: Path) -> dict[str, StoredKey]:
    """What is stored, by host; NoPermissionError if other users could read or change it."""
    data = _private_bytes(path)
    if not data:
        return {}
    found: dict[str, StoredKey] = {}
    for host, node in _tree(data, path).items():
        if node.kind == "text" or (isinstance(node.value, str) and node.value):
            found[host] = StoredKey(parse_key(str(node.value), f"{path}:{node.line}"))
        elif isinstance(node.value, dict) and list(node.value) == ["keyring"]:
            found[host] = StoredKey(None)
        else:
            raise ConfigurationError(f"{path}:{node.line}: must be a host and its key")
    return found


def store_key(path: Path, host: str, key: Key) -> None:
    """Store a key in the file, in place of an older one."""
    from gptkit.core.files import folder_lock

    with folder_lock(path.parent):
        _write(path, {**read_key_file(path), host: StoredKey(key)})


def store_key_in_keyring(path: Path, host: str, key: Key) -> None:
    """Store a key in the system's keyring, and in the file only that it is there."""
    from gptkit.core.files import folder_lock

    with folder_lock(path.parent):
        kept = read_key_file(path)
        write_keyring(host, key.text)
        _write(path, {**kept, host: StoredKey(None)})


def remove_key(path: Path, host: str) -> bool:
    """Forget the key of a host; False if none was stored."""
    from gptkit.core.files import folder_lock

    with folder_lock(path.parent):
        kept = read_key_file(path)
        entry = kept.pop(host, None)
        if entry is None:
            return False
        if entry.key is None:
            delete_from_keyring(host)
        _write(path, kept)
    return True


def _private_bytes(path: Path) -> bytes:
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


def _tree(data: bytes, path: Path) -> Mapping[str, YamlNode]:
    """The file's entries; its errors name a line and nothing that stands on it."""
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


def _write(path: Path, kept: Mapping[str, StoredKey]) -> None:
    import json

    from gptkit.core.files import write_private

    lines = ["# Keys by host, written by 'gptkit keys'. Each goes to its host only.\n"]
    for host, entry in sorted(kept.items()):
        value = json.dumps(entry.key.text) if entry.key else "{keyring: gptkit}"
        lines.append(f"{json.dumps(host)}: {value}\n")
    write_private(path, "".join(lines).encode())
