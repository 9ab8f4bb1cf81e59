"""How often a model gives the form that a built-in prompt asks for: ten tasks, each in English and Chinese.

    PYTHONPATH=tests/support python tests/benchmarks/prompts.py [BASE_URL MODEL]

Without a base URL the small model of the tests answers. `OPENAI_API_KEY` is the key for a server that wants
one. Each answer is judged as the model gave it, without gptkit's own checks.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import sys
import urllib.request
from collections.abc import Callable
from typing import NamedTuple

from small_model import NAME, serving

from gptkit.__main__ import main as gptkit
from gptkit.core.terminal import memory_terminal
from gptkit.core.tokens import estimate_tokens

LIMIT = 160
"""Tokens of an answer; one that is cut has not the right form."""
ENGLISH = "The library opens at nine. Bring {name} and pay 12 euros. Bags stay at the door."
CHINESE = "图书馆九点开门。请带上{name}，付12欧元。包放在门口。"
DIFF = """--- a/net.py
+++ b/net.py
@@ -3,3 +3,3 @@
 timeout = 10
-retries = 3
+retries = 5
 host = "example.org"
"""
CHINESE_DIFF = """--- a/问候.py
+++ b/问候.py
@@ -1,2 +1,2 @@
 def 问候(名字):
-    print("你好", 名字)
+    print("您好", 名字 + 1)
"""
MISTAKES = "Their are two dog in the garden. He dont like rain."
CHINESE_MISTAKES = "他跑的很快,我门都追不上。"
LETTER = "move Friday's call to Monday"
CHINESE_LETTER = "通知全组：周五下午三点开会"


class Task(NamedTuple):
    """A command line, its standard input, and whether an answer has the right form for the input."""

    arguments: tuple[str, ...]
    stdin: str
    is_right: Callable[[str, str], bool]


def commit(answer: str, _: str) -> bool:
    """A subject line of at most 72 columns, a blank line, a body of plain text."""
    subject, *rest = answer.split("\n")
    width = sum(2 if character > "\u2e80" else 1 for character in subject)
    plain = re.match(r"[\w\"'“]", subject) and not subject.endswith((".", ":", "。"))
    return bool(plain) and width <= 72 and not "".join(rest[:1]).strip() and "```" not in answer


def email(answer: str, _: str) -> bool:
    """One subject, a blank line, a body."""
    return bool(re.fullmatch(r"Subject: \S.*\n\n(?:(?!Subject:|```).*\n?)+", answer))


def code(answer: str, _: str) -> bool:
    """One fenced block with something in it and nothing around it."""
    return bool(re.fullmatch(r"```\w*\n(?:(?!```).*\n)*?(?!```)\s*\S.*\n(?:(?!```).*\n)*```", answer))


def shell(answer: str, _: str) -> bool:
    """One fenced block with one line."""
    return bool(re.fullmatch(r"```\w*\n\s*[^\s#`].*\n```", answer))


def bullets(answer: str, source: str) -> bool:
    """A Markdown list of one to seven items and nothing else, in the script of the source."""
    lines = answer.split("\n")
    return (
        all(re.match(r"[-*] \S", line) for line in lines) and len(lines) <= 7 and same_script(answer, source)
    )


def translation(answer: str, source: str) -> bool:
    """One line of another wording with its placeholder and number, in Latin letters."""
    kept = "{name}" in answer and "12" in answer
    latin = not re.search(r"[\u4e00-\u9fff]", answer)
    return kept and latin and answer != source and "\n" not in answer and len(answer) < 160


def corrected(answer: str, source: str) -> bool:
    """The text itself, changed a little."""
    return answer != source and difflib.SequenceMatcher(None, answer, source, False).ratio() > 0.7


def findings(answer: str, _: str) -> bool:
    """Items of the form "- `file:line` **word**: text"."""
    item = r"- `[^`\n]+` \*\*(?:bug|risk|suggestion)\*\*[:：].+"
    return answer == "No findings." or all(
        re.match(item, line) or line.startswith("  ") for line in answer.split("\n")
    )


def quoted(answer: str, source: str) -> bool:
    """An answer with a quotation from the document, character by character."""
    quotes = re.findall(r"[\"“「]([^\"”」]{4,})[\"”」]", answer)
    return bool(quotes) and all(quote.strip() in source for quote in quotes)


def line(answer: str, source: str) -> bool:
    """One line without Markdown, in the script of the question."""
    return "\n" not in answer and not re.search(r"[*`#]", answer) and same_script(answer, source)


def same_script(answer: str, source: str) -> bool:
    han = [len(re.findall(r"[\u4e00-\u9fff]", text)) > len(text) / 4 for text in (answer, source)]
    return han[0] == han[1]


TASKS = (
    Task(("commit",), DIFF, commit),
    Task(("commit",), CHINESE_DIFF, commit),
    Task(("email", LETTER), "", email),
    Task(("email", CHINESE_LETTER), "", email),
    Task(("code", "print the numbers from 1 to 3"), "", code),
    Task(("code", "用中文问候用户"), "", code),
    Task(("shell", "list the five largest files"), "", shell),
    Task(("shell", "列出今天修改过的文件"), "", shell),
    Task(("summarize",), ENGLISH, bullets),
    Task(("summarize",), CHINESE, bullets),
    Task(("translate", "--to", "French"), ENGLISH, translation),
    Task(("translate", "--to", "English"), CHINESE, translation),
    Task(("proofread",), MISTAKES, corrected),
    Task(("proofread",), CHINESE_MISTAKES, corrected),
    Task(("review",), DIFF, findings),
    Task(("review",), CHINESE_DIFF, findings),
    Task(("qa", "when does the library open?"), ENGLISH, quoted),
    Task(("qa", "图书馆几点开门？"), CHINESE, quoted),
    Task(("ask", "why is the sky blue?", "--length", "line"), "", line),
    Task(("ask", "为什么天空是蓝色的？", "--length", "line"), "", line),
)
DELIMITER = re.compile(r"</?(?:text|code|diff|notes|letter|documents?|work)\b")


def is_copied(answer: str, sent: list[dict[str, str]]) -> bool:
    """Whether an answer is what the prompt shows as the form, or a rule of the prompt."""
    shown = [message["content"] for message in sent if message["role"] == "assistant"]
    system = " ".join(sent[0]["content"].split())
    return " ".join(answer.split()) in system or any(
        difflib.SequenceMatcher(None, answer, example, False).ratio() > 0.9 for example in shown
    )


def messages(task: Task) -> list[dict[str, str]]:
    """Return the messages that gptkit sends for a task."""
    stdin = task.stdin.encode() if task.stdin else None
    terminal = memory_terminal(stdin=stdin, environ={}, terminal=False, width=80)
    command, *rest = task.arguments
    code = gptkit(["prompts", "render", command, "--json", *rest], terminal)
    assert code == 0, terminal.errors
    found: list[dict[str, str]] = json.loads(terminal.output)
    return found


def ask(base_url: str, model: str, sent: list[dict[str, str]]) -> tuple[str, str, int]:
    """Ask the server once; returns the answer, its finish reason and the tokens of the prompt."""
    body = {"model": model, "messages": sent, "max_tokens": LIMIT, "temperature": 0}
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("OPENAI_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(f"{base_url}/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=600) as response:
        data = json.load(response)
    choice = data["choices"][0]
    return choice["message"]["content"].strip(), choice["finish_reason"], data["usage"]["prompt_tokens"]


def measure(base_url: str, model: str) -> None:
    """Print a line for each task, and how many answers have the right form."""
    right = 0
    print(f"{'task':<10} {'estimated':>9} {'counted':>7}  form   answer")
    for task in TASKS:
        sent = messages(task)
        answer, reason, counted = ask(base_url, model, sent)
        source = task.stdin or task.arguments[1]
        is_right = bool(answer) and reason == "stop" and task.is_right(answer, source)
        is_right = is_right and not DELIMITER.search(answer) and not is_copied(answer, sent)
        right += is_right
        estimated = sum(estimate_tokens(message["content"]) for message in sent)
        shown = answer.replace("\n", "⏎")[:90]
        form = "right" if is_right else "cut" if reason != "stop" else "wrong"
        print(f"{task.arguments[0]:<10} {estimated:>9} {counted:>7}  {form:<5}  {shown}", flush=True)
    print(f"right form: {right} of {len(TASKS)}")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        measure(sys.argv[1].rstrip("/"), sys.argv[2])
    else:
        with serving(os.cpu_count() or 1) as url:
            measure(url, NAME)
