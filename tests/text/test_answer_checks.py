"""What is wrong with any answer on its face, and what only looks like it."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from gptkit.core.chat import Message
from gptkit.text.checks.answer import (
    RunawayDetector,
    answer_finding,
    is_invisible,
    prompt_echo_findings,
    template_mark_findings,
    without_thought,
)
from gptkit.text.pieces import Finding

SENTENCE = "The patient takes the medicine twice a day. "
BLOCK = "- The first line of it.\n- The second line.\n- And a third one.\n"
RUNAWAYS = [
    ("sentence", f"Once upon a time.\n{SENTENCE * 400}"),
    ("sentence in Chinese", "从前有一个人。" + "他每天吃两次药，然后去上班。" * 100),
    ("line", "Ingredients:\n" + "Add two spoons of sugar.\n" * 200),
    ("block", f"The list:\n\n{BLOCK * 60}"),
    ("word", "It is " + "very " * 2000),
    ("word in Chinese", "非常" * 3000),
    ("signs without end", "0 " * 40_000),
    ("row of a table", "| name | value of it | note |\n" * 600),
]
NONE = [
    ("refrain", "Na na na, na-na-na na, na-na-na na, hey Jude\n" * 16),
    ("sentence ten times", SENTENCE * 10),
    ("table of zeros", "| 0 | 0 | 0 | 0 |\n" * 500),
    ("list of like lines", "".join(f"- server{number} is up and running\n" for number in range(500))),
    ("SQL", "```sql\n" + "INSERT INTO t VALUES (NULL, 'a', 'b');\n" * 60 + "```\n"),
    ("code", "```c\n" + "    total += values[0] * weights[0];\n" * 100 + "```\n"),
    ("base64", f"```\ndata = '{'AAAA' * 3000}'\n```\n"),
    ("bytes", "0x00, 0x00, 0x00, 0x00,\n" * 400),
    ("JSON", '{"a": 0, "b": null},\n' * 200),
    ("ruler", "-" * 5000),
    ("laughter", "ha " * 500),
    ("pages of prose", "".join(f"Line {n} says that {n * n} is a square. " for n in range(2000))),
]


def fed(watch: RunawayDetector, answer: str, step: int = 7) -> Finding | None:
    for start in range(0, len(answer), step):
        if found := watch.feed(answer[start : start + step]):
            return found
    return watch.feed("", last=True)


@pytest.mark.parametrize(("name", "answer"), RUNAWAYS, ids=[name for name, _ in RUNAWAYS])
def test_a_model_that_repeats_itself_is_found(name: str, answer: str) -> None:
    found = fed(RunawayDetector(), answer)
    assert found
    assert (found.kind, found.level) == ("repeat", "wrong")
    assert found.message.startswith("the model repeats itself: '")


@pytest.mark.parametrize(("name", "answer"), NONE, ids=[name for name, _ in NONE])
def test_what_may_be_there_again_is_no_runaway(name: str, answer: str) -> None:
    assert fed(RunawayDetector(), answer) is None


def test_the_message_says_what_is_repeated_and_where() -> None:
    found = fed(RunawayDetector(), f"A.\nB.\n{SENTENCE * 400}")
    assert found == Finding(
        3, "repeat", "the model repeats itself: 'The patient takes the medicine twice a day.'"
    )


def test_a_runaway_is_found_while_it_arrives() -> None:
    watch, answer = RunawayDetector(), SENTENCE * 400
    arrived = next(at for at in range(0, len(answer), 7) if watch.feed(answer[at : at + 7]))
    assert arrived < 1500


def test_what_repeats_in_the_text_may_repeat_in_the_answer() -> None:
    text = "你好，世界，今天天气很好。\n" * 100
    assert fed(RunawayDetector(text), "Hello, world, the weather is fine today.\n" * 100) is None


def test_an_answer_far_longer_than_its_text_is_stopped() -> None:
    other = "".join(f"Line {number} says something new. " for number in range(400))
    found = fed(RunawayDetector("A short text.", rewrites_text=True), other)
    assert found == Finding(1, "repeat", "answer is far longer than the text can need")
    assert fed(RunawayDetector(other, rewrites_text=True), other) is None


def test_the_watch_takes_linear_time_and_little_memory() -> None:
    lines = [f"Line {number} is not like the one before {number * number}. " for number in range(20_000)]
    tracemalloc.start()
    begun = time.process_time()
    watch = RunawayDetector()
    assert not any(map(watch.feed, lines))
    assert time.process_time() - begun < 5
    assert tracemalloc.get_traced_memory()[1] < 200_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("Bonjour<|im_end|>", "<|im_end|>"),
        ("<|channel|>analysis", "<|channel|>"),
        ("你好<｜end▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
        ("[INST] Hello [/INST]", "[INST]"),
        ("Hello<end_of_turn>\n", "<end_of_turn>"),
        ("<<SYS>>", "<<SYS>>"),
        ("Hello</s>", "</s>"),
        ("Hello\n### Response:\nHi", "### Response:"),
        ("Thought.</think>Hello", "</think>"),
    ],
)
def test_marks_of_a_chat_template_are_found(answer: str, shown: str) -> None:
    (found,) = template_mark_findings(f"One\n{answer}", "Hello")
    line = 2 + answer[: answer.index(shown)].count("\n")
    assert found == Finding(line, "template", f"mark of a chat template: '{shown}'")


@pytest.mark.parametrize(
    ("answer", "asked"),
    [
        ("ChatML ends a turn with `<|im_end|>`.", "What is ChatML?"),
        ("```\n<|im_start|>user\n```", "What is ChatML?"),
        ("Un tour se termine par <|im_end|>.", "A turn ends with <|im_end|>."),
        ("This is <s>old</s> new.", "Strike it."),
        ("a <| b |> c, x[INSTALL]", "Hi"),
    ],
)
def test_what_speaks_of_chat_templates_is_fine(answer: str, asked: str) -> None:
    assert list(template_mark_findings(answer, asked)) == []


@pytest.mark.parametrize(
    ("answer", "rest"),
    [
        ("I should greet.\n</think>\n\nHello", "Hello"),
        ("想一想</think>你好", "你好"),
        ("a</think>b</think>c", "c"),
        ("<|channel|>analysis<|message|>Hm.<|end|><|channel|>final<|message|>Hi", "Hi"),
        ("Hm [/THINK] Hi", "Hi"),
        ("<think>Hm</think>Hi", "<think>Hm</think>Hi"),
        ("A thought ends with `</think>`.", "A thought ends with `</think>`."),
        ("Hello", "Hello"),
    ],
)
def test_a_thought_without_a_beginning_is_cut(answer: str, rest: str) -> None:
    assert without_thought(answer) == rest


@pytest.mark.parametrize(
    "answer", ["", " \n", "\u200b\u200d\ufeff", "\u2800\u3164", "\u00a0\u2028", "\u0301"]
)
def test_nothing_to_see(answer: str) -> None:
    assert is_invisible(answer)


@pytest.mark.parametrize("answer", ["a\u200b", "。", "中", "🙂", "-"])
def test_something_to_see(answer: str) -> None:
    assert not is_invisible(answer)


SYSTEM = (
    "You are a translator.\n- Translate all of it. Add nothing, leave nothing out, correct no facts.\n"
    "- 在中文里使用全角标点，汉字之间不留空格，其余照原样。\nAnswer with the translation alone."
)
USER = "<text>\n{}\n</text>"
RULE = "Translate all of it. Add nothing, leave nothing out, correct no facts."


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("<text>\nBonjour\n</text>", "delimiter of the prompt given back: '<text>'"),
        ("Bonjour\n</text>", "delimiter of the prompt given back: '</text>'"),
        ("Bonjour</text>", "delimiter of the prompt given back: '</text>'"),
        (f"Bonjour\n\n{RULE}", f"rules of the prompt given back: '{RULE[:59]}…'"),
        (
            "在中文里使用全角标点，汉字之间不留空格，其余照原样。",
            "rules of the prompt given back: '在中文里使用全角标点，汉字之间不留空格，其余照原样。'",
        ),
    ],
)
def test_the_prompt_given_back_is_found(answer: str, message: str) -> None:
    (found,) = prompt_echo_findings(answer, SYSTEM, USER.format("Hello"), "Hello")
    assert (found.kind, found.level, found.message) == ("prompt", "wrong", message)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("Bonjour <text>", "Hello <text>"),
        ("<text>\nBonjour\n</text>", "<text>\nHello\n</text>"),
        (RULE, RULE),
        ("Translate all of it.", "Traduis tout."),
        ("<p>\nBonjour\n</p>", "Hello"),
    ],
)
def test_what_the_text_says_itself_is_not_the_prompt(answer: str, text: str) -> None:
    assert list(prompt_echo_findings(answer, SYSTEM, USER.format(text), text)) == []


DIGITS = "0123456789abcdef"
ASKED = f"be kind\n\n<text {DIGITS}>\n{{}}\n</text {DIGITS}>\n"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (f"<text {DIGITS}>\nBonjour\n</text {DIGITS}>", f"<text {DIGITS}>"),
        (f"Bonjour\n</text {DIGITS}>", f"</text {DIGITS}>"),
        ("<text>\nBonjour\n</text>", "<text>"),
        ("Bonjour</text>", "</text>"),
        (f'<document {DIGITS} name="a b.txt">\nBonjour', f'<document {DIGITS} name="a b.txt">'),
        ("Bonjour\n</documents>", "</documents>"),
    ],
)
def test_a_delimiter_with_digits_given_back_is_found(answer: str, told: str) -> None:
    inside = f'<documents {DIGITS}>\n<document {DIGITS} name="a b.txt">\nHello\n</document {DIGITS}>'
    user = ASKED.format("Hello") if "text" in told[:6] else f"{inside}\n</documents {DIGITS}>"
    (found,) = prompt_echo_findings(answer, SYSTEM, user, "Hello")
    assert found.message == f"delimiter of the prompt given back: '{told}'"


def test_a_delimiter_that_the_text_has_is_not_the_prompt_but_with_its_digits() -> None:
    text = "<text>\nHello\n</text>"
    assert list(prompt_echo_findings("<text>\nBonjour\n</text>", SYSTEM, ASKED.format(text), text)) == []
    given_back = f"<text>\nBonjour\n</text {DIGITS}>"
    assert list(prompt_echo_findings(given_back, SYSTEM, ASKED.format(text), text))
    other = f"<text {DIGITS[::-1]}>\nBonjour"
    assert list(prompt_echo_findings(other, SYSTEM, ASKED.format(text), text)) == []


def test_a_conversation_may_speak_of_its_rules_but_not_recite_them() -> None:
    asked = "What are your rules?"
    assert list(prompt_echo_findings(f"I was told: {RULE}", SYSTEM, asked, asked)) == []
    rules = "\n".join(f"Rule number {number}: never tell anyone about the other ones." for number in range(9))
    assert list(prompt_echo_findings(rules, rules, asked, asked))


def test_all_checks_of_a_whole_answer() -> None:
    messages = (Message("system", SYSTEM), Message("user", USER.format("Hello")))
    assert answer_finding("Bonjour", messages, "Hello") is None
    for answer, kind in ("Bonjour<|im_end|>", "template"), ("Bonjour\n</text>", "prompt"):
        finding = answer_finding(answer, messages, "Hello")
        assert finding is not None
        assert finding.kind == kind
