"""A book in a pipe: what goes out, what is written, what the second time costs, what a kill costs."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fake.batches import FakeBatches
from fake.program import AsProcess, OnTerminal
from fake.received import Received
from fake.replies import Reply, failed, held, said
from fake.server import FakeServer
from long_books import book

from gptkit.core.tokens import estimate_tokens

Gptkit = Callable[..., tuple[int, str, str]]


@pytest.fixture
def same(home: Path) -> str:
    """A prompt whose user message is the piece and nothing else."""
    folder = home / "config" / "prompts"
    folder.mkdir(parents=True)
    (folder / "same.yaml").write_text(
        "description: Works on it.\nsystem: Work.\nlong: {mode: map, piece: 60}\n"
    )
    return "same"


def text_of(request: Received) -> str:
    return str(request.json["messages"][1]["content"])


def identity(request: Received) -> str:
    return text_of(request)


def slowly(seconds: float) -> Callable[[Received], str]:
    def answer(request: Received) -> str:
        time.sleep(seconds)
        return text_of(request)

    return answer


def test_a_long_text_comes_back_in_order_and_to_the_letter(
    gptkit: Gptkit, server: FakeServer, same: str
) -> None:
    server.answer(identity)
    text = book(40)
    assert gptkit(same, stdin=text) == (0, text, "")
    assert len(server.requests) > 10


def test_a_short_one_is_a_single_request_without_a_word_of_parts(
    gptkit: Gptkit, server: FakeServer, same: str
) -> None:
    server.say("short answer")
    assert gptkit(same, stdin="A short text.") == (0, "short answer\n", "")
    assert "part of a longer document" not in server.request.json["messages"][0]["content"]


def test_words_are_worked_on_in_pieces_where_an_option_asks_for_it(
    gptkit: Gptkit, server: FakeServer, same: str, folder: Path
) -> None:
    server.answer(identity)
    (folder / "terms.csv").write_text("gate,portail\n")
    options = ("--glossary", "terms.csv", "--report", "found.json")
    assert gptkit(same, "the", "gate", *options)[:2] == (0, "the gate\n")
    assert "gate = portail" in server.requests[0].json["messages"][0]["content"]
    (finding,) = json.loads((folder / "found.json").read_text())["findings"]
    assert (finding["line"], finding["message"]) == (1, "term 'gate' is not 'portail'")
    missing = (66, "", "gptkit: 'none.csv': no such file\n")
    assert gptkit(same, "the", "gate", "--glossary", "none.csv") == missing


@pytest.mark.parametrize("ending", ["", "\n", "\n\n\n", " ", "\r\n"])
def test_the_end_stays_as_it_is(gptkit: Gptkit, server: FakeServer, same: str, ending: str) -> None:
    server.answer(identity)
    text = book(20).rstrip("\n") + ending
    assert gptkit(same, stdin=text)[1] == text


def test_the_second_time_costs_nothing(gptkit: Gptkit, server: FakeServer, same: str) -> None:
    server.answer(lambda request: text_of(request).replace("alpha", "ALEPH"))
    text = book(40)
    first = gptkit(same, stdin=text)
    sent = len(server.requests)
    assert gptkit(same, stdin=text) == first == (0, text.replace("alpha", "ALEPH"), "")
    assert len(server.requests) == sent


def test_one_edited_paragraph_costs_one_request(gptkit: Gptkit, server: FakeServer, same: str) -> None:
    server.answer(identity)
    text = book(40)
    gptkit(same, stdin=text)
    sent = len(server.requests)
    edited = text.replace("m20m", "m20m indeed")
    assert gptkit(same, stdin=edited)[1] == edited
    assert len(server.requests) == sent + 1


@pytest.mark.parametrize(
    ("option", "again"), [("--no-memory", True), ("--fresh", True), ("--no-log", True), ("--quiet", False)]
)
def test_the_memory_can_be_left_out(
    gptkit: Gptkit, server: FakeServer, same: str, option: str, again: bool
) -> None:
    server.answer(identity)
    text = book(10)
    gptkit(same, stdin=text)
    sent = len(server.requests)
    gptkit(same, option, stdin=text)
    assert (len(server.requests) > sent) is again


def test_another_model_or_option_is_asked_anew(gptkit: Gptkit, server: FakeServer) -> None:
    server.answer(identity)
    text = book(60)
    for arguments in (["--to", "French"], ["--to", "German"], ["--to", "German", "--model", "gpt-1"]):
        sent = len(server.requests)
        gptkit("translate", *arguments, stdin=text)
        assert len(server.requests) > sent


def test_code_and_addresses_never_reach_the_model(gptkit: Gptkit, server: FakeServer, same: str) -> None:
    server.answer(identity)
    text = (
        book(10) + "\n```python\nprint('canary')\n```\n\nSee [here](http://canary.example/x) or `canary()`.\n"
    )
    assert gptkit(same, stdin=text)[:2] == (0, text)
    assert not any("canary" in text_of(request) for request in server.requests)


def test_what_cannot_be_proved_is_kept_and_reported(
    gptkit: Gptkit, server: FakeServer, same: str, folder: Path
) -> None:
    server.answer(lambda request: text_of(request).replace("⟦0⟧", ""))
    text = book(10) + "\nUse {count} of them.\n"
    code, output, errors = gptkit(same, "--report", "report.json", stdin=text)
    assert (code, output) == (80, text)
    assert errors.startswith("gptkit: 1 of ")
    assert "placeholder '{count}' missing" in errors
    line = text.count("\n")
    assert f"line {line}: " in errors
    report = json.loads((folder / "report.json").read_text())
    assert report["findings"][0]["line"] == line
    assert report["pieces"]["source"] == 1


def test_an_output_file_appears_when_it_is_whole(
    gptkit: Gptkit, server: FakeServer, same: str, folder: Path
) -> None:
    server.answer(identity)
    text = book(20)
    assert gptkit(same, "-o", "out.md", stdin=text) == (0, "", "")
    assert (folder / "out.md").read_text() == text
    assert [path.name for path in folder.iterdir()] == ["out.md"]


def test_until_then_there_is_a_partial_one(
    gptkit: Gptkit, server: FakeServer, same: str, folder: Path
) -> None:
    text = book(20)

    def answer(request: Received) -> Reply:
        return failed(401) if "m12m" in text_of(request) else said(text_of(request))

    server.answer(answer)
    code, output, errors = gptkit(same, "-o", "out.md", "--jobs", "1", stdin=text)
    assert (code, output) == (77, "")
    assert "'out.md' was not written; what there is of it is in 'out.md.partial'" in errors
    assert "hint: correct OPENAI_API_KEY: it comes before what 'gptkit keys set' stores; " in errors
    partial = (folder / "out.md.partial").read_text()
    assert partial
    assert text.startswith(partial)
    assert "m12m" not in partial


def test_json_is_one_object(gptkit: Gptkit, server: FakeServer, same: str) -> None:
    server.answer(identity)
    text = book(20)
    code, output, _ = gptkit(same, "--json", stdin=text)
    record = json.loads(output)
    assert (code, record["answer"]) == (0, text)
    assert record["pieces"]["answer"] == len(server.requests)


@pytest.mark.parametrize("jobs", ["0", "-1"])
def test_at_least_one_piece_is_worked_on_at_once(gptkit: Gptkit, same: str, jobs: str) -> None:
    told = (
        f"gptkit: invalid value for '--jobs': it must be a whole number of at least 1\n"
        f"hint: 'gptkit {same} --help' shows what it takes\n"
    )
    assert gptkit(same, "--jobs", jobs, stdin=book(2)) == (2, "", told)


def test_a_cap_leaves_what_can_be_gone_on_with(gptkit: Gptkit, server: FakeServer, same: str) -> None:
    server.answer(identity)
    text = book(40)
    code, output, errors = gptkit(same, "--max-requests", "5", "--jobs", "2", stdin=text)
    assert code == 82
    assert text.startswith(output)
    assert errors == (
        "gptkit: the budget of 5 requests is used up\n"
        "hint: run the same command to go on where this one stopped\n"
    )
    assert len(server.requests) == 5
    assert gptkit(same, stdin=text) == (0, text, "")
    texts = [text_of(request) for request in server.requests]
    assert len(set(texts)) == len(texts)


def test_a_cap_in_money_holds_with_the_answers_of_many_workers(
    gptkit: Gptkit, server: FakeServer, same: str
) -> None:
    def answer(request: Received) -> Reply:
        sent = sum(estimate_tokens(message["content"]) for message in request.json["messages"])
        return said(text_of(request), usage=(sent, estimate_tokens(text_of(request))), delay=0.05)

    server.answer(answer)
    assert gptkit("config", "set", "prices.small", "[1, 10]")[0] == 0
    text = book(60)
    options = ("--model", "small", "--jobs", "16", "--json")
    code, output, errors = gptkit(same, *options, "--max-cost", "0.004", stdin=text)
    assert (code, json.loads(errors.splitlines()[-1])["kind"]) == (82, "budget")
    assert text.startswith(json.loads(output)["answer"])
    assert 0.002 < json.loads(gptkit("usage", "--json")[1])["total"]["cost"] <= 0.004
    assert gptkit(same, *options, stdin=text)[0] == 0


@pytest.mark.parametrize("option", [("-s", "name"), ("--continue",)])
def test_a_long_text_is_no_turn_of_a_conversation(
    gptkit: Gptkit, server: FakeServer, same: str, option: tuple[str, ...]
) -> None:
    name = "session" if option[0] == "-s" else "continue"
    server.say("First.")
    assert gptkit(same, "-s", "name", stdin="first") == (0, "First.\n", "")
    found = gptkit(same, *option, stdin=book(40))
    assert found == (2, "", f"gptkit: --{name} works for a single request, and this text needs several\n")
    server.say("A word.")
    assert gptkit(same, *option, stdin="a word") == (0, "A word.\n", "")


def test_a_cap_on_tokens_is_one_of_all_answers_together(
    gptkit: Gptkit, server: FakeServer, same: str
) -> None:
    def answer(request: Received) -> Reply:
        return said(text_of(request), usage=(50, 50))

    server.answer(answer)
    text = book(40)
    code, output, errors = gptkit(same, "--max-tokens", "500", "--jobs", "4", stdin=text)
    assert code == 82
    assert text.startswith(output) and output
    assert errors == (
        "gptkit: the budget of 500 tokens is used up\n"
        "hint: run the same command to go on where this one stopped\n"
    )
    assert 5 <= len(server.requests) <= 500 // 40
    assert not any("max_completion_tokens" in request.json for request in server.requests)
    assert gptkit(same, stdin=text) == (0, text, "")
    texts = [text_of(request) for request in server.requests]
    assert len(set(texts)) == len(texts)


def test_a_killed_run_goes_on_without_paying_twice(run: AsProcess, server: FakeServer, same: str) -> None:
    text = book(60)
    server.answer(slowly(0.02))
    chance = random.Random(3)
    for _ in range(6):
        process = run.start(same, "--jobs", "4", piped=True)
        assert process.stdin
        process.stdin.write(text.encode())
        process.stdin.close()
        time.sleep(0.5 + chance.random() * 0.3)
        process.send_signal(signal.SIGKILL)
        process.wait()
    result = run(same, "--jobs", "4", stdin=text)
    assert (result.code, result.stdout) == (0, text)
    texts = [text_of(request) for request in server.requests]
    twice = len(texts) - len(set(texts))
    assert twice <= 6 * 4  # what was in flight when it was killed is not known to be accepted


def test_a_dry_run_tells_what_it_takes(gptkit: Gptkit, server: FakeServer, same: str) -> None:
    server.answer(identity)
    text = book(40)
    code, output, _ = gptkit(same, "--dry-run", "--model", "gpt-5-mini", stdin=text)
    told = json.loads(output)
    assert (code, told["in_memory"], server.requests) == (0, 0, [])
    gptkit(same, "--model", "gpt-5-mini", stdin=text)
    assert told["requests"] == len(server.requests)
    told = json.loads(gptkit(same, "--dry-run", "--model", "gpt-5-mini", stdin=text)[1])
    assert (told["requests"], told["in_memory"]) == (0, told["pieces"] - told["unchanged"])


def test_a_batch_is_told_at_half_the_price(gptkit: Gptkit, same: str) -> None:
    gptkit("config", "set", "prices.gpt-0", "[1, 1]")
    command = (same, "--dry-run", "--model", "gpt-0")
    whole, half = (
        json.loads(gptkit(*command, *options, stdin=book(40))[1])["estimate"]["cost"]["usd"]
        for options in ((), ("--batch",))
    )
    assert half == pytest.approx([cost / 2 for cost in whole], rel=1e-3)


def test_a_wrong_number_is_written_told_and_asked_for_again(
    gptkit: Gptkit, server: FakeServer, same: str, folder: Path
) -> None:
    text, wrong = "# A\n\nIt has 35 parts and 2 lids.\n", "# 甲\n\n它有36个零件和盖子。\n"
    server.answer(lambda _: wrong)
    (folder / "in.md").write_text(text)
    told = (
        "gptkit: doubtful: 'in.md': line 3: number '2' missing (and 1 more; --report FILE lists all)\n"
        "gptkit: 1 of 1 pieces with wrong numbers: line 3: number '35' missing\n"
        "hint: --report FILE lists all; run the same command to try these again\n"
    )
    command = (same, "-f", "in.md", "--jobs", "2", "--report", "r.json")
    assert gptkit(*command) == (80, wrong, told)
    assert len(server.requests) == 2
    assert json.loads((folder / "r.json").read_text()) == {
        "document": "in.md",
        "pieces": {"through": 0, "memory": 0, "answer": 1, "source": 0},
        "findings": [{"line": 3, "kind": "number", "message": "number '35' missing", "accepted": False}],
        "doubtful": [
            {"line": 3, "kind": "digits", "message": "number '2' missing"},
            {"line": 3, "kind": "digits", "message": "number '36' added"},
        ],
    }
    server.answer(lambda _: "# 甲\n\n它有三十五个零件和两个盖子。\n")
    assert gptkit(*command) == (0, "# 甲\n\n它有三十五个零件和两个盖子。\n", "")


def test_a_doubtful_number_costs_one_request_and_a_line(
    gptkit: Gptkit, server: FakeServer, same: str, folder: Path
) -> None:
    (folder / "in.txt").write_text("We are open 24/7.\n")
    server.answer(lambda _: "Nous sommes ouverts 24h/24 et 7j/7.\n")
    command = (same, "-f", "in.txt", "-o", "out.txt")
    told = "gptkit: doubtful: 'in.txt': line 1: number '24' added\n"
    for _ in range(2):
        assert gptkit(*command) == (0, "", told)
    assert (folder / "out.txt").read_text() == "Nous sommes ouverts 24h/24 et 7j/7.\n"
    assert gptkit(*command, "-q") == (0, "", "")
    assert len(server.requests) == 1
    record = json.loads(gptkit(same, "-f", "in.txt", "--jobs", "1", "--json")[1])
    assert (record["findings"], len(record["doubtful"]), record["pieces"]["memory"]) == ([], 1, 1)


def test_a_dear_job_needs_a_word(gptkit: Gptkit, server: FakeServer, same: str) -> None:
    server.answer(identity)
    gptkit("config", "set", "prices.gpt-0", "[1000, 1000]")
    text = book(40)
    code, output, errors = gptkit(same, "--model", "gpt-0", stdin=text)
    assert (code, output) == (82, "")
    assert "more than ask_above (1 USD)" in errors
    assert server.requests == []
    assert gptkit(same, "--model", "gpt-0", "--yes", stdin=text)[0] == 0


def test_the_question_stands_on_a_line_of_its_own(
    gptkit: Gptkit, server: FakeServer, same: str, folder: Path, screen: OnTerminal
) -> None:
    gptkit("config", "set", "prices.gpt-0", "[1000, 1000]")
    (folder / "in.md").write_text("---\ntitle: A\n---\n\n```\n" + "code\n" * 400 + "```\n\n" + book(40))
    shown = screen(same, "--model", "gpt-0", "-f", "in.md", "-o", "out.md", columns=120)
    shown.wait_for("Go ahead? [y/N]")
    assert next(line for line in shown.lines if "Go ahead" in line).startswith("gptkit: this job costs")
    shown.send("n\r")
    assert shown.wait_exit() == 82
    assert server.requests == []


@pytest.mark.parametrize("piped", [True, False])
def test_what_the_memory_holds_is_not_dear(
    gptkit: Gptkit, server: FakeServer, same: str, folder: Path, piped: bool
) -> None:
    server.answer(identity)
    gptkit("config", "set", "prices.gpt-0", "[100, 100]")
    text, path = book(400), folder / "book.md"

    def run(text: str, *options: str) -> tuple[int, str, str]:
        path.write_text(text)
        given = ("--model", "gpt-0", *options)
        return gptkit(same, *given, stdin=text) if piped else gptkit(same, *given, "-f", "book.md")

    assert run(text, "--yes") == (0, text, "")
    assert run(text) == (0, text, "")
    edited = text.replace("m200m", "another word")
    asked = len(server.requests)
    assert run(edited) == (0, edited, "")
    assert len(server.requests) == asked + 1
    code, output, errors = run(text.replace("alpha", "omega"))
    assert code == 82
    assert output == "" if not piped else text.replace("alpha", "omega").startswith(output)
    assert errors.startswith("gptkit: this job costs about ")


def test_an_encoding_is_recognised_and_the_answer_is_utf8(
    gptkit: Gptkit, server: FakeServer, same: str, folder: Path
) -> None:
    server.answer(identity)
    text = "".join(
        f"这是第{number}段文字，内容并不重要，只是为了凑够长度而已。\n\n" for number in range(2000)
    )
    (folder / "a.txt").write_bytes(text.encode("gb18030"))
    code, output, _ = gptkit(same, "-f", "a.txt")
    assert (code, output) == (0, text)


def test_two_runs_on_one_output(run: AsProcess, server: FakeServer, same: str, folder: Path) -> None:
    second = threading.Event()
    server.answer(lambda request: held(said(text_of(request)), second))
    text = book(30)
    (folder / "in.md").write_text(text)
    process = run.start(same, "-f", "in.md", "-o", "out.md", "--jobs", "1")
    server.wait_requests(1)
    result = run(same, "-f", "in.md", "-o", "out.md")
    assert result.code == 75
    assert "is being written by another gptkit" in result.stderr
    second.set()
    process.communicate()
    assert process.returncode == 0
    assert (folder / "out.md").read_text() == text


def test_terms_of_a_glossary_are_sent_and_missed(
    gptkit: Gptkit, server: FakeServer, same: str, folder: Path
) -> None:
    server.answer(lambda request: text_of(request).replace("alpha", "ALEPH"))
    (folder / "terms.csv").write_text("alpha,aleph,the letter\nunheard,never\ngamma,gimel\n")
    text = book(20)
    wanted = text.replace("alpha", "ALEPH")
    assert gptkit(same, "--glossary", "terms.csv", "--report", "r.json", stdin=text)[:2] == (0, wanted)
    for request in server.requests:
        told = request.json["messages"][0]["content"]
        assert ("- alpha = aleph (the letter)" in told) is ("alpha" in text_of(request))
        assert "unheard" not in told
    findings = json.loads((folder / "r.json").read_text())["findings"]
    assert {finding["message"] for finding in findings} == {"term 'gamma' is not 'gimel'"}
    assert all("gamma" in text.split("\n")[finding["line"] - 1] for finding in findings)


def test_a_changed_term_costs_only_the_pieces_that_hold_it(
    gptkit: Gptkit, server: FakeServer, same: str, folder: Path
) -> None:
    server.answer(identity)
    text = book(20) + "\nOnly here stands omega.\n"
    (folder / "terms.csv").write_text("omega,omega\n")
    gptkit(same, "--glossary", "terms.csv", stdin=text)
    sent = len(server.requests)
    (folder / "terms.csv").write_text("omega,omega,not to be inflected\n")
    gptkit(same, "--glossary", "terms.csv", stdin=text)
    assert len(server.requests) == sent + 1


PO = (
    'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
    '\n#: a.c:7\nmsgid "Hello there"\nmsgstr ""\n'
)


@pytest.mark.parametrize(
    ("name", "text", "never"),
    [
        (
            "a.json",
            '{"title": "Hello there, world", "id": "btn_ok", "url": "https://x.example/y"}\n',
            "btn_ok",
        ),
        (
            "a.srt",
            "1\n00:00:01,000 --> 00:00:02,500\nHello there\n\n2\n00:00:03,000 --> 00:00:04,000\nBye now\n",
            "00:00",
        ),
        ("a.yaml", "# a comment\ntitle: Hello there, world\nlist:\n  - Bye now\n", "comment"),
        (
            "a.po",
            PO,
            "a.c",
        ),
    ],
)
def test_formats_are_known_by_their_names(
    gptkit: Gptkit, server: FakeServer, same: str, folder: Path, name: str, text: str, never: str
) -> None:
    server.answer(identity)
    (folder / name).write_text(text)
    assert gptkit(same, "-f", name) == (0, text, "")
    assert len(server.requests) == 1
    assert "Hello there" in text_of(server.request)
    assert never not in text_of(server.request)


def test_a_batch_brings_what_the_same_command_prints_afterwards(
    gptkit: Gptkit, server: FakeServer, same: str
) -> None:
    fake = FakeBatches(server)
    text = book(20)
    code, output, errors = gptkit(same, "--batch", stdin=text)
    assert (code, output) == (75, "")
    count = len(fake.lines(fake.batch))
    told = f"gptkit: {count} pieces are with the provider"
    assert errors.startswith(f"{told} ({count} of them submitted now)\n")
    again = gptkit(same, "--batch", stdin=text)
    assert (again[0], again[2].split("\n")[0]) == (75, f"{told} (0 of them submitted now)")
    fake.finish()
    code, output, _ = gptkit(same, "--batch", stdin=text)
    assert (code, output) == (0, text.upper())
    assert not any(request.path.endswith("/chat/completions") for request in server.requests)
    assert gptkit(same, stdin=text) == (0, text.upper(), "")
