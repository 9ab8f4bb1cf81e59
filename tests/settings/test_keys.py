"""Which key goes to which host, and that no key is ever shown or kept where others can read it."""

from __future__ import annotations

import json
import os
import shlex
import stat
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gptkit.core.errors import ConfigurationError, GptkitError, NoPermissionError
from gptkit.core.paths import Paths
from gptkit.settings.endpoint import endpoint
from gptkit.settings.keys import (
    Key,
    environment_without_keys,
    find_key,
    parse_key,
    read_key_file,
    remove_key,
    store_key,
)
from gptkit.settings.load import Settings, load_settings

KEY = "sk-canary-7f3a9b"
Loaded = Callable[..., Settings]
PRINT = f"{sys.executable} -c 'print(\"{KEY}\")'"


@pytest.fixture
def places(tmp_path: Path) -> Paths:
    return Paths(tmp_path, tmp_path, tmp_path, tmp_path / "none")


@pytest.fixture
def loaded(places: Paths) -> Loaded:
    def make(user: str = "", environ: dict[str, str] | None = None, **options: object) -> Settings:
        places.config_file.write_text(user, encoding="utf-8")
        return load_settings(places, environ or {}, options)

    return make


def key_of(settings: Settings) -> tuple[str, str] | None:
    key = find_key(settings, settings.base_url())
    return (key.text, key.origin) if key else None


def store(places: Paths, text: str, mode: int = 0o600) -> None:
    places.keys_file.write_text(text, encoding="utf-8")
    places.keys_file.chmod(mode)


def without_canary(error: BaseException) -> bool:
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    return "canary" not in shown


FROM_VARIABLE = (KEY, "environment OPENAI_API_KEY")


@pytest.mark.parametrize(
    ("user", "environ", "options", "found"),
    [
        ("", {}, {}, FROM_VARIABLE),
        ("", {"OPENAI_BASE_URL": "https://other.example"}, {}, FROM_VARIABLE),
        ("base_url: https://other.example\n", {}, {}, None),
        ("", {}, {"base_url": "https://other.example"}, None),
        ("", {}, {"base_url": "https://api.openai.com:8443/v1"}, None),
        ("", {}, {"base_url": "https://api.openai.com.evil.example/v1"}, None),
        ("", {}, {"base_url": "http://api.openai.com/v1"}, None),
        ("", {}, {"base_url": "https://api.openai.com/v2"}, FROM_VARIABLE),
        ("", {"OPENAI_BASE_URL": "https://other.example"}, {"base_url": "https://api.openai.com/v1"}, None),
        ("base_url: https://other.example\napi_key_env: OPENAI_API_KEY\n", {}, {}, FROM_VARIABLE),
        (
            "base_url: https://other.example\napi_key_env: OPENAI_API_KEY\n",
            {},
            {"base_url": "https://third.example"},
            None,
        ),
        (
            "profiles: {p: {base_url: 'https://p.example', api_key_env: OPENAI_API_KEY}}\n",
            {"OPENAI_BASE_URL": "https://other.example", "GPTKIT_PROFILE": "p"},
            {},
            FROM_VARIABLE,
        ),
        ("profiles: {p: {base_url: 'https://p.example'}}\n", {}, {"profile": "p"}, None),
    ],
)
def test_the_key_of_the_environment_goes_to_its_host_only(
    loaded: Loaded,
    user: str,
    environ: dict[str, str],
    options: dict[str, object],
    found: tuple[str, str] | None,
) -> None:
    assert key_of(loaded(user, {"OPENAI_API_KEY": KEY, **environ}, **options)) == found


def test_a_named_variable_stands_in_for_the_usual_one(loaded: Loaded) -> None:
    user = "api_key_env: WORK_KEY\n"
    both = {"OPENAI_API_KEY": "sk-private", "WORK_KEY": KEY}
    assert key_of(loaded(user, both)) == (KEY, "environment WORK_KEY")
    with pytest.raises(NoPermissionError) as caught:
        endpoint(loaded(user, {"OPENAI_API_KEY": "sk-private"}), ())
    assert caught.value.hint.startswith("set the environment variable WORK_KEY, which api_key_env names (")


def test_a_command_prints_the_key_for_the_host_it_stands_beside(loaded: Loaded) -> None:
    user = f"profiles:\n  p:\n    base_url: https://p.example\n    api_key_command: {PRINT}\n"
    assert key_of(loaded(user, profile="p")) == (KEY, "api_key_command")
    assert key_of(loaded(user, profile="p", base_url="https://q.example")) is None


