"""What the README and the pages of `docs/` show is run: every console block, against the fake."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fake.program import Surroundings
from fake.server import FakeServer
from fake.waiting import SOON
from shop_api import DESCRIPTION
from tutoring import check, course, grade, mark, update

from gptkit.app import build_services
from gptkit.core.terminal import memory_terminal

ROOT = Path(__file__).parents[2]
HOUSEKEEPING = {"", *build_services(memory_terminal()).housekeeping}
PAGES = [ROOT / "README.md", ROOT / "README.zh.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in PAGES}
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<content>.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)(?P<page>[^)#]*)(?:#(?P<heading>[^)]+))?\)")
COMMAND = re.compile(r"\bgptkit (?P<words>[a-z][^|;<>\n`']*)")
NOTE = re.compile(r"gptkit: |hint: ")
WRONG = "--no-such"
"""A benchmark's option that there is not."""
HELP = ROOT / "tests" / "cli" / "golden" / "help"
FILES = {
    "notes.md": "# Release\n\nIt moves to Monday.\n",
    "lease.txt": "Either party may end this lease with three months' notice.\n",
    "annex.txt": "Pets are welcome.\n",
    "photo.png": "GIF89a\x40\x00\x40\x00;",
    "rubric.txt": "Names the rule (2 points)\nFinds x (3 points)\n",
    "answer.txt": "I divide both sides by 2, so x = 4.\n",
    "说明.md": "# 发布\n\n改到周一。\n",
    "租约.txt": "任何一方可提前三个月通知终止本租约。\n",
    "报告.txt": "三季度营收同比增长一成。\n",
}
TRANSLATIONS = {
    "-f notes.md": "# Freigabe\n\nSie ist jetzt am Montag.\n",
    "-f 说明.md": "# Release\n\nIt moves to Monday.\n",
}
WRONG_ANSWERS = {
    'Hello {name}!" | gptkit translate --to German;': ["Hallo {Name}!"] * 2,
    "--to German --accept -q": [],  # accepted by the command before
    "--to German --accept": ["Hallo {Name}!"],
    "Use --force": ["Verwenden Sie --zwang nur im Notfall."],
}
"""By a part of the command, what the model says where the command does not print that alone."""
COURSE = """\
subject: algebra
reviews:
  - front: What may be done to both sides of an equation?
    back: the same
    due: 2026-01-02
"""
STEPS: dict[str, list[Any]] = {
    "删除分支": [{"tool": "delete_branch", "arguments": {"branch": "old-login"}}, "已删除 old-login。"],
    "the branch old-login": [
        {"tool": "delete_branch", "arguments": {"branch": "old-login"}},
        "I deleted old-login.",
    ],
    "in Tokyo": [
        {"tool": "time_get_current_time", "arguments": {"timezone": "Asia/Tokyo"}},
        "It is 11:15 in Tokyo.",
    ],
    "refund order 42": [
        {"tool": "shop_refundOrder", "arguments": {"id": "42", "amount": 99.9, "reason": "late"}},
        "I refunded it.",
    ],
    "a bit quieter": [
        {"tool": "status", "arguments": {}},
        {"tool": "volume", "arguments": {"percent": 65}},
        "65 percent.",
    ],
    "make it loud": ["It is loud now."],
}
"""What the model does by the words of a command with tools: its calls, and its last words."""
STAND_INS = {
    "mpvctl": "#!/bin/sh\necho volume 80\n",
    "mcp-server-time": f"#!/bin/sh\nexec {sys.executable} {ROOT}/tests/support/clock_server.py\n",
}
"""Programs that a page names, by what stands in for them."""
GRADE = grade(
    mark("Names the rule", 2, "divide both sides", "The rule is named."),
    mark("Finds x", 0, "", "Half of six is not four."),
    feedback="Put your result back into the equation.",
)


