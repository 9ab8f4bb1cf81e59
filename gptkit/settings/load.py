"""Load the settings of a run from options, environment variables, profiles and files, in this order."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

from gptkit.core.errors import ConfigurationError, GptkitError, NoPermissionError, UsageError
from gptkit.settings import schema
from gptkit.settings.address import ApiAddress, parse_base_url, proxy_variables
from gptkit.settings.schema import DEFAULT_BASE_URL, SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

    from gptkit.core.paths import Paths
    from gptkit.core.yaml_tree import YamlNode


SIZE_CAP = 1 << 20
"""Bytes of a file of settings."""


class SettingValue:
    """The value of a setting, or of one entry of a map such as `headers.X-Title`, and its origin in words."""

    __slots__ = ("origin", "value")

    def __init__(self, value: object, origin: str) -> None:
        self.value = value
        self.origin = origin


class SettingsFile:
    """The content of a file of settings.

    `values` are by the name of the setting, for an entry of a map by a name such as `headers.X-Title`.
    `ignored` holds a line about each setting that a project may not set or that is wrong.
    """

    __slots__ = ("ignored", "profiles", "values")

    def __init__(
        self,
        values: Mapping[str, SettingValue] | None = None,
        profiles: Mapping[str, Mapping[str, SettingValue]] | None = None,
        ignored: tuple[str, ...] = (),
    ) -> None:
        self.values = values or {}
        self.profiles = profiles or {}
        self.ignored = ignored


def read_user_file(path: Path) -> SettingsFile:
    """Read the user's settings; raises ConfigurationError with file, line and key, or NoPermissionError."""
    text = read_settings_text(path)
    return SettingsFile() if text is None else parse_settings(text, str(path))


def read_project_file(path: Path) -> SettingsFile:
    """Read a project's settings, which anyone may have written; wrong ones are ignored and listed."""
    try:
        text = read_settings_text(path, guarded=False)
        root = parse_mapping(text, str(path)) if text else None
    except ConfigurationError as error:
        return SettingsFile(ignored=(error.message,))
    values: dict[str, SettingValue] = {}
    ignored: list[str] = []
    for name, node in root.items() if root else ():
        if name not in SETTINGS or not SETTINGS[name].project:
            ignored.append(f"{path}:{node.line}: {name}: a project may not set it")
            continue
        try:
            _add_setting(values, name, node, str(path))
        except ConfigurationError as error:
            ignored.append(error.message)
    return SettingsFile(values, ignored=tuple(ignored))


def parse_settings(text: str, path: str) -> SettingsFile:
    """Parse the text of a user's file of settings; `path` is for messages. Raises ConfigurationError."""
    values: dict[str, SettingValue] = {}
    profiles: dict[str, dict[str, SettingValue]] = {}
    for name, node in parse_mapping(text, path).items():
        if name == "profiles":
            profiles = _profiles(node, path)
        else:
            _add_setting(values, name, node, path)
    return SettingsFile(values, profiles)


