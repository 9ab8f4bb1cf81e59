"""`gptkit config` and `gptkit profiles`, run as a user runs them."""

from __future__ import annotations

import json
import os
import shlex
import stat
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fake.program import AsProcess, InMemory

from gptkit.core.paths import Paths
from gptkit.settings.edit import set_value
from gptkit.settings.load import read_user_file
from gptkit.settings.schema import DEFAULT_MODEL, SETTINGS

Write = Callable[[str], Path]


@pytest.fixture
def file(home: Path) -> Path:
    return home / "config" / "config.yaml"


@pytest.fixture
def write(file: Path) -> Write:
    def written(text: str) -> Path:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    return written


def listed(gptkit: InMemory, *args: str, **environ: str) -> dict[str, tuple[object, str]]:
    code, output, errors = gptkit("config", "list", "--json", *args, env=environ)
    assert (code, errors) == (0, "")
    return {row["name"]: (row["value"], row["origin"]) for row in json.loads(output)}


def test_a_first_run_shows_the_defaults_and_writes_nothing(gptkit: InMemory, home: Path) -> None:
    found = listed(gptkit)
    assert found["model"] == (DEFAULT_MODEL, "default")
    assert list(found) == [name for name in SETTINGS if SETTINGS[name].kind != "map"]
    assert list(home.iterdir()) == []


def test_each_value_has_its_origin_and_secrets_are_masked(gptkit: InMemory, write: Write) -> None:
    path = write(
        "model: m\nheaders:\n  X-Token: tok-secret-abcd\n  X-Long: tok-secret-0123456789-wxyz\n"
        "proxy: http://u:pw-secret@p.example:1\nparameters: {seed: 1}\nprofiles: {a: {model: of-a}}\n"
    )
    found = listed(gptkit, OPENAI_BASE_URL="http://localhost:1/v1")
    assert found["base_url"] == ("http://localhost:1/v1", "environment OPENAI_BASE_URL")
    assert found["model"] == ("m", f"{path}:1")
    assert found["headers.X-Token"] == ("****", f"{path}:3")
    assert found["headers.X-Long"] == ("****wxyz", f"{path}:4")
    assert found["proxy"] == ("http://u:****@p.example:1", f"{path}:5")
    assert found["parameters.seed"] == (1, f"{path}:6")
    assert listed(gptkit, "--profile", "a")["model"] == ("of-a", f"{path}:7 (profile a)")
    assert "secret" not in gptkit("config", "list").stdout


def test_a_list_has_tabs_in_a_pipe_and_columns_on_a_terminal(gptkit: InMemory, write: Write) -> None:
    path = write("model: 模型\n")
    piped = gptkit("config", "list").stdout.splitlines()
    assert piped[0] == f"model\t模型\t{path}:1"
    assert {line.count("\t") for line in piped} == {2}
    shown = gptkit("config", "list", tty=True).stdout.splitlines()
    address = next(line for line in shown if line.startswith("base_url "))
    width = address.index("https") + len("https://api.openai.com/v1") + 2
    assert shown[0].index(str(path)) == width - len("模型")


def test_what_a_terminal_would_obey_is_shown(gptkit: InMemory, write: Write) -> None:
    write('parameters: {"\\x1b]0;pwned\\a": "\\x1b[2J"}\n')
    for args in (("config", "list"), ("config", "get", "parameters")):
        shown = gptkit(*args, tty=True).stdout
        assert "\x1b" not in shown
        assert "\x07" not in shown


def test_what_a_project_wanted_is_said(gptkit: InMemory, folder: Path) -> None:
    (folder / ".gptkit").mkdir()
    (folder / ".gptkit/config.yaml").write_text("proxy: http://evil.example:1\ntemperature: 0.1\n")
    code, output, errors = gptkit("config", "list")
    assert code == 0
    assert f"temperature\t0.1\t{folder}/.gptkit/config.yaml:2" in output.splitlines()
    assert errors == f"gptkit: ignored: {folder}/.gptkit/config.yaml:1: proxy: a project may not set it\n"


def test_set_get_unset(gptkit: InMemory, file: Path) -> None:
    for name, value, shown in (
        ("model", "gpt-z", "gpt-z"),
        ("temperature", "0.5", "0.5"),
        ("attempts", "2", "2"),
        ("idle_timeout", "30", "30"),
        ("markdown", "off", "false"),
        ("parameters.stop", "[a, b]", '["a", "b"]'),
        ("headers.X-Title", "t", "t"),
        ("api_key_command", "pass show 'my key'", '["pass", "show", "my key"]'),
        ("no_proxy", "a.example, b.example", '["a.example", "b.example"]'),
        ("parameters", "{seed: 3}", '{"seed": 3}'),
    ):
        assert gptkit("config", "set", name, value) == (0, "", "")
        assert gptkit("config", "get", name) == (0, f"{shown}\n", "")
        assert gptkit("config", "unset", name) == (0, "", "")
        assert gptkit("config", "unset", name) == (66, "", f"gptkit: '{name}' is not set in '{file}'\n")
    assert gptkit("config", "get", "temperature") == (66, "", "gptkit: 'temperature' is not set\n")
    assert file.read_text() == ""