def blocks(language: str) -> list[tuple[str, str]]:
    """Every block of a language, with the page that it stands on."""
    return [
        (page, found["content"])
        for page, text in TEXTS.items()
        for found in BLOCK.finditer(text)
        if found["language"] == language
    ]


def steps(content: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with what it prints."""
    before, *parts = re.split(r"^\$ ", content, flags=re.MULTILINE)
    assert before == ""
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


def replies(command: str, output: str) -> list[str]:
    """What the model has to say, request by request, for the command to print what is shown."""
    for part, answers in WRONG_ANSWERS.items():
        if part in command:
            return answers
    for words, steps in STEPS.items():
        if words in command:
            said = steps if "83" not in output.split("\n")[:1] else steps[:1]
            return [_step(one) for one in said]
    name = command.partition("gptkit ")[2].partition(" ")[0]
    if name in HOUSEKEEPING or NOTE.match(output) or "--due" in command or "--retrieve-only" in command:
        return []
    if "--rubric" in command:
        return [GRADE, update()]
    if name == "tutor":
        return [output.removesuffix("\n"), check(), update()]
    return [_reply(command, output)]


def _step(step: Any) -> str:
    """A step in the structured form of calls; a text ends the run."""
    return json.dumps({"step": {"tool": "answer", "text": step} if isinstance(step, str) else step})


def _reply(command: str, output: str) -> str:
    if "| python3 -c" in command:
        return output.removesuffix("\n")
    if "gptkit code" in command:
        return "```go\npackage main\n```"
    if "gptkit qa" in command:
        answer, _, sources = output.partition("\n\n")
        quotes = [{"passage": 1, "text": text} for text in re.findall(r'"(.*)"', sources)]
        return json.dumps({"quotes": quotes, "answer": answer})
    if "gptkit shell" in command:
        return f"```sh\n{output}```"
    said = output.replace("{name}", "⟦0⟧") if "gptkit translate" in command else output
    return next((text for option, text in TRANSLATIONS.items() if option in command), said)


@pytest.fixture
def shell(around: Surroundings) -> dict[str, str]:
    """The environment of a user's shell in a folder with the files that the pages name."""
    for name, text in FILES.items():
        (around.folder / name).write_text(text, "utf-8")
    course(around.home, COURSE, "algebra")
    prompts = around.home / "config" / "prompts"
    prompts.mkdir(parents=True)
    for _, content in blocks("yaml"):
        if named := re.match(r"# (\S+\.yaml)\n", content):
            folder = prompts if "\nsystem: |" in content else around.folder
            (folder / named[1]).write_text(content, "utf-8")
    environ = around.process_environ({}, "sk-test")
    programs = around.user_home / "bin"
    programs.mkdir()
    for name, script in STAND_INS.items():
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)
    (around.folder / "shop.openapi.json").write_text(json.dumps(DESCRIPTION))
    environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), str(programs), environ["PATH"]])
    environ["SHOP_TOKEN"] = "token-canary-123"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    (around.folder / "names.py").write_text("name = ''\n")
    begin = (["init", "-q"], ["add", "names.py"], ["commit", "-qm", "Begin"], ["branch", "old-login"])
    for command in begin:
        subprocess.run([*git, *command], cwd=around.folder, env=environ, check=True)
    (around.folder / "names.py").write_text("assert name\n")
    return environ


@pytest.mark.parametrize(
    "content",
    [content for _, content in blocks("console")],
    ids=[f"{page} {content[2:50].splitlines()[0]}" for page, content in blocks("console")],
)
def test_console_block(content: str, shell: dict[str, str], server: FakeServer, around: Surroundings) -> None:
    """The commands of a block, one after the other; notes are on standard error and all else is not."""
    if "prompts trust" not in content:
        for name in dict.fromkeys(re.findall(r"--with (\S+\.yaml)", content)):
            trust = ["gptkit", "prompts", "trust", name]
            subprocess.run(trust, env=shell, cwd=around.folder, capture_output=True, check=True)
    requests = 0
    for command, output in steps(content):
        for reply in replies(command, output):
            server.say(reply)
            requests += 1
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            env=shell,
            cwd=around.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SOON,
            check=False,
            start_new_session=True,  # whoever runs the tests is not asked to approve anything
        )
        lines = output.splitlines(keepends=True)
        notes = "".join(line for line in lines if NOTE.match(line))
        answer = "".join(line for line in lines if not NOTE.match(line))
        assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (0, answer, notes)
        assert len(server.requests) == requests


