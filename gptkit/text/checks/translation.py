"""Whether an answer is the text that was worked on: all of it, nothing else, in the language asked for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from gptkit.text.checks.common import LineOf, line_finder, normalize_answer, quote_excerpt
from gptkit.text.checks.language import (
    count_function_words,
    detect_language,
    foreign_script,
    main_tag,
    other_language,
    scripts,
    weight,
)
from gptkit.text.checks.order import SENTENCE_END, unit_order_findings
from gptkit.text.compose import GAP, count_line_ends
from gptkit.text.pieces import MARK, Finding, Piece, parse_units

SHORT_ANSWER = 400
"""The weight up to which an answer may be a refusal or a remark instead of the text."""
PARAGRAPH_WEIGHT = 80
"""The least weight of a paragraph whose language is checked by itself."""
LONG_ENOUGH = 110
"""The weight of a text from which its translation ends with a full stop if the text does (99.9 % by
people)."""
SENTENCE_FINAL = re.compile(
    r"[.!?。！？…｡．؟۔।:：;；][\s\"'”’»«“„)\]）」』】*_`>~⟧]*$|[⟧)\]）」』】”’»\"'`>*_|]\s*$"
)
FULL_STOP = re.compile(r"[.!?。！？…]\s*$")
FEWER, MORE = 0.75, 1.75
"""Shares of the usual weight of an answer, below and above which another number of sentences is wrong."""
# fmt: off
LENGTHS = {
    "ar": 0.82, "de": 1.19, "el": 1.1, "es": 1.12, "fa": 0.91, "fr": 1.13, "he": 0.78, "it": 1.11, "ja": 1.1,
    "ko": 0.95, "nl": 1.1, "pt": 1.08, "ru": 1.08, "vi": 0.96, "zh": 0.93, "zh-Hant": 0.87
}
# fmt: on
"""The weight of a text in each language, relative to English: medians of 120,000 translations by people."""
SCRIPTS_WITHOUT_STOPS = {"THAI", "LAO", "KHMER", "MYANMAR"}
"""Scripts of languages that end no sentence with a sign."""
FOREIGN_WORD = re.compile(r"(?<!\S)[a-z]{2,}(?=[\s.,;:!?)]|$)")
LITERAL = re.compile(
    r"(?P<option>(?<![\w-])--[a-z][\w-]*)|(?P<path>(?<![\w/.<])(?:~|\.\.?)?/(?:[\w.-]+/)*[\w.-]*\w)"
    r"|(?P<constant>\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b)",
    re.ASCII,
)
EMPHASIS = re.compile(r"(\*\*|__)(?=\S)[^\n]+?(?<=\S)\1")


class TargetLanguage(NamedTuple):
    """The language that an answer has to be in: a tag of BCP 47, empty if none is named.

    `is_translated` says that this is another language than the text's.
    """

    language: str = ""
    is_translated: bool = True


def piece_findings(piece: Piece, answer: str, target: TargetLanguage) -> Iterator[Finding]:
    """Yield what is wrong or doubtful with the answer to a piece, besides what the piece's format finds."""
    if not piece.text or not answer.strip():
        return
    if not piece.slots:
        yield from text_findings(piece.text, normalize_answer(answer), target, line_finder(piece))
        return
    if len(piece.units) > 1 and "⟦#" not in answer and (kind := _substitute_kind(piece.text, answer)):
        yield _substitute_finding(kind, answer, piece.line)
        return
    units = dict(enumerate(piece.units, 1))
    answers = {1: answer.strip()} if len(units) == 1 and "⟦#" not in answer else parse_units(answer)
    lines = {n: piece.line + count_line_ends(piece.source[: piece.slots[n - 1].start]) for n in units}
    findings: list[Finding] = []
    for number, unit in units.items():
        if new := answers.get(number):
            findings += text_findings(unit, new, target, partial(_same_line, lines[number]))
    if not any(finding.kind == "language" for finding in findings):
        whole_text, whole_answer = (
            "\n".join(texts[n] for n in units if n in answers) for texts in (units, answers)
        )
        findings += _language_findings(
            whole_text, MARK.sub("⟧", whole_answer), target, partial(_same_line, piece.line)
        )
    yield from findings
    if len(units) > 1:
        yield from unit_order_findings(units, answers, lines)


