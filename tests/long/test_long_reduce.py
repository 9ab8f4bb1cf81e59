"""One result of a long text: parts, groups, merges, the memory, what is missing, and what it costs."""

from __future__ import annotations

import random

import pytest
from long_models import Kept, Model
from long_reductions import ROOM, book, job, numbers, pieces

from gptkit.capabilities.long.reduce import (
    MISSING_PART,
    FinalInput,
    ReduceProgress,
    reduce_to_final_input,
    request_final_result,
    split_parts,
)
from gptkit.core.errors import BudgetError, GptkitError, NoPermissionError, RefusedError, TooLongError
from gptkit.core.tokens import estimate_tokens
from gptkit.exchange.budget import Budget
from gptkit.jobs.job import Job
from gptkit.jobs.merge_plan import fits_last_merge, group_results, requests_by_level
from gptkit.text.pieces import Piece


def watched(_step: ReduceProgress) -> None: ...


def reduced(text: str, model: Model, one: Job | None = None) -> tuple[str, FinalInput]:
    one, runtime = one or job(), model.runtime()
    found = reduce_to_final_input(pieces(text), one, runtime, ROOM, watched)
    return request_final_result(found, one, runtime, None).answer, found


def test_every_part_is_in_the_result_in_order() -> None:
    text = book(90)
    steps: list[ReduceProgress] = []
    model = Model(numbers)
    found = reduce_to_final_input(pieces(text), job(), model.runtime(), ROOM, steps.append)
    answer = request_final_result(found, job(), model.runtime(), None).answer
    assert answer == numbers(text)
    assert found.levels == max(step.level for step in steps) > 1
    assert found.findings == ()
    last = [step for step in steps if step.level == 1][-1]
    assert last.finished == len(pieces(text))
    assert last.bytes == len(text)


def test_no_request_holds_more_than_the_room_and_rules_of_its_step() -> None:
    model = Model(numbers)
    reduced(book(90), model)
    by_rule = {"part": 0, "merge": 0, "last": 0}
    for request in model.asked:
        rules = request.messages[0].content
        assert rules.startswith("Shout.")
        step = "last" if "Write the one result" in rules else "merge" if "- Merge them" in rules else "part"
        by_rule[step] += 1
        assert estimate_tokens(request.text) <= 2 * ROOM
    assert by_rule["last"] == 1
    assert by_rule["part"] == len(pieces(book(90)))
    assert by_rule["merge"] > 1


def test_what_is_not_translated_is_read_as_well() -> None:
    found = list(
        split_parts([Piece("a\n", "a"), Piece("code\n", ""), Piece("\n", ""), Piece("b\n", "b")], ROOM)
    )
    assert [one.source for one in found] == ["a\ncode\n\n", "b\n"]


def test_a_source_much_longer_than_its_text_is_cut_and_keeps_its_lines() -> None:
    source = "".join(f"line {number} of the source\n\n" for number in range(200))
    found = list(split_parts([Piece("x\n", "x"), Piece(source, "short", path=("Part",), line=2)], ROOM))
    assert "".join(one.source for one in found) == "x\n" + source
    assert all(estimate_tokens(one.source) <= ROOM * 1.5 for one in found)
    assert {one.path for one in found[1:]} == {("Part",)}
    for one in found[1:]:
        assert one.source.startswith(f"line {(one.line - 2) // 2} ")


def test_a_text_of_one_part_is_a_single_exchange_with_nothing_added() -> None:
    model = Model(numbers)
    assert reduced("m1m and m2m", model)[0] == "m1m m2m"
    assert [request.messages[0].content for request in model.asked] == ["Shout."]


def test_the_second_run_asks_nothing_at_any_level() -> None:
    memory, text = Kept(), book(90)
    first = reduced(text, Model(numbers), job(memory))
    model = Model(numbers)
    answer, found = reduced(text, model, job(memory))
    assert model.asked == []
    assert (answer, found.levels) == (first[0], first[1].levels)
    fresh = Model(numbers)
    reduced(text, fresh, job(memory, fresh=True))
    assert len(fresh.asked) > len(pieces(text))


@pytest.mark.parametrize(("changed", "parts"), [(0, 2), (31, 1), (58, 1), (89, 1)])
def test_an_edit_costs_its_part_and_the_merges_above_it(changed: int, parts: int) -> None:
    """The border of a part is seldom moved by an edit right beside it, as with the first one here."""
    memory, paragraphs = Kept(), book(90).split("\n\n")
    before = {piece.source for piece in pieces("\n\n".join(paragraphs))}
    _, found = reduced("\n\n".join(paragraphs), Model(numbers), job(memory))
    paragraphs[changed] += " m7777m"
    edited = "\n\n".join(paragraphs)
    assert len([piece for piece in pieces(edited) if piece.source not in before]) == parts
    model = Model(numbers)
    answer, _ = reduced(edited, model, job(memory))
    assert "m7777m" in answer
    assert len(model.asked) == found.levels + parts, "its parts and the merges above them"


