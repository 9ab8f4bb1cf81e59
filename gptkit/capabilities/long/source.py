"""The document in an input, and whether one exchange is enough for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gptkit.capabilities.long.config import languages, long_mode, piece_tokens
from gptkit.core.errors import UsageError
from gptkit.core.tokens import estimate_tokens
from gptkit.jobs.options import options_of
from gptkit.jobs.setup import HEAD, Source, check_format, opened
from gptkit.session.input import LongText
from gptkit.text.formats import plain_text

if TYPE_CHECKING:
    from gptkit.services import Services
    from gptkit.session.input import Given
    from gptkit.templates.template import Template
    from gptkit.text.pieces import Format

AT_ONCE = 5 / 3
"""Pieces of prose that are still one exchange, whose answer is shown while it arrives."""
PROSE_FORMATS = ("text", "markdown")
"""Formats of which a short text may as well be answered in one piece."""


class Wish(NamedTuple):
    """What is to be done with a text that one exchange could hold.

    Attributes:
        is_proved: the answer is to be compared with the text.
        is_file: the text's name is that of a file, whose ending tells the format.
    """

    is_proved: bool
    is_file: bool


def source(services: Services, template: Template, given: Given, model: str, wish: Wish) -> Source | None:
    """The document in an input that takes more than one exchange; None for one that does not."""
    text = given.long or _held(given, wish.is_proved)
    if text is None:
        return None
    is_map = long_mode(template) == "map"
    spoken = languages(template, given.values)
    found = opened(text, given.values, spoken, is_file=wish.is_file, is_map=is_map)
    if wish.is_file and len(given.files) > 1:
        found = found._replace(format=_joined(found.format, template, given))
    if (
        given.long is None
        and not wish.is_proved
        and found.format.name in PROSE_FORMATS
        and (tokens := estimate_tokens(given.text)) <= AT_ONCE * piece_tokens(template)
        and _fits(services, model, tokens)
    ):
        return None
    return found


def _joined(format_: Format, template: Template, given: Given) -> Format:
    """Of several files as one text. Prose goes on in the next file; what keeps the structure of any other
    format has to have them one by one."""
    if long_mode(template) == "map" and not options_of(given.values).as_:
        for name, text in given.files[1:]:
            check_format(name, text[:HEAD], is_file=True)
    if format_.name in PROSE_FORMATS:
        return format_
    if long_mode(template) == "reduce":
        return plain_text()
    first, second = (name for name, _ in given.files[:2])
    raise UsageError(
        f"'{first}' and '{second}' cannot be joined into one {format_.name} input",
        hint="--output-dir FOLDER works on each file by itself",
    )


def _fits(services: Services, model: str, tokens: int) -> bool:
    """Whether the model's window holds so many and an answer of that length."""
    window = services.context_window(model, 2 * tokens)
    return window is None or 2 * tokens <= window


def _held(given: Given, wanted: bool) -> LongText | None:
    """A text that was read whole; words of the command line are one only where that is `wanted`."""
    words = given.files[:1] == (("words", given.text),)
    if not given.text or (words and not wanted):
        return None
    text = given.text + "\n" * words  # a line, as standard input would bring it
    name = given.files[0][0] if given.files else ""
    return LongText(name, len(text.encode("utf-8", "replace")), iter([text]))
