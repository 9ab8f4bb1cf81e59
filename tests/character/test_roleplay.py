"""Characters from the command line: what a card brings into the request, and how a conversation begins."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from character_files import V2, V3, charx, json_bytes, png
from fake.server import FakeServer

Gptkit = Callable[..., tuple[int, str, str]]
HOSTILE = "{% for i in range(9) %}x{% endfor %}{{ system }}{{ card.called }}{# no #}"


def sent(server: FakeServer, number: int = -1) -> list[tuple[str, str]]:
    return [(one["role"], one["content"]) for one in server.requests[number].json["messages"]]


def card(folder: Path, **changes: Any) -> str:
    """A V2 card in a picture."""
    data = {**V2["data"], **changes}  # type: ignore[dict-item]
    (folder / "haruhi.png").write_bytes(png({"chara": {**V2, "data": data}}))
    return "haruhi.png"


def sheet(folder: Path, text: str, name: str = "marta.yaml") -> str:
    (folder / name).write_text(f"name: Marta\ndescription: Keeps an inn.\n{text}", "utf-8")
    return name


def test_a_card_in_a_picture_is_played(gptkit: Gptkit, server: FakeServer, folder: Path) -> None:
    server.say("Of course.")
    path = card(folder)
    assert gptkit("roleplay", path, "Who are the members of the brigade?", "--user", "Kyon") == (
        0,
        "Of course.\n",
        "",
    )
    messages = sent(server)
    assert [role for role, _ in messages] == [
        "system",
        *("user", "assistant") * 2,
        "assistant",
        "user",
        "system",
    ]
    system = messages[0][1]
    assert system.startswith("You play Haruhi in a conversation with Kyon.")  # {{original}}
    assert "Be brief." in system
    assert "Haruhi runs a club." in system
    assert "Kyon meets Haruhi after school." in system
    assert messages[5:] == [
        ("assistant", "You are late, Kyon."),
        ("user", "Who are the members of the brigade?\n"),
        ("system", "Stay as Haruhi."),
    ]
    assert "The brigade has five members." in system


@pytest.mark.parametrize(
    ("words", "budget", "is_there"),
    [
        ("Who are the members of the brigade?", 100, True),
        ("社团 members", 100, True),
        ("Who are the members?", 100, False),
        ("Who are the members of the brigade?", 2, False),
    ],
)
def test_a_book_entry_is_called_by_its_keys_and_kept_by_its_budget(
    gptkit: Gptkit, server: FakeServer, folder: Path, words: str, budget: int, is_there: bool
) -> None:
    book = {**V2["data"]["character_book"], "token_budget": budget}  # type: ignore[index]
    server.say("Yes.")
    assert gptkit("roleplay", card(folder, character_book=book), words)[0] == 0
    assert ("five members" in sent(server)[0][1]) is is_there


def test_a_book_looks_at_earlier_turns_as_deep_as_it_wants(
    gptkit: Gptkit, server: FakeServer, folder: Path
) -> None:
    server.say("Fine.", times=3)
    path = card(folder)
    for words in ("The brigade and its members!", "Go on.", "And on."):
        assert gptkit("roleplay", path, words, "-s", "club")[0] == 0
    found = ["five members" in sent(server, number)[0][1] for number in range(3)]
    assert found == [True, False, False]  # its scan depth is two messages


def test_card_text_is_never_a_template_and_its_macros_are_expanded_once(
    gptkit: Gptkit, server: FakeServer, folder: Path
) -> None:
    server.say("Yes.")
    path = card(folder, description=f"{HOSTILE} {{{{user}}}} | <USER>", scenario="", name="{{user}}")
    assert gptkit("roleplay", path, "{{char}} hi", "--user", "{{char}}{{user}}")[:2] == (0, "Yes.\n")
    messages = sent(server)
    assert f"{HOSTILE} {{{{char}}}}{{{{user}}}} | {{{{char}}}}{{{{user}}}}" in messages[0][1]
    assert ("user", "{{char}} hi\n") in messages


@pytest.mark.parametrize("kind", ["json", "charx", "yaml"])
def test_other_formats_and_names(
    gptkit: Gptkit, server: FakeServer, folder: Path, home: Path, kind: str
) -> None:
    characters = home / "config" / "characters"
    characters.mkdir(parents=True)
    content = {
        "json": json_bytes(V3),
        "charx": charx({"card.json": json_bytes(V3)}),
        "yaml": "name: Haru\ndescription: 团长".encode(),
    }
    (characters / f"haru.{kind}").write_bytes(content[kind])
    server.say("嗯。")
    assert gptkit("roleplay", "haru", "你好") == (0, "嗯。\n", "")
    assert "You play Haru in a conversation with User." in sent(server)[0][1]


@pytest.mark.parametrize("word", ["gone.png", "gone.json", "gone.yaml", "gone.charx", "no/such.PNG"])
def test_a_card_that_does_not_exist_is_no_description(gptkit: Gptkit, server: FakeServer, word: str) -> None:
    assert gptkit("roleplay", word, "hello") == (66, "", f"gptkit: '{word}': no such file\n")
    assert server.requests == []


@pytest.mark.parametrize("words", ["a grumpy innkeeper", "掌柜", "guard/soldier", "x" * 5000, "marta"])
def test_a_description_in_words_plays_as_ever(gptkit: Gptkit, server: FakeServer, words: str) -> None:
    server.say("No.")
    assert gptkit("roleplay", words, "A room?", "--user", "a stranger") == (0, "No.\n", "")
    assert f"<character>\n{words}\n</character>" in sent(server)[0][1]
    assert "You are speaking with: a stranger." in sent(server)[0][1]
    assert len(sent(server)) == 2


def test_a_broken_card_is_refused(gptkit: Gptkit, server: FakeServer, folder: Path) -> None:
    (folder / "a.png").write_bytes(png({"other": {}}))
    assert gptkit("roleplay", "a.png", "hello")[0] == 65
    assert server.requests == []


def test_the_greeting_is_said_and_stays_said(gptkit: Gptkit, server: FakeServer, folder: Path) -> None:
    path = card(folder)
    assert gptkit("roleplay", path, "-s", "n", "--greeting", "3", "--user", "小明", stdin="") == (
        0,
        "你好，小明。\n",
        "",
    )
    server.say("Sit.")
    assert gptkit("roleplay", path, "Hi", "-s", "n")[:2] == (0, "Sit.\n")
    assert ("assistant", "你好，小明。") in sent(server)
    assert sum(content.startswith("You are late") for _, content in sent(server)) == 0


def test_a_new_session_in_a_pipe_begins_with_the_greeting(
    gptkit: Gptkit, server: FakeServer, folder: Path, home: Path
) -> None:
    server.say("one")
    server.say("two")
    path = card(folder)
    gptkit("roleplay", path, "first", "-s", "n")
    gptkit("roleplay", path, "second", "-s", "n")
    assert [content for _, content in sent(server)[5:-1]] == [
        "You are late, User.",
        "first\n",
        "one",
        "second\n",
    ]
    with closing(sqlite3.connect(home / "data" / "history.db")) as connection:
        rows = connection.execute("SELECT state, depth FROM turns ORDER BY id").fetchall()
    assert [state for state, _ in rows] == ["ok"] * 3


def test_a_greeting_stands_alone_in_the_history(gptkit: Gptkit, server: FakeServer, folder: Path) -> None:
    server.say("one")
    gptkit("roleplay", card(folder), "first", "-s", "n")
    _, shown, _ = gptkit("history", "show", "n")
    headings = [line.partition(",")[0] for line in shown.splitlines() if line.startswith("## ")]
    assert headings == ["## Assistant", "## User", "## Assistant"]
    assert "You are late, User." in shown


def test_nothing_is_kept_with_no_log(gptkit: Gptkit, server: FakeServer, folder: Path, home: Path) -> None:
    server.say("one")
    assert gptkit("roleplay", card(folder), "first", "--no-log")[:2] == (0, "one\n")
    assert ("assistant", "You are late, User.") in sent(server)
    assert not (home / "data").exists()


@pytest.mark.parametrize("number", ["0", "4", "-1"])
def test_a_greeting_that_there_is_not(gptkit: Gptkit, server: FakeServer, folder: Path, number: str) -> None:
    code, output, errors = gptkit("roleplay", card(folder), "hi", "--greeting", number)
    assert (code, output) == (2, "")
    assert errors.startswith(f"gptkit: --greeting {number}: 'Haruhi' has greetings 1 to 3\n")


def test_a_prompt_file_of_ones_own_names_its_card(
    gptkit: Gptkit, server: FakeServer, folder: Path, home: Path
) -> None:
    prompts = home / "config" / "prompts"
    prompts.mkdir(parents=True)
    (prompts / "club.yaml").write_text(
        "description: Talks.\nsystem: Speak {{ card.called }}'s {{ tongue }}.\n"
        "options: {tongue: {default: French, help: Language.}}\ncharacter: {card: haruhi.png}\n"
    )
    server.say("Oui.")
    assert gptkit("club", "Allons") == (66, "", "gptkit: 'haruhi.png': no such file\n")
    card(folder)
    assert gptkit("club", "Allons")[:2] == (0, "Oui.\n")
    assert sent(server)[0][1].startswith("Speak Haruhi's French. Be brief.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("character: maybe", "character: must be true or a mapping of keys, this is text"),
        ("character: {state: {gold: {min: x}}}", "character.state.gold.min: must be a number"),
        ("character: {dice: often}", "character.dice: must be true or false"),
        ("character: true\ncourse: true", "character: does not go together with 'course'"),
    ],
)
def test_what_a_prompt_file_may_say(gptkit: Gptkit, home: Path, text: str, message: str) -> None:
    prompts = home / "config" / "prompts"
    prompts.mkdir(parents=True)
    (prompts / "a.yaml").write_text(f"description: Talks.\n{text}\n")
    code, output, _ = gptkit("prompts", "check", "a")
    assert code == 65
    assert message in output


def test_keys_of_a_book_that_match_nothing_are_told(gptkit: Gptkit, server: FakeServer, folder: Path) -> None:
    keys = ["/旅馆(?!老板)/", "/(/", "/(a+)+$/", "/a/q", "/[/", r"/\u{ffffff}/"]
    entries = "".join(
        f"    - {{keys: ['{key}'], use_regex: true, content: 'It is number {place}.'}}\n"
        for place, key in enumerate(keys)
    )
    path = sheet(folder, f"greeting: 你好\nbook:\n  entries:\n{entries}")
    server.say("Yes.")
    code, output, errors = gptkit("roleplay", path, f"旅馆 {'a' * 90_000}!", "-v")
    assert (code, output) == (0, "Yes.\n")
    assert [line for line in errors.splitlines() if "book" in line] == [
        "gptkit: a key of the character's book matches nothing: '/(/' is not a regular expression",
        "gptkit: a key of the character's book matches nothing: '/a/q' has an unknown flag",
        "gptkit: a key of the character's book matches nothing: '/[/' is not a regular expression",
        "gptkit: keys of the character's book that match nothing, beside those: 2",
    ]
    assert [f"number {place}." in sent(server)[0][1] for place in range(6)] == [True] + 5 * [False]
    code, output, _ = gptkit("prompts", "check", path)
    assert code == 0
    assert [line.partition(": book.")[2] for line in output.splitlines()] == [
        "entries[1].keys: a pattern that never matches: '/(/' is not a regular expression",
        "entries[3].keys: a pattern that never matches: '/a/q' has an unknown flag",
        "entries[4].keys: a pattern that never matches: '/[/' is not a regular expression",
        "entries[5].keys: a pattern that never matches: '/\\u{ffffff}/' is not a regular expression",
    ]


def test_check_says_what_is_wrong_with_a_card(gptkit: Gptkit, folder: Path, home: Path) -> None:
    card(folder, description="{{nonsense}} here")
    code, output, _ = gptkit("prompts", "check", "haruhi.png")
    assert code == 0
    assert output == ("haruhi.png: data.description: nothing replaces '{{nonsense}}'; it is sent as it is\n")
    sheet(folder, "state: {gold: {type: money}}\n")
    code, output, errors = gptkit("prompts", "check", "marta.yaml")
    assert (code, errors) == (65, "gptkit: 1 broken card\n")
    assert output.startswith("marta.yaml:3: state.gold.type: must be one of text")
    assert gptkit("prompts", "check", "gone.png")[0] == 66
    characters = home / "config" / "characters"
    characters.mkdir(parents=True)
    sheet(characters, "greeting: Welcome.\n", "inn.yaml")
    code, output, _ = gptkit("prompts", "check", "inn", "chat")
    assert code == 0
    assert output.endswith("inn.yaml: ok (YAML, 'Marta')\nchat: ok\n")
