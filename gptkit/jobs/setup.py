"""What a long job is made of: the format of the input, the glossary, the memory, the workers."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from gptkit.capabilities.long.config import long_mode, piece_tokens
from gptkit.core.errors import BadConfiguration, DataFault, UsageFault
from gptkit.core.tokens import estimate
from gptkit.core.yaml_tree import nearest
from gptkit.documents.stream import lines
from gptkit.exchange.invocation import Invocation, Means, Policy
from gptkit.jobs.consent import share_of_price
from gptkit.jobs.job import Job, Memory
from gptkit.session.conversation import Conversation
from gptkit.session.input import Given, LongText, content
from gptkit.templates.template import Template, Value
from gptkit.text.formats import FORMATS, format_named, format_of
from gptkit.text.glossary import Glossary
from gptkit.text.pieces import Format, Piece

if TYPE_CHECKING:
    from gptkit.services import Services
    from gptkit.session.options import SharedOptions


AT_ONCE = 5 / 3
"""Pieces of prose that are still one exchange, whose answer is shown while it arrives."""
HEAD = 4096
READ_WHOLE = 64 << 10
"""Bytes of a file in a folder that are read at once."""
SWITCH = 0.001
"""Seconds after which a thread that takes a text apart lets others send and receive."""
WAIT = 900.0
"""Seconds that a piece may wait for a server between its tries, all together."""
PROSE = ("text", "markdown")
"""Formats of which a short text may as well be answered in one piece."""


class Source(NamedTuple):
    """A document to be worked on: its lines as they come, and its size in bytes if that is known."""

    name: str
    format: Format
    lines: Iterator[str]
    size: int | None


class Wish(NamedTuple):
    """What is to be done with a text that one exchange could hold.

    Attributes:
        in_pieces: options say that even words of the command line are worked on in pieces.
        proved: the answer is to be compared with the text.
        is_file: the text's name is that of a file, whose ending tells the format.
    """

    in_pieces: bool
    proved: bool
    is_file: bool


def source(services: Services, template: Template, given: Given, model: str, wish: Wish) -> Source | None:
    """The document in an input that takes more than one exchange; None for one that does not."""
    text = given.long or _held(given, wish.in_pieces)
    if text is None:
        return None
    found = opened(text, given.values, wish.is_file)
    if wish.is_file and len(given.files) > 1:
        found = found._replace(format=_joined(found.format, template, given))
    if (
        given.long is None
        and not wish.proved
        and found.format.name in PROSE
        and (tokens := estimate(given.text)) <= AT_ONCE * piece_tokens(template)
        and _fits(services, model, tokens)
    ):
        return None
    return found


def _joined(format_: Format, template: Template, given: Given) -> Format:
    """Of several files as one text. Prose goes on in the next file; what keeps the structure of any other
    format has to have them one by one."""
    if format_.name in PROSE:
        return format_
    if long_mode(template) == "reduce":
        return FORMATS[-1]
    first, second = (name for name, _ in given.files[:2])
    raise UsageFault(
        f"'{first}' and '{second}' cannot be joined: {format_.name}",
        hint="--output-dir works on several files one by one",
    )


def _fits(services: Services, model: str, tokens: int) -> bool:
    """Whether the model's window holds so many and an answer of that length."""
    window = services.window(model, 2 * tokens)
    return window is None or 2 * tokens <= window


def opened(text: LongText, options: Mapping[str, Value], is_file: bool) -> Source:
    head = ""
    texts = text.texts
    while len(head) < HEAD and (more := next(texts, "")):
        head += more
    format_ = _format(options, text.name if is_file else None, head[:HEAD])
    return Source(text.name, format_, lines(chain([head], texts)), text.size)


