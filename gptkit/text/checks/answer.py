"""What is wrong with any answer: the model repeats itself, gives the prompt back, says nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gptkit.core.chat import Message
from gptkit.core.excerpt import shorten
from gptkit.core.patterns import lazy_pattern
from gptkit.text.pieces import Finding

if TYPE_CHECKING:
    import re

SHOWN = 60
"""Characters that a finding shows of the answer."""
STEP = 256
"""Characters after which an answer is looked at again."""
TAIL = 8192
"""Characters that are kept: a block that comes again is shorter than a half of them."""
PROBE = 48
SAID, SPARSE, DENSE, BLANK = 1000, 3000, 8000, 32768
"""Columns that a repetition of sentences, of one or two words, of code and rows of tables, of signs must have
to be none that somebody wants: a refrain, a list of like lines, a table of zeros are shorter."""
TIMES = 4
"""How often at least a block is there."""
ROOM, TIMES_AS_LONG = 2000, 4
"""Characters, and how many times those of the text, within which any translation of a text is."""
DISTINCT = 3
"""Words of a block from which it is a sentence."""
BLOCK_BEGINS = lazy_pattern(r"\n\s*|[.!?]\s+|[。！？]")
WORD = lazy_pattern(r"[^\W\d_]{2,}|[\u3040-\u9fff\uac00-\ud7af]")
CODE_SIGNS = lazy_pattern(r"[{}()\[\]<>;=|&\\_^~#*+$@\"]")


class RunawayDetector:
    """Detect a model that repeats itself, or finds no end, while its answer arrives.

    `text` is what the model works on: if that repeats itself, the answer may. With `rewrites_text` the answer
    is the text in another form, and has a length at most. Time is linear in the answer, memory bounded.
    """

    def __init__(self, text: str = "", *, rewrites_text: bool = False) -> None:
        self._most = TIMES_AS_LONG * _width_of(text) + ROOM if rewrites_text else None
        self._tail = ""
        self._waiting: list[str] = []
        self._size = self._unseen = self._length = self._run = 0
        self._is_code = False
        self._may_repeat = bool(text) and RunawayDetector().feed(text, last=True) is not None

    def feed(self, delta: str, *, last: bool = False) -> Finding | None:
        """Return what is wrong as soon as it is certain; `line` is where the repetition begins in the answer.

        `last` says that nothing else comes, so that no characters wait to be looked at.
        """
        self._waiting.append(delta)
        self._unseen += len(delta)
        if self._unseen < STEP and not last:
            return None
        arrived, self._waiting, self._unseen = "".join(self._waiting), [], 0
        for start in range(0, len(arrived), STEP):
            if finding := self._inspect(arrived[start : start + STEP]):
                return finding
        return None

    def _inspect(self, step: str) -> Finding | None:
        if (self._tail[-2:] + step).count("```") % 2:  # a fence may begin in the step before
            self._is_code = not self._is_code
        self._tail = (self._tail + step)[-TAIL:]
        self._size += step.count("\n")
        self._length += _width_of(step)
        if self._most is not None and self._length > self._most:
            return Finding(1, "repeat", "answer is far longer than the text can need")
        repetition = None if self._may_repeat else self._find_repetition(len(step))
        if repetition is None:
            return None
        line = max(1, self._size + 1 - self._tail[-self._run :].count("\n"))
        return Finding(line, "repeat", f"the model repeats itself: {_quote(repetition)}")

    def _find_repetition(self, arrived: int) -> str | None:
        """Return the block that the answer repeats at its end too often, None if there is no such block."""
        tail = self._tail
        before = tail.rfind(tail[-PROBE:], 0, len(tail) - 1)
        period = len(tail) - PROBE - before
        if before < 0 or tail[-period:] != tail[-2 * period : -period]:
            self._run = 0
            return None
        run = _periodic_length(tail, period)
        self._run = self._run + arrived if run == len(tail) and self._run else run
        block = tail[-period:]
        enough = max(_least_columns(block), DENSE if self._is_code else 0)
        if self._run < (TIMES - 1) * period or self._run * _width(block) < enough:
            return None
        begins = BLOCK_BEGINS.search(block)  # what is said begins behind the end of a sentence or line
        return block[begins.end() :] + block[: begins.end()] if begins else block


def _periodic_length(text: str, period: int) -> int:
    """Count the characters at the end of a text that belong to repetitions of `period` characters."""
    low, high = 0, len(text) - period
    while low < high:
        middle = (low + high + 1) // 2
        if text[len(text) - middle :] == text[len(text) - middle - period : len(text) - period]:
            low = middle
        else:
            high = middle - 1
    return low + period


def _least_columns(block: str) -> int:
    words = {word.lower() for word in WORD.findall(block)}
    is_one_word = not any(sign.isspace() for sign in block) and block.isascii()
    if not words or is_one_word:
        return BLANK
    if 12 * len(CODE_SIGNS.findall(block)) > len(block):
        return DENSE
    return SAID if len(words) >= DISTINCT else SPARSE


def _width(text: str) -> float:
    return _width_of(text) / len(text)


def _width_of(text: str) -> int:
    """Return about how many columns a text takes: a Chinese character takes two."""
    return len(text) if text.isascii() else len(text) + sum(sign > "\u1fff" for sign in text)


def answer_finding(answer: str, messages: Sequence[Message], text: str) -> Finding | None:
    """Return what is wrong with a whole answer to messages that work on `text`, None if it may be right."""
    asked = [message for message in _without_correction(messages, text) if message.role != "assistant"]
    sent = "\n".join(message.content for message in asked)
    system = "\n".join(message.content for message in asked if message.role == "system")
    user = "\n".join(message.content for message in asked if message.role == "user")
    return (
        next(template_mark_findings(answer, sent), None)
        or next(prompt_echo_findings(answer, system, user, text), None)
        or unclosed_fence_finding(answer, text)
    )


def _without_correction(messages: Sequence[Message], text: str) -> Sequence[Message]:
    """Return the messages up to the one with the text: what follows quotes an answer and its defects."""
    for place in range(len(messages) - 1, -1, -1):
        if messages[place].role == "user" and text in messages[place].content:
            return messages[: place + 1]
    return messages


HEADING = lazy_pattern(r"(?m)^#{1,6}[ \t]")
FENCED = lazy_pattern(r"(?ms:^[ \t]*(`{3,}|~{3,}).*?(?:^[ \t]*\1[`~]*[ \t]*$|\Z))|`+[^`\n]+`+")
TEMPLATE = lazy_pattern(
    r"(?m)<\|[a-z][a-z0-9_]{1,30}\|>|<｜[^｜<>\n]{1,40}｜>|\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_turn>"
    r"|\[/?(?:AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT|THINK)\]|<(?:bos|eos|pad|unk)>|</s>(?=\s*\Z)"
    r"|^###? ?(?:Instruction|Response|Human|Assistant):\s*$|^<0x[0-9A-F]{2}>|</?think(?:ing)?>",
)
THOUGHT_ENDS = lazy_pattern(
    r"(?s)\s*</think(?:ing)?>\s*|\s*\[/THINK\]\s*|\A.*<\|channel\|>final<\|message\|>"
)
THOUGHT_BEGINS = lazy_pattern(r"<think(?:ing)?>|\[THINK\]")


def without_thought(answer: str, messages: Sequence[Message] = ()) -> str:
    """Return what stands behind the end of a thought whose beginning is missing, else the answer itself.

    Where the messages speak of such a mark, the answer may do so, too.
    """
    if not THOUGHT_ENDS.search(answer):
        return answer
    bare = FENCED.sub(lambda match: "\x00" * len(match[0]), answer)
    if any(THOUGHT_ENDS.search(message.content) for message in messages if message.role == "user"):
        return answer
    ends = [match.end() for match in THOUGHT_ENDS.finditer(bare)]
    return answer[ends[-1] :] if ends and not THOUGHT_BEGINS.search(bare) else answer


def template_mark_findings(answer: str, prompt: str) -> Iterator[Finding]:
    """Yield the first mark of a chat template outside of code, unless the `prompt` holds the mark, too."""
    if not TEMPLATE.search(answer):
        return
    bare = FENCED.sub(lambda match: "\n" * match[0].count("\n"), answer)
    has_headings = len(HEADING.findall(bare)) > 1
    for match in TEMPLATE.finditer(bare):
        if match[0].startswith("#") and has_headings:
            continue  # a part of a document, such as `### Response:` of an API
        if match[0].strip() not in prompt:
            line = bare.count("\n", 0, match.start()) + 1
            yield Finding(line, "template", f"mark of a chat template: {_quote(match[0])}")
            return


INVISIBLE = {"Cc", "Cf", "Cn", "Cs", "Co", "Zl", "Zp", "Zs", "Mn", "Me"}
BLANKS = "\u2800\u3164\u115f\u1160\uffa0"


def is_invisible(answer: str) -> bool:
    """Whether there is nothing to see: white space, characters without width, blanks of other names."""
    return all(sign in BLANKS or unicodedata.category(sign) in INVISIBLE for sign in answer)


FENCE_LINE = lazy_pattern(r"(?m)^ {0,3}(`{3,}|~{3,})([^\n]*)$")


def unclosed_fence_finding(answer: str, text: str) -> Finding | None:
    """Return the code block of an answer that never closes, if those of `text` do and it holds something."""
    if "```" not in answer and "~~~" not in answer:
        return None
    opening = _open_fence(answer)
    if opening is None or not answer[opening.end() :].strip() or _open_fence(text):
        return None
    return Finding(answer.count("\n", 0, opening.start()) + 1, "fence", "code block never closes")


def _open_fence(text: str) -> re.Match[str] | None:
    opening: re.Match[str] | None = None
    for line in FENCE_LINE.finditer(text):
        if opening is None:
            opening = line if line[1][0] == "~" or "`" not in line[2] else None
        elif line[1].startswith(opening[1]) and not line[2].strip():
            opening = None
    return opening


CHANGED_LINE = lazy_pattern(r"(?m)^[+-](?![+-]{2})[^\n]*\S")
DIFF_HEADER = lazy_pattern(r"(?m)^(?:@@ |diff |\+\+\+ )")


def says(answer: str, sentence: str) -> bool:
    """Whether an answer is a sentence and nothing else, whatever its case and the marks around it."""
    plain, wanted = (text.strip().strip("\"'`*.。").casefold() for text in (answer, sentence))
    return plain == wanted


def holds_changes(text: str) -> bool:
    """Whether a text is a diff in which lines changed."""
    return bool(DIFF_HEADER.search(text) and CHANGED_LINE.search(text))


_DELIMITER = r"(</?[a-z][a-z0-9_-]*)( [0-9a-f]{16}(?: [^<>\n]{1,1000})?)?>"
DELIMITER = lazy_pattern(rf"(?m)^[ \t]*{_DELIMITER}[ \t]*$")
DELIMITER_IN_ANSWER = lazy_pattern(rf"(?m:^[ \t]*(?=<[a-z])|(?=</[a-z])){_DELIMITER}")
RULE = 40
"""Characters from which a line of the prompt is one that nobody writes by chance."""
RULES_TOLD = 200


def prompt_echo_findings(answer: str, system: str, user: str, text: str) -> Iterator[Finding]:
    """Yield a delimiter or a rule of the prompt that is in the answer.

    `user` is the user message as it was sent, `text` what of it the prompt works on. Where no lines such as
    `<text 0123456789abcdef>` or `<text>` stand around the text, it is a conversation, and may speak of its
    rules: only much of them counts. A delimiter counts without its digits, too, unless the text has it so.
    """
    around = DELIMITER.findall(user.replace(text, "", 1))
    own = set(map("".join, DELIMITER.findall(text)))
    delimiters = {*map("".join, around), *(name for name, _ in around)} - own
    for match in DELIMITER_IN_ANSWER.finditer(answer):
        if {match[1], match[1] + (match[2] or "")} & delimiters:
            line = answer.count("\n", 0, match.start()) + 1
            message = f"delimiter of the prompt given back: {_quote(match[0].strip())}"
            yield Finding(line, "prompt", message)
            return
    answer_line, text_line = (" ".join(words.split()) for words in (answer, text))
    echoed = [rule for rule in _rule_lines(system) if rule in answer_line and rule not in text_line]
    if echoed and (delimiters or sum(map(len, echoed)) >= RULES_TOLD):
        yield Finding(1, "prompt", f"rules of the prompt given back: {_quote(echoed[0])}")


def _quote(text: str) -> str:
    return f"'{shorten(text, SHOWN)}'"


def _rule_lines(system: str) -> Iterator[str]:
    for line in system.splitlines():
        rule = " ".join(line.split()).lstrip("-*# ")
        if len(rule) >= (RULE if rule.isascii() else RULE // 3):
            yield rule
