"""The header of a gettext catalog, made that of the language into which the catalog is translated."""

from __future__ import annotations

import re

from gptkit.documents.formats.catalog import Entry, encoded
from gptkit.documents.formats.plural_rules import language_of, locale_of, rule_of
from gptkit.documents.formats.plurals import RULE

LANGUAGE = re.compile(r"^Language:[ \t]*(.*)$", re.MULTILINE | re.IGNORECASE)
PLURALS = re.compile(r"^Plural-Forms:.*$", re.MULTILINE | re.IGNORECASE)
CHARSET = re.compile(r"(?<=charset=)CHARSET\b")
TWO = 2  # forms of a catalog that was begun without a thought of its language
NEW = "MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n"


def translated_header(text: str, language: str, source: str) -> str:
    """The header's text with the language and its plural rule.

    What a header says of its own stays: the rule of the target language, of as many forms as that has, or of
    a third language. A rule is the source's where there is no other language to it.

    Args:
        language: the tag of the language into which, and `source` of that from which, is translated.
    """
    rule = rule_of(language)
    if rule is None:
        return text
    named = LANGUAGE.search(text)
    name = language_of(named[1]) if named else ""
    stated = RULE.search(text)
    is_target, is_source = name == language_of(language), not name or name == language_of(source)
    if not (is_target or is_source) or (stated and (is_target or int(stated[1]) == rule[0])):
        return text
    if stated and not name and int(stated[1]) != (rule_of(source) or (TWO,))[0]:
        return text
    if not is_target:
        text = _with_line(text, LANGUAGE, f"Language: {locale_of(language)}")
    plurals = f"Plural-Forms: nplurals={rule[0]}; plural={_bracketed(rule[1])};"
    return CHARSET.sub("UTF-8", _with_line(text, PLURALS, plurals))


def new_header(language: str, source: str) -> str:
    """The text of a header for a catalog that has none; empty where there is nothing to say in it."""
    text = translated_header(NEW, language, source)
    return "" if text == NEW else text


def header_entry(text: str, end: str) -> str:
    return f'msgid ""{end}{encoded("msgstr", text, end, wraps=True)}{end}'


def with_header(entry: Entry, text: str, *, wraps: bool) -> str:
    """The source of the entry that is the header, with another text."""
    field = entry.forms[-1]
    end = "\r\n" if "\r\n" in entry.source else "\n"
    new = encoded("msgstr", text, end, wraps=wraps)
    literal = entry.source[field.start : field.end]
    return (
        entry.source[: field.start]
        + (new if literal.endswith(("\n", "\r")) else new.removesuffix(end))
        + entry.source[field.end :]
    )


def _with_line(text: str, pattern: re.Pattern[str], line: str) -> str:
    if pattern.search(text):
        return pattern.sub(lambda _: line, text, count=1)
    return text + ("\n" if text and not text.endswith("\n") else "") + line + "\n"


def _bracketed(rule: str) -> str:
    return rule if rule.isdigit() else f"({rule})"
