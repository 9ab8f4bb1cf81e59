"""What a card puts into a request, and where the parts of its book stand."""

from __future__ import annotations

import pytest
from character_files import V2, V3, json_bytes

from gptkit.capabilities.character import assemble, card_files
from gptkit.capabilities.character.assemble import EXAMPLES_SAID, Assembly, AssemblySettings
from gptkit.capabilities.character.assemble import assemble as assemble_card
from gptkit.capabilities.character.card import Book, BookEntry, Card
from gptkit.capabilities.character.lorebook import Scene
from gptkit.capabilities.character.macros import Dice
from gptkit.core.chat import Message

HELLO = Scene((Message("user", "hello"),))
PLAIN = Card("Ann", description="{{char}} is a smith.")


def play(token_budget: int = 100_000, scene: Scene = HELLO, **changes: str) -> AssemblySettings:
    return AssemblySettings("Bob", Dice(1), scene, token_budget, **changes)


def assembled(card: Card, given: AssemblySettings | None = None) -> Assembly:
    return assemble_card(card, given or play(), len)


def test_the_parts_of_a_card_stand_in_their_order() -> None:
    card = PLAIN._replace(
        personality="gruff", scenario="{{user}} enters.", system="Rules.", post_history="Mind {{user}}."
    )
    found = assembled(card)
    assert found.system == "Rules.\n\nAnn is a smith.\n\nAnn's personality: gruff\n\nScenario: Bob enters."
    assert found.injected == ((0, Message("system", "Mind Bob.")),)
    assert (found.examples, found.left_out, found.matched) == ((), (), frozenset())
    assert found.tokens == len(found.system) + len("Mind Bob.") + 4


def test_without_instructions_of_its_own_a_card_gets_the_usual_ones() -> None:
    found = assembled(PLAIN, play(system="Be {{char}}.", post_history="Go on."))
    assert found.system == "Be Ann.\n\nAnn is a smith."
    assert found.injected == ((0, Message("system", "Go on.")),)
    assert assembled(PLAIN).system.startswith("Write Ann's next reply in a conversation between Ann and Bob.")
    assert assembled(PLAIN).injected == ()


def test_original_stands_for_the_usual_instructions() -> None:
    card = PLAIN._replace(system="{{original}} Briefly.", post_history="{{ORIGINAL}}!")
    found = assembled(card, play(system="Be {{char}}.", post_history="Go on"))
    assert found.system.startswith("Be Ann. Briefly.\n\n")
    assert found.injected == ((0, Message("system", "Go on!")),)


def test_the_specifications_cards_are_assembled() -> None:
    scene = Scene((Message("assistant", "x"), Message("user", "Who are the members of the BRIGADE?")))
    for card, name in (
        (card_files.read_card(json_bytes(V2), "a"), "Haruhi"),
        (card_files.read_card(json_bytes(V3), "a"), "Haru"),
    ):
        found = assembled(card, play(scene=scene, system="Play {{char}}."))
        assert found.system == (
            f"Play {name}. Be brief.\n\nThe brigade has five members.\n\n{name} runs a club.\n\n"
            f"{name}'s personality: restless\n\nScenario: Bob meets {name} after school.\n\n"
            + EXAMPLES_SAID.format(count=4, name=name)
        )
        assert found.examples == (Message("user", "hi"), Message("assistant", "hello")) * 2
        assert found.injected == ((0, Message("system", f"Stay as {name}.")),)
        assert found.matched == frozenset({0})


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (BookEntry(position="before_char"), "S|E|D|Ann's personality: P|Scenario: C"),
        (BookEntry(position="after_char"), "S|D|Ann's personality: P|Scenario: C|E"),
        (BookEntry(), "S|D|Ann's personality: P|Scenario: C|E"),
        (BookEntry(content="@@position before_desc\nE"), "S|E|D|Ann's personality: P|Scenario: C"),
        (BookEntry(content="@@position after_desc\nE"), "S|D|E|Ann's personality: P|Scenario: C"),
        (BookEntry(content="@@position personality\nE"), "S|D|Ann's personality: P\nE|Scenario: C"),
        (BookEntry(content="@@position scenario\n@@depth 3\nE"), "S|D|Ann's personality: P|Scenario: C\nE"),
        (
            BookEntry(content="@@position nowhere\nE", position="before_char"),
            "S|E|D|Ann's personality: P|Scenario: C",
        ),
    ],
)
def test_entries_stand_where_they_ask_to(entry: BookEntry, expected: str) -> None:
    entry = entry._replace(constant=True, content=entry.content or "E")
    card = Card("Ann", "D", "P", "C", system="S", book=Book((entry,)))
    found = assembled(card)
    assert found.system.replace("\n\n", "|") == expected
    assert found.injected == ()


