"""Answers a question from passages: the request, the answer as it is proved, and what is shown of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from gptkit.capabilities.documents.config import KEY, config_of, option_text, options_of
from gptkit.capabilities.documents.contract import SCHEMA, AnswerReader, request_of
from gptkit.capabilities.documents.input import no_documents
from gptkit.capabilities.documents.judge import Judge
from gptkit.capabilities.documents.proof import Citation, JudgedStatement, Proof, RejectedQuote, nearest_text
from gptkit.capabilities.documents.retrieve import Retrieved
from gptkit.capabilities.documents.search import DocumentSearch, Wish
from gptkit.capabilities.documents.statements import names_of, numbers_of, statement, statement_end
from gptkit.capabilities.documents.words import question_words
from gptkit.core.chat import AnswerDelta, Finished, Reply
from gptkit.core.errors import GptkitError, IncompleteError, NotFoundError
from gptkit.core.excerpt import shorten
from gptkit.exchange.ask import ask, request_answer
from gptkit.exchange.invocation import Invocation, Outcome, Runtime, build_request, render_messages
from gptkit.readers import citation
from gptkit.session.input import STDIN

if TYPE_CHECKING:
    from gptkit.core.chat import Event, Sink

RETRIEVED = "retrieved"
"""Where `prepare` leaves the passages for `run`."""
NOT_FOUND = "The documents do not answer this question."
UNPROVED_MARK = "[?]"
SHOWABLE = ("proved", "unjudged")
"""An answer without any statement of these statuses is not shown."""
EARLIER_WEIGHT = 0.5
FEW_WORDS = 3
"""Words of a question below which the question before counts as much."""
NEAREST = 3
"""Passages that are named where nothing is found."""
LONGEST_QUOTE = 300
NOT_FILES = ("words", STDIN)


def add_passages(invocation: Invocation, stores: Mapping[str, object]) -> Invocation:
    """Look up the passages for a question. Raises what `DocumentSearch.find` raises."""
    template, search = invocation.template, cast(DocumentSearch, stores[KEY])
    texts = tuple((name, text) for name, text in invocation.files if name not in NOT_FILES)
    question = question_of(invocation)
    parts = tuple(question_parts(question, invocation.notes))
    wish = Wish(parts, template, invocation.values, invocation.model, texts)
    if not search.has_documents(wish):
        if config_of(template).required:
            raise no_documents()
        return invocation
    found = search.find(wish)
    passages = [
        {
            "id": number,
            "name": one.name,
            "place": citation(one.name, one.passage.place()),
            "heading": one.passage.heading,
            "text": one.passage.text,
        }
        for number, one in enumerate(found.sent, 1)
    ]
    extras = {"passages": passages, "whole": found.is_whole, RETRIEVED: found}
    if texts:  # the question alone: its passages are added to the request
        invocation = invocation._replace(text=question, request="")
    return invocation._replace(extras={**invocation.extras, **extras})


def question_of(invocation: Invocation) -> str:
    """What is asked: what the user wants with attached texts, else the words, else the whole user message."""
    asked = invocation.request or invocation.text
    if asked.strip():
        return asked
    return next((one.content for one in reversed(render_messages(invocation)) if one.role == "user"), "")


def question_parts(question: str, notes: Mapping[str, object]) -> list[tuple[str, float]]:
    """A question and what of the turn before belongs to it, with weights."""
    before = notes.get(KEY)
    if not isinstance(before, Mapping):
        return [(question, 1.0)]
    is_short = len(set(question_words(question))) < FEW_WORDS
    quotes = " ".join(map(str, before.get("quotes", ())))
    known = " ".join(dict.fromkeys([*names_of(quotes), *map(str, sorted(numbers_of(quotes)))]))
    return [
        (question, 1.0),
        (str(before.get("question", "")), 1.0 if is_short else EARLIER_WEIGHT),
        (known, EARLIER_WEIGHT),
    ]


def answer_with_proof(invocation: Invocation, runtime: Runtime, sink: Sink | None) -> Outcome:
    """Ask, and show what the documents prove; the exit code says how much that is."""
    retrieved = invocation.extras.get(RETRIEVED)
    if not isinstance(retrieved, Retrieved):
        return ask(invocation, runtime, sink)
    search = cast(DocumentSearch, runtime.stores[KEY])
    question = question_of(invocation)
    options, base = options_of(invocation.values), build_request(invocation, runtime.format)
    judge = Judge(base, runtime, question) if options.judge else None
    shown = ProvedAnswer(Proof(question, retrieved.sent), sink, options.strict, judge)
    if not retrieved.sent:
        outcome = Outcome(Reply("", "stop"), "")
    else:
        request = request_of(base, retrieved.sent, runtime.json_format(SCHEMA).parameters)
        outcome = request_answer(request, runtime, shown, exact=True)
    failure = shown.finish(outcome)
    if not shown.text and isinstance(failure, NotFoundError):
        shown.show(not_found_text(invocation))
    elif shown.cited:
        shown.show(sources_text(shown.cited))
    shown.close(outcome.reply)
    if isinstance(failure, NotFoundError):
        failure.hint = _nearest(retrieved)
    facts = {
        **shown.facts(),
        "found": not isinstance(failure, NotFoundError),
        "mode": "whole" if retrieved.is_whole else "retrieved",
        "retrieval": _retrieval(retrieved, search),
    }
    quotes = [one.text for one in shown.cited]
    return outcome._replace(
        reply=outcome.reply._replace(text=shown.text),
        answer=shown.text,
        failure=failure,
        notes={**outcome.notes, KEY: {"question": question, "quotes": quotes}},
        json_fields=facts,
    )


class ProvedAnswer:
    """A sink that reads the reply and passes on what is proved of its answer, statement by statement.

    What has no proof is held back until something has one: an answer without any is not shown at all.
    """

    def __init__(self, proof: Proof, sink: Sink | None, is_strict: bool, judge: Judge | None = None) -> None:
        self.proof = proof
        self.statements: list[JudgedStatement] = []
        self.cited: list[Citation] = []
        """The quotes in the order in which the answer cites them."""
        self.text = ""
        self._sink = sink
        self._is_strict = is_strict
        self._judge = judge
        self._reader = AnswerReader()
        self._rest = ""
        self._held: list[JudgedStatement] = []
        self._has_quotes = False
        self._space = ""
        """White space behind the statement that was shown last; it is shown before the next one."""
        self._end: Finished | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, AnswerDelta):
            self._take(self._reader.feed(event.text), False)
        elif isinstance(event, Finished):
            self._end = event
        elif self._sink is not None:
            self._sink(event)

    def close(self, reply: Reply | None = None) -> None:
        """End the answer once with its reply; without one do nothing: the owner of the sink closes it."""
        if reply is not None and self._sink is not None:
            self._sink(self._end or Finished(reply.reason))

    def show(self, text: str) -> None:
        self.text += text
        if self._sink is not None:
            self._sink(AnswerDelta(text))

    def finish(self, outcome: Outcome) -> GptkitError | None:
        """Judge what is left of the answer; return what is wrong with the whole of it."""
        rest, is_whole = self._reader.finish()
        self._take(rest, True)
        if self._judge is not None:
            self._judge.report()
        unproved = sum(one.status not in ("proved", "plain") for one in self.statements)
        proved = sum(one.status == "proved" for one in self.statements)
        if not any(one.status in SHOWABLE for one in self.statements) and outcome.failure is None:
            return NotFoundError("not in the documents")
        if outcome.failure is not None:
            return outcome.failure
        if not is_whole:
            return IncompleteError("the answer is not whole: the model's JSON does not end")
        if unproved:
            what = "left out" if self._is_strict else f"marked {UNPROVED_MARK}"
            return IncompleteError(
                f"{unproved} of {unproved + proved} statements are not proved by the documents ({what})"
            )
        return None

    def facts(self) -> dict[str, object]:
        """The statements and quotes for programs."""
        return {
            "statements": [
                {"text": one.statement.content, "citations": self._numbers(one), "status": one.status}
                for one in self.statements
            ],
            "citations": [citation_json(number, one) for number, one in enumerate(self.cited, 1)],
            "rejected": [_rejected_json(one) for one in self.proof.rejected],
        }

    def _take(self, text: str, is_whole: bool) -> None:
        if not self._has_quotes and self._reader.quotes is not None:
            self._has_quotes = True
            for quote in self._reader.quotes:
                self.proof.add_quote(quote.passage, quote.text)
        self._rest += text
        if self._judge is not None and not is_whole:
            return  # a server may take one request at a time
        while self._rest and (end := statement_end(self._rest, is_whole)):
            judged = self.proof.judged(statement(self._rest[:end]))
            if self._judge is not None:
                judged = self._judge.judged(judged, self.proof.cited(judged.citations))
            self._add(judged)
            self._rest = self._rest[end:]

    def _add(self, one: JudgedStatement) -> None:
        self.statements.append(one)
        if one.status in SHOWABLE:
            for held in self._held:
                self._show(held)
            self._held.clear()
            self._show(one)
        elif self.text:
            self._show(one)
        else:
            self._held.append(one)

    def _show(self, one: JudgedStatement) -> None:
        text, _, end = one.statement
        if one.status == "plain":
            marks = ""
        elif one.status == "proved":
            marks = "".join(f" [{number}]" for number in self._numbers(one))
        elif self._is_strict:
            return
        else:
            marks = f" {UNPROVED_MARK}"
        before, self._space = self._space, end
        self.show(f"{before}{text}{marks}")

    def _numbers(self, one: JudgedStatement) -> list[int]:
        found = []
        for number in one.citations:
            quote = self.proof.quotes[number]
            if quote is not None:
                if quote not in self.cited:
                    self.cited.append(quote)
                found.append(self.cited.index(quote) + 1)
        return list(dict.fromkeys(found))


def not_found_text(invocation: Invocation) -> str:
    """The user's sentence for what is not found."""
    return option_text(invocation.template, invocation.values, "not_found") or NOT_FOUND


