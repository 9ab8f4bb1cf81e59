"""A character in a game: one JSON object a line in, one a line out."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from character_files import V2, png
from fake.connection import hang
from fake.program import AsProcess
from fake.received import Received
from fake.replies import Reply, failed, said
from fake.server import FakeServer
from fake.waiting import SOON

from gptkit.history.store import Store

Gptkit = Callable[..., tuple[int, str, str]]
CARD = """\
name: Guard
description: Guards the gate. {{user}} wants in.
state: {bribe: {type: integer, default: 0, min: 0, max: 9}}
actions: {open: opens the gate, shout: ""}
emotions: [calm, angry]
"""
GOOD = {"say": "Halt!", "emotion": "calm", "actions": ["shout"], "state": {"bribe": 1}}


@pytest.fixture
def guard(folder: Path) -> str:
    (folder / "guard.yaml").write_text(CARD)
    return "guard.yaml"


def lines(*events: Mapping[str, object]) -> str:
    return "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events)


def objects(output: str) -> list[dict[str, Any]]:
    assert output.endswith("\n") or not output
    return [json.loads(line) for line in output.splitlines()]


def reply(**changes: object) -> str:
    return json.dumps({**GOOD, **changes}, ensure_ascii=False)


def test_a_line_is_answered_by_the_schema_of_the_card(gptkit: Gptkit, server: FakeServer, guard: str) -> None:
    server.say(reply(say="站住！"))
    asked = lines({"player": "Let me in.", "state": {"bribe": 2}, "session": "gate"})
    code, output, errors = gptkit("roleplay", guard, "--npc", "--user", "Ann", stdin=asked)
    assert (code, errors) == (0, "")
    assert output == (
        '{"say": "站住！", "emotion": "calm", "actions": ["shout"], '
        '"state": {"bribe": 1}, "session": "gate"}\n'
    )
    body = server.request.json
    schema = body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["actions"]["items"]["enum"] == ["open", "shout"]
    assert schema["properties"]["emotion"]["enum"] == ["calm", "angry"]
    system = body["messages"][0]["content"]
    assert "Guards the gate. Ann wants in." in system
    assert "- open: opens the gate" in system
    assert '"bribe": 2' in system
    assert body["messages"][-1]["content"] == "Let me in.\n"


def test_a_session_remembers_and_its_world_goes_on(gptkit: Gptkit, server: FakeServer, guard: str) -> None:
    server.say(reply(state={"bribe": 3}))
    server.say(reply(say="Pass."))
    server.say(reply())
    events: list[dict[str, object]] = [
        {"player": "three coins", "session": 1},
        {"player": "and now?", "session": 1},
        {"player": "who?", "session": "1"},
    ]
    code, output, _ = gptkit("roleplay", guard, "--npc", "--workers", "1", stdin=lines(*events))
    assert code == 0
    assert sorted(str(type(one["session"])) for one in objects(output)) == ["<class 'int'>"] * 2 + [
        "<class 'str'>"
    ]
    bodies = [one.json["messages"] for one in server.requests]
    second = next(one for one in bodies if one[-1]["content"] == "and now?\n")
    other = next(one for one in bodies if one[-1]["content"] == "who?\n")
    assert '"bribe": 3' in second[0]["content"]
    assert json.loads(second[2]["content"])["state"] == {"bribe": 3}
    assert [one["role"] for one in other] == ["system", "user"]
    assert '"bribe": 0' in other[0]["content"]


def test_a_picture_plays_without_declaring_anything(gptkit: Gptkit, server: FakeServer, folder: Path) -> None:
    (folder / "h.png").write_bytes(png({"chara": V2}))
    server.say('{"say": "Late!", "emotion": "cross"}')
    asked = lines({"player": "Who are the members of the brigade?", "state": {"rain": True}})
    code, output, _ = gptkit("roleplay", "h.png", "--npc", stdin=asked)
    assert (code, objects(output)) == (
        0,
        [{"say": "Late!", "emotion": "cross", "actions": [], "state": {"rain": True}, "session": None}],
    )
    messages = server.request.json["messages"]
    assert "five members" in messages[0]["content"]
    assert '"rain": true' in messages[0]["content"]
    assert messages[-1] == {"role": "system", "content": "Stay as Haruhi."}


KEYS = ("say", "emotion", "actions", "state")


@pytest.mark.parametrize(
    ("schema", "options", "allowed"),
    [
        ("", [], {"say"}),
        ("", ["--actions", "wave"], {"say", "actions"}),
        ("{type: object, properties: {line: {type: string}}}", [], set()),
        ("{type: object, properties: {line: {}, actions: {}}}", ["--actions", "wave"], {"actions"}),
    ],
)
def test_the_prompt_names_only_keys_that_the_schema_allows(
    gptkit: Gptkit, server: FakeServer, folder: Path, schema: str, options: list[str], allowed: set[str]
) -> None:
    (folder / "s.yaml").write_text(schema)
    reply: dict[str, object] = {"line": "Hi!"} if schema else {"say": "Hi!", "emotion": "calm"}
    reply |= {"actions": []} if "actions" in allowed else {}
    server.answer(lambda _: json.dumps(reply))
    own = ["--schema", "s.yaml"] if schema else []
    asked = '{"player": "Hello", "session": 1}\n' * 2
    assert gptkit("roleplay", "Ann", "--npc", "--workers", "1", *own, *options, stdin=asked)[0] == 0
    for request in server.requests:
        told = [str(message["content"]) for message in request.json["messages"]]
        assert {key for key in KEYS if f"`{key}`" in told[0]} == allowed
        assert [answer for answer in told if '"actions"' in answer] == [] or "actions" in allowed


@pytest.mark.parametrize(
    "bad",
    [
        "No JSON.",
        '{"say": "x"}',
        reply(actions=["fly"]),
        reply(emotion="bored"),
        reply(state={"bribe": 10}),
        reply(state={"bribe": 1, "gold": 2}),
        reply(more=1),
    ],
)
def test_an_invalid_reply_is_asked_for_once_more_and_then_an_error(
    gptkit: Gptkit, server: FakeServer, guard: str, bad: str
) -> None:
    server.say(bad)
    server.say(reply())
    server.say(bad, times=2)
    server.say(reply())
    asked = lines(*({"player": f"line {number}", "session": "a"} for number in range(3)))
    code, output, _ = gptkit("roleplay", guard, "--npc", stdin=asked)
    first, second, third = objects(output)
    assert code == 80
    assert first == third == {**GOOD, "session": "a"}
    assert (second["error"]["code"], second["error"]["line"], second["session"]) == (80, 2, "a")
    assert set(second) == {"error", "session"}
    last = server.requests[-1].json["messages"]
    assert [one["content"] for one in last if one["role"] == "user"] == ["line 0", "line 2\n"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("hello", "line 2: not JSON: unexpected 'hello' at character 1"),
        ("[1]", 'line 2: must be a JSON object such as {"player": "...", "session": "..."}'),
        ('{"session": "a"}', "line 2: 'player' must be a text: what the player says or does"),
        (
            '{"player": "x", "session": "a", "sate": {}}',
            "line 2: unknown key 'sate'; allowed: player, state, session",
        ),
        ('{"player": "x", "session": {}}', "line 2: 'session' must be a text or a number"),
        ('{"player": "x", "state": []}', "line 2: 'state' must be a JSON object"),
        ('{"player": "x", "state": {"bribe": 99}}', "line 2: state: bribe must be at most 9"),
        ('{"player": "x", "state": {"gold": 1}}', "line 2: state: unknown value 'gold'; there are bribe"),
        ('{"player": "' + "x" * (1 << 20) + '"}', "line 2: longer than 1 MiB"),
        ("[" * 100_000, "line 2: not JSON: a number too long, or nested too deep"),
    ],
)
def test_a_bad_line_is_named_and_the_game_goes_on(
    gptkit: Gptkit, server: FakeServer, guard: str, line: str, message: str
) -> None:
    server.say(reply(), times=2)
    whole = (
        lines({"player": "one", "session": "a"}) + line + "\n\n" + lines({"player": "two", "session": "a"})
    )
    code, output, errors = gptkit("roleplay", guard, "--npc", stdin=whole)
    found = objects(output)
    assert (code, errors) == (80, "")
    failures = [one["error"] for one in found if "error" in one]
    assert [(one["code"], one["kind"], one["message"]) for one in failures] == [(65, "data", message)]
    assert [one["say"] for one in found if "error" not in one] == ["Halt!", "Halt!"]


def test_input_that_is_no_utf_8_and_a_last_line_without_an_end(
    gptkit: Gptkit, server: FakeServer, guard: str
) -> None:
    server.say(reply())
    asked = b'{"player": "\xff"}\n' + b'{"player": "two"}'
    code, output, _ = gptkit("roleplay", guard, "--npc", stdin=asked)
    found = objects(output)
    assert (code, found[0]["error"]["message"]) == (80, "line 1: not UTF-8")
    assert found[1]["say"] == "Halt!"


def test_no_line_at_all_is_no_failure(gptkit: Gptkit, server: FakeServer, guard: str) -> None:
    assert gptkit("roleplay", guard, "--npc", stdin="") == (0, "", "")


def test_a_schema_of_ones_own(gptkit: Gptkit, server: FakeServer, folder: Path, guard: str) -> None:
    (folder / "reply.yaml").write_text(
        "type: object\nproperties: {line: {type: string}, actions: {type: array}}\nrequired: [line]\n"
    )
    server.say('{"line": "x", "actions": ["sing"]}')
    server.say('{"line": "y", "actions": [{"name": "wave", "at": "Ann"}]}')
    code, output, _ = gptkit(
        "roleplay",
        guard,
        "--npc",
        "--schema",
        "reply.yaml",
        "--actions",
        "wave, bow",
        stdin='{"player": "hi"}\n',
    )
    assert (code, objects(output)) == (
        0,
        [{"line": "y", "actions": [{"name": "wave", "at": "Ann"}], "session": None}],
    )
    assert 'the action "sing" is not among bow, wave' in server.requests[1].json["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("[1]", "'s.json': a JSON Schema is an object"),
        ('{"type": "objekt"}', "'s.json': "),
        ('{"type": "array"}', "'s.json': a reply is an object: type must be 'object'"),
    ],
)
def test_a_schema_that_cannot_be_used(
    gptkit: Gptkit, server: FakeServer, folder: Path, guard: str, schema: str, message: str
) -> None:
    (folder / "s.json").write_text(schema)
    code, output, errors = gptkit(
        "roleplay", guard, "--npc", "--schema", "s.json", stdin='{"player": "hi"}\n'
    )
    assert (code, output) == (65, "")
    assert errors.startswith(f"gptkit: {message}")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--session", "x"], "--session and --npc do not go together"),
        (["-o", "x"], "--output and --npc do not go together"),
        (["--greeting", "1"], "--greeting and --npc"),
        (["--workers", "0"], "--workers: 1 to 64"),
        (["--actions", "fly away"], "--actions: a name consists of"),
        (["words"], "with --npc the player's words come from standard input"),
    ],
)
def test_what_does_not_go_with_a_game(
    gptkit: Gptkit, server: FakeServer, guard: str, arguments: list[str], part: str
) -> None:
    code, output, errors = gptkit("roleplay", guard, "--npc", *arguments, stdin='{"player": "hi"}\n')
    assert (code, output) == (2, "")
    assert part in errors


def echoing(request: Received) -> str:
    """Says how often the session has spoken, and what, from the request alone."""
    words = [one["content"].strip() for one in request.json["messages"] if one["role"] == "user"]
    return json.dumps({"say": " ".join(words), "emotion": "calm", "actions": [], "state": {"bribe": 0}})


def test_fifty_sessions_are_never_mixed_and_each_keeps_its_order(
    run: AsProcess, server: FakeServer, guard: str
) -> None:
    chance = random.Random(4)
    delays: dict[str, float] = defaultdict(chance.random)

    def answer(request: Received) -> Reply:
        text = echoing(request)
        return said(text, delay=delays[text] / 25)

    server.answer(answer)
    events = [{"player": f"s{one}n{turn}", "session": f"s{one}"} for one in range(50) for turn in range(4)]
    order = sorted(events, key=lambda one: (int(one["player"].split("n")[1]), chance.random()))
    code, output, errors = run("roleplay", guard, "--npc", "--workers", "16", "--no-log", stdin=lines(*order))
    assert (code, errors) == (0, "")
    heard: dict[str, list[str]] = defaultdict(list)
    for one in objects(output):
        heard[one["session"]].append(one["say"])
    assert heard == {
        f"s{one}": [" ".join(f"s{one}n{turn}" for turn in range(last + 1)) for last in range(4)]
        for one in range(50)
    }


def test_a_session_that_has_just_spoken_is_not_forgotten_for_the_fifty_first(
    gptkit: Gptkit, server: FakeServer, guard: str
) -> None:
    server.answer(echoing)
    first: list[Mapping[str, object]] = [{"player": f"hi{one}", "session": one} for one in range(50)]
    again = [{"player": "again", "session": 0}, {"player": "new", "session": 50}]
    asked = lines(*first, *again, {"player": "me", "session": 0})
    code, output, _ = gptkit("roleplay", guard, "--npc", "--workers", "1", "--no-log", stdin=asked)
    heard = [(one["session"], one["say"]) for one in objects(output)]
    assert code == 0
    assert (0, "hi0 again") in heard
    assert (0, "hi0 again me") in heard


def answered(process: subprocess.Popen[bytes], event: Mapping[str, object]) -> dict[str, Any]:
    assert process.stdin and process.stdout
    process.stdin.write(lines(event).encode())
    process.stdin.flush()
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def test_each_answer_comes_at_once_and_a_forgotten_session_begins_anew(
    run: AsProcess, server: FakeServer, guard: str
) -> None:
    server.answer(echoing)
    process = run.start("roleplay", guard, "--npc", "--no-log", piped=True)
    for number in range(51):
        found = answered(process, {"player": f"p{number}", "session": number})
        assert (found["session"], found["say"]) == (number, f"p{number}")
    assert answered(process, {"player": "again", "session": 0})["say"] == "again"  # it was forgotten
    assert answered(process, {"player": "again", "session": 50})["say"] == "p50 again"
    assert process.stdin
    process.stdin.close()
    assert process.wait(SOON) == 0


def test_a_dead_key_ends_it_after_answering_what_waits(
    run: AsProcess, server: FakeServer, guard: str
) -> None:
    server.queue(failed(401))
    process = run.start("roleplay", guard, "--npc", "--workers", "1", piped=True)
    assert process.stdin and process.stdout and process.stderr
    process.stdin.write(lines(*({"player": "x", "session": one} for one in range(5))).encode())
    process.stdin.flush()  # and it stays open: the program must not wait for its end
    assert process.wait(SOON) == 77
    found = objects(process.stdout.read().decode())
    assert [(one["error"]["code"], one["session"]) for one in found] == [(77, one) for one in range(5)]
    assert process.stderr.read().startswith(b"gptkit: ")
    assert len(server.requests) == 1


def test_a_failure_of_the_api_is_an_error_object(gptkit: Gptkit, server: FakeServer, guard: str) -> None:
    server.fail(404, message="no such model sk-test")
    server.say(reply())
    asked = lines({"player": "a", "session": "x"}, {"player": "b", "session": "x"})
    code, output, errors = gptkit("roleplay", guard, "--npc", stdin=asked)
    first, second = objects(output)
    assert (code, errors) == (80, "")
    assert (first["error"]["code"], first["error"]["kind"]) == (69, "unavailable")
    assert "sk-test" not in output
    assert second == {**GOOD, "session": "x"}


def test_a_budget_is_that_of_all_sessions(gptkit: Gptkit, server: FakeServer, guard: str) -> None:
    server.say(reply(), times=3)
    asked = lines(*({"player": "x", "session": one} for one in range(6)))
    code, output, _ = gptkit("roleplay", guard, "--npc", "--max-requests", "3", stdin=asked)
    found = objects(output)
    assert code == 80
    assert [one["error"]["code"] for one in found if "error" in one] == [82] * 3
    assert len(server.requests) == 3


def test_every_exchange_is_recorded_one_session_each(
    gptkit: Gptkit, server: FakeServer, home: Path, guard: str
) -> None:
    server.answer(lambda request: said(echoing(request), usage=(10, 5)))
    asked = lines(*({"player": f"{turn}", "session": one} for turn in range(3) for one in range(4)))
    assert gptkit("roleplay", guard, "--npc", stdin=asked)[0] == 0
    with closing(sqlite3.connect(home / "data" / "history.db")) as connection:
        sessions = connection.execute("SELECT session, count(*) FROM turns GROUP BY session").fetchall()
        parents = connection.execute(
            "SELECT count(*) FROM turns a JOIN turns b ON a.parent = b.id WHERE a.session = b.session"
        ).fetchone()
        charges = connection.execute("SELECT count(*), sum(prompt_tokens) FROM charges").fetchone()
        per_turn = connection.execute("SELECT DISTINCT count(*) FROM charges GROUP BY turn").fetchall()
    assert [count for _, count in sessions] == [3] * 4
    assert parents == (8,)
    assert charges == (12, 120)
    assert per_turn == [(1,)]


def test_nothing_is_recorded_with_no_log(gptkit: Gptkit, server: FakeServer, home: Path, guard: str) -> None:
    server.say(reply())
    assert gptkit("roleplay", guard, "--npc", "--no-log", stdin='{"player": "x"}\n')[0] == 0
    assert not (home / "data").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_at_once_and_what_was_asked_is_kept(
    run: AsProcess, server: FakeServer, home: Path, guard: str, number: int, code: int
) -> None:
    server.raw([hang()])
    process = run.start("roleplay", guard, "--npc", piped=True)
    assert process.stdin and process.stderr
    process.stdin.write(b'{"player": "who goes there?"}\n')
    process.stdin.flush()
    server.wait_requests(1)
    process.send_signal(number)
    assert process.wait(SOON) == code
    assert b"Traceback" not in process.stderr.read()
    with closing(Store(home / "data" / "history.db", home / "data" / "journal")) as store:
        assert [found.turn.user for found in store.search("who goes", 5)] == ["who goes there?\n"]


def test_a_game_that_no_longer_listens_ends_it(run: AsProcess, server: FakeServer, guard: str) -> None:
    server.say(reply())
    process = run.start("roleplay", guard, "--npc", "--no-log", piped=True)
    assert process.stdin and process.stdout
    process.stdout.close()
    process.stdin.write(b'{"player": "hello"}\n')
    process.stdin.flush()  # and it stays open
    assert process.wait(SOON) == 141
