"""Where gptkit keeps its files: settings, data and cache of the user, and the project's own folder."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from gptkit.core.errors import ConfigurationError

_NOWHERE = Path("/nonexistent/gptkit")


class Paths(NamedTuple):
    """Folders that may not exist yet: nothing is created before something is written.

    For a user without a home `problem` says so and the folders do not exist: reading finds nothing
    there, and a run that needs no files works. Who wants to write asks `require` for the path.
    """

    config: Path
    data: Path
    cache: Path
    project: Path
    problem: str = ""

    @property
    def config_file(self) -> Path:
        return self.config / "config.yaml"

    @property
    def keys_file(self) -> Path:
        return self.config / "keys.yaml"

    @property
    def project_config_file(self) -> Path:
        return self.project / "config.yaml"

    def require(self, path: Path) -> Path:
        """The path, or ConfigurationError when the user has no place for it."""
        if path.is_relative_to(_NOWHERE):
            raise ConfigurationError(self.problem, hint="set HOME or GPTKIT_HOME to an absolute path")
        return path


def paths(environ: Mapping[str, str]) -> Paths:
    """The folders that an environment asks for: GPTKIT_HOME, else XDG_*_HOME, else the system's custom."""
    project = _working_folder() / ".gptkit"
    if own := environ.get("GPTKIT_HOME"):
        home = _working_folder() / own
        return Paths(home / "config", home / "data", home / "cache", project)
    folders = [_xdg(environ, name) for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")]
    problem = ""
    if None in folders:
        *customary, problem = _customary(environ)
        folders = [given or usual for given, usual in zip(folders, customary, strict=True)]
    config, data, cache = (folder or _NOWHERE for folder in folders)
    return Paths(config, data, cache, project, problem)


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except OSError:  # it was deleted under the running shell
        return Path()


def _xdg(environ: Mapping[str, str], name: str) -> Path | None:
    """The XDG specification: a relative path is invalid and ignored."""
    folder = Path(environ.get(name, ""))
    return folder / "gptkit" if folder.is_absolute() else None


def _customary(environ: Mapping[str, str]) -> tuple[Path, Path, Path, str]:
    if sys.platform in ("darwin", "win32"):
        import platformdirs  # 25 ms: only where the system's custom is more than three constants

        folders = platformdirs.PlatformDirs("gptkit", appauthor=False)
        return folders.user_config_path, folders.user_data_path, folders.user_cache_path, ""
    home = Path(environ.get("HOME", ""))
    if not home.is_absolute():
        why = "is not an absolute path" if environ.get("HOME") else "is not set"
        return _NOWHERE, _NOWHERE, _NOWHERE, f"no home folder: HOME {why}"
    return home / ".config/gptkit", home / ".local/share/gptkit", home / ".cache/gptkit", ""
