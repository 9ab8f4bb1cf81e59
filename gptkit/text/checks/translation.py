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
    main_tag,
    other_language,
    scripts,
    weight,
)
from gptkit.text.checks.order import SENTENCE_END, unit_order_findings
from gptkit.text.compose import GAP, count_line_ends
from gptkit.text.pieces import MARK, Finding, Piece, parse_units

SHORT = 400
"""Weight up to which an answer may be a refusal or a remark in place of the text."""
PARAGRAPH = 80
"""Weight from which a paragraph is looked at by itself."""
LONG_ENOUGH = 110
"""Weight of a text with a full stop at its end from which its translation has one (99.9 % by people)."""
FINAL = re.compile(r"[.!?。！？…｡．؟۔।:：;；][\s\"'”’»«“„)\]）」』】*_`>~⟧]*$|[⟧)\]）」』】”’»\"'`>*_|]\s*$")
FULL_STOP = re.compile(r"[.!?。！？…]\s*$")
FEWER, MORE = 0.75, 1.75
"""Shares of the usual weight of an answer at which another number of sentences is wrong."""
# fmt: off
LENGTHS = {
    "ar": 0.82, "de": 1.19, "el": 1.1, "es": 1.12, "fa": 0.91, "fr": 1.13, "he": 0.78, "it": 1.11, "ja": 1.1,
    "ko": 0.95, "nl": 1.1, "pt": 1.08, "ru": 1.08, "vi": 0.96, "zh": 0.93, "zh-Hant": 0.87
}
# fmt: on
"""What a text weighs in each language against English, the medians of 120,000 translations by people."""
UNSTOPPED = {"THAI", "LAO", "KHMER", "MYANMAR"}
"""Scripts of languages that end no sentence with a sign."""
FOREIGN_WORD = re.compile(r"(?<!\S)[a-z]{2,}(?=[\s.,;:!?)]|$)")
LITERAL = re.compile(
    r"(?P<option>(?<![\w-])--[a-z][\w-]*)|(?P<path>(?<![\w/.<])(?:~|\.\.?)?/(?:[\w.-]+/)*[\w.-]*\w)"
    r"|(?P<constant>\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b)",
    re.ASCII,
)
EMPHASIS = re.compile(r"(\*\*|__)(?=\S)[^\n]+?(?<=\S)\1")


class Target(NamedTuple):
    """What the answer to a text is to be: `language` is a tag of BCP 47, empty where none is named.

    `is_translated` says that it is in another language than the text; else it is in the same.
    """

    language: str = ""
    is_translated: bool = True


def piece_findings(piece: Piece, answer: str, target: Target) -> Iterator[Finding]:
    """Yield what is wrong or doubtful with the answer to a piece, besides what the piece's format finds."""
    if not piece.text or not answer.strip():
        return
    if not piece.slots:
        yield from text_findings(piece.text, normalize_answer(answer), target, line_finder(piece))
        return
    units = dict(enumerate(piece.units, 1))
    answers = {1: answer.strip()} if len(units) == 1 and "⟦#" not in answer else parse_units(answer)
    lines = {n: piece.line + count_line_ends(piece.source[: piece.slots[n - 1].start]) for n in units}
    found: list[Finding] = []
    for number, unit in units.items():
        if new := answers.get(number):
            found += text_findings(unit, new, target, partial(_same_line, lines[number]))
    if not any(one.kind == "language" for one in found):
        together, made = ("\n".join(some[n] for n in units if n in answers) for some in (units, answers))
        found += _language_findings(together, MARK.sub("⟧", made), target, partial(_same_line, piece.line))
    yield from found
    if len(units) > 1:
        yield from unit_order_findings(units, answers, lines)


def _same_line(line: int, _place: int) -> int:
    return line


def text_findings(text: str, answer: str, target: Target, line_of: LineOf) -> Iterator[Finding]:
    """Yield what is wrong or doubtful with an answer that is not empty; code is a mark in text and answer."""
    source, made = (MARK.sub("⟧", one).strip() for one in (text, answer))
    if source == made:
        if target.is_translated and _needs_translation(source, target.language):
            yield Finding(line_of(0), "unchanged", "text is unchanged, not translated")
        return
    if kind := _substitute_kind(source, made):
        what = "refusal" if kind == "refusal" else "remark"
        yield Finding(line_of(0), kind, f"{what} in place of the text: {quote_excerpt(made)}")
        return
    around = list(_framing_findings(source, made, line_of))
    yield from around or _length_findings(source, made, target, line_of)
    yield from _ending_findings(source, made, target, line_of)
    yield from _language_findings(source, made, target, line_of)
    yield from _literal_findings(source, made, line_of)


def _needs_translation(source: str, language: str) -> bool:
    """Whether words of the text are surely of another language than the one that is asked for."""
    there = scripts(source)
    if not language or not there:
        return False
    tag, script = main_tag(language), max(there, key=lambda one: there[one])
    if script != "LATIN":
        return other_language(source * 9, language) is not None and sum(there.values()) - there["LATIN"] >= 15
    found, words = count_function_words(source), len(FOREIGN_WORD.findall(source))
    return words >= 3 and found.words > 0 and found.code != tag and not found.by_code.get(tag, 0)