def read_settings_text(path: Path, guarded: bool = True) -> str | None:
    """Read the text of a file of settings; None if there is no file.

    The user's settings name programs that are run and hosts that get keys. So with `guarded`, a file that
    other users of the machine can change is refused with NoPermissionError.
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
            _refuse_unsafe_file(path, status)
        data = file.read(SIZE_CAP + 1)
    return _decode(data, path)


def _refuse_unsafe_file(path: Path, status: os.stat_result) -> None:
    if sys.platform == "win32":
        return
    if status.st_uid not in (0, os.geteuid()) and os.geteuid() != 0:
        raise NoPermissionError(f"{path}: belongs to another user")
    if status.st_mode & 0o002:
        raise NoPermissionError(f"{path}: every user can change it", hint=f"chmod o-w '{path}'")


def _decode(data: bytes, path: Path) -> str:
    if len(data) > SIZE_CAP:
        raise ConfigurationError(f"{path}: larger than {SIZE_CAP >> 10} KiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    raise ConfigurationError(f"{path}:{line}: not UTF-8")


def parse_mapping(text: str, path: str) -> Mapping[str, YamlNode]:
    """Parse a YAML mapping of settings and return its entries; raises ConfigurationError."""
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
    for name, entry in node.value.items():
        key = f"profiles.{name}"
        if not schema.is_profile_name(name):
            _refuse(path, entry, key, "a profile's name is made of a to z, 0 to 9 and '-'")
        if entry.kind == "nothing":
            profiles[name] = dict[str, SettingValue]()
            continue
        if not isinstance(entry.value, dict):
            _refuse(path, entry, key, "must be a mapping of settings to values")
        values: dict[str, SettingValue] = {}
        for setting, value in entry.value.items():
            if setting in ("profile", "profiles"):
                _refuse(path, value, f"{key}.{setting}", "a profile cannot name another")
            _add_setting(values, setting, value, path, name)
        profiles[name] = values
    return profiles


def _add_setting(
    values: dict[str, SettingValue], name: str, node: YamlNode, path: str, profile: str = ""
) -> None:
    """Check the value of a setting and add it, or each entry of a map, to `values`."""
    in_profile = f" (profile {profile})" if profile else ""
    setting = SETTINGS.get(name)
    if setting is None:
        from gptkit.core.yaml_tree import spelling_hint

        hint = spelling_hint(name, (*SETTINGS, "profiles"))
        raise ConfigurationError(f"{path}:{node.line}: {name}: unknown setting", hint=hint)
    parts = {name: node}
    if setting.kind == "map" and isinstance(node.value, dict):
        parts = {f"{name}.{key}": entry for key, entry in node.value.items()}
    for key, part in parts.items():
        try:
            value = schema.parse_node(setting, part, key)
            schema.refuse_unusable(setting, value)
        except ValueError as error:
            _refuse(path, part, key, str(error))
        if value is not None or key != name:
            values[key] = SettingValue(value, f"{path}:{part.line}{in_profile}")


def _refuse(path: str, node: YamlNode, key: str, problem: str) -> NoReturn:
    raise ConfigurationError(f"{path}:{node.line}: {key}: {problem}")


_DEFAULT = "default"


class Layer:
    """Settings of one rank. `base_url` is the API that they were written for, None for any API."""

    __slots__ = ("base_url", "is_environment", "values")

    def __init__(
        self, values: Mapping[str, SettingValue], base_url: str | None, is_environment: bool = False
    ) -> None:
        self.values = values
        self.base_url = base_url
        self.is_environment = is_environment

    def applies_to(self, target: ApiAddress) -> bool:
        """Whether values of this layer that are bound to a host may go to the host of `target`."""
        if self.base_url is None:
            return True
        try:
            return parse_base_url(self.base_url).authority == target.authority
        except ValueError:
            return False


class Settings:
    """The settings of one run.

    Making them raises ConfigurationError for an invalid file or variable, UsageError for an invalid option.
    A wrong base URL or proxy raises an error only when the endpoint is needed.
    """

    def __init__(
        self,
        paths: Paths,
        environ: Mapping[str, str],
        files: tuple[SettingsFile, SettingsFile],
        options: Mapping[str, SettingValue],
    ) -> None:
        self.paths = paths
        self.environ = environ
        self._files = files
        self._options = options
        variables = _environment_values(environ)
        self.layers = _layers(variables, files, options)
        scheme = "http" if self.text("base_url").lower().startswith("http:") else "https"
        variables.update(
            _proxy_value(environ, scheme)
        )  # last: the base URL decides which variables name a proxy

    def value(self, name: str) -> object:
        """The value in use, None if there is neither a value nor a default; maps of all ranks are merged."""
        setting = SETTINGS[name]
        if setting.kind == "map":
            merged = {}
            for layer in reversed(self.layers):
                merged.update(_entries(layer, name))
            return {key: entry.value for key, entry in merged.items() if entry.value is not None}
        setting_value = self._setting_value(name)
        return setting_value.value if setting_value else setting.default

    def origin(self, name: str) -> str:
        """The origin of a value, or of an entry of a map such as `headers.X-Title`.

        One of `default`, `/path/config.yaml:3`, `environment OPENAI_BASE_URL`, `option --model`.
        """
        setting_value = self._setting_value(name)
        return setting_value.origin if setting_value else _DEFAULT

    def text(self, name: str) -> str:
        """The value of a setting that has a default, as text."""
        return str(self.value(name))

    def number(self, name: str) -> float:
        return float(self.text(name))

    def integer(self, name: str) -> int:
        return int(self.text(name))

    def boolean(self, name: str) -> bool:
        return self.value(name) is True

    def value_for_host(self, name: str, target: ApiAddress) -> SettingValue | None:
        """The value that may go to a host, None if none: not a value that was set beside another base URL."""
        for layer in self.layers:
            if name in layer.values and layer.applies_to(target):
                return layer.values[name]
        return None

    def entries_for_host(self, name: str, target: ApiAddress) -> dict[str, object]:
        """The entries of a map that may go to a host, merged without regard to the case of their names."""
        merged: dict[str, tuple[str, object]] = {}
        for layer in reversed(self.layers):
            if layer.applies_to(target):
                merged.update(
                    (key.lower(), (key, entry.value)) for key, entry in _entries(layer, name).items()
                )
        return {key: value for key, value in merged.values() if value is not None}

    @property
    def profiles(self) -> Mapping[str, Mapping[str, SettingValue]]:
        """The user's profiles by name."""
        return self._files[0].profiles

    @property
    def ignored(self) -> tuple[str, ...]:
        """One line about each setting of the project that is ignored."""
        return self._files[1].ignored

    def with_options(self, options: Mapping[str, object]) -> Settings:
        """These settings under the given options; names of options that are no settings are ignored."""
        changed = {
            name: _option_value(name, value)
            for name, value in options.items()
            if name in SETTINGS and value is not None
        }
        if not changed:
            return self
        return Settings(self.paths, self.environ, self._files, {**self._options, **changed})

    def base_url(self) -> ApiAddress:
        """The base URL in use; raises ConfigurationError or UsageError with its origin if it is wrong."""
        try:
            return parse_base_url(self.text("base_url"))
        except ValueError as error:
            raise self.error("base_url", str(error)) from None

    def error(self, name: str, problem: str, hint: str = "") -> GptkitError:
        """The error for a value of a setting that cannot be used; `problem` says why."""
        origin = self.origin(name)
        return _error(origin, f"{name} ({origin}): {problem}", hint)

    def _setting_value(self, name: str) -> SettingValue | None:
        for layer in self.layers:
            if name in layer.values:
                return layer.values[name]
        return None


