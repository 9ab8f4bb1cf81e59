"""Which entries of a character's book match, by the rules of V2 and V3, whatever the book is made of."""

from __future__ import annotations

from time import thread_time

import pytest
from work import within

from gptkit.capabilities.character import lorebook
from gptkit.capabilities.character.card import Book, BookEntry
from gptkit.capabilities.character.lorebook import EntryRules, Scene, Selection, parse_decorators
from gptkit.capabilities.character.macros import Dice, MacroValues
from gptkit.core.chat import Message

WORDS = MacroValues("Ann", "Bob", Dice(1), 1)
TALK = (
    Message("user", "Tell me of the DRAGON in the north."),
    Message("assistant", "It sleeps."),
    Message("user", "我们去旅馆吧，Bob will wait."),
)


def select(book: Book, scene: Scene | None = None, room: int = 1000) -> Selection:
    return lorebook.select_entries(book, scene or Scene(TALK), WORDS, lambda text: len(text), room)


def matched(entry: BookEntry, book: Book | None = None, scene: Scene | None = None) -> bool:
    entry = entry._replace(content=entry.content or "x")
    return bool(select((book or Book())._replace(entries=(entry,)), scene).active)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (BookEntry(("dragon",)), True),
        (BookEntry(("drag",)), True),  # contains, says V3
        (BookEntry(("dragon",), case_sensitive=True), False),
        (BookEntry(("DRAGON",), case_sensitive=True), True),
        (BookEntry(("旅馆",)), True),
        (BookEntry(("火山",)), False),
        (BookEntry(("{{user}}",)), True),
        (BookEntry(("STRASSE", "sleeps")), True),
        (BookEntry(()), False),
        (BookEntry(("", " ")), False),
        (BookEntry((), constant=True), True),
        (BookEntry((), constant=True, enabled=False), False),
        (BookEntry(("dragon",), enabled=False), False),
        (BookEntry(("dragon",), content=" \n"), False),
        (BookEntry(("dragon",), secondary_keys=("west",)), True),
        (BookEntry(("dragon",), secondary_keys=("west",), selective=True), False),
        (BookEntry(("dragon",), secondary_keys=("west", "north"), selective=True), True),
        (BookEntry(("dragon",), selective=True), True),
        (BookEntry(("/drag(on|gle)/i",), use_regex=True), True),
        (BookEntry(("/drag(on|gle)/",), use_regex=True), False),
        (BookEntry(("/dragon/",), use_regex=True, case_sensitive=False), True),
        (BookEntry(("/dragon/i",)), False),
        (BookEntry(("/(/", "dragon"), use_regex=True), False),
        (BookEntry(("dragon",), use_regex=True), True),
        (BookEntry(("/x/",), use_regex=True, constant=True), False),
        (BookEntry(("x",), use_regex=True, constant=True), True),
        (BookEntry(("/dragon/i",), use_regex=True, secondary_keys=("west",), selective=True), True),
    ],
)
def test_keys(entry: BookEntry, expected: bool) -> None:
    assert matched(entry) is expected


@pytest.mark.parametrize(
    ("decorator", "scene", "expected"),
    [
        ("", {}, True),
        ("@@dont_activate", {}, False),
        ("@@dont_activate\n@@activate", {}, True),
        ("@@activate_only_after 2", {}, False),
        ("@@activate_only_after 2", {"answers": 2}, True),
        ("@@activate_only_every 3", {"answers": 6}, True),
        ("@@activate_only_every 3", {"answers": 7}, False),
        ("@@activate_only_every 0", {"answers": 7}, True),
        ("@@is_greeting 1", {}, False),
        ("@@is_greeting 1", {"greeting": 1}, True),
        ("@@dont_activate_after_match", {"matched": frozenset({0})}, False),
        ("@@scan_depth 1", {}, False),
        ("@@additional_keys west, north", {}, True),
        ("@@additional_keys west\n@@additional_keys north", {}, False),
        ("@@exclude_keys west,旅馆", {}, False),
        ("@@exclude_keys west", {}, True),
        ("@@is_user_icon me", {}, True),
        ("@@strange 1\n@@@dont_activate", {}, False),
        ("@@scan_depth 9\n@@@dont_activate", {}, True),
        ("@@strange\n@@@stranger\n@@@activate_only_after 9\n@@@dont_activate", {}, False),
    ],
)
def test_decorators_decide(decorator: str, scene: dict[str, object], expected: bool) -> None:
    entry = BookEntry(("dragon",), f"{decorator}\nA dragon.")
    assert matched(entry, scene=Scene(TALK, **scene)) is expected  # type: ignore[arg-type]


def test_what_matched_before_can_stay() -> None:
    entry = BookEntry(("volcano",), "@@keep_activate_after_match\nA volcano.")
    assert not matched(entry)
    assert matched(entry, scene=Scene(TALK, matched=frozenset({0})))


def test_activate_needs_no_key_and_heeds_no_condition() -> None:
    assert matched(BookEntry(("volcano",), "@@activate\n@@is_greeting 4\nx"))
    assert not matched(BookEntry(("volcano",), "@@activate\nx", enabled=False))


def test_decorators_are_read_and_taken_away() -> None:
    rules, text = parse_decorators(
        "@@depth 4\n@@role user\n@@position  scenario\n@@depth 5\n@@odd value\n\nText\n@@no\n"
    )
    assert rules == EntryRules(depth=4, role="user", place="scenario", unknown_decorators=("odd",))
    assert text == "Text\n@@no"
    assert parse_decorators("@@ -1 +1 @@\ntext") == (EntryRules(), "@@ -1 +1 @@\ntext")
    assert parse_decorators("@@activate") == (EntryRules(activate=True), "")
    assert parse_decorators("@@role boss\n@@depth x\nT") == (
        EntryRules(unknown_decorators=("role", "depth")),
        "T",
    )
    assert parse_decorators("@@reverse_depth 1\n@@@depth 2\nT") == (
        EntryRules(depth=2, unknown_decorators=("reverse_depth",)),
        "T",
    )


