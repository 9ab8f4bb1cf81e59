"""What a long job is made of: the format of the input, the glossary, the memory, the workers."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from gptkit.core.chat import STREAM_OPTIONS
from gptkit.core.errors import ConfigurationError, DataError, UsageError
from gptkit.core.yaml_tree import spelling_hint
from gptkit.encodings.stream import split_lines
from gptkit.exchange.invocation import Invocation, RetryPolicy, Runtime
from gptkit.jobs.consent import price_factor
from gptkit.jobs.job import Job, Memory
from gptkit.jobs.memory.store import memory_of
from gptkit.jobs.options import Languages, options_of
from gptkit.session.conversation import Conversation
from gptkit.session.input import LongText, read_text_file
from gptkit.templates.template import Template, Value
from gptkit.text.formats import FORMATS, detect_format, format_named, unsupported_format
from gptkit.text.pieces import Format, Piece

if TYPE_CHECKING:
    from gptkit.services import Services
    from gptkit.session.options import SharedOptions
    from gptkit.text.glossary import Glossary


HEAD = 4096
READ_WHOLE = 64 << 10
"""Bytes of a file in a folder that are read at once."""
SWITCH = 0.001
"""Seconds after which a thread that takes a text apart lets others send and receive."""
WAIT = 900.0
"""Seconds that a piece may wait for a server between its tries, all together."""


class Source(NamedTuple):
    """A document to be worked on: its lines as they come, and its size in bytes if that is known."""

    name: str
    format: Format
    lines: Iterator[str]
    size: int | None
    is_marked: bool = False
    """Whether it begins with a byte order mark, which its lines do not have and its result does."""


def opened(
    text: LongText, values: Mapping[str, Value], languages: Languages, *, is_file: bool, is_map: bool
) -> Source:
    """Open a document. Raises DataError where the result of `is_map`, which has the format of the document,
    would be damaged because gptkit does not support that format."""
    head = ""
    texts = text.texts
    while len(head) < HEAD and (more := next(texts, "")):
        head += more
    if is_map and not options_of(values).as_:
        check_format(text.name, head[:HEAD], is_file)
    format_ = _for_languages(_format(values, text.name if is_file else None, head[:HEAD]), languages)
    return Source(text.name, format_, split_lines(chain([head], texts)), text.size, text.is_marked)


def check_format(name: str, head: str, is_file: bool) -> None:
    """Raise DataError for a document in a known format that is not supported."""
    if title := unsupported_format(name if is_file else None, head):
        raise DataError(
            f"'{name}': {title}, which is not supported",
            hint="--as text works on the whole file as plain text, syntax and all",
        )


def job(
    services: Services, invocation: Invocation, document: Format, keeping: bool, languages: Languages
) -> Job:
    options = options_of(invocation.values)
    memory: Memory | None = None
    if keeping and options.memory:
        with suppress(ConfigurationError):  # a user without a home has no place for one
            memory = memory_of(services)
    return Job(
        invocation=_counted(invocation)._replace(values=own_values(invocation)),
        format=document,
        memory=memory,
        glossary=_glossary(options.glossary, languages.target),
        workers=options.jobs or services.settings.integer("jobs"),
        fresh=options.fresh,
        share=price_factor(options),
        languages=languages,
    )


def pieces_of(document: Source, most: int) -> Iterator[Piece]:
    """Raises DataError, with the name of the document, where it breaks the rules of its format."""
    try:
        yield from document.format.pieces(document.lines, most)
    except DataError as error:
        if error.message.startswith(f"{document.format.name}, line"):
            raise DataError(f"'{document.name}': {error.message}", hint=error.hint) from None
        raise


def working(services: Services, template: Template, shared: SharedOptions, *, is_map: bool) -> Conversation:
    """What a job of many requests is done with, in a process that is now ready for many threads.

    Its --max-tokens is a cap on all answers together: with each request it would be a part of what
    pieces are found again by.
    """
    made = Conversation(services, template, shared._replace(max_tokens=None))
    made.budget.max_answer_tokens = shared.max_tokens
    made.budget.answers_match_texts = is_map
    gc.freeze()
    gc.enable()  # a run over a single exchange leaves less than it costs to collect
    sys.setswitchinterval(SWITCH)
    return made


def patient_means(services: Services, conversation: Conversation, invocation: Invocation) -> Runtime:
    form = services.format(invocation.template)
    verbose = conversation.display.verbose
    runtime = services.runtime(form, invocation.model, conversation.budget, verbose, patient=True)
    policy = RetryPolicy(runtime.policy.attempts, max(runtime.policy.wait, WAIT))
    return runtime._replace(policy=policy, warn=conversation.warn, accepts=conversation.shared.accept)


def _counted(invocation: Invocation) -> Invocation:
    """The invocation whose streamed answers say what they used, where the server can tell."""
    if not invocation.stream or STREAM_OPTIONS in invocation.template.parameters:
        return invocation
    return invocation._replace(
        parameters={STREAM_OPTIONS: {"include_usage": True}, **invocation.parameters},
        droppable=invocation.droppable | {STREAM_OPTIONS},
    )


def own_values(invocation: Invocation) -> Mapping[str, Value]:
    """The values of the template's own options: what an answer depends on."""
    names = {parameter.variable for parameter in invocation.template.declared_parameters}
    return {name: value for name, value in invocation.values.items() if name in names}


def _format(values: Mapping[str, Value], name: str | None, head: str) -> Format:
    options = options_of(values)
    word = options.as_
    if word:
        found = format_named(word.lower().lstrip("."))
        if found is None:
            raise UsageError(
                f"--as: unknown format '{word}'", hint=spelling_hint(word, [one.name for one in FORMATS])
            )
    else:
        found = detect_format(name, head)
    if options.keys:
        with_keys = getattr(found, "with_keys", None)
        if with_keys is None:
            raise UsageError(f"--keys needs JSON, YAML or Markdown, and the input is {found.name}")
        found = with_keys(options.keys)
    return found


def _for_languages(found: Format, languages: Languages) -> Format:
    """The format, told of the languages where what it writes depends on them."""
    for_language = getattr(found, "for_language", None)
    if for_language is None:
        return found
    from gptkit.jobs.memory.entries import language_tag

    target, source = language_tag(languages.target), language_tag(languages.source)
    told: Format = for_language(target, source or "en")
    return told


def _glossary(path: str, language: str) -> Glossary | None:
    if not path:
        return None
    from gptkit.text.glossary import parse_glossary

    name, text = read_text_file(path)
    return parse_glossary(text, language, name)