def test_entries_at_a_depth_become_messages() -> None:
    entries = (
        BookEntry(content="@@depth 2\nb", constant=True, insertion_order=2),
        BookEntry(content="@@depth 0\n@@role assistant\na", constant=True, insertion_order=1),
        BookEntry(content="@@depth -4\n@@role user\nc", constant=True, insertion_order=3),
    )
    found = assembled(PLAIN._replace(book=Book(entries), post_history="last"))
    assert found.injected == (
        (0, Message("assistant", "a")),
        (2, Message("system", "b")),
        (0, Message("user", "c")),
        (0, Message("system", "last")),
    )


def test_an_entry_can_turn_the_usual_instructions_off() -> None:
    content = "@@disable_ui_prompt system_prompt\n@@disable_ui_prompt post_history_instructions\nE"
    card = PLAIN._replace(
        book=Book((BookEntry(content=content, constant=True),)), post_history="{{original}}+"
    )
    found = assembled(card, play(post_history="P"))
    assert found.system == "Ann is a smith.\n\nE"
    assert found.injected == ((0, Message("system", "+")),)


def test_a_book_leaves_room_for_the_rest() -> None:
    entries = tuple(BookEntry(content=letter * 100, constant=True) for letter in "abcdef")
    card = PLAIN._replace(system="S", book=Book(entries))
    assert assembled(card, play(token_budget=1000)).system.count("\n\n") == 3
    assert assembled(card, play(token_budget=1000)).left_out == (
        "no room for 4 entries of the character's book",
    )
    greedy = card._replace(book=Book(entries, token_budget=10**6))
    assert "f" * 100 in assembled(greedy, play(token_budget=1000)).system
    assert "a" * 100 not in assembled(greedy, play(token_budget=100)).system


EXAMPLES = """<start>
{{user}}: one
two
Ann: three
{{char}}: four
Bob: five: six
<START>

*silence*
{{char}}: seven
<BOT>: eight
<START>
Ann speaks slowly.
Note: always."""


def test_examples_become_turns() -> None:
    found = assembled(PLAIN._replace(examples=EXAMPLES, system="S"))
    assert found.examples == (
        Message("user", "one\ntwo"),
        Message("assistant", "three\nfour"),
        Message("user", "five: six"),
        Message("assistant", "*silence*\nseven\neight"),
    )
    assert "An example of how Ann speaks:\nAnn speaks slowly.\nNote: always." in found.system
    assert found.system.endswith(EXAMPLES_SAID.format(count=4, name="Ann"))


def test_the_conversation_pushes_examples_out() -> None:
    card = PLAIN._replace(examples="<START>\nAnn: one\n<START>\nAnn: two", system="S")
    used = assembled(card._replace(examples="")).tokens + len("hello") + 4
    assert len(assembled(card, play(token_budget=used + 14)).examples) == 2
    found = assembled(card, play(token_budget=used + 13))
    assert found.examples == (Message("assistant", "one"),)
    assert found.left_out == ("no room for 1 of 2 example conversations",)
    assert assembled(card, play(token_budget=0)).examples == ()


def test_a_users_name_is_no_macro_and_no_speaker() -> None:
    hostile = AssemblySettings("{{char}}\nAnn: bad", Dice(1), HELLO, 10_000)
    found = assemble_card(PLAIN._replace(examples="{{user}}: hi {{user}}", system="S"), hostile, len)
    assert found.examples == (Message("user", "hi {{char}}\nAnn: bad"),)


def test_greetings_are_counted_from_the_first() -> None:
    card = PLAIN._replace(greeting="Hi {{user}}{{comment: x}}", alternate_greetings=("你好",))
    assert [assemble.greeting_text(card, place, play()) for place in (0, 1)] == ["Hi Bob", "你好"]
    assert assemble.greeting_text(card, 0, play(), "screen") == "Hi Bob(x)"


def test_a_seed_makes_a_request_again() -> None:
    card = PLAIN._replace(description="{{random:a,b,c,d,e,f,g,h}}{{roll:1000}}{{pick:a,b,c,d}}" * 5)
    assert assembled(card).system == assembled(card).system
    assert assembled(card).system != assemble_card(card, AssemblySettings("Bob", Dice(2), HELLO), len).system