def _same_line(line: int, _place: int) -> int:
    return line


def text_findings(text: str, answer: str, target: TargetLanguage, line_of: LineOf) -> Iterator[Finding]:
    """Yield what is wrong or doubtful with an answer that is not empty; code is a mark in text and answer."""
    source, masked_answer = (MARK.sub("⟧", masked).strip() for masked in (text, answer))
    if source == masked_answer:
        if target.is_translated and _needs_translation(source, target.language):
            yield Finding(line_of(0), "unchanged", "text is unchanged, not translated")
        return
    if kind := _substitute_kind(source, masked_answer):
        yield _substitute_finding(kind, masked_answer, line_of(0))
        return
    yield from _unchanged_paragraph_findings(source, masked_answer, target, line_of)
    framing = list(_framing_findings(source, masked_answer, line_of))
    yield from framing or _length_findings(source, masked_answer, target, line_of)
    yield from _ending_findings(source, masked_answer, target, line_of)
    yield from _language_findings(source, masked_answer, target, line_of)
    yield from _literal_findings(source, masked_answer, line_of)


def _needs_translation(source: str, language: str) -> bool:
    """Whether words of a text are surely not in `language`."""
    weights = scripts(source)
    if not language or not weights:
        return False
    tag, script = main_tag(language), max(weights, key=lambda name: weights[name])
    if script != "LATIN":
        return (
            other_language(source * 9, language) is not None
            and sum(weights.values()) - weights["LATIN"] >= 15
        )
    vote, words = count_function_words(source), len(FOREIGN_WORD.findall(source))
    return words >= 3 and vote.words > 0 and vote.code != tag and not vote.by_code.get(tag, 0)


def _substitute_kind(source: str, answer: str) -> str | None:
    if weight(answer) > SHORT_ANSWER or "⟧" in answer:
        return None
    from gptkit.text.checks.phrases import REFUSAL, REMARK, SORRY

    if any(pattern.search(source) for pattern in (REFUSAL, REMARK, SORRY)):
        return None
    first = _sentences(answer)[0] if _sentences(answer) else answer
    return "refusal" if REFUSAL.search(answer) else "remark" if REMARK.search(first) else None


def _substitute_finding(kind: str, answer: str, line: int) -> Finding:
    return Finding(line, kind, f"{kind} in place of the text: {quote_excerpt(answer)}")


def _unchanged_paragraph_findings(
    source: str, answer: str, target: TargetLanguage, line_of: LineOf
) -> Iterator[Finding]:
    """Yield the first paragraph that stayed as it is although the target language does not write it so."""
    if not target.is_translated:
        return
    paragraphs = set(GAP.split(answer))
    for paragraph in GAP.split(source):
        if paragraph in paragraphs and _needs_translation(paragraph, target.language):
            what = f"paragraph is unchanged, not translated: {quote_excerpt(paragraph)}"
            yield Finding(line_of(0), "unchanged", what)
            return


def _framing_findings(source: str, answer: str, line_of: LineOf) -> Iterator[Finding]:
    """Yield words of the model's own before and behind the text."""
    from gptkit.text.checks.phrases import AFTERWORD, PREFACE, YES

    first, last = answer.split("\n", 1)[0], _last_sentence(answer)
    has_more = len(_sentences(answer)) > len(_sentences(source)) or answer.count("\n") > source.count("\n")
    if (PREFACE.match(first) or (has_more and YES.match(first))) and not PREFACE.match(source):
        yield Finding(line_of(0), "added", f"words before the text: {quote_excerpt(first)}")
    if has_more and AFTERWORD.match(last) and not AFTERWORD.match(_last_sentence(source)):
        yield Finding(line_of(len(source)), "added", f"words behind the text: {quote_excerpt(last)}")


def _last_sentence(text: str) -> str:
    """Return the last sentence, or what stands in brackets at the end."""
    ends = [match.end() for match in SENTENCE_END.finditer(text, 0, max(0, len(text) - 2))]
    bracket = max(text.rfind("("), text.rfind("["), text.rfind("（"))
    start = ends[-1] if ends else 0
    if text.endswith((")", "]", "）")) and bracket >= 0:
        start = max(start, bracket) if bracket > start or not ends else bracket
    return text[start:].strip()