def test_every_kind_of_block_was_found() -> None:
    shown = [page for page, _ in blocks("console")]
    assert shown.count("README.md") >= 8
    assert shown.count("README.zh.md") >= 8
    assert len(shown) >= 25


def test_both_readmes_show_the_same() -> None:
    """The Chinese one is written anew, not translated; what it holds is the same."""
    english, chinese = TEXTS["README.md"], TEXTS["README.zh.md"]
    for pattern in (
        r"^(##? )",
        r"^```(\w+)$",
        r"^\|\s*([\d, ]+)\|",
        r"\]\((docs/[a-z-]+\.md)\)",
        r"^\$.*(gptkit [a-z]+)",
    ):
        found = [re.findall(pattern, text, re.MULTILINE) for text in (english, chinese)]
        assert found[0]
        assert [each for each in found[0] if each != "gptkit haiku"] == [
            each for each in found[1] if each != "gptkit duilian"
        ]


def test_the_readme_stays_short() -> None:
    assert len(TEXTS["README.md"].splitlines()) <= 200


def test_every_link_leads_somewhere() -> None:
    for page, text in TEXTS.items():
        for link in LINK.finditer(text):
            target = (ROOT / page).parent / link["page"] if link["page"] else ROOT / page
            assert target.is_file(), f"{page}: {link[0]}"
            if link["heading"]:
                headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE)
                anchors = [re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings]
                assert link["heading"] in anchors, f"{page}: {link[0]}"


def test_every_command_and_option_that_is_named_exists() -> None:
    """Of what no console block runs, too: commands in sentences, in tables and in sh blocks."""
    own = {Path(named[1]).stem for _, text in blocks("yaml") if (named := re.match(r"# (\S+\.yaml)\n", text))}
    for page, text in TEXTS.items():
        codes = [found[1] for found in re.finditer(r"(?<!`)`([^`\n]+)`(?!`)", text)]
        codes += [content for where, content in blocks("sh") + blocks("console") if where == page]
        for command in (found for code in codes for found in COMMAND.finditer(code)):
            name, *rest = command["words"].split()
            if name in own:
                continue
            inner = HELP / f"{name}-{rest[0] if rest else ''}.txt"
            whole = HELP / f"{name}-help-all.txt"
            path = next((file for file in (inner, whole) if file.exists()), HELP / f"{name}.txt")
            assert path.exists(), f"{page}: {command[0]}"
            help_page = path.read_text("utf-8")
            for option in (word for word in rest if re.match(r"--?[a-z]", word) and word != WRONG):
                assert re.search(rf"(?<![\w-]){option}(?![\w-])", help_page), f"{page}: {command[0]}"


def test_settings_table_is_that_of_the_program() -> None:
    found = re.search(r"<!-- settings -->\n(.*?)\n<!-- /settings -->", TEXTS["docs/settings.md"], re.DOTALL)
    assert found
    assert found[1] == settings_table()


def settings_table() -> str:
    """The table of settings; `PYTHONPATH=tests/support python tests/program/test_pages.py` prints it."""
    from gptkit.settings.schema import SETTINGS

    rows = ["| setting | default | environment | what it is |", "|---|---|---|---|"]
    for setting in SETTINGS.values():
        default = "" if setting.default in (None, ()) else f"`{_shown(setting.default)}`"
        variables = ", ".join(f"`{name}`" for name in setting.environment)
        rows.append(f"| `{setting.name}` | {default} | {variables} | {setting.description} |")
    return "\n".join(rows)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    print(settings_table())
