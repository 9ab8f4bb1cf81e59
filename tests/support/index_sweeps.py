"""A question whose refresh of the index is killed at a call that changes files, and the question after it."""

from __future__ import annotations

import json

from disk_sweeps import KILLED, Runner, Tree, Writing, tree_of

ASK = Writing(("qa", "where is w3x2?", "docs", "--retrieve-only", "--json"), "home/cache/documents.db")
COUNTED = {"COUNT_SQLITE": "1"}


def documents(words: str, numbers: range) -> Tree:
    """Files in a folder, of which each passage has a word of its own and all have the given words."""
    return {
        f"folder/docs/{number}.md": (
            0o644,
            "\n".join(
                f"## Part {part}\n\nThe word is w{number}x{part}. {f'{words} ' * 60}\n" for part in range(4)
            ).encode(),
        )
        for number in numbers
    }


def killed_refreshes(runner: Runner, step: int = 1) -> int:
    """Kill a first run and a refresh at every `step`th call, and ask again; returns how many were killed."""
    runner.lay_out(documents("old", range(5)))
    assert runner.run(ASK).code == 0
    index = {ASK.target: tree_of(runner.root)[ASK.target]}
    changed = {**documents("old", range(2)), **documents("new", range(3, 7))}
    return sum(_killed_runs(runner, before, step) for before in (changed, {**index, **changed}))


def _killed_runs(runner: Runner, before: Tree, step: int) -> int:
    runner.lay_out(before)
    whole = runner.run(ASK, environ=COUNTED)
    assert (whole.code, whole.errors) == (0, "")
    assert json.loads(whole.output)[0]["place"].startswith("docs/3.md:9-")
    places = range(0, len(whole.calls), step)
    for at in places:
        runner.lay_out(before)
        assert runner.run(ASK, "kill", at, environ=COUNTED).code == KILLED, at
        after = runner.run(ASK)
        assert (after.code, after.output, after.errors) == (0, whole.output, ""), (
            f"at {at}: {whole.calls[at]}"
        )
    return len(places)
