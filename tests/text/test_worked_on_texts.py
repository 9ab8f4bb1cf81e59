"""Answers to texts that are worked on: a table of damages, and translations by people that must pass."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
from damaged_answers import DATA, Answer, Damage, answers
from translations_of import marked

from gptkit.encodings.stream import split_lines
from gptkit.text.checks.common import general_findings
from gptkit.text.checks.language import detect_language, other_language, weight
from gptkit.text.checks.translation import TargetLanguage, piece_findings, text_findings
from gptkit.text.chunk import HOLE
from gptkit.text.formats import format_named
from gptkit.text.masking import COMMON_RULES, mask_text
from gptkit.text.pieces import Finding, Piece, Slot

ALL = list(answers())
DAMAGES = [
    pytest.param(one, damage, id=f"{one.name}: {damage.kind}: {damage.old!r} -> {damage.new!r}"[:100])
    for one in ALL
    for damage in one.damages
]


def test_the_table_is_of_some_size() -> None:
    assert len(DAMAGES) >= 60
    assert {one.format for one in ALL} >= {"text", "markdown", "json", "yaml", "srt", "vtt", "po"}


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_a_faithful_answer_passes(one: Answer) -> None:
    assert one.findings(one.text) == set()


@pytest.mark.parametrize(("one", "damage"), DAMAGES)
def test_a_damage_is_found(one: Answer, damage: Damage) -> None:
    assert damage[:2] in one.findings(one.damaged(damage))


PEOPLE: dict[str, list[tuple[str, str]]] = json.loads((DATA / "human_translations.json").read_text("utf-8"))
TO_ENGLISH = [(text, answer, "en") for pairs in PEOPLE.values() for answer, text in pairs]
FROM_ENGLISH = [(text, answer, to) for to, pairs in PEOPLE.items() for text, answer in pairs]


@pytest.mark.parametrize("pairs", [FROM_ENGLISH, TO_ENGLISH], ids=["from English", "to English"])
def test_hardly_any_translation_by_people_is_called_wrong(pairs: list[tuple[str, str, str]]) -> None:
    """480 pairs of twenty languages; the bound is that of the whole program's promise."""
    found = Counter[str]()
    for text, answer, to in pairs:
        kinds = wrong_kinds(text, answer, to)
        found.update({*kinds, "any"} if kinds else {})
    assert len(pairs) == 480
    assert found["any"] <= 0.02 * len(pairs), found


def wrong_kinds(text: str, answer: str, to: str) -> set[str]:
    piece = unit_of(text)
    given = marked(piece, f"⟦#1⟧\n{answer.strip()}")
    unit = piece._replace(text=piece.units[0])
    general = () if given == piece.text else general_findings(unit, given[5:], COMMON_RULES, lambda _: 1)
    found = [*general, *piece_findings(piece, given, TargetLanguage(to))]
    return {one.kind for one in found if one.level == "wrong"}


def unit_of(text: str) -> Piece:
    source = f"a: {json.dumps(text)}\n"
    masked, masks = mask_text(text.strip(), COMMON_RULES)
    numbers = iter(range(len(masks)))
    unit = re.sub(HOLE, lambda _: f"⟦{next(numbers)}⟧", masked)
    slot = Slot(0, len(source))
    return Piece(source, f"⟦#1⟧\n{unit}", tuple(masks), (unit,), slots=(slot,))


def test_every_language_is_told_from_its_neighbours() -> None:
    """The long ones; what is said of a language is right, or nothing is said."""
    for to, pairs in PEOPLE.items():
        answers = [answer for _, answer in pairs if weight(answer) >= 150]
        assert [answer for answer in answers if other_language(answer, to)] == []


@pytest.mark.parametrize(
    ("text", "asked", "found"),
    [
        ("The house that we live in is old, and it has a garden.", "fr", "English"),
        ("La maison dans laquelle nous vivons est ancienne, et elle a un jardin.", "en", "French"),
        ("Das Haus, in dem wir wohnen, ist alt, und es hat einen Garten.", "zh", "German"),
        ("这是一个很老的房子，我们在里面住了许多年，还有一个花园。", "fr", "Chinese"),
        ("這是一個很老的房子，我們在裡面住了許多年，還有一個花園。", "zh", "traditional Chinese"),
        ("这是一个很老的房子，我们在里面住了许多年，还有一个花园。", "zh-TW", "simplified Chinese"),
        ("これはとても古い家で、私たちは何年もそこに住んでいます。", "zh", "Japanese"),
        ("这是一个很老的房子，我们在里面住了许多年，还有一个花园。", "ja", "Chinese"),
        ("Это очень старый дом, в котором мы живём много лет.", "uk", "Russian"),
        ("Це дуже старий будинок, у якому ми живемо багато років.", "fr", "Cyrillic letters"),
        ("これはとても古い家で、私たちは何年もそこに住んでいます。", "ja", None),
        ("这个软件包叫做 PostgreSQL，它和 Debian GNU/Linux 一起安装。", "zh", None),
        ("PostgreSQL, MySQL, SQLite, Redis, MongoDB, Cassandra", "zh", None),
        ("Det huset er gammelt, og vi har en hage som alle liker.", "nb", None),
        ("Short.", "fr", None),
        ("The house that we live in is old, and it has a garden.", "xx", None),
    ],
)
def test_another_language_is_found(text: str, asked: str, found: str | None) -> None:
    assert other_language(text, asked) == found


