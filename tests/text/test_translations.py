"""The proof on whole documents: a faithful translation passes, a damaged one does not."""

from __future__ import annotations

import pytest
from translations_of import Translation, translations

AROUND = [
    "Here is the translation:\n\n{}",
    "Here is the translation:\n{}",
    "```\n{}\n```",
    "```markdown\n{}\n```",
    "{0}\n\n{0}",
    "{}\n\n(Note: the names were kept as they are.)",
]
ALL = list(translations())
DAMAGES = [
    pytest.param(one, *damage, id=f"{one.name}: {damage[1]!r} -> {damage[2]!r}"[:120])
    for one in ALL
    for damage in one.damages
]


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_a_faithful_translation_is_accepted(one: Translation) -> None:
    assert [str(finding) for finding in one.findings(one.answer) if finding.level == "wrong"] == []


@pytest.mark.parametrize(("one", "kind", "old", "new"), DAMAGES)
def test_a_damage_is_found(one: Translation, kind: str, old: str, new: str) -> None:
    assert old in one.answer
    findings = one.findings(one.answer.replace(old, new, 1))
    assert kind in {finding.kind for finding in findings if finding.level == "wrong"}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_what_models_put_around_an_answer_is_found(one: Translation, around: str) -> None:
    findings = one.findings(around.format(one.answer.rstrip("\n")))
    assert "wrong" in {finding.level for finding in findings}