def test_names_are_completed(run: AsProcess) -> None:
    environ = {"_GPTKIT_COMPLETE": "complete_bash", "COMP_WORDS": "gptkit config get m", "COMP_CWORD": "3"}
    assert run(env=environ).stdout.split() == ["model", "max_tokens", "monthly_limit", "markdown"]


def test_a_change_keeps_comments_order_and_mode(gptkit: InMemory, write: Write) -> None:
    path = write("# 我的\nmodel: a  # why\n\nprofiles:\n  p:\n    model: b\n# end\n")
    path.chmod(0o640)
    assert gptkit("config", "set", "model", "c").code == 0
    assert gptkit("config", "set", "--profile", "p", "headers.X-A", "1").code == 0
    assert path.read_text("utf-8") == (
        '# 我的\nmodel: c  # why\n\nprofiles:\n  p:\n    model: b\n    headers:\n      X-A: "1"\n# end\n'
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_a_new_file_is_private_whatever_the_umask(gptkit: InMemory, file: Path) -> None:
    before = os.umask(0)
    try:
        assert gptkit("config", "set", "model", "a").code == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("args", "message", "hint"),
    [
        (("modle", "x"), "there is no setting 'modle'", "did you mean 'model'?"),
        (("model.x", "x"), "there is no setting 'model.x'", "did you mean 'model'?"),
        (("temperature", "-1"), "temperature: must be at least 0", ""),
        (("attempts", "many"), "attempts: must be a whole number", ""),
        (("base_url", "ftp://x"), "base_url: must begin with https:// or http://", ""),
        (("headers.Host", "x"), "headers.Host: gptkit sets it itself", ""),
        (("parameters.model", "x"), "parameters.model: gptkit sets it itself", ""),
        (("profile", "none"), "there is no profile 'none'", "'gptkit profiles new none' makes it"),
        (("--profile", "p", "model", "x"), "there is no profile 'p'", "'gptkit profiles new p' makes it"),
    ],
)
def test_what_cannot_be_set_is_refused_and_nothing_is_written(
    gptkit: InMemory, file: Path, args: tuple[str, ...], message: str, hint: str
) -> None:
    expected = f"gptkit: {message}\n" + (f"hint: {hint}\n" if hint else "")
    assert gptkit("config", "set", *args) == (2, "", expected)
    assert not file.exists()


def test_a_layout_that_cannot_be_changed_by_line_is_left_alone(gptkit: InMemory, write: Write) -> None:
    text = "? profiles\n: ~\n"
    path = write(text)
    code, _, errors = gptkit("profiles", "new", "a", "model=x")
    assert code == 78
    assert errors.startswith(f"gptkit: {path}:")
    assert path.read_text() == text


def test_a_broken_file_stops_a_change_and_a_list_but_not_path(gptkit: InMemory, write: Write) -> None:
    path = write("model: a\nmodle: b\n")
    broken = f"gptkit: {path}:2: modle: unknown setting\nhint: did you mean 'model'?\n"
    assert gptkit("config", "list") == (78, "", broken)
    assert gptkit("config", "set", "model", "c") == (78, "", broken)
    assert gptkit("config", "path") == (0, f"{path}\n", "")


def test_without_a_home_a_change_is_refused_in_one_line(gptkit: InMemory) -> None:
    environ = {"GPTKIT_HOME": None, "HOME": None}
    code, output, errors = gptkit("config", "set", "model", "x", env=environ)
    assert (code, output) == (78, "")
    assert errors.startswith("gptkit: no home folder: HOME is not set\nhint: ")
    assert gptkit("config", "get", "model", env=environ) == (0, f"{DEFAULT_MODEL}\n", "")


def editor(tmp_path: Path, program: str) -> str:
    script = tmp_path / "editor.py"
    script.write_text(f"import os, sys\npath = sys.argv[-1]\n{program}\n")
    return shlex.join([sys.executable, str(script), "--wait"])


def test_edit_opens_a_file_that_explains_itself(gptkit: InMemory, file: Path, tmp_path: Path) -> None:
    command = editor(tmp_path, "open(path, 'a').write('model: edited\\n')")
    assert gptkit("config", "edit", env={"EDITOR": command}) == (0, "", "")
    text = file.read_text()
    assert all(f"# {name}:" in text for name in SETTINGS)
    assert gptkit("config", "get", "model").stdout == "edited\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_config_template_means_what_it_says_without_its_comment_signs(file: Path) -> None:
    from gptkit.cli.config import config_template
    from gptkit.settings.load import parse_settings

    lines = [
        line.removeprefix("# ") for line in config_template().splitlines() if ":" in line and "'" not in line
    ]
    found = parse_settings("\n".join(lines), "start")
    assert {name: value.value for name, value in found.values.items()} == {
        name: setting.default for name, setting in SETTINGS.items() if setting.default not in (None, ())
    }
    assert set(found.profiles) == {"local"}


