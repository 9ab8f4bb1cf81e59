"""Finds the code or the e-mail in an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from gptkit.core.table import text_width

_FENCE = re.compile(
    r"(?P<indent>[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*)(?P<marker>`{3,}|~{3,})[ \t]*(?P<info>[^\r\n]*?)\s*"
)
_INLINE_CODE = re.compile(r"(`+)(?!`)[ ]?(.+?)[ ]?(?<!`)\1")
_SENTENCE = re.compile(r"""["'“‘«「(*_]*[^\W\d_].*[.!?:。！？：…]["'”’»」)*_]*""")
_QUOTED = re.compile(r"\"[^\"]*\"|(?<!\w)'[^']*'")
_PLAIN_WORD = re.compile(r"(?<!\S)[^\W\d_]+[,;:.!?]?(?!\S)")
_CODE_SIGN = re.compile(r"[{}\[\]=<>;|&$\\+@^~`#%]|\w\(|\w/\w|_\w|\s--?\w|^\s*(?:[#/*;%]|--|[\"']{3})")
_CODE_LINE = re.compile(
    r"""^(?:\s+\S|[\])}@#%$<]|//|/\*|--|["']{3})
    |^(?:import|from|def|class|func|fun|fn|package|use|using|module|namespace|const|let|var|val|public|private
      |protected|static|return|if|elif|else|for|foreach|while|with|try|except|catch|switch|case|match|do|done|fi
      |end|echo|export|set|local|function|struct|enum|interface|type|impl|trait|defmodule|require|include|print
      |SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|WITH|BEGIN|FROM|RUN|COPY|CMD|WORKDIR|ENTRYPOINT)\b(?!,)
    |[{};,\\(\[]\s*$|\w\(|\w\.\w+\(|[^\s=!<>]\s*(?:=|:=|==|=>|->|::|<-|\|\||&&)\s*\S|\s--?[a-zA-Z]|\s\|\s|\s>{1,2}\s?\S
    |^[\w.-]+:(?:\s|$)""",
    re.VERBOSE,
)


class FencedBlock(NamedTuple):
    """A fenced block: the first word after the opening fence, and the lines between the fences."""

    language: str
    content: str


def extract_code(text: str) -> str | None:
    """Find the requested code in an answer; None if there is none.

    Of several blocks the longest counts: the others are commands that install or run the code, or shorter
    variants. An answer without fences counts as code only if it clearly is nothing else.
    """
    candidates = [block.content for block in fenced_blocks(text) if block.content.strip()]
    if candidates:
        return max(candidates, key=lambda content: len(content.strip()))
    span = _INLINE_CODE.fullmatch(text.strip())
    if span and span[2].strip():
        return span[2]
    return text.strip("\r\n") if _is_code(text) else None


def first_block(text: str) -> str | None:
    """Return the content of the first fenced block that has any; None if there is none."""
    return next((block.content for block in fenced_blocks(text) if block.content.strip()), None)


def fenced_blocks(text: str) -> list[FencedBlock]:
    """Return the fenced blocks of a text in their order; a block without a closing fence reaches to the end.

    A fence with an info string inside a block opens a nested block, as models write Markdown in Markdown.
    If that leaves a block unclosed, fences are read as CommonMark says.
    """
    lines = text.split("\n")
    nested = list(_read_blocks(lines, nesting=True))
    if all(closed for _, closed in nested):
        return [block for block, _ in nested]
    return [block for block, _ in _read_blocks(lines, nesting=False)]


def has_open_fence(text: str) -> bool:
    """Whether the text opens a code fence that it never closes, however nested blocks are read."""
    lines = text.split("\n")
    return all(
        any(not closed for _, closed in _read_blocks(lines, nesting=nesting)) for nesting in (True, False)
    )


def _read_blocks(lines: list[str], *, nesting: bool) -> Iterator[tuple[FencedBlock, bool]]:
    """Yield each block, and whether its fence was closed."""
    number = 0
    while number < len(lines):
        opening = _opening_fence(lines[number])
        number += 1
        if opening is None:
            continue
        start, depth = number, 1
        while number < len(lines) and depth:
            fence = _FENCE.fullmatch(lines[number])
            if fence and _can_close(opening, fence):
                depth += -1 if not fence["info"] else 1 if nesting else 0
            number += 1
        # An unclosed block ends before what follows the last newline.
        end = number - 1 if not depth or not lines[-1].strip() else number
        indent = _indent_width(opening["indent"])
        content = "\n".join(_strip_indent(line, indent) for line in lines[start:end])
        yield FencedBlock(opening["info"].split(" ")[0], content), not depth


def _opening_fence(line: str) -> re.Match[str] | None:
    fence = _FENCE.fullmatch(line)
    return None if fence and fence["marker"][0] == "`" and "`" in fence["info"] else fence


def _can_close(opening: re.Match[str], fence: re.Match[str]) -> bool:
    """Whether a fence can close a block: same character, long enough, not indented like the content."""
    deeper = _indent_width(fence["indent"]) - _indent_width(opening["indent"])
    is_bare = not fence["indent"].strip() and "`" not in fence["info"]
    return is_bare and fence["marker"].startswith(opening["marker"]) and deeper <= 3


def _strip_indent(line: str, indent: int) -> str:
    blank = len(line) - len(line.lstrip(" "))
    return line[min(blank, indent) :]


def _indent_width(indent: str) -> int:
    return len(indent.expandtabs(4))


def _is_code(text: str) -> bool:
    """Whether the first and half of all lines are code, and neither first nor last is a sentence."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or _is_sentence(lines[0]) or _is_sentence(lines[-1]) or not _CODE_LINE.search(lines[0]):
        return False
    return 2 * sum(1 for line in lines if _CODE_LINE.search(line)) >= len(lines)


def _is_sentence(line: str) -> bool:
    words = _QUOTED.sub("", line.strip())
    if not _SENTENCE.fullmatch(words) or (words.endswith(":") and words[0].islower()):
        return False
    if not _CODE_SIGN.search(words):
        return " " in words or not words.isascii()
    plain_words = len(_PLAIN_WORD.findall(words))
    return plain_words >= 4 and 2 * plain_words >= len(words.split()) and words[0] not in "#/*-"


_SUBJECT = re.compile(
    r"[\s#>*_]*(?:subject|betreff|objet|asunto|oggetto|assunto|onderwerp|тема|主题|主題|主旨|件名|제목)"
    r"[\s*_]*[:：][\s*_]*(?P<subject>.*?)[\s*_]*",
    re.IGNORECASE,
)
_NO_BODY = re.compile(r"[\s*_#]*(?:(?:body|message)\s*:)?[\s*_]*|\s*-{3,}\s*", re.IGNORECASE)
_GREETING_LINES = 5
"""First lines of an answer in which the subject line is looked for."""


def extract_email(text: str) -> str | None:
    """Find the e-mail in an answer, as a `Subject:` line, a blank line and the body; None without both.

    The e-mail may stand in a fence or after an introduction, with the subject in bold. Labels in other
    languages become `Subject:`, which programs look for.
    """
    for candidate in (*(block.content for block in fenced_blocks(text)), text):
        if mail := _read_mail(candidate):
            return mail
    return None


def count_emails(text: str) -> int:
    """Count the subject lines that begin an e-mail: all but those within the body of one."""
    lines = ["" if _FENCE.fullmatch(line) else line.strip("- \t\r") for line in text.strip().split("\n")]
    first, *others = [number for number, line in enumerate(lines) if _SUBJECT.fullmatch(line)] or [-1]
    lines.append("")
    alone = [number for number in others if not lines[number - 1] and not lines[number + 1]]
    return (first >= 0) + sum(number > first + 2 for number in alone) + (first + 1 in others)


def _read_mail(text: str) -> str | None:
    lines = [line.rstrip() for line in text.strip().split("\n")]
    for number, line in enumerate(lines[:_GREETING_LINES]):
        if match := _SUBJECT.fullmatch(line):
            body = lines[number + 1 :]
            while body and _NO_BODY.fullmatch(body[0]):
                body.pop(0)
            return (
                "\n".join([f"Subject: {match['subject']}", "", *body]) if body and match["subject"] else None
            )
    return None


SUBJECT_WIDTH = 72
"""Columns of the subject line of a commit message, as far as tools of git show it whole."""
_ANNOUNCED = re.compile(r".*[:：]")


def extract_commit(text: str) -> str:
    """Return the commit message of an answer, which may stand in a fence; its lines end without spaces."""
    blocks = [block.content for block in fenced_blocks(text) if block.content.strip()]
    lines = text.strip().split("\n")
    is_fenced = len(blocks) == 1 and (_opening_fence(lines[0]) or _ANNOUNCED.fullmatch(lines[0].strip()))
    message = blocks[0] if is_fenced else text
    return "\n".join(line.rstrip() for line in message.strip().split("\n"))


def commit_problem(message: str) -> str | None:
    """Say what makes a text no commit message: a subject line, alone or with a blank line and a body."""
    subject, *rest = message.split("\n")
    if not subject:
        return "it must be a commit message"
    if subject.startswith(("#", "```")):
        return f"its subject line must not begin with '{subject[:1]}'"
    if (width := text_width(subject)) > SUBJECT_WIDTH:
        return f"its subject line must have at most {SUBJECT_WIDTH} columns, not {width}"
    if _ANNOUNCED.fullmatch(subject):
        return "its first line must be the subject, which does not end with a colon"
    if rest and rest[0]:
        return "a blank line must stand between subject and body"
    return None
