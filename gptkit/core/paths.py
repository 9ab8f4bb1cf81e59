"""The folders of gptkit: settings, data and cache of the user, and the project's own folder."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from gptkit.core.errors import ConfigurationError

_NOWHERE = Path("/dev/null/gptkit")
"""A folder that nobody can make, since `/dev/null` is none."""
_NO_HOME = Path("/nonexistent")
"""What Debian writes in place of the home folder of a user who has none; root could make that folder."""


class Paths(NamedTuple):
    """The folders of gptkit, which may not exist yet: a folder is made when a file is written to it.

    For a user without a home folder, `problem` says so and the folders are paths that cannot exist, so a
    run that needs no files works. Before writing, call `require`.
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
        """Return `path`; raises ConfigurationError if the user has no home folder for the file."""
        if path.is_relative_to(_NOWHERE):
            raise ConfigurationError(self.problem, hint="set HOME or GPTKIT_HOME to an absolute path")
        return path


def paths(environ: Mapping[str, str]) -> Paths:
    """The folders under GPTKIT_HOME, else under XDG_*_HOME, else where the system keeps such files."""
    project = _working_folder() / ".gptkit"
    if own_home := environ.get("GPTKIT_HOME"):
        home = _working_folder() / own_home
        return Paths(home / "config", home / "data", home / "cache", project)
    folders = [_xdg_folder(environ, name) for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")]
    problem = ""
    if None in folders:
        *usual_folders, problem = _usual_folders(environ)
        folders = [folder or usual for folder, usual in zip(folders, usual_folders, strict=True)]
    config, data, cache = (folder or _NOWHERE for folder in folders)
    return Paths(config, data, cache, project, problem)


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except OSError:  # the folder was deleted while the shell was in it
        return Path()


def _xdg_folder(environ: Mapping[str, str], name: str) -> Path | None:
    """The folder that a variable of the XDG specification names; None if unset or, as it says, relative."""
    folder = Path(environ.get(name, ""))
    return folder / "gptkit" if folder.is_absolute() else None


def _usual_folders(environ: Mapping[str, str]) -> tuple[Path, Path, Path, str]:
    """The system's folders for settings, data and cache, and what is wrong if there is no home."""
    if sys.platform in ("darwin", "win32"):
        import platformdirs  # takes 25 ms: only where the folders are more than three constants

        folders = platformdirs.PlatformDirs("gptkit", appauthor=False)
        return folders.user_config_path, folders.user_data_path, folders.user_cache_path, ""
    home = Path(environ.get("HOME", ""))
    if not home.is_absolute() or home == _NO_HOME:
        reason = "is not an absolute path" if environ.get("HOME") else "is not set"
        reason = f"is '{home}'" if home == _NO_HOME else reason
        return _NOWHERE, _NOWHERE, _NOWHERE, f"no home folder: HOME {reason}"
    return home / ".config/gptkit", home / ".local/share/gptkit", home / ".cache/gptkit", ""
