"""Which value counts, where it came from, and what is refused by file, line and key."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gptkit.core.errors import ConfigurationError, GptkitError, NoPermissionError, UsageError
from gptkit.core.paths import Paths
from gptkit.settings.load import Settings, load_settings
from gptkit.settings.schema import DEFAULT_BASE_URL, DEFAULT_MODEL, SETTINGS

Loaded = Callable[..., Settings]


@pytest.fixture
def places(tmp_path: Path) -> Paths:
    places = Paths(tmp_path / "config", tmp_path / "data", tmp_path / "cache", tmp_path / ".gptkit")
    places.config.mkdir()
    places.project.mkdir()
    return places


@pytest.fixture
def loaded(places: Paths) -> Loaded:
    """Settings over the given texts of the user's and the project's file."""

    def make(
        user: str | None = None,
        project: str | None = None,
        environ: Mapping[str, str] | None = None,
        **options: object,
    ) -> Settings:
        for path, text in ((places.config_file, user), (places.project_config_file, project)):
            if text is not None:
                path.write_text(text, encoding="utf-8")
        return load_settings(places, environ or {}, options)

    return make


def failure(loaded: Loaded, *args: object, **kwargs: object) -> GptkitError:
    with pytest.raises(GptkitError) as caught:
        loaded(*args, **kwargs)
    return caught.value


def test_without_files_and_variables_all_is_default(loaded: Loaded) -> None:
    settings = loaded()
    assert settings.text("model") == DEFAULT_MODEL
    assert settings.text("base_url") == DEFAULT_BASE_URL
    assert {settings.origin(name) for name in SETTINGS} == {"default"}
    assert settings.number("wait_budget") == 60.0
    assert settings.integer("attempts") == 4
    assert settings.boolean("markdown") is True
    assert settings.value("parameters") == {}


def test_an_option_beats_a_variable_beats_the_file(loaded: Loaded, places: Paths) -> None:
    user = "# mine\nmodel: from-file\n"
    settings = loaded(user)
    assert (settings.value("model"), settings.origin("model")) == ("from-file", f"{places.config_file}:2")
    settings = loaded(user, environ={"GPTKIT_MODEL": "from-variable"})
    assert settings.origin("model") == "environment GPTKIT_MODEL"
    settings = settings.with_options({"model": "typed", "verbose": True, "proxy": None})
    assert (settings.value("model"), settings.origin("model")) == ("typed", "option --model")


def test_an_empty_variable_is_not_set(loaded: Loaded) -> None:
    assert loaded(environ={"GPTKIT_MODEL": " ", "OPENAI_BASE_URL": ""}).origin("base_url") == "default"


PROFILES = """\
model: common
profile: home
profiles:
  home:
    model: at-home
  work:
    model: at-work
    base_url: https://work.example/v1
