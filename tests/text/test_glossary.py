"""Glossaries: read from CSV and TBX, looked up in a text, and checked in its translation."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit_formats import pieces_of

from gptkit.core.errors import DataError
from gptkit.text.formats.subtitles import SubRip
from gptkit.text.formats.units import unit_line_finder
from gptkit.text.glossary import Glossary, Term, parse_glossary
from gptkit.text.pieces import Finding

TBX_2 = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE martif SYSTEM "TBXcoreStructV02.dtd">
<martif type="TBX" xml:lang="en"><text><body>
  <termEntry id="1"><descrip type="definition">A computer &amp; its programs</descrip>
    <langSet xml:lang="de"><tig><term>Rechner</term></tig>
      <tig><term>Kiste</term>
      <termNote type="administrativeStatus">deprecatedTerm-admn-sts</termNote></tig></langSet>
    <langSet xml:lang="en"><tig><term>server</term></tig><tig><term>host</term></tig></langSet>
    <langSet xml:lang="fr-CA"><ntig><termGrp><term>serveur</term></termGrp></ntig></langSet>
  </termEntry>
</body></text></martif>"""
TBX_3 = """<tbx xmlns="urn:iso:std:iso:30042:ed-2" type="TBX-Basic" xml:lang="en"><text><body>
  <conceptEntry id="1"><langSec xml:lang="en"><termSec><term>key</term></termSec></langSec>
  <langSec xml:lang="fr"><termSec><term>clé</term></termSec>
  <termSec><term>clef</term></termSec></langSec></conceptEntry>
</body></text></tbx>"""


@pytest.mark.parametrize(
    "text",
    [
        "key,clé,for locks\nlock,serrure\n",
        "\ufeffTerm,Translation,Note\r\nkey,clé,for locks\r\n\r\nlock,serrure,\r\n",
        "English\tFrench\nkey\tclé\tfor locks\nlock\tserrure\n",
        "en;fr\nkey;clé;for locks\nlock;serrure\n",
        '# mine\n"key","clé","for\nlocks"\nlock,serrure',
        "key,clé,for locks\nlock,serrure\nkey,clé\n",
    ],
)
def test_csv(text: str) -> None:
    assert parse_glossary(text).terms == (Term("key", "clé", "for locks"), Term("lock", "serrure"))


def test_a_term_with_two_translations_may_be_either() -> None:
    glossary = parse_glossary("key,clé\nkey,clef")
    assert glossary.terms == (Term("key", "clé", "", ("clef",)),)
    assert glossary.missing_terms("A key.", "Une clef.") == ()


def test_tbx() -> None:
    assert parse_glossary(TBX_2, "German").terms == (
        Term("server", "Rechner", "A computer & its programs"),
        Term("host", "Rechner", "A computer & its programs"),
    )
    assert [term.translation for term in parse_glossary(TBX_2, "fr").terms] == ["serveur", "serveur"]
    assert parse_glossary(TBX_3).terms == (Term("key", "clé", "", ("clef",)),)


@pytest.mark.parametrize(
    ("text", "to", "message"),
    [
        ("key\n", "", "glossary, line 1: 'key' stands alone: a term and its translation were expected"),
        ("a,b\n,c\n", "", "glossary, line 2: 'c' stands alone: a term and its translation were expected"),
        (f"a,b\n{'c' * 200_000},d\n", "", "glossary, line 2: not CSV, or a field is too long"),
        ("<tbx>", "", "glossary, line 1, column 6: not XML"),
        ("<html></html>", "", "glossary: no entries of TBX in it"),
        (TBX_2, "Klingon", "glossary: 'Klingon' does not name one of its languages"),
        (
            '<!DOCTYPE x [<!ENTITY a "b">]><tbx>&a;</tbx>',
            "",
            "glossary, line 1: a glossary must not declare entities",
        ),
        (
            '<!DOCTYPE x [<!ENTITY % a "b"> %a;]><tbx/>',
            "",
            "glossary, line 1: a glossary must not declare entities",
        ),
    ],
)
def test_what_is_no_glossary_is_refused(text: str, to: str, message: str) -> None:
    with pytest.raises(DataError) as fault:
        parse_glossary(text, to)
    assert fault.value.message == message


