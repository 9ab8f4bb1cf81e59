"""Every built-in prompt on a small real model that does little of what it is told. Asserted is what holds
for any model: the program ends, and its exit code, the history and the ledger tell the truth.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from fake.program import AsProcess, InMemory, Result
from small_model import NAME, model_file, serving

pytest.importorskip("xllamacpp")
pytestmark = pytest.mark.skipif(
    not model_file().exists(), reason="the small model is not here: python tests/support/small_model.py"
)
DELIMITER = re.compile(r"</?(?:text|code|diff|notes|letter|documents?|work|course|character)\b")
LIMIT = 40
"""Tokens of an answer."""
FENCED = re.compile(r"```[^\n]*\n\s*[^\s`]")
ENGLISH = "The library opens at nine. Bring {name} and pay 12 euros."
CHINESE = "图书馆九点开门。请带上{name}，付12欧元。"
DIFF = "--- a/sum.py\n+++ b/sum.py\n@@ -1 +1 @@\n-return a + b\n+return a - b\n"
CHINESE_DIFF = '--- a/问候.py\n+++ b/问候.py\n@@ -1 +1 @@\n-print("你好")\n+print("您好")\n'


class Input(NamedTuple):
    """The arguments of a prompt and its standard input."""

    arguments: tuple[str, ...] = ()
    stdin: str | None = None


INPUTS = {
    "ask": (Input(("why is the sky blue?",)), Input(("为什么天空是蓝色的？",))),
    "chat": (Input(("I feel tired today",)), Input(("今天心情不太好",))),
    "code": (Input(("print the numbers 1 to 3",)), Input(("用中文问候用户",))),
    "commit": (Input(stdin=DIFF), Input(stdin=CHINESE_DIFF)),
    "email": (Input(("move Friday's call to Monday",)), Input(("通知全组周五开会",))),
    "explain": (Input(("what is it for?",), DIFF), Input(("彩虹",))),
    "proofread": (Input(stdin="Their going home."), Input(stdin="他跑的很快,我门都追不上。")),
    "qa": (Input(("when does it open?",), ENGLISH), Input(("几点开门？",), CHINESE)),
    "review": (Input(stdin=DIFF), Input(stdin=CHINESE_DIFF)),
    "roleplay": (Input(("Marta the innkeeper", "Any rooms?")), Input(("客栈掌柜，姓王", "还有空房吗？"))),
    "shell": (Input(("list the files",)), Input(("列出文件",))),
    "summarize": (Input(stdin=ENGLISH), Input(stdin=CHINESE)),
    "translate": (Input(("--to", "French"), ENGLISH), Input(("--to", "English"), CHINESE)),
    "tutor": (Input(("algebra", "what is x?")), Input(("代数", "什么是未知数？"))),
    "write": (Input(("a line about bees",)), Input(("写一句关于蜜蜂的话",))),
}


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    with serving() as url:
        yield url


def test_every_prompt_that_comes_along_is_tried(gptkit: InMemory) -> None:
    _, listed, _ = gptkit("prompts", "list")
    elsewhere = {
        "do",  # tests/tools/test_tools_small_model.py
        "describe",  # the model takes no images, which tests/program/test_llama_server.py has told
    }
    assert {line.split()[0] for line in listed.splitlines()} == set(INPUTS) | elsewhere


@pytest.mark.parametrize("prompt", INPUTS)
def test_the_program_tells_what_came(prompt: str, model_url: str, run: AsProcess) -> None:
    tokens, guessed = 0, False
    for number, given in enumerate(INPUTS[prompt], 1):
        asked = (prompt, *given.arguments, "--model", NAME, "--max-tokens", str(LIMIT), "--json")
        done = run(*asked, stdin=given.stdin, env={"OPENAI_BASE_URL": model_url})
        check_told(done, run)
        usage = json.loads(done.stdout)["usage"]
        tokens, guessed = tokens + usage["total_tokens"], guessed or usage.get("estimated", False)
        total = json.loads(run("usage", "--json").stdout)["total"]
        assert (total["prompt_tokens"] + total["completion_tokens"], total["estimated"]) == (tokens, guessed)
        assert len(json.loads(run("history", "list", "--json").stdout)["sessions"]) == number


def test_the_model_answers_in_the_process(run: AsProcess) -> None:
    done = run(
        "ask", "为什么天空是蓝色的？", "--model", f"local:{model_file()}", "--max-tokens", "8", "--json"
    )
    check_told(done, run, limit=8)


def check_told(done: Result, run: AsProcess, limit: int = LIMIT) -> None:
    """Check that the exit code, what was printed and the history agree, and that the reason given is true."""
    printed = json.loads(done.stdout)
    (turn,) = json.loads(run("history", "show", "--json").stdout)["turns"]
    assert turn["code"] == done.code, (done, turn)
    assert turn["system"]
    assert printed["usage"]["prompt_tokens"] == turn["prompt_tokens"] > 0
    assert printed["usage"]["completion_tokens"] == turn["completion_tokens"] > 0
    assert printed["finish_reason"] == (turn["reason"] or None)
    if done.code == 0:
        assert printed["answer"].strip()
        assert printed["finish_reason"] != "length"
        assert printed["answer"].strip() in turn["answer"]
        assert not DELIMITER.search(printed["answer"])
        return
    reason = json.loads(done.stderr.splitlines()[-1])["message"]
    assert (done.code, reason) in ((80, turn["cause"]), (85, "not in the documents"))
    if "token limit" in reason:
        assert printed["usage"]["completion_tokens"] >= limit
    if "no code" in reason:
        assert not FENCED.search(turn["answer"])