def _length_findings(source: str, answer: str, target: TargetLanguage, line_of: LineOf) -> Iterator[Finding]:
    before, after = weight(source), weight(answer)
    share = after / max(1, before) / _usual_share(source, target)
    was, became = len(_sentences(source)), len(_sentences(answer))
    smallest, largest = (
        (0.5, 1.9 + 50 / max(1, before)) if target.is_translated else (0.6, 1.6 + 40 / max(1, before))
    )
    if before >= 30 and share < smallest - 10 / before:
        yield Finding(line_of(0), "length", f"only {100 * share:.0f} % of the text is there")
    elif share > largest:
        yield Finding(line_of(0), "length", f"{share:.1f} times as long as the text")
    elif before >= 30 and ((became < was and share < FEWER) or (became > was and share > MORE)):
        yield Finding(line_of(0), "sentence", f"{was} sentences became {became}")


def _usual_share(source: str, target: TargetLanguage) -> float:
    """Return the usual weight of a translation, divided by the weight of its source."""
    if not target.is_translated:
        return 1
    return LENGTHS.get(main_tag(target.language), 1) / LENGTHS.get(detect_language(source), 1)


def _sentences(text: str) -> list[str]:
    return [sentence for sentence in SENTENCE_END.split(text) if re.search(r"\w", sentence)]


def _ending_findings(source: str, answer: str, target: TargetLanguage, line_of: LineOf) -> Iterator[Finding]:
    """Yield where the answer breaks off: in a word, or without the full stop that the source ends with."""
    if SENTENCE_FINAL.search(answer) or SCRIPTS_WITHOUT_STOPS & set(scripts(answer)):
        return
    from gptkit.text.checks.phrases import BREAKS_OFF

    line, tail = line_of(len(source)), quote_excerpt(answer[-30:])
    last, word = (re.findall(r"\w+", whole)[-1:] or [""] for whole in (source, answer))
    in_word = not target.is_translated and last[0] != word[0] != "" and last[0].startswith(word[0])
    ends = FULL_STOP.search(source)
    breaks = BREAKS_OFF.search(answer) and (ends or (len(source) > 80 and not BREAKS_OFF.search(source)))
    if in_word or breaks or (ends and weight(source) >= LONG_ENOUGH):
        yield Finding(line, "end", f"text breaks off: {tail}")


def _language_findings(
    source: str, answer: str, target: TargetLanguage, line_of: LineOf
) -> Iterator[Finding]:
    own = detect_language(source)
    if name := foreign_script(source, answer, target.language):
        message = f"{name} where '{target.language}' was asked for: {quote_excerpt(answer)}"
        yield Finding(line_of(0), "language", message)
        return
    language = target.language or ("" if target.is_translated else own)
    for paragraph in (answer, *GAP.split(answer)):
        if not language:
            if own and target.is_translated and detect_language(paragraph) == own:
                yield Finding(line_of(0), "language", "answer is in the language of the text")
                return
        elif (paragraph is answer or weight(paragraph) >= PARAGRAPH_WEIGHT) and (
            other := other_language(paragraph, language)
        ):
            yield Finding(
                line_of(0),
                "language",
                f"{other} where '{language}' was asked for: {quote_excerpt(paragraph)}",
            )
            return


def _literal_findings(source: str, answer: str, line_of: LineOf) -> Iterator[Finding]:
    """Yield missing options, paths, constants and emphasis, which a translation may do without."""
    in_answer = Counter(match[0] for match in LITERAL.finditer(answer))
    for match in LITERAL.finditer(source):
        if not in_answer[match[0]] and match[0] not in answer:
            yield Finding(
                line_of(match.start()), "literal", f"{match.lastgroup} {quote_excerpt(match[0])} missing"
            )
    was, became = (len(EMPHASIS.findall(whole)) for whole in (source, answer))
    if became < was:
        yield Finding(line_of(0), "emphasis", f"emphasis lost: {was} became {became}")
