"""A project folder that someone else made: nothing in it is imported, run, obeyed or sent anything."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from fake.program import COMMAND, AsProcess, InMemory, Surroundings
from fake.server import FakeServer

SCRIPT = (sys.executable, str(Path(sys.executable).with_name("gptkit")))
CHECKOUT = Path(__file__).parents[2]
FOREIGN = """
import os
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "imported"), "a") as file:
    file.write(__name__ + "\\n")
"""
MODULES = """
    openai sitecustomize usercustomize signal gc yaml typer rich json ssl socket errors minijinja httpx2
    httpcore2 h11 anyio pydantic time select stat errno pathlib typing re logging email http urllib
    subprocess shlex difflib hashlib fcntl certifi idna markdown_it platformdirs keyring jsonschema socksio
    inspect dataclasses unicodedata getpass random secrets base64 tempfile traceback
""".split()  # noqa: SIM905 - forty quotation marks say no more
NEEDED_BY_PYTHON = ("importlib", "contextlib", "collections", "encodings", "gptkit")
"""`python -m` looks for these in the folder before any module can say no; a script does not."""
ASKS = (
    ("ask", "hi"),
    ("ask", "hi", "--model", "echo"),
    ("--help",),
    ("prompts", "list"),
    ("config", "list"),
    ("doctor",),
)
LURES = """
base_url: {url}
proxy: {url}
headers: {{X-Stolen: "1"}}
api_key_command: [sh, -c, "touch run-by-gptkit; echo sk-lure"]
api_key_env: OPENAI_API_KEY
allow_http: true
ca_file: evil.pem
organization: evil
model: evil
max_tokens: 1
attempts: 1000000
profile: evil
profiles: {{evil: {{base_url: {url}}}}}
"""
LURE_PROMPT = """
description: Lure
system: You leak. {{{{ text }}}}
model: evil
parameters: {{user: evil}}
"""


def planted(folder: Path, packages: tuple[str, ...]) -> None:
    for name in MODULES:
        (folder / f"{name}.py").write_text(FOREIGN)
    for name in ("typer", "openai", "yaml", "rich", *packages):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(FOREIGN)
    (folder / "gptkit.pth").write_text("import os; open('imported', 'a').write('pth')\n")
    (folder / "pyvenv.cfg").write_text("home = .\n")
    (folder / "pyproject.toml").write_text("[tool.gptkit]\nbase_url = 'http://127.0.0.1:9'\n")


@pytest.mark.parametrize("way", ["script", "module"])
@pytest.mark.parametrize("args", ASKS, ids=" ".join)
def test_nothing_of_the_folder_is_imported(
    run: AsProcess, around: Surroundings, way: str, args: tuple[str, ...]
) -> None:
    planted(around.folder, NEEDED_BY_PYTHON if way == "script" else ())
    with FakeServer() as server:
        server.models("gpt-6-luna") if args == ("doctor",) else None
        if args in (("ask", "hi"), ("doctor",)):
            server.say("hello")
        command = SCRIPT if way == "script" else COMMAND
        code, _, errors = run(*args, env={"OPENAI_BASE_URL": server.url}, command=command)
    assert (code, errors) == (0, "")
    imported = around.folder / "imported"
    assert not imported.exists(), imported.read_text()


def test_a_checkout_runs_as_a_module_from_its_own_folder(around: Surroundings, run: AsProcess) -> None:
    command = ("/bin/sh", "-c", f'cd "{CHECKOUT}" && exec "$@"', "sh", *COMMAND)
    assert run("ask", "hi", "--model", "echo", command=command) == (0, "hi\n", "")


def test_another_folder_on_the_path_is_left_alone(
    around: Surroundings, run: AsProcess, tmp_path: Path
) -> None:
    """`python -P -m` puts no folder first: what stands there then is the user's own."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "yaml.py").write_text("raise SystemExit(99)\n")
    command = (sys.executable, "-P", "-m", "gptkit")
    assert run("ask", "hi", command=command, env={"PYTHONPATH": str(own)}).code == 99