def test_edit_says_what_is_wrong_afterwards_and_opens_a_broken_file(
    gptkit: InMemory, write: Write, tmp_path: Path
) -> None:
    path = write("modle: a\n")
    keep = editor(tmp_path, "pass")
    broken = f"gptkit: {path}:1: modle: unknown setting\nhint: did you mean 'model'?\n"
    assert gptkit("config", "edit", env={"VISUAL": keep}) == (78, "", broken)
    repair = editor(tmp_path, "open(path, 'w').write('model: a\\n')")
    assert gptkit("config", "edit", env={"VISUAL": repair, "EDITOR": "false"}) == (0, "", "")


def test_the_editor_gets_no_key(gptkit: InMemory, write: Write, tmp_path: Path) -> None:
    write("api_key_env: MINE\n")
    command = editor(tmp_path, f"open({str(tmp_path / 'seen')!r}, 'w').write(repr(dict(os.environ)))")
    environ = {"EDITOR": command, "MINE": "sk-canary", "KEPT": "kept"}
    assert gptkit("config", "edit", env=environ, key="sk-canary").code == 0
    seen = (tmp_path / "seen").read_text()
    assert "canary" not in seen
    assert "kept" in seen


@pytest.mark.parametrize("command", ["no-such-editor --wait", "'unclosed", "false"])
def test_an_editor_that_fails_is_named(gptkit: InMemory, command: str) -> None:
    code, output, errors = gptkit("config", "edit", env={"EDITOR": command})
    assert (code, output) == (78, "")
    assert command.split(maxsplit=1)[0] in errors


def test_profiles(gptkit: InMemory, file: Path) -> None:
    new = (
        "profiles",
        "new",
        "local",
        "base_url=http://localhost:11434/v1",
        "model=llama",
        "headers.X-A=secret-1",
    )
    assert gptkit(*new) == (0, "", "")
    assert gptkit("profiles", "new", "plain") == (0, "", "")
    assert gptkit("profiles", "new", "plain").code == 2
    assert gptkit("profiles", "list") == (
        0,
        f"-\tlocal\tllama\thttp://localhost:11434/v1\n-\tplain\t{DEFAULT_MODEL}\thttps://api.openai.com/v1\n",
        "",
    )
    assert gptkit("profiles", "use", "local") == (0, "", "")
    assert json.loads(gptkit("profiles", "list", "--json").stdout)[0]["in_use"] is True
    assert gptkit("config", "get", "model").stdout == "llama\n"
    assert gptkit("profiles", "show", "local").stdout == (
        f"base_url\thttp://localhost:11434/v1\t{file}:3 (profile local)\n"
        f"model\tllama\t{file}:4 (profile local)\n"
        f"headers.X-A\t****\t{file}:6 (profile local)\n"
    )
    note = "gptkit: 'local' was in use; no profile is in use now\n"
    assert gptkit("profiles", "remove", "local") == (0, "", note)
    assert set(read_user_file(file).profiles) == {"plain"}
    assert gptkit("config", "get", "profile").code == 66


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "", "a" * 300, "con", "\uff0f", "Ä", "-", "a.b"])
def test_a_profile_has_a_plain_name(gptkit: InMemory, file: Path, name: str) -> None:
    code, output, _ = gptkit("profiles", "new", "--", name)
    assert (code, output) == (2, "")
    assert not file.exists()


def test_a_profile_that_is_not_there(gptkit: InMemory, write: Write) -> None:
    write("profiles: {work: {}}\n")
    for args in (("profiles", "use", "wrok"), ("profiles", "remove", "wrok"), ("profiles", "show", "wrok")):
        code, _, errors = gptkit(*args)
        assert code == 2
        assert errors.endswith("there is no profile 'wrok'\nhint: did you mean 'work'?\n")


def test_many_writers_lose_no_change(tmp_path: Path) -> None:
    places = Paths(tmp_path / "config", tmp_path, tmp_path, tmp_path)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: set_value(places.config_file, f"parameters.p{n}", str(n)), range(32)))
    assert len(read_user_file(places.config_file).values) == 32


@pytest.mark.parametrize("url", ["postgresql://me:secret@host/db", "postgres://host/db?password=secret"])
def test_a_password_in_the_address_of_an_index_is_refused(gptkit: InMemory, write: Write, url: str) -> None:
    wrong = "index: a password in an address can be seen by others; put it into ~/.pgpass or PGPASSFILE"
    assert gptkit("config", "set", "index", url) == (2, "", f"gptkit: {wrong}\n")
    path = write(f"index: {url}\n")
    assert gptkit("config", "list") == (78, "", f"gptkit: {path}:1: {wrong}\n")
