"""The input of a question: its words, the paths of documents, and a document from standard input."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from gptkit.capabilities.documents.config import KEY, declared_paths, options_of
from gptkit.capabilities.documents.search import document_search
from gptkit.core.errors import NoInputError, UsageError
from gptkit.encodings.decode import decode
from gptkit.session.input import DASH, STDIN, PromptInput
from gptkit.session.options import is_url

if TYPE_CHECKING:
    from gptkit.services import Services
    from gptkit.session.call import Call
    from gptkit.session.options import SharedOptions
    from gptkit.templates.template import Value


def read_question(call: Call) -> PromptInput:
    """Return the question as the text, and the paths of all documents among the values.

    Standard input is a document if a dash stands for it, or if no path is given and it is piped in.
    """
    template, shared, services = call.template, call.shared, call.services
    values = {name: _clean(value, shared) for name, value in call.values.items()}
    question = str(values.pop("text", ""))
    paths = [*cast("tuple[str, ...]", values.get(KEY, ())), *shared.file]
    search = document_search(services, not shared.no_log)
    search.heed(shared.encoding, call.display.quiet)
    if question.strip() in ("", DASH) and any(one.name == "text" for one in template.arguments):
        raise NoInputError("no question", hint="the first word after the command is the question")
    if paths.count(DASH) > 1:
        raise UsageError("standard input can be read only once")
    has_others = paths or declared_paths(template) or options_of(values).index_
    if shared.stdin or DASH in paths or (not has_others and _is_piped(services)):
        data = services.terminal.read()
        if data.strip():
            search.add_text(STDIN, data)
        elif DASH in paths:
            raise NoInputError("no input: nothing in standard input")
    for url in filter(is_url, paths):
        from gptkit.session.web import fetch_page

        page = fetch_page(url, services.settings, services.terminal, call.display.quiet)
        search.add_text(page.url, page.data, page.path, shared.encoding or page.encoding)
    paths = [path for path in paths if path != DASH and not is_url(path)]
    values[KEY] = tuple(paths)
    return PromptInput(question, "", (), values)


def no_documents() -> NoInputError:
    return NoInputError(
        "no documents", hint="name files and folders after the question, or pipe a document in"
    )


def _is_piped(services: Services) -> bool:
    terminal = services.terminal
    if terminal.stdin_kind in ("terminal", "closed"):
        return False
    return terminal.wait_readable(services.settings.number("stdin_wait"))


def _clean(value: Value, shared: SharedOptions) -> Value:
    """Words as text: bytes that the locale could not decode are decoded as any other input. Paths stay."""
    if not isinstance(value, str):
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return decode(os.fsencode(value), "an argument", shared.encoding)
    return value