def job(services: Services, invocation: Invocation, document: Format, keeping: bool) -> Job:
    options = invocation.values
    memory: Memory | None = None
    if keeping and options.get("memory") is not False:
        with suppress(BadConfiguration):  # a user without a home has no place for one
            memory = services.memory
    workers = options.get("jobs")
    return Job(
        invocation=invocation._replace(values=own_values(invocation)),
        format=document,
        memory=memory,
        glossary=_glossary(options),
        workers=workers if isinstance(workers, int) else services.settings.integer("jobs"),
        fresh=bool(options.get("fresh")),
        share=share_of_price(options),
    )


def pieces_of(document: Source, most: int) -> Iterator[Piece]:
    """Raises DataFault, with the name of the document, where it breaks the rules of its format."""
    try:
        yield from document.format.pieces(document.lines, most)
    except DataFault as error:
        if error.message.startswith(f"{document.format.name}, line"):
            raise DataFault(f"'{document.name}': {error.message}", hint=error.hint) from None
        raise


def working(services: Services, template: Template, shared: SharedOptions) -> Conversation:
    """What a job of many requests is done with, in a process that is now ready for many threads.

    Its --max-tokens is a cap on all answers together: with each request it would be a part of what
    pieces are found again by.
    """
    gc.freeze()
    gc.enable()  # a run over a single exchange leaves less than it costs to collect
    sys.setswitchinterval(SWITCH)
    made = Conversation(services, template, shared._replace(max_tokens=None))
    made.budget.tokens = shared.max_tokens
    made.budget.as_long = long_mode(template) == "map"
    return made


def patient_means(services: Services, conversation: Conversation, invocation: Invocation) -> Means:
    form = services.format(invocation.template)
    verbose = conversation.how.verbose
    means = services.means(form, invocation.model, conversation.budget, verbose, patient=True)
    return means._replace(policy=Policy(means.policy.attempts, max(means.policy.wait, WAIT)))


def own_values(invocation: Invocation) -> Mapping[str, Value]:
    """The values of the template's own options: what an answer depends on."""
    names = {parameter.variable for parameter in invocation.template.declared}
    return {name: value for name, value in invocation.values.items() if name in names}


def _held(given: Given, wanted: bool) -> LongText | None:
    """A text that was read whole; words of the command line are one only where that is `wanted`."""
    words = given.files[:1] == (("words", given.text),)
    if not given.text or (words and not wanted):
        return None
    text = given.text + "\n" * words  # a line, as standard input would bring it
    name = given.files[0][0] if given.files else ""
    return LongText(name, len(text.encode("utf-8", "replace")), iter([text]))


def _format(options: Mapping[str, Value], name: str | None, head: str) -> Format:
    word = str(options.get("as") or "")
    if word:
        found = format_named(word.lower().lstrip(".")) or _by_ending(word)
        if found is None:
            raise UsageFault(
                f"--as: '{word}' is no format", hint=nearest(word, [one.name for one in FORMATS])
            )
    else:
        found = format_of(name, head)
    keys = options.get("keys")
    if isinstance(keys, tuple) and keys:
        with_keys = getattr(found, "with_keys", None)
        if with_keys is None:
            raise UsageFault(f"--keys is for JSON and YAML, and this is {found.name}")
        found = with_keys(keys)
    return _for_language(found, options)


def _for_language(found: Format, options: Mapping[str, Value]) -> Format:
    """The format, told of the languages where what it writes depends on them."""
    for_language = getattr(found, "for_language", None)
    if for_language is None:
        return found
    from gptkit.jobs.memory.entries import tag

    language, source = (tag(str(options.get(name) or "")) for name in ("to", "from"))
    told: Format = for_language(language, source or "en")
    return told


def _by_ending(word: str) -> Format | None:
    ending = "." + word.lower().lstrip(".")
    return next((one for one in FORMATS if ending in one.endings), None)


def _glossary(options: Mapping[str, Value]) -> Glossary | None:
    path = options.get("glossary")
    if not path:
        return None
    from gptkit.text.glossary import glossary_of

    name, text = content(str(path))
    return glossary_of(text, str(options.get("to") or ""), name)
