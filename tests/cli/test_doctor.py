"""`gptkit doctor` walks to the first token and says which step fails."""

from __future__ import annotations

import re

from fake.program import InMemory, OnTerminal, Result
from fake.proxy import HttpProxy
from fake.server import FakeServer

ENV = {"GPTKIT_MODEL": "small"}


def steps(result: Result) -> list[tuple[str, str]]:
    """Mark and name of each row."""
    return [(line[:5].strip(), line[6:19].strip()) for line in result.stdout.splitlines()]


def test_walks_to_the_first_token(gptkit: InMemory, server: FakeServer) -> None:
    server.models("small", "large")
    server.say("yes")
    done = gptkit("doctor", env=ENV)
    assert (done.code, done.stderr) == (0, "")
    assert steps(done) == [
        ("ok", "base URL"),
        ("ok", "model"),
        ("ok", "transport"),
        ("ok", "name look-up"),
        ("ok", "TCP"),
        ("ok", "key"),
        ("ok", "model"),
        ("ok", "first token"),
    ]
    assert f"{server.url} (environment OPENAI_BASE_URL)" in done.stdout
    assert "small (environment GPTKIT_MODEL)" in done.stdout
    assert len(re.findall(r" \d+\.\d{3} s ", done.stdout)) == 5
    assert "the key in OPENAI_API_KEY: accepted" in done.stdout
    assert "sk-test" not in done.stdout


def test_stops_at_a_bad_key(gptkit: InMemory, server: FakeServer) -> None:
    server.fail(401, {"error": {"message": "Incorrect API key provided: sk-test."}})
    done = gptkit("doctor", env=ENV)
    assert done.code == 77
    assert steps(done)[-1] == ("FAIL", "key")
    assert "sk-test" not in done.stdout + done.stderr


def test_checks_the_way_without_a_key(gptkit: InMemory) -> None:
    done = gptkit("doctor", env={"OPENAI_BASE_URL": "https://nobody.invalid/v1"}, key=None)
    assert done.code == 75
    assert steps(done)[-1] == ("FAIL", "name look-up")
    assert "nobody.invalid" in done.stdout


def test_says_that_there_is_no_key(gptkit: InMemory) -> None:
    with HttpProxy() as proxy:
        environ = {"OPENAI_BASE_URL": "https://nobody.invalid/v1", "HTTPS_PROXY": proxy.url}
        done = gptkit("doctor", env=environ, key=None)
        assert done.code == 77
        assert steps(done)[-2:] == [("ok", "proxy"), ("FAIL", "key")]
        assert "no key for nobody.invalid" in done.stdout
        assert [passage for passage in proxy.passages if passage] == []


def test_nothing_listens(gptkit: InMemory) -> None:
    done = gptkit("doctor", env={"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})
    assert done.code == 75
    assert steps(done)[-1] == ("FAIL", "TCP")
    assert done.stdout.endswith("nothing listens on 127.0.0.1:9\n")


def test_on_a_narrow_terminal_lines_break_at_words(screen: OnTerminal) -> None:
    shown = screen("doctor", env={"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, columns=50)
    assert shown.wait_exit() == 75
    assert "FAIL  TCP             0." in shown.text
    assert "\n      127.0.0.1:9" in shown.text or "\n      listens on 127.0.0.1:9" in shown.text
    assert all(len(line) < 50 for line in shown.text.splitlines())


def test_tries_a_model_that_is_not_listed(gptkit: InMemory, server: FakeServer) -> None:
    server.models("small-2", "large")
    server.fail(404, {"error": {"message": "The model 'small' does not exist", "code": "model_not_found"}})
    done = gptkit("doctor", "-m", "small")
    assert done.code == 69
    assert steps(done)[-2:] == [("ok", "model"), ("FAIL", "first token")]
    assert "near it: small-2" in done.stdout


def test_needs_no_network_for_echo(gptkit: InMemory) -> None:
    done = gptkit("doctor", "-m", "echo", key=None)
    assert (done.code, steps(done)) == (0, [("ok", "model"), ("ok", "transport"), ("ok", "first token")])


def test_a_wrong_setting_is_told_before_the_walk(gptkit: InMemory) -> None:
    assert gptkit("doctor", env={"OPENAI_BASE_URL": "ftp://x"}).code == 78