def test_the_same_language_is_told_without_its_name() -> None:
    assert detect_language("这是一个很老的房子，我们在里面住了许多年，还有一个花园。") == "zh"
    assert detect_language("這是一個很老的房子，我們在裡面住了許多年，還有一個花園。") == "zh-Hant"
    assert detect_language("La maison dans laquelle nous vivons est ancienne, et elle a un jardin.") == "fr"
    assert detect_language("PostgreSQL, MySQL, SQLite, Redis, MongoDB, Cassandra, Oracle") == ""


UNTRANSLATED = [
    ("Required. 30 characters or fewer, please.", "fr", True),
    ("您确定要删除这些文件吗？", "en", True),
    ("PostgreSQL", "fr", False),
    ("git commit --amend", "zh", False),
    ("content type", "it", False),
    ("日本語", "en", False),
    ("Le fichier n'est pas dans la liste.", "fr", False),
]


@pytest.mark.parametrize(("text", "to", "is_wrong"), UNTRANSLATED)
def test_a_text_may_stay_where_nothing_is_to_translate(text: str, to: str, is_wrong: bool) -> None:
    found = list(text_findings(text, text, TargetLanguage(to), lambda _: 1))
    message = "text is unchanged, not translated"
    assert found == ([Finding(1, "unchanged", message)] if is_wrong else [])
    assert list(text_findings(text, text, TargetLanguage("", is_translated=False), lambda _: 1)) == []


LIBRARY = "Die Bibliothek in Paris ist am Wochenende geschlossen und öffnet am Montag."
REFUSALS = {
    "en": "I'm not able to translate this content.",
    "zh": "我没有办法帮您翻译这段文字。",
    "zh-Hant": "請原諒，我無法協助翻譯。",
    "ja": "申し訳ございませんが、翻訳できません。",
    "ko": "죄송하지만 번역할 수 없습니다.",
    "fr": "Je refuse de traduire ce contenu.",
    "de": "Leider kann ich diesen Text nicht übersetzen.",
    "es": "Lo siento, no puedo ayudarte con eso.",
    "it": "Mi dispiace, non posso tradurre questo testo.",
    "pt": "Infelizmente, não posso traduzir este texto.",
    "nl": "Sorry, ik kan je daar niet mee helpen.",
    "ru": "К сожалению, я не могу перевести этот текст.",
    "uk": "Вибачте, але я не можу допомогти з цим.",
    "pl": "Niestety nie mogę przetłumaczyć tego tekstu.",
    "cs": "Omlouvám se, ale s tím nemohu pomoci.",
    "sv": "Tyvärr kan jag inte hjälpa till med det.",
    "tr": "Üzgünüm, bu metni çeviremem.",
    "ar": "عذرًا، لا أستطيع ترجمة هذا النص.",
    "vi": "Rất tiếc, tôi không thể dịch nội dung này.",
    "id": "Maaf, saya tidak dapat membantu dengan permintaan itu.",
    "hi": "मुझे खेद है, लेकिन मैं इसमें सहायता नहीं कर सकता।",
    "th": "ขออภัย ฉันไม่สามารถช่วยเรื่องนี้ได้",
}


@pytest.mark.parametrize("to", REFUSALS)
def test_a_refusal_is_told_in_the_target_language(to: str) -> None:
    (found,) = text_findings(LIBRARY, REFUSALS[to], TargetLanguage(to), lambda _: 1)
    assert (found.kind, found.level) == ("refusal", "wrong")


@pytest.mark.parametrize(
    ("text", "answer", "to"),
    [
        (
            "I'm sorry, but I can't help you with that.",
            "Je suis désolé, mais je ne peux pas vous aider.",
            "fr",
        ),
        ("对不起，我无法帮助您。", "I'm sorry, but I cannot help you.", "en"),
        ("The text is already correct.", "文本已经是正确的。", "zh"),
        ("Here is the translation:", "Voici la traduction :", "fr"),
        ("Note: the shop is closed.", "注：商店已关门。", "zh"),
        ("Let me know if you need help.", "如果您需要帮助，请告诉我。", "zh"),
        ("Sure! I will come.", "当然！我会来的。", "zh"),
        ("Yes, remove it", "네, 제거합니다", "ko"),
        ("Last change on", "Dernière modification le", "fr"),
        ("The files and", "Die Dateien und", "de"),
    ],
)
def test_texts_that_say_what_models_say_are_translated(text: str, answer: str, to: str) -> None:
    assert list(text_findings(text, answer, TargetLanguage(to), lambda _: 1)) == []


def test_the_finding_names_the_defect_and_the_place() -> None:
    text = "One is here.\n\nThe museum opens at nine, and all of its rooms are free for children."
    answer = "Un est ici.\n\nLe musée ouvre à neuf heures, et toutes ses salles sont gratuites pour les"
    piece = Piece(text, text, line=7)
    assert list(piece_findings(piece, answer, TargetLanguage("fr"))) == [
        Finding(9, "end", "text breaks off: 'salles sont gratuites pour les'")
    ]


def test_lines_of_units_are_those_of_the_document() -> None:
    known = format_named("json")
    assert known
    source = '{\n"a": "The first one is here.",\n"b": "Do you want to save your changes?"\n}'
    (piece,) = known.pieces(split_lines([source]), 500)
    answer = "⟦#1⟧\nDer erste ist hier.\n⟦#2⟧\nDo you want to save your changes?"
    assert list(piece_findings(piece, answer, TargetLanguage("de"))) == [
        Finding(3, "unchanged", "text is unchanged, not translated")
    ]