def test_a_refused_part_is_missing_and_the_rest_goes_on() -> None:
    text = book(60).replace("m18m", "m18m secret")
    model = Model(lambda text: RefusedError("the model refused") if "secret" in text else numbers(text))
    answer, found = reduced(text, model)
    hit = next(piece for piece in pieces(text) if "secret" in piece.source)
    assert set(numbers(text).split()) - set(answer.split()) == set(numbers(hit.source).split())
    (finding,) = found.findings
    last = hit.line + hit.source.rstrip("\n").count("\n")
    where = f"lines {hit.line} to {last} are" if last > hit.line else f"line {hit.line} is"
    assert (finding.line, finding.message) == (hit.line, f"{where} missing: the model refused")
    told = [request for request in model.asked if MISSING_PART in request.text]
    assert told
    assert all("do not guess what it says" in request.messages[0].content for request in told)


def test_all_parts_refused_leave_nothing_to_conclude_from() -> None:
    model = Model(lambda _: RefusedError("no"))
    found = reduce_to_final_input(pieces(book(20)), job(), model.runtime(), ROOM, watched)
    assert found.is_empty
    assert len(found.findings) == len(pieces(book(20)))


def test_a_part_that_does_not_fit_is_halved_and_not_paid_for_twice() -> None:
    memory, text = Kept(), book(30)
    model = Model(
        lambda text: TooLongError("too long") if estimate_tokens(text) > ROOM // 3 else numbers(text)
    )
    one = job(memory)
    found = reduce_to_final_input(pieces(text), one, model.runtime(), ROOM, watched)
    assert found.findings == ()
    assert numbers(" ".join(result.text for result in found.results)) == numbers(text)
    again = Model(numbers)
    reduce_to_final_input(pieces(text), one, again.runtime(), ROOM, watched)
    assert again.asked == []


def test_results_that_cannot_be_merged_stay_side_by_side() -> None:
    text = book(90)
    model = Model(lambda text: RefusedError("no") if "<part>" in text else numbers(text))
    found = reduce_to_final_input(pieces(text), job(), model.runtime(), ROOM, watched)
    assert numbers(" ".join(result.text for result in found.results)) == numbers(text)


def test_results_that_do_not_get_shorter_are_not_merged_for_ever() -> None:
    text = book(90)
    model = Model(lambda text: text)
    found = reduce_to_final_input(pieces(text), job(), model.runtime(), ROOM, watched)
    assert found.levels == 2
    assert numbers(" ".join(result.text for result in found.results)) == numbers(text)


@pytest.mark.parametrize("error", [NoPermissionError("the API key was not accepted"), BudgetError("used up")])
def test_what_ends_the_job_ends_it_at_once(error: GptkitError) -> None:
    model = Model(lambda _: error)
    with pytest.raises(type(error)):
        reduce_to_final_input(pieces(book(200)), job(workers=1), model.runtime(), ROOM, watched)
    assert len(model.asked) == 1


def test_the_budget_holds_over_all_levels() -> None:
    text, memory = book(90), Kept()
    count = len(pieces(text))
    model = Model(numbers)
    with pytest.raises(BudgetError):
        reduce_to_final_input(pieces(text), job(memory), model.runtime(Budget(count + 1)), ROOM, watched)
    assert len(model.asked) == count + 1
    again = Model(numbers)
    reduced(text, again, job(memory))
    assert not any("<part>" not in request.text for request in again.asked), "no part is paid for twice"


def weighing(count: int, seed: int = 1) -> tuple[list[str], list[int]]:
    chance = random.Random(seed)
    return [f"text {number} {seed}" for number in range(count)], [chance.randint(5, 40) for _ in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 50, 333])
def test_groups_hold_every_text_once_in_order_and_fit(count: int) -> None:
    texts, weights = weighing(count)
    found = group_results(texts, weights, 100)
    assert [number for run in found for number in run] == list(range(count))
    for run in found:
        assert sum(weights[run.start : run.stop]) <= 100 or len(run) <= 3
        assert len(run) > 1 or count == 1, "what is alone in its group is no progress"


def test_a_changed_weight_leaves_the_other_groups_as_they_are() -> None:
    moved = 0
    for at in range(0, 300, 3):
        texts, weights = weighing(300)
        before = {tuple(texts[run.start : run.stop]) for run in group_results(texts, weights, 200)}
        weights[at] += 4
        after = {tuple(texts[run.start : run.stop]) for run in group_results(texts, weights, 200)}
        moved += len(after - before)
    assert moved <= 30, "groups, in a hundred edits"


@pytest.mark.parametrize(
    ("tokens", "room", "levels"),
    [([], 600, (0,)), ([500], 600, (1,)), ([500] * 3, 600, (3, 1)), ([500] * 12, 600, (12, 1))],
)
def test_the_plan_of_small_jobs(tokens: list[int], room: int, levels: tuple[int, ...]) -> None:
    assert requests_by_level(tokens, room, 50) == levels


def test_the_plan_of_a_large_job_ends_in_one_request() -> None:
    levels = requests_by_level([6000] * 5000, 6000, 500)
    assert levels[0] == 5000
    assert levels[-1] == 1
    assert levels[1] < levels[0] / 4
    assert fits_last_merge([6000, 6000], 6000)