def test_a_profile_that_was_asked_for_beats_the_key_of_the_environment(loaded: Loaded) -> None:
    command = f"['{sys.executable}', -c, 'print(1)']"
    user = f"api_key_command: [sh, -c, 'exit 1']\nprofiles: {{p: {{api_key_command: {command}}}}}\n"
    environ = {"OPENAI_API_KEY": KEY}
    assert key_of(loaded(user, environ)) == FROM_VARIABLE
    assert key_of(loaded(user, environ, profile="p")) == ("1", "api_key_command")


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("import sys; print('sk-canary'); sys.exit(3)", "ended with exit code 3"),
        ("pass", "printed no key"),
        ("print('sk-canary two')", "the key from api_key_command holds a space"),
    ],
)
def test_a_command_that_fails_is_named_without_its_output(loaded: Loaded, program: str, problem: str) -> None:
    settings = loaded(f'api_key_command: ["{sys.executable}", "-c", "{program}"]\n')
    with pytest.raises(NoPermissionError) as caught:
        key_of(settings)
    assert problem in caught.value.message
    assert without_canary(caught.value)


def test_a_command_that_is_not_there(loaded: Loaded) -> None:
    with pytest.raises(NoPermissionError) as caught:
        key_of(loaded("api_key_command: no-such-program --flag\n"))
    assert caught.value.message == "api_key_command 'no-such-program': no such file or directory"


def test_a_command_gives_its_first_line_and_sees_neither_key_nor_input(
    loaded: Loaded, tmp_path: Path
) -> None:
    program = tmp_path / "show.py"
    program.write_text(
        "import os, sys\n"
        "print('OPENAI_API_KEY' in os.environ, 'WORK_KEY' in os.environ, sys.stdin.read() == '', sep='-')\n"
        "print('second line')\n"
    )
    command = json.dumps(shlex.join([sys.executable, str(program)]))  # JSON is YAML
    user = f"api_key_env: WORK_KEY\napi_key_command: {command}\n"
    assert key_of(loaded(user, {"OPENAI_API_KEY": KEY})) == ("False-False-True", "api_key_command")


def test_programs_that_are_started_get_no_key(loaded: Loaded) -> None:
    user = "api_key_env: A\nprofiles: {p: {api_key_env: B}}\n"
    environ = {"A": KEY, "B": KEY, "OPENAI_API_KEY": KEY, "PATH": "/bin"}
    assert environment_without_keys(loaded(user, environ)) == {"PATH": "/bin"}


def test_a_stored_key_goes_to_its_host_only(loaded: Loaded, places: Paths) -> None:
    store_key(places.keys_file, "api.openai.com", Key(KEY, "test"))
    settings = loaded()
    assert key_of(settings) == (KEY, f"{places.keys_file}:2")
    assert key_of(settings.with_options({"base_url": "https://api.openai.com:8443/v1"})) is None
    assert key_of(settings.with_options({"base_url": "https://other.example/v1"})) is None


def test_stored_keys_are_added_replaced_and_removed(places: Paths) -> None:
    for host, text in (("b.example", "1"), ("a.example", "2"), ("[::1]:8000", "3"), ("b.example", "no")):
        store_key(places.keys_file, host, Key(text, "test"))
    assert places.keys_file.read_text() == (
        "# Keys by host, written by 'gptkit keys'. Each goes to its host only.\n"
        '"[::1]:8000": "3"\n"a.example": "2"\n"b.example": "no"\n'
    )
    assert remove_key(places.keys_file, "a.example")
    assert not remove_key(places.keys_file, "a.example")
    assert {host: entry.key.text for host, entry in read_key_file(places.keys_file).items() if entry.key} == {
        "b.example": "no",
        "[::1]:8000": "3",
    }