@pytest.mark.parametrize(
    ("term", "text", "expected"),
    [
        ("server", "Servers are up.", True),
        ("server", "the SERVER", True),
        ("server", "it is safe", False),
        ("bus", "two buses", True),
        ("library", "two libraries", True),
        ("key", "a monkey", False),
        ("key", "keys", True),
        ("key", "keyboard", False),
        ("international", "internal", False),
        ("Apple", "an apple", False),
        ("Apple", "by Apple.", True),
        ("IT", "it is", False),
        ("database server", "database\nservers", True),
        ("database server", "database. Servers", False),
        ("front-end", "the front end", True),
        ("C++", "in C++.", True),
        ("C++", "in C.", False),
        (".NET", "on .NET 8", True),
        ("Datenbank", "in Datenbanken", True),
        ("сервер", "серверами", True),
        ("人工智能", "关于人工智能的书", True),
        ("人工智能", "关于人工的书", False),
        ("API密钥", "你的api密钥是", False),
        ("api密钥", "你的API密钥是", True),
        ("書", "本と書", True),
        ("서버", "서버에서", True),
        ("데이터베이스", "데이터베이스가 있다", True),
    ],
)
def test_a_term_occurs(term: str, text: str, expected: bool) -> None:
    assert bool(Glossary([Term(term, "x")]).terms_in(text)) is expected


def test_a_term_within_a_longer_one_does_not_count() -> None:
    glossary = Glossary(
        [Term("server", "a"), Term("database server", "b"), Term("智能", "c"), Term("人工智能", "d")]
    )
    assert [term.translation for term in glossary.terms_in("The database servers. 人工智能")] == ["b", "d"]
    assert [
        term.translation for term in glossary.terms_in("Database servers and a server; 智能, 人工智能")
    ] == list("abcd")


@pytest.mark.parametrize(
    ("translation", "answer", "applied"),
    [
        ("Datenbank", "Die Datenbanken sind da", True),
        ("Datenbank", "Die Kundendatenbank ist da", True),
        ("Datenbank", "Die Daten sind da", False),
        ("fichier de prompt", "Les fichiers de prompts", True),
        ("fichier de prompt", "un prompt de fichier", False),
        ("clé", "La Clé", True),
        ("clé", "le clédard", False),
        ("artificial intelligence", "an artificial, general intelligence", True),
        ("人工智能", "关于 人工 智能 的书", True),
        ("人工智能", "关于智能的书", False),
        ("C#", "in C#", True),
        ("C#", "in C", False),
    ],
)
def test_a_term_was_applied(translation: str, answer: str, applied: bool) -> None:
    findings = Glossary([Term("word", translation)]).missing_terms("Intro\nA word.", answer)
    assert findings == (() if applied else (Finding(2, "term", f"term 'word' is not '{translation}'"),))


def test_findings_have_the_line_of_the_input() -> None:
    source = "1\n00:00:01,000 --> 00:00:02,000\nHello\n\n2\n00:00:03,000 --> 00:00:04,000\nmy\ndear friend\n"
    (piece,) = pieces_of(SubRip(), source)
    glossary = Glossary([Term("friend", "ami"), Term("hello", "salut")])
    findings = glossary.missing_terms(piece.text, "rien", unit_line_finder(piece))
    assert [str(finding) for finding in findings] == [
        "line 3: term 'hello' is not 'salut'",
        "line 8: term 'friend' is not 'ami'",
    ]


def test_ten_thousand_terms_are_looked_at_by_their_first_letters_alone() -> None:
    terms = [Term(f"{chr(97 + n % 26)}{n:05}x{n}", "y") for n in range(10_000)]
    glossary = Glossary(terms)
    assert glossary.terms_in(" ".join(term.term for term in terms[:3000:100])) == tuple(terms[:3000:100])


@settings(max_examples=200)
@given(
    st.lists(st.text("ab S.+-é世界𠀀İß", min_size=1, max_size=6), max_size=6),
    st.text("ab S.+-é世界𠀀İß\n", max_size=60),
)
def test_any_terms_and_any_text(terms: list[str], text: str) -> None:
    glossary = Glossary(Term(term, term) for term in terms)
    assert set(glossary.terms_in(text)) <= set(glossary.terms)
    glossary.missing_terms(text, text[::-1])


SIGNS = [*'a,;\t"\n\r#<>/&![ ', "<term>", "</term>", "<!ENTITY x 'y'>", "<!DOCTYPE a ["]


@settings(max_examples=200)
@given(st.lists(st.sampled_from(SIGNS), max_size=30).map("".join))
def test_any_file_is_read_or_refused(text: str) -> None:
    try:
        parse_glossary(text)
    except DataError:
        return
