"""Each setting's value and origin: an option before a variable before a profile before the files."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

from gptkit.core.errors import ConfigurationError, GptkitError, NoPermissionError, UsageError
from gptkit.settings import address as proxy
from gptkit.settings import schema
from gptkit.settings.address import BaseUrl, parse_base_url
from gptkit.settings.schema import DEFAULT_BASE_URL, SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

    from gptkit.core.paths import Paths
    from gptkit.core.yaml_tree import YamlNode


SIZE_CAP = 1 << 20


class SettingValue:
    """A value and where it came from, in words. Entries of a map stand alone: `headers.X-Title`."""

    __slots__ = ("origin", "value")

    def __init__(self, value: object, origin: str) -> None:
        self.value = value
        self.origin = origin


class SettingsFile:
    """One file of settings. `ignored` says what a project's file wanted and may not."""

    __slots__ = ("found", "ignored", "profiles")

    def __init__(
        self,
        found: Mapping[str, SettingValue] | None = None,
        profiles: Mapping[str, Mapping[str, SettingValue]] | None = None,
        ignored: tuple[str, ...] = (),
    ) -> None:
        self.found = found or {}
        self.profiles = profiles or {}
        self.ignored = ignored


def read_user_file(path: Path) -> SettingsFile:
    """The user's own file; raises ConfigurationError by file, line and key."""
    text = read_settings_text(path)
    return SettingsFile() if text is None else parse_settings(text, str(path))


def read_project_file(path: Path) -> SettingsFile:
    """The file of a folder that anyone may have made: what is wrong in it is said and harms nothing."""
    try:
        text = read_settings_text(path, guarded=False)
        root = parse_mapping(text, str(path)) if text else None
    except ConfigurationError as error:
        return SettingsFile(ignored=(error.message,))
    found: dict[str, SettingValue] = {}
    ignored: list[str] = []
    for name, node in root.items() if root else ():
        if name not in SETTINGS or not SETTINGS[name].project:
            ignored.append(f"{path}:{node.line}: {name}: a project may not set it")
            continue
        try:
            _take(found, name, node, str(path))
        except ConfigurationError as error:
            ignored.append(error.message)
    return SettingsFile(found, ignored=tuple(ignored))


def parse_settings(text: str, path: str) -> SettingsFile:
    """The settings in the text of a user's file."""
    found: dict[str, SettingValue] = {}
    profiles: dict[str, dict[str, SettingValue]] = {}
    for name, node in parse_mapping(text, path).items():
        if name == "profiles":
            profiles = _profiles(node, path)
        else:
            _take(found, name, node, path)
    return SettingsFile(found, profiles)


