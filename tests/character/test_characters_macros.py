"""Macros are replaced once, by the rules of V2 and V3; dice can be thrown again."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptkit.capabilities.character import macros
from gptkit.capabilities.character.macros import Dice, MacroValues, Purpose, seed_of
from gptkit.core.errors import DataError, UsageError


def words(char: str = "Ann", user: str = "Bob", original: str | None = None, seed: int = 1) -> MacroValues:
    return MacroValues(char, user, Dice(seed), seed, original)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{char}} and {{user}}", "Ann and Bob"),
        ("{{CHAR}} {{ User }} <USER> <bot> <Char> <start>", "Ann Bob Bob Ann Ann <start>"),
        ("a{{// a note}}b{{//x}}c", "abc"),
        ("a{{comment: note}}b{{hidden_key:k}}c", "abc"),
        ("{{reverse:Hello}}", "olleH"),
        ("{{reverse:你好}}", "好你"),
        ("{{random:x}}{{pick::y}}{{random:a\\,b}}", "xya,b"),
        ("{{roll:1}}{{roll:d1}}{{roll:D1}}{{roll 3d1+2}}", "1115"),
        ("{{original}}", "{{original}}"),
        ("{{unknown}} {{getvar::x}} {{ }} {{}}", "{{unknown}} {{getvar::x}} {{ }} {{}}"),
        ("{{char", "{{char"),
        ("{{random:a {{char", "{{random:a {{char"),
        ("char}} {{user}}", "char}} Bob"),
        ("{{random:{{user}}}}", "Bob"),
        ("{{// {{user}} }}x", "x"),
        ("{{charm}} {{char:x}} {{random}}", "{{charm}} {{char:x}} {{random}}"),
        ("{{roll:nonsense}} {{roll:0}}", "{{roll:nonsense}} {{roll:0}}"),
    ],
)
def test_macros_are_replaced(text: str, expected: str) -> None:
    assert macros.expand(text, words()) == expected


@pytest.mark.parametrize(
    ("use", "expected"),
    [("prompt", "."), ("screen", "(c)."), ("scan", ".k")],
    ids=["prompt", "screen", "scan"],
)
def test_what_a_text_is_for_decides_about_notes(use: Purpose, expected: str) -> None:
    assert macros.expand("{{comment: c}}.{{hidden_key:k}}{{// n}}", words(), use) == expected


def test_what_is_inserted_is_not_read_again() -> None:
    hostile = words("{{user}}", "{{random:1,2}} <bot>")
    assert macros.expand("{{char}}|{{user}}", hostile) == "{{user}}|{{random:1,2}} <bot>"
    assert macros.expand("{{random:{{user}}}}", hostile) == "{{random:1,2}} <bot>"
    assert macros.expand("{{reverse:}}resu{{}}", words()) == "resu{{}}"


def test_the_original_is_inserted_as_it_is() -> None:
    assert macros.expand("{{original}}!", words(original="{{user}}")) == "{{user}}!"


def test_random_is_fair_and_repeatable() -> None:
    text = "{{random:a, b,c}}" * 300
    found = macros.expand(text, words(seed=3))
    assert {letter: found.count(letter) > 60 for letter in "abc"} == dict.fromkeys("abc", True)
    assert macros.expand(text, words(seed=3)) == found != macros.expand(text, words(seed=4))


def test_the_older_way_of_writing_choices_is_met() -> None:
    found = {macros.expand("{{random::a,b::c}}", words(seed=seed)) for seed in range(20)}
    assert found == {"a,b", "c"}


def test_pick_stays_with_its_choice_and_takes_no_die() -> None:
    one = words(seed=5)
    text = "{{pick:a,b,c,d}}{{pick:a,b,c,d}}{{pick:a,b,c,d}}{{pick:a,b,c,d}}"
    found = macros.expand(text, one)
    assert macros.expand(text, one) == found
    assert one.dice.place == 0
    assert len(set(found)) > 1


def test_expansion_has_a_measure() -> None:
    with pytest.raises(DataError, match="grows beyond 4 MiB"):
        macros.expand("{{char}}" * 5000, words("x" * 1000))
    with pytest.raises(DataError, match="100000 macros"):
        macros.expand("{{//}}" * 100_001, words())


def test_macros_in_macros_end_somewhere() -> None:
    deep = "{{reverse:" * 10_000 + "}}" * 10_000
    assert len(macros.expand(deep, words())) == len(deep) - macros.DEPTH_CAP * len("{{reverse:}}")
    assert macros.expand("{{" * 200_000, words()) == "{{" * 200_000


@given(st.text(alphabet="{}<>/:,\\ charuserandompickol1d"))
def test_any_text_can_be_expanded(text: str) -> None:
    assert isinstance(macros.expand(text, words()), str)


@given(st.text().filter(lambda text: "{{" not in text and "<" not in text))
def test_text_without_macros_stays(text: str) -> None:
    assert macros.expand(text + "{{user}}", words()) == text + "Bob"


def test_unknown_macros_are_named() -> None:
    assert list(macros.unknown_macros("{{char}} {{getvar::a}} {{// b}} {{Time}} {{roll 2}}")) == [
        "getvar",
        "Time",
    ]


@pytest.mark.parametrize(
    ("notation", "low", "high"),
    [
        ("d20", 1, 20),
        ("2d6+1", 3, 13),
        ("D%", 1, 100),
        ("4d6kh3", 3, 18),
        ("2d20kl1", 1, 20),
        ("4d6dl1", 3, 18),
        ("3d6dh2-1", 0, 5),
        (" 2d6 - 1d4 ", -2, 11),
        ("-3", -3, -3),
        ("7", 7, 7),
    ],
)
def test_throws_stay_within_their_bounds(notation: str, low: int, high: int) -> None:
    dice = Dice(7)
    thrown = [dice.roll(notation).value for _ in range(400)]
    assert low <= min(thrown) <= max(thrown) <= high
    assert high - low > 12 or (min(thrown), max(thrown)) == (low, high)


def test_a_throw_tells_how_it_came_about() -> None:
    roll = Dice(1).roll("4d6kh3 + 1")
    shown, value = roll.text.removeprefix("4d6kh3+1 = [").split("] + 1 = ")
    dice = shown.split()
    dropped = [int(die.strip("()")) for die in dice if die.startswith("(")]
    kept = [int(die) for die in dice if not die.startswith("(")]
    assert (len(kept), len(dropped), sum(kept) + 1) == (3, 1, roll.value) and int(value) == roll.value
    assert dropped[0] <= min(kept)


def test_a_seed_gives_these_numbers_everywhere() -> None:
    dice = Dice(42)
    first = [dice.number(6) for _ in range(10)]
    assert first == [6, 2, 5, 2, 4, 3, 6, 4, 3, 6]
    assert [Dice(42, place).number(6) for place in range(10)] == first
    assert seed_of("骰子") == 9091754754255858488


def test_every_side_of_a_die_is_as_likely() -> None:
    dice = Dice(-1)
    thrown = Counter(dice.number(6) for _ in range(6000))
    assert sorted(thrown) == [1, 2, 3, 4, 5, 6]
    assert 900 < min(thrown.values()) <= max(thrown.values()) < 1100


def test_without_a_seed_dice_differ() -> None:
    assert Dice().seed != Dice().seed


@pytest.mark.parametrize(
    "notation",
    ["", "d", "2d", "d0", "0d6", "101d6", "d1000001", "2x", "1+", "d6d6", "²d6", "1d6" + "+1" * 30],
)
def test_what_is_no_throw_is_refused(notation: str) -> None:
    with pytest.raises(UsageError):
        Dice(1).roll(notation)
