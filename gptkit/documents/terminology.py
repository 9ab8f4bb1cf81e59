"""Reads glossaries from CSV and from TBX, the XML of terminology databases (versions 2 and 3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gptkit.core.errors import DataFault
from gptkit.documents.glossary import Glossary, Term

HEADS = frozenset(("term", "terms", "source", "original", "translation", "target"))
NAMES = """
    arabic:ar bulgarian:bg catalan:ca chinese:zh croatian:hr czech:cs danish:da dutch:nl english:en
    estonian:et
    finnish:fi french:fr german:de greek:el hebrew:he hindi:hi hungarian:hu indonesian:id italian:it
    japanese:ja korean:ko latvian:lv lithuanian:lt norwegian:no persian:fa polish:pl portuguese:pt
    romanian:ro russian:ru slovak:sk slovenian:sl spanish:es swedish:sv thai:th turkish:tr ukrainian:uk
    vietnamese:vi 中文:zh 日本語:ja 한국어:ko français:fr deutsch:de español:es italiano:it português:pt
    русский:ru polski:pl
"""
LANGUAGES = dict(pair.split(":") for pair in NAMES.split())
CODES = frozenset(LANGUAGES.values())


def glossary_of(text: str, to: str = "", name: str = "glossary") -> Glossary:
    """`to` is the language of the translations, by its name or code, for a TBX file that has several."""
    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith("<"):
        return Glossary(_of_tbx(text, to, name))
    return Glossary(_of_csv(text, name))


def _of_csv(text: str, name: str) -> Iterable[Term]:
    import csv

    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",\t;", key=lambda sign: (first.count(sign) > 0, sign != ";" and first.count(sign)))
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, skipinitialspace=True)
    terms: list[Term] = []
    at_head = True
    try:
        for row in reader:
            cells = [" ".join(cell.split()) for cell in row]
            if not any(cells) or cells[0].startswith("# "):
                continue
            if not (at_head and _is_head(cells)):
                terms.append(_term(cells, f"{name}, line {reader.line_num}"))
            at_head = False
    except csv.Error:
        raise DataFault(f"{name}, line {reader.line_num}: not CSV, or a field is too long") from None
    return _merged(terms)


def _is_head(cells: Sequence[str]) -> bool:
    known = [cell.casefold() for cell in cells[:2]]
    names = HEADS | LANGUAGES.keys()
    return len(known) == 2 and (
        all(cell in names for cell in known)
        or (known[0] != known[1] and all(cell.replace("_", "-").split("-")[0] in CODES for cell in known))
    )


def _term(cells: Sequence[str], where: str) -> Term:
    if len(cells) < 2 or not cells[0] or not cells[1]:
        raise DataFault(
            f"{where}: '{cells[0] or cells[1]}' is alone, a term and its translation were expected"
        )
    return Term(cells[0], cells[1], cells[2] if len(cells) > 2 else "")


def _merged(terms: Iterable[Term]) -> Iterable[Term]:
    """Each term once; what else it may be translated as is added to the first."""
    merged: dict[str, Term] = {}
    for term in terms:
        if known := merged.get(term.term):
            new = [
                one
                for one in (term.translation, *term.others)
                if one not in (known.translation, *known.others)
            ]
            merged[term.term] = known._replace(others=(*known.others, *new), note=known.note or term.note)
        else:
            merged[term.term] = term
    return merged.values()


class _Said(NamedTuple):
    language: str
    text: str
    allowed: bool


class _Tbx:
    """What a reader of TBX has seen of the entry that is open, and the entries before."""

    def __init__(self) -> None:
        self.entries: list[tuple[list[_Said], str]] = []
        self.default = ""
        self._said: list[_Said] = []
        self._note = ""
        self._language = ""
        self._term = ""
        self._allowed = True
        self._text: list[str] = []
        self._kind = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        self._text = []
        self._kind = attributes.get("type", "")
        language = attributes.get("xml:lang", "").replace("_", "-").lower()
        if name in {"martif", "tbx"}:
            self.default = language
        elif name in {"termEntry", "conceptEntry"}:
            self._said, self._note, self._language = [], "", ""
        elif name in {"langSet", "langSec"}:
            self._language = language
        elif name in {"tig", "ntig", "termSec"}:
            self._term, self._allowed = "", True

    def data(self, text: str) -> None:
        self._text.append(text)

    def end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        text = " ".join("".join(self._text).split())
        if name == "term":
            self._term = text
        elif name in {"termNote", "administrativeStatus"}:
            self._allowed = self._allowed and not text.lower().startswith(("deprecated", "superseded"))
        elif name in {"descrip", "definition", "note"} and not self._note:
            self._note = text if name != "descrip" or self._kind in {"definition", "context", ""} else ""
        elif name in {"tig", "ntig", "termSec"} and self._term:
            self._said.append(_Said(self._language, self._term, self._allowed))
        elif name in {"termEntry", "conceptEntry"}:
            self.entries.append((self._said, self._note))


def _of_tbx(text: str, to: str, name: str) -> Iterable[Term]:
    from xml.parsers import expat

    parser = expat.ParserCreate("utf-8")
    document = _Tbx()
    parser.StartElementHandler = document.start
    parser.EndElementHandler = document.end
    parser.CharacterDataHandler = document.data

    def refused(*_: object) -> None:
        raise DataFault(f"{name}, line {parser.CurrentLineNumber}: a glossary must not declare entities")

    parser.EntityDeclHandler = refused
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as fault:
        raise DataFault(f"{name}, line {fault.lineno}, column {fault.offset + 1}: not XML") from None
    if not document.entries:
        raise DataFault(f"{name}: no entries of TBX in it")
    source, target = _pair(document, to, name)
    return _merged(term for said, note in document.entries for term in _terms(said, note, source, target))


def _pair(document: _Tbx, to: str, name: str) -> tuple[str, str]:
    """The languages of the terms and of the translations."""
    seen = list(dict.fromkeys(one.language for said, _ in document.entries for one in said))
    wanted = LANGUAGES.get(to.strip().casefold(), to.strip().replace("_", "-").lower())
    target = next((one for one in seen if wanted and (one == wanted or _main(one) == _main(wanted))), "")
    rest = [one for one in seen if one != target]
    source = next((one for one in rest if one == document.default), rest[0] if rest else "")
    others = [one for one in rest if one != source]
    if not target and len(others) != 1:
        known = ", ".join(seen) or "no language"
        raise DataFault(f"{name}: '{to}' is not one language of it", hint=f"it has {known}")
    return source, target or others[0]


def _main(language: str) -> str:
    return language.partition("-")[0]


def _terms(said: Sequence[_Said], note: str, source: str, target: str) -> Iterable[Term]:
    good = [one.text for one in said if one.language == target and one.allowed]
    return [Term(one.text, good[0], note, tuple(good[1:])) for one in said if one.language == source and good]
