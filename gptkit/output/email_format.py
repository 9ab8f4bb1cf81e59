"""Finds the mail in an answer and gives it the form `Subject:` line, blank line, body."""

from __future__ import annotations

import re

from gptkit.output.code_blocks import blocks

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
