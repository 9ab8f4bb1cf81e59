"""Gettext catalogs: entries without a translation, or with a doubtful (fuzzy) one, are translated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Self

from gptkit.text.formats.po_catalog import (
    CatalogEntry,
    Forms,
    default_forms,
    encode_field,
    header_entry,
    new_header,
    plural_forms,
    read_entries,
    replace_header,
    translate_header,
)
from gptkit.text.formats.units import Segment, UnitFormat, find_middle
from gptkit.text.masking import ATOM
from gptkit.text.pieces import Finding, Piece, unmask

DIRECTIVE = re.compile(r"%%|%(?:[0-9]+\$)?[-+#0 ]*(?:[0-9]+|\*)?(?:\.(?:[0-9]+|\*))?[a-zA-Z]*?[a-zA-Z@]")
NOTE_MOST = 300


class Po(UnitFormat):
    """The format of gettext catalogs.

    An answer equal to its piece leaves the catalog unchanged: gettext then shows the msgid.
    """

    name = "po"
    rewrites_equal = True

    def __init__(self, language: str = "", source: str = "en") -> None:
        self._language, self._source = language, source

    def for_language(self, language: str, source: str = "en") -> Self:
        """Return the format for a translation between two languages, given by their BCP 47 tags.

        A catalog that does not declare its plural forms then gets those of `language`.
        """
        return type(self)(language, source)

    def recognises(self, head: str) -> bool:
        return (
            re.search(r'^msgid[ \t]+"', head, re.M) is not None
            and re.search(r'^msgstr(?:\[0\])?[ \t]+"', head, re.M) is not None
        )

    def segments(self, lines: Iterable[str]) -> Iterator[Segment]:
        forms: Forms | None = None
        wraps, headed = True, False
        for entry in read_entries(lines):
            if entry.text("msgid") == "" and entry.text("msgctxt") is None:
                header = entry.text("msgstr") or ""
                new = translate_header(header, self._language, self._source)
                forms = plural_forms(new) or forms
                headed = True
                if new != header and entry.text("msgstr") is not None:
                    yield _header_segment(entry, new)
                    continue
            elif wraps:
                wraps = not any(map(_is_unwrapped, entry.source.split("\n")))
            if not headed and entry.text("msgid_plural") is not None:
                headed = True
                if new := new_header(self._language, self._source):
                    forms = plural_forms(new)
                    source = header_entry(new, "\r\n" if "\r\n" in entry.source else "\n")
                    yield Segment(source, added=source.count("\n"))
            yield from _segments(entry, forms, wraps)

    def encode_text(self, literal: str, text: str, syntax: str) -> str:
        keyword, length, *words = syntax.split(" ")
        end = "\r\n" if "crlf" in words else "\n"
        new = encode_field(keyword.removeprefix("more"), text, end, wraps="long" not in words)
        if "bare" in words:
            return end + new.removesuffix(end)
        return _remove_doubt(literal[: int(length)]) + (
            new.removesuffix(end) if literal and not literal.endswith("\n") else new
        )

    def split_segment(self, segment: Segment) -> tuple[Segment, Segment] | None:
        """Split a text in two; the second part continues the string that the first begins."""
        atoms = ATOM.findall(segment.text)
        if len(atoms) < 2:
            return None
        cut = len("".join(atoms[: find_middle(atoms)]))
        source, rest = segment.source[: segment.end], segment.source[segment.end :]
        words = [word for word in segment.syntax.split(" ")[2:] if not source or word != "bare"]
        syntax = " ".join(["more", "0", *words, *([] if source.endswith("\n") or not source else ["bare"])])
        return (
            segment._replace(source=source, text=segment.text[:cut]),
            segment._replace(source=rest, text=segment.text[cut:], start=0, end=0, syntax=syntax),
        )

    def unit_findings(self, unit: Piece, answer: str) -> Iterator[Finding]:
        yield from super().unit_findings(unit, answer)
        if "c" not in unit.slots[0].syntax.split(" ")[2:]:
            return
        before = DIRECTIVE.findall(unmask(unit.text, unit.masks))
        after = DIRECTIVE.findall(unmask(answer, unit.masks))
        was, became = before.count("%%"), after.count("%%")
        if was != became:
            change = "missing" if became < was else "added"
            yield Finding(unit.line, "placeholder", f"placeholder '%%' {change}")
        before, after = ([sign for sign in signs if sign != "%%"] for signs in (before, after))
        if before != after and sorted(before) == sorted(after) and not any("$" in sign for sign in after):
            yield Finding(unit.line, "placeholder", f"placeholders '{' '.join(before)}' are in another order")


def _header_segment(entry: CatalogEntry, header: str) -> Segment:
    wraps = not any(map(_is_unwrapped, entry.source.split("\n")))
    source = replace_header(entry, header, wraps=wraps)
    return Segment(source, added=source.count("\n") - entry.source.count("\n"))


def _segments(entry: CatalogEntry, forms: Forms | None, wraps: bool) -> Iterator[Segment]:
    """Yield a segment for each form that needs a translation; the first also replaces the mark of doubt.

    The `syntax` of a segment is the keyword, the length of the text before the keyword in the literal, and
    then any of: `crlf`; `long` for lines that are not wrapped; `bare` if the line before has no line end;
    `c` for directives whose order is fixed.
    """
    doubtful = "fuzzy" in entry.flags
    texts = _source_texts(entry, forms)
    missing = [
        number
        for number, text in enumerate(texts)
        if text[0] and (doubtful or not _is_translated(entry, number))
    ]
    common = [word for word, there in (("crlf", "\r\n" in entry.source), ("long", not wraps)) if there]
    common += ["c"] if {"c-format", "python-format"} & set(entry.flags) else []
    done = 0
    for number in missing:
        text, note = texts[number]
        start = end = entry.forms[-1].end
        words = common
        if number < len(entry.forms):
            start, end = (
                entry.forms[number].start,
                (end if number == len(texts) - 1 else entry.forms[number].end),
            )
        elif not entry.source.endswith("\n"):
            words = ["bare", *common]
        begin = _doubt_start(entry) if doubtful and number == missing[0] else start
        syntax = " ".join([entry.keyword(number), str(start - begin), *words])
        yield Segment(entry.source[done:end], text, begin - done, end - done, syntax, note)
        done = end
    if done < len(entry.source):
        yield Segment(entry.source[done:])


def _source_texts(entry: CatalogEntry, forms: Forms | None) -> list[tuple[str, str]]:
    """Return the text to translate for each form, and a note for the translator."""
    singular, plural = entry.text("msgid") or "", entry.text("msgid_plural")
    context = entry.text("msgctxt")
    note = "; ".join(filter(None, [context and f"context '{context}'", entry.notes]))[:NOTE_MOST]
    if not entry.forms:
        return []
    if plural is None:
        return [(singular, note)]
    return [
        (singular if of_one else plural, "; ".join(filter(None, [numbers, note])))
        for of_one, numbers in forms or default_forms(len(entry.forms))
    ]


def _is_translated(entry: CatalogEntry, number: int) -> bool:
    return number < len(entry.forms) and bool(entry.forms[number].text)


def _doubt_start(entry: CatalogEntry) -> int:
    """Return the position of the first line that marks an entry as doubtful."""
    places = [comment.start for comment in entry.comments if comment.text.startswith(("#,", "#|"))]
    return min(places, default=entry.fields[0].start)


def _remove_doubt(head: str) -> str:
    """Remove the fuzzy flag and the previous msgid from the lines before a translation."""
    result = []
    for line in head.splitlines(keepends=True):
        bare = line.strip()
        if bare.startswith("#|"):
            continue
        if bare.startswith("#,"):
            flags = [flag.strip() for flag in bare[2:].split(",")]
            if "fuzzy" in flags:
                rest = ", ".join(flag for flag in flags if flag and flag != "fuzzy")
                result += [f"#, {rest}{line[len(line.rstrip()) :]}"] if rest else []
                continue
        result.append(line)
    return "".join(result)


def _is_unwrapped(line: str) -> bool:
    return len(line) > 82 and not line.startswith("#") and " " in line[10:60]