def load_settings(
    paths: Paths, environ: Mapping[str, str], options: Mapping[str, object] | None = None
) -> Settings:
    """Load the settings of the user, the project and the environment, under the given options."""
    files = read_user_file(paths.config_file), read_project_file(paths.project_config_file)
    return Settings(paths, environ, files, {}).with_options(options or {})


def _layers(
    variables: Mapping[str, SettingValue],
    files: tuple[SettingsFile, SettingsFile],
    options: Mapping[str, SettingValue],
) -> list[Layer]:
    """The layers from the highest rank to the lowest.

    They are options, a profile that an option names, variables, any other profile, the project's file and
    the user's file.
    """
    user, project = files
    layers = [
        Layer(options, None),
        Layer(variables, _base_url(variables) or DEFAULT_BASE_URL, is_environment=True),
        Layer(project.values, DEFAULT_BASE_URL),
        Layer(user.values, _base_url(user.values) or DEFAULT_BASE_URL),
    ]
    name = options.get("profile") or variables.get("profile") or user.values.get("profile")
    if name is None:
        return layers
    values = _profile(user, name)
    base_url = _base_url(values) or layers[-1].base_url
    layers.insert(1 if "profile" in options else 2, Layer(values, base_url))
    return layers


def _profile(user: SettingsFile, name_value: SettingValue) -> Mapping[str, SettingValue]:
    name = str(name_value.value)
    if name in user.profiles:
        return user.profiles[name]
    from gptkit.core.yaml_tree import spelling_hint

    hint = spelling_hint(name, tuple(user.profiles)) if user.profiles else "'gptkit profiles new' makes one"
    raise _error(name_value.origin, f"profile ({name_value.origin}): there is no profile '{name}'", hint)


def _base_url(values: Mapping[str, SettingValue]) -> str | None:
    return str(values["base_url"].value) if "base_url" in values else None


def _environment_values(environ: Mapping[str, str]) -> dict[str, SettingValue]:
    """The settings in environment variables that are not empty, without the proxy."""
    values = {}
    for setting in SETTINGS.values():
        if not setting.environment or setting.name == "proxy":
            continue
        variable = setting.environment[0]
        if setting.name == "no_proxy" and "no_proxy" in environ:
            variable = "no_proxy"
        if text := environ.get(variable, "").strip():
            values[setting.name] = _variable_value(setting.name, variable, text)
    return values


def _proxy_value(environ: Mapping[str, str], scheme: str) -> dict[str, SettingValue]:
    for variable in proxy_variables(scheme, environ):
        if text := environ.get(variable, "").strip():
            return {"proxy": _variable_value("proxy", variable, text)}
    return {}


def _variable_value(name: str, variable: str, text: str) -> SettingValue:
    try:
        return SettingValue(schema.parse_text(SETTINGS[name], text), f"environment {variable}")
    except ValueError as error:
        raise ConfigurationError(f"environment {variable}: {error}") from None


def _option_value(name: str, value: object) -> SettingValue:
    setting = SETTINGS[name]
    flag = f"--{name.replace('_', '-')}"
    try:
        if isinstance(value, str):
            return SettingValue(schema.parse_text(setting, value), f"option {flag}")
        return SettingValue(schema.check_value(setting, value), f"option {flag}")
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from None


def _entries(layer: Layer, name: str) -> dict[str, SettingValue]:
    """The entries of a map in a layer, by their names within the map."""
    prefix = f"{name}."
    return {key.removeprefix(prefix): value for key, value in layer.values.items() if key.startswith(prefix)}


def _error(origin: str, message: str, hint: str) -> GptkitError:
    error_class = UsageError if origin.startswith("option ") else ConfigurationError
    return error_class(message, hint=hint)
