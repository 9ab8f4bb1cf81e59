"""Finds the mail in an answer and gives it the form `Subject:` line, blank line, body."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_FENCE = re.compile(
    r"(?P<indent>[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*)(?P<marker>`{3,}|~{3,})[ \t]*(?P<info>[^\r\n]*?)\s*"
)
_SPAN = re.compile(r"(`+)(?!`)[ ]?(.+?)[ ]?(?<!`)\1")
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


class Block(NamedTuple):
    """A fenced block: the word after the opening fence, and the lines between the fences."""

    language: str
    content: str


def code(text: str) -> str | None:
    """The code that was asked for; None if the answer holds none.

    Of several blocks it is the longest: the others are commands that install or run it, or shorter
    variants. Without a fence the answer counts as code only if it plainly is nothing else.
    """
    found = [block.content for block in blocks(text) if block.content.strip()]
    if found:
        return max(found, key=lambda content: len(content.strip()))
    span = _SPAN.fullmatch(text.strip())
    if span and span[2].strip():
        return span[2]
    return text.strip("\r\n") if _is_code(text) else None


def blocks(text: str) -> list[Block]:
    """The fenced blocks in their order; one that is never closed reaches to the end.

    A fence with an info string inside a block of the same fence opens a nested one, as models write
    Markdown in Markdown; where that does not come out even, fences are read as CommonMark does.
    """
    lines = text.split("\n")
    nested = list(_blocks(lines, nesting=True))
    if all(closed for _, closed in nested):
        return [block for block, _ in nested]
    return [block for block, _ in _blocks(lines, nesting=False)]


def _blocks(lines: list[str], *, nesting: bool) -> Iterator[tuple[Block, bool]]:
    """Each block, and whether its fence was closed."""
    number = 0
    while number < len(lines):
        opening = _opening(lines[number])
        number += 1
        if opening is None:
            continue
        start, depth = number, 1
        while number < len(lines) and depth:
            fence = _FENCE.fullmatch(lines[number])
            if fence and _same_kind(opening, fence):
                depth += -1 if not fence["info"] else 1 if nesting else 0
            number += 1
        # An unclosed block ends before what follows the last newline.
        end = number - 1 if not depth or not lines[-1].strip() else number
        indent = _columns(opening["indent"])
        content = "\n".join(_without_indent(line, indent) for line in lines[start:end])
        yield Block(opening["info"].split(" ")[0], content), not depth


def _opening(line: str) -> re.Match[str] | None:
    fence = _FENCE.fullmatch(line)
    return None if fence and fence["marker"][0] == "`" and "`" in fence["info"] else fence


def _same_kind(opening: re.Match[str], fence: re.Match[str]) -> bool:
    """The fence can end the block: same character, long enough, not indented like its content."""
    deeper = _columns(fence["indent"]) - _columns(opening["indent"])
    plain = not fence["indent"].strip() and "`" not in fence["info"]
    return plain and fence["marker"].startswith(opening["marker"]) and deeper <= 3


def _without_indent(line: str, indent: int) -> str:
    blank = len(line) - len(line.lstrip(" "))
    return line[min(blank, indent) :]


def _columns(indent: str) -> int:
    return len(indent.expandtabs(4))


def _is_code(text: str) -> bool:
    """No sentence at either end, a first line that is code, and code signs in at least half of all."""
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
    plain = len(_PLAIN_WORD.findall(words))
    return plain >= 4 and 2 * plain >= len(words.split()) and words[0] not in "#/*-"


_SUBJECT = re.compile(
    r"[\s#>*_]*(?:subject|betreff|objet|asunto|oggetto|assunto|onderwerp|тема|主题|主題|主旨|件名|제목)"
    r"[\s*_]*[:：][\s*_]*(?P<subject>.*?)[\s*_]*",
    re.IGNORECASE,
)
_NO_BODY = re.compile(r"[\s*_#]*(?:(?:body|message)\s*:)?[\s*_]*|\s*-{3,}\s*", re.IGNORECASE)
_BEFORE = 5
"""Lines in which a model may greet before the subject line."""


def email(text: str) -> str | None:
    """The mail in its form, None if there is no subject or no body.

    It may stand in a fence, after an introduction, its subject in bold; labels in other languages
    become `Subject:`, which is what programs look for.
    """
    for candidate in (*(block.content for block in blocks(text)), text):
        if found := _mail(candidate):
            return found
    return None


def _mail(text: str) -> str | None:
    lines = [line.rstrip() for line in text.strip().split("\n")]
    for number, line in enumerate(lines[:_BEFORE]):
        if found := _SUBJECT.fullmatch(line):
            body = lines[number + 1 :]
            while body and _NO_BODY.fullmatch(body[0]):
                body.pop(0)
            return (
                "\n".join([f"Subject: {found['subject']}", "", *body]) if body and found["subject"] else None
            )
    return None
