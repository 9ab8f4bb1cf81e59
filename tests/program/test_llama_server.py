"""The rows that llama.cpp's own server can show, through the whole program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake.program import InMemory
from provider_gguf import write_model

xllamacpp = pytest.importorskip("xllamacpp")
KEY = "sk-canary-0123456789"


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The origin of a llama.cpp server with a model of random weights, whose key is `KEY`."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(write_model(tmp_path_factory.mktemp("models") / "tiny.gguf", 2048))
    parameters.model_alias = {"tiny"}
    parameters.n_ctx = 2048
    parameters.api_keys = [KEY]
    parameters.ui = False
    parameters.verbosity = -1
    server = xllamacpp.Server(parameters)
    yield str(server.listening_address)
    del server


def test_an_answer_that_is_cut_and_the_list_of_models(gptkit: InMemory, llama: str) -> None:
    env = {"OPENAI_BASE_URL": f"{llama}/v1", "GPTKIT_MODEL": "tiny"}
    done = gptkit("ask", "你好", "--max-tokens", "3", env=env, key=KEY)
    assert (done.code, done.stderr.splitlines()[0]) == (80, "gptkit: answer cut at the token limit")
    assert gptkit("models", env=env, key=KEY) == (0, "tiny\tdefault\t\t\t\n", "")


def test_a_wrong_path_is_no_missing_model(gptkit: InMemory, llama: str) -> None:
    env = {"OPENAI_BASE_URL": f"{llama}/api", "GPTKIT_MODEL": "tiny"}
    errors = (
        f"gptkit: no chat API at '{llama}/api' (404): File Not Found\n"
        f"hint: the base URL often ends in /v1: '{llama}/api/v1'\n"
    )
    assert gptkit("ask", "x", env=env, key=KEY) == (69, "", errors)
    steps = gptkit("doctor", env=env, key=KEY)
    assert steps.code == 69
    assert "the key in OPENAI_API_KEY: not checked; the server has no list of models" in steps.stdout
    assert f"no chat API at '{llama}/api' (404)" in steps.stdout


def test_a_wrong_key_is_named_by_its_variable(gptkit: InMemory, llama: str) -> None:
    done = gptkit("ask", "x", env={"OPENAI_BASE_URL": f"{llama}/v1"}, key="sk-wrong-0123456789")
    assert done.code == 77
    assert done.stderr.startswith(
        "gptkit: the key in OPENAI_API_KEY was not accepted (401): Invalid API Key\n"
    )


def test_a_model_without_eyes_is_told_as_that(gptkit: InMemory, llama: str, folder: Path) -> None:
    (folder / "x").write_bytes(b"GIF89a\x01\x00\x01\x00;")
    (folder / "y").write_bytes(b"%PDF-1.7")
    env = {"OPENAI_BASE_URL": f"{llama}/v1", "GPTKIT_MODEL": "tiny"}
    for name in "xy":
        done = gptkit("ask", "what is it?", "-a", name, env=env, key=KEY)
        assert done.code == 69
        assert done.stderr.startswith("gptkit: 'tiny' does not take the attachment (")