def sources_text(cited: Sequence[Citation]) -> str:
    """The list of quotes below an answer."""
    lines = [
        f'[{number}] {citation(one.passage.name, one.place)}: "{shorten(one.text, LONGEST_QUOTE)}"'
        for number, one in enumerate(cited, 1)
    ]
    return "\n\n" + "\n".join(lines)


def citation_json(number: int, one: Citation) -> dict[str, object]:
    place = one.place
    return {
        "n": number,
        "file": one.passage.name,
        "place": citation(one.passage.name, place),
        "kind": place.kind,
        "start": place.start,
        "end": place.end,
        "label": place.label,
        "quote": one.text,
        "model_quote": one.model_text,
        "status": "elided" if one.is_elided else "verified",
        "sha256": one.passage.sha256,
    }


def _rejected_json(one: RejectedQuote) -> dict[str, Any]:
    nearest = nearest_text(one)
    if nearest is None or one.passage is None:
        return {"quote": one.text, "nearest": None}
    text, ratio = nearest
    place = citation(one.passage.name, one.passage.passage.place())
    return {"quote": one.text, "nearest": {"place": place, "text": text, "ratio": ratio}}


def _nearest(retrieved: Retrieved) -> str:
    places = [citation(one.name, one.passage.place()) for one in retrieved.ranked[:NEAREST]]
    return f"the nearest passages: {', '.join(places)}" if places else "no passage has a word of the question"


def _retrieval(retrieved: Retrieved, search: DocumentSearch) -> dict[str, object]:
    return {
        "files": retrieved.files,
        "passages": retrieved.passages,
        "sent": len(retrieved.sent),
        "skipped": [{"file": one.name, "why": one.why} for one in search.skipped],
    }
