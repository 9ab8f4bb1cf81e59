"""`gptkit keys`: typed unseen or piped in, masked, and sent to one host only."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fake.program import AsProcess, InMemory, OnTerminal
from fake.server import FakeServer

KEY = "sk-canary-0123456789-wxyz"


@pytest.fixture
def file(home: Path) -> Path:
    return home / "config" / "keys.yaml"


def test_a_key_is_stored_from_standard_input_for_the_host_in_use(gptkit: InMemory, file: Path) -> None:
    note = f"gptkit: stored the key for api.openai.com in '{file}'\n"
    assert gptkit("keys", "set", stdin=f"  {KEY}\r\n", key=None) == (0, "", note)
    assert gptkit("keys", "list") == (0, "api.openai.com\t****wxyz\n", "")
    assert gptkit("keys", "path") == (0, f"{file}\n", "")
    for host in ("https://api.deepseek.com/v1", "api.other.example:8443"):
        assert gptkit("keys", "set", "--host", host, stdin="short-key").code == 0
    assert gptkit("keys", "list").stdout == (
        "api.deepseek.com\t****\napi.openai.com\t****wxyz\napi.other.example:8443\t****\n"
    )
    assert gptkit("keys", "remove", "api.openai.com") == (0, "", "")
    assert KEY not in file.read_text()
    assert gptkit("keys", "remove", "api.openai.com") == (
        66,
        "",
        "gptkit: no key is stored for 'api.openai.com'\nhint: 'gptkit keys list' shows the hosts\n",
    )


def test_a_key_that_another_one_outranks_is_stored_with_a_warning(
    gptkit: InMemory, file: Path, home: Path
) -> None:
    note = f"gptkit: stored the key for api.openai.com in '{file}'\n"
    warning = "gptkit: it is not used as long as {} gives another one\n"
    assert gptkit("keys", "set", stdin=KEY) == (0, "", note + warning.format("OPENAI_API_KEY"))
    (home / "config" / "config.yaml").write_text("api_key_command: touch ran\n")
    assert gptkit("keys", "set", stdin=KEY, key=None) == (0, "", note + warning.format("api_key_command"))
    assert not Path("ran").exists()
    other = f"gptkit: stored the key for a.example in '{file}'\n"
    assert gptkit("keys", "set", "--host", "a.example", stdin=KEY) == (0, "", other)


def test_a_key_as_an_argument_is_refused_and_not_repeated(gptkit: InMemory, file: Path) -> None:
    for args in ((KEY,), ("--host", "a.example", KEY), (f"-{KEY}",), ("two", KEY)):
        code, output, errors = gptkit("keys", "set", *args, stdin="other")
        assert (code, output) == (2, "")
        assert errors.startswith("gptkit: a key is never an argument: ")
        assert errors.count("\n") == 2
        assert "canary" not in errors
    assert not file.exists()


@pytest.mark.parametrize(
    ("stdin", "code", "message"),
    [
        ("", 66, "no key was given"),
        (" \n", 66, "no key was given"),
        ("sk-canary two", 77, "the key from input holds a space, a line break or a control character"),
        ("sk-canary\nsecond", 77, "the key from input holds a space, a line break or a control character"),
        ('"sk-canary"', 77, "the key from input stands in quotes"),
        ("“sk-canary”", 77, "the key from input stands in quotes"),
        ("sk-canary中", 77, "the key from input holds a character that is not ASCII"),
        (b"sk-canary\xff", 77, "the key from input holds a character that is not ASCII"),
        ("x" * 70_000, 2, "standard input: more than 64 KiB is not a key"),
    ],
)
def test_what_is_no_key_is_not_stored(
    gptkit: InMemory, file: Path, stdin: str | bytes, code: int, message: str
) -> None:
    found = gptkit("keys", "set", stdin=stdin)
    assert (found.code, found.stdout) == (code, "")
    assert found.stderr.startswith(f"gptkit: {message}\n")
    assert "canary" not in found.stderr
    assert not file.exists()


def test_a_host_must_be_one(gptkit: InMemory) -> None:
    found = gptkit("keys", "set", "--host", "a b", stdin=KEY)
    assert found == (2, "", "gptkit: 'a b': is not a URL\n")


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal")
def test_a_key_is_typed_unseen(screen: OnTerminal, gptkit: InMemory, file: Path) -> None:
    shown = screen("keys", "set", "--host", "a.example")
    shown.wait_for("Key for a.example (it is not shown): ")
    shown.send(f"{KEY}\r")
    assert shown.wait_exit() == 0
    assert "canary" not in shown.text
    assert gptkit("keys", "list").stdout == "a.example\t****wxyz\n"


def test_a_stored_key_is_sent_to_its_host_and_to_no_other(gptkit: InMemory, server: FakeServer) -> None:
    assert gptkit("keys", "set", stdin=KEY, key=None).code == 0
    server.say("hello", times=2)
    assert gptkit("ask", "hi", key=None).stdout == "hello\n"
    assert gptkit("keys", "remove", server.origin) == (0, "", "")
    assert gptkit("keys", "set", "--host", "api.openai.com", stdin=KEY).code == 0
    assert gptkit("ask", "hi", key=None).stdout == "hello\n"
    first, second = server.requests
    assert KEY in first.headers["authorization"]
    assert KEY not in repr(second)


def test_a_key_that_every_user_could_read_is_not_used(gptkit: InMemory, file: Path) -> None:
    assert gptkit("keys", "set", stdin=KEY).code == 0
    file.chmod(0o644)
    code, output, errors = gptkit("ask", "hi", key=None)
    assert (code, output) == (77, "")
    assert errors == f"gptkit: {file}: other users can read or change it\nhint: chmod 600 '{file}'\n"


def test_without_the_keyring_extra_its_install_command_is_named(gptkit: InMemory, file: Path) -> None:
    if "keyring" in sys.modules or _is_installed("keyring"):
        pytest.skip("keyring is installed")
    code, _, errors = gptkit("keys", "set", "--keyring", stdin=KEY)
    assert code == 78
    assert errors == "gptkit: keyring: it is not installed\nhint: pip install 'gptkit[keyring]'\n"
    assert not file.exists()


KEYRING = """\
import json, pathlib
STORE = pathlib.Path(__file__).with_name("store.json")
def _all(): return json.loads(STORE.read_text()) if STORE.exists() else {}
def get_password(service, name): return _all().get(f"{service}/{name}")
def set_password(service, name, value): STORE.write_text(json.dumps({**_all(), f"{service}/{name}": value}))
def delete_password(service, name):
    kept = _all(); del kept[f"{service}/{name}"]; STORE.write_text(json.dumps(kept))
