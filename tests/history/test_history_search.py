"""Search: words in every script, nothing of the user's is interpreted, and the excerpt shows why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from history_parts import STARTED, ending, opening, store

from gptkit.history.search import match_positions
from gptkit.history.store import Store
from gptkit.history.tokenize import INDEXED_LENGTH

TEXTS = {
    "chinese": "我们明天去北京大学参观",
    "end": "他会说中文吗",
    "mixed": "用python写代码很快",
    "alone": "a 好 b",
    "japanese": "ｶﾞｲﾄﾞとカタカナ、ひらがな",
    "korean": "한국어를 공부합니다",
    "rare": "\U0002b820\U0002b821 \U00030001",
    "thai": "ภาษาไทยง่าย",
    "english": "The runners were running quickly; don't stop",
    "latin": "Ünïcode CAFÉ straße ﬁne ＦＵＬＬ",
    "code": 'NEAR("a b", 2) OR c* AND -d ^e {f g}: foo_bar(x) C++',
    "party": "well done 🎉",
    "nul": "before\0after",
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    found = store(tmp_path_factory.mktemp("store"))
    for number, (name, text) in enumerate(TEXTS.items()):
        found.finish(opening(text, prompt=name, started=STARTED + number), ending("..."))
    yield found
    found.close()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("北京", "chinese"),
        ("北京大学", "chinese"),
        ("京大", "chinese"),
        ("北学", ""),  # both characters are there, but not beside each other
        ("我", "chinese"),
        ("京", "chinese"),
        ("观", "chinese"),  # the last of a run
        ("北京 参观", "chinese"),
        ("北京 中文", ""),
        ("吗", "end"),
        ("好", "alone"),
        ("写", "mixed"),
        ("写代", "mixed"),
        ("python写", "mixed"),
        ("PYTHON 快", "mixed"),
        ("ガイド", "japanese"),
        ("ひらがな カナ", "japanese"),
        ("국어", "korean"),
        ("\U0002b820\U0002b821", "rare"),
        ("\U0002b821\U0002b820", ""),
        ("\U00030001", "rare"),
        ("ไทย", "thai"),
        ("run", "english"),
        ("RUNNING quickly", "english"),
        ("don't", "english"),
        ("cafe\u0301", "latin"),
        ("STRASSE", "latin"),
        ("fine full", "latin"),
        ("unicode", "latin"),
        ("foo_bar", "code"),
        ("foo bar", "code"),
        ('"a b"', "alone code"),
        ("NEAR OR AND", "code"),
        ("c*", "code"),
        ("C++", "code"),
        ("body:a", ""),
        ("NOT stop", ""),
        ("🎉", "party"),
        ("++", "code"),
        ("before", "nul"),
        ("after", "nul"),
        ("before\0after", "nul"),
        ("\udc80", ""),
        ("'", "english"),
        ('"', "code"),
        ("", ""),
        (" ", ""),
    ],
)
def test_words_find(kept: Store, words: str, expected: str) -> None:
    found = " ".join(sorted(turn.prompt for turn, _ in kept.search(words, 9)))
    assert found == expected


def test_the_latest_come_first_whatever_the_order_they_were_stored_in(tmp_path: Path) -> None:
    kept = store(tmp_path)
    for started in (3, 1, 2, 2):
        kept.finish(opening(f"word {started}", started=STARTED + started), ending())
    assert [turn.user for turn, _ in kept.search("word", 3)] == ["word 3", "word 2", "word 2"]
    kept.close()


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("x" * 200 + " the needle " + "y" * 200, "needle", "needle"),
        ("甲" * 300 + "北京大学" + "乙" * 300, "京大", "京大"),
        ("x " * 200 + "he was running " + "y " * 200, "runs", "running"),
        ("ﬁne " * 50 + "ＦＵＬＬ width", "full", "ＦＵＬＬ"),
        ("lines\n\nand\ttabs and a needle", "needle", "needle"),
    ],
)
def test_the_excerpt_shows_what_was_found(tmp_path: Path, text: str, words: str, expected: str) -> None:
    kept = store(tmp_path)
    for user, answer in ((text, "no"), ("no", text)):
        kept.finish(opening(user), ending(answer))
    for _, excerpt in kept.search(words, 2):
        assert [excerpt[slice(*place)] for place in match_positions(excerpt, words)][:1] == [expected]
        assert len(excerpt) <= 122
        assert "\n" not in excerpt
    assert len(kept.search(words, 2)) == 2
    kept.close()


def test_of_a_huge_text_the_beginning_is_indexed_and_all_of_it_is_removed(tmp_path: Path) -> None:
    kept = store(tmp_path)
    filler = "filler " * (INDEXED_LENGTH // 7)
    kept.finish(opening("question"), ending(f"early {filler} late"))
    assert [len(kept.search(word, 9)) for word in ("question", "early", "late")] == [1, 1, 0]
    (session,) = kept.sessions(1)
    assert kept.remove(session) == 1
    assert kept.search("early", 9) == []
    with kept.writing() as connection:
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    kept.close()