"""


@pytest.mark.parametrize(
    ("environ", "options", "model", "origin"),
    [
        ({}, {}, "at-home", "config.yaml:5 (profile home)"),
        ({"GPTKIT_PROFILE": "work"}, {}, "at-work", "config.yaml:7 (profile work)"),
        ({"GPTKIT_PROFILE": "work", "GPTKIT_MODEL": "v"}, {}, "v", "environment GPTKIT_MODEL"),
        ({"GPTKIT_MODEL": "v"}, {"profile": "work"}, "at-work", "config.yaml:7 (profile work)"),
        ({}, {"profile": "work", "model": "o"}, "o", "option --model"),
    ],
)
def test_a_profile_ranks_by_how_it_was_chosen(
    loaded: Loaded, environ: dict[str, str], options: dict[str, object], model: str, origin: str
) -> None:
    settings = loaded(PROFILES, environ=environ, **options)
    assert settings.value("model") == model
    assert settings.origin("model").endswith(origin)


@pytest.mark.parametrize(
    ("environ", "options", "kind", "message"),
    [
        ({"GPTKIT_PROFILE": "wrok"}, {}, ConfigurationError, "profile (environment GPTKIT_PROFILE)"),
        ({}, {"profile": "wrok"}, UsageError, "profile (option --profile)"),
    ],
)
def test_a_profile_that_is_not_there(
    loaded: Loaded, environ: dict[str, str], options: dict[str, object], kind: type, message: str
) -> None:
    error = failure(loaded, PROFILES, environ=environ, **options)
    assert type(error) is kind
    assert error.message == f"{message}: there is no profile 'wrok'"
    assert error.hint == "did you mean 'work'?"


@pytest.mark.parametrize("name", ["../x", "/etc", "", "a" * 300, "nul", "com1", "\uff0fetc", "a b", "a\nb"])
def test_the_name_of_a_profile_is_a_word(loaded: Loaded, name: str) -> None:
    assert isinstance(failure(loaded, profile=name), UsageError)


def test_maps_are_merged_entry_by_entry(loaded: Loaded, places: Paths) -> None:
    settings = loaded(
        "parameters: {seed: 1, top_p: 0.5}\nprofiles:\n  p:\n    parameters:\n      seed: 2\n      top_p:\n",
        profile="p",
    )
    assert settings.value("parameters") == {"seed": 2}
    assert settings.origin("parameters.seed") == f"{places.config_file}:5 (profile p)"


def test_a_project_may_hint_at_the_content_and_no_more(loaded: Loaded, places: Paths) -> None:
    settings = loaded(
        user="temperature: 1\n",
        project="temperature: 0.2\nbase_url: https://evil.example\napi_key_command: sh evil\nmodel: big\n",
    )
    assert (settings.value("temperature"), settings.text("model")) == (0.2, DEFAULT_MODEL)
    assert settings.text("base_url") == DEFAULT_BASE_URL
    assert settings.value("api_key_command") is None
    assert settings.ignored == tuple(
        f"{places.project_config_file}:{line}: {name}: a project may not set it"
        for line, name in ((2, "base_url"), (3, "api_key_command"), (4, "model"))
    )


def test_what_a_project_may_set_is_a_short_list() -> None:
    assert {name for name, setting in SETTINGS.items() if setting.project} == {"temperature", "markdown"}


@pytest.mark.parametrize(
    "project",
    [
        "temperature: hot\n",
        "a: [",
        "- a\n",
        "a: &a [1]\nb: *a\n",
        "[" * 100_000,
        "x" * (2 << 20),
        "a: !!python/x y",
    ],
)
def test_a_broken_project_file_harms_nothing(loaded: Loaded, project: str) -> None:
    settings = loaded(project=project)
    assert settings.value("temperature") is None
    assert len(settings.ignored) == 1


def test_a_project_file_that_is_a_pipe_is_not_waited_for(loaded: Loaded, places: Paths) -> None:
    os.mkfifo(places.project_config_file)
    assert loaded().ignored == (f"{places.project_config_file}: not a regular file",)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("model: a\nmodle: b\n", ":2: modle: unknown setting", "did you mean 'model'?"),
        ("model: a\nmodel: b\n", ":2: model: duplicate key (first on line 1)", ""),
        ("temperature: hot\n", ":1: temperature: must be a number", ""),
        ("temperature: .nan\n", ":1: temperature: must be a number", ""),
        ("attempts: 1.5\n", ":1: attempts: must be a whole number", ""),
        ("attempts: 0\n", ":1: attempts: must be at least 1", ""),
        ("idle_timeout: 0\n", ":1: idle_timeout: must be more than 0", ""),
        ("markdown: maybe\n", ":1: markdown: must be true or false", ""),
        ("finish: lax\n", ":1: finish: must be one of strict, lenient", ""),
        ("model: [a]\n", ":1: model: must be text, not a list", ""),
        ("model: ''\n", ":1: model: must not be empty", ""),
        ("\nheaders: {Host: x}\n", ":2: headers.Host: gptkit sets it itself", ""),
        (
            'headers:\n  X-A: "a\\nb"\n',
            ":2: headers.X-A: holds a character that a header cannot",
            "",
        ),
        ("parameters: {messages: []}\n", ":1: parameters.messages: gptkit sets it itself", ""),
        ("parameters: 3\n", ":1: parameters: must be a mapping of names to values, not text", ""),
        (
            "profiles:\n  'a/b': {}\n",
            ":2: profiles.a/b: a profile's name is made of a to z, 0 to 9 and '-'",
            "",
        ),
        ("profiles:\n  a:\n    profile: b\n", ":3: profiles.a.profile: a profile cannot name another", ""),
        ("profiles:\n  a:\n    modle: b\n", ":3: modle: unknown setting", "did you mean 'model'?"),
        ("- a\n", ":1: must be a mapping of settings to values", ""),
        ("a: [1\nb: 2\n", ":2: not YAML: unexpected ': 2'", ""),
        ("model: !!python/object:os.system x\n", "is not allowed", ""),
        ("a: &a [1]\nb: *a\n", ":2: aliases are not allowed", ""),
        (
            "api_key_command: 'echo \"'\n",
            ":1: api_key_command: cannot be split into words: a quotation is not closed",
            "",
        ),
    ],
)
def test_what_is_wrong_in_the_users_file_is_refused_by_line(
    loaded: Loaded, places: Paths, text: str, message: str, hint: str
) -> None:
    error = failure(loaded, text)
    assert isinstance(error, ConfigurationError)
    assert error.message.startswith(f"{places.config_file}:")
    assert error.message.endswith(message)
    assert error.hint == hint


def test_a_word_that_yaml_reads_as_something_else_is_still_a_text(loaded: Loaded) -> None:
    settings = loaded("model: no\norganization: 007\napi_key_command: pass show openai\nno_proxy: a, b\n")
    assert settings.value("model") == "no"
    assert settings.value("organization") == "007"
    assert settings.value("api_key_command") == ("pass", "show", "openai")
    assert settings.value("no_proxy") == ("a", "b")


def test_an_empty_file_an_empty_value_and_a_byte_order_mark_are_fine(loaded: Loaded) -> None:
    assert loaded("").origin("model") == "default"
    assert loaded("# nothing\n").origin("model") == "default"
    assert loaded("\ufeffmodel:\nprofiles:\n").origin("model") == "default"


def test_a_file_in_another_encoding_is_refused_by_line(loaded: Loaded, places: Paths) -> None:
    places.config_file.write_bytes(b"model: a\n# \xff\n")
    assert failure(loaded).message == f"{places.config_file}:2: not UTF-8"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_a_file_that_every_user_can_change_is_refused(loaded: Loaded, places: Paths) -> None:
    places.config_file.write_text("model: a\n")
    places.config_file.chmod(0o666)
    error = failure(loaded)
    assert isinstance(error, NoPermissionError)
    assert error.hint == f"chmod o-w '{places.config_file}'"


@pytest.mark.parametrize(
    ("environ", "options", "kind", "message"),
    [
        (
            {"GPTKIT_ALLOW_HTTP": "perhaps"},
            {},
            ConfigurationError,
            "environment GPTKIT_ALLOW_HTTP: must be true or false",
        ),
        (
            {"GPTKIT_MODEL": "a\x1b]0;x"},
            {},
            ConfigurationError,
            "environment GPTKIT_MODEL: holds a control character",
        ),
        ({}, {"max_tokens": 0}, UsageError, "--max-tokens: must be at least 1"),
        ({}, {"model": ""}, UsageError, "--model: must not be empty"),
    ],
)
def test_variables_and_options_are_checked_too(
    loaded: Loaded, environ: dict[str, str], options: dict[str, object], kind: type, message: str
) -> None:
    error = failure(loaded, environ=environ, **options)
    assert (type(error), error.message) == (kind, message)


def test_every_setting_is_described_and_its_default_has_its_type() -> None:
    from gptkit.settings.schema import check_value

    for name, setting in SETTINGS.items():
        assert re.fullmatch(r"[a-z_]+", name)
        assert setting.description and not setting.description.endswith(".")
        if setting.default is not None:
            assert check_value(setting, setting.default) == setting.default


def test_a_plain_run_loads_neither_yaml_nor_anything_costly() -> None:
    code = (
        "import sys\n"
        "from gptkit.core.paths import paths\n"
        "from gptkit.settings.endpoint import endpoint\n"
        "from gptkit.settings.load import load_settings\n"
        "environ = {'OPENAI_API_KEY': 'sk-x'}\n"
        "assert endpoint(load_settings(paths(environ), environ)).key == 'sk-x'\n"
        "costly = ['yaml', 'platformdirs', 'subprocess', 'socket', 'ssl', 'keyring', 'gptkit.core.files']\n"
        "print([name for name in costly if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_default_model_is_one_that_the_sdk_lists_and_does_not_mark() -> None:
    from openai.types.shared import chat_model

    source = Path(str(chat_model.__file__)).read_text(encoding="utf-8")
    listed, marked = source.split('"""Deprecated values:')
    assert f'"{DEFAULT_MODEL}",' in listed
    assert f'"{DEFAULT_MODEL}"' not in marked
