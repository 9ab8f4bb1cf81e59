"""The key is in no output, no file, no argument list and no child, whatever the server does with it."""

from __future__ import annotations

import base64
import json
import shlex
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
from fake.connection import reset
from fake.program import AsProcess, InMemory, Surroundings
from fake.proxy import HttpProxy
from fake.replies import Reply, failed, held, said, scripted
from fake.server import FakeServer
from fake.waiting import SOON
from fake.wire import chunk, chunked, http_head, last_chunk, response, sse, stream_head

KEY = "sk-canary/0123456789+ABCDEFGHIJ=wxyz?tail"
ECHO = " ".join((KEY, base64.b64encode(KEY.encode()).decode(), quote(KEY, safe="")))
ENCODED = base64.b64encode(KEY.encode()).decode()
LOUD = {"OPENAI_LOG": "debug"}


def needles() -> list[str]:
    """The key as it is, pieces of it, in base64 at each of the three alignments, and in URLs."""
    found = [KEY, KEY[:20], KEY[-20:], quote(KEY, safe=""), quote(KEY), quote(KEY, safe="").lower()]
    for before in ("", "a", "ab"):
        text = base64.b64encode((before + KEY).encode()).decode()
        found += [text[4:28], text.replace("+", "-").replace("/", "_")[4:28]]
    return found


def told(*texts: str) -> list[str]:
    return [needle for needle in needles() for text in texts if needle in text]


def files_with_key(folder: Path) -> list[str]:
    """Files that hold the key and that others than their owner could read."""
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file()
        and told(path.read_bytes().decode("latin-1"))
        and path.stat().st_mode & 0o777 != 0o600
    ]


def streamed(*events: bytes) -> Reply:
    return scripted([stream_head(), *(chunked(event) for event in events), last_chunk()])


def plain(data: str | bytes, headers: Mapping[str, str] | None = None, status: int = 200) -> Reply:
    return scripted([response(status, data, headers)])


FAILURES: dict[str, Callable[[], Reply]] = {
    "bad request": lambda: failed(400, message=f"no: {ECHO}"),
    "parameter": lambda: failed(
        400, {"error": {"message": ECHO, "param": KEY, "code": KEY, "type": ENCODED}}
    ),
    "wrong key": lambda: failed(401, message=f"Incorrect API key provided: {ECHO}."),
    "wrong key in html": lambda: failed(401, f"<html><title>{ECHO}</title><p>{ECHO}</html>"),
    "payment": lambda: failed(402, {"detail": ECHO}),
    "forbidden": lambda: failed(403, {"error": ECHO}),
    "model not found": lambda: failed(404, {"message": ECHO}),
    "proxy authentication": lambda: failed(
        407, message=ECHO, headers={"Proxy-Authenticate": f'Basic "{KEY}"'}
    ),
    "unprocessable": lambda: failed(422, {"detail": [{"loc": [KEY], "msg": ECHO}]}),
    "rate limit": lambda: failed(429, message=ECHO, headers={"Retry-After": KEY, "x-should-retry": KEY}),
    "quota": lambda: failed(429, message=ECHO, code="insufficient_quota"),
    "server error": lambda: failed(500, message=ECHO, headers={"x-request-id": KEY}),
    "gateway": lambda: failed(502, f"<html><h1>{ECHO}</h1></html>"),
    "key cut by the cap on messages": lambda: failed(400, message="x " * 480 + ECHO * 4),
    "redirect": lambda: plain(b"", {"Location": f"http://127.0.0.1:9/{quote(KEY)}?k={KEY}"}, 307),
    "reason phrase": lambda: scripted([http_head(400, {"Content-Length": "0"}, reason=ECHO)]),
    "header names": lambda: plain("{}", {"X-Echo": ECHO, "Set-Cookie": f"k={KEY}"}, 418),
    "broken header": lambda: scripted([f"HTTP/1.1 200 OK\r\n{ECHO}\r\n\r\n".encode()]),
    "no http at all": lambda: scripted([f"{ECHO}\r\n\r\n".encode()]),
    "not json": lambda: plain(f"<html>{ECHO}</html>"),
    "content type": lambda: scripted([response(200, ECHO.encode(), {"Content-Type": f"text/{quote(KEY)}"})]),
    "broken json": lambda: streamed(sse(f'{{"choices": "{ECHO}')),
    "wrong types": lambda: streamed(sse({"choices": [{"delta": {"content": {KEY: ECHO}}}]})),
    "error in the stream": lambda: streamed(
        sse(chunk({"content": "part"})), sse({"error": {"message": ECHO, "code": KEY, "type": KEY}})
    ),
    "error event": lambda: streamed(b"event: error\n" + sse({"error": {"message": ECHO}})),
    "finish reason": lambda: streamed(sse(chunk({"content": "part"}, finish=KEY)), sse("[DONE]")),
    "refusal": lambda: streamed(sse(chunk({"refusal": ECHO}, finish="stop")), sse("[DONE]")),
    "content filter": lambda: streamed(sse(chunk({"content": ""}, finish="content_filter", model=KEY))),
    "reset": lambda: scripted([stream_head({"x-request-id": KEY}), chunked(sse(ECHO)), reset()]),
}