@pytest.mark.parametrize(
    ("depth", "expected"), [(None, True), (3, True), (2, False), (0, False), (-1, False)]
)
def test_scan_depth_counts_messages(depth: int | None, expected: bool) -> None:
    assert matched(BookEntry(("dragon",)), Book(scan_depth=depth)) is expected


def test_entries_stand_in_their_order() -> None:
    orders = [3, -1.5, 3, 0]
    entries = tuple(
        BookEntry(("dragon",), f"{place}", insertion_order=order) for place, order in enumerate(orders)
    )
    assert [one.place for one in select(Book(entries)).active] == [1, 3, 0, 2]


def test_the_least_important_go_first_when_the_budget_ends() -> None:
    entries = (
        BookEntry(("dragon",), "a" * 40, priority=1, insertion_order=9),
        BookEntry(("dragon",), "b" * 40, priority=9, insertion_order=1),
        BookEntry(("dragon",), "c" * 40, insertion_order=5),
        BookEntry(("dragon",), "@@ignore_on_max_context\n" + "d" * 10, priority=99),
        BookEntry(("dragon",), "e" * 500, priority=100),
    )
    found = select(Book(entries, token_budget=85))
    assert [one.text[0] for one in found.active] == ["b", "c"]
    assert found.dropped == (0, 3, 4)
    assert found.matched == frozenset(range(5))
    assert select(Book(entries, token_budget=85), room=45).dropped == (0, 2, 3, 4)
    assert select(Book(entries, token_budget=-5)).active == ()


def test_entries_wake_others_only_when_the_book_wants_it() -> None:
    entries = (
        BookEntry(("dragon",), "It guards gold. {{hidden_key:smaug}}{{// volcano}}"),
        BookEntry(("gold",), "Gold is in the cave."),
        BookEntry(("cave",), "The cave is dark."),
        BookEntry(("smaug",), "He."),
        BookEntry(("volcano",), "Never."),
    )
    places = [one.place for one in select(Book(entries, recursive_scanning=True, scan_depth=3)).active]
    assert places == [0, 1, 2, 3]
    assert [one.place for one in select(Book(entries)).active] == [0]
    assert [one.place for one in select(Book(entries, recursive_scanning=False)).active] == [0]


def test_macros_of_an_entry_are_replaced_once() -> None:
    hostile = WORDS._replace(user="{{char}}")
    book = Book((BookEntry((), "{{user}} is here {{// x}}", constant=True),))
    found = lorebook.select_entries(book, Scene(TALK), hostile, len, 100)
    assert [one.text for one in found.active] == ["{{char}} is here"]


def test_different_spellings_of_a_letter_are_one() -> None:
    scene = Scene((Message("user", "the cafe\u0301"),))
    assert matched(BookEntry(("CAFÉ",)), scene=scene)


def test_a_large_book_is_no_hindrance() -> None:
    entries = tuple(
        BookEntry((f"key{place}", "旅馆" if place % 1000 == 0 else "x火"), "text") for place in range(10_000)
    )
    scene = Scene((Message("user", "long talk 旅馆 " * 5000),))
    book = Book(entries, recursive_scanning=True)
    found = within(200 * len(entries), select, book, scene)
    assert [one.place for one in found.active] == list(range(0, 10_000, 1000))


def test_patterns_that_would_take_for_ever_end() -> None:
    evil = BookEntry(("/(a+)+$/", "/(a|aa)+$/"), "x", use_regex=True)
    scene = Scene((Message("user", "a" * 90_000 + "!"),))
    start = thread_time()
    found = select(Book((evil,) * 1000 + (BookEntry(("a",), "x"),)), scene)
    assert found.active == ()
    assert not found.whole
    assert thread_time() - start < 20


def test_patterns_see_chinese_and_look_around() -> None:
    entries = tuple(
        BookEntry((key,), "x", use_regex=True)
        for key in (
            r"/旅馆(?!老板)/",
            r"/旅馆(?!吧)/",
            r"/(?<=我们)去/",
            r"/\p{Han}{5}，/u",
            r"/^(?=.*DRAGON)(?=.*north)/",
            r"/(我).*\1/",
        )
    )
    assert [one.place for one in select(Book(entries)).active] == [0, 2, 3, 4]


def test_a_key_that_cannot_be_read_is_told_and_hinders_no_other() -> None:
    keys = ("/(/", "/旅馆(/i", "/旅馆/", "dragon")
    found = select(Book(tuple(BookEntry((key,), "x", use_regex=True) for key in keys)))
    assert [one.place for one in found.active] == [2, 3]
    assert found.unused_keys == ("'/(/' is not a regular expression", "'/旅馆(/' is not a regular expression")
    assert found.whole


def test_a_key_that_takes_too_long_is_told_and_hinders_no_other() -> None:
    scene = Scene((Message("user", "a" * 90_000 + "龙!"),))
    keys = (("/(a+)+$/", "/龙/"), ("/(a|aa)+$/",), ("龙",))
    found = select(
        Book(tuple(BookEntry(key, "x", use_regex=True) for key in keys), recursive_scanning=True), scene
    )
    assert [one.place for one in found.active] == [0, 2]
    assert found.unused_keys == (
        "'/(a+)+$/' takes too long to match", "'/(a|aa)+$/' takes too long to match",
    )  # fmt: skip
    assert found.whole
