"""Set up a long job: open the document, find its format, read the glossary, open the memory."""

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
from gptkit.jobs.server_record import ServerRecord
from gptkit.session.conversation import Conversation
from gptkit.session.input import LongText, read_text_file
from gptkit.templates.template import Template, Value
from gptkit.text.formats import FORMATS, detect_format, format_named, unsupported_format
from gptkit.text.pieces import Format, Piece

if TYPE_CHECKING:
    from gptkit.services import Services
    from gptkit.session.options import SharedOptions
    from gptkit.text.glossary import Glossary


HEAD_LENGTH = 4096
READ_WHOLE = 64 << 10
"""Bytes of a file in a folder up to which the file is read at once."""
SWITCH_INTERVAL = 0.001
"""Seconds after which a thread that splits a text lets other threads send and receive."""
PIECE_WAIT = 900.0
"""Seconds that all pauses between the tries of a piece may take together."""


class Document(NamedTuple):
    """A document: its lines, read on demand, and its size in bytes, None if not known."""

    name: str
    format: Format
    lines: Iterator[str]
    size: int | None
    is_marked: bool = False
    """Whether it begins with a byte order mark, which its lines do not have and its result does."""


def open_document(
    text: LongText, values: Mapping[str, Value], languages: Languages, *, is_file: bool, is_map: bool
) -> Document:
    """Open a document and find its format.

    Raises DataError for a known format that is not supported if `is_map`, since the result must keep the
    format.
    """
    head = ""
    texts = text.texts
    while len(head) < HEAD_LENGTH and (more := next(texts, "")):
        head += more
    if is_map and not options_of(values).as_:
        check_format(text.name, head[:HEAD_LENGTH], is_file)
    format_ = _for_languages(
        _document_format(values, text.name if is_file else None, head[:HEAD_LENGTH]), languages
    )
    return Document(text.name, format_, split_lines(chain([head], texts)), text.size, text.is_marked)


def check_format(name: str, head: str, is_file: bool) -> None:
    """Raise DataError for a document in a known format that is not supported."""
    if title := unsupported_format(name if is_file else None, head):
        raise DataError(
            f"'{name}': {title}, which is not supported",
            hint="--as text works on the whole file as plain text, syntax and all",
        )


def make_job(
    services: Services, invocation: Invocation, document: Format, is_kept: bool, languages: Languages
) -> Job:
    options = options_of(invocation.values)
    memory: Memory | None = None
    if is_kept and options.memory:
        with suppress(ConfigurationError):  # a user without a home has no place for one
            memory = memory_of(services)
    return Job(
        invocation=_with_usage(invocation)._replace(values=template_values(invocation)),
        format=document,
        memory=memory,
        glossary=_load_glossary(options.glossary, languages.target),
        workers=options.jobs or services.settings.integer("jobs"),
        fresh=options.fresh,
        price_factor=price_factor(options),
        languages=languages,
        server=ServerRecord(),
    )


def split_document(document: Document, token_limit: int) -> Iterator[Piece]:
    """Yield the pieces of a document; raises DataError with its name if it breaks the rules of its format."""
    try:
        yield from document.format.pieces(document.lines, token_limit)
    except DataError as error:
        if error.message.startswith(f"{document.format.name}, line"):
            raise DataError(f"'{document.name}': {error.message}", hint=error.hint) from None
        raise


def begin_conversation(
    services: Services, template: Template, shared: SharedOptions, *, is_map: bool
) -> Conversation:
    """Make the conversation of a job with many requests, and prepare the process for many threads.

    --max-tokens limits all answers together. It is not sent with the requests, where it would become part of
    the memory's keys.
    """
    conversation = Conversation(services, template, shared._replace(max_tokens=None))
    conversation.budget.max_answer_tokens = shared.max_tokens
    conversation.budget.answers_match_texts = is_map
    gc.freeze()
    gc.enable()  # a run over a single exchange leaves less than it costs to collect
    sys.setswitchinterval(SWITCH_INTERVAL)
    return conversation


def patient_runtime(services: Services, conversation: Conversation, invocation: Invocation) -> Runtime:
    format_ = services.format(invocation.template)
    verbose = conversation.display.verbose
    runtime = services.runtime(format_, invocation.model, conversation.budget, verbose, patient=True)
    policy = RetryPolicy(runtime.policy.attempts, max(runtime.policy.wait, PIECE_WAIT))
    return runtime._replace(policy=policy, warn=conversation.warn, accepts=conversation.shared.accept)


def _with_usage(invocation: Invocation) -> Invocation:
    """Ask for the token counts of streamed answers, if the server can tell them."""
    if not invocation.stream or STREAM_OPTIONS in invocation.template.parameters:
        return invocation
    return invocation._replace(
        parameters={STREAM_OPTIONS: {"include_usage": True}, **invocation.parameters},
        droppable=invocation.droppable | {STREAM_OPTIONS},
    )


def template_values(invocation: Invocation) -> Mapping[str, Value]:
    """Return the values of the template's own options, on which an answer depends."""
    names = {parameter.variable for parameter in invocation.template.declared_parameters}
    return {name: value for name, value in invocation.values.items() if name in names}


def _document_format(values: Mapping[str, Value], name: str | None, head: str) -> Format:
    options = options_of(values)
    format_name = options.as_
    if format_name:
        format_ = format_named(format_name.lower().lstrip("."))
        if format_ is None:
            raise UsageError(
                f"--as: unknown format '{format_name}'",
                hint=spelling_hint(format_name, [known.name for known in FORMATS]),
            )
    else:
        format_ = detect_format(name, head)
    if options.keys:
        with_keys = getattr(format_, "with_keys", None)
        if with_keys is None:
            raise UsageError(f"--keys needs JSON, YAML or Markdown, and the input is {format_.name}")
        format_ = with_keys(options.keys)
    return format_


def _for_languages(format_: Format, languages: Languages) -> Format:
    """Return the format for these languages, if what it writes depends on them."""
    for_language = getattr(format_, "for_language", None)
    if for_language is None:
        return format_
    from gptkit.jobs.memory.entries import language_tag

    target, source = language_tag(languages.target), language_tag(languages.source)
    format_for_languages: Format = for_language(target, source or "en")
    return format_for_languages


def _load_glossary(path: str, language: str) -> Glossary | None:
    if not path:
        return None
    from gptkit.text.glossary import parse_glossary

    name, text = read_text_file(path)
    return parse_glossary(text, language, name)
