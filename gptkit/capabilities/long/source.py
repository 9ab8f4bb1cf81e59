"""Find the document in an input, unless one exchange is enough for the input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptkit.capabilities.long.config import languages, long_mode, piece_tokens
from gptkit.core.errors import UsageError
from gptkit.core.tokens import estimate_tokens
from gptkit.jobs.options import options_of
from gptkit.jobs.setup import HEAD_LENGTH, Document, check_format, open_document
from gptkit.session.input import LongText
from gptkit.text.formats import plain_text

if TYPE_CHECKING:
    from gptkit.services import Services
    from gptkit.session.input import PromptInput
    from gptkit.templates.template import Template
    from gptkit.text.pieces import Format

SINGLE_EXCHANGE_PIECES = 5 / 3
"""The most pieces of prose that still make one exchange, whose answer is shown while it arrives."""
PROSE_FORMATS = ("text", "markdown")
"""Formats in which a short text may be one exchange; other formats have a structure that must be kept."""


def find_document(
    services: Services,
    template: Template,
    prompt_input: PromptInput,
    model: str,
    *,
    is_proved: bool,
    is_file: bool,
) -> Document | None:
    """Return the document in an input; None if one exchange is enough for the input.

    `is_proved` says that the answer is to be compared with the text, `is_file` that the text has the name of
    a file, whose ending tells the format.
    """
    text = prompt_input.long or _text_read_whole(prompt_input, is_proved)
    if text is None:
        return None
    is_map = long_mode(template) == "map"
    text_languages = languages(template, prompt_input.values)
    document = open_document(text, prompt_input.values, text_languages, is_file=is_file, is_map=is_map)
    if is_file and len(prompt_input.files) > 1:
        document = document._replace(format=_format_of_joined(document.format, template, prompt_input))
    if (
        prompt_input.long is None
        and not is_proved
        and document.format.name in PROSE_FORMATS
        and (tokens := estimate_tokens(prompt_input.text)) <= SINGLE_EXCHANGE_PIECES * piece_tokens(template)
        and _fits(services, model, tokens)
    ):
        return None
    return document


def _format_of_joined(format_: Format, template: Template, prompt_input: PromptInput) -> Format:
    """Return the format of several files read as one text; raises UsageError if they cannot be joined.

    Prose continues in the next file. Any other format has a structure for each file, which `map` has to keep.
    """
    if long_mode(template) == "map" and not options_of(prompt_input.values).as_:
        for name, text in prompt_input.files[1:]:
            check_format(name, text[:HEAD_LENGTH], is_file=True)
    if format_.name in PROSE_FORMATS:
        return format_
    if long_mode(template) == "reduce":
        return plain_text()
    first, second = (name for name, _ in prompt_input.files[:2])
    raise UsageError(
        f"'{first}' and '{second}' cannot be joined into one {format_.name} input",
        hint="--output-dir FOLDER works on each file by itself",
    )


def _fits(services: Services, model: str, tokens: int) -> bool:
    """Whether the model's window holds this number of tokens, and an answer of the same length."""
    window = services.context_window(model, 2 * tokens)
    return window is None or 2 * tokens <= window


def _text_read_whole(prompt_input: PromptInput, takes_words: bool) -> LongText | None:
    """Return the text of an input that was read whole; the words of the command line only if
    `takes_words`."""
    is_words = prompt_input.files[:1] == (("words", prompt_input.text),)
    if not prompt_input.text or (is_words and not takes_words):
        return None
    text = prompt_input.text + "\n" * is_words  # a line, as standard input would bring it
    name = prompt_input.files[0][0] if prompt_input.files else ""
    return LongText(name, len(text.encode("utf-8", "replace")), iter([text]), prompt_input.is_marked)
