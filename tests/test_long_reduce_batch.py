"""`--batch` with `long: reduce`: the parts in batches, the merges and what came defective by themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from batch_provider import Provider, text_of
from engine_parts import Plain as Unpromised
from fake.program import InMemory
from fake.server import FakeServer
from test_long_map import Kept, Model
from test_long_reduce import ROOM, book, job, numbers, pieces

from gptkit.documents.held import Held
from gptkit.engine.long.lacking import Lacking, lacking_parts
from gptkit.engine.long.reduce import concluded, gathered
from gptkit.errors import TooLong

BOOK = book(90)


@pytest.fixture
def provider(server: FakeServer) -> Provider:
    return Provider(server, numbers)


def test_the_parts_are_submitted_and_the_merges_are_asked_for(
    gptkit: InMemory, server: FakeServer, provider: Provider, digest: str
) -> None:
    code, output, errors = gptkit(digest, "--batch", stdin=BOOK)
    count = len(provider.submitted)
    assert (code, output) == (75, "")
    assert errors.startswith(
        f"gptkit: {count} pieces are with the provider ({count} of them submitted now)\n"
    )
    assert json.loads(gptkit(digest, "--dry-run", stdin=BOOK).stdout)["parts"] == count
    assert gptkit(digest, "--batch", stdin=BOOK).code == 75
    assert len(provider.submitted) == count
    provider.batches.finish()
    code, output, errors = gptkit(digest, "--batch", stdin=BOOK)
    assert (code, output) == (0, numbers(BOOK) + "\n")
    assert errors == f"gptkit: batch 'batch_0' completed: {count} answers accepted\n"
    assert provider.asked
    assert all("<part>" in text for text in provider.asked)
    assert server.requests[-1].json["stream"] is True
    asked = len(provider.asked)
    assert gptkit(digest, stdin=BOOK) == (0, numbers(BOOK) + "\n", "")
    assert len(provider.asked) == asked


def test_what_is_submitted_is_what_the_ordinary_run_sends(
    gptkit: InMemory, server: FakeServer, provider: Provider, digest: str
) -> None:
    gptkit(digest, "--batch", stdin=BOOK)
    gptkit(digest, "--yes", stdin=BOOK)
    single = [one.json for one in server.requests if one.path.endswith("/chat/completions")]
    parts = {text_of(body): body for body in single if "<part>" not in text_of(body)}
    assert {text_of(body): body for body in provider.bodies} == parts


def test_fetched_answers_serve_the_run_without_batches(
    gptkit: InMemory, provider: Provider, digest: str
) -> None:
    gptkit(digest, "--batch", stdin=BOOK)
    provider.batches.finish()
    count = len(provider.submitted)
    assert gptkit("batch", "fetch").stdout == f"batch 'batch_0' completed: {count} answers accepted\n"
    assert gptkit(digest, stdin=BOOK).code == 0
    assert all("<part>" in text for text in provider.asked)


@pytest.mark.parametrize("trouble", ["refused", "cut", "long", "empty"])
def test_a_part_that_came_defective_is_asked_for_by_itself(
    gptkit: InMemory, provider: Provider, digest: str, trouble: str
) -> None:
    gptkit(digest, "--batch", stdin=BOOK)
    bad = next(text for text in provider.submitted if "m18m" in text)
    said: str | int = 413 if trouble == "long" else "" if trouble == "empty" else "m18m"
    provider.batches.answer = lambda body: said if text_of(body) == bad else numbers(text_of(body))
    provider.batches.finish()
    line = next(one for one in provider.batches.lines(provider.batches.batch) if text_of(one["body"]) == bad)
    output = provider.batches.files["file-output-0"].decode().splitlines(keepends=True)
    for at, record in enumerate(output):
        if line["custom_id"] in record and trouble == "cut":
            output[at] = record.replace('"finish_reason": "stop"', '"finish_reason": "length"')
        if line["custom_id"] in record and trouble == "refused":
            output[at] = record.replace('"content": "m18m"', '"content": null, "refusal": "no"')
    provider.batches.files["file-output-0"] = "".join(output).encode()
    code, answer, errors = gptkit(digest, "--batch", stdin=BOOK)
    assert (code, answer) == (0, numbers(BOOK) + "\n")
    assert "1 defective, left for a run without --batch" in errors
    assert [text for text in provider.asked if "<part>" not in text] == [bad]
    assert len(provider.batches.made) == 1


def test_what_expired_is_submitted_again(gptkit: InMemory, provider: Provider, digest: str) -> None:
    gptkit(digest, "--batch", stdin=BOOK)
    late = [text for text in provider.submitted if "m18m" in text]
    provider.batches.answer = lambda body: None if text_of(body) in late else numbers(text_of(body))
    provider.batches.finish("expired")
    code, _, errors = gptkit(digest, "--batch", stdin=BOOK)
    assert (code, provider.asked) == (75, [])
    assert "gptkit: 1 piece is with the provider (1 of them submitted now)\n" in errors
    provider.batches.answer = lambda body: numbers(text_of(body))
    provider.batches.finish()
    assert gptkit(digest, "--batch", stdin=BOOK)[:2] == (0, numbers(BOOK) + "\n")
    assert len(provider.submitted) == len(set(provider.submitted)) + 1


def test_a_text_of_one_part_comes_whole_from_its_batch(
    gptkit: InMemory, provider: Provider, digest: str
) -> None:
    assert gptkit(digest, "--batch", stdin="m1m and m2m\n").code == 75
    (body,) = provider.bodies
    assert [one["content"] for one in body["messages"]] == ["Shorten.", "m1m and m2m\n"]
    assert "stream" not in body
    provider.batches.finish()
    assert gptkit(digest, "--batch", stdin="m1m and m2m\n")[:2] == (0, "m1m m2m\n")
    assert provider.asked == []


def test_results_in_a_promised_form_are_proved_by_it(
    gptkit: InMemory, provider: Provider, digest: str, home: Path
) -> None:
    file = home / "config" / "prompts" / "digest.yaml"
    schema = "{type: object, properties: {n: {type: string}}, required: [n]}"
    file.write_text(file.read_text() + f"output: {{format: json, schema: {schema}}}\n")
    gptkit(digest, "--batch", stdin=BOOK)
    bad = next(text for text in provider.submitted if "m18m" in text)
    provider.said = lambda text: json.dumps({"n": numbers(text)})
    provider.batches.answer = lambda body: (
        '{"m": "m18m"}' if text_of(body) == bad else f"```json\n{provider.said(text_of(body))}\n```"
    )
    provider.batches.finish()
    code, output, _ = gptkit(digest, "--batch", stdin=BOOK)
    assert (code, json.loads(output)) == (0, {"n": numbers(BOOK)})
    assert [text for text in provider.asked if "<part>" not in text] == [bad]
    assert not any("```" in text for text in provider.asked), "what is merged is the answer in its form"


def lacking(text: str, memory: Kept, fresh: bool = False) -> list[Lacking]:
    return list(lacking_parts(pieces(text), job(memory, fresh), Unpromised(), ROOM))


def test_nothing_lacks_once_a_run_is_over(memory_of_a_run: tuple[Kept, str]) -> None:
    memory, text = memory_of_a_run
    assert lacking(text, memory) == []
    assert len(lacking(text, memory, fresh=True)) == len(pieces(text))
    assert [one.piece.source for one in lacking(text.replace("m18m", "m18m m19m"), memory)] == [
        one.source for one in pieces(text.replace("m18m", "m18m m19m")) if "m19m" in one.source
    ]


def test_of_a_part_that_was_too_long_a_half_that_lacks_is_wanted(
    memory_of_a_run: tuple[Kept, str],
) -> None:
    memory, text = memory_of_a_run
    name = next(name for name, held in memory.held.items() if held.in_halves)
    before = dict(memory.held)
    memory.held.clear()
    whole = {one.key: one.piece for one in lacking(text, memory)}
    memory.held.update(before)
    half = next(one.key for one in _halves(text, memory, name) if one.piece.source in whole[name].source)
    del memory.held[half]
    (found,) = lacking(text, memory)
    assert found.key == half


def _halves(text: str, memory: Kept, name: bytes) -> list[Lacking]:
    """What lacks when nothing but that a part needs halves is known."""
    return lacking(text, _of({name: memory.held[name]}))


def _of(held: dict[bytes, Held]) -> Kept:
    memory = Kept()
    memory.held = held
    return memory


@pytest.fixture
def memory_of_a_run() -> tuple[Kept, str]:
    """After a run in which a part was too long."""
    memory, text = Kept(), book(30)
    long = next(one.source for one in pieces(text) if "m18m" in one.source)
    model = Model(lambda asked: TooLong("too long") if asked == long else numbers(asked))
    one, means = job(memory), model.means()
    found = gathered(pieces(text), one, means, ROOM, lambda _: None)
    assert concluded(found, one, means, None).answer == numbers(text)
    return memory, text