"""
FORGETFUL = "get_password = set_password = delete_password = lambda *all: None\n"
BROKEN = """\
class NoKeyringError(RuntimeError): pass
def get_password(service, name): raise NoKeyringError("sk-canary")
set_password = delete_password = lambda *all: get_password("", "")
"""


def test_a_key_in_the_keyring(run: AsProcess, file: Path, tmp_path: Path) -> None:
    """The library is stood in for by a module of its name: the real one would open this user's own."""
    environ = {"PYTHONPATH": str(tmp_path), "OPENAI_BASE_URL": "https://a.invalid/v1"}
    (tmp_path / "keyring.py").write_text(KEYRING)
    assert run("keys", "set", "--keyring", stdin=KEY, env=environ).code == 0
    assert KEY not in file.read_text()
    assert KEY in (tmp_path / "store.json").read_text()
    assert run("keys", "list", env=environ).stdout == "a.invalid\tin the keyring\n"
    assert run("ask", "--dry-run", "hi", env=environ, key=None).code == 0
    (tmp_path / "keyring.py").write_text(FORGETFUL)
    forgotten = run("keys", "set", "--keyring", "--host", "b.invalid", stdin=KEY, env=environ)
    assert forgotten.code == 78
    assert forgotten.stderr.startswith("gptkit: keyring: it did not keep the key\nhint: ")
    (tmp_path / "keyring.py").write_text(BROKEN)
    refused = run("ask", "hi", env=environ, key=None)
    assert refused.code == 78
    assert refused.stderr.startswith("gptkit: keyring: this machine has none\nhint: ")
    (tmp_path / "keyring.py").write_text(KEYRING)
    assert run("keys", "remove", "a.invalid", env=environ) == (0, "", "")
    assert (tmp_path / "store.json").read_text() == "{}"


def _is_installed(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None