def test_a_key_file_that_was_written_by_hand_is_read(places: Paths) -> None:
    store(places, "api.openai.com: sk-1\nlocalhost:8000:   'sk-2'\nother.example: 12345\n")
    found = read_key_file(places.keys_file)
    assert [entry.key.text for entry in found.values() if entry.key] == ["sk-1", "sk-2", "12345"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_the_key_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store_key(tmp_path / "new" / "deep" / "keys.yaml", "a.example", Key(KEY, "test"))
    finally:
        os.umask(before)
    for path, mode in (("new", 0o700), ("new/deep", 0o700), ("new/deep/keys.yaml", 0o600)):
        assert stat.S_IMODE((tmp_path / path).stat().st_mode) == mode


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644])
def test_a_key_file_that_others_can_read_or_change_is_refused(
    loaded: Loaded, places: Paths, mode: int
) -> None:
    store(places, f"api.openai.com: {KEY}\n", mode)
    with pytest.raises(NoPermissionError) as caught:
        key_of(loaded())
    assert caught.value.message == f"{places.keys_file}: other users can read or change it"
    assert caught.value.hint == f"chmod 600 '{places.keys_file}'"


@pytest.mark.parametrize(
    "text",
    [
        f"{KEY}\n",
        f"- {KEY}\n",
        f"a.example: [{KEY}]\n",
        f"a.example: {{x: {KEY}}}\n",
        f"a: {KEY}\na: {KEY}\n",
        f"a: '{KEY}\n",
        f"{KEY}: !!python/object:os.system {KEY}\n",
    ],
)
def test_a_broken_key_file_is_refused_without_what_it_holds(loaded: Loaded, places: Paths, text: str) -> None:
    store(places, text)
    with pytest.raises(ConfigurationError) as caught:
        key_of(loaded())
    assert caught.value.message.startswith(f"{places.keys_file}:")
    assert without_canary(caught.value)


@pytest.mark.parametrize("text", [f"  {KEY}\n", f"\ufeff{KEY}\r\n", f"\u3000{KEY}\t", KEY])
def test_space_around_a_key_is_dropped(text: str) -> None:
    key = parse_key(text, "test")
    assert key is not None
    assert key.text == KEY


@pytest.mark.parametrize("text", ["", " \n", "\ufeff"])
def test_nothing_is_no_key(text: str) -> None:
    assert parse_key(text, "test") is None


@pytest.mark.parametrize(
    "inner", [" ", "\n", "\r\nX-Evil: 1\r\n", "\t", "\x00", "\x7f", "\u200b", "\u4e2d", "\u2019"]
)
def test_a_key_that_no_header_can_carry_is_refused_before_any_request(loaded: Loaded, inner: str) -> None:
    settings = loaded(environ={"OPENAI_API_KEY": f"sk-canary{inner}tail"})
    with pytest.raises(NoPermissionError) as caught:
        endpoint(settings, ())
    assert caught.value.message.startswith("the key from environment OPENAI_API_KEY holds a ")
    assert without_canary(caught.value)


def test_a_loopback_host_needs_no_key_but_gets_one_that_was_given_for_it(loaded: Loaded) -> None:
    local = {"OPENAI_BASE_URL": "http://localhost:8000/v1"}
    assert endpoint(loaded(environ=local), ()).key is None
    assert endpoint(loaded(environ={**local, "OPENAI_API_KEY": KEY}), ()).key == KEY
    assert endpoint(loaded("base_url: http://localhost:8000/v1\n", {"OPENAI_API_KEY": KEY}), ()).key is None


def test_a_key_for_another_host_is_explained(loaded: Loaded) -> None:
    with pytest.raises(GptkitError) as caught:
        endpoint(loaded("base_url: https://other.example/v1\n", {"OPENAI_API_KEY": KEY}), ())
    assert caught.value.message == "no key for other.example"
    assert caught.value.hint.startswith("OPENAI_API_KEY is not sent there")
    assert without_canary(caught.value)


def test_no_object_shows_a_key(loaded: Loaded, places: Paths) -> None:
    store_key(places.keys_file, "b.example", Key(KEY, "test"))
    settings = loaded("", {"OPENAI_API_KEY": KEY})
    found = endpoint(settings, ())
    assert found.key == KEY
    shown = repr([settings, settings.layers, found, find_key(settings, settings.base_url())])
    shown += repr(read_key_file(places.keys_file))
    assert "canary" not in shown


def test_many_writers_lose_no_key(places: Paths) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: store_key(places.keys_file, f"h{n}.example", Key(KEY, "test")), range(32)))
    assert len(read_key_file(places.keys_file)) == 32


def test_without_a_home_there_is_no_stored_key() -> None:
    from gptkit.core.paths import paths

    environ = {"OPENAI_API_KEY": KEY}
    assert endpoint(load_settings(paths(environ), environ), ()).key == KEY
    with pytest.raises(NoPermissionError):
        endpoint(load_settings(paths({}), {}), ())