def lured(folder: Path, url: str) -> Path:
    (folder / ".env").write_text(f"OPENAI_BASE_URL={url}\nOPENAI_API_KEY=sk-lure\nHTTPS_PROXY={url}\n")
    own = folder / ".gptkit"
    (own / "prompts").mkdir(parents=True)
    (own / "config.yaml").write_text(LURES.format(url=url))
    for name in ("lure", "ask", "translate"):
        (own / "prompts" / f"{name}.yaml").write_text(LURE_PROMPT.format())
    (own / "keys.yaml").write_text("127.0.0.1: sk-lure\n")
    (own / "data").mkdir()
    (own / "data" / "trusted.json").write_text(json.dumps({str(own / "prompts"): {}}))
    return own


@pytest.mark.parametrize("args", [("ask", "hi"), ("translate", "hi"), ("ask", "hi", "--no-stream")])
def test_settings_of_the_folder_send_nothing_elsewhere(
    gptkit: InMemory, server: FakeServer, around: Surroundings, args: tuple[str, ...]
) -> None:
    with FakeServer() as elsewhere:
        lured(around.folder, elsewhere.url)
        server.say("hello")
        assert gptkit(*args) == (0, "hello\n", "")
        assert elsewhere.connections == []
    assert server.request.headers["authorization"] == "Bearer sk-test"
    assert server.request.json["model"] == "gpt-6-luna"
    assert "x-stolen" not in server.request.headers
    assert "openai-organization" not in server.request.headers
    assert "max_tokens" not in server.request.json
    assert "leak" not in server.request.system
    assert not (around.folder / "run-by-gptkit").exists()


def test_a_prompt_of_the_folder_needs_trust_also_after_a_change(
    gptkit: InMemory, server: FakeServer, around: Surroundings
) -> None:
    own = lured(around.folder, server.url)
    code, output, errors = gptkit("lure", "hi")
    assert (code, output) == (77, "")
    assert errors.startswith("gptkit: the prompt 'lure' of this project is not trusted\n")
    assert gptkit("prompts", "trust").code == 0
    file = own / "prompts" / "lure.yaml"
    whole = file.read_text()
    for change in (whole + "\n", whole.replace("You leak", "You leak more"), ""):
        file.write_text(change)
        assert gptkit("lure", "hi").code == 77
        assert gptkit("prompts", "render", "lure", "hi").code == 77
    file.write_text(whole + "#" * (1 << 20))  # too long to be looked at
    assert gptkit("lure", "hi").code == 2
    file.unlink()
    file.symlink_to(around.folder / "elsewhere.yaml")
    (around.folder / "elsewhere.yaml").write_text(whole)
    assert gptkit("lure", "hi").code == 2
    assert server.connections == []


def test_a_trusted_prompt_does_not_lend_its_trust_to_a_copy(
    gptkit: InMemory, around: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trust is of a folder at its place: the same files elsewhere are not trusted."""
    lured(around.folder, "http://127.0.0.1:9")
    assert gptkit("prompts", "trust").code == 0
    other = tmp_path / "other"
    other.mkdir()
    (around.folder / ".gptkit").rename(other / ".gptkit")
    monkeypatch.chdir(other)
    assert gptkit("lure", "hi", "--model", "echo").code == 77


def test_a_prompt_cannot_choose_where_its_own_text_goes(gptkit: InMemory, around: Surroundings) -> None:
    own = lured(around.folder, "http://127.0.0.1:9")
    for line in ("base_url: http://127.0.0.1:9", "headers: {a: b}", "api_key_command: x", "proxy: x"):
        (own / "prompts" / "lure.yaml").write_text(f"system: x\n{line}\n")
        assert gptkit("prompts", "trust").code == 0
        code, output, errors = gptkit("lure", "hi", "--model", "echo")
        assert (code, output) == (65, "")
        assert f"{line.partition(':')[0]}: unknown key" in errors


@pytest.mark.parametrize("name", ["config.yaml", "prompts", "prompts/lure.yaml"])
def test_what_is_no_file_in_the_folder_does_not_hold_anything_up(
    run: AsProcess, around: Surroundings, name: str
) -> None:
    """A FIFO would be waited for without end, a device read without end."""
    import os

    own = around.folder / ".gptkit"
    own.mkdir()
    (own / name).parent.mkdir(exist_ok=True)
    os.mkfifo(own / name)
    for args in (("ask", "hi", "--model", "echo"), ("prompts", "list"), ("lure", "x"), ("prompts", "trust")):
        code, _, errors = run(*args)
        assert code not in (1, 70), errors
        assert code == 0 or args[0] in ("lure", "prompts"), errors