def _substitute_kind(source: str, made: str) -> str | None:
    if weight(made) > SHORT or "⟧" in made:
        return None
    from gptkit.text.checks.phrases import REFUSAL, REMARK, SORRY

    if any(pattern.search(source) for pattern in (REFUSAL, REMARK, SORRY)):
        return None
    first = _sentences(made)[0] if _sentences(made) else made
    return "refusal" if REFUSAL.search(made) else "remark" if REMARK.search(first) else None


def _framing_findings(source: str, made: str, line_of: LineOf) -> Iterator[Finding]:
    """Yield words of the model's own before and behind the text."""
    from gptkit.text.checks.phrases import AFTERWORD, PREFACE, YES

    first, last = made.split("\n", 1)[0], _last_sentence(made)
    has_more = len(_sentences(made)) > len(_sentences(source)) or made.count("\n") > source.count("\n")
    if (PREFACE.match(first) or (has_more and YES.match(first))) and not PREFACE.match(source):
        yield Finding(line_of(0), "added", f"words before the text: {quote_excerpt(first)}")
    if has_more and AFTERWORD.match(last) and not AFTERWORD.match(_last_sentence(source)):
        yield Finding(line_of(len(source)), "added", f"words behind the text: {quote_excerpt(last)}")


def _last_sentence(text: str) -> str:
    """Return the last sentence, or what stands in brackets at the end."""
    ends = [found.end() for found in SENTENCE_END.finditer(text, 0, max(0, len(text) - 2))]
    bracket = max(text.rfind("("), text.rfind("["), text.rfind("（"))
    start = ends[-1] if ends else 0
    if text.endswith((")", "]", "）")) and bracket >= 0:
        start = max(start, bracket) if bracket > start or not ends else bracket
    return text[start:].strip()


def _length_findings(source: str, made: str, target: Target, line_of: LineOf) -> Iterator[Finding]:
    before, after = weight(source), weight(made)
    share = after / max(1, before) / _usual_share(source, target)
    was, became = len(_sentences(source)), len(_sentences(made))
    least, most = (
        (0.5, 2.2 + 80 / max(1, before)) if target.is_translated else (0.6, 1.6 + 40 / max(1, before))
    )
    if before >= 30 and share < least - 10 / before:
        yield Finding(line_of(0), "length", f"only {100 * share:.0f} % of the text is there")
    elif share > most:
        yield Finding(line_of(0), "length", f"{share:.1f} times as long as the text")
    elif before >= 60 and ((became < was and share < FEWER) or (became > was and share > MORE)):
        yield Finding(line_of(0), "sentence", f"{was} sentences became {became}")


def _usual_share(source: str, target: Target) -> float:
    """Return the usual weight of a translation, divided by the weight of its source."""
    if not target.is_translated:
        return 1
    return LENGTHS.get(main_tag(target.language), 1) / LENGTHS.get(detect_language(source), 1)


def _sentences(text: str) -> list[str]:
    return [one for one in SENTENCE_END.split(text) if re.search(r"\w", one)]


def _ending_findings(source: str, made: str, target: Target, line_of: LineOf) -> Iterator[Finding]:
    """Yield where the answer breaks off: in a word, or without the full stop that the source ends with."""
    if FINAL.search(made) or UNSTOPPED & set(scripts(made)):
        return
    from gptkit.text.checks.phrases import BREAKS_OFF

    where, tail = line_of(len(source)), quote_excerpt(made[-30:])
    last, word = (re.findall(r"\w+", one)[-1:] or [""] for one in (source, made))
    in_word = not target.is_translated and last[0] != word[0] != "" and last[0].startswith(word[0])
    ends = FULL_STOP.search(source)
    breaks = BREAKS_OFF.search(made) and (ends or (len(source) > 80 and not BREAKS_OFF.search(source)))
    if in_word or breaks or (ends and weight(source) >= LONG_ENOUGH):
        yield Finding(where, "end", f"text breaks off: {tail}")


def _language_findings(source: str, made: str, target: Target, line_of: LineOf) -> Iterator[Finding]:
    own = detect_language(source)
    asked = target.language or ("" if target.is_translated else own)
    for paragraph in (made, *GAP.split(made)):
        if not asked:
            if own and target.is_translated and detect_language(paragraph) == own:
                yield Finding(line_of(0), "language", "answer is in the language of the text")
                return
        elif (paragraph is made or weight(paragraph) >= PARAGRAPH) and (
            found := other_language(paragraph, asked)
        ):
            yield Finding(
                line_of(0), "language", f"{found} where '{asked}' was asked for: {quote_excerpt(paragraph)}"
            )
            return


def _literal_findings(source: str, made: str, line_of: LineOf) -> Iterator[Finding]:
    """Yield missing options, paths, constants and emphasis, which a translation may do without."""
    there = Counter(found[0] for found in LITERAL.finditer(made))
    for found in LITERAL.finditer(source):
        if not there[found[0]] and found[0] not in made:
            yield Finding(
                line_of(found.start()), "literal", f"{found.lastgroup} {quote_excerpt(found[0])} missing"
            )
    was, became = (len(EMPHASIS.findall(one)) for one in (source, made))
    if became < was:
        yield Finding(line_of(0), "emphasis", f"emphasis lost: {was} became {became}")
