"""A model in the process, from a GGUF file that is made here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fake.waiting import SOON
from provider_calls import answers, end, endpoint, failure, text
from provider_gguf import write_model

from gptkit.core.chat import AnswerDelta, ChatRequest, Message
from gptkit.core.errors import ConfigurationError, DataError, NoInputError, TooLongError
from gptkit.provider.client import provider

pytest.importorskip("xllamacpp")
NOWHERE = endpoint("not even a URL", key="a key\nwith a line break")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny model.gguf")


def asked(model: Path, stream: bool = True, **parameters: object) -> ChatRequest:
    given = {"max_tokens": 12, "temperature": 0, "seed": 1, **parameters}
    return ChatRequest(f"local:{model}", (Message("user", "hello 世界"),), given, stream=stream)


def test_streamed_or_not_it_says_the_same(model: Path) -> None:
    streamed = answers(NOWHERE, asked(model))
    whole = answers(NOWHERE, asked(model, stream=False))
    assert text(streamed) == text(whole) != ""
    assert len([event for event in streamed if isinstance(event, AnswerDelta)]) > 3
    for finished in (end(streamed), end(whole)):
        assert (finished.reason, finished.model) == ("length", "tiny model.gguf")
        assert finished.usage is not None
        assert finished.usage.completion_tokens == 12
    assert end(streamed).response is None
    assert end(whole).response is not None


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_ends_with_the_window_of_the_model(model: Path, stream: bool) -> None:
    """Without `max_tokens` a model that never ends its answer gets what the prompt leaves of the window."""
    messages = (Message("user", "hello 世界"),)
    endless = ChatRequest(f"local:{model}", messages, {"logit_bias": [[2, False]]}, stream=stream)
    finished = end(answers(NOWHERE, endless))
    assert finished.reason == "length"
    assert finished.usage is not None
    assert finished.usage.prompt_tokens + finished.usage.completion_tokens == 512


def test_an_abandoned_answer_stops_the_model(model: Path) -> None:
    events = provider(NOWHERE)(asked(model, max_tokens=480, logit_bias=[[2, False]]))
    assert isinstance(next(events), AnswerDelta)
    events.close()  # type: ignore[attr-defined]
    assert text(answers(NOWHERE, asked(model))) != ""


def test_input_longer_than_the_model_reads(model: Path) -> None:
    long = ChatRequest(f"local:{model}", (Message("user", "hello " * 2000),))
    _, error = failure(NOWHERE, TooLongError, long)
    assert error.message.startswith("input too long: 160")
    assert error.message.endswith(" of 512 tokens")


def test_files_that_are_no_models(tmp_path: Path, model: Path) -> None:
    _, error = failure(NOWHERE, NoInputError, asked(tmp_path / "none.gguf"))
    assert error.message == f"no such model file: '{tmp_path}/none.gguf'"
    other = tmp_path / "other.gguf"
    other.write_bytes(b"PK\x03\x04")
    _, error = failure(NOWHERE, DataError, asked(other))
    assert error.message == f"model file '{other}': not in GGUF format"
    other.write_bytes(model.read_bytes()[:50_000])
    _, error = failure(NOWHERE, DataError, asked(other))
    assert error.message == "model file 'other.gguf': llama.cpp cannot load it"


def test_without_the_extra_its_install_command_is_named(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)  # as if it were not installed
    _, error = failure(NOWHERE, ConfigurationError, asked(model))
    assert error.hint == "pip install 'gptkit[local]'"


@pytest.mark.parametrize("read", [1, 9999])
def test_standard_output_carries_the_answer_and_nothing_else(model: Path, read: int) -> None:
    """llama.cpp logs from C, so this is seen from outside; leaving is quiet too, even amid an answer."""
    code = """
import gc, itertools, sys
from gptkit.core.chat import ChatRequest, Endpoint, Message
from gptkit.provider.client import provider
parameters = {"max_tokens": 400, "logit_bias": [[2, False]]}
events = provider(Endpoint(""))(ChatRequest("local:" + sys.argv[1], (Message("user", "hi"),), parameters))
print(len(list(itertools.islice(events, int(sys.argv[2])))) > 0)
gc.freeze()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(model), str(read)],
        capture_output=True,
        text=True,
        check=False,
        timeout=SOON,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
