"""`--retrieve-only`: the best passages for a question, without a request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gptkit.capabilities.documents.config import config_of, options_of
from gptkit.capabilities.documents.input import no_documents
from gptkit.capabilities.documents.search import Wish, document_search
from gptkit.core.errors import NotFoundError
from gptkit.readers import citation
from gptkit.session import answer

if TYPE_CHECKING:
    from gptkit.capabilities.documents.retrieve import FoundPassage
    from gptkit.session.call import Call


def print_passages(call: Call) -> int:
    """Print the best passages with their places; returns the exit code."""
    prompt_input, terminal = call.read_input(), call.services.terminal
    search = document_search(call.services, not call.shared.no_log)
    wish = Wish(((prompt_input.text, 1.0),), call.template, prompt_input.values, call.model, ranked_only=True)
    if not search.has_documents(wish):
        raise no_documents()
    most = options_of(prompt_input.values).passages or config_of(call.template).passages
    passages = search.find(wish).ranked[:most]
    if call.display.as_json:
        text = json.dumps([passage_json(one) for one in passages], ensure_ascii=False, indent=2)
    else:
        text = "\n\n".join(_block(one) for one in passages)
    if call.display.output is not None:
        answer.write_answer(terminal, call.display.output, text + "\n")
    elif passages or call.display.as_json:
        terminal.print_sanitized(text)
    if not passages:
        terminal.report(NotFoundError("not in the documents"), as_json=call.display.as_json)
        return NotFoundError.code
    return 0


def passage_json(one: FoundPassage) -> dict[str, object]:
    """A passage for programs."""
    place = one.passage.place()
    return {
        "file": one.name,
        "place": citation(one.name, place),
        "kind": place.kind,
        "start": place.start,
        "end": place.end,
        "label": place.label,
        "heading": one.passage.heading,
        "score": round(one.score, 4),
        "text": one.passage.text,
    }


def _block(one: FoundPassage) -> str:
    heading = one.passage.heading.partition(" / ")[2]
    head = citation(one.name, one.passage.place()) + (f"  {heading}" if heading else "")
    return f"{head}\n{one.passage.text.strip()}"