def read_settings_text(path: Path, guarded: bool = True) -> str | None:
    """What a settings file holds, None if there is none.

    The user's settings name programs that are run and hosts that get keys, so a file that other
    users of the machine can change is refused.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigurationError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigurationError(f"{path}: not a regular file")
        if guarded:
            _refuse_foreign(path, status)
        data = file.read(SIZE_CAP + 1)
    return _decoded(data, path)


def _refuse_foreign(path: Path, status: os.stat_result) -> None:
    if sys.platform == "win32":
        return
    if status.st_uid not in (0, os.geteuid()) and os.geteuid() != 0:
        raise NoPermissionError(f"{path}: belongs to another user")
    if status.st_mode & 0o002:
        raise NoPermissionError(f"{path}: every user can change it", hint=f"chmod o-w '{path}'")


def _decoded(data: bytes, path: Path) -> str:
    if len(data) > SIZE_CAP:
        raise ConfigurationError(f"{path}: larger than {SIZE_CAP >> 10} KiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    raise ConfigurationError(f"{path}:{line}: not UTF-8")


def parse_mapping(text: str, path: str) -> Mapping[str, YamlNode]:
    """The entries of a YAML mapping; raises ConfigurationError for anything else."""
    from gptkit.core.yaml_tree import YamlFileError, parse_yaml

    try:
        root = parse_yaml(text, path)
    except YamlFileError as error:
        message, hint = error.message, error.hint
    else:
        if root.kind == "nothing":
            return {}
        if isinstance(root.value, dict):
            return root.value
        message, hint = f"{path}:{root.line}: must be a mapping of settings to values", ""
    raise ConfigurationError(message, hint=hint)


def _profiles(node: YamlNode, path: str) -> dict[str, dict[str, SettingValue]]:
    if node.kind == "nothing":
        return {}
    if not isinstance(node.value, dict):
        _refuse(path, node, "profiles", "must be a mapping of names to settings")
    profiles = {}
    for name, each in node.value.items():
        key = f"profiles.{name}"
        if not schema.is_profile_name(name):
            _refuse(path, each, key, "a profile's name is made of a to z, 0 to 9 and '-'")
        if each.kind == "nothing":
            profiles[name] = dict[str, SettingValue]()
            continue
        if not isinstance(each.value, dict):
            _refuse(path, each, key, "must be a mapping of settings to values")
        found: dict[str, SettingValue] = {}
        for setting, value in each.value.items():
            if setting in ("profile", "profiles"):
                _refuse(path, value, f"{key}.{setting}", "a profile cannot name another")
            _take(found, setting, value, path, name)
        profiles[name] = found
    return profiles


def _take(found: dict[str, SettingValue], name: str, node: YamlNode, path: str, profile: str = "") -> None:
    """Check one setting and put it, or each entry of it, where it belongs."""
    inside = f" (profile {profile})" if profile else ""
    setting = SETTINGS.get(name)
    if setting is None:
        from gptkit.core.yaml_tree import spelling_hint

        hint = spelling_hint(name, (*SETTINGS, "profiles"))
        raise ConfigurationError(f"{path}:{node.line}: {name}: unknown setting", hint=hint)
    parts = {name: node}
    if setting.kind == "map" and isinstance(node.value, dict):
        parts = {f"{name}.{key}": each for key, each in node.value.items()}
    for key, each in parts.items():
        try:
            value = schema.parse_node(setting, each, key)
            schema.refuse_unusable(setting, value)
        except ValueError as error:
            _refuse(path, each, key, str(error))
        if value is not None or key != name:
            found[key] = SettingValue(value, f"{path}:{each.line}{inside}")


def _refuse(path: str, node: YamlNode, key: str, problem: str) -> NoReturn:
    raise ConfigurationError(f"{path}:{node.line}: {key}: {problem}")


_DEFAULT = "default"


class Layer:
    """Values of one rank. `base_url` is the API they were written for; None: whichever is in use."""

    __slots__ = ("base_url", "found", "is_environment")

    def __init__(
        self, found: Mapping[str, SettingValue], base_url: str | None, is_environment: bool = False
    ) -> None:
        self.found = found
        self.base_url = base_url
        self.is_environment = is_environment

    def applies_to(self, target: BaseUrl) -> bool:
        """Whether the values of this layer that are bound to a host may go to the host of `target`."""
        if self.base_url is None:
            return True
        try:
            return parse_base_url(self.base_url).authority == target.authority
        except ValueError:
            return False


class Settings:
    """The settings of one run. A file or a variable that is invalid raises ConfigurationError, an option
    UsageError, when it is read; a wrong base URL or proxy only when an endpoint is asked for."""

    def __init__(
        self,
        paths: Paths,
        environ: Mapping[str, str],
        sources: tuple[SettingsFile, SettingsFile],
        options: Mapping[str, SettingValue],
    ) -> None:
        self.paths = paths
        self.environ = environ
        self._sources = sources
        self._options = options
        variables = _environment(environ)
        self.layers = _layers(variables, sources, options)
        scheme = "http" if self.text("base_url").lower().startswith("http:") else "https"
        variables.update(_proxy(environ, scheme))  # last: which variable counts depends on the base URL

    def value(self, name: str) -> object:
        """The value in use; None where there is neither one nor a default. Maps are merged."""
        setting = SETTINGS[name]
        if setting.kind == "map":
            merged = {}
            for layer in reversed(self.layers):
                merged.update(_entries(layer, name))
            return {key: found.value for key, found in merged.items() if found.value is not None}
        found = self._found(name)
        return found.value if found else setting.default

    def origin(self, name: str) -> str:
        """Where the value came from: `default`, `/path/config.yaml:3`, `environment OPENAI_BASE_URL`,
        `option --model`. An entry of a map is asked for as `headers.X-Title`."""
        found = self._found(name)
        return found.origin if found else _DEFAULT

    def text(self, name: str) -> str:
        """The value of a setting that always has a text."""
        return str(self.value(name))

    def number(self, name: str) -> float:
        return float(self.text(name))

    def integer(self, name: str) -> int:
        return int(self.text(name))

    def boolean(self, name: str) -> bool:
        return self.value(name) is True

    def value_for_host(self, name: str, target: BaseUrl) -> SettingValue | None:
        """What may go to this host: a value that was set beside another base URL may not."""
        for layer in self.layers:
            if name in layer.found and layer.applies_to(target):
                return layer.found[name]
        return None

    def entries_for_host(self, name: str, target: BaseUrl) -> dict[str, object]:
        """The entries of a map that may go to this host, merged whatever the case of their names."""
        merged: dict[str, tuple[str, object]] = {}
        for layer in reversed(self.layers):
            if layer.applies_to(target):
                merged.update(
                    (key.lower(), (key, found.value)) for key, found in _entries(layer, name).items()
                )
        return {key: value for key, value in merged.values() if value is not None}

    @property
    def profiles(self) -> Mapping[str, Mapping[str, SettingValue]]:
        return self._sources[0].profiles

    @property
    def ignored(self) -> tuple[str, ...]:
        """What the project's file wanted and may not, one line each."""
        return self._sources[1].ignored

    def with_options(self, options: Mapping[str, object]) -> Settings:
        """These settings with what the command line gave; names that are no settings are passed over."""
        given = {name: value for name, value in options.items() if name in SETTINGS and value is not None}
        if not given:
            return self
        found = {**self._options, **{name: _option(name, value) for name, value in given.items()}}
        return Settings(self.paths, self.environ, self._sources, found)

    def base_url(self) -> BaseUrl:
        """The base URL in use, understood; ConfigurationError or UsageError names where it came from."""
        try:
            return parse_base_url(self.text("base_url"))
        except ValueError as error:
            raise self.error("base_url", str(error)) from None

    def error(self, name: str, problem: str, hint: str = "") -> GptkitError:
        """The error for a value that turned out to be wrong."""
        origin = self.origin(name)
        return _fault(origin, f"{name} ({origin}): {problem}", hint)

    def _found(self, name: str) -> SettingValue | None:
        for layer in self.layers:
            if name in layer.found:
                return layer.found[name]
        return None


