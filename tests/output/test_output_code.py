"""`output: code` prints the code of an answer and nothing else, or fails with 80."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptkit.core.chat import AnswerFormatError
from gptkit.core.errors import IncompleteError
from gptkit.output.formats import FORMATS

CODE = FORMATS["code"](None)
GO = 'package main\n\nimport "fmt"\n\nfunc main() {\n\tfmt.Println("hi")\n}'


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("```go\n" + GO + "\n```", GO),
        ("Sure!\n\n```go\n" + GO + "\n```\nRun it with `go run`.\n", GO),
        ("~~~\nx = 1\n~~~\n", "x = 1"),
        ("```python title=a.py\r\nx = 1\r\ny = 2\r\n```\r\n", "x = 1\r\ny = 2\r"),
        ("````md\n# Title\n```sh\nls\n```\n````\n", "# Title\n```sh\nls\n```"),
        ("```md\n# Title\n```sh\nls\n```\nend\n```\n", "# Title\n```sh\nls\n```\nend"),
        ("~~~py\ns = '''\n```\n'''\n~~~", "s = '''\n```\n'''"),
        (
            '```py\ndef f():\n    """\n    ```\n    x\n    ```\n    """\n```',
            'def f():\n    """\n    ```\n    x\n    ```\n    """',
        ),
        ("1. Do this:\n\n   ```sh\n   if x; then\n     y\n   fi\n   ```\n\n2. Done.", "if x; then\n  y\nfi"),
        ("- ```sh\n  ls -l\n  ```", "ls -l"),
        ("    ```sh\n    ls\n    ```", "ls"),
        ("```py\nx = 1\n\ny = 2", "x = 1\n\ny = 2"),
        ("```py\nx = 1\n\ny = 2\n", "x = 1\n\ny = 2"),
        ("```py\nx = 1\n`` `\n```", "x = 1\n`` `"),
        ("```sh\npip install x\n```\nthen\n```py\nimport x\n\nx.run(1, 2)\n```", "import x\n\nx.run(1, 2)"),
        ("```py\nprint(1)\n```\nor\n```py\nprint(2)\n```", "print(1)"),
        ("```\n```\n```py\nx\n```", "x"),
        ("```py\n\n\n  x = 1\n\n```", "\n\n  x = 1\n"),
        ("``` not a fence ``` but\n\n```py\nx\n```", "x"),
    ],
)
def test_takes_the_code_block(answer: str, code: str) -> None:
    assert CODE.finish(answer) == code


@pytest.mark.parametrize(
    "answer",
    [
        GO,
        "import sys\n\nfor line in sys.stdin:\n    print(line.strip())",
        "#!/bin/sh\nset -eu\n# Say hello.\necho hello",
        'def area(r):\n    """The area of a circle."""\n    # It is the usual one.\n    return 3.14 * r * r',
        '#!/bin/sh\necho "This is a message for all of you."',
        "say :- write(hello).",
        "du -a -- . | sort -rn | head -n 10",
        "SELECT name, sum(price)\nFROM orders\nGROUP BY name;",
        "<!DOCTYPE html>\n<p>Hello, world.</p>",
        '{"a": [1, 2]}',
        "name: build\non: push\njobs:\n  test:\n    runs-on: ubuntu",
        "FROM python:3.11\nRUN pip install x\nCMD run",
        'main = putStrLn "你好"',
        "Get-ChildItem -File | Where-Object Length -gt 1MB",
        "if x:\n    # 这是注释。\n    print('你好。')",
    ],
)
def test_an_answer_that_is_nothing_but_code_needs_no_fence(answer: str) -> None:
    assert CODE.finish(answer) == answer
    assert CODE.finish(f"\n{answer}\n") == answer


def test_one_code_span_is_a_command() -> None:
    assert CODE.finish("`ls -la`\n") == "ls -la"
    assert CODE.finish("``echo `date` ``") == "echo `date`"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "No command can do this.",
        "I can't do that: there is no file.",
        "Use the `ls` command.",
        "You could use print(x) or format(x), both work.",
        "Here is the code:\n\nimport sys\nprint(sys.argv)",
        "import sys\nprint(sys.argv)\n\nThis prints the arguments.",
        "没有命令可以做到这一点。",
        "Это невозможно, потому что файла нет.",
        "- First, think about it.\n- Then, write it.",
        "Return to the start, please",
        "```\n\n```",
        "` `",
    ],
)
def test_prose_is_not_code(answer: str) -> None:
    with pytest.raises(AnswerFormatError) as caught:
        CODE.finish(answer)
    assert isinstance(caught.value.failure, IncompleteError)
    assert caught.value.failure.code == 80
    assert not caught.value.again


def test_the_failure_repeats_what_the_model_said_in_one_line() -> None:
    with pytest.raises(AnswerFormatError) as caught:
        CODE.finish("No.\n\nThis is \x1b[31mnot\x1b[0m possible.")
    assert str(caught.value.failure) == "no code in the answer: 'No. This is ␛[31mnot␛[0m possible.'"


@given(st.lists(st.sampled_from("a`~\n -1.\t"), max_size=40).map("".join))
def test_no_arrangement_of_fences_gives_blank_code(answer: str) -> None:
    with suppress(AnswerFormatError):
        assert CODE.finish(answer).strip()


@given(st.text(st.characters(exclude_characters="`~\r", exclude_categories=["Cs"])).filter(str.strip))
def test_what_was_fenced_comes_back_exactly(content: str) -> None:
    assert CODE.finish(f"Here:\n```x\n{content}\n```\nDone.") == content


def test_formats_promise_the_right_way_of_printing() -> None:
    assert {name: (form(None).streams, form(None).rendering) for name, form in FORMATS.items()} == {
        "text": (True, "plain"),
        "markdown": (True, "markdown"),
        "code": (False, "markdown"),
        "command": (False, "none"),
        "block": (False, "none"),
        "email": (False, "plain"),
        "commit": (False, "plain"),
        "json": (False, "none"),
    }
    assert FORMATS["text"](None).finish(" a\r\n") == FORMATS["markdown"](None).finish(" a\r\n") == " a\r\n"
    assert FORMATS["code"](None).parameters == FORMATS["text"](None).parameters == {}