@pytest.fixture(autouse=True)
def one_attempt(home: Path) -> None:
    (home / "config").mkdir(mode=0o700)
    (home / "config" / "config.yaml").write_text("attempts: 1\n")


@pytest.mark.parametrize("failure", FAILURES)
def test_no_failure_tells_the_key(gptkit: InMemory, server: FakeServer, failure: str, tmp_path: Path) -> None:
    server.queue(FAILURES[failure](), times=2)
    for args in (("ask", "hi", "-v"), ("ask", "hi", "--json", "-v", "-o", "answer.txt")):
        code, output, errors = gptkit(*args, key=KEY)
        assert code not in (0, 1, 70), errors
        assert told(output, errors) == []
    assert f"Bearer {KEY}".encode() in server.requests[0].raw_head
    assert files_with_key(tmp_path) == []


@pytest.mark.parametrize(
    "failure", ["wrong key", "server error", "header names", "error in the stream", "reset"]
)
def test_the_log_of_the_sdk_does_not_tell_the_key(
    run: AsProcess, server: FakeServer, failure: str, tmp_path: Path
) -> None:
    server.queue(FAILURES[failure](), times=2)
    for args in (("ask", "hi"), ("ask", "hi", "--no-stream", "--json")):
        code, output, errors = run(*args, key=KEY, env=LOUD)
        assert code not in (0, 1, 70), errors
        assert told(output, errors) == []
        assert 1 <= len(errors.splitlines()) <= 2, errors
        assert errors.startswith("gptkit: ")
    assert files_with_key(tmp_path) == []


@pytest.mark.parametrize("level", ["debug", "info"])
def test_the_log_of_the_sdk_is_not_written(run: AsProcess, server: FakeServer, level: str) -> None:
    """It holds the prompt, and a script that reads standard error counts on two lines at most."""
    server.say("hello", times=2)
    with HttpProxy() as proxy:
        asked = ("ask", "hi", "--proxy", proxy.url)
        assert run(*asked, env={"OPENAI_LOG": level}) == (0, "hello\n", "")
        code, output, errors = run(*asked, "-v", env={"OPENAI_LOG": level})
    assert (code, output) == (0, "hello\n")
    transport, summary = errors.splitlines()
    assert transport == f"gptkit: transport: openai SDK, through 127.0.0.1:{proxy.port}"
    assert "tokens in" in summary


def test_no_housekeeping_command_tells_the_key(gptkit: InMemory, server: FakeServer, tmp_path: Path) -> None:
    config = tmp_path / "home" / "config" / "config.yaml"
    config.write_text(f"attempts: 1\nheaders: {{X-Again: {json.dumps(KEY)}}}\n")
    config.chmod(0o600)
    server.queue(FAILURES["wrong key"](), FAILURES["bad request"](), FAILURES["gateway"]())
    failing: list[tuple[str, ...]] = [("models",), ("models", "--json"), ("doctor",)]
    for args in failing:
        code, output, errors = gptkit(*args, key=KEY)
        assert code not in (0, 1, 70), errors
        assert told(output, errors) == []
    for args in (
        ("config", "list"),
        ("config", "list", "--json"),
        ("ask", "--dry-run", "hi"),
        ("keys", "list"),
    ):
        code, output, errors = gptkit(*args, key=KEY)
        assert code == 0, errors
        assert told(output, errors) == []
    assert files_with_key(tmp_path) == []


BROKEN = """
import os
key = os.environ["OPENAI_API_KEY"]
raise RuntimeError(key) from ValueError(key)
"""


def test_a_crash_does_not_tell_the_key(run: AsProcess, home: Path, tmp_path: Path) -> None:
    """A dependency that breaks with the key in its message is the worst there can be."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "yaml.py").write_text(BROKEN)
    code, output, errors = run("ask", "hi", "-v", key=KEY, env={**LOUD, "PYTHONPATH": str(broken)})
    assert (code, output) == (70, "")
    assert errors.startswith("gptkit: a bug in gptkit: RuntimeError; details in '")
    crash = home / "data" / "crash.txt"
    assert "yaml.py" in crash.read_text()
    assert told(errors, crash.read_text()) == []
    assert crash.stat().st_mode & 0o777 == 0o600
    assert files_with_key(tmp_path) == []


def test_the_key_is_no_part_of_the_argument_list(run: AsProcess, server: FakeServer) -> None:
    looked = threading.Event()
    server.queue(held(said("hello"), looked))
    process = run.start("ask", "hi", key=KEY)
    server.wait_requests()
    for name in ("cmdline", "comm"):
        place = Path(f"/proc/{process.pid}/{name}")
        if place.exists():
            assert told(place.read_text()) == []
    for status in Path("/proc").glob(f"{process.pid}/task/*/comm"):
        assert told(status.read_text()) == []
    looked.set()
    assert process.wait(SOON) == 0


CHILD = """
import json, os, sys
with open("child.json", "w") as file:
    json.dump([dict(os.environ), sys.argv], file)