def load_settings(
    paths: Paths, environ: Mapping[str, str], options: Mapping[str, object] | None = None
) -> Settings:
    """The settings of the user, the project folder and the environment, under the given options."""
    sources = read_user_file(paths.config_file), read_project_file(paths.project_config_file)
    return Settings(paths, environ, sources, {}).with_options(options or {})


def _layers(
    variables: Mapping[str, SettingValue],
    sources: tuple[SettingsFile, SettingsFile],
    options: Mapping[str, SettingValue],
) -> list[Layer]:
    """Highest rank first: options, a profile that an option names, variables, any other profile, the
    project's hints, the user's file."""
    user, project = sources
    layers = [
        Layer(options, None),
        Layer(variables, _base_url(variables) or DEFAULT_BASE_URL, is_environment=True),
        Layer(project.found, DEFAULT_BASE_URL),
        Layer(user.found, _base_url(user.found) or DEFAULT_BASE_URL),
    ]
    named = options.get("profile") or variables.get("profile") or user.found.get("profile")
    if named is None:
        return layers
    found = _profile(user, named)
    base_url = _base_url(found) or layers[-1].base_url
    layers.insert(1 if "profile" in options else 2, Layer(found, base_url))
    return layers


def _profile(user: SettingsFile, named: SettingValue) -> Mapping[str, SettingValue]:
    name = str(named.value)
    if name in user.profiles:
        return user.profiles[name]
    from gptkit.core.yaml_tree import spelling_hint

    hint = spelling_hint(name, tuple(user.profiles)) if user.profiles else "'gptkit profiles new' makes one"
    raise _fault(named.origin, f"profile ({named.origin}): there is no profile '{name}'", hint)


def _base_url(found: Mapping[str, SettingValue]) -> str | None:
    return str(found["base_url"].value) if "base_url" in found else None


def _environment(environ: Mapping[str, str]) -> dict[str, SettingValue]:
    """The variables that are set and not empty, but for the proxy's."""
    found = {}
    for setting in SETTINGS.values():
        if not setting.environment or setting.name == "proxy":
            continue
        variable = setting.environment[0]
        if setting.name == "no_proxy" and "no_proxy" in environ:
            variable = "no_proxy"
        if text := environ.get(variable, "").strip():
            found[setting.name] = _variable(setting.name, variable, text)
    return found


def _proxy(environ: Mapping[str, str], scheme: str) -> dict[str, SettingValue]:
    for variable in proxy.proxy_variables(scheme, environ):
        if text := environ.get(variable, "").strip():
            return {"proxy": _variable("proxy", variable, text)}
    return {}


def _variable(name: str, variable: str, text: str) -> SettingValue:
    try:
        return SettingValue(schema.parse_text(SETTINGS[name], text), f"environment {variable}")
    except ValueError as error:
        raise ConfigurationError(f"environment {variable}: {error}") from None


def _option(name: str, value: object) -> SettingValue:
    setting = SETTINGS[name]
    flag = f"--{name.replace('_', '-')}"
    try:
        if isinstance(value, str):
            return SettingValue(schema.parse_text(setting, value), f"option {flag}")
        return SettingValue(schema.check_value(setting, value), f"option {flag}")
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from None


def _entries(layer: Layer, name: str) -> dict[str, SettingValue]:
    start = f"{name}."
    return {key[len(start) :]: found for key, found in layer.found.items() if key.startswith(start)}


def _fault(origin: str, message: str, hint: str) -> GptkitError:
    kind = UsageError if origin.startswith("option ") else ConfigurationError
    return kind(message, hint=hint)
