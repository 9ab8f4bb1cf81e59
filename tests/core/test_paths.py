"""Where files are, for every way to say so, and that asking creates nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from gptkit.core.errors import ConfigurationError
from gptkit.core.paths import paths

linux = pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="the folders of Linux")


@linux
def test_the_home_folder_holds_all(tmp_path: Path) -> None:
    found = paths({"HOME": str(tmp_path)})
    assert found.config == tmp_path / ".config/gptkit"
    assert found.data == tmp_path / ".local/share/gptkit"
    assert found.cache == tmp_path / ".cache/gptkit"
    assert found.project == Path.cwd() / ".gptkit"
    assert found.config_file == tmp_path / ".config/gptkit/config.yaml"
    assert found.keys_file == tmp_path / ".config/gptkit/keys.yaml"
    assert list(tmp_path.iterdir()) == []


@linux
def test_xdg_moves_one_folder_and_a_relative_one_is_ignored(tmp_path: Path) -> None:
    found = paths({"HOME": "/home/a", "XDG_DATA_HOME": str(tmp_path), "XDG_CACHE_HOME": "cache"})
    assert (found.data, found.cache) == (tmp_path / "gptkit", Path("/home/a/.cache/gptkit"))


def test_gptkit_home_moves_everything() -> None:
    found = paths({"HOME": "/home/a", "GPTKIT_HOME": "/srv/g", "XDG_CONFIG_HOME": "/x"})
    assert (found.config, found.data, found.cache) == (
        Path("/srv/g/config"),
        Path("/srv/g/data"),
        Path("/srv/g/cache"),
    )


def test_a_relative_gptkit_home_is_absolute_from_then_on(tmp_path: Path) -> None:
    found = paths({"GPTKIT_HOME": "state"})
    assert found.config == Path.cwd() / "state/config"


@linux
@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({}, "no home folder: HOME is not set"),
        ({"HOME": ""}, "no home folder: HOME is not set"),
        ({"HOME": "somewhere"}, "no home folder: HOME is not an absolute path"),
        ({"HOME": "/nonexistent"}, "no home folder: HOME is '/nonexistent'"),
    ],
)
def test_without_a_home_only_writing_fails(environ: dict[str, str], problem: str) -> None:
    found = paths(environ)
    assert not found.config_file.exists()
    assert not (found.config / "prompts").is_dir()
    with pytest.raises(ConfigurationError, match=f"^{problem}$"):
        found.require(found.keys_file)
    for folder in (found.config, found.data, found.cache):
        with pytest.raises(OSError, match="Not a directory"):  # for root as well
            folder.mkdir(parents=True)


@linux
def test_a_folder_that_was_named_needs_no_home(tmp_path: Path) -> None:
    found = paths({"XDG_CONFIG_HOME": str(tmp_path)})
    assert found.require(found.config_file) == tmp_path / "gptkit/config.yaml"
    with pytest.raises(ConfigurationError):
        found.require(found.data / "rejected.json")


@linux
def test_names_with_spaces_and_line_breaks_are_names() -> None:
    assert paths({"HOME": "/home/a b\nc"}).config == Path("/home/a b\nc/.config/gptkit")


@linux
def test_a_deleted_working_folder_harms_nothing(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    before = Path.cwd()
    os.chdir(gone)
    try:
        gone.rmdir()
        found = paths({"HOME": "/home/a"})
    finally:
        os.chdir(before)
    assert found.project == Path(".gptkit")
    assert found.config == Path("/home/a/.config/gptkit")