print("sk-other")
"""


@pytest.fixture
def child(around: Surroundings) -> list[str]:
    program = around.folder / "child.py"
    program.write_text(CHILD)
    return [sys.executable, str(program)]


def test_a_command_for_the_key_does_not_get_the_key(
    gptkit: InMemory, server: FakeServer, home: Path, child: list[str], around: Surroundings
) -> None:
    profile = {"base_url": server.url, "api_key_command": child}
    other = {"base_url": "https://other.example", "api_key_env": "OTHER_KEY"}
    config = home / "config" / "config.yaml"
    config.write_text(json.dumps({"profiles": {"p": profile, "q": other}}))
    server.say("hello")
    assert gptkit("ask", "hi", "--profile", "p", key=KEY, env={"OTHER_KEY": KEY}).code == 0
    environ, argv = json.loads((around.folder / "child.json").read_text())
    assert told(json.dumps([environ, argv])) == []
    assert server.request.headers["authorization"] == "Bearer sk-other"


@pytest.mark.parametrize("args", [("prompts", "edit", "ask"), ("config", "edit")])
def test_the_editor_does_not_get_the_key(
    run: AsProcess, home: Path, child: list[str], around: Surroundings, args: tuple[str, ...]
) -> None:
    (home / "config" / "config.yaml").write_text("profiles: {q: {api_key_env: OTHER_KEY}}\n")
    environ = {"EDITOR": shlex.join(child), "OTHER_KEY": KEY}
    code, output, errors = run(*args, key=KEY, env=environ)
    assert code == 0, errors
    assert told(output, errors, (around.folder / "child.json").read_text()) == []


def test_an_editor_for_broken_settings_does_not_get_the_key(
    run: AsProcess, home: Path, child: list[str], around: Surroundings
) -> None:
    """The setting that would name the variable with the key cannot be read any more."""
    config = "profiles: {q: {api_key_env: OTHER_KEY}}\nattempts: none of them\n"
    (home / "config" / "config.yaml").write_text(config)
    environ = {"EDITOR": shlex.join(child), "OTHER_KEY": KEY}
    assert run("config", "edit", key=KEY, env=environ).code == 78
    assert told((around.folder / "child.json").read_text()) == []


@pytest.mark.parametrize("key", [f"{KEY}\n", f"  {KEY}  ", f"\r\n\t{KEY}\r\n", f"\ufeff{KEY}"])
def test_space_around_a_key_is_no_part_of_it(gptkit: InMemory, server: FakeServer, key: str) -> None:
    server.say("hello")
    assert gptkit("ask", "hi", key=key).code == 0
    assert server.request.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "key", ["sk canary", "sk-\u4e2d", "sk-canary\nX-Evil: 1", "sk-\u00e9", "sk\x00", "sk\x1b"]
)
def test_a_key_that_no_header_can_carry_is_refused(gptkit: InMemory, server: FakeServer, key: str) -> None:
    code, output, errors = gptkit("ask", "hi", key=key)
    assert (code, output) == (77, "")
    assert errors.count("\n") == 2
    assert key.splitlines()[0] not in errors
    assert server.connections == []


def test_a_stored_key_goes_to_its_host_only(gptkit: InMemory, home: Path) -> None:
    with FakeServer() as right, FakeServer() as wrong:
        assert gptkit("keys", "set", "--host", right.url, stdin=KEY, key=None).code == 0
        wrong.say("x", times=3)
        right.say("y")
        for args in ((), ("--no-stream",), ("--base-url", wrong.url)):
            env = {"OPENAI_BASE_URL": wrong.url if "--base-url" not in args else right.url}
            assert gptkit("ask", "hi", *args, key=None, env=env).code == 0
        assert gptkit("ask", "hi", key=None, env={"OPENAI_BASE_URL": right.url}).code == 0
        assert told(*(request.raw.decode("latin-1") for request in wrong.requests)) == []
        assert right.request.headers["authorization"] == f"Bearer {KEY}"
    file = home / "config" / "keys.yaml"
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_takes_nothing_elsewhere(gptkit: InMemory, server: FakeServer, status: int) -> None:
    with FakeServer() as elsewhere:
        server.queue(plain(b"", {"Location": f"{elsewhere.url}/chat/completions"}, status))
        code, output, errors = gptkit("ask", "hi", key=KEY)
        assert (code, output) == (76, "")
        assert told(errors) == []
        assert elsewhere.connections == []


def test_plain_http_to_another_machine_needs_a_setting(gptkit: InMemory) -> None:
    code, output, errors = gptkit("ask", "hi", key=KEY, env={"OPENAI_BASE_URL": "http://192.0.2.1/v1"})
    assert (code, output) == (78, "")
    assert "allow_http" in errors
    assert told(errors) == []
